//! Stands between Bifocal and the server: it remembers what goes by, and can slip something in.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;

/// A tap on a server's port. It listens as long as the process runs.
#[derive(Debug)]
pub struct Tap {
    /// Where Bifocal reaches the server through it.
    pub port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// One that only listens.
    pub fn on(server: u16) -> Result<Self> {
        Self::slipping(server, None)
    }

    /// One that sends `packet` to Bifocal as soon as that has asked for TLS.
    pub fn slipping(server: u16, packet: Option<Vec<u8>>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { return };
                let (Ok(near_again), Ok(far_again)) = (near.try_clone(), far.try_clone()) else { return };
                let (all, slipped) = (all.clone(), packet.clone());
                thread::spawn(move || copy(far_again, near_again, |_, _| {}));
                thread::spawn(move || {
                    let mut slipped = slipped;
                    copy(near, far, |bytes, back| {
                        all.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
                        if let Some(packet) = slipped.take() {
                            _ = back.write_all(&packet);
                        }
                    });
                });
            }
        });
        Ok(Self { port, heard })
    }

    /// Whether these bytes have gone to the server.
    pub fn has_heard(&self, bytes: &[u8]) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(bytes.len()).any(|window| window == bytes)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut on: impl FnMut(&[u8], &mut TcpStream)) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        on(&buffer[..count], &mut from);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    _ = to.shutdown(Shutdown::Write);
}
