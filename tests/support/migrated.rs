//! A server whose database `shop` was migrated from the oldest version of a set to the newest, and the rules for it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    client::{Client, Dsn},
    proxy::{Proxy, bifocal},
    server::{Kind, PASSWORD, Server, USER},
    set::Set,
};

/// The name of the database.
pub const DATABASE: &str = "shop";

/// The server and its rules.
#[derive(Debug)]
pub struct Migrated {
    /// The server.
    pub server: Server,
    /// The folder of the rule file, `shop.yaml`, and of the snapshots.
    pub rules: PathBuf,
}

impl Migrated {
    /// Starts a server in `folder` and migrates; the snapshots are taken on the way.
    pub async fn make(kind: &Kind, set: &Set, folder: &Path) -> Result<Self> {
        Self::make_with(kind, set, folder, &[]).await
    }

    /// The same with options of the server's own.
    pub async fn make_with(kind: &Kind, set: &Set, folder: &Path, options: &[String]) -> Result<Self> {
        let server = Server::start_with(kind, &folder.join("server"), options).await?;
        let rules = folder.join("rules");
        fs::create_dir_all(rules.join("snap"))?;
        fs::write(rules.join("shop.yaml"), set.rules(kind.family, DATABASE, "snap")?)?;
        let mut root = Client::connect(&server.root(None)).await?;
        root.run(&format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")).await?;
        root.run(&format!("USE {DATABASE}")).await?;
        let migrated = Self { server, rules };
        for (index, version) in set.versions.iter().enumerate() {
            for sql in set.statements(index, kind.family)? {
                root.run(&sql).await.with_context(|| format!("making {version}"))?;
            }
            let json = bifocal(&["snapshot", "--database-url", &migrated.url()])?;
            fs::write(migrated.rules.join(format!("snap/{version}.json")), json)?;
        }
        Ok(migrated)
    }

    /// The database's URL, for root.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/{DATABASE}", self.server.port)
    }

    /// Starts Bifocal before it.
    pub fn serve(&self, options: &[&str], log: &Path) -> Result<Proxy> {
        Proxy::start_with(self.server.port, &self.rules, options, log)
    }

    /// How the ordinary account reaches a database at a port.
    pub fn app(port: u16, database: &str) -> Dsn {
        let database = Some(database).filter(|name| !name.is_empty()).map(str::to_owned);
        Dsn { port, user: USER, password: Some(PASSWORD), database, found_rows: false }
    }
}
