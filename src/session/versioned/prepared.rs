//! Prepared statements: their texts are planned once, and their values follow the placeholders.

use super::{Action, Origin, Planned, Preparing, Versioned, forward, prefixed};
use crate::{
    rewrite::{Plan, ServerError},
    session::{
        Settings,
        statements::{Reorder, Statement},
        version::Chain,
    },
    sql::ServerKind,
    wire::{Answer, Capabilities, Command, Execute, StatementId},
};

impl Versioned {
    /// What is done with a `COM_STMT_PREPARE`.
    pub(super) fn prepare(&mut self, payload: &[u8], settings: &Settings) -> Result<Action, ServerError> {
        let text = &payload[1..];
        // Whatever becomes of it, the statement before is not the last one any more.
        self.statements.forget_last();
        let chain = self.chain()?;
        if chain.is_empty() {
            return Ok(forward_prepare(chain, text, true));
        }
        let facts = match self.facts_for(Command::StmtPrepare, text) {
            Ok(facts) => facts,
            Err(action) => return Ok(*action),
        };
        let plan = (settings.planner.plan)(text, &chain, facts);
        let changes_facts = (settings.planner.changes_facts)(text);
        Ok(match plan {
            Plan::Forward => forward_prepare(chain, text, changes_facts),
            Plan::Rewrite(rewrite) => {
                let reorder = Some(Reorder::of(&rewrite));
                let payload = self.bounded(prefixed(Command::StmtPrepare, &rewrite.text))?;
                let tables = rewrite.tables.into();
                let statement = Statement { chain, text: text.into(), tables, changes_facts, reorder };
                Action::Replace(vec![payload], Answer::Prepare, Origin::Prepare(Preparing::new(statement)))
            }
            Plan::Answer(error) => Action::Error(error),
            Plan::Refuse(refusal) => Action::Error(refusal.error()),
        })
    }

    /// What is done with a `COM_STMT_EXECUTE`.
    pub(super) fn execute(&mut self, payload: &[u8]) -> Result<Action, ServerError> {
        let capabilities = self.capabilities;
        let Some((id, statement)) = self.executed(payload)? else { return Ok(forward(Command::StmtExecute)) };
        let reordered = match &mut statement.reorder {
            None => None,
            Some(reorder) => reorder.execute(payload, id, capabilities)?,
        };
        let origin = planned(statement);
        self.sent(reordered, origin)
    }

    /// What is done with a `COM_STMT_BULK_EXECUTE`.
    pub(super) fn bulk_execute(&mut self, payload: &[u8]) -> Result<Action, ServerError> {
        let is_cut_short = payload.len() < BULK_HEADER_LEN;
        if is_cut_short || !self.capabilities.has(Capabilities::STMT_BULK_OPERATIONS) {
            return Ok(forward(Command::StmtBulkExecute));
        }
        let Some((id, statement)) = self.executed(payload)? else { return Ok(forward(Command::StmtBulkExecute)) };
        let reordered = match &mut statement.reorder {
            None => None,
            Some(reorder) => Some(reorder.bulk_execute(payload, id)?),
        };
        let origin = planned(statement);
        self.sent(reordered, origin)
    }

    /// The statement that is executed, if its prepare was seen.
    fn executed(&mut self, payload: &[u8]) -> Result<Option<(StatementId, &mut Statement)>, ServerError> {
        let Ok(named) = Execute::decode_statement(payload) else { return Ok(None) };
        let id = self.backend_id(named).ok_or_else(|| unknown_statement(named))?;
        let Some(statement) = self.statements.find(id) else { return Ok(None) };
        self.is_stale |= statement.changes_facts;
        Ok(Some((id, statement)))
    }

    fn sent(&self, reordered: Option<Vec<u8>>, origin: Origin) -> Result<Action, ServerError> {
        Ok(match reordered {
            None => Action::Forward(Answer::BinaryResult, origin),
            Some(payload) => Action::Replace(vec![self.bounded(payload)?], Answer::BinaryResult, origin),
        })
    }

    /// The backend's id of a statement; none for MariaDB's "the last one" where there is none.
    fn backend_id(&self, named: StatementId) -> Option<StatementId> {
        let is_last = named == StatementId::LAST && self.server == Some(ServerKind::MariaDb);
        if is_last { self.statements.last() } else { Some(named) }
    }

    /// What is done with a `COM_STMT_SEND_LONG_DATA`.
    pub(super) fn send_long_data(&mut self, payload: &[u8]) -> Action {
        let id = Execute::decode_statement(payload).ok().and_then(|named| self.backend_id(named));
        let reorder = id.and_then(|id| Some((id, self.statements.find(id)?.reorder.as_mut()?)));
        match reorder {
            Some((id, reorder)) if !reorder.is_same() => {
                let payloads = reorder.send_long_data(payload, id);
                if payloads.is_empty() { Action::Drop } else { Action::Replace(payloads, Answer::None, Origin::Plain) }
            }
            _ => forward(Command::StmtSendLongData),
        }
    }

    /// What is done with a `COM_STMT_CLOSE` or a `COM_STMT_RESET`.
    pub(super) fn close_or_reset(&mut self, command: Command, payload: &[u8]) -> Action {
        let id = Execute::decode_statement(payload).ok().and_then(|named| self.backend_id(named));
        if let Some(id) = id {
            if command == Command::StmtClose {
                self.statements.remove(id);
            } else if let Some(Statement { reorder: Some(reorder), .. }) = self.statements.find(id) {
                reorder.reset();
            }
        }
        forward(command)
    }
}

/// An answer in the words of the statement's version.
fn planned(statement: &Statement) -> Origin {
    Origin::Planned(Planned {
        chain: statement.chain.clone(),
        text: statement.text.clone(),
        tables: statement.tables.clone(),
        raised: None,
    })
}

fn forward_prepare(chain: Chain, text: &[u8], changes_facts: bool) -> Action {
    // Errors of a physical version need no translation, so its texts are not kept.
    let text = if chain.is_empty() { [].into() } else { text.into() };
    let statement = Statement { chain, text, tables: [].into(), changes_facts, reorder: None };
    Action::Forward(Answer::Prepare, Origin::Prepare(Preparing::new(statement)))
}

fn unknown_statement(id: StatementId) -> ServerError {
    let message = format!("Unknown prepared statement handler ({}) given to mysqld_stmt_execute", id.0);
    ServerError { number: 1243, sqlstate: *b"HY000", message }
}

/// The command's byte, the statement's id, and the flags of a bulk execute.
const BULK_HEADER_LEN: usize = 7;
