//! `COM_STMT_EXECUTE` without query attributes, and the binary values of its parameters.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>;
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>

use super::{Command, Malformed, Reader, StatementId};

/// A parameter's type and its flags (unsigned), as the packet has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamType(pub u16);

/// A `COM_STMT_EXECUTE` whose parameters' values are not yet told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The statement.
    pub statement: StatementId,
    /// Which cursor it opens.
    pub flags: u8,
    /// Always 1.
    iteration_count: u32,
    null_bitmap: &'a [u8],
    /// The types, if the client sends them anew ("new params bound").
    pub types: Option<Vec<ParamType>>,
    values: &'a [u8],
}

impl<'a> Execute<'a> {
    /// The statement's id alone, of this or any other command that begins with one.
    pub fn decode_statement(payload: &[u8]) -> Result<StatementId, Malformed> {
        let mut reader = Reader::new(payload, "statement id");
        reader.u8()?;
        Ok(StatementId(reader.u32()?))
    }

    /// Reads a payload, command byte included, for a statement with `param_count` parameters.
    pub fn decode(payload: &'a [u8], param_count: u16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_STMT_EXECUTE");
        reader.u8()?;
        let statement = StatementId(reader.u32()?);
        let (flags, iteration_count) = (reader.u8()?, reader.u32()?);
        let mut execute = Self { statement, flags, iteration_count, null_bitmap: &[], types: None, values: &[] };
        if param_count > 0 {
            execute.null_bitmap = reader.take(bitmap_len(param_count.into()))?;
            if reader.u8()? == 1 {
                let types = (0..param_count).map(|_| reader.u16().map(ParamType));
                execute.types = Some(types.collect::<Result<_, _>>()?);
            }
            execute.values = reader.rest();
        }
        Ok(execute)
    }

    /// The value of each parameter. One that `is_sent_ahead` (by `COM_STMT_SEND_LONG_DATA`) has none here,
    /// whatever its bit says.
    pub fn values(
        &self,
        types: &[ParamType],
        is_sent_ahead: impl Fn(usize) -> bool,
    ) -> Result<Vec<ParamValue<'a>>, Malformed> {
        let mut reader = Reader::new(self.values, "parameter");
        let value = |(index, param_type): (usize, &ParamType)| {
            Ok(if is_sent_ahead(index) {
                ParamValue::SentAhead
            } else if self.null_bitmap.get(index / 8).is_some_and(|byte| byte & 1 << (index % 8) != 0) {
                ParamValue::Null
            } else {
                ParamValue::Bytes(param_type.read_value(&mut reader)?)
            })
        };
        types.iter().enumerate().map(value).collect()
    }

    /// Appends a payload whose i-th parameter is the client's parameter `params[i]`; each exists in `types`
    /// and `values`. Types are always sent, so that the backend never has to remember.
    pub fn encode_reordered(&self, types: &[ParamType], values: &[ParamValue<'_>], params: &[u16]) -> Vec<u8> {
        let mut out = vec![Command::StmtExecute as u8];
        out.extend_from_slice(&self.statement.0.to_le_bytes());
        out.push(self.flags);
        out.extend_from_slice(&self.iteration_count.to_le_bytes());
        if params.is_empty() {
            return out;
        }
        let bitmap = out.len();
        out.resize(bitmap + bitmap_len(params.len()), 0);
        out.push(1);
        for param in params {
            out.extend_from_slice(&types[usize::from(*param)].0.to_le_bytes());
        }
        for (index, param) in params.iter().enumerate() {
            match values[usize::from(*param)] {
                ParamValue::Bytes(bytes) => out.extend_from_slice(bytes),
                ParamValue::Null => out[bitmap + index / 8] |= 1 << (index % 8),
                ParamValue::SentAhead => {}
            }
        }
        out
    }
}

/// What an EXECUTE says of one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamValue<'a> {
    /// Its value, in the binary protocol's form, with its length if it has one.
    Bytes(&'a [u8]),
    /// NULL.
    Null,
    /// It came by `COM_STMT_SEND_LONG_DATA`.
    SentAhead,
}

impl ParamType {
    /// Reads past one value of this type.
    fn read_value<'a>(self, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
        let start = *reader;
        let [kind, _] = self.0.to_le_bytes();
        match kind {
            NULL => {}
            TINY | BOOL => _ = reader.take(1)?,
            SHORT | YEAR => _ = reader.take(2)?,
            LONG | INT24 | FLOAT => _ = reader.take(4)?,
            LONGLONG | DOUBLE => _ = reader.take(8)?,
            TIMESTAMP | DATE | TIME | DATETIME | NEWDATE => {
                let len = reader.u8()?;
                reader.take(len.into())?;
            }
            DECIMAL | VARCHAR | BIT | VECTOR | JSON | NEWDECIMAL..=GEOMETRY => _ = reader.lenenc_bytes()?,
            _ => return Err(Malformed("parameter type")),
        }
        let len = reader.offset() - start.offset();
        let mut value = start;
        value.take(len)
    }
}

fn bitmap_len(param_count: usize) -> usize {
    param_count.div_ceil(8)
}

// https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html
const DECIMAL: u8 = 0;
const TINY: u8 = 1;
const SHORT: u8 = 2;
const LONG: u8 = 3;
const FLOAT: u8 = 4;
const DOUBLE: u8 = 5;
const NULL: u8 = 6;
const TIMESTAMP: u8 = 7;
const LONGLONG: u8 = 8;
const INT24: u8 = 9;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const YEAR: u8 = 13;
const NEWDATE: u8 = 14;
const VARCHAR: u8 = 15;
const BIT: u8 = 16;
const VECTOR: u8 = 242;
const BOOL: u8 = 244;
const JSON: u8 = 245;
const NEWDECIMAL: u8 = 246;
const GEOMETRY: u8 = 255;

#[cfg(test)]
mod tests {
    use super::{Execute, Malformed, ParamType, ParamValue, StatementId};

    /// Three parameters: 7 as LONG, NULL, `ab` as VAR_STRING.
    const PAYLOAD: &[u8] = b"\x17\x05\0\0\0\x00\x01\0\0\0\x02\x01\x03\x00\xfd\x00\xfd\x00\x07\0\0\0\x02ab";

    #[test]
    fn values_are_told_apart_and_put_in_another_order() {
        let execute = Execute::decode(PAYLOAD, 3).expect("an EXECUTE");
        assert_eq!(execute.statement, StatementId(5));
        let types = execute.types.clone().expect("types");
        let values = execute.values(&types, |_| false).expect("values");
        assert_eq!(values, [ParamValue::Bytes(b"\x07\0\0\0"), ParamValue::Null, ParamValue::Bytes(b"\x02ab")]);
        let encoded = execute.encode_reordered(&types, &values, &[2, 1, 0, 2]);
        assert_eq!(
            encoded,
            b"\x17\x05\0\0\0\x00\x01\0\0\0\x02\x01\xfd\x00\xfd\x00\x03\x00\xfd\x00\x02ab\x07\0\0\0\x02ab"
        );
        assert_eq!(execute.encode_reordered(&types, &values, &[0, 1, 2]), PAYLOAD);
    }

    #[test]
    fn a_value_sent_ahead_is_absent() {
        let execute = Execute::decode(b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01\xfc\x00\x01\x00\x09", 2).expect("it");
        let types = execute.types.clone().expect("types");
        let values = execute.values(&types, |index| index == 0).expect("values");
        assert_eq!(values, [ParamValue::SentAhead, ParamValue::Bytes(b"\x09")]);
    }

    #[test]
    fn every_type_has_its_length() {
        let examples: [(u8, &[u8]); 14] = [
            (1, b"\x01"),
            (2, b"\x01\x02"),
            (13, b"\x01\x02"),
            (3, b"\x01\x02\x03\x04"),
            (9, b"\x01\x02\x03\x04"),
            (4, b"\x01\x02\x03\x04"),
            (8, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            (5, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            (6, b""),
            (12, b"\x04\xe7\x07\x01\x02"),
            (11, b"\x00"),
            (252, b"\xfc\x02\x00ab"),
            (246, b"\x011"),
            (245, b"\x02{}"),
        ];
        for (kind, bytes) in examples {
            let mut payload = b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01".to_vec();
            payload.extend_from_slice(&[kind, 0]);
            payload.extend_from_slice(bytes);
            payload.extend_from_slice(b"trailing");
            let execute = Execute::decode(&payload, 1).expect("an EXECUTE");
            let values = execute.values(&[ParamType(kind.into())], |_| false);
            assert_eq!(values, Ok(vec![ParamValue::Bytes(bytes)]), "type {kind}");
        }
    }

    #[test]
    fn an_unknown_type_is_malformed() {
        let execute = Execute::decode(b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01\x64\x00\x01", 1).expect("an EXECUTE");
        assert_eq!(execute.values(&[ParamType(100)], |_| false), Err(Malformed("parameter type")));
    }

    #[test]
    fn no_cut_panics() {
        for len in 0..PAYLOAD.len() {
            if let Ok(execute) = Execute::decode(&PAYLOAD[..len], 3)
                && let Some(types) = &execute.types
            {
                let _ = execute.values(types, |_| false);
            }
        }
    }
}
