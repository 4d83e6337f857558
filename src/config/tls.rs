//! TLS as configured, on both legs. The files themselves are read when the proxy starts, and again when it reloads.

use std::{path::PathBuf, str::FromStr};

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// Whether clients have TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientTls {
    /// It is not offered.
    #[default]
    Off,
    /// Who wants it gets it.
    Prefer,
    /// Who does not want it is refused.
    Require,
}

/// Whether the backend has TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendTls {
    /// Never.
    Off,
    /// If it can; its certificate is not looked at.
    #[default]
    Prefer,
    /// Always; its certificate is not looked at.
    Require,
    /// Always, with a certificate of an authority that is trusted, for the backend's name.
    Verify,
}

/// The client's leg. Invariant: unless the mode is off, there is an identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientLeg {
    /// Whether there is TLS.
    pub mode: ClientTls,
    /// What Bifocal shows.
    pub identity: Option<Identity>,
    /// The authorities of the certificates that clients must show, in PEM.
    pub client_ca: Option<PathBuf>,
}

/// The backend's leg. Invariant: where the certificate is verified, there are authorities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackendLeg {
    /// Whether there is TLS.
    pub mode: BackendTls,
    /// The authorities that are trusted, in PEM.
    pub ca: Option<PathBuf>,
    /// The name in the certificate, if it is not the backend's address.
    pub name: Option<String>,
    /// What Bifocal shows.
    pub identity: Option<Identity>,
}

impl FromStr for ClientTls {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written {
            "off" => Ok(Self::Off),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(format!("'{written}' is none of off, prefer, require")),
        }
    }
}

impl FromStr for BackendTls {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written {
            "off" => Ok(Self::Off),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify" => Ok(Self::Verify),
            _ => Err(format!("'{written}' is none of off, prefer, require, verify")),
        }
    }
}

impl ClientLeg {
    /// Resolves what is written, or says what is missing.
    pub fn resolve(
        mode: Option<ClientTls>,
        identity: Option<Identity>,
        client_ca: Option<PathBuf>,
    ) -> Result<Self, String> {
        let default = match (&identity, &client_ca) {
            (None, _) => ClientTls::Off,
            (Some(_), None) => ClientTls::Prefer,
            (Some(_), Some(_)) => ClientTls::Require,
        };
        let mode = mode.unwrap_or(default);
        if mode != ClientTls::Off && identity.is_none() {
            return Err("tls: needs --tls-certificate and --tls-key".to_owned());
        }
        if client_ca.is_some() && mode == ClientTls::Off {
            return Err("tls-client-ca: has no effect without TLS; say --tls-certificate and --tls-key too".to_owned());
        }
        if client_ca.is_some() && mode == ClientTls::Prefer {
            // Who has no certificate would come in by not asking for TLS.
            return Err("tls-client-ca: keeps nobody out unless --tls is require".to_owned());
        }
        Ok(Self { mode, identity: identity.filter(|_| mode != ClientTls::Off), client_ca })
    }
}

impl BackendLeg {
    /// Resolves what is written, or says what is missing.
    pub fn resolve(
        mode: Option<BackendTls>,
        ca: Option<PathBuf>,
        name: Option<String>,
        identity: Option<Identity>,
    ) -> Result<Self, String> {
        let default = if ca.is_some() { BackendTls::Verify } else { BackendTls::default() };
        let mode = mode.unwrap_or(default);
        match (mode, &ca) {
            (BackendTls::Verify, None) => {
                Err("backend-tls: verify needs --backend-ca, the file of the authorities to trust".to_owned())
            }
            (BackendTls::Off | BackendTls::Prefer | BackendTls::Require, Some(_)) => {
                Err("backend-ca: has no effect unless --backend-tls is verify".to_owned())
            }
            _ => Ok(Self { mode, ca, name, identity }),
        }
    }
}

/// A certificate and a key belong together.
pub(super) fn identity(
    name: &str,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Identity>, String> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
        (Some(_), None) => Err(format!("{name}-key: missing, while there is --{name}-certificate")),
        (None, Some(_)) => Err(format!("{name}-certificate: missing, while there is --{name}-key")),
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendLeg, BackendTls, ClientLeg, ClientTls, Identity, identity};

    fn files() -> Option<Identity> {
        identity("tls", Some("cert.pem".into()), Some("key.pem".into())).expect("both")
    }

    #[test]
    fn files_alone_turn_tls_on() {
        assert_eq!(ClientLeg::resolve(None, None, None).map(|leg| leg.mode), Ok(ClientTls::Off));
        assert_eq!(ClientLeg::resolve(None, files(), None).map(|leg| leg.mode), Ok(ClientTls::Prefer));
        let leg = ClientLeg::resolve(Some(ClientTls::Off), files(), None).expect("off");
        assert_eq!(leg.identity, None);
        let leg = BackendLeg::resolve(None, Some("ca.pem".into()), None, None).expect("verified");
        assert_eq!(leg.mode, BackendTls::Verify);
    }

    #[test]
    fn what_is_missing_is_told() {
        assert!(ClientLeg::resolve(Some(ClientTls::Require), None, None).is_err());
        assert!(ClientLeg::resolve(None, None, Some("ca.pem".into())).is_err());
        assert!(ClientLeg::resolve(Some(ClientTls::Prefer), files(), Some("ca.pem".into())).is_err());
        let leg = ClientLeg::resolve(None, files(), Some("ca.pem".into())).expect("required");
        assert_eq!(leg.mode, ClientTls::Require);
        assert!(BackendLeg::resolve(Some(BackendTls::Verify), None, None, None).is_err());
        assert!(BackendLeg::resolve(Some(BackendTls::Require), Some("ca.pem".into()), None, None).is_err());
        let mistake = identity("tls", Some("cert.pem".into()), None).expect_err("no key");
        assert_eq!(mistake, "tls-key: missing, while there is --tls-certificate");
        assert!("on".parse::<ClientTls>().is_err() && "on".parse::<BackendTls>().is_err());
    }
}
