//! Authentication through `bifocal serve` before real servers: every plugin over every pair of legs; TLS on either leg;
//! and that nobody comes in, and no password goes out, by way of Bifocal.
//!
//! `cargo test --test auth -- --nocapture` prints the table.

mod certificates;
mod matrix;
mod peer;
mod plugins;
mod stage;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use anyhow::Result;

use stage::Stage;

async fn matrix(name: &str) -> Result<()> {
    match Stage::open(name).await? {
        Some(stage) => matrix::walk(&stage)?.finish(name),
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matrix_mariadb_10_11() -> Result<()> {
    matrix("mariadb-10.11").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matrix_mariadb_11_8() -> Result<()> {
    matrix("mariadb-11.8").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matrix_mysql_9_7() -> Result<()> {
    matrix("mysql-9.7").await
}
