//! The command line: one file per subcommand.

use std::process::ExitCode;

/// Parses the command line and runs the subcommand that it names.
pub fn main() -> ExitCode {
    ExitCode::from(64)
}
