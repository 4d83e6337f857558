//! What an authentication plugin says within its own dialog: `AuthMoreData`, and the words that the SHA-2 plugins
//! have for it.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>

/// The first byte of an `AuthMoreData`.
pub const AUTH_MORE_DATA: u8 = 0x01;

/// `caching_sha2_password` has found the password in its cache; an OK follows, and the client says nothing.
pub const FAST_AUTHENTICATION_SUCCESS: &[u8] = b"\x01\x03";

/// `caching_sha2_password` needs the password itself.
pub const PERFORM_FULL_AUTHENTICATION: &[u8] = b"\x01\x04";

/// How a client of `caching_sha2_password` asks for the server's RSA key.
pub const REQUEST_PUBLIC_KEY: &[u8] = b"\x02";

/// How a client of `sha256_password` does.
pub const REQUEST_PUBLIC_KEY_SHA256: &[u8] = b"\x01";
