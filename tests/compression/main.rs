//! The compressed protocol before real servers, at the server itself and through `bifocal serve`, each leg compressed or
//! not: the right answers come, in frames and packets whose numbers are as servers number them.

mod clients;
mod raw;
mod script;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::{
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use bifocal::wire::{Compression, OkPacket, ZstdLevel};

use raw::{MAX_ALLOWED_PACKET, Raw, Target};
use support::{
    client::Client,
    migrated::{DATABASE, Migrated},
    server::{Coverage, Family, Kind},
    set::Set,
};

const VERSIONED: &str = "shop__v1";

fn zstd() -> Compression {
    Compression::Zstd(ZstdLevel::default())
}

fn plugin(kind: &Kind) -> &'static str {
    match kind.family {
        Family::MariaDb => "mysql_native_password",
        Family::MySql => "caching_sha2_password",
    }
}

/// What servers check: a wrong number of a frame ends the connection, a wrong id of a packet does not matter.
fn what_servers_check(target: Target<'_>) -> Result<()> {
    let frame = |number: u8, seq: u8| [&[5, 0, 0, number, 0, 0, 0][..], &[1, 0, 0, seq, 0x0e]].concat();
    for (number, seq, is_right) in [(0, 0, true), (0, 9, true), (1, 0, false), (255, 0, false)] {
        let mut raw = Raw::connect(target)?;
        raw.begin_answer();
        raw.stream.write_all(&frame(number, seq))?;
        let is_ok = raw.payload().is_ok_and(|(_, payload)| payload.first() == Some(&OkPacket::HEADER));
        ensure!(is_ok == is_right, "frame {number}, packet {seq}");
    }
    Ok(())
}

/// What Bifocal says to a wrong frame, after the answer to what came before it.
fn wrong_frames(target: Target<'_>) -> Result<()> {
    let ping = [5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x0e];
    let number = [5, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0x0e];
    let content = [5, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0x0e];
    for (wrong, expected, frame) in [(number, 1156_u16, 4), (content, 1157, 1)] {
        let mut raw = Raw::connect(target)?;
        raw.stream.write_all(&[ping, wrong].concat())?;
        raw.begin_answer();
        ensure!(raw.payload()?.1.first() == Some(&OkPacket::HEADER), "PING");
        raw.begin_answer();
        let (_, error) = raw.payload()?;
        ensure!(error.starts_with(&[&[0xFF][..], &expected.to_le_bytes()].concat()), "{error:?}");
        ensure!(raw.frames.numbers == [1, frame], "{:?}", raw.frames.numbers);
        ensure!(raw.stream.read(&mut [0])? == 0, "the connection goes on");
    }
    Ok(())
}

/// Statements that are rewritten, and errors in the version's words.
fn mapped(target: Target<'_>) -> Result<()> {
    let mut raw = Raw::connect(Target { database: VERSIONED, ..target })?;
    raw.query("SELECT * FROM live WHERE id = 1")?;
    ensure!(raw.value("SELECT body FROM live WHERE id = 1")? == "one");
    raw.command(b"\x03SELECT nobody FROM live")?;
    let (_, error) = raw.payload()?;
    ensure!(String::from_utf8_lossy(&error).contains("Unknown column 'nobody'"), "{error:?}");
    raw.command(b"\x03SELECT LAST_DAY(NOW()) FROM information_schema.COLUMNS WHERE TABLE_NAME = 'live'")?;
    let (_, refused) = raw.payload()?;
    ensure!(refused.first() == Some(&0xFF), "introspection is refused");
    for n in 0..3 {
        raw.query(&format!("UPDATE live SET body = 'n{n}' WHERE id = 2"))?;
        ensure!(raw.value("SELECT CONCAT(body, body) FROM live WHERE id = 2")? == format!("n{n}n{n}"));
    }
    raw.query("SET @a = 1")?;
    raw.query("UPDATE live SET body = 'two' WHERE id = 2")?;
    Ok(())
}

async fn prepare_server(migrated: &Migrated) -> Result<()> {
    let mut root = Client::connect(&migrated.server.root(Some(DATABASE))).await?;
    root.run(&format!("SET GLOBAL max_allowed_packet = {MAX_ALLOWED_PACKET}")).await?;
    for sql in script::SETUP {
        root.run(sql).await?;
    }
    root.run("SET GLOBAL local_infile = 1").await
}

/// At the server itself: what the codec was made after.
fn directly(migrated: &Migrated, kind: &Kind) -> Result<()> {
    let target = |compression| Target {
        port: migrated.server.port,
        plugin: plugin(kind),
        compression: Some(compression),
        database: DATABASE,
    };
    let mut algorithms = vec![Compression::Zlib];
    if kind.family == Family::MySql {
        algorithms.push(zstd());
        for level in [1, 22].into_iter().filter_map(ZstdLevel::new) {
            script::small(&mut Raw::connect(target(Compression::Zstd(level)))?).context("levels")?;
        }
    }
    for compression in algorithms {
        script::run(target(compression), script::HEAVY).with_context(|| format!("{compression:?}"))?;
        what_servers_check(target(compression)).context("what_servers_check")?;
    }
    Ok(())
}

/// Through Bifocal, on every pair of legs.
fn through(migrated: &Migrated, kind: &Kind, folder: &Path) -> Result<()> {
    for backend in ["off", "zlib", "zstd"] {
        let options = ["--listen", "127.0.0.1:0", "--backend-compression", backend];
        let proxy = migrated.serve(&options, &folder.join(format!("bifocal-{backend}.log")))?;
        for compression in [None, Some(Compression::Zlib), Some(zstd())] {
            for database in [DATABASE, VERSIONED] {
                let target = Target { port: proxy.port, plugin: plugin(kind), compression, database };
                let weight = match (compression, backend, database) {
                    (Some(Compression::Zlib), "zlib", DATABASE) | (Some(_), "zstd", VERSIONED) => script::HEAVY,
                    _ => script::LIGHT,
                };
                let way = || format!("client {compression:?}, backend {backend}, {database}");
                script::run(target, weight).with_context(way)?;
                if compression.is_some() {
                    what_servers_check(target).context("what_servers_check").with_context(way)?;
                    wrong_frames(target).context("wrong_frames").with_context(way)?;
                }
                mapped(target).context("mapped").with_context(way)?;
            }
        }
        let lacks = proxy.said()?.matches("the backend does not offer it").count();
        let expected = usize::from(backend == "zstd" && kind.family == Family::MariaDb);
        ensure!(lacks == expected, "{}", proxy.said()?);
    }
    Ok(())
}

/// What is offered is what the operator says.
fn offers(migrated: &Migrated, kind: &Kind, folder: &Path) -> Result<()> {
    let all = [None, Some(Compression::Zlib), Some(zstd())];
    for (option, offered) in
        [("off", vec![true, false, false]), ("zlib", vec![true, true, false]), ("zstd", vec![true, false, true])]
    {
        let proxy =
            migrated.serve(&["--listen", "127.0.0.1:0", "--compression", option], &folder.join("offers.log"))?;
        for (compression, is_offered) in all.into_iter().zip(offered) {
            let target = Target { port: proxy.port, plugin: plugin(kind), compression, database: DATABASE };
            ensure!(Raw::connect(target).is_ok() == is_offered, "{option}: {compression:?}");
        }
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
    let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rename"))?;
    let migrated = Migrated::make(kind, &set, folder.path()).await?;
    prepare_server(&migrated).await?;
    directly(&migrated, kind).context("directly")?;
    offers(&migrated, kind, folder.path()).context("offers")?;
    through(&migrated, kind, folder.path())?;
    clients::run(&migrated, folder.path())
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
