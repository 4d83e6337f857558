//! The current database of a session: it may be called by the session's own version, and by no other.

use super::{Action, Origin, Planned, Versioned, prefixed};
use crate::{
    rewrite::ServerError,
    session::{refusal, use_database, version},
    sql::{LexMode, ServerKind},
    wire::{Answer, Command, Query},
};

impl Versioned {
    /// What is done with a `COM_INIT_DB`.
    pub(super) fn init_db(&mut self, payload: &[u8]) -> Result<Action, ServerError> {
        self.is_stale = true;
        let origin = Origin::Planned(Planned::unchanged());
        let Some(database) = self.own_database(&payload[1..])? else {
            return Ok(Action::Forward(Answer::Single, origin));
        };
        let payload = prefixed(Command::InitDb, database.as_bytes());
        Ok(Action::Replace(vec![payload], Answer::Single, origin))
    }

    /// What is done with a `USE`; none for any other statement.
    pub(super) fn use_database(&mut self, query: Query<'_>) -> Result<Option<Action>, ServerError> {
        let text = query.text;
        let mode = self.facts.as_ref().map_or(LexMode::of_server(ServerKind::MySql, 80_000), |facts| facts.lex);
        let Some((database, span)) = use_database::target(text, mode) else { return Ok(None) };
        self.is_stale = true;
        let origin = Origin::Planned(Planned::unchanged());
        let Some(database) = self.own_database(database.as_bytes())? else {
            return Ok(Some(Action::Forward(Answer::TextResult, origin)));
        };
        let text = use_database::with_target(text, span, &database);
        let payload = Query { text: &text, ..query }.encode();
        Ok(Some(Action::Replace(vec![payload], Answer::TextResult, origin)))
    }

    /// The server's name of a database that names this session's own version, or none if it names no version.
    fn own_database(&self, database: &[u8]) -> Result<Option<String>, ServerError> {
        match version::split(&self.rules, database) {
            None => Ok(None),
            Some(name) if name == self.name => Ok(Some(name.database)),
            Some(name) if name.chain(&self.rules).is_none() => Err(name.unknown(&self.rules)),
            Some(name) => Err(refusal::other_version(&name.to_string(), &self.name.to_string()).error()),
        }
    }
}
