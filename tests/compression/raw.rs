//! A client that does exactly what it is told, with or without compression, and holds its peer to what servers do:
//! frames' numbers as the clients' libraries check them, and packets' ids as the strictest of drivers does.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bifocal::wire::{
    BackendLeg, Capabilities, Compression, ErrPacket, Extent, Greeting, Header, OkPacket, put_payload,
};

/// Longer than any pause of a server.
const PATIENCE: Duration = Duration::from_mins(1);

/// Longer than any payload here.
pub const MAX_ALLOWED_PACKET: u32 = 64 << 20;

/// `LONG_PASSWORD`, `CONNECT_WITH_DB`, `LOCAL_FILES`, `TRANSACTIONS`, `MULTI_STATEMENTS`, `MULTI_RESULTS`,
/// `PS_MULTI_RESULTS`.
const PLAIN_FLAGS: u32 = 0x1 | 0x8 | 0x80 | 0x2000 | 1 << 16 | 1 << 17 | 1 << 18;

/// A connection of root, who has no password.
pub struct Raw {
    pub stream: TcpStream,
    /// None until authentication has ended, and where there is no compression.
    leg: Option<BackendLeg>,
    received: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
    pub frames: Frames,
    /// The id of the next packet; none: a server has flushed, so it is its frame's number, or the first of an answer's.
    next_seq: Option<u8>,
}

/// What is seen of the peer's frames beside the codec.
#[derive(Default)]
pub struct Frames {
    /// A frame that is not complete.
    bytes: Vec<u8>,
    /// The numbers of the current answer's frames.
    pub numbers: Vec<u8>,
    /// The number that the next one must have; none: answers to several commands come.
    expected: Option<u8>,
    /// How much of each frame is not taken, and its number.
    contents: std::collections::VecDeque<(usize, u8)>,
}

impl Frames {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        let mut rest = &self.bytes[..];
        while let Some((head, content)) = rest.split_first_chunk::<7>() {
            let [len @ .., _, _, _, _] = *head;
            let [_, _, _, number, plain_len @ ..] = *head;
            let len = int3(len);
            let Some(later) = content.get(len..) else { break };
            let plain_len = match int3(plain_len) {
                0 => len,
                plain_len => plain_len,
            };
            if let Some(expected) = &mut self.expected {
                ensure!(number == *expected, "frame {number} instead of {expected}");
                *expected = expected.wrapping_add(1);
            }
            self.numbers.push(number);
            self.contents.push_back((plain_len, number));
            rest = later;
        }
        self.bytes = rest.to_vec();
        Ok(())
    }

    /// The number of the frame in which the next byte lies.
    fn current(&self) -> Option<u8> {
        self.contents.front().map(|(_, number)| *number)
    }

    fn skip(&mut self, len: usize) {
        let mut left = len;
        while let Some((content, _)) = self.contents.front_mut() {
            let now = left.min(*content);
            *content -= now;
            left -= now;
            if *content > 0 {
                return;
            }
            self.contents.pop_front();
        }
    }
}

/// Whom to connect to, and how.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub port: u16,
    pub plugin: &'static str,
    pub compression: Option<Compression>,
    pub database: &'a str,
}

impl Raw {
    pub fn connect(target: Target<'_>) -> Result<Self> {
        let Target { port, plugin, compression, database } = target;
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let frames = Frames::default();
        let mut raw = Self { stream, leg: None, received: Vec::new(), taken: 0, frames, next_seq: Some(0) };
        let (_, greeting) = raw.payload()?;
        let offered = Greeting::decode(&greeting)?.capabilities;
        let (flag, level) = match compression {
            None => (Capabilities::default(), None),
            Some(Compression::Zlib) => (Capabilities::COMPRESS, None),
            Some(Compression::Zstd(level)) => (Capabilities::ZSTD, Some(level.byte())),
        };
        ensure!(offered.has(flag), "{compression:?} is not offered");
        let flags = Capabilities::PROTOCOL_41.0 | Capabilities::SECURE_CONNECTION.0 | Capabilities::PLUGIN_AUTH.0;
        let mut response = (PLAIN_FLAGS | u32::try_from(flags | flag.0)?).to_le_bytes().to_vec();
        response.extend(MAX_ALLOWED_PACKET.to_le_bytes());
        response.push(45);
        response.extend([0; 23]);
        response.extend([b"root\0\0", database.as_bytes(), b"\0", plugin.as_bytes(), b"\0"].concat());
        response.extend(level);
        raw.reply(&packet(1, &response))?;
        raw.authenticate()?;
        raw.leg = compression.map(BackendLeg::new);
        Ok(raw)
    }

    pub fn authenticate(&mut self) -> Result<()> {
        loop {
            let (seq, payload) = self.payload()?;
            match payload.first() {
                Some(&OkPacket::HEADER) => return Ok(()),
                Some(0xFE) => self.reply(&packet(seq.wrapping_add(1), b""))?,
                Some(1) => {}
                _ => bail!("not let in: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    fn send(&mut self, plain: &[u8]) -> Result<()> {
        let Some(leg) = &mut self.leg else { return Ok(self.stream.write_all(plain)?) };
        let mut frames = Vec::new();
        leg.encode(plain, &mut frames);
        let mut rest = &frames[..];
        while let Some(([a, b, c, number, ..], content)) = rest.split_first_chunk::<7>() {
            self.frames.expected = Some(number.wrapping_add(1));
            rest = &content[u32::from_le_bytes([*a, *b, *c, 0]) as usize..];
        }
        Ok(self.stream.write_all(&frames)?)
    }

    pub fn command(&mut self, payload: &[u8]) -> Result<()> {
        self.frames.numbers.clear();
        self.begin_result();
        let packets = packet(0, payload);
        if self.leg.is_none() {
            self.next_seq = last_seq(&packets).map(|seq| seq.wrapping_add(1));
        }
        self.send(&packets)
    }

    /// Sends several commands, whose answers may come in any frames.
    pub fn send_ahead(&mut self, packets: &[u8]) -> Result<()> {
        self.frames.numbers.clear();
        self.send(packets)?;
        self.frames.expected = None;
        self.next_seq = None;
        Ok(())
    }

    /// Sends what the peer has asked for.
    pub fn reply(&mut self, packets: &[u8]) -> Result<()> {
        self.next_seq = last_seq(packets).filter(|_| self.leg.is_none()).map(|seq| seq.wrapping_add(1));
        self.send(packets)
    }

    /// What comes next is another result, or the answer to another command that was sent ahead.
    pub fn begin_result(&mut self) {
        if self.leg.is_some() {
            self.next_seq = None;
        }
    }

    /// What comes next is the answer to another command that was sent ahead.
    pub fn begin_answer(&mut self) {
        self.next_seq = None;
    }

    fn check_ids(&mut self, extent: Extent) -> Result<()> {
        let expected = match (self.next_seq, &self.leg) {
            (Some(seq), _) => seq,
            (None, Some(_)) => self.frames.current().context("no frame")?,
            (None, None) => 1,
        };
        ensure!(extent.first_seq == expected, "packet {} instead of {expected}", extent.first_seq);
        self.next_seq = Some(extent.last_seq.wrapping_add(1));
        self.frames.skip(extent.wire_len);
        Ok(())
    }

    /// The next payload of the peer, and its last packet's id.
    pub fn payload(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some(extent) = Extent::find(&self.received[self.taken..]) {
                self.check_ids(extent)?;
                let payload = extent.payload(&self.received[self.taken..], &mut Vec::new()).to_vec();
                self.taken += extent.wire_len;
                return Ok((extent.last_seq, payload));
            }
            self.received.drain(..self.taken);
            self.taken = 0;
            let mut buffer = vec![0; 1 << 20];
            let len = self.stream.read(&mut buffer)?;
            ensure!(len > 0, "the peer has closed the connection");
            let mut rest = &buffer[..len];
            let Some(leg) = &mut self.leg else {
                self.received.extend_from_slice(rest);
                continue;
            };
            self.frames.take(rest)?;
            while !rest.is_empty() {
                let taken = leg.decode(rest, &mut self.received)?;
                rest = &rest[taken..];
            }
        }
    }

    /// The rows of one result.
    pub fn rows(&mut self) -> Result<Vec<Vec<u8>>> {
        let (_, first) = self.payload()?;
        match first.first() {
            Some(&OkPacket::HEADER) => return Ok(Vec::new()),
            Some(&ErrPacket::HEADER) => bail!("{}", String::from_utf8_lossy(&first)),
            _ => {}
        }
        self.until_eof()?;
        self.until_eof()
    }

    pub fn until_eof(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        loop {
            let (_, payload) = self.payload()?;
            match payload.first() {
                Some(0xFE) if payload.len() < 9 => return Ok(payloads),
                Some(&ErrPacket::HEADER) => bail!("{}", String::from_utf8_lossy(&payload)),
                _ => payloads.push(payload),
            }
        }
    }

    pub fn query(&mut self, sql: &str) -> Result<Vec<Vec<u8>>> {
        self.command(&[b"\x03", sql.as_bytes()].concat())?;
        self.rows().with_context(|| sql.chars().take(80).collect::<String>())
    }

    /// The one value of a text result.
    pub fn value(&mut self, sql: &str) -> Result<String> {
        let rows = self.query(sql)?;
        ensure!(rows.len() == 1, "{} rows", rows.len());
        Ok(String::from_utf8_lossy(text(&rows[0])).into_owned())
    }

    pub fn is_compressed(&self) -> bool {
        self.leg.is_some()
    }
}

fn int3([low, middle, high]: [u8; 3]) -> usize {
    u32::from_le_bytes([low, middle, high, 0]) as usize
}

/// The id of the last packet.
fn last_seq(packets: &[u8]) -> Option<u8> {
    let (mut rest, mut seq) = (packets, None);
    while let Some(header) = Header::read(rest) {
        seq = Some(header.seq);
        rest = &rest[header.packet_len()..];
    }
    seq
}

/// The first value of a text row.
pub fn text(row: &[u8]) -> &[u8] {
    let start = match row.first() {
        Some(0xFC) => 3,
        Some(0xFD) => 4,
        Some(0xFE) => 9,
        _ => 1,
    };
    row.get(start..).unwrap_or_default()
}

/// One payload, in packets of consecutive ids.
pub fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_payload(&mut out, seq, payload);
    out
}
