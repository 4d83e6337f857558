//! Authentication through `bifocal serve` before real servers: every plugin over every pair of legs; TLS on either leg;
//! and that nobody comes in, and no password goes out, by way of Bifocal.
//!
//! `cargo test --test auth -- --nocapture` prints the table.

mod certificates;
mod lines;
mod matrix;
mod peer;
mod plugins;
mod programs;
mod stage;
mod strangers;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;
mod tap;
mod tls;

use anyhow::{Context, Result};

use stage::Stage;

async fn lines(name: &str) -> Result<()> {
    let Some(stage) = Stage::open(name).await? else { return Ok(()) };
    lines::l01_the_server_speaks_first(&stage).context("l01")?;
    lines::l02_mariadb_shows_itself(&stage).context("l02")?;
    lines::l03_nothing_is_slipped_in_before_tls(&stage).context("l03")?;
    lines::l04_dialogs_end(&stage).context("l04")?;
    lines::l05_passwords_suit_each_leg(&stage).context("l05")?;
    lines::l06_clear_passwords_stay_where_it_is_safe(&stage).context("l06")?;
    programs::l07_a_certificate_nobody_trusts_is_refused(&stage).context("l07")?;
    programs::come_in_as_they_are(&stage).context("come_in_as_they_are")?;
    lines::l08_a_change_of_user_begins_anew(&stage).context("l08")?;
    strangers::bifocals_os_user_is_nobodys(&stage).context("bifocals_os_user_is_nobodys")?;
    strangers::other_os_users_are_strangers(&stage).context("other_os_users_are_strangers")?;
    strangers::passwords_are_not_logged(&stage).context("passwords_are_not_logged")?;
    tls::the_backend_is_verified(&stage).context("the_backend_is_verified")?;
    tls::clients_have_tls_if_required(&stage).context("clients_have_tls_if_required")?;
    tls::clients_show_certificates(&stage).context("clients_show_certificates")?;
    tls::the_backend_sees_a_certificate(&stage).context("the_backend_sees_a_certificate")?;
    tls::certificates_are_read_again(&stage).context("certificates_are_read_again")?;
    tls::other_backends(&stage).await.context("other_backends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_mariadb_10_11() -> Result<()> {
    lines("mariadb-10.11").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_mariadb_11_8() -> Result<()> {
    lines("mariadb-11.8").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_mysql_9_7() -> Result<()> {
    lines("mysql-9.7").await
}

async fn matrix(name: &str) -> Result<()> {
    match Stage::open(name).await? {
        Some(stage) => matrix::walk(&stage).finish(name),
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
