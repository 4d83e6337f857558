//! `bifocal serve` as a process, before real servers: which version a connection gets, reloading, and how things end.

mod breaking;
mod choosing;
mod ending;
mod modes;
mod passing_on;
mod raw;
mod reloading;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::{
    cell::Cell,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use support::{
    client::Client,
    migrated::{DATABASE, Migrated},
    proxy::Proxy,
    server::{Coverage, Family, Kind},
    set::Set,
};

/// What takes longer has not happened.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(10);

/// A server with the migrated shop.
struct Shop {
    migrated: Migrated,
    served: Cell<u32>,
    folder: TempDir,
}

impl Shop {
    async fn open(kind: &Kind) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bifocal-serve-").tempdir()?;
        let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/shop"))?;
        let migrated = Migrated::make(kind, &set, folder.path()).await?;
        Ok(Self { migrated, served: Cell::new(0), folder })
    }

    /// A `bifocal serve` before it.
    fn serve(&self, options: &[&str]) -> Result<Proxy> {
        self.served.update(|served| served + 1);
        self.migrated.serve(options, &self.folder.path().join(format!("bifocal-{}.log", self.served.get())))
    }

    async fn root(&self) -> Result<Client> {
        Client::connect(&self.migrated.server.root(Some(DATABASE))).await
    }

    /// How many statements the server has been asked so far, this one included.
    async fn questions(&self) -> Result<u64> {
        let rows = self.root().await?.rows("SHOW GLOBAL STATUS LIKE 'Questions'").await?;
        let count = rows.first().and_then(|row| row[1].clone()).context("no count")?;
        Ok(count.parse()?)
    }
}

/// The value of a statement that gives one.
async fn one(client: &mut Client, sql: &str) -> Result<Option<String>> {
    let rows = client.rows(sql).await?;
    ensure!(rows.len() == 1 && rows[0].len() == 1, "not one value: {rows:?}");
    Ok(rows[0][0].clone())
}

/// Waits until something has happened.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await? {
        if Instant::now() > deadline {
            bail!("not within {DEADLINE:?}: {what}");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn serves(name: &str) -> Result<()> {
    let coverage = Coverage::find(&[name.to_owned()])?;
    let Some(kind) = coverage.covered.first() else {
        println!("{}", coverage.line());
        return Ok(());
    };
    let shop = Shop::open(kind).await?;
    choosing::by_database(&shop).await.context("by_database")?;
    choosing::by_attribute(&shop).await.context("by_attribute")?;
    choosing::by_listener(&shop).await.context("by_listener")?;
    choosing::by_use(&shop).await.context("by_use")?;
    choosing::by_change_user(&shop).await.context("by_change_user")?;
    choosing::told_once(&shop).await.context("told_once")?;
    modes::l22_global_modes(&shop).await.context("l22_global_modes")?;
    modes::l22_init_connect(&shop).await.context("l22_init_connect")?;
    modes::l21_handshake(&shop).await.context("l21_handshake")?;
    reloading::pins(&shop).await.context("pins")?;
    reloading::keeps_the_old(&shop).await.context("keeps_the_old")?;
    reloading::forgets_a_version(&shop).await.context("forgets_a_version")?;
    ending::waits_for_nobody(&shop).await.context("waits_for_nobody")?;
    ending::limits_connections(&shop).await.context("limits_connections")?;
    ending::hangs_up(&shop).await.context("hangs_up")?;
    ending::loses_the_backend(&shop).await.context("loses_the_backend")?;
    ending::reads_slowly(&shop).context("reads_slowly")?;
    ending::drains(&shop).await.context("drains")?;
    ending::cuts_off(&shop).await.context("cuts_off")?;
    passing_on::l27_in(&shop).await.context("l27_in")?;
    match kind.family {
        Family::MariaDb => {
            passing_on::l27_out(&shop).await.context("l27_out")?;
            passing_on::l27_in_and_out(&shop).await.context("l27_in_and_out")?;
        }
        Family::MySql => passing_on::l27_mysql_does_not_know_it(&shop).await.context("l27_mysql_does_not_know_it")?,
    }
    breaks(&shop).await
}

async fn breaks(shop: &Shop) -> Result<()> {
    breaking::a_killed_proxy_commits_nothing(shop).await.context("a_killed_proxy_commits_nothing")?;
    breaking::a_killed_client_leaves_nothing(shop).await.context("a_killed_client_leaves_nothing")?;
    breaking::chaos_gives_right_rows_or_errors(shop).await.context("chaos_gives_right_rows_or_errors")?;
    breaking::a_killed_backend_is_told(shop).await.context("a_killed_backend_is_told")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_10_11() -> Result<()> {
    serves("mariadb-10.11").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_11_8() -> Result<()> {
    serves("mariadb-11.8").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_9_7() -> Result<()> {
    serves("mysql-9.7").await
}
