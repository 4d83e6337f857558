//! What was acknowledged, and what must therefore be in the database.

use std::collections::BTreeMap;

use super::person::{Field, Person, Release, Row};

/// How many accounts there are, numbered from 1.
pub const ACCOUNTS: u64 = 8;
/// What each has at first, in cents.
pub const CENTS: i64 = 100_000;
/// How many rows of people all clients change, numbered from 1.
pub const SHARED: u64 = 6;

/// One committed effect.
#[derive(Debug, Clone)]
pub enum Event {
    /// A row of people came to be, was changed, or went.
    Row {
        /// Its tag.
        tag: String,
        /// Its stamp after the effect.
        stamp: u64,
        /// Who did it.
        release: Release,
        /// What it was.
        change: Change,
    },
    /// An account's balance and hits have changed.
    Transfer {
        /// Which one.
        account: u64,
        /// By how much.
        cents: i64,
    },
    /// A counter has grown.
    Count {
        /// Which one.
        name: String,
        /// By how much.
        by: i64,
    },
}

/// What happened to a row.
#[derive(Debug, Clone)]
pub enum Change {
    /// It was inserted.
    Insert {
        /// The id that the server gave.
        id: u64,
        /// Its columns.
        fields: Vec<Field>,
    },
    /// It was updated.
    Update {
        /// What the client had read before, in its own words.
        seen: Option<Row>,
        /// The assignments.
        fields: Vec<Field>,
    },
    /// It was deleted.
    Delete,
}

/// What must be in the database.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// People by tag.
    pub people: BTreeMap<String, Person>,
    /// Accounts by id: cents and hits.
    pub accounts: BTreeMap<u64, (i64, i64)>,
    /// Counters by name.
    pub counters: BTreeMap<String, i64>,
    /// What went wrong on the way: writes that did not see one another.
    pub torn: Vec<String>,
}

impl Expected {
    /// Before the first write.
    pub fn at_first() -> Self {
        let mut expected = Self::default();
        for number in 1..=SHARED {
            let mut person = Person::new(Release::V2, number, &shared_tag(number));
            person.write(&[
                Field::FullName(format!("Shared Row {number}")),
                Field::Fax(Some(format!("fax {number}"))),
                Field::Street(Some("First Street".to_owned())),
                Field::House(Some(number.to_string())),
            ]);
            expected.people.insert(shared_tag(number), person);
        }
        expected.accounts = (1..=ACCOUNTS).map(|id| (id, (CENTS, 0))).collect();
        expected
    }

    /// After all that was acknowledged, in the order of the rows' stamps.
    pub fn after(events: impl IntoIterator<Item = Event>) -> Self {
        let mut expected = Self::at_first();
        let mut histories: BTreeMap<String, Vec<(u64, Release, Change)>> = BTreeMap::new();
        for event in events {
            match event {
                Event::Row { tag, stamp, release, change } => {
                    histories.entry(tag).or_default().push((stamp, release, change));
                }
                Event::Transfer { account, cents } => {
                    let account = expected.accounts.entry(account).or_default();
                    *account = (account.0 + cents, account.1 + 1);
                }
                Event::Count { name, by } => *expected.counters.entry(name).or_default() += by,
            }
        }
        for (tag, mut history) in histories {
            history.sort_by_key(|(stamp, ..)| *stamp);
            for (stamp, release, change) in history {
                expected.replay(&tag, stamp, release, change);
            }
        }
        expected
    }

    fn replay(&mut self, tag: &str, stamp: u64, release: Release, change: Change) {
        let before = self.people.get(tag).map_or(0, |person| person.stamp);
        if stamp != before + 1 {
            self.torn.push(format!("{tag}: a write with stamp {stamp} after stamp {before}: it did not see the other"));
        }
        match change {
            Change::Insert { id, fields } => {
                let mut person = Person::new(release, id, tag);
                person.write(&fields);
                person.stamp = stamp;
                self.people.insert(tag.to_owned(), person);
            }
            Change::Update { seen, fields } => {
                let Some(person) = self.people.get_mut(tag) else {
                    self.torn.push(format!("{tag}: an update with stamp {stamp} of a row that is not there"));
                    return;
                };
                let there = person.seen_by(release);
                if let Some(seen) = seen.filter(|seen| *seen != there) {
                    self.torn
                        .push(format!("{tag}: {release:?} read {seen:?} before stamp {stamp}, there was {there:?}"));
                }
                person.write(&fields);
                person.stamp = stamp;
            }
            Change::Delete => {
                self.people.remove(tag);
            }
        }
    }
}

/// The tag of a row that all clients change.
pub fn shared_tag(number: u64) -> String {
    format!("shared-{number}")
}
