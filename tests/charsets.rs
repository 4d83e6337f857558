//! The charsets of `bifocal::sql` against real servers: which bytes end a quoted text, and what they spell.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "support/mod.rs"]
mod support;

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use bifocal::sql::{Charset, LexMode, ServerKind, lex};

use support::{
    client::Client,
    server::{Coverage, Family, Server},
};

/// Those whose characters Bifocal decodes.
const DECODED: [&str; 22] = [
    "big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis", "cp1250", "cp1251", "cp1256",
    "cp1257", "cp866", "greek", "hebrew", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
];
/// How many characters are asked for at once.
const BATCH: usize = 2000;
/// `ER_UNKNOWN_CHARACTER_SET`: MariaDB has no gb18030.
const UNKNOWN_CHARSET: u16 = 1115;
const SYNTAX: u16 = 1064;

/// Every character that Bifocal writes in a charset is what the server reads there.
async fn l21_characters(client: &mut Client, charset: &str) -> Result<()> {
    let known = Charset::named(charset);
    let characters: Vec<(char, Vec<u8>)> = ('\u{80}'..='\u{FFFF}')
        .filter_map(|c| Some((c, known.encode(&c.to_string())?.into_owned())))
        .inspect(|(c, bytes)| assert_eq!(known.decode(bytes).as_deref(), Some(c.to_string().as_str())))
        .collect();
    ensure!(characters.len() > 40, "only {} characters", characters.len());
    for batch in characters.chunks(BATCH) {
        let hex = batch.iter().flat_map(|(_, bytes)| bytes).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02X}");
            hex
        });
        let sql = format!("SELECT CONVERT(CONVERT(CAST(X'{hex}' AS BINARY) USING {charset}) USING utf8mb4)");
        let rows = client.rows(&sql).await?;
        let read = rows.first().and_then(|row| row[0].clone()).context("no text")?;
        let differs = batch.iter().zip(read.chars()).filter(|((mine, _), theirs)| mine != theirs);
        let differs: Vec<_> =
            differs.take(20).map(|((c, bytes), theirs)| format!("{c} {bytes:02X?} {theirs}")).collect();
        ensure!(differs.is_empty() && read.chars().count() == batch.len(), "{charset}: {differs:?}");
    }
    Ok(())
}

/// A quoted text ends for Bifocal where it ends for the server, whatever stands before the quote.
async fn l21_quotes(client: &mut Client, charset: &str, kind: ServerKind) -> Result<()> {
    let mode = LexMode { charset: Charset::named(charset), ..LexMode::of_server(kind, 80_000) };
    for first in 0x80..=0xFFu8 {
        for inside in [
            &[first][..],
            &[first, b'\\'],
            &[b'\\', first, b'\\'],
            &[first, first, b'\\'],
            &[first, b'1', first, b'\\'],
        ] {
            let sql = [b"SELECT LENGTH('", inside, b"')"].concat();
            let outcome = client.text_bytes(&sql).await;
            let is_read = outcome.error.as_ref().is_none_or(|error| error.number != SYNTAX);
            ensure!(is_read == lex(&sql, mode).is_ok(), "{charset}: '{inside:02X?}': {:?}", outcome.error);
        }
        for inside in [&[first][..], &[first, b'`'], &[first, b'`', b'`'], &[b'a', first, b'0']] {
            let sql = [b"SELECT 1 AS `", inside, b"`"].concat();
            let outcome = client.text_bytes(&sql).await;
            let is_read = outcome.error.as_ref().is_none_or(|error| error.number != SYNTAX);
            ensure!(is_read == lex(&sql, mode).is_ok(), "{charset}: `{inside:02X?}`: {:?}", outcome.error);
        }
    }
    Ok(())
}

/// What Bifocal takes for one word, or for white space, is that for the server.
async fn l21_words(client: &mut Client, charset: &str, kind: ServerKind) -> Result<()> {
    let mode = LexMode { charset: Charset::named(charset), ..LexMode::of_server(kind, 80_000) };
    for byte in 0x80..=0xFFu8 {
        let word = [b"SELECT 1 AS a", &[byte][..], b" "].concat();
        // Where the byte were part of a word, there would be no such column.
        let white = [b"SELECT 1", &[byte][..], b"AS", &[byte][..], b"b"].concat();
        let is_white = mode.charset.is_white(byte);
        for (sql, is_checked) in [(word, true), (white, is_white)] {
            if is_checked && lex(&sql, mode).is_ok() {
                let outcome = client.text_bytes(&sql).await;
                ensure!(outcome.error.is_none(), "{charset}: {byte:02X}: {:?}", outcome.error);
            }
        }
    }
    Ok(())
}

async fn reads_alike(name: &str) -> Result<()> {
    let coverage = Coverage::find(&[name.to_owned()])?;
    let Some(kind) = coverage.covered.first() else {
        println!("{}", coverage.line());
        return Ok(());
    };
    let folder = tempfile::Builder::new().prefix("bifocal-charsets-").tempdir()?;
    let server = Server::start(kind, &folder.path().join("server")).await?;
    let mut client = Client::connect(&server.root(None)).await?;
    let family = if kind.family == Family::MariaDb { ServerKind::MariaDb } else { ServerKind::MySql };
    for charset in DECODED {
        client.run("SET NAMES utf8mb4").await?;
        let chosen = client.text(&format!("SET NAMES {charset}")).await;
        if chosen.error.is_some_and(|error| error.number == UNKNOWN_CHARSET) {
            ensure!(charset == "gb18030" && kind.family == Family::MariaDb, "no {charset}");
            continue;
        }
        l21_quotes(&mut client, charset, family).await?;
        l21_words(&mut client, charset, family).await?;
        client.run("SET NAMES utf8mb4").await?;
        l21_characters(&mut client, charset).await?;
    }
    Ok(())
}

#[tokio::test]
async fn mariadb_10_11() -> Result<()> {
    reads_alike("mariadb-10.11").await
}

#[tokio::test]
async fn mariadb_11_8() -> Result<()> {
    reads_alike("mariadb-11.8").await
}

#[tokio::test]
async fn mysql_9_7() -> Result<()> {
    reads_alike("mysql-9.7").await
}
