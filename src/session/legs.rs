//! What protects each leg of a connection, and what follows from it for passwords.

use super::rsa::RsaSource;

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

/// What protects one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leg {
    /// Whether it has TLS.
    pub tls: Tls,
    /// Nobody listens here: TLS is on, or it is a Unix socket. Clients and servers send passwords as they are.
    pub is_secure: bool,
    /// The operator says so of what is neither, e.g. of loopback.
    pub is_trusted: bool,
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
}

/// How a plugin's next answer must be changed on its way to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Not at all.
    None,
    /// The client sends the password as it is, the backend takes it only under RSA.
    Encrypt,
    /// The client sends the password only under RSA, the backend takes it as it is.
    Decrypt,
}

impl Legs {
    /// What becomes of a password of the SHA-2 plugins.
    pub(super) fn conversion(&self) -> Conversion {
        match (self.client.is_secure, self.backend.is_secure) {
            (true, false) => Conversion::Encrypt,
            (false, true) => Conversion::Decrypt,
            _ => Conversion::None,
        }
    }

    /// Whether a plugin that sends passwords as they are may go on; else why not.
    pub(super) fn allow(&self, plugin: &[u8]) -> Result<(), &'static str> {
        let backend_is_open = !self.backend.is_secure && !self.backend.is_trusted;
        match plugin {
            CLEAR_PASSWORD if !self.client.is_secure && !self.client.is_trusted => {
                Err("the connection to Bifocal has no TLS")
            }
            CLEAR_PASSWORD if backend_is_open => Err("Bifocal's connection to the backend has no TLS"),
            // Its server asks without TLS too; but then the client knows.
            DIALOG if backend_is_open && self.client.is_secure => {
                Err("Bifocal's connection to the backend has no TLS, while the client's has")
            }
            _ => Ok(()),
        }
    }

    /// Whether the backend must ask again: what this plugin said first is meant for the client's leg alone.
    pub(super) fn must_ask_again(&self, plugin: &[u8], auth: &[u8]) -> bool {
        let tells_password = matches!(plugin, CLEAR_PASSWORD | SHA256_PASSWORD);
        tells_password && !auth.is_empty() && self.client.is_secure != self.backend.is_secure
    }
}

/// Caches what it has verified, and needs the password itself only once per user.
pub(super) const CACHING_SHA2_PASSWORD: &[u8] = b"caching_sha2_password";

/// Needs the password itself each time.
pub(super) const SHA256_PASSWORD: &[u8] = b"sha256_password";

/// Sends the password as it is: LDAP, PAM, tokens of a cloud's identity service.
const CLEAR_PASSWORD: &[u8] = b"mysql_clear_password";

/// MariaDB's questions and answers, for PAM.
const DIALOG: &[u8] = b"dialog";

/// The name of no plugin: a backend that reads it asks the client again, with the account's own plugin.
pub(super) const NO_PLUGIN: &[u8] = b"bifocal_ask_again";

#[cfg(test)]
mod tests {
    use super::{CLEAR_PASSWORD, Conversion, DIALOG, Leg, Legs, SHA256_PASSWORD};

    fn legs(client: bool, backend: bool) -> Legs {
        let leg = |is_secure| Leg { is_secure, ..Leg::default() };
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
            legs.client.is_trusted = true;
            legs.backend.is_trusted = true;
            assert!(legs.allow(CLEAR_PASSWORD).is_ok() && legs.allow(DIALOG).is_ok());
        }
        assert!(legs(false, false).allow(DIALOG).is_ok());
        assert!(legs(true, false).allow(DIALOG).is_err());
    }

    #[test]
    fn only_legs_that_differ_change_a_password() {
        assert_eq!(legs(true, true).conversion(), Conversion::None);
        assert_eq!(legs(true, false).conversion(), Conversion::Encrypt);
        assert_eq!(legs(false, true).conversion(), Conversion::Decrypt);
        assert!(legs(false, true).must_ask_again(SHA256_PASSWORD, b"\x01"));
        assert!(!legs(false, true).must_ask_again(SHA256_PASSWORD, b""));
        assert!(!legs(false, false).must_ask_again(SHA256_PASSWORD, b"\x01"));
    }
}
