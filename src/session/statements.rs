//! The prepared statements of one session: what was planned for each, and the values of a rewritten one.

use std::{collections::HashMap, sync::Arc};

use super::{refusal, version::Chain};
use crate::{
    rewrite::{ResultTable, Rewrite, ServerError},
    wire::{Argument, BulkExecute, BulkValue, Capabilities, Execute, ParamType, StatementId},
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
    /// How the backend's placeholders are filled; none for a text that went on as it was.
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
        self.by_id.remove(&id);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The statement that was prepared last, unless that failed.
    pub fn last(&self) -> Option<StatementId> {
        self.last
    }

    /// The statement, if it was prepared in this session.
    pub fn find(&mut self, id: StatementId) -> Option<&mut Statement> {
        self.by_id.get_mut(&id)
    }
}

impl Reorder {
    /// How a rewrite fills its placeholders.
    pub fn of(rewrite: &Rewrite) -> Self {
        Self {
            params: rewrite.params.clone(),
            client_params: rewrite.client_params,
            types: Vec::new(),
            sent_ahead: Vec::new(),
        }
    }

    /// Whether each placeholder is filled from the client's of the same index.
    pub fn is_same(&self) -> bool {
        self.params.iter().copied().eq(0..self.client_params)
    }

    /// The client's EXECUTE as the backend's; none if it can go on as it is. Values that were sent ahead are used up.
    pub fn execute(
        &mut self,
        payload: &[u8],
        id: StatementId,
        capabilities: Capabilities,
    ) -> Result<Option<Vec<u8>>, ServerError> {
        let sent_ahead = std::mem::take(&mut self.sent_ahead);
        let wrong = |_| wrong_arguments("mysqld_stmt_execute");
        let decoded = Execute::decode(payload, self.client_params, capabilities);
        if self.is_same() {
            // The types hold for a bulk execute, too. What is malformed is for the server to say.
            if let Some(types) = decoded.ok().and_then(|execute| execute.param_types(self.client_params)) {
                self.types = types;
            }
            return Ok(None);
        }
        let mut execute = decoded.map_err(wrong)?;
        execute.statement = id;
        if let Some(types) = execute.param_types(self.client_params) {
            self.types = types;
        }
        let is_sent_ahead = |index: usize| sent_ahead.iter().any(|param| usize::from(*param) == index);
        let arguments = execute.arguments(&self.types, is_sent_ahead).map_err(wrong)?;
        let (params, attributes) = arguments.split_at(usize::from(self.client_params));
        let ordered = self.params.iter().map(|param| params[usize::from(*param)]);
        Ok(Some(execute.encode(&ordered.chain(attributes.iter().copied()).collect::<Vec<Argument<'_>>>())))
    }

    /// MariaDB's bulk execute as the backend's. A row that leaves a value to the column's default would leave it to
    /// another column's, or put it where there is none: before any row is executed, it is refused.
    pub fn bulk_execute(&mut self, payload: &[u8], id: StatementId) -> Result<Vec<u8>, ServerError> {
        let wrong = |_| wrong_arguments("mysqld_stmt_bulk_execute");
        let mut bulk = BulkExecute::decode(payload, self.client_params).map_err(wrong)?;
        bulk.statement = id;
        if let Some(types) = bulk.types.take() {
            self.types = types;
        }
        if self.types.len() != usize::from(self.client_params) {
            return Err(wrong_arguments("mysqld_stmt_bulk_execute"));
        }
        let rows = bulk.rows(&self.types).map_err(wrong)?;
        let has_default = |value: &BulkValue<'_>| matches!(value, BulkValue::Default | BulkValue::Ignore);
        if rows.iter().flatten().any(has_default) {
            return Err(refusal::bulk_default().error());
        }
        if self.params.is_empty() && self.client_params > 0 {
            return Err(refusal::bulk_without_parameters().error());
        }
        Ok(bulk.encode_reordered(&self.types, &rows, &self.params))
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

fn wrong_arguments(command: &str) -> ServerError {
    let message = format!("Incorrect arguments to {command}");
    ServerError { number: 1210, sqlstate: *b"HY000", message }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Reorder, Rewrite, ServerError, StatementId};

    fn reorder_of(params: &[u16], client_params: u16) -> Reorder {
        Reorder::of(&Rewrite { text: Vec::new(), params: params.to_vec(), client_params, tables: Vec::new() })
    }

    fn reorder() -> Reorder {
        reorder_of(&[1, 0, 1], 2)
    }

    fn execute(reorder: &mut Reorder, payload: &[u8]) -> Result<Vec<u8>, ServerError> {
        reorder.execute(payload, ID, Capabilities::default()).map(Option::unwrap_or_default)
    }

    const ID: StatementId = StatementId(9);

    #[test]
    fn types_are_remembered() {
        let mut reorder = reorder();
        let first = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x01\x00\x02\x00\x07\x01\x02";
        let second = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x00\x08\x03\x04";
        let encoded = execute(&mut reorder, first).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x02\0\x01\0\x02\0\x01\x02\x07\x01\x02");
        let encoded = execute(&mut reorder, second).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x02\0\x01\0\x02\0\x03\x04\x08\x03\x04");
    }

    #[test]
    fn an_execute_without_types_is_an_error() {
        let error = execute(&mut reorder(), b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x00\x08\x03\x04");
        assert_eq!(error.map_err(|error| error.number), Err(1210));
    }

    #[test]
    fn an_execute_in_the_same_order_goes_on_as_it_is() {
        let mut reorder = reorder_of(&[0, 1], 2);
        let payload = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x01\x00\x02\x00\x07\x01\x02";
        assert_eq!(reorder.execute(payload, ID, Capabilities::default()), Ok(None));
    }

    #[test]
    fn query_attributes_stay_behind_the_parameters() {
        let payload = b"\x17\x09\0\0\0\x08\x01\0\0\0\x03\0\x01\x01\0\0\x02\0\0\xfe\0\x01n\x07\x01\x02\x02v1";
        let encoded =
            reorder().execute(payload, ID, Capabilities::QUERY_ATTRIBUTES).expect("encoded").expect("another");
        let expected =
            b"\x17\x09\0\0\0\x08\x01\0\0\0\x04\0\x01\x02\0\0\x01\0\0\x02\0\0\xfe\0\x01n\x01\x02\x07\x01\x02\x02v1";
        assert_eq!(encoded, expected);
    }

    #[test]
    fn rows_of_a_bulk_execute_are_reordered() {
        let mut reorder = reorder();
        let head = b"\xfa\x09\0\0\0\x80\0\x01\0\x02\0";
        let bulk = [&head[..], b"\0\x07\0\x01\x02", b"\x01\0\x03\x04"].concat();
        let encoded = reorder.bulk_execute(&bulk, ID).expect("encoded");
        let expected_head = b"\xfa\x09\0\0\0\x80\0\x02\0\x01\0\x02\0";
        let rows = [&b"\0\x01\x02\0\x07\0\x01\x02"[..], b"\0\x03\x04\x01\0\x03\x04"].concat();
        assert_eq!(encoded, [&expected_head[..], &rows].concat());
        // The types hold for the next.
        let again = reorder.bulk_execute(b"\xfa\x09\0\0\0\0\0\x01\x01", ID).expect("encoded");
        assert_eq!(again, [&expected_head[..], b"\x01\x01\x01"].concat());
    }

    #[test]
    fn a_bulk_execute_that_needs_a_default_is_refused() {
        for indicator in [2, 3] {
            let bulk = [&b"\xfa\x09\0\0\0\x80\0\x01\0\x02\0\0\x07\0\x01\x02\x01"[..], &[indicator]].concat();
            let error = reorder().bulk_execute(&bulk, ID).expect_err("refused");
            assert!(error.number == 1235 && error.message.contains("R904"), "{error:?}");
        }
        let error = reorder_of(&[], 1).bulk_execute(b"\xfa\x09\0\0\0\x80\0\x01\0\0\x07", ID).expect_err("refused");
        assert_eq!(error.number, 1235);
        let error = reorder().bulk_execute(b"\xfa\x09\0\0\0\0\0\x01\x01", ID).expect_err("no types");
        assert_eq!(error.number, 1210);
    }

    #[test]
    fn long_data_goes_to_every_placeholder_that_takes_it_once() {
        let mut reorder = reorder();
        let packets = reorder.send_long_data(b"\x18\x09\0\0\0\x01\0data", ID);
        assert_eq!(packets, [b"\x18\x09\0\0\0\x00\0data", b"\x18\x09\0\0\0\x02\0data"]);
        let payload = b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\x01\x00\xfc\x00\x07";
        let encoded = execute(&mut reorder, payload).expect("encoded");
        assert_eq!(encoded, b"\x17\x09\0\0\0\0\x01\0\0\0\x00\x01\xfc\0\x01\0\xfc\0\x07");
        assert!(execute(&mut reorder, payload).is_err(), "the value was used up");
    }
}
