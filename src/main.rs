//! The `bifocal` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    bifocal::cli::main()
}
