//! Certificates for one run of the tests: an authority, what it has signed, and what it has not.

use std::{
    fs,
    net::{IpAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A folder of PEM files.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`: `ca`, `server` (for 127.0.0.1 and localhost), `renewed` (the same again), `other-name`,
    /// `expired`, `client`; `wrong-ca`, and signed by it `wrong-server` and `wrong-client`; `self-signed`.
    pub fn make(folder: &Path) -> Result<Self> {
        let made = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder)?;
        let authority = made.authority("ca")?;
        let wrong = made.authority("wrong-ca")?;
        let local = ["127.0.0.1", "localhost"];
        made.signed("server", &local, &authority)?;
        made.signed("renewed", &local, &authority)?;
        made.signed("other-name", &["db.example.com"], &authority)?;
        made.signed("client", &["client.example.com"], &authority)?;
        made.signed("wrong-server", &local, &wrong)?;
        made.signed("wrong-client", &["client.example.com"], &wrong)?;
        let mut params = named("expired", &local)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        made.sign("expired", &params, &authority)?;
        let key = KeyPair::generate()?;
        let own = own_address().map(|address| address.to_string());
        let names: Vec<&str> = local.into_iter().chain(own.as_deref()).collect();
        made.write("self-signed", &named("self-signed", &names)?.self_signed(&key)?.pem(), &key)?;
        Ok(made)
    }

    /// The path of a certificate.
    pub fn certificate(&self, name: &str) -> String {
        self.folder.join(format!("{name}.pem")).display().to_string()
    }

    /// The path of its key.
    pub fn key(&self, name: &str) -> String {
        self.folder.join(format!("{name}-key.pem")).display().to_string()
    }

    /// How a client connects that trusts `ca`, and shows the certificate `shown`.
    pub fn trusting(&self, ca: &str, shown: Option<&str>) -> Result<Arc<ClientConfig>> {
        self.speaking(ca, shown, rustls::DEFAULT_VERSIONS)
    }

    /// The same with these versions of TLS alone.
    pub fn speaking(
        &self,
        ca: &str,
        shown: Option<&str>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate(ca))?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)?
            .with_root_certificates(roots);
        Ok(Arc::new(match shown {
            None => builder.with_no_client_auth(),
            Some(name) => builder.with_client_auth_cert(
                vec![CertificateDer::from_pem_file(self.certificate(name))?],
                PrivateKeyDer::from_pem_file(self.key(name))?,
            )?,
        }))
    }

    fn authority(&self, name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
        let mut params = named(name, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(self.certificate(name), issuer.pem())?;
        Ok(issuer)
    }

    fn signed(&self, name: &str, alternative: &[&str], by: &CertifiedIssuer<'static, KeyPair>) -> Result<()> {
        self.sign(name, &named(name, alternative)?, by)
    }

    fn sign(&self, name: &str, params: &CertificateParams, by: &CertifiedIssuer<'static, KeyPair>) -> Result<()> {
        let key = KeyPair::generate()?;
        self.write(name, &params.signed_by(&key, by)?.pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> Result<()> {
        fs::write(self.certificate(name), certificate)?;
        fs::write(self.key(name), key.serialize_pem())?;
        Ok(())
    }
}

/// An address of this machine's that is not loopback, if it has one. Nothing is sent to find it.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

fn named(name: &str, alternative: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
