//! The workload: clients of both releases at once, v1's through `bifocal serve`, v2's directly, on one migrated
//! database; then an audit that every acknowledged write is there, whole, in both releases' words, and nothing else.
//!
//!     WORKLOAD_SECONDS=60 cargo test --test workload     how long the clients work on each server [default: 8]
//!     WORKLOAD_SEED=7 cargo test --test workload         the choices of an earlier run
//!     WORKLOAD_SERVERS=mysql-9.7                         only these servers

mod audit;
mod client;
mod ledger;
mod person;
mod random;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;
mod words;

use std::{
    env,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use audit::{Findings, Reading};
use client::{Counts, Worker};
use ledger::Expected;
use person::Release;
use random::Random;
use support::{
    client::Client,
    migrated::{DATABASE, Migrated},
    proxy::Proxy,
    server::{Coverage, Kind},
    set::Set,
};

/// Of each release.
const CLIENTS: u64 = 8;
const SECONDS: u64 = 8;
/// Between two reloads of the rules.
const RELOAD: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_torn_or_invented() -> Result<()> {
    let wanted = env::var("WORKLOAD_SERVERS").unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let coverage = Coverage::find(&wanted)?;
    say(&coverage.line())?;
    ensure!(!coverage.covered.is_empty(), "no server is there");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
    let seed = number("WORKLOAD_SEED")?.unwrap_or_else(now);
    let time = Duration::from_secs(number("WORKLOAD_SECONDS")?.unwrap_or(SECONDS));
    for kind in &coverage.covered {
        let folder = tempfile::Builder::new().prefix("bifocal-workload-").tempdir()?;
        run(kind, seed, time, folder.path()).await.with_context(|| format!("{}, seed {seed}", kind.name))?;
    }
    Ok(())
}

async fn run(kind: &Kind, seed: u64, time: Duration, folder: &Path) -> Result<()> {
    let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workload"))?;
    let migrated = Migrated::make(kind, &set, folder).await?;
    let mut proxy = migrated.serve(&["--listen", "127.0.0.1:0"], &folder.join("bifocal.log"))?;
    let mut workers = JoinSet::new();
    let deadline = Instant::now() + time;
    for number in 0..CLIENTS * 2 {
        let (name, release, mut dsn) = match number % 2 {
            0 => (format!("v1-{number}"), Release::V1, Migrated::app(proxy.port, "shop__v1")),
            _ => (format!("v2-{number}"), Release::V2, Migrated::app(migrated.server.port, DATABASE)),
        };
        dsn.found_rows = number % 4 >= 2;
        workers.spawn(Worker::connect(name, dsn, release, Random::new(seed, number)).await?.work(deadline));
    }
    let reloads = reload_now_and_then(&proxy, deadline).await?;
    let (mut counts, mut events) = (Counts::default(), Vec::new());
    for worker in workers.join_all().await {
        let worker = worker?;
        counts.add(worker.counts);
        events.extend(worker.ledger);
    }
    if let Some(words) = proxy.death() {
        bail!("bifocal serve has ended:\n{words}");
    }
    ensure!(reloads > 0 && proxy.said()?.contains("generation 2 of the rules is in force"), "{}", proxy.said()?);
    let expected = Expected::after(events);
    let newer = Reading::take(&mut Client::connect(&migrated.server.root(Some(DATABASE))).await?, Release::V2).await?;
    let older = Client::connect(&Migrated::app(proxy.port, "shop__v1")).await;
    let older = Reading::take(&mut older?, Release::V1).await?;
    let findings = Findings::of(&expected, [&newer, &older]);
    report(kind, seed, &counts, &findings)?;
    ensure!(findings.is_clean(), "the audit found:\n{}", findings.lines());
    self_check(&expected, &newer, &older)
}

/// The same rules again and again: each time every connection takes them over between two transactions.
async fn reload_now_and_then(proxy: &Proxy, deadline: Instant) -> Result<u32> {
    let mut tick = tokio::time::interval(RELOAD);
    let mut reloads = 0;
    while Instant::now() < deadline {
        tick.tick().await;
        proxy.signal("HUP")?;
        reloads += 1;
    }
    Ok(reloads)
}

fn report(kind: &Kind, seed: u64, counts: &Counts, findings: &Findings) -> Result<()> {
    let Counts { transactions, commits, rollbacks, deadlocks, timeouts, crashes, statements } = counts;
    let Findings { lost, torn, invented, rows } = findings;
    let (lost, torn, invented) = (lost.len(), torn.len(), invented.len());
    say(&format!(
        "{}: seed {seed}: {transactions} transactions, {commits} commits, {rollbacks} rollbacks, {deadlocks} deadlocks, \
         {timeouts} locks not had, {crashes} dropped connections, {statements} statements; {rows} rows audited: \
         {lost} lost, {torn} torn, {invented} invented",
        kind.name
    ))
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.commits += other.commits;
        self.rollbacks += other.rollbacks;
        self.deadlocks += other.deadlocks;
        self.timeouts += other.timeouts;
        self.crashes += other.crashes;
        self.statements += other.statements;
    }
}

/// The audit finds what is done to a row, a balance, a counter and the ledger behind its back.
fn self_check(expected: &Expected, newer: &Reading, older: &Reading) -> Result<()> {
    let tag = expected.people.keys().last().context("nobody is there")?.clone();
    let changed = |change: &dyn Fn(&mut Reading)| {
        let mut reading = older.clone();
        change(&mut reading);
        Findings::of(expected, [newer, &reading])
    };
    let gone = changed(&|reading| drop(reading.people.remove(&tag)));
    ensure!((gone.lost.len(), gone.torn.len(), gone.invented.len()) == (1, 0, 0), "a lost row: {gone:?}");
    let torn = changed(&|reading| {
        if let Some(row) = reading.people.get_mut(&tag) {
            row[2] = Some("somebody else".to_owned());
        }
    });
    ensure!((torn.lost.len(), torn.torn.len(), torn.invented.len()) == (0, 1, 0), "a torn row: {torn:?}");
    let invented = changed(&|reading| drop(reading.people.insert("nobody".to_owned(), Vec::new())));
    ensure!((invented.lost.len(), invented.invented.len()) == (0, 1), "an invented row: {invented:?}");
    let moved = changed(&|reading| reading.accounts.entry(1).or_default().0 += 1);
    ensure!(moved.torn.len() == 2, "a cent too many in one account, and in the sum: {moved:?}");
    let miscounted = changed(&|reading| *reading.counters.entry("counter-0".to_owned()).or_default() += 1);
    ensure!(!miscounted.is_clean(), "a counter: {miscounted:?}");
    let mut forgetful = expected.clone();
    forgetful.people.remove(&tag);
    let forgotten = Findings::of(&forgetful, [newer, older]);
    ensure!(forgotten.invented.len() == 2, "a row that the ledger does not know: {forgotten:?}");
    Ok(())
}

/// Past the harness, which shows a test's words only when it fails.
fn say(line: &str) -> Result<()> {
    Ok(writeln!(io::stderr(), "{line}")?)
}

fn number(name: &str) -> Result<Option<u64>> {
    match env::var(name) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{name}={text}"))?)),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        audit::{Findings, Reading},
        ledger::{Change, Event, Expected},
        person::{Field, Release},
    };

    fn update(stamp: u64, seen: Option<Vec<Option<String>>>) -> Event {
        let fields = vec![Field::FullName(format!("Writer {stamp}"))];
        let change = Change::Update { seen, fields };
        Event::Row { tag: "shared-1".to_owned(), stamp, release: Release::V1, change }
    }

    fn torn(events: Vec<Event>) -> usize {
        let expected = Expected::after(events);
        let readings = [Release::V1, Release::V2].map(|release| Reading::of(&expected, release));
        Findings::of(&expected, [&readings[0], &readings[1]]).torn.len()
    }

    #[test]
    fn a_whole_ledger_is_clean() {
        assert_eq!(torn(vec![update(2, None), update(1, None)]), 0);
    }

    #[test]
    fn writes_that_did_not_see_one_another_are_found() {
        assert_eq!(torn(vec![update(1, None), update(1, None)]), 1, "one is lost");
        assert_eq!(torn(vec![update(2, None)]), 1, "the one before is missing");
        let stale = Expected::at_first().people["shared-1"].seen_by(Release::V1);
        assert_eq!(torn(vec![update(1, Some(stale.clone())), update(2, Some(stale))]), 1, "what was read is old");
    }

    #[test]
    fn money_from_nowhere_is_found() {
        assert_eq!(torn(vec![Event::Transfer { account: 1, cents: 5 }]), 2, "in either reading");
    }
}
