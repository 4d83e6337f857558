//! Bifocal: a MySQL-wire proxy that lets two releases of an app share one database while the
//! schema changes under them.
//!
//! The core (`wire`, `sql`, `schema`, `rules`, `rewrite`, `session`) turns bytes into steps and
//! does no I/O; the shell (`proxy`, `config`, `cli`) moves bytes. `ARCHITECTURE.md` draws the
//! picture, and `tests/tidy.rs` holds the directions of import.

pub mod cli;
pub mod config;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod proxy;
pub mod rewrite;
pub mod rules;
pub mod schema;
pub mod session;
pub mod sql;
pub mod wire;
