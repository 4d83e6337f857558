//! The prepared statements of one session: what was planned for each, and the values of a rewritten one.

use std::{collections::HashMap, sync::Arc};

use super::version::Chain;
use crate::{
    rewrite::{ResultTable, Rewrite, ServerError},
    wire::{Execute, ParamType, StatementId},
};

/// All prepared statements.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_id: HashMap<StatementId, Statement>,
    /// What MariaDB's clients mean by [`StatementId::LAST`].
    last: Option<StatementId>,
}

/// One prepared statement, pinned to the mapping it was planned with.
#[derive(Debug)]
pub(super) struct Statement {
    /// The mapping.
    pub chain: Chain,
    /// The client's text, for the translation of errors.
    pub text: Arc<[u8]>,
    /// Changed tables whose columns may stand in its result.
    pub tables: Arc<[ResultTable]>,
    /// Executing it may change what the session knows of the backend.
    pub changes_facts: bool,
    /// How the backend's placeholders are filled, where not one by one from the client's.
    pub reorder: Option<Reorder>,
}

/// Placeholders of a rewritten statement.
#[derive(Debug)]
pub(super) struct Reorder {
    /// For each placeholder of the backend's text, the index of the client's that fills it.
    pub params: Vec<u16>,
    /// How many placeholders the client's text has. Invariant: every element of `params` is below it.
    pub client_params: u16,
    /// The types of the last EXECUTE that sent some.
    types: Vec<ParamType>,
    /// The client's placeholders whose values were sent ahead.
    sent_ahead: Vec<u16>,
}

impl Statements {
    /// Remembers a statement that the backend has prepared.
    pub fn insert(&mut self, id: StatementId, statement: Statement) {
        self.by_id.insert(id, statement);
        self.last = Some(id);
    }

    /// A prepare failed or was refused: there is no last statement, as on the server.
    pub fn forget_last(&mut self) {
        self.last = None;
    }

    /// Forgets a statement.
    pub fn remove(&mut self, id: StatementId) {
        if let Some(id) = self.resolve(id) {
            self.by_id.remove(&id);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The backend's id of a statement; none for "the last one" where there is none.
    pub fn resolve(&self, id: StatementId) -> Option<StatementId> {
        if id == StatementId::LAST { self.last } else { Some(id) }
    }

    /// The statement, if it was prepared in this session.
    pub fn find(&mut self, id: StatementId) -> Option<&mut Statement> {
        self.by_id.get_mut(&self.resolve(id)?)
    }
}

impl Reorder {
    /// How a rewrite fills its placeholders; none where it takes the client's as they are.
    pub fn of(rewrite: &Rewrite) -> Option<Self> {
        let is_same = rewrite.params.iter().copied().eq(0..rewrite.client_params);
        (!is_same).then(|| Self {
            params: rewrite.params.clone(),
            client_params: rewrite.client_params,
            types: Vec::new(),
            sent_ahead: Vec::new(),
        })
    }

    /// The client's EXECUTE as the backend's. Values that were sent ahead are used up.
    pub fn execute(&mut self, payload: &[u8], id: StatementId) -> Result<Vec<u8>, ServerError> {
        let sent_ahead = std::mem::take(&mut self.sent_ahead);
        let mut execute = Execute::decode(payload, self.client_params).map_err(|_| wrong_arguments())?;
        execute.statement = id;
        if let Some(types) = execute.types.take() {
            self.types = types;
        }
        if self.types.len() != usize::from(self.client_params) {
            return Err(wrong_arguments());
        }
        let is_sent_ahead = |index: usize| sent_ahead.iter().any(|param| usize::from(*param) == index);
        let values = execute.values(&self.types, is_sent_ahead).map_err(|_| wrong_arguments())?;
        Ok(execute.encode_reordered(&self.types, &values, &self.params))
    }

    /// The client's `COM_STMT_SEND_LONG_DATA` as the backend's, one for each placeholder that takes the value.
    pub fn send_long_data(&mut self, payload: &[u8], id: StatementId) -> Vec<Vec<u8>> {
        let Some((&[a, b], data)) = payload.get(5..).and_then(|rest| rest.split_first_chunk::<2>()) else {
            return Vec::new();
        };
        let param = u16::from_le_bytes([a, b]);
        let encode = |index: u16| {
            let head = [&payload[..1], &id.0.to_le_bytes(), &index.to_le_bytes()].concat();
            [&head, data].concat()
        };
        if param >= self.client_params {
            // The backend has no such placeholder either, and says so when the statement is executed.
            return vec![encode(u16::MAX)];
        }
        if !self.sent_ahead.contains(&param) {
            self.sent_ahead.push(param);
        }
        let indexes = (0..).zip(&self.params).filter(|(_, client)| **client == param).map(|(index, _)| index);
        indexes.map(encode).collect()
    }

    /// `COM_STMT_RESET`: what was sent ahead is dropped.
    pub fn reset(&mut self) {
        self.sent_ahead.clear();
    }
}

fn wrong_arguments() -> ServerError {
    let message = "Incorrect arguments to mysqld_stmt_execute".to_owned();
    ServerError { number: 1210, sqlstate: *b"HY000", message }
}

#[cfg(test)]
mod tests {
    use super::{Reorder, Rewrite, StatementId};

    fn reorder() -> Reorder {
        let rewrite = Rewrite { text: Vec::new(), params: vec![1, 0, 1], client_params: 2, tables: Vec::new() };
        Reorder::of(&rewrite).expect("another order")
    }

    const ID: StatementId = StatementId(9);

    #[test]
    fn types_are_remembered() {
        let mut reorder = reorder();
        let first = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x01\x00\x02\x00\x07\x01\x02";
        let second = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x00\x08\x03\x04";
        let encoded = reorder.execute(first, ID).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x02\0\x01\0\x02\0\x01\x02\x07\x01\x02");
        let encoded = reorder.execute(second, ID).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x02\0\x01\0\x02\0\x03\x04\x08\x03\x04");
    }

    #[test]
    fn an_execute_without_types_is_an_error() {
        let error = reorder().execute(b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x00\x08\x03\x04", ID);
        assert_eq!(error.map_err(|error| error.number), Err(1210));
    }

    #[test]
    fn long_data_goes_to_every_placeholder_that_takes_it_once() {
        let mut reorder = reorder();
        let packets = reorder.send_long_data(b"\x18\x09\0\0\0\x01\0data", ID);
        assert_eq!(packets, [b"\x18\x09\0\0\0\x00\0data", b"\x18\x09\0\0\0\x02\0data"]);
        let execute = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x01\x00\xfc\x00\x07";
        let encoded = reorder.execute(execute, ID).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\xfc\0\x01\0\xfc\0\x07");
        assert!(reorder.execute(execute, ID).is_err(), "the value was used up");
    }
}
