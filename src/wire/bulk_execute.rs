//! MariaDB's `COM_STMT_BULK_EXECUTE`: one statement with many rows of parameters, each value behind an indicator.
//!
//! <https://mariadb.com/kb/en/com_stmt_bulk_execute/>

use super::{Command, Malformed, ParamType, Reader, StatementId};

/// A `COM_STMT_BULK_EXECUTE` whose rows are not yet told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkExecute<'a> {
    /// The statement.
    pub statement: StatementId,
    /// What the answer is to hold, and whether there are types.
    flags: u16,
    /// The types, if the client sends them anew.
    pub types: Option<Vec<ParamType>>,
    values: &'a [u8],
}

/// What a row says of one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkValue<'a> {
    /// Its value, in the binary protocol's form, with its length if it has one.
    Bytes(&'a [u8]),
    /// NULL.
    Null,
    /// The column's default.
    Default,
    /// Nothing: the column keeps its value.
    Ignore,
}

impl<'a> BulkExecute<'a> {
    /// In `flags`: types are sent.
    const SEND_TYPES: u16 = 128;

    /// Reads a payload, command byte included, for a statement with `param_count` parameters.
    pub fn decode(payload: &'a [u8], param_count: u16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_STMT_BULK_EXECUTE");
        reader.u8()?;
        let (statement, flags) = (StatementId(reader.u32()?), reader.u16()?);
        let mut types = None;
        if flags & Self::SEND_TYPES != 0 {
            let sent = (0..param_count).map(|_| reader.u16().map(ParamType));
            types = Some(sent.collect::<Result<_, _>>()?);
        }
        Ok(Self { statement, flags, types, values: reader.rest() })
    }

    /// The rows, of parameters of `types`. Without parameters there are none.
    pub fn rows(&self, types: &[ParamType]) -> Result<Vec<Vec<BulkValue<'a>>>, Malformed> {
        let mut reader = Reader::new(self.values, "row of parameters");
        let mut rows = Vec::new();
        while !types.is_empty() && !reader.is_empty() {
            let row = types.iter().map(|param_type| BulkValue::read(*param_type, &mut reader));
            rows.push(row.collect::<Result<_, _>>()?);
        }
        Ok(rows)
    }

    /// The payload with rows whose i-th parameter is the client's parameter `params[i]`; each exists in `types` and in
    /// every row. Types are always sent, so that the backend never has to remember.
    pub fn encode_reordered(&self, types: &[ParamType], rows: &[Vec<BulkValue<'_>>], params: &[u16]) -> Vec<u8> {
        let mut out = vec![Command::StmtBulkExecute as u8];
        out.extend_from_slice(&self.statement.0.to_le_bytes());
        out.extend_from_slice(&(self.flags | Self::SEND_TYPES).to_le_bytes());
        for param in params {
            out.extend_from_slice(&types[usize::from(*param)].0.to_le_bytes());
        }
        for row in rows {
            for param in params {
                row[usize::from(*param)].put(&mut out);
            }
        }
        out
    }
}

impl<'a> BulkValue<'a> {
    fn read(param_type: ParamType, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Bytes(param_type.read_value(reader)?)),
            1 => Ok(Self::Null),
            2 => Ok(Self::Default),
            3 => Ok(Self::Ignore),
            _ => Err(Malformed("indicator of a parameter")),
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => {
                out.push(0);
                out.extend_from_slice(bytes);
            }
            Self::Null => out.push(1),
            Self::Default => out.push(2),
            Self::Ignore => out.push(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BulkExecute, BulkValue};

    /// Two rows of a number and a string.
    const PAYLOAD: &[u8] = b"\xfa\x05\0\0\0\x80\0\x03\0\xfd\0\x00\x07\0\0\0\x00\x02ab\x01\x02";

    #[test]
    fn rows_are_told_apart_and_put_in_another_order() {
        let bulk = BulkExecute::decode(PAYLOAD, 2).expect("a bulk execute");
        let types = bulk.types.clone().expect("types");
        let rows = bulk.rows(&types).expect("rows");
        let first = vec![BulkValue::Bytes(b"\x07\0\0\0"), BulkValue::Bytes(b"\x02ab")];
        assert_eq!(rows, [first, vec![BulkValue::Null, BulkValue::Default]]);
        assert_eq!(bulk.encode_reordered(&types, &rows, &[0, 1]), PAYLOAD);
        let encoded = bulk.encode_reordered(&types, &rows, &[1, 0, 1]);
        let expected = b"\xfa\x05\0\0\0\x80\0\xfd\0\x03\0\xfd\0\0\x02ab\0\x07\0\0\0\0\x02ab\x02\x01\x02";
        assert_eq!(encoded, expected);
    }

    #[test]
    fn types_may_be_those_sent_before() {
        let bulk = BulkExecute::decode(b"\xfa\x05\0\0\0\x40\0\x03", 1).expect("a bulk execute");
        let types = [super::ParamType(3)];
        assert_eq!(bulk.types, None);
        let rows = bulk.rows(&types).expect("rows");
        assert_eq!(rows, [vec![BulkValue::Ignore]]);
        assert_eq!(bulk.encode_reordered(&types, &rows, &[0]), b"\xfa\x05\0\0\0\xc0\0\x03\0\x03");
    }

    #[test]
    fn an_unknown_indicator_and_a_cut_row_are_malformed() {
        for payload in [&b"\xfa\x05\0\0\0\x80\0\x03\0\x04"[..], b"\xfa\x05\0\0\0\x80\0\x03\0\x00\x07"] {
            let bulk = BulkExecute::decode(payload, 1).expect("a bulk execute");
            assert!(bulk.rows(bulk.types.as_deref().expect("types")).is_err());
        }
        for len in 0..PAYLOAD.len() {
            if let Ok(bulk) = BulkExecute::decode(&PAYLOAD[..len], 2) {
                let _ = bulk.rows(&[super::ParamType(3), super::ParamType(0xfd)]);
            }
        }
    }
}
