//! The ERR packet.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html>

use super::{Malformed, Reader};

/// An ERR packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// Error number.
    pub number: u16,
    /// SQLSTATE; none before the handshake response has told that the client speaks the 4.1 protocol.
    pub sqlstate: Option<[u8; 5]>,
    /// The message.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// The first byte.
    pub const HEADER: u8 = 0xFF;

    /// MariaDB's progress report has the form of an ERR with this number, and ends nothing.
    pub const PROGRESS: u16 = 0xFFFF;

    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "ERR packet");
        reader.u8()?;
        let number = reader.u16()?;
        let rest = reader.rest();
        let (sqlstate, message) = match rest {
            [b'#', marked @ ..] if marked.len() >= SQLSTATE_LEN => {
                let (sqlstate, message) = marked.split_at(SQLSTATE_LEN);
                (sqlstate.try_into().ok(), message)
            }
            _ => (None, rest),
        };
        Ok(Self { number, sqlstate, message })
    }

    /// Appends a payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::HEADER);
        out.extend_from_slice(&self.number.to_le_bytes());
        if let Some(sqlstate) = self.sqlstate {
            out.push(b'#');
            out.extend_from_slice(&sqlstate);
        }
        out.extend_from_slice(self.message);
    }
}

const SQLSTATE_LEN: usize = 5;

#[cfg(test)]
mod tests {
    use super::ErrPacket;

    #[test]
    fn comes_back_with_and_without_sqlstate() {
        let examples: [(&[u8], Option<[u8; 5]>); 2] =
            [(b"\xff\x48\x04#HY000No tables used", Some(*b"HY000")), (b"\xff\x10\x04Too many connections", None)];
        for (payload, sqlstate) in examples {
            let err = ErrPacket::decode(payload).expect("an ERR");
            assert_eq!(err.sqlstate, sqlstate);
            let mut encoded = Vec::new();
            err.encode(&mut encoded);
            assert_eq!(encoded, payload);
        }
    }
}
