//! The audit: what is in the database, in both releases' words, against what was acknowledged.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{
    ledger::{ACCOUNTS, CENTS, Expected},
    person::{Release, Row, V1_COLUMNS, V2_COLUMNS},
    support::client::Client,
};

/// All rows, as one release reads them.
#[derive(Debug, Clone)]
pub struct Reading {
    release: Release,
    /// By tag.
    pub people: BTreeMap<String, Row>,
    /// By id: cents and hits.
    pub accounts: BTreeMap<u64, (i64, i64)>,
    /// By name.
    pub counters: BTreeMap<String, i64>,
}

/// What is wrong.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Acknowledged, and not there.
    pub lost: Vec<String>,
    /// There, but not as it was acknowledged.
    pub torn: Vec<String>,
    /// There, and never acknowledged.
    pub invented: Vec<String>,
    /// Rows that were looked at.
    pub rows: usize,
}

impl Reading {
    /// Reads everything.
    pub async fn take(client: &mut Client, release: Release) -> Result<Self> {
        let (people, accounts, counters) = match release {
            Release::V1 => (
                format!("SELECT {V1_COLUMNS} FROM users"),
                "SELECT id, cents, hits FROM accounts",
                "SELECT name, n FROM counters",
            ),
            Release::V2 => (
                format!("SELECT {V2_COLUMNS} FROM people"),
                "SELECT id, CAST(euros * 100 AS SIGNED), hits FROM wallets",
                "SELECT label, total FROM tallies",
            ),
        };
        let text = |row: &Row, index: usize| row.get(index).cloned().flatten().context("a NULL where none may be");
        let number = |row: &Row, index: usize| Ok::<i64, anyhow::Error>(text(row, index)?.parse()?);
        let people = client.rows(&people).await?.into_iter().map(|row| Ok((text(&row, 1)?, row)));
        let people = people.collect::<Result<_>>()?;
        let rows = client.rows(accounts).await?;
        let account = |row: &Row| Ok((text(row, 0)?.parse()?, (number(row, 1)?, number(row, 2)?)));
        let accounts = rows.iter().map(account).collect::<Result<_>>()?;
        let rows = client.rows(counters).await?;
        let counters = rows.iter().map(|row| Ok((text(row, 0)?, number(row, 1)?))).collect::<Result<_>>()?;
        Ok(Self { release, people, accounts, counters })
    }

    /// Exactly what is expected.
    #[cfg(test)]
    pub fn of(expected: &Expected, release: Release) -> Self {
        let people = expected.people.iter().map(|(tag, person)| (tag.clone(), person.seen_by(release)));
        let (accounts, counters) = (expected.accounts.clone(), expected.counters.clone());
        Self { release, people: people.collect(), accounts, counters }
    }
}

impl Findings {
    /// Holds both readings against what is expected.
    pub fn of(expected: &Expected, readings: [&Reading; 2]) -> Self {
        let mut findings = Self { torn: expected.torn.clone(), ..Self::default() };
        for reading in readings {
            let release = reading.release;
            let people = expected.people.iter().map(|(tag, person)| (tag.clone(), person.seen_by(release))).collect();
            findings.compare(release, "person", &people, &reading.people);
            findings.compare(release, "account", &expected.accounts, &reading.accounts);
            findings.compare(release, "counter", &expected.counters, &reading.counters);
            let sum: i64 = reading.accounts.values().map(|(cents, _)| cents).sum();
            let whole = i64::try_from(ACCOUNTS).unwrap_or(0) * CENTS;
            if sum != whole {
                findings.torn.push(format!("{release:?}: the accounts hold {sum} cents, not {whole}"));
            }
        }
        findings
    }

    fn compare<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
        &mut self,
        release: Release,
        what: &str,
        expected: &BTreeMap<K, V>,
        there: &BTreeMap<K, V>,
    ) {
        self.rows += there.len();
        for (key, value) in expected {
            match there.get(key) {
                None => self.lost.push(format!("{release:?}: {what} {key:?} is lost: {value:?}")),
                Some(read) if read != value => {
                    self.torn.push(format!("{release:?}: {what} {key:?} is {read:?}, acknowledged was {value:?}"));
                }
                Some(_) => {}
            }
        }
        for (key, value) in there.iter().filter(|(key, _)| !expected.contains_key(key)) {
            self.invented.push(format!("{release:?}: {what} {key:?} was never acknowledged: {value:?}"));
        }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.torn.is_empty() && self.invented.is_empty()
    }

    /// Everything that is wrong, a line each.
    pub fn lines(&self) -> String {
        [&self.lost, &self.torn, &self.invented].into_iter().flatten().map(|line| format!("  {line}\n")).collect()
    }
}
