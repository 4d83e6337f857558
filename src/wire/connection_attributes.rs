//! Connection attributes: pairs of strings that a client tells about itself.
//!
//! <https://dev.mysql.com/doc/refman/en/performance-schema-connection-attribute-tables.html>

use super::Reader;

/// The attributes of one connection, not yet taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionAttributes<'a> {
    pairs: &'a [u8],
}

impl<'a> ConnectionAttributes<'a> {
    /// Takes the bytes after the length of all pairs.
    pub fn decode(pairs: &'a [u8]) -> Self {
        Self { pairs }
    }

    /// The value of the attribute `name`. Pairs after a malformed one are not seen, as with the servers.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.pairs, "connection attributes");
        while let (Ok(key), Ok(value)) = (reader.lenenc_bytes(), reader.lenenc_bytes()) {
            if key == name {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionAttributes;

    #[test]
    fn finds_a_value_among_pairs() {
        let attributes = ConnectionAttributes::decode(b"\x03_os\x05Linux\x01a\x00\x01b\x02cd");
        assert_eq!(attributes.value(b"b"), Some(&b"cd"[..]));
        assert_eq!(attributes.value(b"a"), Some(&b""[..]));
        assert_eq!(attributes.value(b"c"), None);
    }
}
