//! `COM_CHANGE_USER`: authentication again, as another user.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use std::ops::Range;

use super::{Capabilities, Malformed, Reader, connection_attributes::ConnectionAttributes};

/// What Bifocal reads of a `COM_CHANGE_USER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    /// The database's name, and where it stands in the payload.
    pub database: Option<(&'a [u8], Range<usize>)>,
    /// The connection attributes.
    pub attributes: ConnectionAttributes<'a>,
}

impl<'a> ChangeUser<'a> {
    /// Reads a payload, command byte included. The fields past the database are optional.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_CHANGE_USER");
        reader.u8()?;
        reader.nul_bytes()?;
        if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?;
        } else {
            reader.nul_bytes()?;
        }
        let start = reader.offset();
        let name = reader.nul_or_rest();
        let database = (!name.is_empty()).then(|| (name, start..start + name.len()));
        let mut attributes = ConnectionAttributes::default();
        if !reader.is_empty() {
            // Collation.
            reader.u16()?;
            if capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
                reader.nul_or_rest();
            }
            if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
                attributes = ConnectionAttributes::decode(reader.lenenc_bytes()?);
            }
        }
        Ok(Self { database, attributes })
    }

    /// The payload with another database.
    pub fn encode(&self, payload: &[u8], database: &[u8]) -> Vec<u8> {
        let Some((_, range)) = &self.database else { return payload.to_vec() };
        [&payload[..range.start], database, &payload[range.end..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, ChangeUser};

    const PAYLOAD: &[u8] = b"\x11root\0\x02xyshop__v1\0\x2d\0mysql_native_password\0\x04\x01a\x01b";

    fn capabilities() -> Capabilities {
        Capabilities(Capabilities::SECURE_CONNECTION.0 | Capabilities::PLUGIN_AUTH.0 | Capabilities::CONNECT_ATTRS.0)
    }

    #[test]
    fn reads_and_replaces_the_database() {
        let command = ChangeUser::decode(PAYLOAD, capabilities()).expect("a command");
        assert_eq!(command.database.as_ref().map(|(name, _)| *name), Some(&b"shop__v1"[..]));
        assert_eq!(command.attributes.value(b"a"), Some(&b"b"[..]));
        let encoded = command.encode(PAYLOAD, b"shop");
        assert_eq!(encoded, b"\x11root\0\x02xyshop\0\x2d\0mysql_native_password\0\x04\x01a\x01b");
    }

    #[test]
    fn the_short_form_has_no_attributes() {
        let command = ChangeUser::decode(b"\x11root\0\x00\0", capabilities()).expect("a command");
        assert_eq!(command.database, None);
    }
}
