//! The backend's address, written as a URL.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where the backend listens: `mysql://host[:port]` or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendAddress {
    /// Over TCP.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 3306;

impl FromStr for BackendAddress {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            let is_path = path.starts_with('/');
            return if is_path { Ok(Self::Unix(path.into())) } else { Err(no_path(url)) };
        }
        let Some(authority) = url.strip_prefix("mysql://") else {
            return Err(format!("'{url}' begins neither with mysql:// nor with unix:; write mysql://host:3306"));
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('@') {
            return Err("a backend has no user here: clients authenticate through Bifocal".to_owned());
        }
        if authority.contains(['/', '?']) {
            return Err(format!("'{url}' has more than a host and a port; write mysql://host:3306"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(format!("'{url}' names no host; write mysql://host:3306"));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().map_err(|_| format!("'{port}' in '{url}' is not a port"))?,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn no_path(url: &str) -> String {
    format!("'{url}' names no socket; write unix:/run/mysqld/mysqld.sock")
}

#[cfg(test)]
mod tests {
    use super::BackendAddress;

    #[test]
    fn reads_hosts_and_ports() {
        let read = |url: &str| url.parse::<BackendAddress>().map(|address| address.to_string());
        assert_eq!(read("mysql://db.internal:3307").as_deref(), Ok("db.internal:3307"));
        assert_eq!(read("mysql://db/").as_deref(), Ok("db:3306"));
        assert_eq!(read("mysql://[::1]:1"), Ok("::1:1".to_owned()));
        assert_eq!(read("mysql://[::1]"), Ok("::1:3306".to_owned()));
        assert_eq!(read("unix:/run/my.sock").as_deref(), Ok("unix:/run/my.sock"));
        let wrong = [
            "db:3306",
            "mysql://",
            "mysql://db:x",
            "mysql://root@db",
            "mysql://db/shop",
            "mysql://:3306",
            "unix:",
            "unix:a",
        ];
        for url in wrong {
            assert!(read(url).is_err(), "{url}");
        }
    }
}
