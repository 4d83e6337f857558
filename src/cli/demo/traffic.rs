//! Two clients that place and change orders at once, each in its own release's words, and note what was acknowledged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use mysql_async::{Conn, TxOpts, prelude::Queryable};
use tokio::time::Instant;

/// What a client has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    orders: AtomicU64,
    changes: AtomicU64,
    users: AtomicU64,
    rollbacks: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (orders, changes) = (of(&self.orders), of(&self.changes));
        write!(f, "{orders} orders placed, {changes} changed, ")?;
        write!(f, "{} users signed up, {} rolled back", of(&self.users), of(&self.rollbacks))
    }
}

/// A release's words for the same things.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Tags what the client writes.
    pub tag: &'static str,
    place: &'static str,
    change: &'static str,
    statuses: [&'static str; 3],
    sign_up: &'static str,
    split_names: bool,
}

/// A client and everything that was acknowledged to it.
#[derive(Debug)]
pub struct Client {
    connection: Conn,
    /// Its release's words.
    pub words: Words,
    /// Orders by note: the number of the status (0 new, 1 paid, 2 shipped) and the total in cents.
    pub orders: BTreeMap<String, (usize, u64)>,
    /// Names by mail.
    pub users: BTreeMap<String, String>,
}

impl Client {
    /// A client of v1.
    pub fn older(connection: Conn) -> Self {
        Self::new(
            connection,
            Words {
                tag: "v1",
                place: "INSERT INTO orders (user_id, status, total, note) VALUES (?, ?, ?, ?)",
                change: "UPDATE orders SET status = ? WHERE note = ?",
                statuses: ["new", "paid", "shipped"],
                sign_up: "INSERT INTO users (mail, full_name) VALUES (?, ?)",
                split_names: false,
            },
        )
    }

    /// A client of v2.
    pub fn newer(connection: Conn) -> Self {
        Self::new(
            connection,
            Words {
                tag: "v2",
                place: "INSERT INTO orders (user_id, status_id, total, note) VALUES (?, ?, ?, ?)",
                change: "UPDATE orders SET status_id = ? WHERE note = ?",
                statuses: ["1", "2", "3"],
                sign_up: "INSERT INTO people (email, first_name, last_name) VALUES (?, ?, ?)",
                split_names: true,
            },
        )
    }

    fn new(connection: Conn, words: Words) -> Self {
        Self { connection, words, orders: BTreeMap::new(), users: BTreeMap::new() }
    }

    /// Works until the deadline; every write that is noted was acknowledged by the server.
    pub async fn work(mut self, deadline: Instant, counts: Arc<[Counts; 2]>, side: usize) -> Result<Self> {
        let counts = &counts[side];
        for round in 0u64.. {
            if Instant::now() >= deadline {
                break;
            }
            let note = format!("{}-{round}", self.words.tag);
            let cents = 100 + round % 9_900;
            self.place(&note, round, cents).await?;
            counts.orders.fetch_add(1, Ordering::Relaxed);
            if round % 2 == 0 {
                self.change(&note, 1 + usize::from(round % 4 == 0)).await?;
                counts.changes.fetch_add(1, Ordering::Relaxed);
            }
            if round % 5 == 0 {
                self.sign_up(round).await?;
                counts.users.fetch_add(1, Ordering::Relaxed);
            }
            if round % 7 == 0 {
                self.roll_back(round).await?;
                counts.rollbacks.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(self)
    }

    async fn place(&mut self, note: &str, round: u64, cents: u64) -> Result<()> {
        let total = format!("{}.{:02}", cents / 100, cents % 100);
        let user = round % 3_000 + 1;
        self.connection.exec_drop(self.words.place, (user, self.words.statuses[0], total, note)).await?;
        self.orders.insert(note.to_owned(), (0, cents));
        Ok(())
    }

    async fn change(&mut self, note: &str, status: usize) -> Result<()> {
        self.connection.exec_drop(self.words.change, (self.words.statuses[status], note)).await?;
        if let Some(order) = self.orders.get_mut(note) {
            order.0 = status;
        }
        Ok(())
    }

    async fn sign_up(&mut self, round: u64) -> Result<()> {
        let mail = format!("{}-{round}@example.com", self.words.tag);
        let (first, last) = (format!("Robin{round}"), format!("von {}", self.words.tag));
        if self.words.split_names {
            self.connection.exec_drop(self.words.sign_up, (&mail, &first, &last)).await?;
        } else {
            self.connection.exec_drop(self.words.sign_up, (&mail, format!("{first} {last}"))).await?;
        }
        self.users.insert(mail, format!("{first} {last}"));
        Ok(())
    }

    /// A transaction that is rolled back must leave nothing.
    async fn roll_back(&mut self, round: u64) -> Result<()> {
        let mut transaction = self.connection.start_transaction(TxOpts::default()).await?;
        let note = format!("{}-undone-{round}", self.words.tag);
        transaction.exec_drop(self.words.place, (1, self.words.statuses[0], "1.00", note)).await?;
        transaction.rollback().await?;
        Ok(())
    }
}
