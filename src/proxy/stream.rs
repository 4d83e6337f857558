//! The two kinds of socket, with or without TLS around them, behind one type.

use std::{
    io,
    net::IpAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use super::proxy_header::Route;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream, rustls::pki_types::ServerName};

/// A peer's byte stream.
#[derive(Debug)]
pub(super) enum Stream {
    /// As it is on the wire.
    Plain(Socket),
    /// Inside TLS.
    Tls(Box<TlsStream<Rewound>>),
    /// Closed, since its TLS handshake failed.
    Gone,
}

/// A peer's socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// One in memory that breaks as it is told.
    #[cfg(test)]
    Faulty(super::faults::leg::Leg),
}

/// A socket from which some bytes were read already, which come again.
#[derive(Debug)]
pub(super) struct Rewound {
    first: Vec<u8>,
    socket: Socket,
}

impl Socket {
    /// Sets what every connection needs.
    pub fn prepare(&self) -> io::Result<()> {
        if let Self::Tcp(stream) = self {
            // Without it a command could wait for the acknowledgement of the one before.
            stream.set_nodelay(true)?;
            // A peer whose machine is gone says nothing; a query may be silent for hours.
            let keepalive = TcpKeepalive::new()
                .with_time(KEEPALIVE_IDLE)
                .with_interval(KEEPALIVE_INTERVAL)
                .with_retries(KEEPALIVE_PROBES);
            SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
        }
        Ok(())
    }

    /// Whether nobody but the two processes can listen.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The peer's address.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Unix(_) => None,
            #[cfg(test)]
            Self::Faulty(_) => None,
        }
    }

    /// Its two ends, from the peer's side.
    pub fn route(&self) -> Option<Route> {
        match self {
            Self::Tcp(stream) => {
                let (source, destination) = stream.peer_addr().ok().zip(stream.local_addr().ok())?;
                Some(Route { source, destination })
            }
            Self::Unix(_) => None,
            #[cfg(test)]
            Self::Faulty(_) => {
                Some(Route { source: ([127, 0, 0, 1], 1).into(), destination: ([127, 0, 0, 1], 2).into() })
            }
        }
    }

    /// The OS user at the other end, where that is known.
    pub fn peer_uid(&self) -> Option<u32> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(stream) => stream.peer_cred().ok().map(|credentials| credentials.uid()),
            #[cfg(test)]
            Self::Faulty(_) => None,
        }
    }

    /// Writes what the socket takes at once.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            #[cfg(test)]
            Self::Faulty(_) => Ok(0),
        }
    }
}

impl Stream {
    /// TLS with a client, which may have sent the beginning of the handshake already.
    pub async fn accept_tls(self, acceptor: &TlsAcceptor, first: Vec<u8>) -> io::Result<Self> {
        let stream = acceptor.accept(self.rewound(first)?).await?;
        Ok(Self::Tls(Box::new(stream.into())))
    }

    /// TLS with a backend.
    pub async fn connect_tls(self, connector: &TlsConnector, name: ServerName<'static>) -> io::Result<Self> {
        let stream = connector.connect(name, self.rewound(Vec::new())?).await?;
        Ok(Self::Tls(Box::new(stream.into())))
    }

    fn rewound(self, first: Vec<u8>) -> io::Result<Rewound> {
        match self {
            Self::Plain(socket) => Ok(Rewound { first, socket }),
            Self::Tls(_) | Self::Gone => Err(io::Error::other("TLS within TLS")),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => pin!(stream).poll_read(cx, buf),
            Self::Unix(stream) => pin!(stream).poll_read(cx, buf),
            #[cfg(test)]
            Self::Faulty(leg) => pin!(leg).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => pin!(stream).poll_write(cx, bytes),
            Self::Unix(stream) => pin!(stream).poll_write(cx, bytes),
            #[cfg(test)]
            Self::Faulty(leg) => pin!(leg).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel's buffers need none.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => pin!(stream).poll_shutdown(cx),
            Self::Unix(stream) => pin!(stream).poll_shutdown(cx),
            #[cfg(test)]
            Self::Faulty(leg) => pin!(leg).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.first.is_empty() {
            return pin!(&mut this.socket).poll_read(cx, buf);
        }
        let len = this.first.len().min(buf.remaining());
        buf.put_slice(&this.first[..len]);
        this.first.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pin!(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => pin!(socket).poll_read(cx, buf),
            Self::Tls(stream) => pin!(stream).poll_read(cx, buf),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => pin!(socket).poll_write(cx, bytes),
            Self::Tls(stream) => pin!(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => pin!(socket).poll_flush(cx),
            Self::Tls(stream) => pin!(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => pin!(socket).poll_shutdown(cx),
            Self::Tls(stream) => pin!(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

/// After so long in silence the kernel asks whether the peer's machine is still there …
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);

/// … so often …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// … and gives up after so many questions.
const KEEPALIVE_PROBES: u32 = 6;
