//! Authentication, after the handshake response and by `COM_CHANGE_USER`: a dialog that is relayed until OK or ERR.
//!
//! Bifocal knows no passwords. Each packet of the client must be an answer to one of the backend's: a command
//! sent ahead stays here until the dialog is over, so that it cannot pass unplanned. Sequence ids are each leg's own: TLS on
//! one leg takes one more there, and so does a key that only one leg needs.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use super::{
    End, Io, Settings, State, Step,
    compressed::Compressions,
    connecting::clear_password,
    followed::Followed,
    legs::{CACHING_SHA2_PASSWORD, DIALOG, OsUser, SHA256_PASSWORD, os_user_not_known},
    relay::Relay,
    rsa::{self, BadKey, Password},
    version::Decision,
    versioned::Versioned,
};
use crate::{
    rewrite::ServerError,
    wire::{
        AUTH_MORE_DATA, AuthSwitch, Capabilities, ErrPacket, Extent, FAST_AUTHENTICATION_SUCCESS, OkPacket,
        PERFORM_FULL_AUTHENTICATION, REQUEST_PUBLIC_KEY, REQUEST_PUBLIC_KEY_SHA256, put_payload,
    },
};

/// Relays the dialog until the backend says OK or ERR.
#[derive(Debug)]
pub(super) struct Authentication {
    capabilities: Capabilities,
    decision: Decision,
    /// The state before `COM_CHANGE_USER`, which goes on if the backend refuses the new user.
    before: Option<Box<State>>,
    /// How many packets the client may send.
    asked: usize,
    /// The backend has asked for something.
    was_asked: bool,
    /// What both may still send.
    bytes_left: usize,
    /// Sequence id of the last packet on the client's leg.
    client_seq: u8,
    /// Sequence id of the last packet on the backend's leg.
    backend_seq: u8,
    /// The plugin whose dialog it is.
    plugin: Vec<u8>,
    exchange: Exchange,
    /// What begins when it succeeds.
    compressions: Compressions,
}

/// What is done with the next packet of the plugin's dialog.
#[derive(Debug)]
enum Exchange {
    /// It goes on as it is.
    Relay,
    /// The client sends a password, or asks for a key to encrypt it with.
    AwaitPassword,
    /// The client sends a password that is to be decrypted here.
    AwaitEncrypted,
    /// The backend sends its key for a password that is here.
    AwaitKey(Password),
}

/// A dialog is over after this: keys, tickets and questions are short.
const MAX_DIALOG_LEN: usize = 1 << 20;

impl Authentication {
    pub fn new(capabilities: Capabilities, decision: Decision, plugin: &[u8]) -> Self {
        Self {
            capabilities,
            decision,
            before: None,
            asked: 0,
            was_asked: false,
            bytes_left: MAX_DIALOG_LEN,
            client_seq: 0,
            backend_seq: 0,
            plugin: plugin.to_vec(),
            exchange: Exchange::Relay,
            compressions: Compressions::default(),
        }
    }

    /// The initial authentication, after which the legs are compressed.
    pub fn with_compressions(mut self, compressions: Compressions) -> Self {
        self.compressions = compressions;
        self
    }

    /// The last sequence ids on both legs.
    pub fn after(mut self, client_seq: u8, backend_seq: u8) -> Self {
        (self.client_seq, self.backend_seq) = (client_seq, backend_seq);
        self
    }

    pub fn with_before(mut self, before: State) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// The sequence id of an ERR in place of what the client waits for.
    pub fn next_seq(&self) -> u8 {
        self.client_seq.wrapping_add(1)
    }

    /// Whether the client is to say something, which is bounded here.
    pub fn awaits_client(&self) -> bool {
        self.asked > 0
    }

    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        while self.asked > 0 {
            let Some(extent) = Extent::find(io.client.rest()) else { return self.bounded(io.client.rest().len()) };
            if !self.spend(extent.wire_len) {
                return Step::Become(State::Ended(End::TooLong));
            }
            self.asked -= 1;
            self.client_seq = extent.last_seq;
            let mut joined = Vec::new();
            let payload = Password::new(extent.payload(io.client.rest(), &mut joined).to_vec());
            io.client.skip(extent.wire_len, &mut io.out.to_backend);
            if let Err(error) = self.answer(io, payload, settings) {
                return self.refuse(io, &error);
            }
        }
        Step::Wait
    }

    pub fn backend(&mut self, io: &mut Io<'_>, settings: &mut Settings) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return self.bounded(io.backend.rest().len()) };
        if !self.spend(extent.wire_len) {
            return Step::Become(State::Ended(End::TooLong));
        }
        self.backend_seq = extent.last_seq;
        let mut joined = Vec::new();
        let payload = extent.payload(io.backend.rest(), &mut joined).to_vec();
        io.backend.skip(extent.wire_len, &mut io.out.to_client);
        match self.take_key(io, &payload, settings) {
            Ok(false) => {}
            Ok(true) => return Step::Again,
            Err(error) => return self.refuse(io, &error),
        }
        match payload.first() {
            Some(&OkPacket::HEADER) if !self.was_asked && settings.legs.os_user != OsUser::Known => {
                self.refuse(io, &os_user_not_known())
            }
            Some(&OkPacket::HEADER) => {
                self.put_to_client(io, &payload);
                io.begin_compression(self.compressions);
                self.succeed(&payload, settings, io.is_compressed())
            }
            Some(&ErrPacket::HEADER) => {
                self.put_to_client(io, &payload);
                Step::Become(match self.before.take() {
                    None => State::Ended(End::Refused),
                    Some(before) => *before,
                })
            }
            _ => match self.question(&payload, settings) {
                Ok(()) => {
                    self.put_to_client(io, &payload);
                    Step::Again
                }
                Err(error) => self.refuse(io, &error),
            },
        }
    }

    fn succeed(&mut self, payload: &[u8], settings: &Settings, is_compressed: bool) -> Step {
        let status = OkPacket::decode(payload).ok().map(|ok| ok.status).unwrap_or_default();
        Step::Become(match self.decision.version.take() {
            None if is_compressed => State::Followed(Box::new(Followed::new(self.capabilities, status))),
            None => State::Relay(Relay::new(self.capabilities)),
            Some(name) => State::Versioned(Box::new(Versioned::new(self.capabilities, name, &settings.rules, status))),
        })
    }

    /// The backend wants to know more of the client.
    fn question(&mut self, payload: &[u8], settings: &mut Settings) -> Result<(), ServerError> {
        let has_factors = self.capabilities.has(Capabilities::MULTI_FACTOR_AUTHENTICATION);
        let mut tells_password = payload == PERFORM_FULL_AUTHENTICATION && self.plugin == CACHING_SHA2_PASSWORD;
        let is_switch = match payload.first() {
            Some(&AuthSwitch::HEADER) => true,
            // In a dialog it is a question.
            Some(&AuthSwitch::NEXT_FACTOR) => has_factors && self.plugin != DIALOG,
            _ => false,
        };
        if is_switch {
            let switch = AuthSwitch::decode(payload);
            settings.legs.allow(switch.plugin).map_err(|why| clear_password(switch.plugin, why))?;
            if settings.legs.os_user != OsUser::Known && SOCKET_PLUGINS.contains(&switch.plugin) {
                return Err(os_user_not_known());
            }
            self.plugin = switch.plugin.to_vec();
            settings.scramble = switch.data.strip_suffix(b"\0").unwrap_or(switch.data).to_vec();
            tells_password = switch.plugin == SHA256_PASSWORD;
        }
        self.exchange = if tells_password { Exchange::AwaitPassword } else { Exchange::Relay };
        let is_told = self.plugin == CACHING_SHA2_PASSWORD && payload == FAST_AUTHENTICATION_SUCCESS;
        self.asked += usize::from(!is_told);
        self.was_asked = true;
        Ok(())
    }

    /// The client's answer.
    fn answer(&mut self, io: &mut Io<'_>, payload: Password, settings: &Settings) -> Result<(), ServerError> {
        let legs = &settings.legs;
        let takes_clear = legs.backend.takes_clear(&self.plugin);
        // An empty password is the same in every form.
        let is_empty = matches!(payload.bytes(), b"" | b"\0");
        let exchange = match std::mem::replace(&mut self.exchange, Exchange::Relay) {
            _ if is_empty => Exchange::Relay,
            exchange => exchange,
        };
        let is_clear = match exchange {
            Exchange::AwaitPassword if payload.bytes() == self.key_request() => {
                if takes_clear {
                    return self.show_key(io, settings);
                }
                takes_clear
            }
            Exchange::AwaitPassword => legs.client.tells_clear(&self.plugin, payload.bytes()),
            Exchange::AwaitEncrypted => false,
            Exchange::Relay | Exchange::AwaitKey(_) => takes_clear,
        };
        match (is_clear, takes_clear) {
            (true, false) => {
                self.put_to_backend(io, self.key_request());
                self.exchange = Exchange::AwaitKey(payload);
            }
            (false, true) => {
                let key = legs.rsa.key().map_err(bad_key)?;
                let password = key.decrypt(payload.bytes(), &settings.scramble).map_err(bad_key)?;
                self.put_to_backend(io, password.bytes());
            }
            _ => self.put_to_backend(io, payload.bytes()),
        }
        Ok(())
    }

    /// The client encrypts its password with a key from here, where it can be decrypted.
    fn show_key(&mut self, io: &mut Io<'_>, settings: &Settings) -> Result<(), ServerError> {
        let key = settings.legs.rsa.key().map_err(bad_key)?;
        self.put_to_client(io, &[&[AUTH_MORE_DATA], key.public_pem()].concat());
        self.exchange = Exchange::AwaitEncrypted;
        self.asked += 1;
        Ok(())
    }

    /// Whether the payload is the key that was asked for from here; then the password that waited for it is sent.
    fn take_key(&mut self, io: &mut Io<'_>, payload: &[u8], settings: &Settings) -> Result<bool, ServerError> {
        let Exchange::AwaitKey(password) = std::mem::replace(&mut self.exchange, Exchange::Relay) else {
            return Ok(false);
        };
        let [AUTH_MORE_DATA, pem @ ..] = payload else { return Ok(false) };
        let encrypted = rsa::encrypt(password.bytes(), &settings.scramble, pem).map_err(bad_key)?;
        self.put_to_backend(io, &encrypted);
        Ok(true)
    }

    fn key_request(&self) -> &'static [u8] {
        if self.plugin == SHA256_PASSWORD { REQUEST_PUBLIC_KEY_SHA256 } else { REQUEST_PUBLIC_KEY }
    }

    fn put_to_client(&mut self, io: &mut Io<'_>, payload: &[u8]) {
        self.client_seq = put_payload(&mut io.out.to_client, self.client_seq.wrapping_add(1), payload);
    }

    fn put_to_backend(&mut self, io: &mut Io<'_>, payload: &[u8]) {
        self.backend_seq = put_payload(&mut io.out.to_backend, self.backend_seq.wrapping_add(1), payload);
    }

    /// Ends the connection: the backend waits for an answer that it cannot be given.
    fn refuse(&mut self, io: &mut Io<'_>, error: &ServerError) -> Step {
        io.put_error(self.next_seq(), error);
        Step::Become(State::Ended(End::Refused))
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

/// The plugins that look at the OS user at the other end of a socket, where the backend names them.
const SOCKET_PLUGINS: [&[u8]; 3] = [b"", b"auth_socket", b"unix_socket"];

fn bad_key(why: BadKey) -> ServerError {
    let message = format!(
        "Bifocal cannot pass the password on from a connection without TLS to one with TLS: {why}; connect with TLS, or \
         let the client ask for the server's public key"
    );
    ServerError { number: 1045, sqlstate: *b"28000", message }
}
