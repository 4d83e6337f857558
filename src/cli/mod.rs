//! The command line: one file per subcommand.

pub mod check;
pub mod demo;
pub mod explain;
pub mod rules;
pub mod snapshot;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One database, every app version in focus.
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
    /// Capture a version's schema from a server as JSON.
    Snapshot(snapshot::Args),
}

/// Parses the command line and runs the subcommand that it names.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bifocal: {error}");
            return ExitCode::FAILURE;
        }
    };
    match arguments.command {
        Command::Check(args) => runtime.block_on(check::run(&args)),
        Command::Demo(args) => runtime.block_on(demo::run(&args)),
        Command::Explain(args) => explain::run(&args),
        Command::Snapshot(args) => runtime.block_on(snapshot::run(&args)),
    }
}
