//! What is left when a client, Bifocal or a server is killed, and when the network cuts and breaks what passes.

use std::{net::TcpStream as Blocking, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{
    DEADLINE, Shop, one,
    raw::{Raw, first_packet},
    support::{client::Client, migrated::Migrated, proxy::Proxy},
    until,
};

/// How a row is written by the version that is mapped, and by the one that is relayed.
const WRITES: [(&str, &str); 2] = [("shop__v1", "UPDATE users SET bio = "), ("shop", "UPDATE people SET bio = ")];

const BIO: &str = "SELECT bio FROM people WHERE id = 2 FOR UPDATE";

/// A proxy that dies in a transaction leaves nothing of it.
pub async fn a_killed_proxy_commits_nothing(shop: &Shop) -> Result<()> {
    for (database, update) in WRITES {
        let mut proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
        let mut client = Client::connect(&Migrated::app(proxy.port, database)).await?;
        client.run("BEGIN").await?;
        client.run(&format!("{update}'never told' WHERE id = 2")).await?;
        proxy.signal("KILL")?;
        until("the end", async || Ok(proxy.has_ended())).await?;
        ensure!(client.text("COMMIT").await.error.is_some(), "{database}: nobody is there to commit");
        // Waits for the lock of the transaction, if it is still there.
        let bio = one(&mut shop.root().await?, BIO).await?;
        ensure!(bio.as_deref() != Some("never told"), "{database}: {bio:?}");
    }
    Ok(())
}

/// A client that dies within a command leaves no connection behind, and nothing of the command.
pub async fn a_killed_client_leaves_nothing(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut root = shop.root().await?;
    for (database, update) in WRITES {
        for part in [3, 5, 40, 100_000] {
            let mut raw = Raw::connect(proxy.port, database)?;
            let text = format!("{update}'half{}' WHERE id = 2", "x".repeat(200_000));
            raw.half_a_query(&text, part)?;
            let id = raw.id;
            drop(raw);
            let count = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id}");
            let is_gone = async || Ok(one(&mut root, &count).await?.as_deref() == Some("0"));
            until("the connection is gone", is_gone).await.with_context(|| format!("{database}, {part} bytes"))?;
            let bio = one(&mut root, BIO).await?.unwrap_or_default();
            ensure!(!bio.starts_with("half"), "{database}, {part} bytes");
        }
    }
    Ok(())
}

/// Cuts what passes into pieces of a few bytes, and breaks off after a number of them.
struct Chaos {
    port: u16,
    task: JoinHandle<()>,
}

impl Chaos {
    async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let mut bridged = JoinSet::new();
            let mut count = 0_usize;
            while let Ok((near, _)) = listener.accept().await {
                count += 1;
                bridged.spawn(Self::bridge(near, port, count));
            }
        });
        Ok(Self { port: own, task })
    }

    /// The `number`-th connection breaks later than the one before.
    async fn bridge(near: TcpStream, port: u16, number: usize) -> std::io::Result<()> {
        let far = TcpStream::connect(("127.0.0.1", port)).await?;
        // Closing them with a reset is what a lost connection looks like.
        near.set_zero_linger()?;
        far.set_zero_linger()?;
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        let (up, down) = (number * 131 % 4000, number * 371 % 12_000);
        tokio::select! {
            ended = pieces(near_read, far_write, 1 + number % 7, up) => ended,
            ended = pieces(far_read, near_write, 1 + number % 50, down) => ended,
        }
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pieces(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    piece: usize,
    most: usize,
) -> std::io::Result<()> {
    let mut buffer = vec![0; piece];
    let mut passed = 0;
    while passed < most {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
        passed += count;
    }
    Ok(())
}

/// Whatever the network does to either leg, a client has right rows or an error, soon.
pub async fn chaos_gives_right_rows_or_errors(shop: &Shop) -> Result<()> {
    let expected = Client::connect(&shop.migrated.server.root(Some("shop"))).await?.rows(ROWS_RELAYED).await?;
    for is_backend in [false, true] {
        let behind = Chaos::to(shop.migrated.server.port).await?;
        let backend = if is_backend { behind.port } else { shop.migrated.server.port };
        let log = shop.folder.path().join("chaos.log");
        let mut proxy = Proxy::start_with(backend, &shop.migrated.rules, &["--listen", "127.0.0.1:0"], &log)?;
        let front = Chaos::to(proxy.port).await?;
        let port = if is_backend { proxy.port } else { front.port };
        let (mut right, mut errors) = (0, 0);
        for turn in 0..CHAOS_RUNS {
            let (database, sql) = if turn % 2 == 0 { ("shop__v1", ROWS_MAPPED) } else { ("shop", ROWS_RELAYED) };
            let ask = async {
                let mut client = Client::connect(&Migrated::app(port, database)).await?;
                client.rows(sql).await
            };
            match tokio::time::timeout(DEADLINE, ask).await.context("a client is left hanging")? {
                Ok(rows) => {
                    ensure!(rows == expected, "{rows:?}");
                    right += 1;
                }
                Err(_) => errors += 1,
            }
        }
        ensure!(right > 0 && errors > 0, "{right} right, {errors} errors");
        ensure!(!proxy.has_ended(), "{}", proxy.said()?);
        drop((front, behind));
        // Nothing is left that would hold it up.
        proxy.signal("TERM")?;
        until("the end", async || Ok(proxy.has_ended())).await?;
        ensure!(proxy.said()?.contains("draining"), "{}", proxy.said()?);
    }
    Ok(())
}

const ROWS_MAPPED: &str = "SELECT id, mail FROM users ORDER BY id";
const ROWS_RELAYED: &str = "SELECT id, email FROM people ORDER BY id";
const CHAOS_RUNS: usize = 60;

/// A server that is killed takes nobody with it: whoever waits is told, and the proxy goes on. It is the last test: the
/// server is gone.
pub async fn a_killed_backend_is_told(shop: &Shop) -> Result<()> {
    let mut proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut root = shop.root().await?;
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    let mut reading = Vec::new();
    for (database, update) in WRITES {
        idle.push(Client::connect(&Migrated::app(proxy.port, database)).await?);
        let mut client = Client::connect(&Migrated::app(proxy.port, database)).await?;
        client.run("BEGIN").await?;
        client.run(&format!("{update}'never told' WHERE id = {}", busy.len() + 1)).await?;
        busy.push(tokio::spawn(async move { client.text("SELECT SLEEP(15)").await }));
        let mut raw = Raw::connect(proxy.port, database)?;
        raw.query("SELECT REPEAT('x', 1000000) FROM orders a, orders b, orders c LIMIT 100")?;
        raw.packet().context("the answer has begun")?;
        reading.push(raw);
    }
    let asleep = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'";
    until("both sleep", async || Ok(one(&mut root, asleep).await?.as_deref() == Some("2"))).await?;
    let file = one(&mut root, "SELECT CONCAT_WS('|', @@datadir, @@pid_file)").await?.context("no file")?;
    let (folder, file) = file.split_once('|').context("no file")?;
    let pid = std::fs::read_to_string(std::path::Path::new(folder).join(file))?;
    ensure!(Command::new("kill").args(["-KILL", pid.trim()]).status()?.success());
    for (answer, (database, _)) in busy.into_iter().zip(WRITES) {
        let error = answer.await?.error.context("an answer from nowhere")?;
        // Where a relayed connection's packets end is not known, so it is closed, as the server closes it.
        ensure!([1158, 1927].contains(&error.number) == (database == "shop__v1"), "{database}: {error:?}");
    }
    for mut client in idle {
        ensure!(client.text("SELECT 1").await.error.is_some());
    }
    for mut raw in reading {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(raw.some_bytes(&mut buffer), Ok(count) if count > 0) {}
    }
    let packet = first_packet(proxy.port)?.context("it hung up without a word")?;
    ensure!(packet.starts_with(b"\xff\x95\x05"), "1429 was due: {}", packet.escape_ascii());
    ensure!(Blocking::connect(("127.0.0.1", proxy.port)).is_ok() && !proxy.has_ended(), "it goes on");
    proxy.signal("TERM")?;
    let ended = until("the end", async || Ok(proxy.has_ended()));
    tokio::time::timeout(Duration::from_secs(5), ended).await.context("nothing holds it up")?
}
