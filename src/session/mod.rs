//! One connection's state machine, without I/O: bytes from a peer go in, bytes for both peers come out.
//!
//! A connection is greeted and authenticated by relaying the dialog ([`authentication`]); after that it is
//! relayed as it is ([`relay`]) or, if it has a version, command by command ([`versioned`]). Where a leg is compressed,
//! all that is done with its packets, inside its frames ([`compressed`]), and then also a connection without a version
//! goes command by command ([`followed`]). The output does not depend on how the input was cut; only frames do.

mod answering;
mod authentication;
mod compressed;
mod connecting;
mod diagnostics;
mod facts;
mod followed;
mod inbox;
mod legs;
mod refusal;
mod relay;
mod response;
mod rsa;
mod statements;
mod use_database;
mod version;
mod versioned;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use crate::rewrite::ServerError;
pub use legs::{Leg, Legs, OsUser, Protection, Side, Tls};
pub use rsa::{BadKey, RsaKey, RsaSource};
pub use version::{VersionName, is_known};

use crate::{
    rewrite::{self, Facts, Plan},
    rules::{Mapping, Ruleset},
    wire::{ErrPacket, MAX_PAYLOAD_LEN, put_payload},
};
use authentication::Authentication;
use compressed::{Codecs, Start};
use connecting::{AwaitBackendTls, AwaitClientTls, AwaitGreeting, AwaitResponse};
use followed::Followed;
use inbox::Inbox;
use relay::Relay;
use versioned::Versioned;

/// One connection.
#[derive(Debug)]
pub struct Session {
    client: Inbox,
    backend: Inbox,
    settings: Settings,
    state: State,
    /// None while both legs are plain.
    codecs: Option<Box<Codecs>>,
    /// The backend has said something that nobody asked for: why it ends the connection.
    has_last_words: bool,
}

/// What a session does not find out by itself.
#[derive(Debug)]
struct Settings {
    rules: Arc<Ruleset>,
    listener: Option<VersionName>,
    planner: Planner,
    legs: Legs,
    /// What the backend's plugin scrambles passwords with.
    scramble: Vec<u8>,
    /// The backend is MariaDB.
    is_mariadb: bool,
    /// A command's payload is no longer than this.
    max_packet_len: usize,
}

/// How statements are planned.
#[derive(Debug, Clone, Copy)]
pub struct Planner {
    /// [`rewrite::plan`].
    pub plan: fn(&[u8], &[Arc<Mapping>], &Facts) -> Plan,
    /// [`rewrite::changes_facts`].
    pub changes_facts: fn(&[u8]) -> bool,
    /// [`rewrite::translate_error`].
    pub translate_error: fn(ServerError, &[Arc<Mapping>], &[u8]) -> ServerError,
}

/// Bytes for both peers. Whoever sends them empties them.
#[derive(Debug, Default)]
pub struct Outputs {
    /// For the client.
    pub to_client: Vec<u8>,
    /// For the backend.
    pub to_backend: Vec<u8>,
}

/// Why a session is over, once the outputs are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The backend sent what the protocol does not allow.
    BackendBroke,
    /// The backend closed the connection.
    BackendClosed,
    /// The client sent what the protocol does not allow.
    ClientBroke,
    /// There is no TLS with the backend, where it is needed.
    NoTls,
    /// The client said so.
    Quit,
    /// The backend did not read what was sent to it.
    StuckBackend,
    /// The connection was refused, by the backend or by Bifocal.
    Refused,
    /// The client took too long to authenticate.
    SlowHandshake,
    /// A packet or a dialog was longer than Bifocal's limit.
    TooLong,
}

impl End {
    /// A word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackendBroke => "backend broke the protocol",
            Self::BackendClosed => "backend closed",
            Self::ClientBroke => "client broke the protocol",
            Self::NoTls => "no TLS with the backend",
            Self::Quit => "quit",
            Self::Refused => "refused",
            Self::SlowHandshake => "handshake timeout",
            Self::StuckBackend => "the backend does not read",
            Self::TooLong => "too long",
        }
    }
}

/// What a session is waiting for.
#[derive(Debug)]
enum State {
    Authentication(Authentication),
    AwaitBackendTls(AwaitBackendTls),
    AwaitClientTls(AwaitClientTls),
    AwaitGreeting(AwaitGreeting),
    AwaitResponse(AwaitResponse),
    Ended(End),
    Followed(Box<Followed>),
    Relay(Relay),
    Versioned(Box<Versioned>),
}

/// What a state did with its input.
#[derive(Debug)]
enum Step {
    /// The other peer's input may be of use now.
    Again,
    /// A `COM_CHANGE_USER` is on its way; the current state waits for its end.
    Authenticate(Authentication),
    /// Another state goes on.
    Become(State),
    /// More input is needed.
    Wait,
}

/// The bytes that a state reads and writes.
struct Io<'a> {
    client: &'a mut Inbox,
    backend: &'a mut Inbox,
    out: &'a mut Outputs,
    codecs: &'a mut Option<Box<Codecs>>,
    has_last_words: &'a mut bool,
}

impl Session {
    /// A session before the greeting.
    pub fn new(rules: Arc<Ruleset>, listener: Option<VersionName>) -> Self {
        let settings = Settings {
            rules,
            listener,
            planner: Planner::default(),
            legs: Legs::default(),
            scramble: Vec::new(),
            is_mariadb: false,
            max_packet_len: MAX_PAYLOAD_LEN,
        };
        let state = State::AwaitGreeting(AwaitGreeting);
        Self {
            client: Inbox::default(),
            backend: Inbox::default(),
            settings,
            state,
            codecs: None,
            has_last_words: false,
        }
    }

    /// The same session with another planner.
    #[must_use]
    pub fn with_planner(mut self, planner: Planner) -> Self {
        self.settings.planner = planner;
        self
    }

    /// The same session with legs that are protected.
    #[must_use]
    pub fn with_legs(mut self, legs: Legs) -> Self {
        self.settings.legs = legs;
        self
    }

    /// What protects the backend's leg, and what makes it shorter.
    pub fn backend_leg(&self) -> Leg {
        self.settings.legs.backend
    }

    /// The same session with a limit to the length of a command.
    #[must_use]
    pub fn with_max_packet_len(mut self, len: usize) -> Self {
        self.settings.max_packet_len = len;
        self
    }

    /// The leg that needs a TLS handshake now, once the outputs are sent. Nothing else is done before
    /// [`Session::has_tls`] says that it is over.
    pub fn awaits_tls(&self) -> Option<Side> {
        match &self.state {
            State::AwaitClientTls(_) => Some(Side::Client),
            State::AwaitBackendTls(_) => Some(Side::Backend),
            _ => None,
        }
    }

    /// What the peer has sent ahead in plain text. It belongs to the TLS handshake: taken for a packet, it could be
    /// anybody's.
    pub fn take_plain_bytes(&mut self, side: Side) -> Vec<u8> {
        let inbox = match side {
            Side::Client => &mut self.client,
            Side::Backend => &mut self.backend,
        };
        std::mem::take(inbox).into_rest()
    }

    /// The TLS handshake that was awaited is over.
    pub fn has_tls(&mut self, out: &mut Outputs) {
        self.state = match std::mem::replace(&mut self.state, State::Ended(End::Refused)) {
            State::AwaitClientTls(state) => state.upgraded(&mut self.settings),
            State::AwaitBackendTls(state) => state.upgraded(&mut self.settings, &mut out.to_backend),
            state => state,
        };
    }

    /// Ends the session with an error, where the client waits for a packet: a limit of the shell's is reached.
    pub fn give_up(&mut self, error: &ServerError, end: End, out: &mut Outputs) {
        if self.end().is_none() {
            let start = Start::of(out);
            self.state.tell(error, &mut out.to_client);
            self.state = State::Ended(end);
            self.encode(out, start);
        }
    }

    /// The rules that hold from the next statement outside a transaction.
    pub fn set_rules(&mut self, rules: Arc<Ruleset>) {
        self.settings.rules = rules;
    }

    /// Takes what the client sent; `input` is left empty, perhaps with another allocation.
    pub fn client_bytes(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        if self.codecs.is_some() { self.client_frames(input, out) } else { self.client_packets(input, out) }
    }

    /// Takes what the backend sent; `input` is left empty, perhaps with another allocation.
    pub fn backend_bytes(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        if self.codecs.is_some() { self.backend_frames(input, out) } else { self.backend_packets(input, out) }
    }

    fn client_packets(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        self.client.feed(input);
        self.drive(out);
        self.client.settle(input);
        self.backend.settle(&mut Vec::new());
    }

    fn backend_packets(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        self.backend.feed(input);
        self.drive(out);
        self.backend.settle(input);
        self.client.settle(&mut Vec::new());
    }

    /// The backend has closed the connection: a client that waits for an answer is told.
    pub fn backend_closed(&mut self, out: &mut Outputs) {
        let start = Start::of(out);
        // Numbers from 2000 on are the clients' own: what a server says with one of them is malformed to MariaDB's.
        let (during, number, sqlstate) = match (self.is_authenticating(), self.settings.is_mariadb) {
            (true, _) => ("authentication", ER_NET_READ_ERROR, *b"08S01"),
            (false, true) => ("this command", ER_CONNECTION_KILLED, *b"70100"),
            (false, false) => ("this command", ER_NET_READ_ERROR, *b"08S01"),
        };
        let message = format!("Bifocal lost the connection to the backend during {during}");
        // A command that crossed the backend's last words has them for its answer.
        if !self.has_last_words {
            self.state.tell(&ServerError { number, sqlstate, message }, &mut out.to_client);
        }
        self.state = State::Ended(End::BackendClosed);
        self.encode(out, start);
    }

    /// Whether the client should be read from: not while enough of its commands wait for an answer.
    pub fn wants_client_bytes(&self) -> bool {
        let held_len = self.codecs.as_ref().map_or(0, |codecs| codecs.client_len());
        self.takes_client_bytes() || self.end().is_none() && self.client.rest().len() + held_len < MAX_HELD_LEN
    }

    /// Whether the client's packets are of use now.
    fn takes_client_bytes(&self) -> bool {
        match &self.state {
            State::Versioned(versioned) => versioned.takes_client_bytes(),
            State::Followed(followed) => followed.takes_client_bytes(),
            // They bound what they take themselves.
            State::Relay(_) | State::AwaitResponse(_) => true,
            State::Authentication(state) if state.awaits_client() => true,
            State::Ended(_) => false,
            _ => self.client.rest().len() < MAX_HELD_LEN,
        }
    }

    /// Why the session is over, if it is.
    pub fn end(&self) -> Option<End> {
        match self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether the connection is in the connection phase, or in a `COM_CHANGE_USER`.
    pub fn is_authenticating(&self) -> bool {
        !matches!(&self.state, State::Ended(_) | State::Followed(_) | State::Relay(_) | State::Versioned(_))
    }

    /// Whether it can be closed without cutting off a statement or a transaction.
    pub fn rest(&self) -> Rest {
        match &self.state {
            State::Relay(relay) if relay.is_quiet() => Rest::Quiet,
            State::Versioned(versioned) if versioned.is_at_rest() => Rest::AtRest,
            State::Followed(followed) if followed.is_at_rest() => Rest::AtRest,
            State::AwaitGreeting(_)
            | State::AwaitResponse(_)
            | State::AwaitClientTls(_)
            | State::AwaitBackendTls(_)
            | State::Ended(_) => Rest::AtRest,
            State::Followed(_) | State::Relay(_) | State::Versioned(_) | State::Authentication(_) => Rest::Busy,
        }
    }

    fn drive(&mut self, out: &mut Outputs) {
        let Self { client, backend, settings, state, codecs, has_last_words } = self;
        let mut io = Io { client, backend, out, codecs, has_last_words };
        loop {
            let from_client = state.client(&mut io, settings);
            state.tell_why(&from_client, &mut io.out.to_client);
            let goes_on = state.take(from_client);
            let from_backend = state.backend(&mut io, settings);
            state.tell_why(&from_backend, &mut io.out.to_client);
            if !(state.take(from_backend) || goes_on) {
                return;
            }
        }
    }
}

/// Whether a session can be closed without cutting anything off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// No command is in flight, and no transaction is open.
    AtRest,
    /// A command is in flight, or a transaction is open.
    Busy,
    /// The backend has spoken last; more is not known of a connection without a version.
    Quiet,
}

impl State {
    fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        match self {
            Self::AwaitGreeting(_) | Self::AwaitClientTls(_) | Self::AwaitBackendTls(_) => Step::Wait,
            Self::AwaitResponse(state) => state.client(io, settings),
            Self::Authentication(state) => state.client(io, settings),
            Self::Followed(state) => state.client(io, settings),
            Self::Relay(state) => state.client(io, settings),
            Self::Versioned(state) => state.client(io, settings),
            Self::Ended(_) => {
                let len = io.client.rest().len();
                io.client.skip(len, &mut io.out.to_backend);
                Step::Wait
            }
        }
    }

    fn backend(&mut self, io: &mut Io<'_>, settings: &mut Settings) -> Step {
        match self {
            Self::AwaitGreeting(_) => AwaitGreeting::backend(io, settings),
            Self::AwaitResponse(state) => state.backend(io),
            Self::AwaitClientTls(_) | Self::AwaitBackendTls(_) => Step::Wait,
            Self::Authentication(state) => state.backend(io, settings),
            Self::Followed(state) => state.backend(io, settings),
            Self::Relay(state) => state.backend(io),
            Self::Versioned(state) => state.backend(io, settings),
            Self::Ended(_) => {
                let len = io.backend.rest().len();
                io.backend.skip(len, &mut io.out.to_client);
                Step::Wait
            }
        }
    }

    /// The sequence id of the packet that the client waits for, if it waits for one and has no part of it yet.
    fn seq_of_answer(&self) -> Option<u8> {
        match self {
            Self::AwaitGreeting(_) => Some(0),
            Self::AwaitResponse(state) => Some(state.next_seq()),
            Self::AwaitClientTls(state) => Some(state.next_seq()),
            Self::AwaitBackendTls(state) => Some(state.next_seq()),
            Self::Authentication(state) => Some(state.next_seq()),
            Self::Versioned(state) => state.seq_of_lost_answer(),
            Self::Followed(state) => state.seq_of_lost_answer(),
            // Where packets end is not known there: an ERR could become a part of a row.
            Self::Relay(_) | Self::Ended(_) => None,
        }
    }

    /// Answers a client that waits with an error.
    fn tell(&self, error: &ServerError, out: &mut Vec<u8>) {
        let Some(seq) = self.seq_of_answer() else { return };
        if matches!(self, Self::AwaitGreeting(_)) {
            // The client has not yet told that it speaks the 4.1 protocol, so there is no SQLSTATE.
            let mut payload = Vec::new();
            ErrPacket { number: error.number, sqlstate: None, message: error.message.as_bytes() }.encode(&mut payload);
            put_payload(out, seq, &payload);
        } else {
            put_error(out, seq, error);
        }
    }

    /// Tells a client that waits why the session is over, if the backend has not said it.
    fn tell_why(&self, step: &Step, out: &mut Vec<u8>) {
        match step {
            Step::Become(Self::Ended(End::BackendBroke)) => self.tell(&backend_broke(), out),
            Step::Become(Self::Ended(End::TooLong)) => self.tell(&too_long(), out),
            _ => {}
        }
    }

    /// Does what a step says; whether both peers' input must be looked at again.
    fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Wait => return false,
            Step::Again => {}
            Step::Become(state) => *self = state,
            Step::Authenticate(authentication) => {
                let before = std::mem::replace(self, Self::Ended(End::Quit));
                *self = Self::Authentication(authentication.with_before(before));
            }
        }
        true
    }
}

impl Io<'_> {
    /// Sends `len` bytes on that the backend says unasked.
    fn relay_last_words(&mut self, len: usize) {
        *self.has_last_words = true;
        self.relay_backend(len);
    }

    /// Sends the backend's next `len` bytes on.
    fn relay_backend(&mut self, len: usize) {
        self.backend.relay(len);
        self.backend.flush(&mut self.out.to_client);
    }

    /// Sends the client's next `len` bytes on.
    fn relay_client(&mut self, len: usize) {
        self.client.relay(len);
        self.client.flush(&mut self.out.to_backend);
    }

    /// Answers the client with an error.
    fn put_error(&mut self, seq: u8, error: &ServerError) {
        self.backend.flush(&mut self.out.to_client);
        put_error(&mut self.out.to_client, seq, error);
    }
}

fn backend_broke() -> ServerError {
    let message = "Malformed packet: Bifocal cannot read what the backend has sent".to_owned();
    ServerError { number: 2027, sqlstate: *b"HY000", message }
}

/// `ER_NET_PACKET_TOO_LARGE`
fn too_long() -> ServerError {
    let message = "Got a packet bigger than 'max_allowed_packet' bytes".to_owned();
    ServerError { number: 1153, sqlstate: *b"08S01", message }
}

/// Appends an ERR packet.
pub(crate) fn put_error(out: &mut Vec<u8>, seq: u8, error: &ServerError) {
    let err = ErrPacket { number: error.number, sqlstate: Some(error.sqlstate), message: error.message.as_bytes() };
    let mut payload = Vec::with_capacity(error.message.len() + 9);
    err.encode(&mut payload);
    put_payload(out, seq, &payload);
}

impl Default for Planner {
    fn default() -> Self {
        Self { plan: rewrite::plan, changes_facts: rewrite::changes_facts, translate_error: rewrite::translate_error }
    }
}

/// How much a client may send ahead of the answers that it waits for.
const MAX_HELD_LEN: usize = 64 * 1024;

const ER_NET_READ_ERROR: u16 = 1158;

const ER_CONNECTION_KILLED: u16 = 1927;

/// `ER_CONNECT_TO_FOREIGN_DATA_SOURCE`: there is no way to the backend.
pub const NO_BACKEND: u16 = 1429;
