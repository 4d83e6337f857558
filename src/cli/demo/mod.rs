//! `bifocal demo`: a private server, a migration, a v1 and a v2 client at once, and an audit.
//!
//! Everything is real: the server is a process of its own, the clients are ordinary drivers, Bifocal is this program
//! started with `serve`, and the audit reads the database itself.

mod audit;
mod processes;
mod traffic;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use mysql_async::{Conn, Opts, Row, prelude::Queryable};

use super::snapshot;
use crate::rewrite::{Facts, Plan, plan};
use processes::{Proxy, Server};
use traffic::{Client, Counts};

const V1_SQL: &str = include_str!("../../../demo/v1.sql");
const V2_SQL: &str = include_str!("../../../demo/v2.sql");
const RULES: &str = include_str!("../../../demo/rules/shop.yaml");
const USERS: u32 = 3_000;
const ORDERS: u32 = 6_000;

/// `bifocal demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a server that `scripts/servers.sh` made.
    #[arg(long, default_value = ".servers/mariadb-10.11")]
    server: PathBuf,
    /// How long both clients work, in seconds.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
}

/// Runs the demo. Exit 0 when the audit finds every acknowledged write of both sides.
pub async fn run(args: &Args) -> ExitCode {
    match demo(args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bifocal demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(args: &Args) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("bifocal-demo-").tempdir()?;
    heading("A shop at v1");
    let server = Server::start(&args.server, folder.path()).await?;
    let mut direct = server.connect("").await?;
    direct.query_drop("CREATE DATABASE shop CHARACTER SET utf8mb4").await?;
    direct.query_drop("USE shop").await?;
    run_script(&mut direct, V1_SQL).await?;
    fill(&mut direct).await?;
    println!("{} with {USERS} users and {ORDERS} orders", server.version);

    heading("The migration to v2");
    let rules = folder.path().join("rules");
    std::fs::create_dir_all(rules.join("shop"))?;
    std::fs::write(rules.join("shop.yaml"), RULES)?;
    write_snapshot(&mut direct, &rules.join("shop/v1.schema.json")).await?;
    for statement in statements(V2_SQL) {
        println!("  {}", statement.split_whitespace().collect::<Vec<_>>().join(" "));
        direct.query_drop(statement).await.with_context(|| statement.to_owned())?;
    }
    write_snapshot(&mut direct, &rules.join("shop/v2.schema.json")).await?;

    heading("v1's client on the migrated schema, without Bifocal");
    show_failures(&mut direct).await;

    heading("With Bifocal");
    println!("{}", RULES.trim_end());
    let proxy = Proxy::start(server.port, &rules).await?;
    println!("\nbifocal serve: v1 nodes connect to 127.0.0.1:{} as shop__v1", proxy.port);
    let (older, newer) = traffic(&server, &proxy, Duration::from_secs(args.seconds)).await?;

    heading("The audit, read from the database itself and through Bifocal");
    let complete = audit::run(&server, &proxy, &older, &newer).await?;

    heading("One statement of each kind");
    show_rewrites(&rules)?;
    Ok(complete)
}

fn heading(text: &str) {
    println!("\n\x1b[1m== {text}\x1b[0m");
}

fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split(';').map(str::trim).filter(|statement| !statement.is_empty())
}

async fn run_script(connection: &mut Conn, script: &str) -> Result<()> {
    for statement in statements(script) {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

async fn fill(connection: &mut Conn) -> Result<()> {
    let users = (1..=USERS).map(|id| format!("('user{id}@example.com', 'First{id} Last{id}', NULL)"));
    let users = users.collect::<Vec<_>>().join(", ");
    connection.query_drop(format!("INSERT INTO users (mail, full_name, fax) VALUES {users}")).await?;
    let orders = (1..=ORDERS).map(|id| {
        let status = ["new", "paid", "shipped"][id as usize % 3];
        format!("({}, '{status}', {}.50, 'old-{id}')", id % USERS + 1, id % 90 + 1)
    });
    let orders = orders.collect::<Vec<_>>().join(", ");
    connection.query_drop(format!("INSERT INTO orders (user_id, status, total, note) VALUES {orders}")).await?;
    Ok(())
}

async fn write_snapshot(connection: &mut Conn, path: &Path) -> Result<()> {
    let schema = snapshot::capture(connection).await?;
    std::fs::write(path, serde_json::to_string_pretty(&schema)?)?;
    Ok(())
}

async fn show_failures(direct: &mut Conn) {
    for statement in [
        "SELECT mail, full_name FROM users WHERE id = 7",
        "INSERT INTO orders (user_id, status, total) VALUES (7, 'paid', 12.50)",
        "UPDATE users SET full_name = 'Ann Lee' WHERE id = 7",
    ] {
        match direct.query::<Row, _>(statement).await {
            Ok(_) => println!("  {statement}\n    worked"),
            Err(error) => println!("  {statement}\n    \x1b[31m{error}\x1b[0m"),
        }
    }
}

/// Both clients at once, with a line that says what each does.
async fn traffic(server: &Server, proxy: &Proxy, time: Duration) -> Result<(Client, Client)> {
    let older = Client::older(proxy.connect("shop__v1").await?);
    let newer = Client::newer(server.connect("shop").await?);
    let counts = Arc::new([Counts::default(), Counts::default()]);
    let deadline = tokio::time::Instant::now() + time;
    let tasks = (
        tokio::spawn(older.work(deadline, Arc::clone(&counts), 0)),
        tokio::spawn(newer.work(deadline, Arc::clone(&counts), 1)),
    );
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    while tokio::time::Instant::now() < deadline {
        tick.tick().await;
        bar.set_message(format!("v1: {} | v2: {}", counts[0], counts[1]));
        bar.tick();
    }
    let (older, newer) = (tasks.0.await??, tasks.1.await??);
    bar.finish_and_clear();
    println!("v1, through Bifocal: {}\nv2, directly:        {}", counts[0], counts[1]);
    Ok((older, newer))
}

fn show_rewrites(rules: &Path) -> Result<()> {
    let ruleset = super::rules::load(rules).map_err(|error| anyhow::anyhow!(error.render()))?;
    let version = &ruleset.databases[0].versions[0];
    let facts = Facts {
        database: Some("shop".to_owned()),
        lex: super::explain::mode_of(&version.schema.server),
        strict: true,
        introduce: false,
        odd_mode: None,
        multi_statements: true,
    };
    for sql in [
        "SELECT u.mail, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE o.status = 'paid'",
        "INSERT INTO users (mail, full_name) VALUES (?, ?)",
        "UPDATE users SET mail = ? WHERE id = ?",
        "DELETE FROM users WHERE mail = ?",
        "ALTER TABLE users ADD COLUMN age INT",
    ] {
        println!("v1  {sql}");
        match plan(sql.as_bytes(), &version.chain, &facts) {
            Plan::Forward => println!(" →  as it is\n"),
            Plan::Rewrite(rewrite) => println!(" →  {}\n", String::from_utf8_lossy(&rewrite.text)),
            Plan::Answer(error) => println!(" →  {}\n", error.message),
            Plan::Refuse(refusal) => println!(" →  refused, {}: {}\n", refusal.code, refusal.reason),
        }
    }
    Ok(())
}

/// Options of a loopback connection.
fn options(port: u16, database: &str) -> Result<Opts> {
    let slash = if database.is_empty() { String::new() } else { format!("/{database}") };
    Ok(Opts::from_url(&format!("mysql://root@127.0.0.1:{port}{slash}?prefer_socket=false"))?)
}
