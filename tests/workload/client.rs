//! One client of one release: random transactions, and a ledger of what was acknowledged.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use anyhow::{Context, Error, Result, anyhow};
use mysql_async::Value;

use super::{
    ledger::{ACCOUNTS, CENTS, Change, Event, SHARED, shared_tag},
    person::{Field, Release, Row},
    random::Random,
    support::client::{Client, Dsn, Failure, Outcome, Prepared, text_of},
    words::Words,
};

/// What a client has done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Begun, or a statement of its own.
    pub transactions: u64,
    /// Acknowledged.
    pub commits: u64,
    /// Wanted.
    pub rollbacks: u64,
    /// Because of another transaction: 1213, and MariaDB's 1020.
    pub deadlocks: u64,
    /// Connections that were dropped with a transaction open.
    pub crashes: u64,
    /// Locks that were not there at once, or not in time.
    pub timeouts: u64,
    /// Sent.
    pub statements: u64,
}

/// A client.
#[derive(Debug)]
pub struct Worker {
    name: String,
    dsn: Dsn,
    client: Client,
    words: Words,
    random: Random,
    prepared: HashMap<String, Prepared>,
    /// Stamps of the rows that only this client changes, by tag.
    own: BTreeMap<String, u64>,
    next_tag: u64,
    /// Effects of the open transaction.
    pending: Vec<Event>,
    /// Everything that was acknowledged.
    pub ledger: Vec<Event>,
    /// What it has done.
    pub counts: Counts,
}

/// Why a transaction came to no end.
enum Stop {
    /// Another transaction was in the way; this one is to be rolled back.
    Conflict,
    /// Something that may not happen.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Worker {
    /// Connects.
    pub async fn connect(name: String, dsn: Dsn, release: Release, random: Random) -> Result<Self> {
        let client = Client::connect(&dsn).await.with_context(|| name.clone())?;
        Ok(Self {
            name,
            dsn,
            client,
            words: Words { release },
            random,
            prepared: HashMap::new(),
            own: BTreeMap::new(),
            next_tag: 0,
            pending: Vec::new(),
            ledger: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Works until the deadline.
    pub async fn work(mut self, deadline: Instant) -> Result<Self> {
        while Instant::now() < deadline {
            let own = self.own.clone();
            let is_whole = self.transaction().await;
            let pending = std::mem::take(&mut self.pending);
            match is_whole {
                Ok(true) => self.ledger.extend(pending),
                Ok(false) => self.own = own,
                Err(Stop::Conflict) => {
                    self.own = own;
                    self.must("ROLLBACK").await.map_err(|stop| self.failure(stop))?;
                }
                Err(stop) => return Err(self.failure(stop)),
            }
        }
        Ok(self)
    }

    fn failure(&self, stop: Stop) -> Error {
        let error = match stop {
            Stop::Conflict => anyhow!("a conflict where there can be none"),
            Stop::Failed(error) => error,
        };
        error.context(self.name.clone())
    }

    /// One transaction; whether it was committed.
    async fn transaction(&mut self) -> Result<bool, Stop> {
        self.counts.transactions += 1;
        if self.random.chance(25) {
            self.lone_statement().await?;
            self.counts.commits += 1;
            return Ok(true);
        }
        let begin = *self.random.pick(&["BEGIN", "START TRANSACTION"]);
        self.must(begin).await?;
        for _ in 0..=self.random.below(4) {
            if self.random.chance(20) {
                self.savepoint().await?;
            } else {
                self.step().await?;
            }
        }
        if self.random.chance(2) {
            return self.crash().await;
        }
        let commits = !self.random.chance(20);
        self.must(if commits { "COMMIT" } else { "ROLLBACK" }).await?;
        *(if commits { &mut self.counts.commits } else { &mut self.counts.rollbacks }) += 1;
        Ok(commits)
    }

    /// The app node dies in the middle of a transaction, and comes back.
    async fn crash(&mut self) -> Result<bool, Stop> {
        self.client = Client::connect(&self.dsn).await?;
        self.prepared.clear();
        self.counts.crashes += 1;
        Ok(false)
    }

    /// Some steps that are undone alone, or not.
    async fn savepoint(&mut self) -> Result<(), Stop> {
        let (own, kept) = (self.own.clone(), self.pending.len());
        self.must("SAVEPOINT here").await?;
        for _ in 0..=self.random.below(2) {
            self.step().await?;
        }
        if self.random.chance(50) {
            self.must("ROLLBACK TO SAVEPOINT here").await?;
            self.pending.truncate(kept);
            self.own = own;
        } else {
            self.must("RELEASE SAVEPOINT here").await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<(), Stop> {
        match self.random.below(10) {
            0..=2 => self.change_shared().await,
            3 | 4 => self.transfer().await,
            5 => self.transfer_what_was_read().await,
            _ => self.change_own().await,
        }
    }

    /// What can stand alone without a transaction.
    async fn lone_statement(&mut self) -> Result<(), Stop> {
        if self.random.chance(20) { self.sum().await } else { self.change_own().await }
    }

    async fn change_own(&mut self) -> Result<(), Stop> {
        if self.own.len() < 5 {
            return self.insert().await;
        }
        match self.random.below(10) {
            0 | 1 => self.insert().await,
            2 | 3 => self.upsert().await,
            4 => self.count().await,
            5 => self.insert_twice().await,
            6 => self.delete().await,
            _ if self.own.len() > 40 => self.delete().await,
            _ => self.update_own().await,
        }
    }

    fn new_tag(&mut self) -> String {
        self.next_tag += 1;
        format!("{}-{}", self.name, self.next_tag)
    }

    fn own_tag(&mut self) -> String {
        let tags: Vec<&String> = self.own.keys().collect();
        (*self.random.pick(&tags)).clone()
    }

    fn note(&mut self, tag: &str, stamp: u64, change: Change) {
        if !tag.starts_with("shared") {
            if matches!(change, Change::Delete) {
                self.own.remove(tag);
            } else {
                self.own.insert(tag.to_owned(), stamp);
            }
        }
        self.pending.push(Event::Row { tag: tag.to_owned(), stamp, release: self.words.release, change });
    }

    async fn insert(&mut self) -> Result<(), Stop> {
        let mut rows = Vec::new();
        for _ in 0..=self.random.below(3) {
            rows.push((self.new_tag(), self.words.row(&mut self.random)));
        }
        let (sql, args) = self.words.insert(&rows);
        let outcome = self.run(&sql, args).await?;
        expect(outcome.affected == rows.len() as u64, &sql, &outcome)?;
        expect(outcome.insert_id > 0, &sql, &outcome)?;
        for (id, (tag, fields)) in (outcome.insert_id..).zip(rows) {
            self.note(&tag, 1, Change::Insert { id, fields });
        }
        Ok(())
    }

    /// A multi-row insert whose second row exists: nothing of it may stay.
    async fn insert_twice(&mut self) -> Result<(), Stop> {
        let rows = [self.new_tag(), self.own_tag()].map(|tag| (tag, self.words.row(&mut self.random)));
        let (sql, args) = self.words.insert(&rows);
        let error = match self.send(&sql, args).await.error {
            Some(error) if error.number == 1062 => error,
            Some(error) => return Err(self.stop(&sql, &error)),
            None => return Err(anyhow!("no error for a duplicate key: {sql}").into()),
        };
        if !error.message.contains(self.words.key()) {
            return Err(anyhow!("the error does not name {}: {}", self.words.key(), error.message).into());
        }
        Ok(())
    }

    async fn upsert(&mut self) -> Result<(), Stop> {
        let is_new = self.random.chance(40);
        let tag = if is_new { self.new_tag() } else { self.own_tag() };
        let fields = self.words.row(&mut self.random);
        let (sql, args) = self.words.upsert(&tag, &fields);
        let outcome = self.run(&sql, args).await?;
        expect(outcome.affected == if is_new { 1 } else { 2 }, &sql, &outcome)?;
        let stamp = self.own.get(&tag).map_or(1, |stamp| stamp + 1);
        let change = if is_new {
            Change::Insert { id: outcome.insert_id, fields }
        } else {
            Change::Update { seen: None, fields }
        };
        self.note(&tag, stamp, change);
        Ok(())
    }

    async fn update_own(&mut self) -> Result<(), Stop> {
        let tag = self.own_tag();
        let stamp = self.own[&tag];
        let seen = if self.random.chance(50) { Some(self.read(&tag, "").await?) } else { None };
        self.update(&tag, stamp + 1, seen).await
    }

    /// A row that everybody changes: locked, read, written.
    async fn change_shared(&mut self) -> Result<(), Stop> {
        let tag = shared_tag(1 + self.random.below(SHARED));
        let clause = if self.random.chance(20) { " FOR UPDATE NOWAIT" } else { " FOR UPDATE" };
        let seen = self.read(&tag, clause).await?;
        let stamp: u64 = seen.last().cloned().flatten().unwrap_or_default().parse()?;
        self.update(&tag, stamp + 1, Some(seen)).await
    }

    /// Some columns, or, as an ORM does, all of them with one changed.
    async fn update(&mut self, tag: &str, stamp: u64, seen: Option<Row>) -> Result<(), Stop> {
        let fields = match &seen {
            Some(seen) if self.random.chance(40) => {
                let mut fields = Field::of_row(self.words.release, seen);
                let status = Field::Status(usize::try_from(self.random.below(3)).unwrap_or(0));
                fields.retain(|field| !matches!(field, Field::Status(_)));
                fields.push(status);
                fields
            }
            _ => self.words.some(&mut self.random),
        };
        let is_relative = self.random.chance(50);
        let (mut sql, mut args) = self.words.update(tag, &fields, (!is_relative).then_some(stamp));
        if let Some(seen) = seen.as_ref().filter(|_| self.random.chance(30)) {
            let (condition, values) = self.words.unchanged(seen);
            sql.push_str(condition);
            args.extend(values);
        }
        let outcome = self.run(&sql, args).await?;
        expect(outcome.affected == 1, &sql, &outcome)?;
        self.note(tag, stamp, Change::Update { seen, fields });
        Ok(())
    }

    async fn read(&mut self, tag: &str, clause: &str) -> Result<Row, Stop> {
        let sql = self.words.read(clause);
        let outcome = self.run(&sql, vec![tag.into()]).await?;
        expect(outcome.results.first().is_some_and(|set| set.rows.len() == 1), &sql, &outcome)?;
        Ok(outcome.results[0].rows[0].iter().map(text_of).collect())
    }

    async fn delete(&mut self) -> Result<(), Stop> {
        let tag = self.own_tag();
        let stamp = self.own[&tag];
        let sql = self.words.delete();
        let outcome = self.run(sql, vec![tag.as_str().into()]).await?;
        expect(outcome.affected == 1, sql, &outcome)?;
        self.note(&tag, stamp + 1, Change::Delete);
        Ok(())
    }

    /// A counter that may not exist yet.
    async fn count(&mut self) -> Result<(), Stop> {
        let name = format!("counter-{}", self.random.below(5));
        let by = i64::try_from(1 + self.random.below(9))?;
        self.run(self.words.count(), vec![name.as_str().into(), by.into()]).await?;
        self.pending.push(Event::Count { name, by });
        Ok(())
    }

    /// Two accounts, in any order, so that clients meet in a deadlock now and then.
    fn two_accounts(&mut self) -> (u64, u64) {
        let from = 1 + self.random.below(ACCOUNTS);
        let to = 1 + (from + self.random.below(ACCOUNTS - 1)) % ACCOUNTS;
        (from, to)
    }

    async fn transfer(&mut self) -> Result<(), Stop> {
        let (from, to) = self.two_accounts();
        let cents = i64::try_from(1 + self.random.below(500))?;
        for (account, cents) in [(from, -cents), (to, cents)] {
            let sql = self.words.add_cents();
            let outcome = self.run(sql, vec![self.words.amount(cents), account.into()]).await?;
            expect(outcome.affected == 1, sql, &outcome)?;
            self.pending.push(Event::Transfer { account, cents });
        }
        Ok(())
    }

    /// Both balances are locked and read; the new ones are computed by the client.
    async fn transfer_what_was_read(&mut self) -> Result<(), Stop> {
        let (from, to) = self.two_accounts();
        let cents = i64::try_from(1 + self.random.below(500))?;
        let sql = self.words.lock_accounts();
        let outcome = self.run(sql, vec![from.into(), to.into()]).await?;
        let rows = outcome.results.first().map(|set| set.rows.clone()).unwrap_or_default();
        expect(rows.len() == 2, sql, &outcome)?;
        for row in rows {
            let number = |index: usize| text_of(&row[index]).unwrap_or_default();
            let account: u64 = number(0).parse()?;
            let cents = if account == from { -cents } else { cents };
            let balance = self.words.cents(&number(1))? + cents;
            let hits = number(2).parse::<i64>()? + 1;
            let sql = self.words.set_cents();
            let args = vec![self.words.amount(balance), hits.into(), account.into()];
            let outcome = self.run(sql, args).await?;
            expect(outcome.affected == 1, sql, &outcome)?;
            self.pending.push(Event::Transfer { account, cents });
        }
        Ok(())
    }

    /// At every moment the accounts hold together what they held at first.
    async fn sum(&mut self) -> Result<(), Stop> {
        let sql = self.words.sum();
        let outcome = self.run(sql, Vec::new()).await?;
        let sum = outcome.results.first().and_then(|set| text_of(set.rows.first()?.first()?));
        let sum = self.words.cents(&sum.unwrap_or_default())?;
        expect(sum == i64::try_from(ACCOUNTS)? * CENTS, sql, &outcome)
    }

    async fn must(&mut self, sql: &str) -> Result<(), Stop> {
        self.counts.statements += 1;
        match self.client.text(sql).await.error {
            Some(error) => Err(self.stop(sql, &error)),
            None => Ok(()),
        }
    }

    async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Outcome, Stop> {
        let outcome = self.send(sql, args).await;
        match &outcome.error {
            Some(error) => Err(self.stop(sql, error)),
            None => Ok(outcome),
        }
    }

    /// In the text or in the prepared protocol.
    async fn send(&mut self, sql: &str, args: Vec<Value>) -> Outcome {
        self.counts.statements += 1;
        if self.random.chance(50) {
            return self.client.text(&with_literals(sql, &args)).await;
        }
        let prepared = match self.prepared.get(sql) {
            Some(prepared) => prepared.clone(),
            None => match self.client.prepare(sql).await {
                Ok(prepared) => {
                    self.prepared.insert(sql.to_owned(), prepared.clone());
                    prepared
                }
                Err(error) => return Outcome { error: Some(error), ..Outcome::default() },
            },
        };
        self.client.execute(&prepared, args).await
    }

    fn stop(&mut self, sql: &str, error: &Failure) -> Stop {
        let foreign = self.words.foreign().iter().find(|word| error.message.contains(*word));
        if let Some(word) = foreign {
            return anyhow!("an error with the other release's word '{word}': {error:?}\nof {sql}").into();
        }
        match error.number {
            1213 | 1020 => self.counts.deadlocks += 1,
            1205 | 3572 => self.counts.timeouts += 1,
            _ => return anyhow!("{error:?}\nof {sql}").into(),
        }
        Stop::Conflict
    }
}

fn expect(holds: bool, sql: &str, outcome: &Outcome) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(anyhow!("unexpected: {outcome:?}\nof {sql}").into()) }
}

/// The text with the arguments in place of the question marks.
fn with_literals(sql: &str, args: &[Value]) -> String {
    let mut pieces = sql.split('?');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, arg) in pieces.zip(args) {
        text.push_str(&arg.as_sql(false));
        text.push_str(piece);
    }
    text
}
