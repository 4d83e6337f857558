//! The command line: one file per subcommand.

pub mod check;
pub mod database_url;
pub mod demo;
pub mod explain;
pub mod rules;
mod serve;
pub mod snapshot;

use std::{future::Future, process::ExitCode};

use clap::{Parser, Subcommand};

/// One database, every app version in focus: a MySQL-wire proxy for rolling schema changes.
#[derive(Debug, Parser)]
#[command(name = "bifocal", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Compile the rules; with --database-url also hold them against the live schema and data.
    Check(check::Args),
    /// Start a private server, migrate it, serve v1 and v2 clients, print what each sees.
    Demo(demo::Args),
    /// Show how a statement would be rewritten, which changes did it, and why one is refused.
    Explain(explain::Args),
    /// Run the proxy.
    Serve(Box<serve::Args>),
    /// Capture a version's schema from a server as JSON.
    Snapshot(snapshot::Args),
}

/// Parses the command line and runs the subcommand that it names.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // The terminal may be gone; there is nobody to tell then.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        Command::Check(args) => block_on(check::run(&args)),
        Command::Demo(args) => block_on(demo::run(&args)),
        Command::Explain(args) => explain::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Snapshot(args) => block_on(snapshot::run(&args)),
    }
}

fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("bifocal: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Exit status of a mistake on the command line or in the configuration (`EX_USAGE`).
const USAGE: u8 = 64;
