//! A client that does exactly what it is told: it reads as slowly as it likes, and hangs up without a word.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, bail, ensure};

/// Longer than any pause of a server.
const PATIENCE: Duration = Duration::from_secs(20);

/// `CLIENT_LONG_PASSWORD`, `CONNECT_WITH_DB`, `PROTOCOL_41`, `TRANSACTIONS`, `SECURE_CONNECTION`, `PLUGIN_AUTH`.
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;

/// A connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    /// The id that the server gave it.
    pub id: u32,
}

impl Raw {
    /// Connects as root, who has no password.
    pub fn connect(port: u16, database: &str) -> Result<Self> {
        Self::connect_in(port, database, 45)
    }

    /// The same with the number of a collation.
    pub fn connect_in(port: u16, database: &str, collation: u8) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (_, greeting) = packet(&mut stream)?;
        ensure!(greeting.first() == Some(&10), "no greeting: {}", String::from_utf8_lossy(&greeting));
        let version = greeting.iter().position(|byte| *byte == 0).unwrap_or(0);
        let id =
            greeting.get(version + 1..).and_then(|rest| rest.first_chunk()).map_or(0, |id| u32::from_le_bytes(*id));
        let plugin = if greeting.windows(7).any(|part| part == b"MariaDB") {
            "mysql_native_password"
        } else {
            "caching_sha2_password"
        };
        let mut response = CAPABILITIES.to_le_bytes().to_vec();
        response.extend((1_u32 << 24).to_le_bytes());
        response.push(collation);
        response.extend([0; 23]);
        response.extend(b"root\0\0");
        response.extend([database.as_bytes(), b"\0", plugin.as_bytes(), b"\0"].concat());
        send(&mut stream, 1, &response)?;
        loop {
            let (seq, payload) = packet(&mut stream)?;
            match payload.first() {
                Some(0) => return Ok(Self { stream, id }),
                Some(0xfe) => send(&mut stream, seq + 1, b"")?,
                Some(1) => {}
                _ => bail!("not let in: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    /// Sends a statement.
    pub fn query(&mut self, sql: &str) -> Result<()> {
        self.query_bytes(sql.as_bytes())
    }

    /// The same, with a text that may not be UTF-8.
    pub fn query_bytes(&mut self, sql: &[u8]) -> Result<()> {
        Ok(send(&mut self.stream, 0, &[b"\x03", sql].concat())?)
    }

    /// Sends the first bytes of a statement's packet.
    pub fn half_a_query(&mut self, sql: &str, len: usize) -> Result<()> {
        let len_bytes = u32::try_from(sql.len() + 1)?.to_le_bytes();
        let packet = [&len_bytes[..3], b"\0\x03", sql.as_bytes()].concat();
        Ok(self.stream.write_all(&packet[..len])?)
    }

    /// The next packet of an answer.
    pub fn packet(&mut self) -> Result<Vec<u8>> {
        Ok(packet(&mut self.stream)?.1)
    }

    /// Some bytes of an answer, whatever they are.
    pub fn some_bytes(&mut self, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.stream.read(buffer)?)
    }
}

/// The first packet that a listener sends, or none if it hangs up.
pub fn first_packet(port: u16) -> Result<Option<Vec<u8>>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    match packet(&mut stream) {
        Ok((_, payload)) => Ok(Some(payload)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a client that is greeted and says nothing is told why the connection ends.
pub fn is_sent_away(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    packet(&mut stream)?;
    let (seq, error) = packet(&mut stream)?;
    Ok(seq == 1 && error.starts_with(&[0xFF, 0x87, 0x04]) && stream.read(&mut [0])? == 0)
}

fn send(stream: &mut TcpStream, seq: u8, payload: &[u8]) -> std::io::Result<()> {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    stream.write_all(&[&[len[0], len[1], len[2], seq], payload].concat())
}

fn packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    stream.read_exact(&mut payload)?;
    Ok((header[3], payload))
}
