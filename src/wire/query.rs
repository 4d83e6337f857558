//! `COM_QUERY`: a text, and before it the query attributes where `CLIENT_QUERY_ATTRIBUTES` is agreed on.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>

use super::{Capabilities, Command, Malformed, ParamType, Reader, execute::bitmap_len};

/// A `COM_QUERY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The attributes as the packet has them, counts included; empty where they are not agreed on.
    pub attributes: &'a [u8],
    /// The text.
    pub text: &'a [u8],
}

impl<'a> Query<'a> {
    /// A text without attributes.
    pub fn plain(text: &'a [u8], capabilities: Capabilities) -> Self {
        let has_attributes = capabilities.has(Capabilities::QUERY_ATTRIBUTES);
        Self { attributes: if has_attributes { NO_ATTRIBUTES } else { b"" }, text }
    }

    /// Reads a payload, command byte included. Where the text begins must be beyond doubt: what the server executes is
    /// what was planned. So a type whose length is not certain is malformed, though the server may take it.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_QUERY");
        reader.u8()?;
        if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
            read_attributes(&mut reader)?;
        }
        let (attributes, text) = payload[1..].split_at(reader.offset() - 1);
        Ok(Self { attributes, text })
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        [&[Command::Query as u8], self.attributes, self.text].concat()
    }
}

/// No attributes, one set of them.
const NO_ATTRIBUTES: &[u8] = b"\x00\x01";

fn read_attributes(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let count = usize::try_from(reader.lenenc()?).map_err(|_| Malformed("number of query attributes"))?;
    if reader.lenenc()? != 1 {
        return Err(Malformed("number of sets of query attributes"));
    }
    if count == 0 {
        return Ok(());
    }
    let nulls = reader.take(bitmap_len(count))?;
    if reader.u8()? != 1 {
        return Err(Malformed("query attributes without types"));
    }
    let mut types = Vec::new();
    for _ in 0..count {
        types.push(ParamType(reader.u16()?));
        reader.lenenc_bytes()?;
    }
    for (index, param_type) in types.into_iter().enumerate() {
        if nulls[index / 8] & 1 << (index % 8) == 0 {
            if !param_type.has_certain_length() {
                return Err(Malformed("type of a query attribute"));
            }
            param_type.read_value(reader)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Query};

    const ON: Capabilities = Capabilities::QUERY_ATTRIBUTES;
    /// A string, a NULL and a number.
    const PAYLOAD: &[u8] = b"\x03\x03\x01\x02\x01\xfe\0\x01a\xfe\0\x01b\x03\0\x01c\x02v1\x07\0\0\0SELECT 1";

    #[test]
    fn the_text_follows_the_attributes() {
        let query = Query::decode(PAYLOAD, ON).expect("a query");
        assert_eq!(query.text, b"SELECT 1");
        assert_eq!(query.encode(), PAYLOAD);
        assert_eq!(Query::decode(b"\x03\0\x01SELECT 1", ON), Ok(Query::plain(b"SELECT 1", ON)));
        let off = Capabilities::default();
        assert_eq!(Query::decode(b"\x03SELECT 1", off), Ok(Query::plain(b"SELECT 1", off)));
        assert_eq!(Query::plain(b"SELECT 1", off).attributes, b"");
    }

    #[test]
    fn what_is_not_certain_is_malformed() {
        for payload in [
            &b"\x03"[..],
            b"\x03\x01",
            b"\x03\x00\x02SELECT 1",
            b"\x03\x00\x00SELECT 1",
            b"\x03\x01\x01\x00\x00\x02v1SELECT 1",
            b"\x03\x01\x01\x00\x01\x64\x00\x01a\x02v1SELECT 1",
            b"\x03\x01\x01\x00\x01\xfe\x00\x01a\x60v1SELECT 1",
            b"\x03\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01SELECT 1",
        ] {
            assert!(Query::decode(payload, ON).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn no_cut_panics() {
        for len in 1..PAYLOAD.len() {
            let _ = Query::decode(&PAYLOAD[..len], ON);
        }
    }
}
