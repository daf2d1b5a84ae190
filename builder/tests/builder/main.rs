//! Tests of the builder as a whole: recipes with their payloads, finished bundles, and the program itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests state facts: a broken one may panic; and they tell what they skipped"
)]

mod archives;
mod bundles;
mod cache;
mod commands;
mod findings;
mod fixture;
mod lint;
mod lzx;
mod pages;
mod pe;
mod sources;
