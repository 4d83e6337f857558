//! Walks the packets of a stream that comes in pieces, cut anywhere.

use super::{HEADER_LEN, Header};

/// Where a stream of packets stands.
#[derive(Debug, Default)]
pub(super) struct PacketWalk {
    head: [u8; HEADER_LEN],
    head_len: usize,
    /// The packet whose header has come, and how much of it has not.
    current: Option<(Header, usize)>,
    /// The next packet continues a payload.
    is_continued: bool,
}

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A header, and whether it continues a payload.
    Header(Header, bool),
    /// Bytes of a payload, at least one.
    Payload(&'a [u8]),
    /// A packet is complete; `is_last` of its payload.
    End { is_empty: bool, is_last: bool },
}

impl PacketWalk {
    /// Whether a payload would begin next.
    pub fn is_between_payloads(&self) -> bool {
        self.head_len == 0 && self.current.is_none() && !self.is_continued
    }

    /// The next part; none if `rest` has no more, which then is empty.
    pub fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Part<'a>> {
        if let Some((header, left)) = &mut self.current {
            if *left == 0 {
                // The empty packet after a full one ends a payload that is not empty.
                let is_empty = header.len == 0 && !self.is_continued;
                self.is_continued = header.is_continued();
                let is_last = !self.is_continued;
                self.current = None;
                return Some(Part::End { is_empty, is_last });
            }
            let (now, later) = rest.split_at((*left).min(rest.len()));
            *left -= now.len();
            *rest = later;
            return (!now.is_empty()).then_some(Part::Payload(now));
        }
        let (now, later) = rest.split_at((HEADER_LEN - self.head_len).min(rest.len()));
        self.head[self.head_len..self.head_len + now.len()].copy_from_slice(now);
        self.head_len += now.len();
        *rest = later;
        let header = Header::read(&self.head[..self.head_len])?;
        self.head_len = 0;
        self.current = Some((header, header.len));
        Some(Part::Header(header, self.is_continued))
    }
}

#[cfg(test)]
mod tests {
    use super::{PacketWalk, Part};
    use crate::wire::{Header, MAX_PACKET_LEN, put_payload};

    #[test]
    fn parts_tile_the_stream_whatever_the_cut() {
        let stream = b"\x03\0\0\0abc\0\0\0\x01\x01\0\0\x02d";
        for cut in 1..=stream.len() {
            let mut walk = PacketWalk::default();
            let (mut headers, mut payload, mut ends) = (Vec::new(), Vec::new(), Vec::new());
            for piece in stream.chunks(cut) {
                let mut rest = piece;
                while let Some(part) = walk.next(&mut rest) {
                    match part {
                        Part::Header(header, is_continuation) => headers.push((header.seq, is_continuation)),
                        Part::Payload(bytes) => payload.extend_from_slice(bytes),
                        Part::End { is_empty, is_last } => ends.push((is_empty, is_last)),
                    }
                }
            }
            assert_eq!(headers, [(0, false), (1, false), (2, false)], "{cut}");
            assert_eq!(payload, b"abcd");
            assert_eq!(ends, [(false, true), (true, true), (false, true)]);
            assert!(walk.is_between_payloads());
        }
    }

    #[test]
    fn the_empty_packet_after_a_full_one_ends_its_payload() {
        let mut stream = Vec::new();
        put_payload(&mut stream, 7, &vec![0; MAX_PACKET_LEN]);
        let (mut walk, mut rest) = (PacketWalk::default(), &stream[..]);
        let parts: Vec<_> = std::iter::from_fn(|| walk.next(&mut rest)).collect();
        assert_eq!(parts[2], Part::End { is_empty: false, is_last: false });
        assert_eq!(parts[3], Part::Header(Header { len: 0, seq: 8 }, true));
        assert_eq!(parts[4], Part::End { is_empty: false, is_last: true });
    }
}
