//! What is done with one statement of an older version: [`plan`] over a chain of mappings.

mod assign;
mod column;
mod delete;
mod error;
mod gate;
mod insert;
mod insert_select;
mod layer;
mod ordering;
mod read;
pub mod refusal;
mod spelling;
mod statement;
#[cfg(test)]
mod tests;
mod titles;
mod update;

use std::sync::Arc;

pub use error::translate_error;
pub use gate::changes_facts;

use crate::{rules::Mapping, sql::LexMode};

/// What the session knows that changes the meaning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The session's current database on the server, if one is chosen.
    pub database: Option<String>,
    /// How text is lexed.
    pub lex: LexMode,
    /// Whether a plain text literal would not mean just its ASCII characters (`character_set_connection` is sjis, ucs2,
    /// binary …).
    pub introduce: bool,
    /// Whether the server is in a strict mode.
    pub strict: bool,
    /// A `sql_mode` in force under which statements on changed tables are refused.
    pub odd_mode: Option<&'static str>,
    /// Whether a text may hold several statements.
    pub multi_statements: bool,
}

/// What is done with one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Send it as it is.
    Forward,
    /// Send this text in its place.
    Rewrite(Rewrite),
    /// Answer with an error that the version's own schema would give, without asking the backend.
    Answer(ServerError),
    /// Say no.
    Refuse(Refusal),
}

/// A statement in the physical version's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The text to send, in the session's charset.
    pub text: Vec<u8>,
    /// For each placeholder of `text`, the index of the client's placeholder that fills it.
    pub params: Vec<u16>,
    /// How many placeholders the client's text has.
    pub client_params: u16,
    /// Changed tables whose columns may stand in the result.
    pub tables: Vec<ResultTable>,
}

/// A changed table of the FROM clause. In a column definition whose `table` is `alias`, the original table must
/// read `org_table`; the servers give the original column in the version's own words already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultTable {
    /// The name that the statement gives it.
    pub alias: String,
    /// The older version's table.
    pub org_table: String,
}

/// An error in the server's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// Error number, e.g. 1146.
    pub number: u16,
    /// Five characters.
    pub sqlstate: [u8; 5],
    /// The message.
    pub message: String,
}

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code, e.g. `R107`.
    pub code: &'static str,
    /// What cannot be done, and what would be possible instead.
    pub reason: String,
}

impl Refusal {
    /// The refusal as the error that a client gets: 1235, SQLSTATE 42000.
    pub fn error(&self) -> ServerError {
        ServerError { number: 1235, sqlstate: *b"42000", message: format!("Bifocal {}: {}", self.code, self.reason) }
    }
}

/// Decides what is done with one statement. `chain` leads from the client's version to the physical one, oldest first;
/// the statement goes through its steps one after the other.
pub fn plan(text: &[u8], chain: &[Arc<Mapping>], facts: &Facts) -> Plan {
    let mut planned: Option<Rewrite> = None;
    for (step, mapping) in chain.iter().enumerate() {
        let now = planned.as_ref().map_or(text, |rewrite| rewrite.text.as_slice());
        match layer::plan(now, mapping, facts, step) {
            Plan::Forward => {}
            Plan::Rewrite(next) => planned = Some(compose(planned, next)),
            // A later step speaks of its own version's names.
            Plan::Answer(error) => return Plan::Answer(translate_error(error, &chain[..step], text)),
            refuse @ Plan::Refuse(_) => return refuse,
        }
    }
    planned.map_or(Plan::Forward, Plan::Rewrite)
}

fn compose(before: Option<Rewrite>, next: Rewrite) -> Rewrite {
    let Some(before) = before else { return next };
    let params = next.params.iter().filter_map(|&middle| before.params.get(usize::from(middle)).copied()).collect();
    let mut tables = before.tables;
    for table in next.tables {
        if !tables.iter().any(|known| known.alias == table.alias) {
            tables.push(table);
        }
    }
    Rewrite { text: next.text, params, client_params: before.client_params, tables }
}
