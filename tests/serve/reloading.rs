//! SIGHUP: newer rules, pinned ones, and wrong ones.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::{
    Shop, one,
    support::{client::Client, migrated::Migrated, proxy::Proxy},
    until,
};

const STATUS: &str = "SELECT status FROM orders WHERE id = 1";

async fn status(client: &mut Client) -> Result<String> {
    one(client, STATUS).await?.context("NULL")
}

async fn told(proxy: &Proxy, words: &str) -> Result<()> {
    until(words, async || Ok(proxy.said()?.contains(words))).await
}

/// Rules in which other numbers stand for the same words.
fn swapped(shop: &Shop) -> Result<(String, String)> {
    let rules = fs::read_to_string(shop.migrated.rules.join("shop.yaml"))?;
    let swapped = rules.replace("new: 1, paid: 2, shipped: 3", "new: 3, paid: 2, shipped: 1");
    ensure!(swapped != rules, "the set's rules are not what they were");
    Ok((rules, swapped))
}

/// What is in the middle of something goes on with the rules it began with.
pub async fn pins(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let dsn = Migrated::app(proxy.port, "shop__v1");
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(Client::connect(&dsn).await?);
    }
    let [idle, inside, prepared] = &mut connections[..] else { unreachable!("three") };
    ensure!(status(idle).await? == "shipped");
    inside.run("BEGIN").await?;
    ensure!(status(inside).await? == "shipped");
    let statement = prepared.prepare(STATUS).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;

    let file = shop.migrated.rules.join("shop.yaml");
    let (rules, swapped) = swapped(shop)?;
    fs::write(&file, swapped)?;
    proxy.signal("HUP")?;
    told(&proxy, "generation 2 of the rules is in force").await?;

    ensure!(status(idle).await? == "new", "the next statement has the new rules");
    ensure!(status(inside).await? == "shipped", "not in a transaction");
    let inside_of_it = inside.prepare(STATUS).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    inside.run("COMMIT").await?;
    ensure!(status(inside).await? == "new", "but after it");
    for (client, statement) in [(&mut *prepared, &statement), (&mut *inside, &inside_of_it)] {
        let outcome = client.execute(statement, Vec::new()).await;
        let value = outcome.results.first().and_then(|set| set.rows.first()).map(|row| row[0].clone());
        ensure!(value == Some("shipped".into()), "a prepared statement keeps its rules: {outcome:?}");
        ensure!(status(client).await? == "new", "and no other");
    }
    ensure!(status(&mut Client::connect(&dsn).await?).await? == "new");

    fs::write(&file, rules)?;
    proxy.signal("HUP")?;
    told(&proxy, "generation 3 of the rules is in force").await?;
    ensure!(status(idle).await? == "shipped");
    Ok(())
}

/// Wrong rules change nothing, and are told with their places.
pub async fn keeps_the_old(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let mut client = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
    ensure!(status(&mut client).await? == "shipped");
    let file = shop.migrated.rules.join("shop.yaml");
    let (rules, swapped) = swapped(shop)?;
    for wrong in [swapped.replace("rename_table", "rename_tabel"), "database: [".to_owned()] {
        fs::write(&file, wrong)?;
        let before = proxy.said()?.matches("the old rules stay in force").count();
        proxy.signal("HUP")?;
        let again = async || Ok(proxy.said()?.matches("the old rules stay in force").count() > before);
        until("the old rules stay in force", again).await?;
        ensure!(status(&mut client).await? == "shipped");
        let mut other = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await?;
        ensure!(status(&mut other).await? == "shipped");
    }
    let said = proxy.said()?;
    ensure!(
        said.contains(&format!("{}:8:", file.display())) && said.contains("did you mean `rename_table`?"),
        "{said}"
    );
    fs::write(&file, rules)?;
    proxy.signal("HUP")?;
    told(&proxy, "generation 2 of the rules is in force").await
}

/// A version that the rules know no more: its connections are told so, and go on when it is back.
pub async fn forgets_a_version(shop: &Shop) -> Result<()> {
    let proxy = shop.serve(&["--listen", "127.0.0.1:0"])?;
    let dsn = Migrated::app(proxy.port, "shop__v1");
    let (mut idle, mut inside) = (Client::connect(&dsn).await?, Client::connect(&dsn).await?);
    inside.run("BEGIN").await?;
    ensure!(status(&mut inside).await? == "shipped");
    let file = shop.migrated.rules.join("shop.yaml");
    let rules = fs::read_to_string(&file)?;
    fs::write(&file, "database: shop\nversions:\n  - name: v2\n    schema: snap/v2.json\n")?;
    proxy.signal("HUP")?;
    told(&proxy, "generation 2 of the rules is in force").await?;
    ensure!(status(&mut inside).await? == "shipped", "the transaction goes on");
    inside.run("COMMIT").await?;
    for client in [&mut idle, &mut inside] {
        let error = client.text("DELETE FROM orders").await.error.context("it was executed")?;
        ensure!(
            error.number == 1049 && error.message == "Unknown version 'v1' of 'shop' (Bifocal has v2)",
            "{error:?}"
        );
    }
    ensure!(Client::connect(&dsn).await.is_err());
    fs::write(&file, rules)?;
    proxy.signal("HUP")?;
    told(&proxy, "generation 3 of the rules is in force").await?;
    ensure!(status(&mut idle).await? == "shipped");
    Ok(())
}
