//! A client that sends the bytes it is told to send, and keeps every packet that comes back.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use bifocal::wire::{Capabilities, put_lenenc_bytes, put_payload};

/// Longer than any pause of a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every client here can do: name a database, the 4.1 protocol, transactions, authentication plugins.
const BASE: u64 = Capabilities::CONNECT_WITH_DB.0
    | Capabilities::PROTOCOL_41.0
    | 0x2000
    | Capabilities::SECURE_CONNECTION.0
    | Capabilities::PLUGIN_AUTH.0;

/// A statement that no session has: the error about it marks the end of an answer.
const NO_STATEMENT: &[u8] = b"\x1a\x01\xef\xcd\xab";
const NO_STATEMENT_ID: &[u8] = b"(2882400001)";

/// A packet: its sequence id and payload.
pub type Packet = (u8, Vec<u8>);

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// The id that the server gave it.
    pub id: u32,
}

/// What came until an answer was over.
#[derive(Debug, Default)]
pub struct Answer {
    /// The packets.
    pub packets: Vec<Packet>,
    /// The server closed the connection after them.
    pub is_closed: bool,
}

impl Client {
    /// Connects as root, who has no password, with these capabilities besides those of every client.
    pub fn connect(port: u16, database: &str, capabilities: u64, attributes: &[(&str, &str)]) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let (_, greeting) = packet(&mut stream)?;
        ensure!(greeting.first() == Some(&10), "no greeting: {}", String::from_utf8_lossy(&greeting));
        let end = greeting.iter().position(|byte| *byte == 0).unwrap_or(0);
        let id = greeting.get(end + 1..).and_then(|rest| rest.first_chunk()).map_or(0, |id| u32::from_le_bytes(*id));
        let is_mariadb = greeting.windows(7).any(|part| part == b"MariaDB");
        let plugin = if is_mariadb { "mysql_native_password" } else { "caching_sha2_password" };
        let mut flags = BASE | capabilities | u64::from(!is_mariadb);
        if !attributes.is_empty() {
            flags |= Capabilities::CONNECT_ATTRS.0;
        }
        let (both, extended) = Capabilities(flags).halves();
        let mut response = [&both[..], &(1_u32 << 24).to_le_bytes(), &[45], &[0; 19], &extended].concat();
        response.extend([b"root\0\0", database.as_bytes(), b"\0", plugin.as_bytes(), b"\0"].concat());
        if !attributes.is_empty() {
            let mut pairs = Vec::new();
            for (name, value) in attributes {
                put_lenenc_bytes(&mut pairs, name.as_bytes());
                put_lenenc_bytes(&mut pairs, value.as_bytes());
            }
            put_lenenc_bytes(&mut response, &pairs);
        }
        let mut client = Self { stream, id };
        client.send(1, &response)?;
        loop {
            let (seq, payload) = packet(&mut client.stream)?;
            match payload.first() {
                Some(0) => return Ok(client),
                Some(0xFE) => client.send(seq + 1, b"")?,
                Some(1) => {}
                _ => bail!("not let in: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    /// Sends a payload in as many packets as it takes.
    pub fn send(&mut self, seq: u8, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        put_payload(&mut bytes, seq, payload);
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Sends commands in one piece.
    pub fn send_all(&mut self, payloads: &[Vec<u8>]) -> Result<()> {
        let mut bytes = Vec::new();
        for payload in payloads {
            put_payload(&mut bytes, 0, payload);
        }
        Ok(self.stream.write_all(&bytes)?)
    }

    /// The next packet.
    pub fn packet(&mut self) -> Result<Packet> {
        Ok(packet(&mut self.stream)?)
    }

    /// All that is still to come of the answers to what was sent.
    pub fn rest(&mut self) -> Result<Answer> {
        let mut answer = Answer::default();
        // A connection that is closed already takes no more; what came before is still to be read.
        let _ = self.send(0, NO_STATEMENT);
        loop {
            match packet(&mut self.stream) {
                Ok((_, payload)) if is_about_no_statement(&payload) => return Ok(answer),
                Ok(packet) => answer.packets.push(packet),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    bail!("nothing comes after {:?}", answer.packets.last());
                }
                Err(_) => {
                    answer.is_closed = true;
                    return Ok(answer);
                }
            }
        }
    }
}

/// Only the error itself: rows of warnings tell of it, too.
fn is_about_no_statement(payload: &[u8]) -> bool {
    payload.first() == Some(&0xFF) && payload.windows(NO_STATEMENT_ID.len()).any(|part| part == NO_STATEMENT_ID)
}

fn packet(stream: &mut TcpStream) -> std::io::Result<Packet> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    stream.read_exact(&mut payload)?;
    Ok((header[3], payload))
}
