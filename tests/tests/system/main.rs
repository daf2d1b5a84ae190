//! Tests that span both programs, run as their users run them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a broken test may panic, and tests tell what they explored or skipped"
)]

mod articles;
mod bad_input;
mod classic;
mod crash;
mod deltas;
mod dependencies;
mod drafts;
mod end_to_end;
mod golden;
mod guides;
mod help;
mod hostile;
mod images;
mod interoperation;
mod product;
mod records;
mod registry_files;
mod release;
mod rollups;
mod self_extracting;
mod services;
mod trust;
mod undo_stack;
mod variants;
