//! The programs for Windows, of 32 and of 64 bits, on machines that Wine makes.
//!
//! What counts is what is on the machine's disk afterwards, in its registry, and what its services did. On Linux, after
//! `patcher/windows/build.sh`: `cargo windows`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken test may panic")]

mod builder;
mod components;
mod contention;
mod live;
mod main_job;
mod paths;
mod registry;
mod restart;
mod self_extracting;
mod services;
mod site;
