//! Compressed frames: a seven-byte header, then a piece of the packet stream, deflated or as it is.
//!
//! A header has the length of what follows (three bytes), the frame's number (one) and the length before
//! compression (three; 0 says that the piece is not compressed). Pieces may be cut anywhere, inside a packet or its
//! header. Frames are independent of one another: each is one zlib stream (RFC 1950) or one zstd frame, so a leg
//! that is at rest holds no state of either; making it anew costs a frame about ten microseconds. What the numbers must
//! be is said in [`super::compressed_leg`].
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html>

use std::fmt;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use thiserror::Error;
use zstd::{
    bulk,
    stream::raw::{self, DParameter, InBuffer, Operation, OutBuffer},
};

/// Frames that a peer must not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadFrame {
    /// What the servers say with error 1157.
    #[error("a compressed frame does not hold what its header says")]
    Content,
    /// What the servers say with error 1156.
    #[error("a compressed frame has the wrong number")]
    Number,
}

/// How a leg is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `CLIENT_COMPRESS`, at zlib's default level as the servers use it.
    Zlib,
    /// `CLIENT_ZSTD_COMPRESSION_ALGORITHM`, at the level that the handshake response ends with.
    Zstd(ZstdLevel),
}

/// A level of zstd that the servers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// The level of a byte of the handshake response; none for what a server refuses.
    pub fn new(level: u8) -> Option<Self> {
        (1..=22).contains(&level).then_some(Self(level))
    }

    /// The byte of the handshake response.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl Default for ZstdLevel {
    fn default() -> Self {
        Self(3)
    }
}

/// The number of a frame; the next one has the next number, and 0 follows 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameNumber(pub u8);

impl FrameNumber {
    /// A command's first frame has it.
    pub const FIRST: Self = Self(0);

    /// The next frame's.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Length of a frame's header.
const HEADER_LEN: usize = 7;

/// Less is sent as it is: the servers' `MIN_COMPRESS_LENGTH`.
const MIN_COMPRESS_LEN: usize = 50;

/// As much is put into one frame where there is a choice: larger ones gain little, and both peers must hold a whole one.
pub(super) const MAX_PIECE_LEN: usize = 128 * 1024;

/// More than this no header can tell of.
pub(super) const MAX_PLAIN_LEN: usize = 0xFF_FFFF;

/// Appends one frame with `piece`, which is no longer than [`MAX_PLAIN_LEN`] and not empty.
pub(super) fn put_frame(out: &mut Vec<u8>, compression: Compression, number: FrameNumber, piece: &[u8]) {
    debug_assert!((1..=MAX_PLAIN_LEN).contains(&piece.len()), "{} bytes for one frame", piece.len());
    let start = out.len();
    let content = start + HEADER_LEN;
    // What does not become shorter is sent as it is, so this is all the room that is ever needed.
    out.resize(content + piece.len(), 0);
    let compressed_len = match compression {
        _ if piece.len() < MIN_COMPRESS_LEN => None,
        Compression::Zlib => deflate(piece, &mut out[content..]),
        Compression::Zstd(level) => zstd_compress(piece, &mut out[content..], level),
    };
    let (content_len, plain_len) = match compressed_len.filter(|len| *len < piece.len()) {
        Some(len) => (len, piece.len()),
        None => {
            out[content..].copy_from_slice(piece);
            (piece.len(), 0)
        }
    };
    out.truncate(content + content_len);
    put_int3(&mut out[start..], content_len);
    out[start + 3] = number.0;
    put_int3(&mut out[start + 4..], plain_len);
}

/// The length of what was compressed; none if `to` is too short for it.
fn deflate(piece: &[u8], to: &mut [u8]) -> Option<usize> {
    let mut stream = Compress::new(flate2::Compression::default(), true);
    match stream.compress(piece, to, FlushCompress::Finish) {
        Ok(Status::StreamEnd) => usize::try_from(stream.total_out()).ok(),
        _ => None,
    }
}

/// The length of what was compressed; none if `to` is too short for it.
fn zstd_compress(piece: &[u8], to: &mut [u8], level: ZstdLevel) -> Option<usize> {
    bulk::Compressor::new(level.0.into()).ok()?.compress_to_buffer(piece, to).ok()
}

fn put_int3(to: &mut [u8], value: usize) {
    let [a, b, c, ..] = value.to_le_bytes();
    to[..3].copy_from_slice(&[a, b, c]);
}

fn int3(bytes: [u8; 3]) -> usize {
    let [a, b, c] = bytes;
    u32::from_le_bytes([a, b, c, 0]) as usize
}

/// Turns frames back into the packet stream, as they come in: it keeps no more of a frame than its header and what
/// the compression itself needs.
#[derive(Debug)]
pub(super) struct Decompressor {
    is_zstd: bool,
    state: State,
    /// The number of the last frame whose header has come.
    number: FrameNumber,
}

#[derive(Debug)]
enum State {
    /// So much of a header has come.
    Header([u8; HEADER_LEN], usize),
    Content(Content),
}

/// A frame whose header has come.
#[derive(Debug)]
struct Content {
    /// Bytes of it that have not come yet.
    left: usize,
    inflate: Option<Inflate>,
}

/// A compressed frame.
#[derive(Debug)]
struct Inflate {
    /// What must still come out.
    plain_left: usize,
    is_at_end: bool,
    stream: Stream,
}

enum Stream {
    Zlib(Decompress),
    Zstd(raw::Decoder<'static>),
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zlib(_) => "Zlib",
            Self::Zstd(_) => "Zstd",
        })
    }
}

/// What a step of decompression did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// The bytes it took.
    pub taken: usize,
    /// The number of the frame that begins with them: its header is complete now.
    pub begun: Option<FrameNumber>,
}

impl Decompressor {
    pub fn new(compression: Compression) -> Self {
        let is_zstd = matches!(compression, Compression::Zstd(_));
        Self { is_zstd, state: State::Header([0; HEADER_LEN], 0), number: FrameNumber::FIRST }
    }

    /// The number of the last frame whose header has come.
    pub fn number(&self) -> FrameNumber {
        self.number
    }

    /// Takes bytes of one frame from `input`, as many as there are, and appends what they stand for to `plain`. A
    /// frame holds less than 16 MiB, so that is the most that one step can append.
    pub fn step(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<Piece, BadFrame> {
        let mut taken = 0;
        let mut begun = None;
        if let State::Header(mut header, len) = self.state {
            taken = input.len().min(HEADER_LEN - len);
            header[len..len + taken].copy_from_slice(&input[..taken]);
            if len + taken < HEADER_LEN {
                self.state = State::Header(header, len + taken);
                return Ok(Piece { taken, begun });
            }
            self.number = FrameNumber(header[3]);
            begun = Some(self.number);
            self.state = State::Content(Content::new(header, self.is_zstd)?);
        }
        if let State::Content(content) = &mut self.state {
            let now = content.left.min(input.len() - taken);
            content.take(&input[taken..taken + now], plain)?;
            taken += now;
            if content.left == 0 {
                self.state = State::Header([0; HEADER_LEN], 0);
            }
        }
        Ok(Piece { taken, begun })
    }
}

impl Content {
    fn new(header: [u8; HEADER_LEN], is_zstd: bool) -> Result<Self, BadFrame> {
        let [len @ .., _, plain_a, plain_b, plain_c] = header;
        let left = int3(len);
        let inflate = match int3([plain_a, plain_b, plain_c]) {
            0 => None,
            plain_left => {
                let stream = if is_zstd { Stream::zstd()? } else { Stream::Zlib(Decompress::new(true)) };
                Some(Inflate { plain_left, is_at_end: false, stream })
            }
        };
        if left == 0 && inflate.is_some() {
            return Err(BadFrame::Content);
        }
        Ok(Self { left, inflate })
    }

    fn take(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<(), BadFrame> {
        self.left -= input.len();
        let Some(inflate) = &mut self.inflate else {
            plain.extend_from_slice(input);
            return Ok(());
        };
        inflate.take(input, plain)?;
        // The servers take less than the header says; no client sends that.
        let is_complete = inflate.is_at_end && inflate.plain_left == 0;
        if self.left == 0 && !is_complete { Err(BadFrame::Content) } else { Ok(()) }
    }
}

impl Inflate {
    fn take(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<(), BadFrame> {
        let mut rest = input;
        loop {
            if self.is_at_end {
                return if rest.is_empty() { Ok(()) } else { Err(BadFrame::Content) };
            }
            // Room grows with what comes out, not with what the header promises; one byte more shows a lie.
            plain.reserve((self.plain_left + 1).min(INFLATE_STEP));
            let (len_before, rest_before) = (plain.len(), rest.len());
            self.is_at_end = self.stream.run(&mut rest, plain)?;
            let produced = plain.len() - len_before;
            self.plain_left = self.plain_left.checked_sub(produced).ok_or(BadFrame::Content)?;
            if produced == 0 && rest.len() == rest_before && !self.is_at_end {
                return if rest.is_empty() { Ok(()) } else { Err(BadFrame::Content) };
            }
        }
    }
}

impl Stream {
    fn zstd() -> Result<Self, BadFrame> {
        let mut decoder = raw::Decoder::new().map_err(|_| BadFrame::Content)?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).map_err(|_| BadFrame::Content)?;
        Ok(Self::Zstd(decoder))
    }

    /// Decompresses into the room that `plain` has; whether the stream is at its end.
    fn run(&mut self, input: &mut &[u8], plain: &mut Vec<u8>) -> Result<bool, BadFrame> {
        let (taken, is_at_end) = match self {
            Self::Zlib(stream) => {
                let before = stream.total_in();
                let status =
                    stream.decompress_vec(input, plain, FlushDecompress::None).map_err(|_| BadFrame::Content)?;
                let taken = usize::try_from(stream.total_in() - before).map_err(|_| BadFrame::Content)?;
                (taken, status == Status::StreamEnd)
            }
            Self::Zstd(stream) => {
                let mut from = InBuffer::around(input);
                let len = plain.len();
                let mut to = OutBuffer::around_pos(plain, len);
                let hint = stream.run(&mut from, &mut to).map_err(|_| BadFrame::Content)?;
                (from.pos(), hint == 0)
            }
        };
        *input = &input[taken..];
        Ok(is_at_end)
    }
}

/// How much room decompression is given at a time.
const INFLATE_STEP: usize = 64 * 1024;

/// A frame holds less than 16 MiB, so no stream needs to look further back.
const MAX_WINDOW_LOG: u32 = 24;

/// Decompresses whatever `bytes` are, in pieces of `cut`: for fuzzing. What comes out is bounded by zlib's and zstd's
/// own limits, and nothing panics.
pub fn decompress_anything(bytes: &[u8], compression: Compression, cut: usize) -> Result<Vec<u8>, BadFrame> {
    let mut decompressor = Decompressor::new(compression);
    let mut plain = Vec::new();
    for mut piece in bytes.chunks(cut.max(1)) {
        while !piece.is_empty() {
            let step = decompressor.step(piece, &mut plain)?;
            piece = &piece[step.taken..];
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::{Compression, FrameNumber, HEADER_LEN, MAX_PIECE_LEN, ZstdLevel, decompress_anything, put_frame};

    /// The manual's `select "012345678901234567890123456789012345"`.
    const ONE_PACKET: &[u8] = b"\x22\0\0\0\x32\0\0\x78\x9c\xd3\x63\x60\x60\x60\x2e\x4e\xcd\x49\x4d\x2e\x51\x50\
        \x32\x30\x34\x32\x36\x31\x35\x33\xb7\xb0\xc4\xcd\x52\x02\x00\x0c\xd1\x0a\x6c";

    /// The manual's answer to `SELECT repeat("a", 50)`.
    const FIVE_PACKETS: &[u8] = b"\x4a\0\0\x01\x77\0\0\x78\x9c\x63\x64\x60\x60\x64\x54\x65\x60\x60\x62\x4e\x49\x4d\
        \x63\x60\x60\xe0\x2f\x4a\x2d\x48\x4d\x2c\xd1\x50\x4a\x54\xd2\x51\x30\x35\xd0\x64\xe0\xe1\x60\x30\x02\x8a\xff\
        \x65\x64\x90\x67\x60\x60\x65\x60\x60\xfe\x07\x54\xcc\x60\xcc\xc0\xc0\x62\x94\x48\x32\x00\xea\x67\x05\xeb\x07\
        \x00\x8d\xf9\x1c\x64";

    const ZSTD: Compression = Compression::Zstd(ZstdLevel(3));

    fn frame(compression: Compression, number: u8, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_frame(&mut out, compression, FrameNumber(number), piece);
        out
    }

    #[test]
    fn reads_the_manuals_examples() {
        let plain = decompress_anything(ONE_PACKET, Compression::Zlib, usize::MAX).expect("a frame");
        assert_eq!(plain, b"\x2e\0\0\0\x03select \"012345678901234567890123456789012345\"");
        let plain = decompress_anything(FIVE_PACKETS, Compression::Zlib, usize::MAX).expect("a frame");
        assert_eq!(plain.len(), 0x77);
        assert!(plain.starts_with(b"\x01\0\0\x01\x01\x25\0\0\x02\x03def\0\0\0\x0frepeat(\"a\", 50)"));
        let uncompressed = b"\x0d\0\0\0\0\0\0\x09\0\0\0\x03SELECT 1";
        for compression in [Compression::Zlib, ZSTD] {
            let plain = decompress_anything(uncompressed, compression, usize::MAX).expect("a frame");
            assert_eq!(plain, b"\x09\0\0\0\x03SELECT 1");
            assert_eq!(frame(compression, 0, &plain), uncompressed, "shorter than 50 bytes");
        }
    }

    /// Bytes that do not shrink.
    fn noise(len: usize) -> Vec<u8> {
        let states = std::iter::successors(Some(1_u32), |state| Some(state.wrapping_mul(1_664_525).wrapping_add(1)));
        states.map(|state| state.to_be_bytes()[0]).take(len).collect()
    }

    #[test]
    fn frames_come_back_whatever_the_cut() {
        let texts = [vec![b'a'], vec![7; 49], vec![7; 50], vec![0; MAX_PIECE_LEN], noise(MAX_PIECE_LEN)];
        for compression in [Compression::Zlib, ZSTD] {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(compression, 9, text)).collect();
            for cut in [1, 2, 7, 8, 1000, usize::MAX] {
                assert_eq!(decompress_anything(&bytes, compression, cut), Ok(texts.concat()), "{compression:?} {cut}");
            }
        }
    }

    #[test]
    fn what_does_not_shrink_is_sent_as_it_is() {
        let noise = noise(200);
        for compression in [Compression::Zlib, ZSTD] {
            let bytes = frame(compression, 1, &noise);
            assert_eq!(bytes.len(), HEADER_LEN + noise.len());
            assert_eq!(bytes[..HEADER_LEN], [200, 0, 0, 1, 0, 0, 0]);
        }
    }

    #[test]
    fn a_frame_holds_what_its_header_says() {
        for compression in [Compression::Zlib, ZSTD] {
            let good = frame(compression, 0, &[b'x'; 300]);
            assert_eq!(decompress_anything(&good, compression, 1), Ok(vec![b'x'; 300]));
            for (at, byte) in [(4, good[4] + 1), (4, good[4] - 1), (6, 0xFF), (0, good[0] - 1)] {
                let mut bad = good.clone();
                bad[at] = byte;
                for cut in [1, usize::MAX] {
                    assert!(decompress_anything(&bad, compression, cut).is_err(), "{compression:?}: {at} is {byte}");
                }
            }
            let mut longer = good.clone();
            longer[0] += 1;
            longer.push(0);
            assert!(decompress_anything(&longer, compression, 1).is_err(), "{compression:?}: something after the end");
        }
    }

    #[test]
    fn a_promise_allocates_nothing() {
        // 16 MiB - 1 are promised, and one byte comes.
        let mut plain = Vec::new();
        for (compression, first) in [(Compression::Zlib, 0x78), (ZSTD, 0x28)] {
            let mut decompressor = super::Decompressor::new(compression);
            let bytes = [0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, first];
            decompressor.step(&bytes, &mut plain).expect("a frame's beginning");
            assert!(plain.is_empty() && plain.capacity() <= 2 * super::INFLATE_STEP);
        }
    }

    #[test]
    fn levels_are_those_of_the_servers() {
        assert_eq!((ZstdLevel::new(0), ZstdLevel::new(23)), (None, None));
        assert_eq!(ZstdLevel::new(3), Some(ZstdLevel::default()));
        let frames = [1, 22].map(|level| frame(Compression::Zstd(ZstdLevel(level)), 0, &[b'y'; 500]));
        for frame in frames {
            assert_eq!(decompress_anything(&frame, ZSTD, 3), Ok(vec![b'y'; 500]));
        }
    }
}
