//! Faults of the real kernel, met by the real program at every place where it can meet them: kills, power loss,
//! failing calls, full and read-only disks. Whatever happens, the product is exactly as before or as after, and
//! `recover` brings it to rest.
//!
//! For root on Linux, with strace, losetup, xfsprogs, e2fsprogs: `cargo sweep`. Where one of them is missing, a
//! sweep is skipped and says so. Every sweep prints how much it explored.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a broken sweep may panic, and sweeps tell what they explored or skipped"
)]

mod attributes;
mod case;
mod errors;
mod findings;
mod full_disk;
mod inject;
mod kills;
mod lab;
mod model;
mod power_loss;
mod read_only;
mod site;
