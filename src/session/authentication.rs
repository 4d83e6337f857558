//! The connection phase after the greeting, and `COM_CHANGE_USER`: a dialog that is relayed until OK or ERR.
//!
//! Bifocal knows no passwords. Each packet of the client must be an answer to one of the backend's: a command
//! sent ahead stays here until the dialog is over, so that it cannot pass unplanned.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use super::{
    End, Io, Settings, State, Step,
    relay::Relay,
    version::{self, Decision, Wishes},
    versioned::Versioned,
};
use crate::{
    rewrite::ServerError,
    wire::{Capabilities, ErrPacket, Extent, Greeting, HandshakeResponse, OkPacket, put_payload},
};

/// Waits for the backend's greeting.
#[derive(Debug)]
pub(super) struct AwaitGreeting;

impl AwaitGreeting {
    pub fn backend(io: &mut Io<'_>) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return Step::Wait };
        let payload = &mut io.backend.rest_mut()[..extent.wire_len][crate::wire::HEADER_LEN..];
        if payload.first() == Some(&ErrPacket::HEADER) {
            io.relay_backend(extent.wire_len);
            return Step::Become(State::Ended(End::Refused));
        }
        let Ok(greeting) = Greeting::decode(payload) else { return Step::Become(State::Ended(End::BackendBroke)) };
        let offered = greeting.capabilities.without(Capabilities::MASKED);
        greeting.patch(payload, offered);
        io.relay_backend(extent.wire_len);
        Step::Become(State::AwaitResponse(AwaitResponse { offered }))
    }
}

/// Waits for the client's handshake response.
#[derive(Debug)]
pub(super) struct AwaitResponse {
    /// What the client was offered.
    offered: Capabilities,
}

impl AwaitResponse {
    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let Some(extent) = Extent::find(io.client.rest()) else { return Step::Wait };
        match self.answer(io, extent, settings) {
            Ok(authentication) => Step::Become(State::Authentication(authentication)),
            Err(error) => {
                io.client.skip(extent.wire_len, &mut io.out.to_backend);
                io.put_error(extent.last_seq.wrapping_add(1), &error);
                Step::Become(State::Ended(End::Refused))
            }
        }
    }

    /// The backend speaks only to say that it ends the connection.
    pub fn backend(io: &mut Io<'_>) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return Step::Wait };
        io.relay_backend(extent.wire_len);
        Step::Become(State::Ended(End::Refused))
    }

    fn answer(&self, io: &mut Io<'_>, extent: Extent, settings: &Settings) -> Result<Authentication, ServerError> {
        let mut joined = Vec::new();
        let payload = extent.payload(io.client.rest(), &mut joined);
        let wanted = HandshakeResponse::decode_capabilities(payload).map_err(|_| bad_handshake())?;
        if wanted.has(Capabilities::SSL) {
            return Err(no_tls());
        }
        if !wanted.has(Capabilities::PROTOCOL_41) {
            return Err(bad_handshake());
        }
        let response = HandshakeResponse::decode(payload).map_err(|_| bad_handshake())?;
        let wishes = Wishes {
            database: response.database.as_ref().map(|(name, _)| *name),
            attribute: response.attributes.value(version::ATTRIBUTE),
            listener: settings.listener.as_ref(),
        };
        let decision = version::decide(&settings.rules, wishes)?;
        let not_offered = Capabilities(Capabilities::AS_OFFERED.0 & !self.offered.0);
        let capabilities = wanted.without(Capabilities::MASKED).without(not_offered);
        let encoded = response.encode(payload, capabilities, decision.database.as_deref().map(str::as_bytes));
        io.client.skip(extent.wire_len, &mut io.out.to_backend);
        put_payload(&mut io.out.to_backend, extent.first_seq, &encoded);
        Ok(Authentication::new(capabilities, decision, None))
    }
}

/// Relays the dialog until the backend says OK or ERR.
#[derive(Debug)]
pub(super) struct Authentication {
    capabilities: Capabilities,
    decision: Decision,
    /// The state before `COM_CHANGE_USER`, which goes on if the backend refuses the new user.
    before: Option<Box<State>>,
    /// How many packets the client may send.
    asked: usize,
    /// What both may still send.
    bytes_left: usize,
}

/// A dialog is over after this: keys, tickets and questions are short.
const MAX_DIALOG_LEN: usize = 1 << 20;

impl Authentication {
    pub fn new(capabilities: Capabilities, decision: Decision, before: Option<Box<State>>) -> Self {
        Self { capabilities, decision, before, asked: 0, bytes_left: MAX_DIALOG_LEN }
    }

    pub fn with_before(mut self, before: State) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    pub fn is_change_user(&self) -> bool {
        self.before.is_some()
    }

    pub fn client(&mut self, io: &mut Io<'_>) -> Step {
        while self.asked > 0 {
            let Some(extent) = Extent::find(io.client.rest()) else { return self.bounded(io.client.rest().len()) };
            if !self.spend(extent.wire_len) {
                return Step::Become(State::Ended(End::TooLong));
            }
            self.asked -= 1;
            io.relay_client(extent.wire_len);
        }
        Step::Wait
    }

    pub fn backend(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return self.bounded(io.backend.rest().len()) };
        if !self.spend(extent.wire_len) {
            return Step::Become(State::Ended(End::TooLong));
        }
        let mut joined = Vec::new();
        let payload = extent.payload(io.backend.rest(), &mut joined);
        let first = payload.first().copied();
        let is_fast_success = payload == FAST_AUTHENTICATION_SUCCESS;
        let status = OkPacket::decode(payload).ok().map(|ok| ok.status).unwrap_or_default();
        io.relay_backend(extent.wire_len);
        match first {
            Some(OkPacket::HEADER) => Step::Become(match self.decision.version.take() {
                None => State::Relay(Relay::new(self.capabilities)),
                Some(name) => {
                    State::Versioned(Box::new(Versioned::new(self.capabilities, name, &settings.rules, status)))
                }
            }),
            Some(ErrPacket::HEADER) => Step::Become(match self.before.take() {
                None => State::Ended(End::Refused),
                Some(before) => *before,
            }),
            _ => {
                self.asked += usize::from(!is_fast_success);
                Step::Again
            }
        }
    }

    fn spend(&mut self, len: usize) -> bool {
        let left = self.bytes_left.checked_sub(len);
        self.bytes_left = left.unwrap_or(0);
        left.is_some()
    }

    fn bounded(&self, held_len: usize) -> Step {
        if held_len > self.bytes_left { Step::Become(State::Ended(End::TooLong)) } else { Step::Wait }
    }
}

/// `caching_sha2_password` has found the password in its cache; an OK follows, and the client says nothing.
const FAST_AUTHENTICATION_SUCCESS: &[u8] = b"\x01\x03";

fn bad_handshake() -> ServerError {
    ServerError { number: 1043, sqlstate: *b"08S01", message: "Bad handshake".to_owned() }
}

fn no_tls() -> ServerError {
    let message = "Bad handshake: Bifocal did not offer TLS on this address; connect without it".to_owned();
    ServerError { number: 1043, sqlstate: *b"08S01", message }
}
