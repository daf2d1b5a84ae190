//! The patcher on network shares: a real server, real mounts, and what can befall both.
//!
//! What counts is what the server has on its disk: what a mount shows is only what the patcher was told.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a broken test may panic, and tests tell what they explored"
)]

mod interruption;
mod main_job;
mod refusal;
mod remote;
mod site;
mod two_machines;
mod whole_job;
