//! The backend's address, written as a URL.

use std::{fmt, str::FromStr};

/// Where the backend listens: `mysql://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendAddress {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

const DEFAULT_PORT: u16 = 3306;

impl FromStr for BackendAddress {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let Some(authority) = url.strip_prefix("mysql://") else {
            return Err(format!("'{url}' does not begin with mysql://; write mysql://host:3306"));
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
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::BackendAddress;

    #[test]
    fn reads_hosts_and_ports() {
        let read = |url: &str| url.parse::<BackendAddress>().map(|address| (address.host, address.port));
        assert_eq!(read("mysql://db.internal:3307"), Ok(("db.internal".to_owned(), 3307)));
        assert_eq!(read("mysql://db/"), Ok(("db".to_owned(), 3306)));
        assert_eq!(read("mysql://[::1]:1"), Ok(("::1".to_owned(), 1)));
        assert_eq!(read("mysql://[::1]"), Ok(("::1".to_owned(), 3306)));
        for url in ["db:3306", "mysql://", "mysql://db:x", "mysql://root@db", "mysql://db/shop", "mysql://:3306"] {
            assert!(read(url).is_err(), "{url}");
        }
    }
}
