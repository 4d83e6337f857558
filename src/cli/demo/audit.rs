//! The audit: every acknowledged write of either side is in the database, and both releases see it in their words.

use std::collections::BTreeMap;

use anyhow::Result;
use mysql_async::{Conn, prelude::Queryable};

use super::{
    processes::{Proxy, Server},
    traffic::Client,
};

type Orders = BTreeMap<String, (usize, u64)>;
type Users = BTreeMap<String, String>;

/// Compares what was acknowledged with what is there, read as v2 from the server and as v1 through Bifocal.
pub async fn run(server: &Server, proxy: &Proxy, older: &Client, newer: &Client) -> Result<bool> {
    let mut direct = server.connect("shop").await?;
    let mut through = proxy.connect("shop__v1").await?;
    let as_newer = (
        orders(&mut direct, "SELECT note, status_id - 1, CAST(total * 100 AS UNSIGNED) FROM orders").await?,
        users(&mut direct, "SELECT email, CONCAT_WS(' ', first_name, last_name) FROM people").await?,
    );
    let as_older = (
        orders(
            &mut through,
            "SELECT note, FIELD(status, 'new', 'paid', 'shipped') - 1, CAST(total * 100 AS UNSIGNED) FROM orders",
        )
        .await?,
        users(&mut through, "SELECT mail, full_name FROM users").await?,
    );
    let mut complete = true;
    for (name, seen) in [("v2, from the database", &as_newer), ("v1, through Bifocal", &as_older)] {
        for client in [older, newer] {
            complete &= compare(name, client, seen);
        }
        complete &= nothing_else(name, &[older, newer], &seen.0);
    }
    Ok(complete)
}

async fn orders(connection: &mut Conn, sql: &str) -> Result<Orders> {
    let rows: Vec<(String, usize, u64)> = connection.query(sql).await?;
    Ok(rows.into_iter().map(|(note, status, cents)| (note, (status, cents))).collect())
}

async fn users(connection: &mut Conn, sql: &str) -> Result<Users> {
    let rows: Vec<(String, String)> = connection.query(sql).await?;
    Ok(rows.into_iter().collect())
}

fn compare(reader: &str, client: &Client, seen: &(Orders, Users)) -> bool {
    let lost_orders = client.orders.iter().filter(|(note, order)| seen.0.get(*note) != Some(order)).count();
    let lost_users = client.users.iter().filter(|(mail, name)| seen.1.get(*mail) != Some(name)).count();
    println!(
        "  {reader}: of {}'s {} orders and {} users, {lost_orders} and {lost_users} are missing or different",
        client.words.tag,
        client.orders.len(),
        client.users.len()
    );
    lost_orders == 0 && lost_users == 0
}

/// What nobody was told of must not be there: rolled-back orders above all.
fn nothing_else(reader: &str, clients: &[&Client], seen: &Orders) -> bool {
    let invented = seen
        .keys()
        .filter(|note| !note.starts_with("old-") && !clients.iter().any(|client| client.orders.contains_key(*note)))
        .count();
    println!("  {reader}: {invented} orders that nobody placed, or that were rolled back");
    invented == 0
}
