//! The PROXY protocol: a balancer before Bifocal says whose connection it passes on, and Bifocal says it to the backend.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use proxy_header::{Error, ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::io::AsyncReadExt;

use super::stream::Socket;
use crate::config::{Config, ProxyVersion};

/// A client before it is greeted.
#[derive(Debug)]
pub(super) struct Client {
    pub socket: Socket,
    /// Where it comes from, and where it went; none of a local client's.
    pub route: Option<Route>,
    /// Somebody else passes it on: `route` is what that peer says, and the socket's own address is not the client's.
    pub is_passed_on: bool,
    /// What came behind the header.
    pub ahead: Vec<u8>,
}

/// The two ends of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// What a client's socket and its header say.
#[derive(Debug)]
pub(super) struct Arrival {
    route: Option<Route>,
    is_passed_on: bool,
    ahead: Vec<u8>,
}

impl Client {
    /// Reads the header, if the client comes from where one is due.
    pub async fn arrive(socket: &mut Socket, config: &Config) -> io::Result<Arrival> {
        let own = socket.route();
        let is_due = own.is_some_and(|own| is_in(config, own.source.ip()));
        if !is_due {
            return Ok(Arrival { route: own, is_passed_on: false, ahead: Vec::new() });
        }
        let mut bytes = Vec::new();
        loop {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((told, len)) = parse(&bytes)? {
                let ahead = bytes.split_off(len);
                return Ok(Arrival { route: told.or(own), is_passed_on: told.is_some(), ahead });
            }
        }
    }
}

impl Client {
    /// A client that is what its socket says.
    #[cfg(test)]
    pub fn plain(socket: Socket) -> Self {
        Self { route: socket.route(), socket, is_passed_on: false, ahead: Vec::new() }
    }
}

impl Arrival {
    /// The client that has arrived on `socket`.
    pub fn of(self, socket: Socket) -> Client {
        let Self { route, is_passed_on, ahead } = self;
        Client { socket, route, is_passed_on, ahead }
    }
}

/// What the backend is told of a client before anything else.
pub(super) fn header_for(version: ProxyVersion, route: Option<Route>) -> Vec<u8> {
    let header = match route.map(Route::of_one_family) {
        None => ProxyHeader::with_local(),
        Some(Route { source, destination }) => ProxyHeader::with_address(ProxiedAddress::stream(source, destination)),
    };
    let mut bytes = Vec::new();
    // Fails only for two families, or for more extensions than there are.
    let encoded = match version {
        ProxyVersion::V1 => header.encode_v1(&mut bytes),
        ProxyVersion::V2 => header.encode_v2(&mut bytes),
    };
    debug_assert_eq!(encoded, Ok(()), "{route:?}");
    bytes
}

impl Route {
    /// A header has addresses of one family only.
    fn of_one_family(self) -> Self {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (source, destination) = (plain(self.source), plain(self.destination));
        if source.is_ipv4() == destination.is_ipv4() {
            return Self { source, destination };
        }
        let mapped = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        };
        Self { source: mapped(source), destination: mapped(destination) }
    }
}

fn is_in(config: &Config, ip: IpAddr) -> bool {
    config.proxy_protocol_from.iter().any(|network| network.contains(&ip.to_canonical()))
}

/// The route that a header tells, if it tells one, and the header's length; none if more must come.
fn parse(bytes: &[u8]) -> io::Result<Option<(Option<Route>, usize)>> {
    let begins_like = |signature: &[u8]| bytes.iter().zip(signature).all(|(a, b)| a == b);
    if !SIGNATURES.iter().any(|signature| begins_like(signature)) {
        return Err(malformed());
    }
    match ProxyHeader::parse(bytes, ParseConfig::default()) {
        Ok((header, len)) => Ok(Some((header.proxied_address().and_then(told), len))),
        Err(Error::BufferTooShort) if bytes.len() < MAX_HEADER_LEN && !is_whole(bytes) => Ok(None),
        Err(_) => Err(malformed()),
    }
}

/// Whether all is there that a header of version 2 announces.
fn is_whole(bytes: &[u8]) -> bool {
    let announced = bytes.get(V2_LEN_AT..).and_then(|rest| rest.first_chunk().copied()).map(u16::from_be_bytes);
    bytes.starts_with(SIGNATURES[1]) && announced.is_some_and(|len| bytes.len() >= V2_LEN_AT + 2 + usize::from(len))
}

fn told(address: &ProxiedAddress) -> Option<Route> {
    let ProxiedAddress { protocol, source, destination } = *address;
    (protocol == Protocol::Stream).then_some(Route { source, destination })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no header of the PROXY protocol")
}

/// What headers begin with, of both versions.
const SIGNATURES: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Where a header of version 2 says how long it is.
const V2_LEN_AT: usize = 14;

/// Addresses and a few extensions; nobody sends as much as the length field could say.
const MAX_HEADER_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{MAX_HEADER_LEN, ProxyVersion, Route, header_for, parse};

    fn route(source: &str, destination: &str) -> Route {
        Route { source: source.parse().expect("an address"), destination: destination.parse().expect("an address") }
    }

    /// Line 27: what is written is read, and any beginning of it is no mistake.
    #[test]
    fn l27_headers_come_back() {
        let routes = [
            Some(route("192.0.2.7:4711", "198.51.100.1:3306")),
            Some(route("[2001:db8::7]:4711", "[2001:db8::1]:3306")),
            None,
        ];
        for route in routes {
            for version in [ProxyVersion::V1, ProxyVersion::V2] {
                let mut bytes = header_for(version, route);
                let len = bytes.len();
                for cut in 0..len {
                    assert_eq!(parse(&bytes[..cut]).expect("a beginning"), None);
                }
                bytes.extend_from_slice(b"ahead");
                assert_eq!(parse(&bytes).expect("a header"), Some((route, len)));
            }
        }
    }

    #[test]
    fn l27_families_are_made_one() {
        let mixed = route("192.0.2.7:1", "[2001:db8::1]:2");
        let text = String::from_utf8(header_for(ProxyVersion::V1, Some(mixed))).expect("text");
        assert_eq!(text, "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n");
        let dual_stack = route("[::ffff:192.0.2.7]:1", "[::ffff:192.0.2.1]:2");
        let text = String::from_utf8(header_for(ProxyVersion::V1, Some(dual_stack))).expect("text");
        assert_eq!(text, "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n");
    }

    #[test]
    fn l27_extensions_are_skipped() {
        let mut bytes = header_for(ProxyVersion::V2, Some(route("192.0.2.7:1", "192.0.2.1:2")));
        bytes[15] += 7;
        bytes.extend_from_slice(&[0x03, 0, 4, 1, 2, 3, 4]);
        assert_eq!(parse(&bytes).expect("a header"), Some((Some(route("192.0.2.7:1", "192.0.2.1:2")), bytes.len())));
    }

    #[test]
    fn l27_anything_else_is_malformed() {
        let endless = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".as_slice(), &[0; MAX_HEADER_LEN]].concat();
        let wrong = [
            b"X".as_slice(),
            b"PROXYTCP4",
            b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rX",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02\0\0",
            &[b'P'; 200],
            &endless,
        ];
        for bytes in wrong {
            assert!(parse(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }
}
