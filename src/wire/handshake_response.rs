//! The handshake response, with which the client answers the greeting.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use std::ops::Range;

use super::{Capabilities, Malformed, Reader, connection_attributes::ConnectionAttributes, put_lenenc_bytes};

/// What Bifocal reads of a handshake response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// The client's capability flags.
    pub capabilities: Capabilities,
    /// The collation's id, of which the character set follows.
    pub collation: u8,
    /// The user's name.
    pub user: &'a [u8],
    /// What the plugin says first.
    pub auth: &'a [u8],
    /// The plugin that says it; none: the one that the greeting names.
    pub plugin: Option<&'a [u8]>,
    /// The database's name.
    pub database: Option<&'a [u8]>,
    /// The connection attributes.
    pub attributes: ConnectionAttributes<'a>,
    /// The level of compression that zstd is to have, where [`Capabilities::ZSTD`] is set.
    pub zstd_level: Option<u8>,
    ranges: Ranges,
}

/// Where the fields stand that may be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges {
    /// With its length or its NUL.
    auth: Range<usize>,
    database: Range<usize>,
    plugin: Range<usize>,
    /// Where the fields end that every server knows; what follows belongs to zstd.
    end: usize,
}

/// What a leg says otherwise than the client did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changed<'a> {
    /// The leg's capability flags.
    pub capabilities: Capabilities,
    /// Another name of the database.
    pub database: Option<&'a [u8]>,
    /// Another plugin; no effect if the client named none.
    pub plugin: Option<&'a [u8]>,
    /// Something else that the plugin says first.
    pub auth: Option<&'a [u8]>,
    /// The level that belongs to [`Capabilities::ZSTD`].
    pub zstd_level: Option<u8>,
}

impl<'a> HandshakeResponse<'a> {
    /// Length of an `SSLRequest`, which is a handshake response cut short.
    pub const SSL_REQUEST_LEN: usize = 32;

    /// The capability flags alone: they decide whether the rest can be read.
    pub fn decode_capabilities(payload: &[u8]) -> Result<Capabilities, Malformed> {
        let mut reader = Reader::new(payload, "handshake response");
        let both = reader.u32()?;
        // The old protocol's response is shorter than the reserved bytes.
        let extended = reader.take(EXTENDED.start - 4).and_then(|_| reader.u32()).unwrap_or_default();
        Ok(Capabilities::from_halves(both, extended))
    }

    /// Reads a payload of the 4.1 protocol.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let capabilities = Self::decode_capabilities(payload)?;
        let mut reader = Reader::new(payload, "handshake response");
        let collation = reader.take(Self::SSL_REQUEST_LEN)?[8];
        let user = reader.nul_bytes()?;
        let mut ranges = Ranges::default();
        let mut start = reader.offset();
        let auth = if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
            reader.lenenc_bytes()?
        } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?
        } else {
            reader.nul_bytes()?
        };
        ranges.auth = start..reader.offset();
        let mut database = None;
        if capabilities.has(Capabilities::CONNECT_WITH_DB) {
            start = reader.offset();
            let name = reader.nul_or_rest();
            ranges.database = start..start + name.len();
            database = (!name.is_empty()).then_some(name);
        }
        let mut plugin = None;
        if capabilities.has(Capabilities::PLUGIN_AUTH) {
            start = reader.offset();
            let name = reader.nul_or_rest();
            ranges.plugin = start..start + name.len();
            plugin = Some(name);
        }
        let mut attributes = ConnectionAttributes::default();
        if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            attributes = ConnectionAttributes::decode(reader.lenenc_bytes()?);
        }
        ranges.end = reader.offset();
        let zstd_level = if capabilities.has(Capabilities::ZSTD) { reader.u8().ok() } else { None };
        Ok(Self { capabilities, collation, user, auth, plugin, database, attributes, zstd_level, ranges })
    }

    /// The payload for the other leg. Where the client's says nothing of a field, neither does this.
    pub fn encode(&self, payload: &[u8], changed: Changed<'_>) -> Vec<u8> {
        let (both, extended) = changed.capabilities.halves();
        let mut encoded = Vec::with_capacity(payload.len());
        encoded.extend_from_slice(&both);
        encoded.extend_from_slice(&payload[4..self.ranges.auth.start]);
        match changed.auth {
            Some(auth) => self.put_auth(&mut encoded, auth),
            None => encoded.extend_from_slice(&payload[self.ranges.auth.clone()]),
        }
        let mut at = self.ranges.auth.end;
        let database = self.database.and(changed.database).map(|name| (&self.ranges.database, name));
        let plugin = self.plugin.and(changed.plugin).map(|name| (&self.ranges.plugin, name));
        for (range, name) in [database, plugin].into_iter().flatten() {
            encoded.extend_from_slice(&payload[at..range.start]);
            encoded.extend_from_slice(name);
            at = range.end;
        }
        encoded.extend_from_slice(&payload[at..self.ranges.end]);
        encoded[EXTENDED].copy_from_slice(&extended);
        encoded.extend(changed.zstd_level);
        encoded
    }

    fn put_auth(&self, encoded: &mut Vec<u8>, auth: &[u8]) {
        if self.capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(encoded, auth);
        } else if self.capabilities.has(Capabilities::SECURE_CONNECTION) {
            // What Bifocal itself says is a byte or a password, which is shorter than this.
            let len = u8::try_from(auth.len()).unwrap_or(u8::MAX);
            encoded.push(len);
            encoded.extend_from_slice(&auth[..len.into()]);
        } else {
            encoded.extend_from_slice(auth);
            encoded.push(0);
        }
    }
}

/// MariaDB's extended capabilities: the last four of the reserved bytes.
const EXTENDED: Range<usize> = 28..32;

#[cfg(test)]
mod tests {
    use super::{Capabilities, Changed, HandshakeResponse};

    /// CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS, PLUGIN_AUTH_LENENC, ZSTD, some of
    /// MariaDB's own.
    const FLAGS: u64 = 1 << 3 | 1 << 9 | 1 << 15 | 1 << 19 | 1 << 20 | 1 << 21 | 1 << 26 | 0x1F << 32;

    fn payload() -> Vec<u8> {
        let mut payload = FLAGS.to_le_bytes()[..4].to_vec();
        payload.extend_from_slice(b"\0\0\0\x01\x2d");
        payload.extend_from_slice(&[0; 19]);
        payload.extend_from_slice(b"\x1f\0\0\0root\0\x03abcshop__v1\0caching_sha2_password\0");
        payload.extend_from_slice(b"\x12\x0fbifocal_version\x01x\x03");
        payload
    }

    #[test]
    fn reads_database_and_attributes() {
        let payload = payload();
        let response = HandshakeResponse::decode(&payload).expect("a response");
        assert_eq!(response.capabilities, Capabilities(FLAGS));
        assert_eq!(response.database, Some(&b"shop__v1"[..]));
        assert_eq!(response.attributes.value(b"bifocal_version"), Some(&b"x"[..]));
        assert_eq!(response.zstd_level, Some(3));
    }

    #[test]
    fn puts_another_database_in_and_leaves_zstd_to_each_leg() {
        let payload = payload();
        let response = HandshakeResponse::decode(&payload).expect("a response");
        let capabilities = Capabilities(FLAGS).without(Capabilities::MASKED);
        let changed = Changed { capabilities, database: Some(b"shop"), ..Changed::default() };
        let encoded = response.encode(&payload, changed);
        assert_eq!(encoded.len(), payload.len() - 5);
        let again = HandshakeResponse::decode(&encoded).expect("a response");
        assert_eq!(again.database, Some(&b"shop"[..]));
        assert_eq!(again.attributes, response.attributes);
        assert_eq!(encoded[28..32], [0x1D, 0, 0, 0], "COM_MULTI is masked");
        let capabilities = capabilities.with(Capabilities::ZSTD);
        let encoded = response.encode(&payload, Changed { capabilities, zstd_level: Some(7), ..Changed::default() });
        assert_eq!(HandshakeResponse::decode(&encoded).expect("a response").zstd_level, Some(7));
    }

    #[test]
    fn another_plugin_says_something_else() {
        for flags in [FLAGS, FLAGS & !Capabilities::PLUGIN_AUTH_LENENC.0] {
            let mut payload = payload();
            payload[..4].copy_from_slice(&Capabilities(flags).halves().0);
            let response = HandshakeResponse::decode(&payload).expect("a response");
            let (plugin, auth) = (Some(&b"none"[..]), Some(&b""[..]));
            let changed = Changed { capabilities: Capabilities(flags), plugin, auth, ..Changed::default() };
            let encoded = response.encode(&payload, changed);
            let again = HandshakeResponse::decode(&encoded).expect("a response");
            assert_eq!((again.user, again.auth, again.plugin), (&b"root"[..], &b""[..], plugin));
            assert_eq!((again.database, again.attributes), (response.database, response.attributes));
        }
    }

    #[test]
    fn no_cut_panics() {
        let payload = payload();
        for len in 0..payload.len() {
            let _ = HandshakeResponse::decode(&payload[..len]);
        }
    }
}
