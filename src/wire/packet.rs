//! Packets: a four-byte header, then up to 16 MiB - 1 of payload; longer payloads go on in the next packet.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

/// Length of a packet's header.
pub const HEADER_LEN: usize = 4;

/// A packet of this length is continued by the next one, which may be empty.
pub const MAX_PACKET_LEN: usize = 0xFF_FFFF;

/// The longest payload that either server can be configured to take.
pub const MAX_PAYLOAD_LEN: usize = 1 << 30;

/// The first four bytes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Length of the payload in this packet.
    pub len: usize,
    /// Sequence id.
    pub seq: u8,
}

impl Header {
    /// Reads the header at the start of `bytes`; none if they are fewer than four.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, seq] = *bytes.first_chunk::<HEADER_LEN>()?;
        Some(Self { len: u32::from_le_bytes([a, b, c, 0]) as usize, seq })
    }

    /// Length of the whole packet.
    pub fn packet_len(self) -> usize {
        HEADER_LEN + self.len
    }

    /// Whether the payload goes on in the next packet.
    pub fn is_continued(self) -> bool {
        self.len == MAX_PACKET_LEN
    }
}

/// Where a whole payload stands at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of all its packets, headers included.
    pub wire_len: usize,
    /// Number of its packets.
    pub packet_count: usize,
    /// Sequence id of its first packet.
    pub first_seq: u8,
    /// Sequence id of its last packet.
    pub last_seq: u8,
}

impl Extent {
    /// Finds the payload at the start of `bytes`; none if it is not complete.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let first = Header::read(bytes)?;
        let mut extent =
            Self { wire_len: first.packet_len(), packet_count: 1, first_seq: first.seq, last_seq: first.seq };
        let mut header = first;
        while header.is_continued() {
            header = Header::read(bytes.get(extent.wire_len..)?)?;
            extent.wire_len += header.packet_len();
            extent.packet_count += 1;
            extent.last_seq = header.seq;
        }
        (extent.wire_len <= bytes.len()).then_some(extent)
    }

    /// The payload, joined if it is in several packets.
    pub fn payload<'a>(&self, bytes: &'a [u8], joined: &'a mut Vec<u8>) -> &'a [u8] {
        if self.packet_count == 1 {
            return &bytes[HEADER_LEN..self.wire_len];
        }
        joined.clear();
        let mut rest = &bytes[..self.wire_len];
        while let Some(header) = Header::read(rest) {
            joined.extend_from_slice(&rest[HEADER_LEN..header.packet_len()]);
            rest = &rest[header.packet_len()..];
        }
        joined
    }
}

/// How long the payload at the start of a buffer says that it is, as far as its headers are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// Bytes of payload.
    pub payload_len: usize,
    /// Sequence id of the last packet that is known.
    pub last_seq: u8,
}

impl Announced {
    /// Reads the headers that are there.
    pub fn of(bytes: &[u8]) -> Self {
        let mut announced = Self::default();
        let mut rest = bytes;
        while let Some(header) = Header::read(rest) {
            announced = Self { payload_len: announced.payload_len + header.len, last_seq: header.seq };
            match rest.get(header.packet_len()..) {
                Some(next) if header.is_continued() => rest = next,
                _ => break,
            }
        }
        announced
    }
}

/// Appends `payload` in as many packets as it takes, the first with sequence id `seq`; returns the last one's.
pub fn put_payload(out: &mut Vec<u8>, seq: u8, payload: &[u8]) -> u8 {
    let mut seq = seq;
    let mut rest = payload;
    loop {
        let (packet, remaining) = rest.split_at(rest.len().min(MAX_PACKET_LEN));
        put_header(out, packet.len(), seq);
        out.extend_from_slice(packet);
        if packet.len() < MAX_PACKET_LEN {
            return seq;
        }
        rest = remaining;
        seq = seq.wrapping_add(1);
    }
}

/// Appends a header; `len` is at most [`MAX_PACKET_LEN`].
pub fn put_header(out: &mut Vec<u8>, len: usize, seq: u8) {
    let [a, b, c, ..] = len.to_le_bytes();
    out.extend_from_slice(&[a, b, c, seq]);
}

/// How many packets a payload of `len` bytes takes.
pub fn packet_count(len: usize) -> usize {
    len / MAX_PACKET_LEN + 1
}

#[cfg(test)]
mod tests {
    use super::{Announced, Extent, Header, MAX_PACKET_LEN, packet_count, put_payload};

    #[test]
    fn reads_a_header() {
        assert_eq!(Header::read(b"\x01\x02\x00\x07rest"), Some(Header { len: 0x201, seq: 7 }));
        assert_eq!(Header::read(b"\x01\x00\x00"), None);
    }

    #[test]
    fn payloads_at_the_packet_limit_come_back() {
        for len in [0, 1, MAX_PACKET_LEN - 1, MAX_PACKET_LEN, MAX_PACKET_LEN + 1, 2 * MAX_PACKET_LEN] {
            let payload = vec![7; len];
            let mut bytes = Vec::new();
            let last = put_payload(&mut bytes, 254, &payload);
            let extent = Extent::find(&bytes).expect("complete");
            assert_eq!(extent.wire_len, bytes.len());
            assert_eq!(extent.packet_count, packet_count(len));
            assert_eq!((extent.first_seq, extent.last_seq), (254, last));
            assert_eq!(extent.payload(&bytes, &mut Vec::new()), payload);
            assert_eq!(Announced::of(&bytes), Announced { payload_len: len, last_seq: last });
            assert_eq!(Extent::find(&bytes[..bytes.len() - 1]), None);
        }
    }
}
