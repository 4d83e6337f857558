//! The connection phase up to the handshake response: greeting, TLS on either leg, and the connection's version.
//!
//! TLS itself is the shell's: a state that waits for it says so by [`super::Session::awaits_tls`].
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use super::{
    End, Io, NO_BACKEND, Settings, State, Step,
    authentication::Authentication,
    compressed::Compressions,
    legs::{NO_PLUGIN, Protection, Tls},
    version::{self, Wishes},
};
use crate::{
    rewrite::ServerError,
    wire::{
        Announced, Capabilities, Changed, Compression, ErrPacket, Extent, Greeting, HandshakeResponse, ZstdLevel,
        put_payload,
    },
};

/// Waits for the backend's greeting.
#[derive(Debug)]
pub(super) struct AwaitGreeting;

impl AwaitGreeting {
    pub fn backend(io: &mut Io<'_>, settings: &mut Settings) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return bounded(io.backend.rest()) };
        let payload = &mut io.backend.rest_mut()[..extent.wire_len][crate::wire::HEADER_LEN..];
        if payload.first() == Some(&ErrPacket::HEADER) {
            io.relay_backend(extent.wire_len);
            return Step::Become(State::Ended(End::Refused));
        }
        let Ok(greeting) = Greeting::decode(payload) else { return Step::Become(State::Ended(End::BackendBroke)) };
        let mut offered = greeting.capabilities.without(Capabilities::MASKED).with(settings.legs.client.compression);
        if settings.legs.client.tls != Tls::Off {
            offered = offered.with(Capabilities::SSL);
        }
        greeting.patch(payload, offered);
        io.relay_backend(extent.wire_len);
        settings.scramble.clone_from(&greeting.scramble);
        settings.legs.backend.compression = settings.legs.backend.compression.and(greeting.capabilities);
        settings.is_mariadb = !greeting.capabilities.has(Capabilities::CLIENT_MYSQL);
        Step::Become(State::AwaitResponse(AwaitResponse { offered, greeting, seq: 1, has_tls: false }))
    }
}

/// Waits for the client's handshake response.
#[derive(Debug)]
pub(super) struct AwaitResponse {
    /// What the client was offered.
    offered: Capabilities,
    greeting: Greeting,
    /// Sequence id of the client's next packet.
    seq: u8,
    /// The client's leg has TLS already.
    has_tls: bool,
}

/// Waits for TLS on the client's leg.
#[derive(Debug)]
pub(super) struct AwaitClientTls(AwaitResponse);

/// Waits for TLS on the backend's leg, and then sends it the handshake response.
#[derive(Debug)]
pub(super) struct AwaitBackendTls {
    response: Vec<u8>,
    authentication: Authentication,
}

impl AwaitResponse {
    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let Some(extent) = Extent::find(io.client.rest()) else {
            if Announced::of(io.client.rest()).payload_len <= MAX_RESPONSE_LEN {
                return Step::Wait;
            }
            io.put_error(self.seq, &bad_handshake());
            return Step::Become(State::Ended(End::Refused));
        };
        self.seq = extent.last_seq.wrapping_add(1);
        match self.answer(io, extent, settings) {
            Ok(state) => Step::Become(state),
            Err(error) => {
                io.client.skip(extent.wire_len, &mut io.out.to_backend);
                io.put_error(self.seq, &error);
                Step::Become(State::Ended(End::Refused))
            }
        }
    }

    /// The backend speaks only to say that it ends the connection.
    pub fn backend(&self, io: &mut Io<'_>) -> Step {
        let Some(extent) = Extent::find(io.backend.rest()) else { return bounded(io.backend.rest()) };
        let mut joined = Vec::new();
        let payload = extent.payload(io.backend.rest(), &mut joined).to_vec();
        io.backend.skip(extent.wire_len, &mut io.out.to_client);
        put_payload(&mut io.out.to_client, self.seq, &payload);
        Step::Become(State::Ended(End::Refused))
    }

    /// The sequence id of an ERR in place of what the client waits for.
    pub fn next_seq(&self) -> u8 {
        self.seq
    }

    fn answer(&self, io: &mut Io<'_>, extent: Extent, settings: &Settings) -> Result<State, ServerError> {
        let mut joined = Vec::new();
        let payload = extent.payload(io.client.rest(), &mut joined);
        let wanted = HandshakeResponse::decode_capabilities(payload).map_err(|_| bad_handshake())?;
        if wanted.has(Capabilities::SSL) && !self.has_tls {
            if !self.offered.has(Capabilities::SSL) {
                return Err(no_tls());
            }
            io.client.skip(extent.wire_len, &mut io.out.to_backend);
            let (offered, greeting) = (self.offered, self.greeting.clone());
            return Ok(State::AwaitClientTls(AwaitClientTls(Self { offered, greeting, seq: self.seq, has_tls: true })));
        }
        if !wanted.has(Capabilities::PROTOCOL_41) {
            return Err(bad_handshake());
        }
        if settings.legs.client.tls == Tls::Require && !self.has_tls {
            return Err(tls_required());
        }
        self.open(io, extent, settings)
    }

    /// Sends the handshake response on, or asks for TLS before that.
    fn open(&self, io: &mut Io<'_>, extent: Extent, settings: &Settings) -> Result<State, ServerError> {
        let mut joined = Vec::new();
        let payload = extent.payload(io.client.rest(), &mut joined);
        let response = HandshakeResponse::decode(payload).map_err(|_| bad_handshake())?;
        let wishes = Wishes {
            database: response.database,
            attribute: response.attributes.value(version::ATTRIBUTE),
            listener: settings.listener.as_ref(),
        };
        let decision = version::decide(&settings.rules, wishes)?;
        let has_tls = self.backend_has_tls(settings)?;
        let mut legs = settings.legs.clone();
        if has_tls {
            legs.backend.protection = Protection::Tls;
        }
        let plugin = response.plugin.unwrap_or(&self.greeting.plugin);
        legs.allow(plugin).map_err(|why| clear_password(plugin, why))?;
        legs.know_os_user(response.user, response.collation.into(), response.plugin)?;
        let not_offered = Capabilities(Capabilities::AS_OFFERED.0 & !self.offered.0);
        let capabilities = response.capabilities.without(Capabilities::MASKED).without(not_offered);
        let asks_again = legs.must_ask_again(plugin, response.auth);
        let compressions = Compressions {
            client: client_compression(&response, self.offered)?,
            backend: legs.backend.backend_compression(),
        };
        let (compression, zstd_level) = match compressions.backend {
            None => (Capabilities::default(), None),
            Some(Compression::Zlib) => (Capabilities::COMPRESS, None),
            Some(Compression::Zstd(level)) => (Capabilities::ZSTD, Some(level.byte())),
        };
        let tls = if has_tls { Capabilities::SSL } else { Capabilities::default() };
        let changed = Changed {
            capabilities: capabilities.with(compression).with(tls),
            zstd_level,
            database: decision.database.as_deref().map(str::as_bytes),
            plugin: asks_again.then_some(NO_PLUGIN),
            auth: asks_again.then_some(b""),
        };
        let encoded = response.encode(payload, changed);
        let authentication =
            Authentication::new(capabilities, decision, plugin).after(extent.last_seq, 1 + u8::from(has_tls));
        let authentication = authentication.with_compressions(compressions);
        io.client.skip(extent.wire_len, &mut io.out.to_backend);
        if has_tls {
            put_payload(&mut io.out.to_backend, 1, &encoded[..HandshakeResponse::SSL_REQUEST_LEN]);
            return Ok(State::AwaitBackendTls(AwaitBackendTls { response: encoded, authentication }));
        }
        put_payload(&mut io.out.to_backend, 1, &encoded);
        Ok(State::Authentication(authentication))
    }

    fn backend_has_tls(&self, settings: &Settings) -> Result<bool, ServerError> {
        let is_offered = self.greeting.capabilities.has(Capabilities::SSL);
        match settings.legs.backend.tls {
            Tls::Off => Ok(false),
            Tls::Prefer => Ok(is_offered),
            Tls::Require if is_offered => Ok(true),
            Tls::Require => Err(no_backend_tls()),
        }
    }
}

impl AwaitClientTls {
    /// The leg has TLS now. What a client sent before that is gone with the handshake.
    pub fn upgraded(self, settings: &mut Settings) -> State {
        settings.legs.client.protection = Protection::Tls;
        State::AwaitResponse(self.0)
    }

    /// The sequence id of an ERR in place of what the client waits for.
    pub fn next_seq(&self) -> u8 {
        self.0.seq
    }
}

impl AwaitBackendTls {
    /// The leg has TLS now.
    pub fn upgraded(self, settings: &mut Settings, out: &mut Vec<u8>) -> State {
        settings.legs.backend.protection = Protection::Tls;
        put_payload(out, 2, &self.response);
        State::Authentication(self.authentication)
    }

    /// The sequence id of an ERR in place of what the client waits for.
    pub fn next_seq(&self) -> u8 {
        self.authentication.next_seq()
    }
}

/// How the client's leg is compressed; who wants both gets zlib, as the servers do it.
fn client_compression(
    response: &HandshakeResponse<'_>,
    offered: Capabilities,
) -> Result<Option<Compression>, ServerError> {
    let both = response.capabilities.and(offered);
    if both.has(Capabilities::COMPRESS) {
        return Ok(Some(Compression::Zlib));
    }
    if !both.has(Capabilities::ZSTD) {
        return Ok(None);
    }
    let level = response.zstd_level.and_then(ZstdLevel::new).ok_or_else(bad_handshake)?;
    Ok(Some(Compression::Zstd(level)))
}

/// Waits for the rest of what the backend says first, which is short.
fn bounded(held: &[u8]) -> Step {
    let is_short = Announced::of(held).payload_len <= MAX_RESPONSE_LEN;
    if is_short { Step::Wait } else { Step::Become(State::Ended(End::BackendBroke)) }
}

pub(super) fn clear_password(plugin: &[u8], why: &str) -> ServerError {
    let plugin = String::from_utf8_lossy(plugin);
    let message = format!("Bifocal does not pass on the password that '{plugin}' sends as it is: {why}");
    ServerError { number: 1251, sqlstate: *b"08004", message }
}

fn bad_handshake() -> ServerError {
    ServerError { number: 1043, sqlstate: *b"08S01", message: "Bad handshake".to_owned() }
}

fn no_tls() -> ServerError {
    let message = "Bad handshake: Bifocal did not offer TLS on this address; connect without it".to_owned();
    ServerError { number: 1043, sqlstate: *b"08S01", message }
}

fn tls_required() -> ServerError {
    let message = "Connections using insecure transport are prohibited while Bifocal's --tls is 'require'".to_owned();
    ServerError { number: 3159, sqlstate: *b"08004", message }
}

fn no_backend_tls() -> ServerError {
    let message = "The backend does not offer TLS, which Bifocal's --backend-tls demands".to_owned();
    ServerError { number: NO_BACKEND, sqlstate: *b"HY000", message }
}

/// Names, attributes and first answers of plugins are short; both servers take 64 KiB of attributes.
pub(super) const MAX_RESPONSE_LEN: usize = 1 << 20;
