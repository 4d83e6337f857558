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
//! * A packet that a server sends lies in no more frames than two, unless it is longer than a frame can be.
//! * A server holds a whole frame, with what it has of the packet before, in a buffer of `max_allowed_packet`. So a
//!   frame towards it ends where its packet ends: then a packet that fits without compression fits with it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    BadFrame, Compression, HEADER_LEN, Header,
    compression::{Decompressor, FrameNumber, MAX_PIECE_LEN, MAX_PLAIN_LEN, put_frame},
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
        let mut framing =
            Framing { compression: self.compression, limit: MAX_PIECE_LEN, piece: Vec::new(), whole_len: 0, frames };
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
/// A server numbers anew where it flushes, so whoever has the packets calls [`ClientLeg::begin_answer`] for each
/// command, also one that gets no answer, and [`ClientLeg::begin_result`] between two results.
#[derive(Debug)]
pub struct ClientLeg {
    compression: Compression,
    decompressor: Decompressor,
    received: PacketWalk,
    /// The number of the client's last frame.
    received_number: FrameNumber,
    /// The client's current payload.
    payload: Payload,
    /// The id without compression of the last packet of the client's last command.
    command_seq: u8,
    /// What the answers to commands begin with that [`ClientLeg::begin_answer`] was not called for yet.
    answers: VecDeque<FrameNumber>,
    sent: PacketWalk,
    /// Packets to the client that have no frame yet.
    piece: Vec<u8>,
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
    Command,
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
            command_seq: 0,
            answers: VecDeque::new(),
            sent: PacketWalk::default(),
            piece: Vec::new(),
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
            let piece = match self.decompressor.step(&input[taken..], &mut content) {
                Ok(piece) => piece,
                Err(bad) => {
                    self.received_number = self.decompressor.number();
                    return Err(bad);
                }
            };
            taken += piece.taken;
            if let Some(number) = piece.begun {
                let is_right = self.expects(number);
                self.received_number = number;
                if !is_right {
                    return Err(BadFrame::Number);
                }
            }
            self.receive(&content, plain);
        }
        Ok(taken)
    }

    /// The packets from here on are the answer to the next command; if there is none, to what came last.
    pub fn begin_answer(&mut self) {
        self.next = self.answers.pop_front().unwrap_or(self.received_number.next());
        self.begin_result();
    }

    /// The next command belongs to an answer that goes on.
    pub fn skip_answer(&mut self) {
        self.answers.pop_front();
    }

    /// The packets from here on are a further result of the same answer.
    pub fn begin_result(&mut self) {
        (self.delta, self.is_result_start) = (None, true);
    }

    /// Appends frames with the packets in `plain`. What is not complete waits for the rest of it.
    pub fn encode(&mut self, plain: &[u8], frames: &mut Vec<u8>) {
        let piece = std::mem::take(&mut self.piece);
        let mut framing = Framing { compression: self.compression, limit: self.limit(), piece, whole_len: 0, frames };
        let mut rest = plain;
        while let Some(part) = self.sent.next(&mut rest) {
            match part {
                Part::Header(header, _) => {
                    if framing.piece.len() + HEADER_LEN + header.len > MAX_PIECE_LEN {
                        framing.flush(&mut self.next);
                    }
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
                Part::End { .. } => framing.whole_len = framing.piece.len(),
            }
        }
        self.piece = framing.piece.split_off(framing.whole_len);
        framing.flush(&mut self.next);
    }

    /// Connector/Python puts a packet together of no more than two frames. The servers never need more; but what level
    /// a client wants of zstd is its own matter, and frames must not hold up other connections for long.
    fn limit(&self) -> usize {
        match self.compression {
            Compression::Zlib => MAX_PLAIN_LEN,
            Compression::Zstd(_) => MAX_PIECE_LEN,
        }
    }

    /// A frame between two payloads begins a command or goes on after what the client got; within one, it goes on.
    fn expects(&self, number: FrameNumber) -> bool {
        if self.received.is_between_payloads() {
            number == FrameNumber::FIRST || number == self.next
        } else {
            number == self.received_number.next()
        }
    }

    fn receive(&mut self, content: &[u8], plain: &mut Vec<u8>) {
        let mut rest = content;
        while let Some(part) = self.received.next(&mut rest) {
            match part {
                Part::Header(header, is_continuation) => {
                    if !is_continuation {
                        self.payload = self.payload_of(header);
                    }
                    let seq = match self.payload {
                        Payload::Command if is_continuation => self.command_seq.wrapping_add(1),
                        Payload::Command => 0,
                        Payload::Reply => self.plain_seq.wrapping_add(1),
                    };
                    match self.payload {
                        Payload::Command => self.command_seq = seq,
                        Payload::Reply => self.plain_seq = seq,
                    }
                    plain.extend_from_slice(&header_bytes(Header { seq, ..header }));
                }
                Part::Payload(bytes) => plain.extend_from_slice(bytes),
                Part::End { is_empty, is_last } => {
                    if is_last {
                        self.end_of_payload(is_empty);
                    }
                }
            }
        }
    }

    /// Servers look at the frame's number alone; and no dialog is so long that a frame within it had a command's.
    fn payload_of(&self, header: Header) -> Payload {
        let begins = header.seq == 0 || self.received_number == FrameNumber::FIRST;
        if begins && !self.is_infile { Payload::Command } else { Payload::Reply }
    }

    fn end_of_payload(&mut self, is_empty: bool) {
        let next = self.received_number.next();
        match self.payload {
            Payload::Command => self.answers.push_back(next),
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
    /// More is cut into several frames.
    limit: usize,
    /// What the next frame will hold.
    piece: Vec<u8>,
    /// How much of it is complete packets.
    whole_len: usize,
    frames: &'a mut Vec<u8>,
}

impl Framing<'_> {
    fn put(&mut self, bytes: &[u8], next: &mut FrameNumber) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.limit - self.piece.len()));
            self.piece.extend_from_slice(now);
            rest = later;
            if self.piece.len() == self.limit {
                self.flush(next);
            }
        }
    }

    fn flush(&mut self, next: &mut FrameNumber) {
        if !self.piece.is_empty() {
            put_frame(self.frames, self.compression, *next, &self.piece);
            *next = next.next();
            self.piece.clear();
            self.whole_len = 0;
        }
    }
}
