//! The OK packet, also in its form with the header of an EOF that ends a result set.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html>

use super::{Malformed, Reader, StatusFlags};

/// What Bifocal reads of an OK packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OkPacket {
    /// Affected rows.
    pub affected_rows: u64,
    /// Last insert id.
    pub last_insert_id: u64,
    /// Status flags.
    pub status: StatusFlags,
    /// Number of warnings.
    pub warning_count: u16,
}

impl OkPacket {
    /// The first byte.
    pub const HEADER: u8 = 0x00;

    /// Reads a payload of the 4.1 protocol; its first byte is 0x00 or 0xFE.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "OK packet");
        reader.u8()?;
        Ok(Self {
            affected_rows: reader.lenenc()?,
            last_insert_id: reader.lenenc()?,
            status: StatusFlags(reader.u16()?),
            warning_count: reader.u16()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{OkPacket, StatusFlags};

    #[test]
    fn reads_both_headers() {
        let ok = OkPacket::decode(b"\x00\x00\x00\x02\x00\x00\x00").expect("an OK");
        assert_eq!((ok.affected_rows, ok.status, ok.warning_count), (0, StatusFlags(2), 0));
        let ok = OkPacket::decode(b"\xfe\xfc\x00\x01\x05\x09\x00\x03\x00info").expect("an OK");
        assert_eq!((ok.affected_rows, ok.last_insert_id), (256, 5));
        assert!(ok.status.has(StatusFlags::MORE_RESULTS) && ok.status.has(StatusFlags::IN_TRANS));
        assert_eq!(ok.warning_count, 3);
    }
}
