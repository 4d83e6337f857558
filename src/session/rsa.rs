//! Passwords under RSA, as the SHA-2 plugins send them over a connection without TLS.
//!
//! Where one leg has TLS and the other has not, the backend expects the password in another form than the client
//! sends it; then it is turned here from one into the other. It is held no longer than that takes.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rsa::{
        KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use zeroize::Zeroizing;

/// A password that is wiped when it is no longer needed, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(Zeroizing<Vec<u8>>);

impl Password {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").finish_non_exhaustive()
    }
}

/// The key pair that stands in for the server's own, for clients whose leg has no TLS.
pub struct RsaKey {
    decrypting: OaepPrivateDecryptingKey,
    public_pem: Vec<u8>,
}

/// Where the key pair comes from: it takes a while to make one, and few connections need it.
#[derive(Clone)]
pub struct RsaSource(Arc<dyn Fn() -> Option<Arc<RsaKey>> + Send + Sync>);

impl RsaSource {
    /// A key pair that `key` gives when it is needed.
    pub fn new(key: impl Fn() -> Option<Arc<RsaKey>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(key))
    }

    /// The key pair.
    pub(super) fn key(&self) -> Result<Arc<RsaKey>, BadKey> {
        (self.0)().ok_or(BadKey("there is no RSA key"))
    }
}

impl Default for RsaSource {
    fn default() -> Self {
        Self::new(|| None)
    }
}

impl fmt::Debug for RsaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaSource").finish_non_exhaustive()
    }
}

/// Why a key or an encrypted password is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(&'static str);

impl RsaKey {
    /// A new key pair of the size that the servers make.
    pub fn generate() -> Result<Self, BadKey> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| BadKey("no RSA key could be made"))?;
        Self::of(key)
    }

    /// Reads a private key: PKCS #8 in PEM ("BEGIN PRIVATE KEY").
    pub fn from_pem(pem: &[u8]) -> Result<Self, BadKey> {
        let wrong = BadKey("not an RSA private key in PEM: it must be PKCS #8, '-----BEGIN PRIVATE KEY-----'");
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| wrong)?;
        Self::of(PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong)?)
    }

    fn of(key: PrivateDecryptingKey) -> Result<Self, BadKey> {
        let unusable = BadKey("the RSA key cannot be used");
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| unusable)?;
        let public_pem = public_pem(der.as_ref());
        Ok(Self { decrypting: OaepPrivateDecryptingKey::new(key).map_err(|_| unusable)?, public_pem })
    }

    /// The public key in PEM, as servers send it.
    pub fn public_pem(&self) -> &[u8] {
        &self.public_pem
    }

    /// The password, with its NUL, that a client has encrypted with the public key.
    pub(super) fn decrypt(&self, encrypted: &[u8], scramble: &[u8]) -> Result<Password, BadKey> {
        let mut buffer = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let plain = self
            .decrypting
            .decrypt(&OAEP_SHA1_MGF1SHA1, encrypted, &mut buffer, None)
            .map_err(|_| BadKey("the password is not encrypted with Bifocal's RSA key"))?;
        let password = Password::new(masked(plain, scramble));
        if password.bytes().last() == Some(&0) { Ok(password) } else { Err(BadKey("the password has no end")) }
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").finish_non_exhaustive()
    }
}

/// Encrypts a password, with its NUL, for the server that has sent `pem`.
pub(super) fn encrypt(password: &[u8], scramble: &[u8], pem: &[u8]) -> Result<Vec<u8>, BadKey> {
    let wrong = BadKey("the backend's RSA key cannot be used");
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| wrong)?;
    let key = PublicEncryptingKey::from_der(&der).map_err(|_| wrong)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| wrong)?;
    let plain = Zeroizing::new(masked(password, scramble));
    let mut buffer = vec![0; key.ciphertext_size()];
    let too_long = BadKey("the password is too long for the backend's RSA key");
    let len = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut buffer, None).map_err(|_| too_long)?.len();
    buffer.truncate(len);
    Ok(buffer)
}

/// XOR with the scramble, over and over.
fn masked(bytes: &[u8], scramble: &[u8]) -> Vec<u8> {
    // A dialog without a scramble is one with a scramble of zeros.
    let mask = scramble.iter().copied().cycle().chain(std::iter::repeat(0));
    bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn public_pem(der: &[u8]) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    const LINE: usize = 64;
    let encoded = STANDARD.encode(der);
    let mut pem = b"-----BEGIN PUBLIC KEY-----\n".to_vec();
    for line in encoded.as_bytes().chunks(LINE) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::{BadKey, RsaKey, encrypt};

    #[test]
    fn a_password_comes_back() {
        let key = RsaKey::generate().expect("a key");
        let scramble = b"abcdefghijklmnopqrst";
        let password = b"a password longer than the scramble is\0";
        let encrypted = encrypt(password, scramble, key.public_pem()).expect("encrypted");
        assert_eq!(encrypted.len(), 256);
        let decrypted = key.decrypt(&encrypted, scramble).expect("decrypted");
        assert_eq!(decrypted.bytes(), password);
        assert_eq!(format!("{decrypted:?}"), "Password { .. }");
        assert!(key.decrypt(&encrypted, b"another").is_err());
        assert!(key.decrypt(b"short", scramble).is_err());
        let other = RsaKey::generate().expect("a key");
        assert!(other.decrypt(&encrypted, scramble).is_err());
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert!(RsaKey::from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
        let error = encrypt(&[7; 300], b"x", RsaKey::generate().expect("a key").public_pem()).expect_err("too long");
        assert_eq!(error, BadKey("the password is too long for the backend's RSA key"));
        assert!(encrypt(b"x\0", b"x", b"no key").is_err());
    }
}
