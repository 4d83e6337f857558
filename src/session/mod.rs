//! One connection's state machine, without I/O: bytes from a peer go in, bytes for both peers come out.
//!
//! A connection is greeted and authenticated by relaying the dialog ([`authentication`]); after that it is
//! relayed as it is ([`relay`]) or, if it has a version, command by command ([`versioned`]). The output does not
//! depend on how the input was cut.

mod answering;
mod authentication;
mod diagnostics;
mod facts;
mod inbox;
mod refusal;
mod relay;
mod response;
mod statements;
mod use_database;
mod version;
mod versioned;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use version::{VersionName, is_known};

use crate::{
    rewrite::{self, Facts, Plan, ServerError},
    rules::{Mapping, Ruleset},
    wire::{ErrPacket, put_payload},
};
use authentication::{Authentication, AwaitGreeting, AwaitResponse};
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
}

/// What a session does not find out by itself.
#[derive(Debug)]
struct Settings {
    rules: Arc<Ruleset>,
    listener: Option<VersionName>,
    planner: Planner,
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
    /// The client said so.
    Quit,
    /// The connection was refused, by the backend or by Bifocal.
    Refused,
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
            Self::Quit => "quit",
            Self::Refused => "refused",
            Self::TooLong => "too long",
        }
    }
}

/// What a session is waiting for.
#[derive(Debug)]
enum State {
    Authentication(Authentication),
    AwaitGreeting(AwaitGreeting),
    AwaitResponse(AwaitResponse),
    Ended(End),
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
}

impl Session {
    /// A session before the greeting.
    pub fn new(rules: Arc<Ruleset>, listener: Option<VersionName>) -> Self {
        let settings = Settings { rules, listener, planner: Planner::default() };
        let state = State::AwaitGreeting(AwaitGreeting);
        Self { client: Inbox::default(), backend: Inbox::default(), settings, state }
    }

    /// The same session with another planner.
    #[must_use]
    pub fn with_planner(mut self, planner: Planner) -> Self {
        self.settings.planner = planner;
        self
    }

    /// The rules that hold from the next statement outside a transaction.
    pub fn set_rules(&mut self, rules: Arc<Ruleset>) {
        self.settings.rules = rules;
    }

    /// Takes what the client sent; `input` is left empty, perhaps with another allocation.
    pub fn client_bytes(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        self.client.feed(input);
        self.drive(out);
        self.client.settle(input);
        self.backend.settle(&mut Vec::new());
    }

    /// Takes what the backend sent; `input` is left empty, perhaps with another allocation.
    pub fn backend_bytes(&mut self, input: &mut Vec<u8>, out: &mut Outputs) {
        self.backend.feed(input);
        self.drive(out);
        self.backend.settle(input);
        self.client.settle(&mut Vec::new());
    }

    /// The backend has closed the connection: a client that waits for an answer is told.
    pub fn backend_closed(&mut self, out: &mut Outputs) {
        if let State::Versioned(versioned) = &self.state
            && let Some(seq) = versioned.seq_of_lost_answer()
        {
            let message = "Bifocal lost the connection to the backend during this command".to_owned();
            let error = ServerError { number: 2013, sqlstate: *b"HY000", message };
            put_error(&mut out.to_client, seq, &error);
        }
        self.state = State::Ended(End::BackendClosed);
    }

    /// Whether the client should be read from: not while enough of its commands wait for an answer.
    pub fn wants_client_bytes(&self) -> bool {
        match &self.state {
            State::Versioned(versioned) if versioned.takes_client_bytes() => true,
            State::Relay(_) => true,
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

    /// Whether the connection phase is over.
    pub fn is_authenticated(&self) -> bool {
        match &self.state {
            State::AwaitGreeting(_) | State::AwaitResponse(_) => false,
            State::Authentication(authentication) => authentication.is_change_user(),
            State::Ended(_) | State::Relay(_) | State::Versioned(_) => true,
        }
    }

    /// Whether it can be closed without cutting off a statement or a transaction.
    pub fn rest(&self) -> Rest {
        match &self.state {
            State::Relay(relay) if relay.is_quiet() => Rest::Quiet,
            State::Versioned(versioned) if versioned.is_at_rest() => Rest::AtRest,
            State::AwaitGreeting(_) | State::AwaitResponse(_) | State::Ended(_) => Rest::AtRest,
            State::Relay(_) | State::Versioned(_) | State::Authentication(_) => Rest::Busy,
        }
    }

    fn drive(&mut self, out: &mut Outputs) {
        let Self { client, backend, settings, state } = self;
        let mut io = Io { client, backend, out };
        loop {
            let from_client = state.client(&mut io, settings);
            let goes_on = state.take(from_client);
            let from_backend = state.backend(&mut io, settings);
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
            Self::AwaitGreeting(_) => Step::Wait,
            Self::AwaitResponse(state) => state.client(io, settings),
            Self::Authentication(state) => state.client(io),
            Self::Relay(state) => state.client(io, settings),
            Self::Versioned(state) => state.client(io, settings),
            Self::Ended(_) => {
                let len = io.client.rest().len();
                io.client.skip(len, &mut io.out.to_backend);
                Step::Wait
            }
        }
    }

    fn backend(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        match self {
            Self::AwaitGreeting(_) => AwaitGreeting::backend(io),
            Self::AwaitResponse(_) => AwaitResponse::backend(io),
            Self::Authentication(state) => state.backend(io, settings),
            Self::Relay(state) => state.backend(io),
            Self::Versioned(state) => state.backend(io, settings),
            Self::Ended(_) => {
                let len = io.backend.rest().len();
                io.backend.skip(len, &mut io.out.to_client);
                Step::Wait
            }
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
