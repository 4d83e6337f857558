//! Which version a connection has: by its database, an attribute, its listener; and what USE makes of it.

use anyhow::{Context, Result, ensure};

use super::{
    Shop, one,
    support::{
        client::{Client, Dsn},
        migrated::Migrated,
    },
};

const OLDER: &str = "SELECT mail FROM users WHERE id = 1";
const NEWER: &str = "SELECT email FROM people WHERE id = 1";
const MAIL: &str = "ann@example.com";

/// It speaks one version and not the other.
async fn speaks(client: &mut Client, version: &str) -> Result<()> {
    let (own, other) = if version == "v1" { (OLDER, NEWER) } else { (NEWER, OLDER) };
    ensure!(one(client, own).await?.as_deref() == Some(MAIL), "{own}");
    let error = client.text(other).await.error.context("the other version's words are understood")?;
    ensure!(error.number == 1146, "{error:?}");
    Ok(())
}

async fn refused(dsn: &Dsn, attributes: &[(&str, &str)], words: &str) -> Result<()> {
    let error = Client::connect_with(dsn, attributes).await.err().context("it was let in")?;
    let text = format!("{error:#}");
    ensure!(text.contains("1049") && text.contains(words), "{text}");
    Ok(())
}

/// `shop__v1` is version v1 of `shop`; `shop` alone is the physical version.
pub async fn by_database(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    for (database, version) in [("shop__v1", "v1"), ("shop__v2", "v2"), ("shop", "v2")] {
        let mut client = Client::connect(&Migrated::app(proxy.port, database)).await?;
        speaks(&mut client, version).await.with_context(|| database.to_owned())?;
        ensure!(one(&mut client, "SELECT DATABASE()").await?.as_deref() == Some("shop"));
    }
    let before = shop.questions().await?;
    refused(&Migrated::app(proxy.port, "shop__v9"), &[], "Unknown version 'v9' of 'shop' (Bifocal has v1, v2)").await?;
    ensure!(shop.questions().await? == before + 1, "the server was asked something, besides by this test");
    Ok(())
}

/// The attribute is second to the database's name.
pub async fn by_attribute(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    for (database, attribute, version) in
        [("shop", "v1", "v1"), ("shop", "v2", "v2"), ("shop__v1", "v2", "v1"), ("shop__v2", "v1", "v2")]
    {
        let dsn = Migrated::app(proxy.port, database);
        let mut client = Client::connect_with(&dsn, &[("program", "test"), ("bifocal_version", attribute)]).await?;
        speaks(&mut client, version).await.with_context(|| format!("{database}, {attribute}"))?;
    }
    let dsn = Migrated::app(proxy.port, "shop");
    refused(&dsn, &[("bifocal_version", "v9")], "Unknown version 'v9' of 'shop'").await
}

/// The listener's version is third.
pub async fn by_listener(shop: &Shop) -> Result<()> {
    let options = ["--listen", "127.0.0.1:0=shop@v1", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0=shop@v2"];
    let proxy = shop.serve(&options)?;
    ensure!(proxy.ports.len() == 3, "{:?}", proxy.ports);
    for (port, version) in proxy.ports.iter().zip(["v1", "v2", "v2"]) {
        let mut client = Client::connect(&Migrated::app(*port, "shop")).await?;
        speaks(&mut client, version).await?;
        let mut client = Client::connect(&Migrated::app(*port, "")).await?;
        client.run("USE shop").await?;
        speaks(&mut client, version).await.context("the database chosen later")?;
    }
    let dsn = Migrated::app(proxy.ports[0], "shop");
    speaks(&mut Client::connect_with(&dsn, &[("bifocal_version", "v2")]).await?, "v2").await?;
    speaks(&mut Client::connect(&Migrated::app(proxy.ports[0], "shop__v2")).await?, "v2").await?;
    refused(&Migrated::app(proxy.ports[0], "shop__v9"), &[], "Unknown version 'v9'").await
}

/// A connection stays with its version.
pub async fn by_use(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut client = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    for own in ["USE shop__v1", "use `shop__v1`;", "USE shop", "USE mysql", "USE shop__v1"] {
        if client.text(own).await.error.is_some_and(|error| error.number != 1044) {
            anyhow::bail!("{own}");
        }
        if own != "USE mysql" {
            speaks(&mut client, "v1").await.context(own)?;
            ensure!(one(&mut client, "SELECT DATABASE()").await?.as_deref() == Some("shop"), "{own}");
        }
    }
    for (other, number, words) in [
        ("USE shop__v2", 1235, "Bifocal R901: "),
        ("USE shop__v9", 1049, "Unknown version 'v9' of 'shop'"),
        ("USE shoe__v1", 1044, "shoe__v1"),
    ] {
        let error = client.text(other).await.error.context("it was let in")?;
        // An account without rights everywhere is denied what it cannot see; others are told that it is not there.
        let numbers = if number == 1044 { [1044, 1049] } else { [number; 2] };
        ensure!(numbers.contains(&error.number) && error.message.contains(words), "{other}: {error:?}");
        let warnings = client.rows("SHOW WARNINGS").await?;
        let told = warnings.first().and_then(|row| row[2].clone()).unwrap_or_default();
        ensure!(warnings.len() == 1 && told.contains(words), "{other}: {warnings:?}");
        speaks(&mut client, "v1").await.context(other)?;
    }
    Ok(())
}

/// `COM_CHANGE_USER` chooses anew; `COM_RESET_CONNECTION` does not.
pub async fn by_change_user(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0=shop@v1"])?;
    let mut client = Client::connect(&Migrated::app(proxy.ports[0], "shop__v1")).await?;
    client.reset().await?;
    client.run("USE shop").await?;
    speaks(&mut client, "v1").await.context("after a reset")?;
    for (database, version) in [("shop", "v2"), ("shop__v1", "v1"), ("shop__v2", "v2"), ("shop__v1", "v1")] {
        client.change_user(&Migrated::app(proxy.ports[0], database)).await?;
        speaks(&mut client, version).await.with_context(|| format!("changed to {database}"))?;
    }
    let mut client = Client::connect(&Migrated::app(proxy.ports[1], "shop__v2")).await?;
    client.change_user(&Migrated::app(proxy.ports[1], "shop")).await?;
    speaks(&mut client, "v1").await.context("the listener's version")?;
    let unknown = client.change_user(&Migrated::app(proxy.ports[1], "shop__v9")).await;
    let text = unknown.err().map(|error| format!("{error:#}")).context("it was let in")?;
    ensure!(text.contains("Unknown version 'v9' of 'shop'"), "{text}");
    Ok(())
}

/// `SHOW WARNINGS` after an error that Bifocal gave itself: it holds for as long as the server's own would.
pub async fn told_once(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut older = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    let mut newer = Client::connect(&Migrated::app(shop.migrated.server.port, "shop")).await?;
    for step in ["", "USE shop", "USE nowhere", "prepare", "a wrong prepare", "reset"] {
        let mut counts = Vec::new();
        for (client, foreign) in [(&mut older, NEWER), (&mut newer, OLDER)] {
            ensure!(client.text(foreign).await.error.is_some());
            match step {
                "" => {}
                "prepare" => drop(client.prepare("SELECT 1").await),
                "a wrong prepare" => drop(client.prepare("SELECT nothing FROM products").await),
                "reset" => client.reset().await?,
                sql => drop(client.text(sql).await),
            }
            let warnings = client.rows("SHOW WARNINGS").await?;
            counts.push(warnings.into_iter().map(|mut row| row.remove(1)).collect::<Vec<_>>());
        }
        ensure!(counts[0] == counts[1], "after '{step}', through Bifocal and directly: {counts:?}");
    }
    Ok(())
}
