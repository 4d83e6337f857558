//! What protects each leg of a connection, and what follows from it for passwords.

use super::rsa::RsaSource;
use crate::{
    rewrite::ServerError,
    wire::{Capabilities, Compression, REQUEST_PUBLIC_KEY_SHA256, ZstdLevel},
};

/// One of the two legs of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the client to Bifocal.
    Client,
    /// From Bifocal to the backend.
    Backend,
}

/// Whether a leg has TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Never: it is neither offered to the client nor asked of the backend.
    #[default]
    Off,
    /// If the peer can and, on the client's leg, wants it.
    Prefer,
    /// Else the connection is refused.
    Require,
}

/// What protects one leg, and what makes it shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leg {
    /// Whether it has TLS.
    pub tls: Tls,
    /// What keeps others from listening.
    pub protection: Protection,
    /// The operator says that nobody listens where nothing keeps them from it, e.g. on loopback.
    pub is_trusted: bool,
    /// Of [`Capabilities::COMPRESS`] and [`Capabilities::ZSTD`], what the client is offered, or the backend asked for;
    /// after its greeting, what of that it has.
    pub compression: Capabilities,
}

/// What keeps others from listening to a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// Nothing.
    #[default]
    None,
    /// It is a Unix socket.
    Local,
    /// TLS is on.
    Tls,
}

/// What protects both legs, and where the key pair comes from for clients whose leg has no TLS while the backend's has.
#[derive(Debug, Clone, Default)]
pub struct Legs {
    /// The client's.
    pub client: Leg,
    /// The backend's.
    pub backend: Leg,
    /// The key pair.
    pub rsa: RsaSource,
    /// Whom the backend takes the client for.
    pub os_user: OsUser,
}

/// Whom a backend takes the client for that looks at the OS user at the other end of its socket (`unix_socket`,
/// `auth_socket`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OsUser {
    /// For nobody: it is reached over TCP. Or for the OS user that the client is indeed.
    #[default]
    Known,
    /// For Bifocal's own OS user, of this name, which the client may well not be.
    Bifocals(Vec<u8>),
}

impl Leg {
    /// How the backend's leg is compressed: zstd before zlib.
    pub(super) fn backend_compression(&self) -> Option<Compression> {
        if self.compression.has(Capabilities::ZSTD) {
            return Some(Compression::Zstd(ZstdLevel::default()));
        }
        self.compression.has(Capabilities::COMPRESS).then_some(Compression::Zlib)
    }

    /// Nobody listens here.
    pub(super) fn is_secure(self) -> bool {
        self.protection != Protection::None
    }

    fn is_open(self) -> bool {
        !self.is_secure() && !self.is_trusted
    }

    /// Whether a server at the end of this leg takes a password as it is; else it takes it under RSA.
    pub(super) fn takes_clear(self, plugin: &[u8]) -> bool {
        match self.protection {
            Protection::None => false,
            Protection::Local => plugin != SHA256_PASSWORD,
            Protection::Tls => true,
        }
    }

    /// Whether a client at the end of this leg has said its password as it is; else it is under RSA.
    pub(super) fn tells_clear(self, plugin: &[u8], said: &[u8]) -> bool {
        match self.protection {
            Protection::None => false,
            // Not all clients think of a Unix socket as the servers do.
            Protection::Local => plugin != SHA256_PASSWORD || !RSA_LENS.contains(&said.len()),
            Protection::Tls => true,
        }
    }
}

impl Legs {
    /// Whether a plugin that sends passwords as they are may go on; else why not.
    pub(super) fn allow(&self, plugin: &[u8]) -> Result<(), &'static str> {
        match plugin {
            CLEAR_PASSWORD | OPENID_CONNECT if self.client.is_open() => Err("the connection to Bifocal has no TLS"),
            CLEAR_PASSWORD | OPENID_CONNECT if self.backend.is_open() => {
                Err("Bifocal's connection to the backend has no TLS")
            }
            // Its server asks without TLS too; but then the client knows.
            DIALOG if self.backend.is_open() && self.client.is_secure() => {
                Err("Bifocal's connection to the backend has no TLS, while the client's has")
            }
            _ => Ok(()),
        }
    }

    /// Refuses whom the backend might let in as Bifocal's own OS user.
    ///
    /// An account can have `unix_socket` after another plugin; then an OK after the other plugin's question tells nothing.
    /// So nobody has that name here.
    pub(super) fn know_os_user(&self, user: &[u8], collation: u16, plugin: Option<&[u8]>) -> Result<(), ServerError> {
        let OsUser::Bifocals(name) = &self.os_user else { return Ok(()) };
        // Both servers take a name out of its quotes; and this charset has another way to write letters.
        let bare = user.strip_prefix(b"'").and_then(|user| user.strip_suffix(b"'")).unwrap_or(user);
        let is_bifocals = bare == name.as_slice() || collation == FILENAME_COLLATION;
        // Without a plugin's name there is no asking again.
        if is_bifocals || plugin.is_none() { Err(os_user_not_known()) } else { Ok(()) }
    }

    /// Whether the backend must ask again: what this plugin said first is meant for the client's leg alone, or the
    /// backend would let the client in as an OS user that it is not.
    pub(super) fn must_ask_again(&self, plugin: &[u8], said: &[u8]) -> bool {
        let (client, backend) = (self.client.protection, self.backend.protection);
        let is_meant_for_one_leg = match plugin {
            _ if said.is_empty() => false,
            CLEAR_PASSWORD | OPENID_CONNECT => client != backend,
            SHA256_PASSWORD if said == REQUEST_PUBLIC_KEY_SHA256 => backend == Protection::Tls,
            SHA256_PASSWORD => (client, backend) != (Protection::Tls, Protection::Tls),
            _ => false,
        };
        is_meant_for_one_leg || self.os_user != OsUser::Known
    }
}

/// Caches what it has verified, and needs the password itself only once per user.
pub(super) const CACHING_SHA2_PASSWORD: &[u8] = b"caching_sha2_password";

/// Needs the password itself each time.
pub(super) const SHA256_PASSWORD: &[u8] = b"sha256_password";

/// Sends the password as it is: LDAP, PAM, tokens of a cloud's identity service.
const CLEAR_PASSWORD: &[u8] = b"mysql_clear_password";

/// Sends a token as it is.
const OPENID_CONNECT: &[u8] = b"authentication_openid_connect_client";

/// MariaDB's questions and answers, for PAM.
pub(super) const DIALOG: &[u8] = b"dialog";

/// The name of no plugin: a backend that reads it asks the client again, with the account's own plugin.
pub(super) const NO_PLUGIN: &[u8] = b"bifocal_ask_again";

/// `filename_general_ci`, in which `@0072oot` is a name of root's.
const FILENAME_COLLATION: u16 = 17;

pub(super) fn os_user_not_known() -> ServerError {
    let message = "Bifocal does not let this user in: the backend, on a Unix socket, would see Bifocal's OS user in place \
                   of the client's";
    ServerError { number: 1045, sqlstate: *b"28000", message: message.to_owned() }
}

/// How long what is encrypted with an RSA key can be, for keys of 1024 to 4096 bits.
const RSA_LENS: [usize; 4] = [128, 256, 384, 512];

#[cfg(test)]
mod tests {
    use super::{
        CACHING_SHA2_PASSWORD, CLEAR_PASSWORD, DIALOG, Leg, Legs, OPENID_CONNECT, OsUser, Protection, SHA256_PASSWORD,
    };

    fn legs(client: bool, backend: bool) -> Legs {
        let protection = |is_secure| if is_secure { Protection::Tls } else { Protection::None };
        let leg = |is_secure| Leg { protection: protection(is_secure), ..Leg::default() };
        Legs { client: leg(client), backend: leg(backend), ..Legs::default() }
    }

    /// Line 6: clear passwords only where both legs are secure, or trusted.
    #[test]
    fn l06_clear_passwords_need_both_legs() {
        for (client, backend, is_allowed) in
            [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
        {
            let mut legs = legs(client, backend);
            assert_eq!(legs.allow(CLEAR_PASSWORD).is_ok(), is_allowed, "{client} {backend}");
            assert_eq!(legs.allow(OPENID_CONNECT).is_ok(), is_allowed, "{client} {backend}");
            legs.client.is_trusted = true;
            legs.backend.is_trusted = true;
            assert!(legs.allow(CLEAR_PASSWORD).is_ok() && legs.allow(DIALOG).is_ok());
        }
        assert!(legs(false, false).allow(DIALOG).is_ok());
        assert!(legs(true, false).allow(DIALOG).is_err());
    }

    #[test]
    fn a_first_answer_stays_on_the_leg_that_it_is_meant_for() {
        assert!(!legs(true, true).must_ask_again(SHA256_PASSWORD, b"password\0"));
        assert!(legs(true, false).must_ask_again(SHA256_PASSWORD, b"password\0"));
        assert!(legs(false, false).must_ask_again(SHA256_PASSWORD, b"password\0"));
        assert!(legs(false, true).must_ask_again(SHA256_PASSWORD, b"\x01"));
        assert!(!legs(false, false).must_ask_again(SHA256_PASSWORD, b"\x01"));
        assert!(!legs(false, true).must_ask_again(SHA256_PASSWORD, b""));
        assert!(!legs(true, false).must_ask_again(CACHING_SHA2_PASSWORD, b"scrambled"));
    }

    #[test]
    fn a_unix_socket_is_secure_for_one_of_the_two_plugins() {
        let leg = Leg { protection: Protection::Local, ..Leg::default() };
        assert!(leg.takes_clear(CACHING_SHA2_PASSWORD) && leg.tells_clear(CACHING_SHA2_PASSWORD, &[0; 256]));
        assert!(!leg.takes_clear(SHA256_PASSWORD) && !leg.tells_clear(SHA256_PASSWORD, &[0; 256]));
        assert!(leg.tells_clear(SHA256_PASSWORD, b"password\0"));
    }

    #[test]
    fn who_may_be_another_os_user_is_always_asked() {
        let legs = Legs { os_user: OsUser::Bifocals(b"bifocal".to_vec()), ..legs(true, true) };
        assert!(legs.must_ask_again(CACHING_SHA2_PASSWORD, b"scrambled") && legs.must_ask_again(b"", b""));
        let plugin = Some(CACHING_SHA2_PASSWORD);
        assert!(legs.know_os_user(b"app", 45, plugin).is_ok());
        for (user, collation, plugin) in [
            (&b"bifocal"[..], 45, plugin),
            (b"'bifocal'", 45, plugin),
            (b"@0062ifocal", 17, plugin),
            (b"app", 45, None),
        ] {
            assert!(legs.know_os_user(user, collation, plugin).is_err());
        }
    }
}
