//! `COM_CHANGE_USER`: authentication again, as another user.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use std::ops::Range;

use super::{Capabilities, Malformed, Reader, connection_attributes::ConnectionAttributes};

/// What Bifocal reads of a `COM_CHANGE_USER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    /// The user's name.
    pub user: &'a [u8],
    /// The collation's id; 0 if there is none.
    pub collation: u16,
    /// What the plugin says first.
    pub auth: &'a [u8],
    /// The plugin that says it.
    pub plugin: Option<&'a [u8]>,
    /// The database's name.
    pub database: Option<&'a [u8]>,
    /// The connection attributes.
    pub attributes: ConnectionAttributes<'a>,
    /// Where what the plugin says stands, with its length or its NUL.
    auth_range: Range<usize>,
    database_range: Range<usize>,
    plugin_range: Range<usize>,
}

impl<'a> ChangeUser<'a> {
    /// Reads a payload, command byte included. The fields past the database are optional.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "COM_CHANGE_USER");
        reader.u8()?;
        let user = reader.nul_bytes()?;
        let mut start = reader.offset();
        let auth = if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?
        } else {
            reader.nul_bytes()?
        };
        let auth_range = start..reader.offset();
        start = reader.offset();
        let name = reader.nul_or_rest();
        let database_range = start..start + name.len();
        let database = (!name.is_empty()).then_some(name);
        let (mut plugin, mut plugin_range) = (None, payload.len()..payload.len());
        let mut attributes = ConnectionAttributes::default();
        let mut collation = 0;
        if !reader.is_empty() {
            collation = reader.u16()?;
            if capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
                start = reader.offset();
                let name = reader.nul_or_rest();
                (plugin, plugin_range) = (Some(name), start..start + name.len());
            }
            if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
                attributes = ConnectionAttributes::decode(reader.lenenc_bytes()?);
            }
        }
        Ok(Self { user, collation, auth, plugin, database, attributes, auth_range, database_range, plugin_range })
    }

    /// The payload with another database, if one is given, or with a plugin that says nothing.
    pub fn encode(&self, payload: &[u8], database: Option<&[u8]>, silent_plugin: Option<&[u8]>) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(payload.len());
        let mut at = 0;
        // No length or no bytes before a NUL: in either form, one zero byte.
        let auth = silent_plugin.map(|_| (&self.auth_range, &b"\0"[..]));
        let database = self.database.and(database).map(|name| (&self.database_range, name));
        let plugin = self.plugin.and(silent_plugin).map(|name| (&self.plugin_range, name));
        for (range, bytes) in [auth, database, plugin].into_iter().flatten() {
            encoded.extend_from_slice(&payload[at..range.start]);
            encoded.extend_from_slice(bytes);
            at = range.end;
        }
        encoded.extend_from_slice(&payload[at..]);
        encoded
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
        assert_eq!(command.database, Some(&b"shop__v1"[..]));
        assert_eq!(command.attributes.value(b"a"), Some(&b"b"[..]));
        let encoded = command.encode(PAYLOAD, Some(b"shop"), None);
        assert_eq!(encoded, b"\x11root\0\x02xyshop\0\x2d\0mysql_native_password\0\x04\x01a\x01b");
    }

    #[test]
    fn a_plugin_can_be_silenced() {
        let command = ChangeUser::decode(PAYLOAD, capabilities()).expect("a command");
        let encoded = command.encode(PAYLOAD, None, Some(b"none"));
        assert_eq!(encoded, b"\x11root\0\0shop__v1\0\x2d\0none\0\x04\x01a\x01b");
    }

    #[test]
    fn the_short_form_has_no_attributes() {
        let command = ChangeUser::decode(b"\x11root\0\x00\0", capabilities()).expect("a command");
        assert_eq!(command.database, None);
    }
}
