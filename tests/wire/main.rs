//! The wire on real servers: scripts of raw bytes are played directly, through Bifocal without a version, and through
//! Bifocal in an older version, and every packet of the answers must be the same.
//!
//!     cargo test --test wire -- SUBSTRING      scripts whose "name::server" contains it
//!     WIRE_SERVERS=mariadb-10.11,mysql-9.7     only these servers
//!
//! A script's name begins with the line of the list of traps that it proves. Adding one is adding a few lines to
//! `capabilities.rs`, `commands.rs`, `framing.rs` or `prepared.rs`; what a script cannot tell stands in `own.rs`.

mod capabilities;
mod client;
mod commands;
mod framing;
mod own;
mod prepared;
mod script;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use support::{
    client::Client,
    migrated::Migrated,
    proxy::Proxy,
    server::{Coverage, Family, Kind},
    set::Set,
};

/// A server with the migrated shop, with two shops of the older schema beside it, and Bifocal before it.
pub struct Shop {
    migrated: Migrated,
    /// Bifocal.
    pub proxy: Proxy,
    _folder: TempDir,
}

impl Shop {
    async fn open(kind: &Kind) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bifocal-wire-").tempdir()?;
        let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/shop"))?;
        let migrated = Migrated::make(kind, &set, folder.path()).await?;
        let mut root = Client::connect(&migrated.server.root(None)).await?;
        for sql in ["SET GLOBAL local_infile = 1", "SET GLOBAL max_allowed_packet = 67108864"] {
            root.run(sql).await?;
        }
        for database in ["shoq", "shor"] {
            root.run(&format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await?;
            root.run(&format!("USE {database}")).await?;
            for sql in set.statements(0, kind.family)? {
                root.run(&sql).await.with_context(|| sql.clone())?;
            }
        }
        // Threads that are used again go on numbering their statements where the session before them stopped.
        root.run("SET GLOBAL thread_cache_size = 0").await?;
        if kind.family == Family::MySql {
            root.run("INSTALL COMPONENT 'file://component_query_attributes'").await?;
        }
        let proxy = migrated.serve(&["--listen", "127.0.0.1:0"], &folder.path().join("bifocal.log"))?;
        Ok(Self { migrated, proxy, _folder: folder })
    }

    /// The server's own port.
    pub fn server_port(&self) -> u16 {
        self.migrated.server.port
    }
}

/// Without this server a run proves too little.
const REQUIRED: &str = "mariadb-10.11";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials(&arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("wire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Every script on every server; a server is started only when one of its scripts is run.
fn trials(arguments: &Arguments) -> Result<Vec<Trial>> {
    let wanted = std::env::var("WIRE_SERVERS").unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let coverage = Coverage::find(&wanted)?;
    if !arguments.list {
        println!("{}", coverage.line());
    }
    anyhow::ensure!(!coverage.missing.contains(&REQUIRED), "{REQUIRED} is not there");
    let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
    let mut trials = Vec::new();
    for kind in &coverage.covered {
        // One script at a time: some look at all that the server does.
        let shop: Arc<Mutex<Option<Shop>>> = Arc::default();
        let all = [capabilities::scripts(), commands::scripts(), framing::scripts(), prepared::scripts()].concat();
        let fits = |script: &script::Script| {
            script.family.is_none_or(|family| family == kind.family) && kind.major >= script.since
        };
        for script in all.into_iter().filter(fits) {
            trials.push(trial(script.name, kind, &shop, &runtime, move |shop| script.run(shop)));
        }
        for own in own::ALL.into_iter().filter(|own| own.family.is_none_or(|family| family == kind.family)) {
            trials.push(trial(own.name, kind, &shop, &runtime, own.run));
        }
    }
    Ok(trials)
}

/// One script on one server.
fn trial(
    name: &str,
    kind: &Kind,
    shop: &Arc<Mutex<Option<Shop>>>,
    runtime: &Arc<Runtime>,
    run: impl FnOnce(&Shop) -> Result<()> + Send + 'static,
) -> Trial {
    let (shop, runtime, kind) = (Arc::clone(shop), Arc::clone(runtime), kind.clone());
    Trial::test(format!("{name}::{}", kind.name), move || {
        let mut shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
        if shop.is_none() {
            *shop = Some(runtime.block_on(Shop::open(&kind)).map_err(failed)?);
        }
        shop.as_ref().map_or(Ok(()), |shop| run(shop).map_err(failed))
    })
}

fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}
