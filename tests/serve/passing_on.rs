//! The PROXY protocol, before real servers: who the server and its grants think that a client is.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, ensure};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

use super::{
    DEADLINE, Shop, one,
    support::{
        client::{Client, Dsn},
        migrated::Migrated,
        server::{PASSWORD, USER},
    },
};

/// A balancer: it connects from an address of its own, and says something before its client does.
struct Balancer {
    port: u16,
    task: JoinHandle<()>,
}

impl Balancer {
    async fn to(port: u16, from: Ipv4Addr, header: &[u8]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let header = header.to_vec();
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let header = header.clone();
                tokio::spawn(async move {
                    let mut far = dial(port, from).await?;
                    far.write_all(&header).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
                    anyhow::Ok(())
                });
            }
        });
        Ok(Self { port: own, task })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn dial(port: u16, from: Ipv4Addr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?)
}

const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Nobody has this address, so it has no name either.
const TOLD: &str = "192.0.2.7";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 3306\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\x0c\xea\x03\0\x04\x01\x02\x03\x04";
const V1_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";
const V2_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The client's host, as the server knows it.
async fn host(shop: &Shop, port: u16, database: &str) -> Result<String> {
    let mut client = Client::connect(&Migrated::app(port, database)).await?;
    let user = one(&mut client, "SELECT USER()").await?.context("no user")?;
    let id = one(&mut client, "SELECT CONNECTION_ID()").await?.context("no id")?;
    let shown = format!("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = {id}");
    let shown = one(&mut shop.root().await?, &shown).await?.context("no process")?;
    let host = user.strip_prefix("app@").context("another user")?;
    ensure!(shown.split(':').next() == Some(host), "{user}, but {shown}");
    Ok(host.to_owned())
}

/// The server sees each client's own address, and its grants go by that.
pub async fn l27_out(shop: &Shop) -> Result<()> {
    let mut root = shop.root().await?;
    root.run("SET GLOBAL proxy_protocol_networks = '127.0.0.1'").await?;
    root.run("CREATE USER near@'127.0.0.2'").await?;
    let near = |port| Dsn { port, user: "near", password: None, database: None, found_rows: false };
    for version in ["v1", "v2"] {
        let proxy = shop.serve(&["--listen", "127.0.0.1:0", "--backend-proxy-protocol", version])?;
        let client = Balancer::to(proxy.port, CLIENT, b"").await?;
        for database in ["shop__v1", "shop"] {
            let host = host(shop, client.port, database).await?;
            ensure!(host == CLIENT.to_string(), "{version}: {host}");
        }
        Client::connect(&near(client.port)).await.context("a grant by host")?;
        ensure!(Client::connect(&near(proxy.port)).await.is_err(), "a grant for another host");
        // A local client has no address to tell.
        let path = shop.folder.path().join(format!("{version}.sock"));
        let local = shop.serve(&[
            "--listen",
            &format!("127.0.0.1:0,unix:{}", path.display()),
            "--backend-proxy-protocol",
            version,
        ])?;
        let opts =
            OptsBuilder::default().socket(Some(path.display().to_string())).user(Some(USER)).pass(Some(PASSWORD));
        let user: Option<String> = Conn::new(opts).await?.query_first("SELECT USER()").await?;
        ensure!(user.as_deref().is_some_and(|user| user.starts_with("app@")), "{user:?}");
        drop(local);
    }
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let client = Balancer::to(proxy.port, CLIENT, b"").await?;
    ensure!(host(shop, client.port, "shop").await? != CLIENT.to_string(), "only where it is told to");
    root.run("DROP USER near@'127.0.0.2'").await
}

/// A balancer's header is believed, and passed on where that is wanted.
pub async fn l27_in_and_out(shop: &Shop) -> Result<()> {
    let from = ["--listen", "127.0.0.1:0", "--proxy-protocol-from", "127.0.0.3,198.51.100.0/24"];
    for version in ["v1", "v2"] {
        let proxy = shop.serve(&[&from[..], &["--backend-proxy-protocol", version]].concat())?;
        for header in [V1, V2] {
            let balancer = Balancer::to(proxy.port, BALANCER, header).await?;
            for database in ["shop__v1", "shop"] {
                let host = host(shop, balancer.port, database).await?;
                ensure!(host == TOLD, "{version}: {host}");
            }
        }
        for header in [V1_UNKNOWN, V2_LOCAL] {
            let balancer = Balancer::to(proxy.port, BALANCER, header).await?;
            let host = host(shop, balancer.port, "shop").await?;
            ensure!(host == BALANCER.to_string(), "{version}: the socket's own address, not {host}");
        }
    }
    Ok(())
}

/// Where a header is due, nobody gets in without one; elsewhere nobody gets in with one.
pub async fn l27_in(shop: &Shop) -> Result<()> {
    let options = ["--listen", "127.0.0.1:0", "--proxy-protocol-from", "127.0.0.3"];
    let proxy = shop.serve(&options)?;
    let passed_on = Balancer::to(proxy.port, BALANCER, V2).await?;
    ensure!(host(shop, passed_on.port, "shop__v1").await? != TOLD, "the backend is told nothing");
    host(shop, proxy.port, "shop").await.context("from elsewhere, as ever")?;
    let proxy = shop.serve(&[&options[..], &["--handshake-timeout", "1"]].concat())?;
    let silent = said(dial(proxy.port, BALANCER).await?, b"").await?;
    ensure!(silent.get(4..7) == Some(b"\xff\x87\x04"), "1159 was due: {}", silent.escape_ascii());
    let malformed = said(dial(proxy.port, BALANCER).await?, b"PROXY TCP9 what\r\n").await?;
    ensure!(malformed.is_empty(), "{}", malformed.escape_ascii());
    ensure!(proxy.said()?.contains("the PROXY header is due here"), "{}", proxy.said()?);
    let mut stranger = dial(proxy.port, CLIENT).await?;
    let mut greeting = [0; 1024];
    ensure!(stranger.read(&mut greeting).await? > 4);
    let refused = said(stranger, V1).await?;
    ensure!(refused.get(4..7) == Some(b"\xff\x13\x04"), "1043 was due: {}", refused.escape_ascii());
    Ok(())
}

/// Everything that comes after `bytes` are sent.
async fn said(mut stream: TcpStream, bytes: &[u8]) -> Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut heard = Vec::new();
    // A reset after the last packet is an end, too.
    let read = async { while matches!(stream.read_buf(&mut heard).await, Ok(count) if count > 0) {} };
    tokio::time::timeout(DEADLINE.min(Duration::from_secs(10)), read).await.context("it does not end")?;
    Ok(heard)
}

/// MySQL does not know the protocol: its clients are told so.
pub async fn l27_mysql_does_not_know_it(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0", "--backend-proxy-protocol", "v2"])?;
    ensure!(Client::connect(&Migrated::app(proxy.port, "shop")).await.is_err());
    Ok(())
}
