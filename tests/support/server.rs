//! Real servers: started from the data folders that `scripts/servers.sh` makes, on loopback.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    client::{Client, Dsn},
    watched::Watched,
};

/// A start takes about a second; a loaded machine may need many more.
const START_DEADLINE: Duration = Duration::from_mins(2);
/// How often a starting server is tried.
const POLL: Duration = Duration::from_millis(20);
/// Other processes may take the port between our look and the server's bind; then another is chosen.
const PORT_CHOICES: usize = 5;

/// The ordinary account of the tests.
pub const USER: &str = "app";
/// Its password.
pub const PASSWORD: &str = "app-secret";

/// What the ordinary account may do: all that an app and its migrations need, and no more.
const GRANTS: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, \
                      LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER";

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

impl Family {
    /// As it is written in case files and in the names of variant files.
    pub fn name(self) -> &'static str {
        match self {
            Family::MariaDb => "mariadb",
            Family::MySql => "mysql",
        }
    }
}

/// A server that `scripts/servers.sh` can get.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name there, e.g. `mariadb-10.11`.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// Its major version, e.g. 10.
    pub major: u32,
    /// Its exact version, e.g. `10.11.14-0+deb12u2`.
    pub version: String,
    home: PathBuf,
}

impl Kind {
    /// The folder that `scripts/servers.sh` made for it.
    pub fn home(&self) -> &Path {
        &self.home
    }
}

/// All that there are: (name, family, major version).
const KINDS: [(&str, Family, u32); 3] =
    [("mariadb-10.11", Family::MariaDb, 10), ("mariadb-11.8", Family::MariaDb, 11), ("mysql-9.7", Family::MySql, 9)];

/// Which servers there are.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Those that can be started.
    pub covered: Vec<Kind>,
    /// The names of those that cannot.
    pub missing: Vec<&'static str>,
}

impl Coverage {
    /// Looks for the servers whose names `wanted` holds (all, where it is empty), and gets those that are missing.
    pub fn find(wanted: &[String]) -> Result<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = std::env::var_os("BIFOCAL_SERVERS").map_or_else(|| repository.join(".servers"), PathBuf::from);
        let chosen: Vec<_> =
            KINDS.into_iter().filter(|kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.0)).collect();
        let lacking: Vec<_> =
            chosen.iter().map(|kind| kind.0).filter(|name| !folder.join(name).join("ready").exists()).collect();
        if !lacking.is_empty() {
            let status = Command::new(repository.join("scripts/servers.sh")).args(&lacking).status()?;
            if !status.success() {
                eprintln!("scripts/servers.sh {}: {status}", lacking.join(" "));
            }
        }
        let mut coverage = Self::default();
        for (name, family, major) in chosen {
            match fs::read_to_string(folder.join(name).join("ready")) {
                Ok(version) => coverage.covered.push(Kind {
                    name,
                    family,
                    major,
                    version: version.trim().to_owned(),
                    home: folder.join(name),
                }),
                Err(_) => coverage.missing.push(name),
            }
        }
        Ok(coverage)
    }

    /// One line for the user.
    pub fn line(&self) -> String {
        let covered: Vec<_> = self.covered.iter().map(|kind| format!("{} ({})", kind.name, kind.version)).collect();
        let missing = if self.missing.is_empty() { "none".to_owned() } else { self.missing.join(", ") };
        format!("covered: {}; NOT covered: {missing}", covered.join(", "))
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its Unix socket.
    pub socket: PathBuf,
    _process: Watched,
}

impl Server {
    /// Starts one in `folder`, which must not exist, and makes the ordinary account.
    pub async fn start(kind: &Kind, folder: &Path) -> Result<Self> {
        Self::start_with(kind, folder, &[]).await
    }

    /// The same with options of its own.
    pub async fn start_with(kind: &Kind, folder: &Path, own: &[String]) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(folder)?;
        let log = folder.join("log");
        for _ in 0..PORT_CHOICES {
            let copied =
                Command::new("cp").args(["-r", "--reflink=auto"]).arg(kind.home.join("datadir")).arg(&data).status()?;
            if !copied.success() {
                bail!("{} could not be copied: {copied}", kind.name);
            }
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let options = [&options(kind, folder, port), own].concat();
            let mut process = Watched::start(&kind.home.join("run"), &options, Some(&data), Stdio::null(), &log)?;
            if ready(port, &mut process).await {
                let server = Self { port, socket: data.join("s"), _process: process };
                server.make_account().await.context("making the account")?;
                return Ok(server);
            }
            drop(process);
        }
        bail!("{} did not start; its log ends:\n{}", kind.name, tail(&log));
    }

    /// How root reaches it.
    pub fn root(&self, database: Option<&str>) -> Dsn {
        Dsn { port: self.port, user: "root", password: None, database: database.map(str::to_owned), found_rows: false }
    }

    async fn make_account(&self) -> Result<()> {
        let mut root = Client::connect(&self.root(None)).await?;
        root.run(&format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'")).await?;
        root.run(&format!("GRANT {GRANTS} ON *.* TO {USER}@'%'")).await
    }
}

/// Durability is of no use here, and costs most of the time of a DDL statement.
fn options(kind: &Kind, folder: &Path, port: u16) -> Vec<String> {
    let mut options = vec![
        format!("--datadir={}", folder.join("data").display()),
        // Two servers must not share a folder for temporary tables.
        format!("--tmpdir={}", folder.join("data").display()),
        // Relative to the data folder, since the path of a socket is limited to 107 bytes.
        "--socket=s".to_owned(),
        format!("--port={port}"),
        "--innodb-lock-wait-timeout=3".to_owned(),
        "--lock-wait-timeout=5".to_owned(),
    ];
    match kind.family {
        Family::MariaDb => options.push("--debug-no-sync=ON".to_owned()),
        Family::MySql => options.push("--innodb-flush-method=nosync".to_owned()),
    }
    options
}

/// Waits until the server lets root in; false if it ended or the deadline passed.
async fn ready(port: u16, process: &mut Watched) -> bool {
    let dsn = Dsn { port, user: "root", password: None, database: None, found_rows: false };
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline && !process.has_ended() {
        if Client::connect(&dsn).await.is_ok() {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
