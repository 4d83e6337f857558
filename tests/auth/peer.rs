//! A client that speaks the connection phase byte by byte, and holds every packet's sequence id against the protocol.

use std::{
    fmt,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::plugins::{Knows, Plugin, Safety};

/// Longer than any pause of a server.
const PATIENCE: Duration = Duration::from_secs(20);

/// `LONG_PASSWORD` (for MariaDB: not one of its own clients), `CONNECT_WITH_DB`, `PROTOCOL_41`, `TRANSACTIONS`,
/// `SECURE_CONNECTION`, `PLUGIN_AUTH`, `PLUGIN_AUTH_LENENC`.
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000 | 0x20_0000;
/// `SSL`.
pub const SSL: u32 = 0x800;
/// `MULTI_FACTOR_AUTHENTICATION`.
const FACTORS: u32 = 0x1000_0000;

/// Where to connect.
#[derive(Debug, Clone)]
pub enum Route {
    /// On 127.0.0.1.
    Tcp(u16),
    /// A socket file.
    Unix(PathBuf),
}

/// How to connect, and as whom.
#[derive(Debug, Clone)]
pub struct Login {
    /// Where.
    pub route: Route,
    /// With TLS, if so.
    pub tls: Option<Arc<ClientConfig>>,
    /// The account, and what its user knows.
    pub account: Account,
    /// The database.
    pub database: String,
    /// The client is one of MariaDB's.
    pub is_mariadb: bool,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its passwords, one for each factor.
    pub passwords: Vec<Vec<u8>>,
    /// What is said to the questions of a dialog after the password.
    pub answers: Vec<Vec<u8>>,
    /// The plugin that the client begins with.
    pub plugin: &'static str,
}

impl Account {
    /// One with a password.
    pub fn new(user: &str, password: impl AsRef<[u8]>, plugin: &'static str) -> Self {
        let passwords = vec![password.as_ref().to_vec()];
        Self { user: user.to_owned(), passwords, answers: Vec::new(), plugin }
    }

    /// The same with another password.
    pub fn with_password(&self, password: impl AsRef<[u8]>) -> Self {
        Self { passwords: vec![password.as_ref().to_vec()], ..self.clone() }
    }
}

/// An ERR packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {number}: {message}")]
pub struct Refused {
    /// Its number.
    pub number: u16,
    /// Its SQLSTATE and text.
    pub message: String,
}

/// A connection.
pub struct Peer {
    stream: Box<dyn Stream>,
    /// The sequence id that the next packet must have, whoever sends it.
    seq: u8,
    safety: Safety,
    scramble: Vec<u8>,
    /// The connection's id.
    pub id: u32,
    /// What the server's OK said last.
    pub ok: Vec<u8>,
    /// The plugins that were asked for, in their order.
    pub plugins: Vec<String>,
}

/// A byte stream.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A server that has greeted.
pub struct Greeted {
    stream: Socket,
    /// Its capability flags.
    pub capabilities: u32,
    /// MariaDB's own.
    pub extended: u32,
    /// The server's version.
    pub version: String,
    /// The plugin that it would like.
    pub plugin: String,
    id: u32,
    scramble: Vec<u8>,
}

/// A socket before any TLS.
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Route {
    /// Connects and reads the greeting.
    pub fn greeted(&self) -> Result<Greeted> {
        let mut stream = match self {
            Route::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Socket::Tcp(stream)
            }
            Route::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Socket::Unix(stream)
            }
        };
        let (seq, greeting) = read_packet(&mut stream)?;
        if let Some(refused) = refused(&greeting) {
            return Err(refused.into());
        }
        ensure!(seq == 0 && greeting.first() == Some(&10), "no greeting: {greeting:?}");
        let end = greeting.iter().position(|byte| *byte == 0).context("no end of the version")?;
        let rest = &greeting[end + 1..];
        let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let mut scramble = rest[4..12].to_vec();
        let low = u16::from_le_bytes([rest[13], rest[14]]);
        let high = u16::from_le_bytes([rest[18], rest[19]]);
        let mut tail = rest[31..].split(|byte| *byte == 0);
        scramble.extend_from_slice(tail.next().unwrap_or_default());
        let plugin = String::from_utf8_lossy(tail.next().unwrap_or_default()).into_owned();
        let version = String::from_utf8_lossy(&greeting[1..end]).into_owned();
        let capabilities = u32::from(low) | u32::from(high) << 16;
        Ok(Greeted { stream, capabilities, extended: word(27), version, plugin, id: word(0), scramble })
    }
}

impl Greeted {
    /// The flags of a plain client, and these.
    pub fn flags(more: u32) -> u32 {
        CAPABILITIES | more
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Asks for TLS and puts it on.
    pub fn secured(mut self, login: &Login, tls: &Arc<ClientConfig>) -> Result<Peer> {
        let flags = login.flags() | SSL;
        write_packet(&mut self.stream, 1, &head(flags, login.extended()))?;
        self.upgraded(tls)
    }

    /// Puts TLS on, which was asked for.
    pub fn upgraded(self, tls: &Arc<ClientConfig>) -> Result<Peer> {
        let name = ServerName::try_from("127.0.0.1")?;
        let mut stream = StreamOwned::new(ClientConnection::new(tls.clone(), name)?, self.stream);
        // Errors of the handshake come here, and not at the first packet.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).context("TLS")?;
        }
        Ok(Peer::over(Box::new(stream), 2, Safety::Tls, self.scramble, self.id))
    }

    /// Goes on without TLS.
    pub fn plain(self) -> Peer {
        let safety = if matches!(self.stream, Socket::Unix(_)) { Safety::Local } else { Safety::None };
        Peer::over(Box::new(self.stream), 1, safety, self.scramble, self.id)
    }
}

impl Login {
    /// Connects.
    pub fn connect(&self) -> Result<Peer> {
        let greeted = self.route.greeted()?;
        ensure!(greeted.plugin.contains("password"), "the greeting names {}", greeted.plugin);
        let mut peer = match &self.tls {
            None => greeted.plain(),
            Some(tls) => {
                ensure!(greeted.capabilities & SSL != 0, "TLS is not offered");
                greeted.secured(self, tls)?
            }
        };
        peer.log_in(self)?;
        Ok(peer)
    }

    fn extended(&self) -> u32 {
        // Progress reports and bulk operations: what leaves the form of a result set alone.
        if self.is_mariadb { 0x5 } else { 0 }
    }

    fn flags(&self) -> u32 {
        (CAPABILITIES & !u32::from(self.is_mariadb))
            | if self.tls.is_some() { SSL } else { 0 }
            | if self.account.passwords.len() > 1 { FACTORS } else { 0 }
    }
}

impl Peer {
    fn over(stream: Box<dyn Stream>, seq: u8, safety: Safety, scramble: Vec<u8>, id: u32) -> Self {
        Self { stream, seq, safety, scramble, id, ok: Vec::new(), plugins: Vec::new() }
    }

    /// Sends the handshake response and goes through the dialog.
    pub fn log_in(&mut self, login: &Login) -> Result<()> {
        let account = &login.account;
        let plugin = Plugin::new(account.plugin.as_bytes(), &self.scramble);
        let first = plugin.first(&account.passwords[0], self.safety)?;
        self.respond(login, account.plugin, &first)?;
        self.dialog(account, plugin)
    }

    /// Sends the handshake response alone.
    pub fn respond(&mut self, login: &Login, plugin: &str, first: &[u8]) -> Result<()> {
        let mut response = head(login.flags(), login.extended());
        response.extend([login.account.user.as_bytes(), b"\0"].concat());
        put_len(&mut response, first.len());
        response.extend(first);
        response.extend([login.database.as_bytes(), b"\0", plugin.as_bytes(), b"\0"].concat());
        self.write(&response)
    }

    /// Sends a `COM_CHANGE_USER` alone.
    pub fn begin_change(&mut self, account: &Account, plugin: &str, database: &[u8]) -> Result<()> {
        self.seq = 0;
        self.write(
            &[b"\x11", account.user.as_bytes(), b"\0\0", database, b"\0\x2d\0", plugin.as_bytes(), b"\0"].concat(),
        )
    }

    /// Begins the session anew.
    pub fn reset(&mut self) -> Result<()> {
        self.seq = 0;
        self.write(b"\x1f")?;
        ensure!(self.read()?.first() == Some(&0), "no OK");
        Ok(())
    }

    /// Becomes another user.
    pub fn change_user(&mut self, account: &Account, database: &str) -> Result<()> {
        let plugin = Plugin::new(account.plugin.as_bytes(), &self.scramble);
        let first = plugin.first(&account.passwords[0], self.safety)?;
        // There is one byte for the length: who has more to say begins with nothing.
        let first = if first.len() > 250 { Vec::new() } else { first };
        let mut command = [b"\x11", account.user.as_bytes(), b"\0"].concat();
        put_len(&mut command, first.len());
        command.extend(first);
        command.extend([database.as_bytes(), b"\0\x2d\0", account.plugin.as_bytes(), b"\0"].concat());
        self.seq = 0;
        self.write(&command)?;
        self.plugins.clear();
        self.dialog(account, plugin)
    }

    /// The one value of the one row that a statement gives.
    pub fn one(&mut self, sql: &str) -> Result<String> {
        self.seq = 0;
        self.write(&[b"\x03", sql.as_bytes()].concat())?;
        let columns = self.read()?;
        ensure!(columns == [1], "{sql}: {columns:?}");
        self.read()?;
        ensure!(self.read()?.first() == Some(&0xfe), "no end of the definitions");
        let row = self.read()?;
        let value = String::from_utf8_lossy(row.get(1..).unwrap_or_default()).into_owned();
        ensure!(self.read()?.first() == Some(&0xfe), "no end of the rows");
        Ok(value)
    }

    /// The two values of the one row that a statement gives.
    pub fn pair(&mut self, sql: &str) -> Result<(String, String)> {
        self.seq = 0;
        self.write(&[b"\x03", sql.as_bytes()].concat())?;
        ensure!(self.read()? == [2], "{sql}: not two columns");
        for _ in 0..3 {
            self.read()?;
        }
        let row = self.read()?;
        let len = usize::from(*row.first().context("an empty row")?);
        let (name, value) = (&row[1..=len], &row[len + 2..]);
        ensure!(self.read()?.first() == Some(&0xfe), "no end of the rows");
        Ok((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()))
    }

    /// Runs a statement that gives no rows.
    pub fn run(&mut self, sql: &str) -> Result<()> {
        self.seq = 0;
        self.write(&[b"\x03", sql.as_bytes()].concat())?;
        ensure!(self.read().with_context(|| sql.to_owned())?.first() == Some(&0), "{sql}: no OK");
        Ok(())
    }

    /// The next packet; an ERR is an error.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        let (seq, payload) = read_packet(&mut self.stream)?;
        ensure!(seq == self.seq, "sequence id {seq} in place of {}: {payload:?}", self.seq);
        self.seq = seq.wrapping_add(1);
        match refused(&payload) {
            Some(refused) => Err(refused.into()),
            None => Ok(payload),
        }
    }

    /// Sends a packet.
    pub fn write(&mut self, payload: &[u8]) -> Result<()> {
        write_packet(&mut self.stream, self.seq, payload)?;
        self.seq = self.seq.wrapping_add(1);
        Ok(())
    }

    fn dialog(&mut self, account: &Account, mut plugin: Plugin) -> Result<()> {
        let answers: Vec<&[u8]> = account.answers.iter().map(Vec::as_slice).collect();
        let passwords: Vec<&[u8]> = account.passwords.iter().map(Vec::as_slice).collect();
        let knows = Knows { passwords: &passwords, answers: &answers, safety: self.safety };
        let (mut factor, mut asked) = (0, 0);
        loop {
            let payload = self.read()?;
            let password = knows.passwords[factor.min(knows.passwords.len() - 1)];
            match payload.as_slice() {
                [0, ..] if plugin.name != "dialog" || payload.len() >= 7 => {
                    self.ok = payload;
                    return Ok(());
                }
                [0xfe, rest @ ..] => {
                    plugin = self.switch(rest);
                    let first = if plugin.name == "dialog" {
                        asked += 1;
                        [knows.answers.first().copied().unwrap_or(password), b"\0"].concat()
                    } else {
                        plugin.first(password, knows.safety)?
                    };
                    self.write(&first)?;
                }
                [2, rest @ ..] if plugin.name != "dialog" => {
                    factor += 1;
                    plugin = self.switch(rest);
                    let password = knows.passwords[factor.min(knows.passwords.len() - 1)];
                    let first = plugin.first(password, knows.safety)?;
                    self.write(&first)?;
                }
                _ if plugin.name == "dialog" => {
                    let answer = knows.answers.get(asked).copied().unwrap_or(password);
                    asked += 1;
                    self.write(&[answer, b"\0"].concat())?;
                }
                [1, data @ ..] => {
                    if let Some(answer) = plugin.more(data, password, knows.safety)? {
                        self.write(&answer)?;
                    }
                }
                data => {
                    let answer = plugin.more(data, password, knows.safety)?.unwrap_or_default();
                    self.write(&answer)?;
                }
            }
        }
    }

    fn switch(&mut self, rest: &[u8]) -> Plugin {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let data = rest.get(end + 1..).unwrap_or_default();
        let plugin = Plugin::new(&rest[..end], data);
        self.plugins.push(plugin.name.clone());
        if data.len() == 21 {
            self.scramble = data[..20].to_vec();
        }
        plugin
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("plugins", &self.plugins).finish_non_exhaustive()
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(bytes),
            Socket::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The number of the ERR that an error is; 0 for another.
pub fn number(error: &anyhow::Error) -> u16 {
    error.downcast_ref::<Refused>().map_or(0, |refused| refused.number)
}

/// What a handshake response and an `SSLRequest` begin with.
pub fn head(flags: u32, extended: u32) -> Vec<u8> {
    let mut head = flags.to_le_bytes().to_vec();
    head.extend((1_u32 << 24).to_le_bytes());
    head.push(45);
    head.extend([0; 19]);
    head.extend(extended.to_le_bytes());
    head
}

fn refused(payload: &[u8]) -> Option<Refused> {
    let [0xff, low, high, rest @ ..] = payload else { return None };
    Some(Refused { number: u16::from_le_bytes([*low, *high]), message: String::from_utf8_lossy(rest).into_owned() })
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    let bytes = len.to_le_bytes();
    if len <= 250 {
        out.push(bytes[0]);
    } else {
        out.extend([0xfc, bytes[0], bytes[1]]);
    }
}

fn write_packet(stream: &mut impl Write, seq: u8, payload: &[u8]) -> Result<()> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    stream.write_all(&[&[a, b, c, seq], payload].concat())?;
    Ok(stream.flush()?)
}

fn read_packet(stream: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).context("no packet")?;
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = vec![0; usize::try_from(len)?];
    stream.read_exact(&mut payload)?;
    if payload.is_empty() && header[3] == 0xff {
        bail!("an empty packet");
    }
    Ok((header[3], payload))
}
