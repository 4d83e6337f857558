//! Column definitions: one per column of a result set, and per parameter of a prepared statement.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html>

use super::{Capabilities, Malformed, Reader, put_lenenc_bytes};

/// A column definition of the 4.1 protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition<'a> {
    /// The catalog, always `def`.
    pub catalog: &'a [u8],
    /// The database.
    pub schema: &'a [u8],
    /// The table's alias.
    pub table: &'a [u8],
    /// The table's own name.
    pub org_table: &'a [u8],
    /// The column's alias.
    pub name: &'a [u8],
    /// The column's own name.
    pub org_name: &'a [u8],
    /// Everything after the names: MariaDB's extended metadata where that is agreed on, fixed-length fields and, for
    /// `COM_FIELD_LIST`, the default.
    pub rest: &'a [u8],
}

impl<'a> ColumnDefinition<'a> {
    /// What a server says of a parameter: a `?` of no table, binary, VARCHAR.
    pub fn parameter(capabilities: Capabilities) -> ColumnDefinition<'static> {
        let rest: &[u8] = b"\x00\x0c\x3f\x00\x00\x00\x00\x00\xfd\x80\x00\x00\x00\x00";
        // The first byte is an empty string of extended metadata.
        let start = usize::from(!capabilities.has(Capabilities::EXTENDED_METADATA));
        ColumnDefinition {
            catalog: b"def",
            schema: b"",
            table: b"",
            org_table: b"",
            name: b"?",
            org_name: b"",
            rest: &rest[start..],
        }
    }

    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "column definition");
        Ok(Self {
            catalog: reader.lenenc_bytes()?,
            schema: reader.lenenc_bytes()?,
            table: reader.lenenc_bytes()?,
            org_table: reader.lenenc_bytes()?,
            name: reader.lenenc_bytes()?,
            org_name: reader.lenenc_bytes()?,
            rest: reader.rest(),
        })
    }

    /// Appends a payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for name in [self.catalog, self.schema, self.table, self.org_table, self.name, self.org_name] {
            put_lenenc_bytes(out, name);
        }
        out.extend_from_slice(self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, ColumnDefinition};

    const PAYLOAD: &[u8] =
        b"\x03def\x04shop\x01u\x06people\x04mail\x05email\x0c\x21\x00\xfd\x02\x00\x00\xfd\x00\x00\x00\x00\x00";

    #[test]
    fn comes_back() {
        let definition = ColumnDefinition::decode(PAYLOAD).expect("a definition");
        assert_eq!((definition.org_table, definition.org_name), (&b"people"[..], &b"email"[..]));
        let mut encoded = Vec::new();
        definition.encode(&mut encoded);
        assert_eq!(encoded, PAYLOAD);
    }

    #[test]
    fn the_parameter_is_as_long_as_a_servers() {
        for (capabilities, len) in [(Capabilities::default(), 0x17), (Capabilities::EXTENDED_METADATA, 0x18)] {
            let mut encoded = Vec::new();
            ColumnDefinition::parameter(capabilities).encode(&mut encoded);
            assert_eq!(encoded.len(), len);
        }
    }
}
