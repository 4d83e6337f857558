//! Compressed legs: a peer's frames become packets before a state sees them, and a state's packets become frames.
//!
//! Compression begins with the OK that ends the initial authentication. From then on the client's frames are opened only
//! when the session takes commands: so a frame that is wrong is told of after the answers to what came before it, and
//! what a client sends ahead is held as short as it was sent. One call opens no more than the codec does at a time; the
//! rest is held, and [`Session::has_frames`] says so.

use super::{End, Io, Outputs, Session, State, backend_broke, put_error};
use crate::{
    rewrite::ServerError,
    wire::{BackendLeg, BadFrame, ClientLeg, Compression},
};

/// How each leg is compressed, as the handshake has settled it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compressions {
    pub client: Option<Compression>,
    pub backend: Option<Compression>,
}

/// The codecs of a connection of which at least one leg is compressed, and the frames that are not opened yet.
#[derive(Debug)]
pub(super) struct Codecs {
    client: Option<ClientCodec>,
    backend: Option<BackendCodec>,
}

#[derive(Debug)]
struct ClientCodec {
    leg: ClientLeg,
    frames: Vec<u8>,
    /// What follows the packets that came out last.
    bad: Option<BadFrame>,
    /// Where in the output the codec is told what.
    marks: Vec<(usize, Mark)>,
}

#[derive(Debug)]
struct BackendCodec {
    leg: BackendLeg,
    frames: Vec<u8>,
}

/// What the codec of the client's leg cannot see for itself.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// [`ClientLeg::begin_answer`]
    Answer,
    /// [`ClientLeg::begin_result`]
    Result,
    /// [`ClientLeg::skip_answer`]
    Skip,
}

/// Where the outputs of one call begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    to_client: usize,
    to_backend: usize,
}

impl Codecs {
    pub fn has_backend(&self) -> bool {
        self.backend.is_some()
    }

    /// The client's bytes that are held here.
    pub fn client_len(&self) -> usize {
        self.client.as_ref().map_or(0, |codec| codec.frames.len())
    }

    /// Turns the packets behind `start` into frames.
    fn encode(&mut self, out: &mut Outputs, start: Start) {
        if let Some(ClientCodec { leg, marks, .. }) = &mut self.client {
            let plain = split_off(&mut out.to_client, start.to_client);
            let mut at = 0;
            for (offset, mark) in marks.drain(..) {
                let end = offset - start.to_client;
                leg.encode(&plain[at..end], &mut out.to_client);
                at = end;
                match mark {
                    Mark::Answer => leg.begin_answer(),
                    Mark::Result => leg.begin_result(),
                    Mark::Skip => leg.skip_answer(),
                }
            }
            leg.encode(&plain[at..], &mut out.to_client);
        }
        if let Some(BackendCodec { leg, .. }) = &mut self.backend {
            let plain = split_off(&mut out.to_backend, start.to_backend);
            leg.encode(&plain, &mut out.to_backend);
        }
    }
}

impl ClientCodec {
    fn decode(&mut self, plain: &mut Vec<u8>) {
        if self.bad.is_some() {
            return;
        }
        match self.leg.decode(&self.frames, plain) {
            Ok(taken) => keep_rest(&mut self.frames, taken),
            Err(bad) => {
                self.bad = Some(bad);
                self.frames = Vec::new();
            }
        }
    }
}

/// An idle connection holds no memory here.
fn keep_rest(frames: &mut Vec<u8>, taken: usize) {
    *frames = frames[taken..].to_vec();
}

fn split_off(out: &mut Vec<u8>, at: usize) -> Vec<u8> {
    let mut plain = std::mem::take(out);
    if at > 0 {
        let rest = plain.split_off(at);
        *out = std::mem::replace(&mut plain, rest);
    }
    plain
}

impl Session {
    /// Whether there are frames of a peer's that can be opened now: then [`Session::client_bytes`] or
    /// [`Session::backend_bytes`] comes first, with nothing, and reading from the peer after that.
    pub fn has_frames(&self, side: super::Side) -> bool {
        let Some(codecs) = &self.codecs else { return false };
        match (side, &codecs.client, &codecs.backend) {
            (super::Side::Client, Some(codec), _) => {
                (codec.bad.is_some() || !codec.frames.is_empty()) && self.takes_client_bytes()
            }
            (super::Side::Backend, _, Some(codec)) => !codec.frames.is_empty() && self.end().is_none(),
            _ => false,
        }
    }

    pub(super) fn client_frames(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        let start = Start::of(out);
        let takes = self.takes_client_bytes();
        let mut plain = Vec::new();
        match self.codecs.as_mut().and_then(|codecs| codecs.client.as_mut()) {
            None => std::mem::swap(&mut plain, input),
            Some(codec) => {
                codec.frames.append(input);
                if takes {
                    codec.decode(&mut plain);
                }
            }
        }
        if !plain.is_empty() {
            self.client_packets(&mut plain, out);
        }
        self.refuse_bad_frame(out);
        self.encode(out, start);
        // The caller's buffer, for the next time.
        if input.capacity() == 0 {
            plain.clear();
            *input = plain;
        }
    }

    pub(super) fn backend_frames(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        let start = Start::of(out);
        let mut plain = Vec::new();
        let mut decoded = Ok(0);
        match self.codecs.as_mut().and_then(|codecs| codecs.backend.as_mut()) {
            None => std::mem::swap(&mut plain, input),
            Some(codec) => {
                codec.frames.append(input);
                decoded = codec.leg.decode(&codec.frames, &mut plain);
                let taken = decoded.unwrap_or(codec.frames.len());
                keep_rest(&mut codec.frames, taken);
            }
        }
        if !plain.is_empty() {
            self.backend_packets(&mut plain, out);
        }
        if decoded.is_err() {
            self.state.tell(&backend_broke(), &mut out.to_client);
            self.state = State::Ended(End::BackendBroke);
        }
        self.encode(out, start);
        if input.capacity() == 0 {
            plain.clear();
            *input = plain;
        }
    }

    /// Turns what a call has put out into frames, where a leg has them.
    pub(super) fn encode(&mut self, out: &mut Outputs, start: Start) {
        if let Some(codecs) = &mut self.codecs {
            codecs.encode(out, start);
        }
    }

    /// What came before a wrong frame is answered first.
    fn refuse_bad_frame(&mut self, out: &mut Outputs) {
        let takes = self.takes_client_bytes();
        let Some(codec) = self.codecs.as_mut().and_then(|codecs| codecs.client.as_mut()) else { return };
        let Some(bad) = codec.bad.take_if(|_| takes) else { return };
        codec.marks.push((out.to_client.len(), Mark::Answer));
        put_error(&mut out.to_client, self.state.seq_of_answer().unwrap_or(1), &bad_frame(bad));
        self.state = State::Ended(End::ClientBroke);
    }
}

impl Start {
    pub fn of(out: &Outputs) -> Self {
        Self { to_client: out.to_client.len(), to_backend: out.to_backend.len() }
    }
}

impl Io<'_> {
    /// What both peers have sent after the authentication's end is frames, and so is what they get.
    pub fn begin_compression(&mut self, compressions: Compressions) {
        let Compressions { client, backend } = compressions;
        if client.is_none() && backend.is_none() {
            return;
        }
        let client = client.map(|compression| {
            let frames = self.client.rest().to_vec();
            self.client.skip(frames.len(), &mut self.out.to_backend);
            ClientCodec { leg: ClientLeg::new(compression), frames, bad: None, marks: Vec::new() }
        });
        let backend = backend.map(|compression| {
            let frames = self.backend.rest().to_vec();
            self.backend.skip(frames.len(), &mut self.out.to_client);
            BackendCodec { leg: BackendLeg::new(compression), frames }
        });
        *self.codecs = Some(Box::new(Codecs { client, backend }));
    }

    /// Whether each answer must be followed to its end.
    pub fn is_compressed(&self) -> bool {
        self.codecs.is_some()
    }

    /// Whether the backend's ids are frames' numbers, and go back where it flushes.
    pub fn is_backend_compressed(&self) -> bool {
        self.codecs.as_ref().is_some_and(|codecs| codecs.has_backend())
    }

    /// A command of the client's begins; what the client gets from here on is its answer.
    pub fn begin_answer(&mut self) {
        self.mark(Mark::Answer);
    }

    /// What the client gets from here on is a further result of the same answer.
    pub fn begin_result(&mut self) {
        self.mark(Mark::Result);
    }

    /// The client's command belongs to an answer that goes on.
    pub fn skip_answer(&mut self) {
        self.mark(Mark::Skip);
    }

    fn mark(&mut self, mark: Mark) {
        let Some(codec) = self.codecs.as_mut().and_then(|codecs| codecs.client.as_mut()) else { return };
        self.backend.flush(&mut self.out.to_client);
        codec.marks.push((self.out.to_client.len(), mark));
    }
}

/// `ER_NET_PACKETS_OUT_OF_ORDER`, `ER_NET_UNCOMPRESS_ERROR`
fn bad_frame(bad: BadFrame) -> ServerError {
    let (number, message) = match bad {
        BadFrame::Number => (1156, "Got packets out of order"),
        BadFrame::Content => (1157, "Couldn't uncompress communication packet"),
    };
    ServerError { number, sqlstate: *b"08S01", message: message.to_owned() }
}
