//! The configuration of `bifocal serve`.

use std::{fmt, fs, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;

use super::{
    BackendAddress, BackendCompression, ClientCompression, Listen, ProxyVersion,
    tls::{self, BackendLeg, ClientLeg},
};

/// The options as written. A flag wins over the environment, and both over the file.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// The backend: mysql://host:port or unix:/path
    #[arg(long, env = "BIFOCAL_BACKEND", value_name = "URL")]
    pub backend: Option<String>,
    /// The folder with the rule files; without it every connection is relayed as it is
    #[arg(long, env = "BIFOCAL_RULES", value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Where to listen, and the version of who connects there: address:port[=database@version], unix:/path[=…]
    #[arg(long, env = "BIFOCAL_LISTEN", value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<String>,
    /// The most connections at a time [default: 10000]
    #[arg(long, env = "BIFOCAL_MAX_CONNECTIONS", value_name = "COUNT")]
    pub max_connections: Option<usize>,
    /// How long to wait for the backend to accept a connection, in seconds [default: 10]
    #[arg(long, env = "BIFOCAL_CONNECT_TIMEOUT", value_name = "SECONDS")]
    pub connect_timeout: Option<f64>,
    /// How long a client may take to authenticate, in seconds [default: 10]
    #[arg(long, env = "BIFOCAL_HANDSHAKE_TIMEOUT", value_name = "SECONDS")]
    pub handshake_timeout: Option<f64>,
    /// How long statements and transactions may go on after SIGTERM, in seconds [default: 10]
    #[arg(long, env = "BIFOCAL_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<f64>,
    /// How long a peer may take to read what is sent to it, in seconds [default: 60]
    #[arg(long, env = "BIFOCAL_WRITE_TIMEOUT", value_name = "SECONDS")]
    pub write_timeout: Option<f64>,
    /// The longest command, in bytes [default: 1073741824, which is also the most]
    #[arg(long, env = "BIFOCAL_MAX_PACKET_SIZE", value_name = "BYTES")]
    pub max_packet_size: Option<usize>,
    /// The networks of balancers that send a PROXY header (v1 or v2), which is then due: 10.0.0.0/8,fd00::/8
    #[arg(long, env = "BIFOCAL_PROXY_PROTOCOL_FROM", value_name = "CIDR", value_delimiter = ',')]
    pub proxy_protocol_from: Vec<String>,
    /// Tell the backend the client's address in a PROXY header: v1, v2
    #[arg(long, env = "BIFOCAL_BACKEND_PROXY_PROTOCOL", value_name = "VERSION")]
    pub backend_proxy_protocol: Option<String>,
    /// Whether clients have TLS: off, prefer, require [default: prefer with a certificate, require with --tls-client-ca]
    #[arg(long, env = "BIFOCAL_TLS", value_name = "MODE")]
    pub tls: Option<String>,
    /// The certificate that clients see, and those between it and its authority, in PEM
    #[arg(long, env = "BIFOCAL_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, env = "BIFOCAL_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The authorities of the certificates that clients must show, in PEM
    #[arg(long, env = "BIFOCAL_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Whether the backend has TLS: off, prefer, require, verify [default: verify with --backend-ca, else prefer]
    #[arg(long, env = "BIFOCAL_BACKEND_TLS", value_name = "MODE")]
    pub backend_tls: Option<String>,
    /// The authorities to trust for the backend's certificate, in PEM, e.g. RDS's bundle
    #[arg(long, env = "BIFOCAL_BACKEND_CA", value_name = "FILE")]
    pub backend_ca: Option<PathBuf>,
    /// The name in the backend's certificate [default: the backend's host]
    #[arg(long, env = "BIFOCAL_BACKEND_TLS_NAME", value_name = "NAME")]
    pub backend_tls_name: Option<String>,
    /// The certificate to show to the backend, in PEM
    #[arg(long, env = "BIFOCAL_BACKEND_CERTIFICATE", value_name = "FILE")]
    pub backend_certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, env = "BIFOCAL_BACKEND_KEY", value_name = "FILE")]
    pub backend_key: Option<PathBuf>,
    /// The RSA key for passwords of clients without TLS, PKCS #8 in PEM [default: a new one at each start]
    #[arg(long, env = "BIFOCAL_RSA_KEY", value_name = "FILE")]
    pub rsa_key: Option<PathBuf>,
    /// The compressed protocols that clients are offered: off, zlib, zstd, both [default: both]
    #[arg(long, env = "BIFOCAL_COMPRESSION", value_name = "PROTOCOLS")]
    pub compression: Option<String>,
    /// The compressed protocol that the backend is asked for: off, zlib, zstd [default: off]
    #[arg(long, env = "BIFOCAL_BACKEND_COMPRESSION", value_name = "PROTOCOL")]
    pub backend_compression: Option<String>,
    /// Let passwords pass over loopback as they are (mysql_clear_password), as over TLS
    #[arg(long, env = "BIFOCAL_TRUST_LOOPBACK")]
    pub trust_loopback: bool,
    /// A YAML file with these options, named as the flags with '_' for '-'
    #[arg(long, env = "BIFOCAL_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

/// The options, resolved. None of them changes while the proxy runs; the rules' contents do.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The backend.
    pub backend: BackendAddress,
    /// The folder with the rule files.
    pub rules: Option<PathBuf>,
    /// The listeners, in the order given. Invariant: not empty.
    pub listen: Vec<Listen>,
    /// The most connections at a time.
    pub max_connections: usize,
    /// How long to wait for the backend to accept a connection.
    pub connect_timeout: Duration,
    /// How long a client may take to authenticate.
    pub handshake_timeout: Duration,
    /// How long statements and transactions may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// How long a peer may take to read what is sent to it.
    pub write_timeout: Duration,
    /// The longest payload of a command.
    pub max_packet_len: usize,
    /// Who sends a PROXY header.
    pub proxy_protocol_from: Vec<IpNet>,
    /// How the backend is told the client's address.
    pub backend_proxy_protocol: Option<ProxyVersion>,
    /// The client's leg.
    pub tls: ClientLeg,
    /// The backend's leg.
    pub backend_tls: BackendLeg,
    /// The RSA key for passwords of clients without TLS.
    pub rsa_key: Option<PathBuf>,
    /// The compressed protocols that clients are offered.
    pub compression: ClientCompression,
    /// The compressed protocol that the backend is asked for.
    pub backend_compression: BackendCompression,
    /// Passwords may pass over loopback as they are.
    pub trust_loopback: bool,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(pub Vec<String>);

impl Config {
    /// Resolves what is written; `read` reads the file.
    pub fn resolve(written: Written) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let file = match &written.config {
            None => Written::default(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| error.to_string());
                let parsed = text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string()));
                mistakes.note(parsed.map_err(|error| format!("{}: {error}", path.display()))).unwrap_or_default()
            }
        };
        let config = Self::from_parts(written.or(file), &mut mistakes);
        match config {
            Some(config) if mistakes.0.is_empty() => Ok(config),
            _ => Err(mistakes),
        }
    }

    /// Whether there are files with certificates or keys.
    pub fn has_files(&self) -> bool {
        let backend = &self.backend_tls;
        self.tls.identity.is_some() || backend.ca.is_some() || backend.identity.is_some() || self.rsa_key.is_some()
    }

    fn from_parts(written: Written, mistakes: &mut Mistakes) -> Option<Self> {
        let backend = match &written.backend {
            Some(url) => mistakes.note(parsed("backend", url)),
            None => mistakes.note(Err("backend: missing; say --backend mysql://host:3306".to_owned())),
        };
        if written.listen.is_empty() {
            mistakes.0.push("listen: missing; say --listen 0.0.0.0:3306=shop@v1".to_owned());
        }
        let listen = written.listen.iter().filter_map(|one| mistakes.note(parsed("listen", one))).collect();
        let mut seconds = |name: &str, written: Option<f64>, default: Duration| {
            let Some(seconds) = written else { return default };
            let duration = Duration::try_from_secs_f64(seconds)
                .map_err(|_| format!("{name}: {seconds} is not a number of seconds"));
            mistakes.note(duration).unwrap_or(default)
        };
        let connect_timeout = seconds("connect-timeout", written.connect_timeout, CONNECT_TIMEOUT);
        let handshake_timeout = seconds("handshake-timeout", written.handshake_timeout, HANDSHAKE_TIMEOUT);
        let drain_timeout = seconds("drain-timeout", written.drain_timeout, DRAIN_TIMEOUT);
        let write_timeout = seconds("write-timeout", written.write_timeout, WRITE_TIMEOUT);
        let (tls, backend_tls) = legs(&written, mistakes);
        let compression = written.compression.as_ref().and_then(|name| mistakes.note(parsed("compression", name)));
        let backend_compression = written.backend_compression.as_ref();
        let backend_compression =
            backend_compression.and_then(|name| mistakes.note(parsed("backend-compression", name)));
        let proxy_protocol_from =
            written.proxy_protocol_from.iter().filter_map(|one| mistakes.note(network(one))).collect();
        let backend_proxy_protocol = written
            .backend_proxy_protocol
            .as_ref()
            .and_then(|version| mistakes.note(parsed("backend-proxy-protocol", version)));
        let max_packet_len = written.max_packet_size.unwrap_or(MAX_PACKET_LEN);
        if !(MIN_PACKET_LEN..=MAX_PACKET_LEN).contains(&max_packet_len) {
            let range = format!("{MIN_PACKET_LEN} and {MAX_PACKET_LEN}");
            mistakes.0.push(format!("max-packet-size: {max_packet_len} is not between {range}"));
        }
        let max_connections = written.max_connections.unwrap_or(MAX_CONNECTIONS);
        if !(1..=MOST_CONNECTIONS).contains(&max_connections) {
            mistakes.0.push(format!("max-connections: {max_connections} is not between 1 and {MOST_CONNECTIONS}"));
        }
        Some(Self {
            backend: backend?,
            rules: written.rules,
            listen,
            max_connections,
            connect_timeout,
            handshake_timeout,
            drain_timeout,
            write_timeout,
            max_packet_len,
            proxy_protocol_from,
            backend_proxy_protocol,
            tls,
            backend_tls,
            rsa_key: written.rsa_key,
            compression: compression.unwrap_or_default(),
            backend_compression: backend_compression.unwrap_or_default(),
            trust_loopback: written.trust_loopback,
        })
    }
}

fn legs(written: &Written, mistakes: &mut Mistakes) -> (ClientLeg, BackendLeg) {
    let Written { tls_certificate, tls_key, tls_client_ca, .. } = written.clone();
    let Written { backend_certificate, backend_key, backend_ca, backend_tls_name, .. } = written.clone();
    let client_mode = written.tls.as_ref().and_then(|mode| mistakes.note(parsed("tls", mode)));
    let backend_mode = written.backend_tls.as_ref().and_then(|mode| mistakes.note(parsed("backend-tls", mode)));
    let client = mistakes.note(tls::identity("tls", tls_certificate, tls_key)).map(|identity| {
        let leg = ClientLeg::resolve(client_mode, identity, tls_client_ca);
        mistakes.note(leg).unwrap_or_default()
    });
    let backend = mistakes.note(tls::identity("backend", backend_certificate, backend_key)).map(|identity| {
        let leg = BackendLeg::resolve(backend_mode, backend_ca, backend_tls_name, identity);
        mistakes.note(leg).unwrap_or_default()
    });
    (client.unwrap_or_default(), backend.unwrap_or_default())
}

impl Written {
    /// These options, and those of `file` where these say nothing.
    fn or(self, file: Self) -> Self {
        Self {
            backend: self.backend.or(file.backend),
            rules: self.rules.or(file.rules),
            listen: if self.listen.is_empty() { file.listen } else { self.listen },
            max_connections: self.max_connections.or(file.max_connections),
            connect_timeout: self.connect_timeout.or(file.connect_timeout),
            handshake_timeout: self.handshake_timeout.or(file.handshake_timeout),
            drain_timeout: self.drain_timeout.or(file.drain_timeout),
            write_timeout: self.write_timeout.or(file.write_timeout),
            max_packet_size: self.max_packet_size.or(file.max_packet_size),
            proxy_protocol_from: if self.proxy_protocol_from.is_empty() {
                file.proxy_protocol_from
            } else {
                self.proxy_protocol_from
            },
            backend_proxy_protocol: self.backend_proxy_protocol.or(file.backend_proxy_protocol),
            tls: self.tls.or(file.tls),
            tls_certificate: self.tls_certificate.or(file.tls_certificate),
            tls_key: self.tls_key.or(file.tls_key),
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            backend_tls: self.backend_tls.or(file.backend_tls),
            backend_ca: self.backend_ca.or(file.backend_ca),
            backend_tls_name: self.backend_tls_name.or(file.backend_tls_name),
            backend_certificate: self.backend_certificate.or(file.backend_certificate),
            backend_key: self.backend_key.or(file.backend_key),
            rsa_key: self.rsa_key.or(file.rsa_key),
            compression: self.compression.or(file.compression),
            backend_compression: self.backend_compression.or(file.backend_compression),
            trust_loopback: self.trust_loopback || file.trust_loopback,
            config: self.config,
        }
    }
}

impl Mistakes {
    fn note<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|mistake| self.0.push(mistake)).ok()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|mistake| writeln!(f, "bifocal: {mistake}"))
    }
}

fn parsed<T: FromStr<Err = String>>(name: &str, written: &str) -> Result<T, String> {
    written.trim().parse().map_err(|mistake| format!("{name}: {mistake}"))
}

/// A network, or an address alone.
fn network(written: &str) -> Result<IpNet, String> {
    let written = written.trim();
    let network = written.parse().or_else(|_| written.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("proxy-protocol-from: '{written}' is no network; write 10.0.0.0/8 or an address"))
}

/// Two sockets each, so a file limit of twice this and a bit is needed.
const MAX_CONNECTIONS: usize = 10_000;

/// A process has fewer sockets than this.
const MOST_CONNECTIONS: usize = 1_000_000;

/// As the servers' own `max_allowed_packet` at most.
const MAX_PACKET_LEN: usize = 1 << 30;

/// As the servers' own `max_allowed_packet` at least.
const MIN_PACKET_LEN: usize = 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As the servers' own `connect_timeout`.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// As the servers' own `net_write_timeout`.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::{Config, Duration, Written};

    #[test]
    fn every_mistake_is_told_at_once() {
        let written = Written {
            backend: Some("db:3306".to_owned()),
            listen: vec!["here".to_owned(), "127.0.0.1:0=shop".to_owned()],
            max_connections: Some(0),
            drain_timeout: Some(-1.0),
            compression: Some("lzma".to_owned()),
            backend_compression: Some("both".to_owned()),
            max_packet_size: Some(1 << 31),
            proxy_protocol_from: vec!["10.0.0.0/8".to_owned(), "::1".to_owned(), "10.0.0.0/33".to_owned()],
            backend_proxy_protocol: Some("3".to_owned()),
            ..Written::default()
        };
        let mistakes = Config::resolve(written).expect_err("mistakes").0;
        let names: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.split(':').next()).collect();
        let expected = ["backend", "listen", "listen", "drain-timeout", "compression", "backend-compression"];
        let later = ["proxy-protocol-from", "backend-proxy-protocol", "max-packet-size", "max-connections"];
        assert_eq!(names, [&expected[..], &later].concat());
    }

    #[test]
    fn the_file_fills_what_flags_leave_open() {
        let path = std::env::temp_dir().join(format!("bifocal-config-{}.yaml", std::process::id()));
        std::fs::write(
            &path,
            "backend: mysql://file:1\nlisten: ['127.0.0.1:0=shop@v1']\ndrain_timeout: 0.5\n\
             proxy_protocol_from: [192.0.2.1]\n",
        )
        .expect("a file");
        let written =
            Written { backend: Some("mysql://flag:2".to_owned()), config: Some(path.clone()), ..Written::default() };
        let config = Config::resolve(written).expect("a configuration");
        assert_eq!(config.backend.to_string(), "flag:2");
        assert_eq!(config.listen[0].to_string(), "127.0.0.1:0=shop@v1");
        assert_eq!(config.drain_timeout, Duration::from_millis(500));
        assert_eq!(config.proxy_protocol_from[0].to_string(), "192.0.2.1/32");
        std::fs::write(&path, "bakend: x\n").expect("a file");
        let written = Written { config: Some(path.clone()), ..Written::default() };
        assert_eq!(Config::resolve(written).expect_err("mistakes").0.len(), 3);
        std::fs::remove_file(path).expect("removed");
    }
}
