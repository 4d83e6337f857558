//! Plays a script to a session and keeps what happened, so that it can be played again in pieces.

use std::sync::Arc;

use super::{Fixtures, Line, Script, Setup, canned, laws, script};
use crate::{
    rules::Ruleset,
    session::{End, Outputs, Session, Side, facts, rsa},
    wire::{Capabilities, HEADER_LEN, HandshakeResponse, Header, put_payload},
};
use script::LastSeqs;

/// A session, its peers, and what they have said.
pub struct Play<'a> {
    fixtures: &'a Fixtures,
    setup: &'a Setup,
    session: Session,
    lines: Vec<Line>,
    received: Received,
    last: LastSeqs,
    /// Passwords were encrypted, which never gives the same bytes twice.
    is_random: bool,
    /// The user may have changed, and with it the version.
    is_settled: bool,
}

/// What both peers received.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub client: Vec<u8>,
    pub backend: Vec<u8>,
}

/// More than this brings nothing new.
const MAX_LINES: usize = 64;

impl<'a> Play<'a> {
    pub fn new(fixtures: &'a Fixtures, setup: &'a Setup) -> Self {
        Self {
            fixtures,
            setup,
            session: setup.session(fixtures),
            lines: Vec::new(),
            received: Received::default(),
            last: LastSeqs::default(),
            is_random: false,
            is_settled: true,
        }
    }

    /// The backend greets.
    pub fn greet(&mut self) {
        self.say(Side::Backend, 0, &canned::greeting(self.setup.is_mariadb));
    }

    /// The client answers the greeting, perhaps after asking for TLS.
    pub fn respond(&mut self, asks_for_tls: bool) {
        let capabilities =
            if asks_for_tls { self.setup.capabilities.with(Capabilities::SSL) } else { self.setup.capabilities };
        let response = canned::handshake_response(capabilities, self.setup.database, self.setup.plugin);
        if asks_for_tls {
            self.say(Side::Client, 1, &response[..HandshakeResponse::SSL_REQUEST_LEN]);
        }
        self.say(Side::Client, 1 + u8::from(asks_for_tls), &response);
    }

    /// The whole connection phase.
    pub fn connect(&mut self) {
        self.greet();
        self.respond(false);
        self.say(Side::Backend, 2, canned::OK);
    }

    /// Plays up to `count` lines, of one side only or of both.
    pub fn script(&mut self, script: &mut Script<'_>, count: usize, only: Option<Side>) {
        for _ in 0..count {
            if self.lines.len() >= MAX_LINES {
                return;
            }
            let Some(line) = script.line(self.last, only, self.setup.agreed()) else { return };
            let line = self.with_keys(line);
            self.play(line);
        }
    }

    /// Plays everything again in pieces; both peers must receive the same.
    pub fn again_in_pieces(&self) {
        laws::errors_are_well_formed(&self.lines, &self.received);
        let total: usize = self.lines.iter().map(Line::len).sum();
        for len in [1 + total / 2048, 3 + total / 64] {
            let mut session = self.setup.session(self.fixtures);
            let mut received = Received::default();
            for line in &self.lines {
                tell(&mut session, line, len, self.fixtures, &mut received);
            }
            // What nobody asked for comes before or after what the client asks next, depending on the pieces.
            if session.has_last_words || self.session.has_last_words {
                continue;
            }
            assert_eq!(received.client, self.received.client, "the client, in pieces of {len}");
            if self.is_random {
                assert_eq!(received.backend.len(), self.received.backend.len(), "the backend, in pieces of {len}");
            } else {
                assert_eq!(received.backend, self.received.backend, "the backend, in pieces of {len}");
            }
            assert_eq!(state(&session), state(&self.session), "in pieces of {len}");
        }
    }

    fn say(&mut self, side: Side, seq: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        put_payload(&mut bytes, seq, payload);
        self.play(Line::Bytes(side, bytes));
    }

    fn play(&mut self, line: Line) {
        if matches!(line, Line::Bytes(Side::Client, _)) && !self.session.wants_client_bytes() {
            return;
        }
        let before = laws::Before::of(&self.session);
        let mut received = Received::default();
        tell(&mut self.session, &line, usize::MAX, self.fixtures, &mut received);
        self.is_settled &= !self.session.is_authenticating() || self.lines.len() < 3;
        laws::nothing_stalls(&self.session);
        laws::nothing_grows(&self.session, &before, &line);
        laws::bytes_are_kept(&self.session, &before, &line, &received, self.setup.is_physical() && self.is_settled);
        if self.setup.is_v1() && self.is_settled {
            laws::nothing_leaks(&self.session, &before, &self.lines, &line, &received);
        }
        self.remember(line, received);
    }

    fn remember(&mut self, line: Line, received: Received) {
        if let Line::Bytes(side, bytes) = &line {
            let leg = if *side == Side::Client { &mut self.last.client } else { &mut self.last.backend };
            *leg = last_seq(bytes).unwrap_or(*leg);
        }
        self.last.client = last_seq(&received.client).unwrap_or(self.last.client);
        self.last.backend = last_seq(&received.backend).unwrap_or(self.last.backend);
        let asks = received.backend.ends_with(facts::QUESTION);
        self.lines.push(line);
        self.received.client.extend(received.client);
        self.received.backend.extend(received.backend);
        if let Some(number) = self.setup.facts.filter(|_| asks && self.lines.len() < MAX_LINES) {
            let mut bytes = Vec::new();
            script::put_all(&mut bytes, 1, &canned::facts(number, self.setup.agreed()));
            self.play(Line::Bytes(Side::Backend, bytes));
        }
    }

    /// The line with what only whoever has the keys can say: after a "0x01" alone from the backend its key follows, and a
    /// client's "password" alone is encrypted.
    fn with_keys(&mut self, line: Line) -> Line {
        let Line::Bytes(side, sent) = &line else { return line };
        let said = match (side, sent.as_slice()) {
            (Side::Backend, [1, 0, 0, _, 1]) => {
                self.is_random = true;
                [b"\x01", self.fixtures.key.public_pem()].concat()
            }
            (Side::Client, [8, 0, 0, _, b'p', b'a', b's', b's', b'w', b'o', b'r', b'd']) => {
                let scramble = &self.session.settings.scramble;
                rsa::encrypt(b"password\0", scramble, self.fixtures.key.public_pem()).expect("encrypted")
            }
            _ => return line,
        };
        let mut bytes = Vec::new();
        put_payload(&mut bytes, sent[HEADER_LEN - 1], &said);
        Line::Bytes(*side, bytes)
    }
}

/// Tells the session a line in pieces of `len` bytes. TLS is there as soon as the line is over.
fn tell(session: &mut Session, line: &Line, len: usize, fixtures: &Fixtures, received: &mut Received) {
    let mut out = Outputs::default();
    match line {
        Line::Reload(true) => session.set_rules(fixtures.rules_again.clone()),
        Line::Reload(false) => session.set_rules(Arc::<Ruleset>::default()),
        Line::Bytes(side, bytes) => {
            for piece in bytes.chunks(len) {
                let mut input = piece.to_vec();
                match side {
                    Side::Client => session.client_bytes(&mut input, &mut out),
                    Side::Backend => session.backend_bytes(&mut input, &mut out),
                }
                assert!(input.is_empty(), "the input was taken");
                received.take(&mut out);
            }
        }
    }
    while let Some(side) = session.awaits_tls() {
        session.take_plain_bytes(side);
        session.has_tls(&mut out);
        received.take(&mut out);
    }
}

/// What is seen of a session from outside.
fn state(session: &Session) -> (Option<End>, bool, bool, &[u8], &[u8]) {
    let Session { client, backend, .. } = session;
    (session.end(), session.is_authenticating(), session.wants_client_bytes(), client.rest(), backend.rest())
}

/// The sequence id of the last packet, if the bytes are packets.
fn last_seq(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes;
    let mut last = None;
    while let Some(header) = Header::read(rest) {
        last = Some(header.seq);
        rest = rest.get(header.packet_len()..)?;
    }
    last
}

impl Received {
    fn take(&mut self, out: &mut Outputs) {
        self.client.append(&mut out.to_client);
        self.backend.append(&mut out.to_backend);
    }
}
