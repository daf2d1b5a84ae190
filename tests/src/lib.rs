//! What the tests, the demonstration and the measurements share: the two programs as their users run them,
//! sample bundles, and folders that look like servers.
//!
//! Everything here panics where it fails: it is for tests.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what is explored and what is skipped is told"
)]

pub mod corpus;
#[cfg(unix)]
pub mod cost;
pub mod crash;
pub mod fuzz;
pub mod programs;
pub mod release;
pub mod samples;
#[cfg(target_os = "linux")]
pub mod share;
pub mod tree;
pub mod updates;
#[cfg(target_os = "linux")]
pub mod wine;
