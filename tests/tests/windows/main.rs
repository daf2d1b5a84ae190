//! The programs for Windows as they are given away, of 32 and of 64 bits, on machines that Wine makes.
//!
//! What counts is what is on the machine's disk afterwards. On Linux, after `patcher/windows/build.sh`: `cargo windows`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken test may panic")]

mod builder;
mod contention;
mod main_job;
mod restart;
mod site;
