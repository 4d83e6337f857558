//! What is done with one statement of an older version: [`plan`] over a chain of mappings.

use std::sync::Arc;

use crate::{rules::Mapping, sql::LexMode};

/// What the session knows that changes the meaning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The session's current database on the server, if one is chosen.
    pub database: Option<String>,
    /// How text is lexed.
    pub lex: LexMode,
    /// Whether the server is in a strict mode.
    pub strict: bool,
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
    /// For each column of the first result set that is one of the version's own columns: where it belongs.
    /// Shorter than the result, or empty, where nothing is known.
    pub columns: Vec<Option<ResultColumn>>,
}

/// What a column definition must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// The older version's table.
    pub org_table: String,
    /// The older version's column.
    pub org_name: String,
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

/// Decides what is done with one statement. `chain` leads from the client's version to the physical one, oldest first.
pub fn plan(_text: &[u8], _chain: &[Arc<Mapping>], _facts: &Facts) -> Plan {
    Plan::Forward
}

/// Whether a statement may change [`Facts`] (SET, USE, CALL, EXECUTE, versioned comments), so that the session
/// has to ask the backend again before the next plan.
pub fn changes_facts(_text: &[u8]) -> bool {
    true
}

/// A server's error in the version's own words: physical table, column and key names become the version's.
pub fn translate_error(error: ServerError, _chain: &[Arc<Mapping>], _statement: &[u8]) -> ServerError {
    error
}
