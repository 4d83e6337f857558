//! An address to listen on, and the version of the connections that come in there.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// `address[=database@version]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where to listen.
    pub address: ListenAddress,
    /// The database and the version, as written.
    pub version: Option<(String, String)>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port; port 0 is any free one.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let (address, version) = match written.split_once('=') {
            Some((address, version)) => (address, Some(version)),
            None => (written, None),
        };
        let address = address.parse()?;
        let version = match version.map(|version| version.split_once('@')) {
            None => None,
            Some(Some((database, version))) if !database.is_empty() && !version.is_empty() => {
                Some((database.to_owned(), version.to_owned()))
            }
            Some(_) => return Err(format!("'{written}' has no database and version after '='; write shop@v1")),
        };
        Ok(Self { address, version })
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err(format!("'{written}' names no socket; write unix:/run/bifocal.sock")),
            None => written.parse().map(Self::Tcp).map_err(|_| {
                format!("'{written}' is not an address with a port; write 0.0.0.0:3306, [::]:3306 or unix:/path")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match &self.version {
            Some((database, version)) => write!(f, "={database}@{version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn what_is_read_is_written_again() {
        for written in ["127.0.0.1:0", "0.0.0.0:3306=shop@v1", "[::]:3307=a@b@c", "unix:/run/b.sock=shop@v1"] {
            assert_eq!(written.parse::<Listen>().map(|listen| listen.to_string()).as_deref(), Ok(written));
        }
        for written in ["3306", "localhost:3306", "127.0.0.1:1=shop", "127.0.0.1:1=@v1", "127.0.0.1:1=", "unix:b.sock"]
        {
            assert!(written.parse::<Listen>().is_err(), "{written}");
        }
    }
}
