//! The way to the backend: dialing it, telling it of the client, and what protects both legs.

use std::io;

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{
    compression,
    proxy_header::{Client, header_for},
    stream::Socket,
    tls::Loaded,
};
use crate::{
    config::{BackendAddress, BackendTls, ClientTls, Config},
    session::{Leg, Legs, OsUser, Protection, Tls},
};

/// Connects to the backend on behalf of a client.
pub(super) async fn dial(config: &Config, client: &Client) -> io::Result<Socket> {
    let connecting = async {
        let mut backend = match &config.backend {
            BackendAddress::Tcp { host, port } => TcpStream::connect((host.as_str(), *port)).await.map(Socket::Tcp)?,
            BackendAddress::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix)?,
        };
        backend.prepare()?;
        if let Some(version) = config.backend_proxy_protocol {
            backend.write_all(&header_for(version, client.route)).await?;
        }
        Ok(backend)
    };
    timeout(config.connect_timeout, connecting).await?
}

/// What protects the legs before any TLS.
pub(super) fn legs(config: &Config, loaded: &Loaded, client: &Client, backend: &Socket) -> Legs {
    let is_loopback = |socket: &Socket| socket.peer_ip().is_some_and(|ip| ip.to_canonical().is_loopback());
    let leg = |socket: &Socket, tls, is_near: bool, compression| {
        let protection = if socket.is_local() { Protection::Local } else { Protection::None };
        Leg { tls, protection, is_trusted: config.trust_loopback && is_near, compression }
    };
    // Of a client that is passed on, only its last hop is known.
    let client_is_near = !client.is_passed_on && is_loopback(&client.socket);
    let client_tls = match config.tls.mode {
        ClientTls::Off => Tls::Off,
        ClientTls::Prefer => Tls::Prefer,
        ClientTls::Require if client.socket.is_local() => Tls::Prefer,
        ClientTls::Require => Tls::Require,
    };
    let backend_tls = match config.backend_tls.mode {
        BackendTls::Off => Tls::Off,
        // Nobody listens on a Unix socket.
        BackendTls::Prefer if backend.is_local() => Tls::Off,
        BackendTls::Prefer => Tls::Prefer,
        BackendTls::Require | BackendTls::Verify => Tls::Require,
    };
    let os_user = if backend.is_local() { loaded.process.stands_for(client.socket.peer_uid()) } else { OsUser::Known };
    Legs {
        client: leg(&client.socket, client_tls, client_is_near, compression::offered(config)),
        backend: leg(backend, backend_tls, is_loopback(backend), compression::asked(config)),
        rsa: loaded.rsa.clone(),
        os_user,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::{Client, Config, Loaded, Socket, legs};
    use crate::config::Written;

    /// Line 27: the balancer is near, but who is behind it is not known to be.
    #[tokio::test]
    async fn l27_who_is_passed_on_is_not_trusted() {
        let written = Written {
            backend: Some("mysql://127.0.0.1".to_owned()),
            listen: vec!["127.0.0.1:0".to_owned()],
            trust_loopback: true,
            ..Written::default()
        };
        let config = Config::resolve(written).expect("a configuration");
        let loaded = Loaded::from_config(&config).expect("no files");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let far = TcpStream::connect(address).await.expect("connected");
        let (near, _) = listener.accept().await.expect("accepted");
        let mut client = Client::plain(Socket::Tcp(near));
        let backend = Socket::Tcp(far);
        assert!(legs(&config, &loaded, &client, &backend).client.is_trusted);
        client.is_passed_on = true;
        let legs = legs(&config, &loaded, &client, &backend);
        assert!(!legs.client.is_trusted && legs.backend.is_trusted);
    }
}
