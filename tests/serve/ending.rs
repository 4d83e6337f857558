//! How connections end: draining, a backend that goes away, a client that hangs up, limits.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{
    Shop, one,
    raw::{Raw, first_packet, is_sent_away},
    support::{client::Client, migrated::Migrated, proxy::Proxy},
    until,
};

/// The version that is mapped and the one that is relayed.
const DATABASES: [(&str, &str); 2] = [("shop__v1", "UPDATE users SET tier = "), ("shop", "UPDATE people SET tier = ")];

/// After SIGTERM open transactions come to their end, and nothing new begins.
pub async fn drains(shop: &Shop) -> Result<()> {
    for (database, update) in DATABASES {
        let mut proxy = shop.serve(&["--listen", "127.0.0.1:0", "--drain-timeout", "20"])?;
        let dsn = Migrated::app(proxy.port, database);
        let (mut busy, mut idle) = (Client::connect(&dsn).await?, Client::connect(&dsn).await?);
        idle.run("SELECT 1").await?;
        busy.run("BEGIN").await?;
        busy.run(&format!("{update}'pro' WHERE id = 1")).await?;
        proxy.signal("TERM")?;
        until("draining", async || Ok(proxy.said()?.contains("draining"))).await?;
        if database == "shop__v1" {
            // What a relayed connection does is not known: it may be closed when it is quiet.
            busy.run(&format!("{update}'free' WHERE id = 3")).await?;
            busy.run("COMMIT").await?;
        }
        until("the end", async || Ok(proxy.has_ended())).await?;
        ensure!(Client::connect(&dsn).await.is_err(), "a new connection");
        ensure!(idle.text("SELECT 1").await.error.is_some(), "the idle connection");
        let tier = one(&mut shop.root().await?, "SELECT tier FROM people WHERE id = 1").await?;
        ensure!(tier.as_deref() == Some("pro"), "{tier:?}");
    }
    Ok(())
}

/// A transaction that does not end is cut off, and rolled back by the server.
pub async fn cuts_off(shop: &Shop) -> Result<()> {
    let mut proxy = shop.serve(&["--listen", "127.0.0.1:0", "--drain-timeout", "0.3"])?;
    let mut client = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    client.run("BEGIN").await?;
    client.run("UPDATE users SET bio = 'never committed' WHERE id = 1").await?;
    proxy.signal("TERM")?;
    until("the end", async || Ok(proxy.has_ended())).await?;
    ensure!(proxy.said()?.contains("the drain timeout is over"), "{}", proxy.said()?);
    // Waits for the lock of the transaction, if it is still there.
    let mut root = shop.root().await?;
    root.run("UPDATE people SET tier = 'vip' WHERE id = 1").await?;
    let bio = one(&mut root, "SELECT bio FROM people WHERE id = 1").await?;
    ensure!(bio.as_deref() != Some("never committed"));
    Ok(())
}

/// Stands between Bifocal and the server, until it is told to go.
struct Bridge {
    port: u16,
    task: JoinHandle<()>,
}

impl Bridge {
    async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let mut bridged = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                bridged.spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Ok(Self { port: own, task })
    }
}

/// A client that waits for an answer is told that the backend is gone; one that comes later, too.
pub async fn loses_the_backend(shop: &Shop) -> Result<()> {
    let bridge = Bridge::to(shop.migrated.server.port).await?;
    let log = shop.folder.path().join("bridged.log");
    let proxy = Proxy::start_with(bridge.port, &shop.migrated.rules, &["--listen", "127.0.0.1:0"], &log)?;
    let mut waiting = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    let mut idle = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    let mut relayed = Client::connect(&Migrated::app(proxy.port, "shop")).await?;
    idle.run("SELECT 1").await?;
    let id = one(&mut waiting, "SELECT CONNECTION_ID()").await?.context("an id")?;
    let mut root = shop.root().await?;
    let asleep = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id} AND INFO LIKE '%SLEEP%'");
    let answer = tokio::spawn(async move { waiting.text("SELECT SLEEP(15)").await });
    until("the statement runs", async || Ok(one(&mut root, &asleep).await?.as_deref() == Some("1"))).await?;
    bridge.task.abort();
    let error = answer.await?.error.context("an answer from nowhere")?;
    ensure!(
        [1158, 1927].contains(&error.number) && error.message.contains("lost the connection to the backend"),
        "{error:?}"
    );
    for client in [&mut idle, &mut relayed] {
        ensure!(client.text("SELECT 1").await.error.is_some());
    }
    let refused = async || Ok(first_packet(proxy.port)?.is_some_and(|packet| packet.starts_with(b"\xff\x95\x05")));
    until("ERR 1429", refused).await
}

/// A client that goes takes its backend connection with it, said or unsaid.
pub async fn hangs_up(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut root = shop.root().await?;
    for (database, update) in DATABASES {
        let mut client = Client::connect(&Migrated::app(proxy.port, database)).await?;
        let id = one(&mut client, "SELECT CONNECTION_ID()").await?.context("an id")?;
        drop(client);
        gone(&mut root, &id).await.with_context(|| format!("{database}, said"))?;

        let mut raw = Raw::connect(proxy.port, database)?;
        for sql in ["BEGIN", &format!("{update}'vip' WHERE id = 2")] {
            raw.query(sql)?;
            ensure!(raw.packet()?.first() == Some(&0), "{sql}");
        }
        let id = raw.id.to_string();
        drop(raw);
        gone(&mut root, &id).await.with_context(|| format!("{database}, unsaid"))?;
        let tier = one(&mut root, "SELECT tier FROM people WHERE id = 2 FOR UPDATE").await?;
        ensure!(tier.as_deref() == Some("pro"), "its transaction is rolled back: {tier:?}");
    }
    // In the middle of the handshake.
    let before = connections(&mut root).await?;
    drop(std::net::TcpStream::connect(("127.0.0.1", proxy.port))?);
    until("no more connections than before", async || Ok(connections(&mut root).await? <= before)).await
}

async fn connections(root: &mut Client) -> Result<u64> {
    let count = one(root, "SELECT COUNT(*) FROM information_schema.PROCESSLIST").await?;
    Ok(count.context("a count")?.parse()?)
}

async fn gone(root: &mut Client, id: &str) -> Result<()> {
    let count = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id}");
    until("the connection is gone", async || Ok(one(root, &count).await?.as_deref() == Some("0"))).await
}

/// One connection too many is told so, and the next is let in when another has gone.
pub async fn limits_connections(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0", "--max-connections", "2"])?;
    let first = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    let mut second = Client::connect(&Migrated::app(proxy.port, "shop")).await?;
    let packet = first_packet(proxy.port)?.context("it hung up without a word")?;
    ensure!(packet == b"\xff\x10\x04Too many connections", "{}", String::from_utf8_lossy(&packet));
    let Err(error) = Client::connect(&Migrated::app(proxy.port, "shop")).await else { bail!("a third connection") };
    ensure!(format!("{error:#}").contains("1040"), "{error:#}");
    second.run("SELECT 1").await?;
    drop(first);
    let admitted = async || Ok(Client::connect(&Migrated::app(proxy.port, "shop__v1")).await.is_ok());
    until("room for another", admitted).await
}

/// A client that does not authenticate is sent away, and its backend connection goes with it.
pub async fn waits_for_nobody(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0", "--handshake-timeout", "1.5"])?;
    let mut root = shop.root().await?;
    let before = connections(&mut root).await?;
    ensure!(is_sent_away(proxy.port)?);
    until("no more connections than before", async || Ok(connections(&mut root).await? <= before)).await?;
    let mut client = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    client.run("DO SLEEP(2)").await.context("the time is for the handshake alone")
}

/// A hundred rows of a megabyte, some from a mapped table.
const MUCH: &str = "SELECT 1, REPEAT('x', 1048576) FROM orders a, orders b, orders c LIMIT 100";
const MUCH_MAPPED: &str = "SELECT u.mail, REPEAT('x', 1048576) FROM users u, users b, users c LIMIT 100";
const ROWS_LEN: usize = 100 * 1_048_576;
/// Some buffers, and some more for the allocator.
const MAX_GROWTH: u64 = 8 * 1024;
/// A hundred megabytes in about two seconds.
const PAUSE: Duration = Duration::from_millis(1);

/// A client that reads slowly holds the server up, and fills no memory.
pub fn reads_slowly(shop: &Shop) -> Result<()> {
    for (database, sql) in [("shop__v1", MUCH_MAPPED), ("shop__v1", MUCH), ("shop", MUCH)] {
        let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
        let before = memory(&proxy, "VmRSS")?;
        let mut raw = Raw::connect(proxy.port, database)?;
        raw.query(sql)?;
        let (mut len, mut buffer) = (0, vec![0; 64 * 1024]);
        let mut end = Vec::new();
        while !(len > ROWS_LEN && is_end(&end)) {
            let count = raw.some_bytes(&mut buffer)?;
            ensure!(count > 0, "the answer ends after {len} bytes");
            len += count;
            end.extend(&buffer[..count]);
            end.drain(..end.len().saturating_sub(16));
            std::thread::sleep(PAUSE);
        }
        let peak = memory(&proxy, "VmHWM")?;
        ensure!(peak < before + MAX_GROWTH, "{database}: {before} KiB before, {peak} KiB at most");
    }
    Ok(())
}

/// Whether an answer's last bytes are an EOF packet: five bytes of payload, the first of them 0xfe.
fn is_end(bytes: &[u8]) -> bool {
    bytes.last_chunk::<9>().is_some_and(|last| last.starts_with(&[5, 0, 0]) && last[4] == 0xfe)
}

/// A line of the process's status, in KiB.
fn memory(proxy: &Proxy, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no such line")?;
    Ok(number.parse()?)
}
