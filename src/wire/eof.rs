//! The EOF packet, which ends definitions and rows where `CLIENT_DEPRECATE_EOF` is not agreed on.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_eof_packet.html>

use super::{Malformed, Reader, StatusFlags};

/// An EOF packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EofPacket {
    /// Number of warnings.
    pub warning_count: u16,
    /// Status flags.
    pub status: StatusFlags,
}

impl EofPacket {
    /// The first byte.
    pub const HEADER: u8 = 0xFE;

    /// A payload that starts with 0xFE is an EOF only if it is shorter than this: else it is a row whose first
    /// value is longer than 16 MiB.
    pub const LEN_LIMIT: usize = 9;

    /// Reads a payload of the 4.1 protocol.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "EOF packet");
        reader.u8()?;
        Ok(Self { warning_count: reader.u16()?, status: StatusFlags(reader.u16()?) })
    }

    /// Appends a payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::HEADER);
        out.extend_from_slice(&self.warning_count.to_le_bytes());
        out.extend_from_slice(&self.status.0.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{EofPacket, StatusFlags};

    #[test]
    fn comes_back() {
        let eof = EofPacket::decode(b"\xfe\x01\x00\x22\x00").expect("an EOF");
        assert_eq!(eof, EofPacket { warning_count: 1, status: StatusFlags(0x22) });
        let mut payload = Vec::new();
        eof.encode(&mut payload);
        assert_eq!(payload, b"\xfe\x01\x00\x22\x00");
    }
}
