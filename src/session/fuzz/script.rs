//! What two peers say, made of arbitrary bytes: each line begins with a byte that picks who speaks and the form,
//! so that most inputs get past the framing. A script that has no bytes left is over.
//!
//! In a line's first byte, the lowest bit is the side (0: the client), and the others are its form: see [`Form`].
//! Where a form needs bytes of its own, a byte says how many.

use super::canned;
use crate::{
    session::Side,
    wire::{Capabilities, put_payload},
};

/// The bytes that are left of a script.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    data: &'a [u8],
}

/// Something that happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A peer sends bytes.
    Bytes(Side, Vec<u8>),
    /// New rules are in force: the same ones, or none.
    Reload(bool),
}

/// The sequence ids of the last packets on the legs.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastSeqs {
    /// On the client's.
    pub client: u8,
    /// On the backend's.
    pub backend: u8,
}

impl Line {
    /// How many bytes a peer sends.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(_, bytes) => bytes.len(),
            Self::Reload(_) => 0,
        }
    }
}

impl LastSeqs {
    fn next(self, side: Side) -> u8 {
        match side {
            Side::Client => self.client.wrapping_add(1),
            Side::Backend => self.backend.wrapping_add(1),
        }
    }
}

/// The forms of lines, as a script numbers them.
enum Form {
    /// Bytes as they are, whole packets or not.
    Raw,
    /// A packet with the sequence id that is due.
    Packet,
    /// A packet that says its sequence id.
    Numbered,
    /// A command: a packet with the sequence id 0.
    Command,
    /// One of the packets of [`canned`], with bytes after it.
    Canned,
    /// A packet of one byte over and over, up to 4 KiB.
    Long,
    /// The backend: a result set, by its number of columns, of rows, and its status. The client: `COM_QUERY`.
    Result,
    /// The backend: the answer to a prepare, by its statement and its numbers of parameters and columns. The client:
    /// `COM_STMT_PREPARE`.
    Prepare,
    /// The session's rules change.
    Reload,
}

impl Form {
    fn of(byte: u8) -> Self {
        match byte % 16 {
            0 => Self::Raw,
            1 | 2 => Self::Packet,
            3 => Self::Numbered,
            4 | 5 => Self::Command,
            6..=9 => Self::Canned,
            10 => Self::Long,
            11 | 12 => Self::Result,
            13 | 14 => Self::Prepare,
            _ => Self::Reload,
        }
    }
}

impl<'a> Script<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    /// The next byte; 0 after the last.
    pub fn byte(&mut self) -> u8 {
        self.data.split_off_first().copied().unwrap_or_default()
    }

    /// As many bytes as the next one says, or as are left.
    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.data.len());
        self.data.split_off(..len).unwrap_or_default()
    }

    /// The next line, if there is one. `only` is the side that speaks, if the other one may not.
    pub fn line(&mut self, last: LastSeqs, only: Option<Side>, capabilities: Capabilities) -> Option<Line> {
        if self.data.is_empty() {
            return None;
        }
        let first = self.byte();
        let side = only.unwrap_or(if first & 1 == 0 { Side::Client } else { Side::Backend });
        let due = last.next(side);
        let mut bytes = Vec::new();
        match Form::of(first >> 1) {
            Form::Raw => bytes.extend_from_slice(self.bytes()),
            Form::Packet => _ = put_payload(&mut bytes, due, self.bytes()),
            Form::Numbered => {
                let seq = self.byte();
                put_payload(&mut bytes, seq, self.bytes());
            }
            Form::Command => _ = put_payload(&mut bytes, 0, self.bytes()),
            Form::Canned => {
                let (payload, is_command) = canned::payload(side, self.byte());
                put_payload(&mut bytes, if is_command { 0 } else { due }, &[payload, self.bytes()].concat());
            }
            Form::Long => {
                let payload = vec![self.byte(); usize::from(self.byte()) * 16];
                put_payload(&mut bytes, due, &payload);
            }
            Form::Result if side == Side::Client => {
                let has_attributes = capabilities.has(Capabilities::QUERY_ATTRIBUTES);
                self.put_text(&mut bytes, if has_attributes { b"\x03\0\x01" } else { b"\x03" });
            }
            Form::Prepare if side == Side::Client => self.put_text(&mut bytes, b"\x16"),
            Form::Result => {
                let (shape, status) = (self.byte(), self.byte());
                put_all(&mut bytes, due, &canned::result_set(shape & 7, shape >> 3 & 7, status, capabilities));
            }
            Form::Prepare => {
                let (id, shape) = (self.byte(), self.byte());
                put_all(&mut bytes, due, &canned::prepared(id, shape & 7, shape >> 3 & 7, capabilities));
            }
            Form::Reload => return Some(Line::Reload(self.byte() & 1 == 0)),
        }
        Some(Line::Bytes(side, bytes))
    }

    fn put_text(&mut self, bytes: &mut Vec<u8>, command: &[u8]) {
        put_payload(bytes, 0, &[command, self.bytes()].concat());
    }
}

/// Appends packets of consecutive sequence ids.
pub fn put_all(bytes: &mut Vec<u8>, seq: u8, payloads: &[Vec<u8>]) {
    let mut seq = seq;
    for payload in payloads {
        seq = put_payload(bytes, seq, payload).wrapping_add(1);
    }
}
