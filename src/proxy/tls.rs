//! TLS on both legs: what the configuration's files hold, loaded; and how a backend's certificate is looked at.

use std::{
    fs,
    path::Path,
    sync::{Arc, OnceLock},
};

use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use super::process::Process;
use crate::{
    config::{BackendAddress, BackendTls, Config, Identity},
    session::{RsaKey, RsaSource},
};

/// What the files of a configuration hold, of one moment: a reload makes another one.
#[derive(Clone)]
pub struct Loaded {
    /// For clients; none: TLS is not offered.
    pub(super) acceptor: Option<TlsAcceptor>,
    /// For the backend.
    pub(super) connector: TlsConnector,
    /// The name that the backend's certificate is held against.
    pub(super) backend_name: ServerName<'static>,
    /// The key pair for passwords of clients without TLS.
    pub(super) rsa: RsaSource,
    /// Whom a backend on a Unix socket sees.
    pub(super) process: Process,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("offers_tls", &self.acceptor.is_some()).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Reads the files that `config` names.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn from_config(config: &Config) -> Result<Self, String> {
        let rsa = match &config.rsa_key {
            None => {
                let made = OnceLock::new();
                RsaSource::new(move || made.get_or_init(|| RsaKey::generate().ok().map(Arc::new)).clone())
            }
            Some(path) => {
                let key = Arc::new(RsaKey::from_pem(&read(path)?).map_err(|why| at(path, why))?);
                RsaSource::new(move || Some(key.clone()))
            }
        };
        Ok(Self {
            acceptor: config.tls.identity.as_ref().map(|identity| acceptor(config, identity)).transpose()?,
            connector: connector(config)?,
            backend_name: backend_name(config)?,
            rsa,
            process: Process::own()?,
        })
    }

    /// Reads the files again. A key pair that no file holds stays: clients may have remembered it.
    ///
    /// # Errors
    /// Which file is wrong, and how; then `self` should stay in force.
    pub fn reload(&self, config: &Config) -> Result<Self, String> {
        let loaded = Self::from_config(config)?;
        let rsa = if config.rsa_key.is_none() { self.rsa.clone() } else { loaded.rsa };
        Ok(Self { rsa, ..loaded })
    }
}

fn acceptor(config: &Config, identity: &Identity) -> Result<TlsAcceptor, String> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &config.tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider());
            builder.with_client_cert_verifier(verifier.build().map_err(|error| at(path, error))?)
        }
    };
    let (chain, key) = load(identity)?;
    let server = builder.with_single_cert(chain, key).map_err(|error| at(&identity.certificate, error))?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn connector(config: &Config) -> Result<TlsConnector, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match (config.backend_tls.mode, &config.backend_tls.ca) {
        (BackendTls::Verify, Some(ca)) => builder.with_root_certificates(roots(ca)?),
        _ => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider()))),
    };
    let client = match &config.backend_tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = load(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| at(&identity.certificate, error))?
        }
    };
    Ok(TlsConnector::from(Arc::new(client)))
}

fn backend_name(config: &Config) -> Result<ServerName<'static>, String> {
    let name = match (&config.backend_tls.name, &config.backend) {
        (Some(name), _) => name.clone(),
        (None, BackendAddress::Tcp { host, .. }) => host.clone(),
        (None, BackendAddress::Unix(_)) => "localhost".to_owned(),
    };
    ServerName::try_from(name.clone()).map_err(|error| format!("backend-tls-name: '{name}' is no host name: {error}"))
}

fn load(identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let key = PrivateKeyDer::from_pem_slice(&read(&identity.key)?).map_err(|error| at(&identity.key, error))?;
    Ok((certificates(&identity.certificate)?, key))
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| at(path, error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| at(path, error))?;
    if certificates.is_empty() { Err(at(path, "holds no certificate in PEM")) } else { Ok(certificates) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| at(path, error))
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes any certificate, as MySQL's clients do unless they are told which authority to trust: the leg is then
/// encrypted, and nobody knows with whom.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    // Servers make themselves certificates of X.509 v1, which the verifier of signatures does not read; and who takes
    // any certificate learns nothing from its signature.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
