//! The compressed protocol's codec before real servers: a small client whose every byte goes through
//! [`bifocal::wire::BackendLeg`] gets the right answers, and the numbers of frames are as its module says.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "support/mod.rs"]
mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bifocal::wire::{
    BackendLeg, Capabilities, Compression, ErrPacket, Extent, Greeting, MAX_PACKET_LEN, OkPacket, PrepareOk, ZstdLevel,
    put_payload,
};

use support::{
    client::Client,
    server::{Coverage, Family, Kind, Server},
};

/// Longer than any pause of a server.
const PATIENCE: Duration = Duration::from_mins(1);

/// Longer than any payload here.
const MAX_ALLOWED_PACKET: u32 = 64 << 20;

/// `LONG_PASSWORD`, `LOCAL_FILES`, `TRANSACTIONS`, `MULTI_STATEMENTS`, `MULTI_RESULTS`.
const PLAIN_FLAGS: u64 = 0x1 | 0x80 | 0x2000 | 1 << 16 | 1 << 17;

/// A connection of root, who has no password.
struct Raw {
    stream: TcpStream,
    /// None until authentication has ended.
    leg: Option<BackendLeg>,
    received: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
    frames: Frames,
}

/// What is seen of the server's frames beside the codec.
#[derive(Default)]
struct Frames {
    /// A frame that is not complete.
    bytes: Vec<u8>,
    /// The numbers of the current answer's frames.
    numbers: Vec<u8>,
}

impl Frames {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut rest = &self.bytes[..];
        while let Some(([a, b, c, number, _, _, _], content)) = rest.split_first_chunk() {
            let Some(later) = content.get(u32::from_le_bytes([*a, *b, *c, 0]) as usize..) else { break };
            self.numbers.push(*number);
            rest = later;
        }
        self.bytes = rest.to_vec();
    }
}

impl Raw {
    fn connect(server: &Server, kind: &Kind, compression: Compression) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut raw = Self { stream, leg: None, received: Vec::new(), taken: 0, frames: Frames::default() };
        let (_, greeting) = raw.payload()?;
        let offered = Greeting::decode(&greeting)?.capabilities;
        let (flag, level) = match compression {
            Compression::Zlib => (Capabilities::COMPRESS, None),
            Compression::Zstd(level) => (Capabilities::ZSTD, Some(level.byte())),
        };
        ensure!(offered.has(flag), "{} does not offer {compression:?}", kind.name);
        let flags = Capabilities::PROTOCOL_41.0 | Capabilities::SECURE_CONNECTION.0 | Capabilities::PLUGIN_AUTH.0;
        let mut response = Capabilities(PLAIN_FLAGS | flags | flag.0).halves().0.to_vec();
        response.extend(MAX_ALLOWED_PACKET.to_le_bytes());
        response.push(45);
        response.extend([0; 23]);
        response.extend([b"root\0\0", plugin(kind), b"\0"].concat());
        response.extend(level);
        raw.send(&packet(1, &response))?;
        raw.authenticate()?;
        raw.leg = Some(BackendLeg::new(compression));
        Ok(raw)
    }

    fn authenticate(&mut self) -> Result<()> {
        loop {
            let (seq, payload) = self.payload()?;
            match payload.first() {
                Some(&OkPacket::HEADER) => return Ok(()),
                Some(0xFE) => self.send(&packet(seq.wrapping_add(1), b""))?,
                Some(1) => {}
                _ => bail!("not let in: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    fn send(&mut self, plain: &[u8]) -> Result<()> {
        let Some(leg) = &mut self.leg else { return Ok(self.stream.write_all(plain)?) };
        let mut frames = Vec::new();
        leg.encode(plain, &mut frames);
        Ok(self.stream.write_all(&frames)?)
    }

    fn command(&mut self, payload: &[u8]) -> Result<()> {
        self.frames.numbers.clear();
        self.send(&packet(0, payload))
    }

    /// The next payload of the server, and its last packet's id.
    fn payload(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            let rest = &self.received[self.taken..];
            if let Some(extent) = Extent::find(rest) {
                let payload = extent.payload(rest, &mut Vec::new()).to_vec();
                self.taken += extent.wire_len;
                return Ok((extent.last_seq, payload));
            }
            self.received.drain(..self.taken);
            self.taken = 0;
            let mut buffer = vec![0; 1 << 20];
            let len = self.stream.read(&mut buffer)?;
            ensure!(len > 0, "the server has closed the connection");
            let mut rest = &buffer[..len];
            let Some(leg) = &mut self.leg else {
                self.received.extend_from_slice(rest);
                continue;
            };
            self.frames.take(rest);
            while !rest.is_empty() {
                let taken = leg.decode(rest, &mut self.received)?;
                rest = &rest[taken..];
            }
        }
    }

    /// The rows of one result.
    fn rows(&mut self) -> Result<Vec<Vec<u8>>> {
        let (_, first) = self.payload()?;
        match first.first() {
            Some(&OkPacket::HEADER) => return Ok(Vec::new()),
            Some(&ErrPacket::HEADER) => bail!("{}", String::from_utf8_lossy(&first)),
            _ => {}
        }
        self.until_eof()?;
        self.until_eof()
    }

    fn until_eof(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        loop {
            let (_, payload) = self.payload()?;
            match payload.first() {
                Some(0xFE) if payload.len() < 9 => return Ok(payloads),
                Some(&ErrPacket::HEADER) => bail!("{}", String::from_utf8_lossy(&payload)),
                _ => payloads.push(payload),
            }
        }
    }

    fn query(&mut self, sql: &str) -> Result<Vec<Vec<u8>>> {
        self.command(&[b"\x03", sql.as_bytes()].concat())?;
        self.rows().with_context(|| sql.chars().take(80).collect::<String>())
    }

    /// The one value of a text result.
    fn value(&mut self, sql: &str) -> Result<String> {
        let rows = self.query(sql)?;
        ensure!(rows.len() == 1, "{} rows", rows.len());
        Ok(String::from_utf8_lossy(text(&rows[0])).into_owned())
    }
}

/// The first value of a text row.
fn text(row: &[u8]) -> &[u8] {
    let start = match row.first() {
        Some(0xFC) => 3,
        Some(0xFD) => 4,
        Some(0xFE) => 9,
        _ => 1,
    };
    row.get(start..).unwrap_or_default()
}

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_payload(&mut out, seq, payload);
    out
}

fn plugin(kind: &Kind) -> &'static [u8] {
    match kind.family {
        Family::MariaDb => b"mysql_native_password",
        Family::MySql => b"caching_sha2_password",
    }
}

/// Text that does not shrink by much.
fn noise(len: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[(state >> 58) as usize])
    };
    (0..len).map(|_| next()).collect()
}

fn small(raw: &mut Raw) -> Result<()> {
    for n in 0..3 {
        ensure!(raw.value(&format!("SELECT {n} + 1"))? == (n + 1).to_string());
        ensure!(raw.frames.numbers == [1], "{:?}", raw.frames.numbers);
    }
    let long = "x".repeat(3000);
    ensure!(raw.value(&format!("SELECT '{long}'"))? == long);
    raw.command(b"\x0e")?;
    ensure!(raw.payload()? == (1, b"\0\0\0\x02\0\0\0".to_vec()), "PING");
    let error = raw.query("SELECT FROM").expect_err("wrong syntax").to_string();
    ensure!(error == "SELECT FROM");
    Ok(())
}

fn large_results(raw: &mut Raw) -> Result<()> {
    let value = raw.value(&format!("SELECT REPEAT('x', {})", 20 << 20))?;
    ensure!(value.len() == 20 << 20 && value.bytes().all(|byte| byte == b'x'));
    let digits = "SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
                  UNION SELECT 7 UNION SELECT 8 UNION SELECT 9";
    let tables: Vec<String> = (0..5).map(|n| format!("({digits}) t{n}")).collect();
    let number = "t4.d * 10000 + t3.d * 1000 + t2.d * 100 + t1.d * 10 + t0.d";
    let sql = format!(
        "SELECT {number} AS n, REPEAT(LPAD({number}, 40, 'abcdefghij'), 6) FROM {} ORDER BY n",
        tables.join(", ")
    );
    let rows = raw.query(&sql)?;
    ensure!(rows.len() == 100_000, "{} rows", rows.len());
    for (n, row) in rows.iter().enumerate() {
        let n = n.to_string();
        ensure!(row[1..].starts_with(n.as_bytes()) && row.len() == 1 + n.len() + 1 + 240, "row {n}");
    }
    ensure!(raw.frames.numbers.len() > 256, "numbers have wrapped");
    let in_order = raw.frames.numbers.iter().zip((1..=u8::MAX).chain(0..=0).cycle()).all(|(number, n)| *number == n);
    ensure!(in_order, "frames' numbers count frames");
    Ok(())
}

fn large_statements(raw: &mut Raw) -> Result<()> {
    for text in ["y".repeat(20 << 20), noise(20 << 20)] {
        let crc = raw.value(&format!("SELECT CONCAT(LENGTH('{text}'), RIGHT('{text}', 9))"))?;
        ensure!(crc == format!("{}{}", text.len(), &text[text.len() - 9..]), "{crc}");
    }
    // Lengths at which a payload takes one more frame or packet.
    let limit = MAX_PACKET_LEN;
    for len in [limit - 5, limit - 4, limit - 1, limit, limit + 1] {
        let rest = "SELECT LENGTH('')".len() + 1;
        let count = raw.value(&format!("SELECT LENGTH('{}')", "z".repeat(len - rest)))?;
        ensure!(count == (len - rest).to_string(), "{len}");
    }
    Ok(())
}

fn local_infile(raw: &mut Raw) -> Result<()> {
    raw.query("CREATE TEMPORARY TABLE shelf (id INT, word VARCHAR(300))")?;
    for packets in [1_u32, 251, 252, 253, 254, 255, 256, 700] {
        raw.query("DELETE FROM shelf")?;
        raw.command(b"\x03LOAD DATA LOCAL INFILE 'shelf' INTO TABLE shelf FIELDS TERMINATED BY ','")?;
        let (seq, request) = raw.payload()?;
        ensure!(request == b"\xfbshelf", "{}", String::from_utf8_lossy(&request));
        let mut seq = seq;
        let mut file = Vec::new();
        for n in 0..packets {
            seq = seq.wrapping_add(1);
            let word = "w".repeat(n as usize % 300);
            put_payload(&mut file, seq, format!("{n},{word}\n").as_bytes());
        }
        put_payload(&mut file, seq.wrapping_add(1), b"");
        raw.send(&file)?;
        ensure!(raw.payload()?.1.first() == Some(&OkPacket::HEADER), "{packets} packets");
        let sums = raw.value("SELECT CONCAT(COUNT(*), ' ', SUM(id), ' ', SUM(LENGTH(word))) FROM shelf")?;
        let words: u32 = (0..packets).map(|n| n % 300).sum();
        ensure!(sums == format!("{packets} {} {words}", packets * (packets - 1) / 2), "{packets} packets: {sums}");
    }
    Ok(())
}

/// A server flushes after each result, and ids go back to the frame's number.
fn several_results(raw: &mut Raw) -> Result<()> {
    raw.command(b"\x03SELECT 1; SELECT 2, REPEAT('b', 99); DO 1; SELECT 3")?;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (seq, first) = raw.payload()?;
        ids.push(seq);
        if first.first() != Some(&OkPacket::HEADER) {
            raw.until_eof()?;
            raw.until_eof()?;
        }
    }
    ensure!(raw.frames.numbers == [1, 2, 3, 4], "{:?}", raw.frames.numbers);
    ensure!(ids == [1, 2, 3, 4], "{ids:?}");
    Ok(())
}

fn prepared(raw: &mut Raw) -> Result<()> {
    raw.command(b"\x16SELECT CONCAT(?, '!')")?;
    let ok = PrepareOk::decode(&raw.payload()?.1)?;
    raw.until_eof()?;
    raw.until_eof()?;
    let id = ok.statement.0.to_le_bytes();
    for text in ["a".repeat(10), "b".repeat(200)] {
        let head = [b"\x17", &id[..], b"\0\x01\0\0\0", b"\0\x01\xfe\0"].concat();
        let len = u8::try_from(text.len())?;
        raw.command(&[&head, &[len][..], text.as_bytes()].concat())?;
        let rows = raw.rows()?;
        ensure!(rows.len() == 1 && rows[0].ends_with(format!("{text}!").as_bytes()), "{rows:?}");
    }
    // Nothing answers a close.
    raw.command(&[b"\x19", &id[..]].concat())?;
    ensure!(raw.value("SELECT 7")? == "7");
    Ok(())
}

/// Commands that are sent ahead: each begins with frame 0, and each answer with the number after it.
fn pipelined(raw: &mut Raw) -> Result<()> {
    raw.frames.numbers.clear();
    let mut commands = Vec::new();
    for n in 0..60 {
        let sql = format!("\x03SELECT {n}, '{}'", "p".repeat(n * 10));
        put_payload(&mut commands, 0, sql.as_bytes());
        put_payload(&mut commands, 0, b"\x19\xff\xff\xff\x7f");
        put_payload(&mut commands, 0, b"\x0e");
    }
    raw.send(&commands)?;
    for n in 0..60 {
        let rows = raw.rows()?;
        ensure!(rows.len() == 1 && text(&rows[0]).starts_with(n.to_string().as_bytes()), "{n}: {rows:?}");
        ensure!(raw.payload()?.1.first() == Some(&OkPacket::HEADER), "PING {n}");
    }
    ensure!(raw.frames.numbers == [1; 120], "{:?}", raw.frames.numbers);
    Ok(())
}

fn change_user(raw: &mut Raw, kind: &Kind) -> Result<()> {
    raw.command(&[b"\x11root\0\0\0\x2d\0", plugin(kind), b"\0"].concat())?;
    raw.authenticate()?;
    ensure!(raw.value("SELECT CURRENT_USER()")?.starts_with("root@"));
    Ok(())
}

/// What servers check: a wrong number of a frame ends the connection, a wrong id of a packet does not matter.
fn what_servers_check(server: &Server, kind: &Kind, compression: Compression) -> Result<()> {
    let frame = |number: u8, seq: u8| [&[5, 0, 0, number, 0, 0, 0][..], &[1, 0, 0, seq, 0x0e]].concat();
    for (number, seq, is_right) in [(0, 0, true), (0, 9, true), (1, 0, false), (255, 0, false)] {
        let mut raw = Raw::connect(server, kind, compression)?;
        raw.stream.write_all(&frame(number, seq))?;
        let is_ok = raw.payload().is_ok_and(|(_, payload)| payload.first() == Some(&OkPacket::HEADER));
        ensure!(is_ok == is_right, "frame {number}, packet {seq}");
    }
    Ok(())
}

async fn is_compressed(name: &str) -> Result<()> {
    let coverage = Coverage::find(&[name.to_owned()])?;
    let Some(kind) = coverage.covered.first() else {
        println!("{}", coverage.line());
        return Ok(());
    };
    let folder = tempfile::Builder::new().prefix("bifocal-compression-").tempdir()?;
    let server = Server::start(kind, &folder.path().join("server")).await?;
    let mut root = Client::connect(&server.root(None)).await?;
    root.run(&format!("SET GLOBAL max_allowed_packet = {MAX_ALLOWED_PACKET}")).await?;
    root.run("SET GLOBAL local_infile = 1").await?;
    let mut algorithms = vec![Compression::Zlib];
    if kind.family == Family::MySql {
        algorithms.push(Compression::Zstd(ZstdLevel::default()));
        for level in [1, 22].into_iter().filter_map(ZstdLevel::new) {
            small(&mut Raw::connect(&server, kind, Compression::Zstd(level))?).context("levels")?;
        }
    }
    for compression in algorithms {
        let mut raw = Raw::connect(&server, kind, compression)?;
        raw.query("USE mysql")?;
        small(&mut raw).context("small")?;
        large_results(&mut raw).context("large_results")?;
        large_statements(&mut raw).context("large_statements")?;
        local_infile(&mut raw).context("local_infile")?;
        several_results(&mut raw).context("several_results")?;
        prepared(&mut raw).context("prepared")?;
        pipelined(&mut raw).context("pipelined")?;
        change_user(&mut raw, kind).context("change_user")?;
        ensure!(raw.value("SELECT 'still here'")? == "still here");
        what_servers_check(&server, kind, compression).context("what_servers_check")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_10_11() -> Result<()> {
    is_compressed("mariadb-10.11").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_11_8() -> Result<()> {
    is_compressed("mariadb-11.8").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_9_7() -> Result<()> {
    is_compressed("mysql-9.7").await
}
