//! The program `qfe-builder`.

#![forbid(unsafe_code)]

fn main() {
    std::process::exit(qfe_builder::cli::run(std::env::args_os()))
}
