//! The client's half of the authentication plugins.

use anyhow::{Result, bail, ensure};
use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest},
    pbkdf2,
    rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey},
    signature::Ed25519KeyPair,
};
use curve25519_dalek::{EdwardsPoint, Scalar};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

/// One plugin's dialog.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name on the wire.
    pub name: String,
    /// What the server scrambles with.
    scramble: Vec<u8>,
    /// The server's key is on its way.
    awaits_key: bool,
}

/// What the user knows, and how safe the client thinks it is.
#[derive(Debug, Clone)]
pub struct Knows<'a> {
    /// A password for each factor; the last one is for those after it, too.
    pub passwords: &'a [&'a [u8]],
    /// What is said to the questions of a dialog after the password.
    pub answers: &'a [&'a [u8]],
    /// What keeps others from listening.
    pub safety: Safety,
}

/// What keeps others from listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Nothing.
    None,
    /// A Unix socket.
    Local,
    /// TLS.
    Tls,
}

impl Plugin {
    /// A plugin that begins with `data` of the server's.
    pub fn new(name: &[u8], data: &[u8]) -> Self {
        // Other scrambles may well end with a zero of their own.
        let scramble = data.strip_suffix(b"\0").filter(|scramble| scramble.len() == 20).unwrap_or(data).to_vec();
        Self { name: String::from_utf8_lossy(name).into_owned(), scramble, awaits_key: false }
    }

    /// What the client says first.
    pub fn first(&self, password: &[u8], safety: Safety) -> Result<Vec<u8>> {
        Ok(match self.name.as_str() {
            "mysql_native_password" => native(password, &self.scramble),
            "caching_sha2_password" => caching_sha2(password, &self.scramble),
            "sha256_password" if safety == Safety::Tls || password.is_empty() => terminated(password),
            "sha256_password" => vec![1],
            "mysql_clear_password" | "dialog" => terminated(password),
            "client_ed25519" => ed25519(password, &self.scramble),
            // The salt of the password is asked for first.
            "parsec" => Vec::new(),
            name => bail!("no plugin '{name}' here"),
        })
    }

    /// What the client says to more of the server's data.
    pub fn more(&mut self, data: &[u8], password: &[u8], safety: Safety) -> Result<Option<Vec<u8>>> {
        Ok(match (self.name.as_str(), data) {
            ("caching_sha2_password", [3]) => None,
            ("caching_sha2_password", [4]) if safety != Safety::None => Some(terminated(password)),
            ("caching_sha2_password", [4]) => {
                self.awaits_key = true;
                Some(vec![2])
            }
            ("caching_sha2_password", pem) if self.awaits_key => Some(encrypted(password, &self.scramble, pem)?),
            ("sha256_password", pem) => Some(encrypted(password, &self.scramble, pem)?),
            ("parsec", [b'P', factor, salt @ ..]) => Some(parsec(password, &self.scramble, *factor, salt)?),
            (name, data) => bail!("{name} says {data:?}"),
        })
    }
}

fn terminated(password: &[u8]) -> Vec<u8> {
    [password, b"\0"].concat()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right.iter().cycle()).map(|(left, right)| left ^ right).collect()
}

fn native(password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let once = sha1(password);
    let twice = sha1(once.as_ref());
    xor(once.as_ref(), sha1(&[scramble, twice.as_ref()].concat()).as_ref())
}

fn caching_sha2(password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha = |bytes: &[u8]| digest(&SHA256, bytes);
    let once = sha(password);
    let twice = sha(once.as_ref());
    xor(once.as_ref(), sha(&[twice.as_ref(), scramble].concat()).as_ref())
}

fn encrypted(password: &[u8], scramble: &[u8], pem: &[u8]) -> Result<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der)?)?;
    let mut buffer = vec![0; key.ciphertext_size()];
    let plain = xor(&terminated(password), scramble);
    let Ok(encrypted) = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut buffer, None) else {
        bail!("the password is too long for the key");
    };
    let len = encrypted.len();
    buffer.truncate(len);
    Ok(buffer)
}

/// Signs as MariaDB's `client_ed25519` does: its secret is the password, of whatever length.
fn ed25519(password: &[u8], scramble: &[u8]) -> Vec<u8> {
    let secret = digest(&SHA512, password);
    let (low, high) = secret.as_ref().split_at(32);
    let scalar = Scalar::from_bytes_mod_order(curve25519_dalek::scalar::clamp_integer(array(low)));
    let public = EdwardsPoint::mul_base(&scalar).compress();
    let wide = |parts: &[&[u8]]| {
        let hash = digest(&SHA512, &parts.concat());
        let mut bytes = [0; 64];
        bytes.copy_from_slice(hash.as_ref());
        Scalar::from_bytes_mod_order_wide(&bytes)
    };
    let nonce = wide(&[high, scramble]);
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let challenge = wide(&[commitment.as_bytes(), public.as_bytes(), scramble]);
    let proof = nonce + challenge * scalar;
    [commitment.as_bytes().as_slice(), proof.as_bytes()].concat()
}

fn array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}

fn parsec(password: &[u8], scramble: &[u8], factor: u8, salt: &[u8]) -> Result<Vec<u8>> {
    ensure!(factor <= 3, "parsec wants {factor}");
    let rounds =
        std::num::NonZeroU32::MIN.saturating_mul(std::num::NonZeroU32::MIN.saturating_add((1024 << factor) - 1));
    let mut seed = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, salt, password, &mut seed);
    let key = Ed25519KeyPair::from_seed_unchecked(&seed)?;
    let own = [7; 32];
    let signature = key.sign(&[scramble, &own].concat());
    Ok([own.as_slice(), signature.as_ref()].concat())
}
