//! How connections end, and what the client is told when a limit of the shell's is reached.

use std::{fmt, io};

use crate::session::{End, NO_BACKEND, ServerError, Side};

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The backend could not be reached.
    Dial(io::Error),
    /// The header that is due before the greeting did not come.
    Header(io::Error),
    /// The proxy is going down.
    Drained,
    /// The client could not be read or written.
    Client(io::Error),
    /// The client closed the connection.
    ClientClosed,
    /// The drain timeout was over.
    Cut,
    /// The session came to its end.
    Session(End),
    /// A peer took too long to read.
    Stuck(Side),
    /// The TLS handshake with the client failed.
    Tls(io::Error),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => write!(f, "cannot connect to the backend: {error}"),
            Self::Header(error) => write!(f, "PROXY header: {error}"),
            Self::Cut => f.write_str("cut off by the drain timeout"),
            Self::Drained => f.write_str("drained"),
            Self::Client(error) => write!(f, "client: {error}"),
            Self::ClientClosed => f.write_str("client closed"),
            Self::Stuck(Side::Client) => f.write_str("the client does not read"),
            Self::Stuck(Side::Backend) => f.write_str("the backend does not read"),
            Self::Tls(error) => write!(f, "TLS with the client: {error}"),
            Self::Session(end) => f.write_str(end.as_str()),
        }
    }
}

pub(super) fn no_backend_tls(error: &io::Error) -> ServerError {
    let message = format!("Bifocal's TLS handshake with the backend failed: {error}");
    ServerError { number: NO_BACKEND, sqlstate: *b"HY000", message }
}

/// `ER_NET_READ_INTERRUPTED`
pub(super) fn slow_handshake() -> ServerError {
    let message = "Got timeout reading communication packets: Bifocal's handshake timeout is over".to_owned();
    ServerError { number: 1159, sqlstate: *b"08S01", message }
}

/// `ER_NET_WRITE_INTERRUPTED`
pub(super) fn stuck_backend() -> ServerError {
    let message = "Got timeout writing communication packets: the backend does not read from Bifocal".to_owned();
    ServerError { number: 1161, sqlstate: *b"08S01", message }
}
