//! What every way through is sent, and what must come back.

use anyhow::{Context, Result, ensure};
use bifocal::wire::{MAX_PACKET_LEN, OkPacket, PrepareOk, put_payload};

use super::raw::{Raw, Target, packet, text};

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The length of a long value.
    pub value_len: usize,
    /// The number of rows, a power of ten.
    pub digits: u32,
}

/// So much that frames' numbers begin anew.
pub const HEAVY: Weight = Weight { value_len: 20 << 20, digits: 5 };

pub const LIGHT: Weight = Weight { value_len: 1 << 20, digits: 3 };

/// What a server must have: a procedure of several results.
pub const SETUP: [&str; 2] = [
    "CREATE DATABASE frames",
    "CREATE PROCEDURE frames.three(IN n INT, OUT m INT) BEGIN SELECT n; SELECT n + 1; SET m = n; END",
];

/// All of it, in a database where the tables have no versions.
pub fn run(target: Target<'_>, weight: Weight) -> Result<()> {
    let mut raw = Raw::connect(target)?;
    raw.query("USE mysql")?;
    small(&mut raw).context("small")?;
    large_results(&mut raw, weight).context("large_results")?;
    large_statements(&mut raw, weight).context("large_statements")?;
    local_infile(&mut raw).context("local_infile")?;
    several_results(&mut raw).context("several_results")?;
    procedures(&mut raw).context("procedures")?;
    prepared(&mut raw).context("prepared")?;
    cursors(&mut raw).context("cursors")?;
    pipelined(&mut raw).context("pipelined")?;
    change_user(&mut raw, target.plugin).context("change_user")?;
    ensure!(raw.value("SELECT 'still here'")? == "still here");
    raw.command(b"\x01")?;
    Ok(())
}

pub fn small(raw: &mut Raw) -> Result<()> {
    for n in 0..3 {
        ensure!(raw.value(&format!("SELECT {n} + 1"))? == (n + 1).to_string());
        ensure!(!raw.is_compressed() || raw.frames.numbers[0] == 1, "{:?}", raw.frames.numbers);
    }
    let long = "x".repeat(3000);
    ensure!(raw.value(&format!("SELECT '{long}'"))? == long);
    raw.command(b"\x0e")?;
    ensure!(raw.payload()? == (1, b"\0\0\0\x02\0\0\0".to_vec()), "PING");
    let error = raw.query("SELECT FROM").expect_err("wrong syntax").to_string();
    ensure!(error == "SELECT FROM");
    Ok(())
}

fn large_results(raw: &mut Raw, weight: Weight) -> Result<()> {
    let value = raw.value(&format!("SELECT REPEAT('x', {})", weight.value_len))?;
    ensure!(value.len() == weight.value_len && value.bytes().all(|byte| byte == b'x'));
    let digits = "SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
                  UNION SELECT 7 UNION SELECT 8 UNION SELECT 9";
    let tables: Vec<String> = (0..weight.digits).map(|n| format!("({digits}) t{n}")).collect();
    let number: Vec<String> = (0..weight.digits).map(|n| format!("t{n}.d * {}", 10_u32.pow(n))).collect();
    let number = number.join(" + ");
    let sql = format!(
        "SELECT {number} AS n, REPEAT(LPAD({number}, 40, 'abcdefghij'), 6) FROM {} ORDER BY n",
        tables.join(", ")
    );
    let rows = raw.query(&sql)?;
    ensure!(rows.len() == 10_usize.pow(weight.digits), "{} rows", rows.len());
    for (n, row) in rows.iter().enumerate() {
        let n = n.to_string();
        ensure!(row[1..].starts_with(n.as_bytes()) && row.len() == 1 + n.len() + 1 + 240, "row {n}");
    }
    ensure!(!raw.is_compressed() || rows.len() < 100_000 || raw.frames.numbers.len() > 256, "numbers have wrapped");
    Ok(())
}

fn large_statements(raw: &mut Raw, weight: Weight) -> Result<()> {
    for text in ["y".repeat(weight.value_len), noise(weight.value_len)] {
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
        raw.reply(&file)?;
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
    for _ in 0..4 {
        raw.rows()?;
        raw.begin_result();
    }
    // After 254 packets, without compression the file's first one has an id that begins a command elsewhere.
    let mut sql = "\x03".to_owned() + &"SELECT 1;".repeat(50) + &"DO 1;".repeat(4);
    sql += "LOAD DATA LOCAL INFILE 'shelf' INTO TABLE shelf; SELECT 4";
    raw.command(sql.as_bytes())?;
    for _ in 0..54 {
        raw.rows()?;
        raw.begin_result();
    }
    let (seq, request) = raw.payload()?;
    ensure!(request == b"\xfbshelf", "{}", String::from_utf8_lossy(&request));
    raw.reply(&[packet(seq.wrapping_add(1), b"7\tx\n"), packet(seq.wrapping_add(2), b"")].concat())?;
    raw.rows()?;
    raw.begin_result();
    ensure!(text(&raw.rows()?[0]) == b"4");
    // An error ends them.
    raw.command(b"\x03SELECT 1; SELECT FROM; SELECT 2")?;
    let error = match raw.rows() {
        Ok(_) => {
            raw.begin_result();
            raw.rows()
        }
        error => error,
    };
    ensure!(error.is_err_and(|error| error.to_string().contains("42000")));
    ensure!(raw.value("SELECT 5")? == "5");
    Ok(())
}

fn procedures(raw: &mut Raw) -> Result<()> {
    raw.command(b"\x03CALL frames.three(1, @m)")?;
    for n in ["1", "2"] {
        ensure!(text(&raw.rows()?[0]) == n.as_bytes());
        raw.begin_result();
    }
    raw.rows()?;
    let id = prepare(raw, "CALL frames.three(7, ?)", 1)?;
    raw.command(&[b"\x17", &id[..], b"\0\x01\0\0\0", b"\0\x01\xfe\0", b"\x011"].concat())?;
    for n in [7, 8, 7] {
        let rows = raw.rows()?;
        ensure!(rows.len() == 1 && rows[0][2] == n, "{rows:?}");
        raw.begin_result();
    }
    raw.rows()?;
    Ok(())
}

/// The statement's id.
fn prepare(raw: &mut Raw, sql: &str, columns: u16) -> Result<[u8; 4]> {
    raw.command(&[b"\x16", sql.as_bytes()].concat())?;
    let ok = PrepareOk::decode(&raw.payload()?.1)?;
    let count = u16::from(ok.param_count > 0) + u16::from(ok.column_count > 0);
    ensure!(ok.column_count <= columns, "{} columns", ok.column_count);
    for _ in 0..count {
        raw.until_eof()?;
    }
    Ok(ok.statement.0.to_le_bytes())
}

/// Rows that are fetched a few at a time.
fn cursors(raw: &mut Raw) -> Result<()> {
    let id = prepare(raw, "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3 ORDER BY n", 1)?;
    raw.command(&[b"\x17", &id[..], b"\x01\x01\0\0\0"].concat())?;
    raw.payload()?;
    ensure!(raw.until_eof()?.len() == 1, "one definition, and no row");
    let mut count = 0;
    for _ in 0..3 {
        raw.command(&[b"\x1c", &id[..], b"\x02\0\0\0"].concat())?;
        match raw.until_eof() {
            Ok(rows) => count += rows.len(),
            // Nothing is left.
            Err(_) => break,
        }
    }
    ensure!(count == 3, "{count} rows");
    raw.command(&[b"\x1a", &id[..]].concat())?;
    ensure!(raw.payload()?.1.first() == Some(&OkPacket::HEADER), "COM_STMT_RESET");
    Ok(())
}

fn prepared(raw: &mut Raw) -> Result<()> {
    let id = prepare(raw, "SELECT CONCAT(?, '!')", 1)?;
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
    let mut commands = Vec::new();
    for n in 0..60 {
        let sql = format!("\x03SELECT {n}, '{}'", "p".repeat(n * 10));
        put_payload(&mut commands, 0, sql.as_bytes());
        put_payload(&mut commands, 0, b"\x19\xff\xff\xff\x7f");
        put_payload(&mut commands, 0, b"\x0e");
    }
    raw.send_ahead(&commands)?;
    for n in 0..60 {
        raw.begin_answer();
        let rows = raw.rows()?;
        ensure!(rows.len() == 1 && text(&rows[0]).starts_with(n.to_string().as_bytes()), "{n}: {rows:?}");
        raw.begin_answer();
        ensure!(raw.payload()?.1.first() == Some(&OkPacket::HEADER), "PING {n}");
    }
    let begun = raw.frames.numbers.iter().map(|number| usize::from(*number == 1)).sum::<usize>();
    ensure!(!raw.is_compressed() || begun == 120, "{:?}", raw.frames.numbers);
    Ok(())
}

fn change_user(raw: &mut Raw, plugin: &str) -> Result<()> {
    raw.command(&[b"\x11root\0\0\0\x2d\0", plugin.as_bytes(), b"\0"].concat())?;
    raw.authenticate()?;
    ensure!(raw.value("SELECT CURRENT_USER()")?.starts_with("root@"));
    Ok(())
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
