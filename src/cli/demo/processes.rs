//! The demo's server and Bifocal as processes of their own, which end with the demo.

use std::{
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mysql_async::{Conn, prelude::Queryable};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const START_DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// A private database server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens on loopback.
    pub port: u16,
    /// What it says of itself.
    pub version: String,
    _process: Child,
}

impl Server {
    /// Starts the server in `home` on a copy of its data folder within `folder`.
    pub async fn start(home: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        let copied = Command::new("cp").arg("-r").arg(home.join("datadir")).arg(&data).status().await?;
        if !copied.success() {
            bail!("{} holds no server; scripts/servers.sh makes one", home.display());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(home.join("run"))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.join("s.sock").display()))
            .arg(format!("--pid-file={}", folder.join("s.pid").display()))
            .args(["--character-set-server=utf8mb4", "--innodb-lock-wait-timeout=10"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("server.log"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}/run", home.display()))?;
        let deadline = Instant::now() + START_DEADLINE;
        let mut connection = loop {
            match Conn::new(super::options(port, "")?).await {
                Ok(connection) => break connection,
                Err(error) if Instant::now() > deadline => return Err(error).context("the server did not start"),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
        Ok(Self { port, version: version.unwrap_or_default(), _process: process })
    }

    /// A connection straight to the server.
    pub async fn connect(&self, database: &str) -> Result<Conn> {
        Ok(Conn::new(super::options(self.port, database)?).await?)
    }
}

/// `bifocal serve` before that server.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens on loopback.
    pub port: u16,
    _process: Child,
}

impl Proxy {
    /// Starts this program with `serve` and waits until it is ready.
    pub async fn start(backend: u16, rules: &Path) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--backend", &format!("mysql://127.0.0.1:{backend}"), "--listen", "127.0.0.1:0", "--rules"])
            .arg(rules)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("no output of bifocal serve")?;
        let ready = BufReader::new(stdout).lines().next_line().await?.context("bifocal serve ended at once")?;
        let port = ready.split([' ', ':', '=']).find_map(|word| word.parse().ok());
        let port = port.with_context(|| format!("bifocal serve said: {ready}"))?;
        Ok(Self { port, _process: process })
    }

    /// A connection through Bifocal.
    pub async fn connect(&self, database: &str) -> Result<Conn> {
        Ok(Conn::new(super::options(self.port, database)?).await?)
    }
}
