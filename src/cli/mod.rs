//! The command line: one file per subcommand.

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One database, every app version in focus: a MySQL-wire proxy for rolling schema changes.
#[derive(Debug, Parser)]
#[command(name = "bifocal", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    Serve(serve::Args),
}

/// Parses the command line and runs the subcommand that it names.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // The terminal may be gone; there is nobody to tell then.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Serve(args) => serve::run(args),
    }
}

/// Exit status of a mistake on the command line or in the configuration (`EX_USAGE`).
const USAGE: u8 = 64;
