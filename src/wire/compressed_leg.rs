//! The two compressed legs: which bytes share a frame, and which numbers frames and packets have.
//!
//! What the servers' `net_serv.cc` and the clients' libraries do, and what was measured on MariaDB 10.11 and 11.8 and
//! MySQL 9.7:
//!
//! * Compression begins after the OK that ends authentication, in both directions; a later `COM_CHANGE_USER` is inside.
//! * Client and server check every frame's number. A command's first frame has number 0; each further frame, in either
//!   direction, has the next number, so an answer begins with the number after the command's last frame, and a file's
//!   contents with the number after the request for it. Numbers wrap at 256.
//! * A command that is sent ahead begins with 0 too, and its answer has the number after its last frame, however far
//!   the answer before it had counted. To a second command in the same frame no server says anything: one frame has
//!   one command.
//! * No server looks at the sequence ids of packets inside frames. They are written all the same: whenever a server or
//!   a client library flushes, the next packet gets the next frame's number as its id, and from there ids count
//!   packets. Servers flush at the end of every result, so in an answer of several results ids go back. Some
//!   drivers hold servers to this.
//! * A server holds a whole frame, with what it has of the packet before, in a buffer of `max_allowed_packet`. So a
//!   frame towards it ends where its packet ends: then a packet that fits without compression fits with it.

use std::collections::VecDeque;

use super::{
    Answer, BadFrame, Command, Compression, HEADER_LEN, Header,
    compression::{Decompressor, FrameNumber, MAX_PIECE_LEN, put_frame},
    packet_walk::{PacketWalk, Part},
};

/// Decoding stops after a frame when so much came out of it.
const MAX_DECODED_LEN: usize = 64 * 1024;

/// The leg between Bifocal and a backend. Bifocal is the client here.
#[derive(Debug)]
pub struct BackendLeg {
    compression: Compression,
    decompressor: Decompressor,
    /// The number of the next frame, unless it begins a command.
    next: FrameNumber,
    sent: PacketWalk,
    /// The last packet that was sent.
    last: Sent,
}

/// What is known of a packet to the backend.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    seq: u8,
    /// It belongs to a file, or to an authentication dialog.
    is_reply: bool,
    is_empty: bool,
}

impl BackendLeg {
    /// A leg on which authentication has just ended.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            decompressor: Decompressor::new(compression),
            next: FrameNumber::FIRST,
            sent: PacketWalk::default(),
            last: Sent::default(),
        }
    }

    /// Takes frames of the backend from `input` and appends the packets in them to `plain`; how many bytes were
    /// taken, which is less than all when much came out. Packets have the ids that the backend gave them, which go
    /// back to the frame's number after each result; frames' numbers are not checked.
    pub fn decode(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<usize, BadFrame> {
        let end = plain.len() + MAX_DECODED_LEN;
        let mut taken = 0;
        while taken < input.len() && plain.len() < end {
            let piece = self.decompressor.step(&input[taken..], plain)?;
            taken += piece.taken;
            self.next = piece.begun.map_or(self.next, FrameNumber::next);
        }
        Ok(taken)
    }

    /// Appends frames with the packets in `plain`. A header that is not complete waits for the rest of it.
    pub fn encode(&mut self, plain: &[u8], frames: &mut Vec<u8>) {
        let mut framing = Framing { compression: self.compression, piece: Vec::new(), frames };
        let mut rest = plain;
        while let Some(part) = self.sent.next(&mut rest) {
            match part {
                Part::Header(header, is_continuation) => {
                    if is_continuation {
                        self.last.seq = header.seq;
                    } else if self.begins_command(header) {
                        self.next = FrameNumber::FIRST;
                    }
                    framing.put(&header_bytes(header), &mut self.next);
                }
                Part::Payload(bytes) => framing.put(bytes, &mut self.next),
                Part::End { .. } => framing.flush(&mut self.next),
            }
        }
        framing.flush(&mut self.next);
    }

    /// A command's first packet has the id 0. So has one in the midst of a file after 255 others, but a file ends
    /// with an empty packet.
    fn begins_command(&mut self, header: Header) -> bool {
        let goes_on = self.last.is_reply && !self.last.is_empty && self.last.seq == u8::MAX;
        let begins = header.seq == 0 && !goes_on;
        self.last = Sent { seq: header.seq, is_reply: !begins, is_empty: header.len == 0 };
        begins
    }
}

/// The leg between a client and Bifocal. Bifocal is the server here.
///
/// A server numbers anew where it flushes, so whoever has the packets calls [`ClientLeg::begin_answer`] and
/// [`ClientLeg::begin_result`] between two of them.
#[derive(Debug)]
pub struct ClientLeg {
    compression: Compression,
    decompressor: Decompressor,
    received: PacketWalk,
    /// The number of the client's last frame.
    received_number: FrameNumber,
    /// The client's current payload.
    payload: Payload,
    /// What the answers that have not begun yet begin with.
    answers: VecDeque<FrameNumber>,
    sent: PacketWalk,
    /// The number of the next frame to the client.
    next: FrameNumber,
    /// What is added to the ids of packets to the client; none before one that gets its frame's number.
    delta: Option<u8>,
    /// The next byte to the client is the first of a result.
    is_result_start: bool,
    /// The client was asked for a file, and has not sent all of it.
    is_infile: bool,
    /// The id without compression of the last packet to the client, or of the client's own after it.
    plain_seq: u8,
}

/// What a payload of the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    /// A command, of whose first byte it depends whether there is an answer.
    Command(Option<u8>),
    /// A part of a file, or of an authentication dialog.
    Reply,
}

impl ClientLeg {
    /// A leg on which authentication has just ended.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            decompressor: Decompressor::new(compression),
            received: PacketWalk::default(),
            received_number: FrameNumber::FIRST,
            payload: Payload::Reply,
            answers: VecDeque::new(),
            sent: PacketWalk::default(),
            next: FrameNumber::FIRST,
            delta: None,
            is_result_start: false,
            is_infile: false,
            plain_seq: 0,
        }
    }

    /// Takes frames of the client from `input` and appends the packets in them to `plain`; how many bytes were
    /// taken, which is less than all when much came out. Packets get the ids that they have without compression. A
    /// wrong number of a frame is an error, as it is to a server.
    pub fn decode(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<usize, BadFrame> {
        let end = plain.len() + MAX_DECODED_LEN;
        let mut taken = 0;
        let mut content = Vec::new();
        while taken < input.len() && plain.len() < end {
            content.clear();
            let piece = self.decompressor.step(&input[taken..], &mut content)?;
            taken += piece.taken;
            if let Some(number) = piece.begun {
                self.check(number)?;
                self.received_number = number;
            }
            self.receive(&content, plain);
        }
        Ok(taken)
    }

    /// The packets from here on are the answer to the next command.
    pub fn begin_answer(&mut self) {
        self.next = self.answers.pop_front().unwrap_or(self.next);
        self.begin_result();
    }

    /// The packets from here on are a further result of the same answer.
    pub fn begin_result(&mut self) {
        (self.delta, self.is_result_start) = (None, true);
    }

    /// Appends frames with the packets in `plain`. A header that is not complete waits for the rest of it.
    pub fn encode(&mut self, plain: &[u8], frames: &mut Vec<u8>) {
        let mut framing = Framing { compression: self.compression, piece: Vec::new(), frames };
        let mut rest = plain;
        while let Some(part) = self.sent.next(&mut rest) {
            match part {
                Part::Header(header, _) => {
                    let delta = *self.delta.get_or_insert(self.next.0.wrapping_sub(header.seq));
                    self.plain_seq = header.seq;
                    let header = Header { seq: header.seq.wrapping_add(delta), ..header };
                    framing.put(&header_bytes(header), &mut self.next);
                }
                Part::Payload(bytes) => {
                    self.is_infile |= self.is_result_start && bytes[0] == INFILE_REQUEST;
                    self.is_result_start = false;
                    framing.put(bytes, &mut self.next);
                }
                Part::End { .. } => {}
            }
        }
        framing.flush(&mut self.next);
    }

    /// A frame between two payloads begins a command or goes on after what the client got; within one, it goes on.
    fn check(&self, number: FrameNumber) -> Result<(), BadFrame> {
        let is_right = if self.received.is_between_payloads() {
            number == FrameNumber::FIRST || number == self.next
        } else {
            number == self.received_number.next()
        };
        if is_right { Ok(()) } else { Err(BadFrame::Number) }
    }

    fn receive(&mut self, content: &[u8], plain: &mut Vec<u8>) {
        let mut rest = content;
        while let Some(part) = self.received.next(&mut rest) {
            match part {
                Part::Header(header, is_continuation) => {
                    if !is_continuation {
                        let is_command = header.seq == 0 && !self.is_infile;
                        self.payload = if is_command { Payload::Command(None) } else { Payload::Reply };
                    }
                    let header = match self.payload {
                        Payload::Command(_) => header,
                        Payload::Reply => Header { seq: self.plain_seq.wrapping_add(1), ..header },
                    };
                    if self.payload == Payload::Reply {
                        self.plain_seq = header.seq;
                    }
                    plain.extend_from_slice(&header_bytes(header));
                }
                Part::Payload(bytes) => {
                    if self.payload == Payload::Command(None) {
                        self.payload = Payload::Command(Some(bytes[0]));
                    }
                    plain.extend_from_slice(bytes);
                }
                Part::End { is_empty, is_last } => {
                    if is_last {
                        self.end_of_payload(is_empty);
                    }
                }
            }
        }
    }

    fn end_of_payload(&mut self, is_empty: bool) {
        let next = self.received_number.next();
        match self.payload {
            Payload::Command(byte) => {
                let answer = byte.and_then(Command::from_byte).map(Command::answer);
                if answer != Some(Answer::None) {
                    self.answers.push_back(next);
                }
            }
            Payload::Reply => {
                self.is_infile &= !is_empty;
                (self.next, self.delta) = (next, None);
            }
        }
    }
}

/// First byte of a request for a file's contents, where a result could begin.
const INFILE_REQUEST: u8 = 0xFB;

fn header_bytes(header: Header) -> [u8; HEADER_LEN] {
    let [a, b, c, ..] = header.len.to_le_bytes();
    [a, b, c, header.seq]
}

/// Frames in the making.
struct Framing<'a> {
    compression: Compression,
    /// What the next frame will hold.
    piece: Vec<u8>,
    frames: &'a mut Vec<u8>,
}

impl Framing<'_> {
    fn put(&mut self, bytes: &[u8], next: &mut FrameNumber) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(MAX_PIECE_LEN - self.piece.len()));
            self.piece.extend_from_slice(now);
            rest = later;
            if self.piece.len() == MAX_PIECE_LEN {
                self.flush(next);
            }
        }
    }

    fn flush(&mut self, next: &mut FrameNumber) {
        if !self.piece.is_empty() {
            put_frame(self.frames, self.compression, *next, &self.piece);
            *next = next.next();
            self.piece.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BackendLeg, BadFrame, ClientLeg};
    use crate::wire::{Compression, Extent, MAX_PACKET_LEN, ZstdLevel, put_payload};

    fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_payload(&mut out, seq, payload);
        out
    }

    /// Number and, where it is not compressed, content of each frame.
    fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some(([a, b, c, number, _, _, _], rest)) = bytes.split_first_chunk() {
            let (content, later) = rest.split_at(u32::from_le_bytes([*a, *b, *c, 0]) as usize);
            frames.push((*number, content.to_vec()));
            bytes = later;
        }
        frames
    }

    fn numbers(bytes: &[u8]) -> Vec<u8> {
        frames(bytes).into_iter().map(|(number, _)| number).collect()
    }

    fn frame(number: u8, content: &[u8]) -> Vec<u8> {
        let len = u8::try_from(content.len()).expect("a short frame");
        [&[len, 0, 0, number, 0, 0, 0], content].concat()
    }

    fn client_leg(received: &[u8]) -> Result<(ClientLeg, Vec<u8>), BadFrame> {
        let (mut leg, mut plain) = (ClientLeg::new(Compression::Zlib), Vec::new());
        leg.decode(received, &mut plain)?;
        Ok((leg, plain))
    }

    fn sent(leg: &mut ClientLeg, plain: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut out = Vec::new();
        leg.encode(plain, &mut out);
        frames(&out)
    }

    #[test]
    fn each_command_begins_with_frame_0() {
        let mut leg = BackendLeg::new(Compression::Zlib);
        let plain = [packet(0, b"\x19abcd"), packet(0, b"\x0e"), packet(0, b"")].concat();
        for cut in [1, 3, 4, 5, 100] {
            let mut out = Vec::new();
            plain.chunks(cut).for_each(|piece| leg.encode(piece, &mut out));
            let begun: Vec<u8> = numbers(&out).into_iter().filter(|number| *number == 0).collect();
            assert_eq!(begun.len(), 3, "{cut}");
            let mut again = Vec::new();
            client_leg(&[]).expect("nothing").0.decode(&out, &mut again).expect("its own frames");
            assert_eq!(again, plain);
        }
    }

    #[test]
    fn a_file_goes_on_after_the_request_until_an_empty_packet() {
        let mut leg = BackendLeg::new(Compression::Zlib);
        let mut out = Vec::new();
        leg.encode(&packet(0, b"\x03LOAD"), &mut out);
        leg.decode(&frame(1, &packet(1, b"\xfbfile")), &mut Vec::new()).expect("a frame");
        let ids = (2..=u8::MAX).chain(0..=u8::MAX).chain(0..3);
        let file: Vec<u8> = ids.flat_map(|seq| packet(seq, b"x")).collect();
        leg.encode(&file, &mut out);
        leg.encode(&packet(3, b""), &mut out);
        let expected: Vec<u8> = [0].into_iter().chain(2..=u8::MAX).chain(0..=u8::MAX).chain(0..4).collect();
        assert_eq!(numbers(&out), expected);
        // A payload in two packets is not the end either, though the second one may be empty.
        let mut out = Vec::new();
        leg.encode(&packet(254, &vec![0; MAX_PACKET_LEN]), &mut out);
        leg.encode(&packet(0, b"x"), &mut out);
        assert_ne!(numbers(&out).last(), Some(&0));
        leg.encode(&packet(1, b""), &mut out);
        // Its last packet may have any id: the next command begins anew.
        for seq in [0, 254, 255] {
            leg.encode(&packet(seq, b"x"), &mut Vec::new());
            leg.encode(&packet(seq.wrapping_add(1), b""), &mut Vec::new());
            let mut out = Vec::new();
            leg.encode(&packet(0, b"\x0e"), &mut out);
            assert_eq!(numbers(&out), [0], "after {seq}");
        }
    }

    #[test]
    fn answers_go_on_after_their_commands_last_frame() {
        let ping = packet(0, b"\x0e");
        let close = packet(0, b"\x19abcd");
        let received = [frame(0, &ping[..2]), frame(1, &ping[2..]), frame(0, &close), frame(0, &ping)].concat();
        let (mut leg, plain) = client_leg(&received).expect("in order");
        assert_eq!(plain, [ping.clone(), close, ping].concat());
        leg.begin_answer();
        assert_eq!(sent(&mut leg, &packet(1, b"\0a")), [(2, packet(2, b"\0a"))]);
        assert_eq!(sent(&mut leg, &packet(2, b"b")), [(3, packet(3, b"b"))], "ids count packets");
        let two = [packet(3, b"c"), packet(4, b"d")].concat();
        assert_eq!(sent(&mut leg, &two), [(4, [packet(4, b"c"), packet(5, b"d")].concat())]);
        leg.begin_result();
        assert_eq!(sent(&mut leg, &packet(5, b"e")), [(5, packet(5, b"e"))], "ids go back to the frame's number");
        leg.begin_answer();
        assert_eq!(sent(&mut leg, &packet(1, b"\0")), [(1, packet(1, b"\0"))]);
    }

    #[test]
    fn a_files_ids_are_those_without_compression() {
        let query = packet(0, b"\x03LOAD");
        let (mut leg, _) = client_leg(&[frame(0, &query[..5]), frame(1, &query[5..])].concat()).expect("in order");
        leg.begin_answer();
        assert_eq!(sent(&mut leg, &packet(1, b"\xfbfile")), [(2, packet(2, b"\xfbfile"))]);
        let mut plain = Vec::new();
        let file = [frame(3, &packet(3, b"x")), frame(4, &[packet(0, b"y"), packet(5, b"")].concat())].concat();
        leg.decode(&file, &mut plain).expect("in order");
        assert_eq!(plain, [packet(2, b"x"), packet(3, b"y"), packet(4, b"")].concat());
        assert_eq!(sent(&mut leg, &packet(5, b"\0")), [(5, packet(5, b"\0"))]);
        leg.decode(&frame(0, &packet(0, b"\x0e")), &mut plain).expect("a command");
        leg.begin_answer();
        assert_eq!(sent(&mut leg, &packet(1, b"\0")), [(1, packet(1, b"\0"))]);
    }

    #[test]
    fn a_wrong_number_is_an_error() {
        let ping = packet(0, b"\x0e");
        let wrong = [
            frame(1, &ping),
            [frame(0, &ping[..2]), frame(0, &ping[2..])].concat(),
            [frame(0, &ping[..2]), frame(2, &ping[2..])].concat(),
        ];
        for bytes in wrong {
            assert_eq!(client_leg(&bytes).err(), Some(BadFrame::Number), "{bytes:?}");
        }
    }

    #[test]
    fn payloads_at_the_packet_limit_come_back() {
        for len in [MAX_PACKET_LEN - 5, MAX_PACKET_LEN - 1, MAX_PACKET_LEN, MAX_PACKET_LEN + 1] {
            let plain = [packet(0, &vec![3; len]), packet(0, b"\x0e")].concat();
            let (mut out, mut again) = (Vec::new(), Vec::new());
            BackendLeg::new(Compression::Zlib).encode(&plain, &mut out);
            let mut leg = ClientLeg::new(Compression::Zlib);
            let mut rest = &out[..];
            while !rest.is_empty() {
                let taken = leg.decode(rest, &mut again).expect("its own frames");
                rest = &rest[taken..];
            }
            assert!(again == plain, "{len}");
        }
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let short = proptest::collection::vec(any::<u8>(), 0..200);
        let long = (any::<u8>(), 0..70_000_usize).prop_map(|(byte, len)| vec![byte; len]);
        proptest::collection::vec(prop_oneof![short, long], 1..12)
    }

    /// What becomes of `plain` when one leg encodes and the other decodes it, each in pieces.
    fn through(
        plain: &[u8],
        mut cuts: impl Iterator<Item = usize>,
        mut encode: impl FnMut(&[u8], &mut Vec<u8>),
        mut decode: impl FnMut(&[u8], &mut Vec<u8>) -> Result<usize, BadFrame>,
    ) -> Result<Vec<u8>, BadFrame> {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        let mut rest = plain;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            encode(now, &mut bytes);
            rest = later;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = cuts.next().unwrap_or(1).min(rest.len());
            let taken = decode(&rest[..len], &mut again)?;
            rest = &rest[taken..];
        }
        Ok(again)
    }

    fn compression(is_zstd: bool) -> Compression {
        if is_zstd { Compression::Zstd(ZstdLevel::default()) } else { Compression::Zlib }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn packets_come_back_both_ways(
            payloads in payloads(),
            cuts in proptest::collection::vec(1..90_000_usize, 1..9),
            is_zstd: bool,
        ) {
            let mut client = ClientLeg::new(compression(is_zstd));
            let mut backend = BackendLeg::new(compression(is_zstd));
            let mut cuts = cuts.into_iter().cycle();
            let commands: Vec<u8> = payloads.iter().flat_map(|payload| packet(0, payload)).collect();
            let encode = |plain: &[u8], out: &mut Vec<u8>| backend.encode(plain, out);
            let again = through(&commands, &mut cuts, encode, |bytes, out| client.decode(bytes, out))?;
            prop_assert!(again == commands);
            let answer: Vec<u8> = (1..).zip(&payloads).flat_map(|(seq, payload)| packet(seq, payload)).collect();
            client.begin_answer();
            let encode = |plain: &[u8], out: &mut Vec<u8>| client.encode(plain, out);
            let again = through(&answer, &mut cuts, encode, |bytes, out| backend.decode(bytes, out))?;
            let mut rest = &again[..];
            for payload in payloads {
                let extent = Extent::find(rest).expect("a packet");
                prop_assert!(extent.payload(rest, &mut Vec::new()) == payload);
                rest = &rest[extent.wire_len..];
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), is_zstd: bool) {
            let compression = compression(is_zstd);
            _ = ClientLeg::new(compression).decode(&bytes, &mut Vec::new());
            _ = BackendLeg::new(compression).decode(&bytes, &mut Vec::new());
            BackendLeg::new(compression).encode(&bytes, &mut Vec::new());
            ClientLeg::new(compression).encode(&bytes, &mut Vec::new());
        }

        #[test]
        fn no_change_to_good_frames_panics(at in 0..60_usize, byte: u8, is_zstd: bool) {
            let compression = compression(is_zstd);
            let mut out = Vec::new();
            BackendLeg::new(compression).encode(&packet(0, &[b'q'; 900]), &mut out);
            let len = out.len();
            out[at % len] = byte;
            _ = ClientLeg::new(compression).decode(&out, &mut Vec::new());
        }
    }
}
