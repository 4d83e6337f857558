//! What clients connect to: a TCP port or a Unix socket.

use std::{
    fs, io,
    os::unix::{fs::FileTypeExt, net::UnixStream as BlockingUnixStream},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener};

use super::stream::Socket;
use crate::config::ListenAddress;

/// A bound listener.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, which goes with the listener.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Listener {
    /// Binds.
    pub async fn bind(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            ListenAddress::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path)?;
                Ok(Self::Unix(listener, SocketFile(path.clone())))
            }
        }
    }

    /// The next client, and what logs call it.
    pub async fn accept(&self) -> io::Result<(Socket, String)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| (Socket::Tcp(stream), peer.to_string()))
            }
            Self::Unix(listener, _) => {
                listener.accept().await.map(|(stream, _)| (Socket::Unix(stream), "a local socket".to_owned()))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Self::Unix(_, SocketFile(path)) => Ok(ListenAddress::Unix(path.clone())),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Removes the file that a process which has ended left behind; not one that somebody listens on, nor any other file.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && BlockingUnixStream::connect(path).is_err_and(|error| refused(&error)) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ListenAddress, Listener, fs, io};

    #[tokio::test]
    async fn only_a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let address = ListenAddress::Unix(folder.path().join("b.sock"));
        let listener = Listener::bind(&address).await.expect("bound");
        assert_eq!(Listener::bind(&address).await.expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!folder.path().join("b.sock").exists());
        drop(std::os::unix::net::UnixListener::bind(folder.path().join("b.sock")).expect("bound"));
        Listener::bind(&address).await.expect("a stale one is replaced");
        fs::write(folder.path().join("b.sock"), "precious").expect("written");
        assert!(Listener::bind(&address).await.is_err());
    }
}
