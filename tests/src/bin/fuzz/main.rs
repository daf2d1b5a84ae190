//! A fuzzer for any toolchain: calls the targets of `qfe_tests::fuzz` with inputs that it makes of their corpora.
//!
//! ```text
//! cargo fuzz-stable [TARGET...] [--seconds N | --runs N] [--seed N] [--guided]
//! cargo fuzz-stable TARGET --input FILE        one input, as it is
//! cargo fuzz-stable [TARGET...] --seeds        writes the inputs that are made by code, for other fuzzers
//! cargo fuzz-stable [TARGET...] --distill      after --guided: puts what reaches most of what was found into the project's corpus
//! cargo fuzz-stable --list
//! ```
//!
//! Without a target all of them are run, each for `--seconds` (2 without it) or `--runs`. Each has a process of its own, and writes each
//! input to a file before it calls the target. So an input that ends the process is known, however that came: by a panic, by
//! a stack that overflows, by more memory than 256 MiB beyond what was in use before, or by more time than 20 seconds. It is kept in
//! `target/fuzz/failed`, and the exit status is 1.
//!
//! `--guided` builds everything with the counters of LLVM's SanitizerCoverage, which the stable compiler has, too. An input
//! that reaches what none before did joins the corpus in `target/fuzz/TARGET`, which the next run begins with.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for developers")]

mod child;
mod coverage;
mod distill;
mod memory;
mod mutation;
mod options;
mod parent;

use std::process::ExitCode;

#[global_allocator]
static MEMORY: memory::Bounded = memory::Bounded;

fn main() -> ExitCode {
    match options::Options::read(std::env::args().skip(1)) {
        Ok(options) => parent::run(&options),
        Err(error) => {
            eprintln!("fuzz-stable: {error}");
            ExitCode::from(2)
        }
    }
}
