//! The handshake response, with which the client answers the greeting.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use std::ops::Range;

use super::{Capabilities, Malformed, Reader, connection_attributes::ConnectionAttributes};

/// What Bifocal reads of a handshake response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// The client's capability flags.
    pub capabilities: Capabilities,
    /// The database's name, and where it stands in the payload.
    pub database: Option<(&'a [u8], Range<usize>)>,
    /// The connection attributes.
    pub attributes: ConnectionAttributes<'a>,
    /// Where the fields end that every server knows; what follows belongs to zstd.
    end: usize,
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
        // Flags, largest packet, collation, 23 reserved bytes.
        reader.take(4 + 4 + 1 + 23)?;
        reader.nul_bytes()?;
        if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
            reader.lenenc_bytes()?;
        } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?;
        } else {
            reader.nul_bytes()?;
        }
        let mut database = None;
        if capabilities.has(Capabilities::CONNECT_WITH_DB) {
            let start = reader.offset();
            let name = reader.nul_or_rest();
            database = (!name.is_empty()).then(|| (name, start..start + name.len()));
        }
        if capabilities.has(Capabilities::PLUGIN_AUTH) {
            reader.nul_or_rest();
        }
        let mut attributes = ConnectionAttributes::default();
        if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            attributes = ConnectionAttributes::decode(reader.lenenc_bytes()?);
        }
        Ok(Self { capabilities, database, attributes, end: reader.offset() })
    }

    /// The payload with other capability flags and, if given, another database.
    pub fn encode(&self, payload: &[u8], capabilities: Capabilities, database: Option<&[u8]>) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(payload.len());
        let (both, extended) = capabilities.halves();
        encoded.extend_from_slice(&both);
        match (&self.database, database) {
            (Some((_, range)), Some(name)) => {
                encoded.extend_from_slice(&payload[4..range.start]);
                encoded.extend_from_slice(name);
                encoded.extend_from_slice(&payload[range.end..self.end]);
            }
            _ => encoded.extend_from_slice(&payload[4..self.end]),
        }
        encoded[EXTENDED].copy_from_slice(&extended);
        encoded
    }
}

/// MariaDB's extended capabilities: the last four of the reserved bytes.
const EXTENDED: Range<usize> = 28..32;

#[cfg(test)]
mod tests {
    use super::{Capabilities, HandshakeResponse};

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
        assert_eq!(response.database.as_ref().map(|(name, _)| *name), Some(&b"shop__v1"[..]));
        assert_eq!(response.attributes.value(b"bifocal_version"), Some(&b"x"[..]));
    }

    #[test]
    fn puts_another_database_in_and_drops_what_belongs_to_zstd() {
        let payload = payload();
        let response = HandshakeResponse::decode(&payload).expect("a response");
        let capabilities = Capabilities(FLAGS).without(Capabilities::MASKED);
        let encoded = response.encode(&payload, capabilities, Some(b"shop"));
        assert_eq!(encoded.len(), payload.len() - 5);
        let again = HandshakeResponse::decode(&encoded).expect("a response");
        assert_eq!(again.database.as_ref().map(|(name, _)| *name), Some(&b"shop"[..]));
        assert_eq!(again.attributes, response.attributes);
        assert_eq!(encoded[28..32], [0x1D, 0, 0, 0], "COM_MULTI is masked");
    }

    #[test]
    fn no_cut_panics() {
        let payload = payload();
        for len in 0..payload.len() {
            let _ = HandshakeResponse::decode(&payload[..len]);
        }
    }
}
