//! The patcher's program; see the library.

fn main() {
    std::process::exit(qfe_patcher::cli::run(std::env::args_os()));
}
