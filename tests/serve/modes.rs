//! How a session reads text when the server decided it: global settings, `init_connect`, the handshake, resets.

use anyhow::{Context, Result, ensure};

use super::{
    Shop, one,
    raw::Raw,
    support::{client::Client, migrated::Migrated},
};

/// A table's name under ANSI_QUOTES, a text otherwise.
const QUOTED: &str = "SELECT \"mail\" FROM users WHERE id = 1";
const MAIL: &str = "ann@example.com";
/// In gbk a character and the end of the text, elsewhere a character, a backslash and a quote.
const TRICK: &[u8] = b"SELECT mail, '\xBF\\' FROM users WHERE id = 1";
/// `latin1_swedish_ci`, `gbk_chinese_ci`, `utf8mb4_general_ci`.
const COLLATIONS: [(u8, bool); 3] = [(8, false), (28, true), (45, false)];

/// Whether double quotes make names.
async fn quotes_names(client: &mut Client) -> Result<bool> {
    let read = one(client, QUOTED).await?;
    ensure!(matches!(read.as_deref(), Some(MAIL | "mail")), "{read:?}");
    Ok(read.as_deref() == Some(MAIL))
}

/// Whether the session is in gbk, for the server and for Bifocal alike.
async fn is_in_gbk(client: &mut Client) -> Result<bool> {
    Ok(client.text_bytes(TRICK).await.error.is_none())
}

/// A connection has the global modes of the time when it began, and again after a reset or another user.
pub async fn l22_global_modes(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut root = shop.root().await?;
    let dsn = Migrated::app(proxy.port, "shop__v1");
    let mut before = Client::connect(&dsn).await?;
    ensure!(!quotes_names(&mut before).await?);
    root.run("SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',ANSI_QUOTES')").await?;
    let mut after = Client::connect(&dsn).await?;
    ensure!(quotes_names(&mut after).await?, "a new connection");
    ensure!(!quotes_names(&mut before).await?, "an older connection");
    before.reset().await?;
    ensure!(quotes_names(&mut before).await?, "after a reset");
    root.run("SET GLOBAL sql_mode = REPLACE(@@GLOBAL.sql_mode, 'ANSI_QUOTES', '')").await?;
    after.change_user(&dsn).await?;
    ensure!(!quotes_names(&mut after).await?, "after another user");
    after.run("SET sql_mode = 'ANSI_QUOTES'").await?;
    ensure!(quotes_names(&mut after).await?);
    after.reset().await?;
    ensure!(!quotes_names(&mut after).await?, "a reset takes the session's own modes away");
    let mut prepared = Client::connect(&dsn).await?;
    let set = prepared.prepare("SET sql_mode = 'ANSI_QUOTES'").await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    ensure!(!quotes_names(&mut prepared).await?, "prepared is not executed");
    ensure!(prepared.execute(&set, Vec::new()).await.error.is_none());
    ensure!(quotes_names(&mut prepared).await?, "a prepared SET");
    Ok(())
}

/// What `init_connect` sets is known, though no client sent it.
pub async fn l22_init_connect(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut root = shop.root().await?;
    root.run("SET GLOBAL init_connect = 'SET sql_mode = ''ANSI_QUOTES'', NAMES gbk'").await?;
    let dsn = Migrated::app(proxy.port, "shop__v1");
    let seen = async {
        let mut client = Client::connect(&dsn).await?;
        ensure!(quotes_names(&mut client).await?, "init_connect's mode");
        ensure!(is_in_gbk(&mut client).await?, "init_connect's charset");
        client.run("SET NAMES utf8mb4").await?;
        ensure!(!is_in_gbk(&mut client).await?, "the client's own");
        client.change_user(&dsn).await?;
        let mode = one(&mut client, "SELECT @@sql_mode").await?.context("no mode")?;
        ensure!(quotes_names(&mut client).await? == mode.contains("ANSI_QUOTES"), "after another user: {mode}");
        let charset = one(&mut client, "SELECT @@character_set_client").await?.context("no charset")?;
        ensure!(is_in_gbk(&mut client).await? == (charset == "gbk"), "after another user: {charset}");
        Ok(())
    };
    let seen = seen.await;
    // The server is shared with the tests to come.
    root.run("SET GLOBAL init_connect = ''").await?;
    seen
}

/// The charset of the handshake's collation.
pub async fn l21_handshake(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    for (collation, is_gbk) in COLLATIONS {
        let mut raw = Raw::connect_in(proxy.port, "shop__v1", collation)?;
        raw.query_bytes(TRICK)?;
        let is_error = raw.packet()?.first() == Some(&0xFF);
        ensure!(is_error != is_gbk, "collation {collation}");
    }
    let mut client = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    client.run("SET NAMES gbk").await?;
    ensure!(is_in_gbk(&mut client).await?);
    client.reset().await?;
    // MariaDB keeps the charset of SET NAMES over a reset, MySQL goes back to the handshake's.
    let charset = one(&mut client, "SELECT @@character_set_client").await?.context("no charset")?;
    ensure!(is_in_gbk(&mut client).await? == (charset == "gbk"), "after a reset: {charset}");
    client.run("SET NAMES gbk").await?;
    client.change_user(&Migrated::app(proxy.port, "shop__v1")).await?;
    let charset = one(&mut client, "SELECT @@character_set_client").await?.context("no charset")?;
    ensure!(is_in_gbk(&mut client).await? == (charset == "gbk"), "after another user: {charset}");
    Ok(())
}
