//! `COM_STMT_EXECUTE` and the binary values of its parameters, with the query attributes that may follow them.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>;
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>

use super::{Capabilities, Command, Malformed, Reader, StatementId, put_lenenc, put_lenenc_bytes};

/// A parameter's type and its flags (unsigned), as the packet has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamType(pub u16);

/// A `COM_STMT_EXECUTE` whose parameters' values are not yet told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The statement.
    pub statement: StatementId,
    /// Which cursor it opens, and whether the parameters are counted.
    flags: u8,
    /// Always 1.
    iteration_count: u32,
    /// Query attributes are agreed on, so parameters have names.
    has_names: bool,
    /// How many parameters it has, query attributes included.
    count: usize,
    null_bitmap: &'a [u8],
    /// The types and names, if the client sends them anew ("new params bound").
    types: Option<Vec<(ParamType, &'a [u8])>>,
    values: &'a [u8],
}

/// One parameter of an EXECUTE, or a query attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Its type.
    pub param_type: ParamType,
    /// Its name; only a query attribute needs one.
    name: &'a [u8],
    /// Its value.
    pub value: ParamValue<'a>,
}

impl<'a> Execute<'a> {
    /// In `flags`: the number of parameters is told even of a statement without any, since query attributes may follow.
    const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;

    /// The statement's id alone, of this or any other command that begins with one.
    pub fn decode_statement(payload: &[u8]) -> Result<StatementId, Malformed> {
        let mut reader = Reader::new(payload, "statement id");
        reader.u8()?;
        Ok(StatementId(reader.u32()?))
    }

    /// Reads a payload, command byte included, for a statement with `param_count` parameters.
    pub fn decode(payload: &'a [u8], param_count: u16, capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_STMT_EXECUTE");
        reader.u8()?;
        let statement = StatementId(reader.u32()?);
        let (flags, iteration_count) = (reader.u8()?, reader.u32()?);
        let has_names = capabilities.has(Capabilities::QUERY_ATTRIBUTES);
        let mut count = usize::from(param_count);
        // A statement with parameters is told their number whatever the flag says.
        if has_names && (count > 0 || flags & Self::PARAMETER_COUNT_AVAILABLE != 0) {
            count = usize::try_from(reader.lenenc()?).map_err(|_| Malformed("number of parameters"))?;
            if count < usize::from(param_count) {
                return Err(Malformed("number of parameters"));
            }
        }
        let mut execute =
            Self { statement, flags, iteration_count, has_names, count, null_bitmap: &[], types: None, values: &[] };
        if count > 0 {
            execute.null_bitmap = reader.take(bitmap_len(count))?;
            if reader.u8()? == 1 {
                let mut one = || Ok((ParamType(reader.u16()?), if has_names { reader.lenenc_bytes()? } else { b"" }));
                execute.types = Some((0..count).map(|_| one()).collect::<Result<_, _>>()?);
            }
            execute.values = reader.rest();
        }
        Ok(execute)
    }

    /// The types of the statement's own parameters, if they are sent anew.
    pub fn param_types(&self, param_count: u16) -> Option<Vec<ParamType>> {
        let types = self.types.as_ref()?.iter().take(param_count.into());
        Some(types.map(|(param_type, _)| *param_type).collect())
    }

    /// The parameters, of the `types` that were sent last, then the query attributes. A parameter that `is_sent_ahead`
    /// (by `COM_STMT_SEND_LONG_DATA`) has no value here, whatever its bit says.
    pub fn arguments(
        &self,
        types: &[ParamType],
        is_sent_ahead: impl Fn(usize) -> bool,
    ) -> Result<Vec<Argument<'a>>, Malformed> {
        let unnamed: Vec<(ParamType, &[u8])>;
        let types = match &self.types {
            Some(types) => types,
            None => {
                unnamed = types.iter().map(|param_type| (*param_type, &b""[..])).collect();
                &unnamed
            }
        };
        if types.len() != self.count {
            return Err(Malformed("parameters without types"));
        }
        let mut reader = Reader::new(self.values, "parameter");
        let argument = |(index, (param_type, name)): (usize, &(ParamType, &'a [u8]))| {
            let value = if is_sent_ahead(index) {
                ParamValue::SentAhead
            } else if self.null_bitmap.get(index / 8).is_some_and(|byte| byte & 1 << (index % 8) != 0) {
                ParamValue::Null
            } else {
                ParamValue::Bytes(param_type.read_value(&mut reader)?)
            };
            Ok(Argument { param_type: *param_type, name, value })
        };
        types.iter().enumerate().map(argument).collect()
    }

    /// The payload with other parameters. Types are always sent, so that the backend never has to remember.
    pub fn encode(&self, arguments: &[Argument<'_>]) -> Vec<u8> {
        let mut out = vec![Command::StmtExecute as u8];
        out.extend_from_slice(&self.statement.0.to_le_bytes());
        out.push(self.flags);
        out.extend_from_slice(&self.iteration_count.to_le_bytes());
        if self.has_names && (!arguments.is_empty() || self.flags & Self::PARAMETER_COUNT_AVAILABLE != 0) {
            put_lenenc(&mut out, arguments.len() as u64);
        }
        if arguments.is_empty() {
            return out;
        }
        let bitmap = out.len();
        out.resize(bitmap + bitmap_len(arguments.len()), 0);
        out.push(1);
        for argument in arguments {
            out.extend_from_slice(&argument.param_type.0.to_le_bytes());
            if self.has_names {
                put_lenenc_bytes(&mut out, argument.name);
            }
        }
        for (index, argument) in arguments.iter().enumerate() {
            match argument.value {
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
    /// Whether every server reads a value of this type alike: some of the others are numbers to the one and strings
    /// to the other.
    pub(super) fn has_certain_length(self) -> bool {
        let [kind, _] = self.0.to_le_bytes();
        !matches!(kind, NULL | INT24 | YEAR | NEWDATE | BOOL)
    }

    /// Reads past one value of this type.
    pub(super) fn read_value<'a>(self, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
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

/// How many bytes have a bit for each parameter.
pub(super) fn bitmap_len(param_count: usize) -> usize {
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
    use super::{Argument, Capabilities, Execute, Malformed, ParamType, ParamValue, StatementId};

    /// Three parameters: 7 as LONG, NULL, `ab` as VAR_STRING.
    const PAYLOAD: &[u8] = b"\x17\x05\0\0\0\x00\x01\0\0\0\x02\x01\x03\x00\xfd\x00\xfd\x00\x07\0\0\0\x02ab";
    const OFF: Capabilities = Capabilities(0);

    fn values<'a>(arguments: &[Argument<'a>]) -> Vec<ParamValue<'a>> {
        arguments.iter().map(|argument| argument.value).collect()
    }

    #[test]
    fn values_are_told_apart_and_put_in_another_order() {
        let execute = Execute::decode(PAYLOAD, 3, OFF).expect("an EXECUTE");
        assert_eq!(execute.statement, StatementId(5));
        assert_eq!(execute.param_types(3), Some(vec![ParamType(3), ParamType(0xfd), ParamType(0xfd)]));
        let all = execute.arguments(&[], |_| false).expect("values");
        assert_eq!(values(&all), [ParamValue::Bytes(b"\x07\0\0\0"), ParamValue::Null, ParamValue::Bytes(b"\x02ab")]);
        let encoded = execute.encode(&[all[2], all[1], all[0], all[2]]);
        assert_eq!(
            encoded,
            b"\x17\x05\0\0\0\x00\x01\0\0\0\x02\x01\xfd\x00\xfd\x00\x03\x00\xfd\x00\x02ab\x07\0\0\0\x02ab"
        );
        assert_eq!(execute.encode(&all), PAYLOAD);
    }

    #[test]
    fn query_attributes_follow_the_parameters() {
        let on = Capabilities::QUERY_ATTRIBUTES;
        let payload = b"\x17\x05\0\0\0\x08\x01\0\0\0\x03\x02\x01\x03\0\0\xfe\0\0\xfe\0\x01n\x07\0\0\0\x02v1";
        let execute = Execute::decode(payload, 2, on).expect("an EXECUTE");
        assert_eq!(execute.param_types(2), Some(vec![ParamType(3), ParamType(0xfe)]));
        let all = execute.arguments(&[], |_| false).expect("values");
        assert_eq!(values(&all), [ParamValue::Bytes(b"\x07\0\0\0"), ParamValue::Null, ParamValue::Bytes(b"\x02v1")]);
        assert_eq!(execute.encode(&all), payload);
        let fewer = execute.encode(&all[2..]);
        assert_eq!(fewer, b"\x17\x05\0\0\0\x08\x01\0\0\0\x01\0\x01\xfe\0\x01n\x02v1");
        assert_eq!(execute.encode(&[]), b"\x17\x05\0\0\0\x08\x01\0\0\0\0");
        // Attributes that are not bound anew, and fewer parameters than the statement has.
        let unbound = Execute::decode(b"\x17\x05\0\0\0\x08\x01\0\0\0\x02\0\0\x07\0\0\0\x02v1", 1, on).expect("it");
        assert!(unbound.arguments(&[ParamType(3)], |_| false).is_err());
        assert!(Execute::decode(b"\x17\x05\0\0\0\x08\x01\0\0\0\0", 1, on).is_err());
        let again = Execute::decode(b"\x17\x05\0\0\0\x08\x01\0\0\0\x01\0\0\x07\0\0\0", 1, on).expect("it");
        let all = again.arguments(&[ParamType(3)], |_| false).expect("values");
        assert_eq!(again.encode(&all), b"\x17\x05\0\0\0\x08\x01\0\0\0\x01\0\x01\x03\0\0\x07\0\0\0");
    }

    #[test]
    fn a_value_sent_ahead_is_absent() {
        let execute = Execute::decode(b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01\xfc\x00\x01\x00\x09", 2, OFF).expect("it");
        let all = execute.arguments(&[], |index| index == 0).expect("values");
        assert_eq!(values(&all), [ParamValue::SentAhead, ParamValue::Bytes(b"\x09")]);
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
            let execute = Execute::decode(&payload, 1, OFF).expect("an EXECUTE");
            let all = execute.arguments(&[], |_| false).expect("values");
            assert_eq!(values(&all), [ParamValue::Bytes(bytes)], "type {kind}");
        }
    }

    #[test]
    fn an_unknown_type_is_malformed() {
        let execute = Execute::decode(b"\x17\x05\0\0\0\x00\x01\0\0\0\x00\x01\x64\x00\x01", 1, OFF).expect("an EXECUTE");
        assert_eq!(execute.arguments(&[], |_| false), Err(Malformed("parameter type")));
    }

    #[test]
    fn no_cut_panics() {
        for capabilities in [OFF, Capabilities::QUERY_ATTRIBUTES] {
            for len in 0..PAYLOAD.len() {
                if let Ok(execute) = Execute::decode(&PAYLOAD[..len], 3, capabilities) {
                    let _ = execute.arguments(&[], |_| false);
                }
            }
        }
    }
}
