//! The statements of both releases.

use anyhow::{Context, Result};
use mysql_async::Value;

use super::{
    person::{Field, Release, Row, V1_COLUMNS, V2_COLUMNS},
    random::Random,
};

/// One release's way to say things.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Which one.
    pub release: Release,
}

/// A statement and its arguments.
type Statement = (String, Vec<Value>);

impl Words {
    fn of<'a>(self, older: &'a str, newer: &'a str) -> &'a str {
        if self.release == Release::V1 { older } else { newer }
    }

    /// The name of the unique key over tags.
    pub fn key(self) -> &'static str {
        self.of("uq_tag", "uq_label")
    }

    /// Words that an error never has for this release.
    pub fn foreign(self) -> &'static [&'static str] {
        if self.release == Release::V1 { &["people", "wallets", "tallies", "label"] } else { &["users", "accounts"] }
    }

    /// A whole row, but for its tag.
    pub fn row(self, random: &mut Random) -> Vec<Field> {
        let number = random.below(10_000);
        let status = Field::Status(usize::try_from(number % 3).unwrap_or(0));
        match self.release {
            Release::V1 => vec![
                Field::FullName(full_name(random, number)),
                Field::Fax(random.chance(70).then(|| format!("+1 {number}"))),
                status,
                Field::Street(random.chance(80).then(|| format!("Straße {number}"))),
                Field::House(random.chance(80).then(|| number.to_string())),
            ],
            Release::V2 => vec![
                Field::FirstName(random.pick(&["Ann", "Émil", "Anna Maria", "O'Hara", "back\\slash"]).to_string()),
                Field::LastName(random.pick(&["", "Lee", "van den Berg", "日本", " leading"]).to_string()),
                status,
                Field::Line(random.chance(80).then(|| format!("Road {number}"))),
                Field::Channel(random.pick(&["app", "shop", "phone"]).to_string()),
            ],
        }
    }

    /// At least one column, but not all.
    pub fn some(self, random: &mut Random) -> Vec<Field> {
        let mut fields = self.row(random);
        while fields.len() == 5 || (fields.len() > 1 && random.chance(60)) {
            let index = usize::try_from(random.below(fields.len() as u64)).unwrap_or(0);
            fields.remove(index);
        }
        fields
    }

    fn insert_into(self, tags_and_rows: &[(&str, &[Field])]) -> Statement {
        let table = self.of("users", "people");
        let mut columns = vec![self.of("tag", "label"), "stamp"];
        let (mut rows, mut args) = (Vec::new(), Vec::new());
        for (tag, fields) in tags_and_rows {
            rows.push(format!("(?, 1{})", ", ?".repeat(fields.len())));
            args.push(Value::from(*tag));
            columns.truncate(2);
            for field in *fields {
                let (column, value) = field.assignment(self.release);
                columns.push(column);
                args.push(value);
            }
        }
        (format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), rows.join(", ")), args)
    }

    /// New rows.
    pub fn insert(self, rows: &[(String, Vec<Field>)]) -> Statement {
        let rows: Vec<_> = rows.iter().map(|(tag, fields)| (tag.as_str(), fields.as_slice())).collect();
        self.insert_into(&rows)
    }

    /// A new row, or the same columns of the old one.
    pub fn upsert(self, tag: &str, fields: &[Field]) -> Statement {
        let (sql, args) = self.insert_into(&[(tag, fields)]);
        let columns = fields.iter().map(|field| field.assignment(self.release).0);
        let columns: Vec<_> = columns.map(|column| format!("{column} = VALUES({column})")).collect();
        (format!("{sql} ON DUPLICATE KEY UPDATE {}, stamp = stamp + 1", columns.join(", ")), args)
    }

    /// Some columns, and the stamp: a number, or one more than it was.
    pub fn update(self, tag: &str, fields: &[Field], stamp: Option<u64>) -> Statement {
        let assigned = fields.iter().map(|field| field.assignment(self.release));
        let (columns, mut args): (Vec<_>, Vec<_>) =
            assigned.map(|(column, value)| (format!("{column} = ?"), value)).unzip();
        args.extend(stamp.map(Value::from));
        args.push(tag.into());
        let stamp = if stamp.is_some() { "?" } else { "stamp + 1" };
        let (table, key) = (self.of("users", "people"), self.of("tag", "label"));
        (format!("UPDATE {table} SET {}, stamp = {stamp} WHERE {key} = ?", columns.join(", ")), args)
    }

    /// Optimistic locking: only if the row is still as it was seen.
    pub fn unchanged(self, seen: &Row) -> (&'static str, Vec<Value>) {
        let (condition, columns) = match self.release {
            Release::V1 => (" AND full_name = ? AND fax <=> ? AND status = ? AND street <=> ? AND house <=> ?", 2..7),
            Release::V2 => (" AND first_name = ? AND last_name = ? AND status_id = ? AND line <=> ?", 2..6),
        };
        (condition, seen[columns].iter().map(|value| value.clone().into()).collect())
    }

    /// A row by its tag.
    pub fn read(self, clause: &str) -> String {
        let columns = self.of(V1_COLUMNS, V2_COLUMNS);
        let (table, key) = (self.of("users", "people"), self.of("tag", "label"));
        format!("SELECT {columns} FROM {table} WHERE {key} = ?{clause}")
    }

    /// A row by its tag.
    pub fn delete(self) -> &'static str {
        self.of("DELETE FROM users WHERE tag = ?", "DELETE FROM people WHERE label = ?")
    }

    /// A counter by its name, and by how much.
    pub fn count(self) -> &'static str {
        self.of(
            "INSERT INTO counters (name, n) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = n + VALUES(n)",
            "INSERT INTO tallies (label, total) VALUES (?, ?) ON DUPLICATE KEY UPDATE total = total + VALUES(total)",
        )
    }

    /// An amount, and an account.
    pub fn add_cents(self) -> &'static str {
        self.of(
            "UPDATE accounts SET cents = cents + ?, hits = hits + 1 WHERE id = ?",
            "UPDATE wallets SET euros = euros + ?, hits = hits + 1 WHERE id = ?",
        )
    }

    /// An amount, hits, and an account.
    pub fn set_cents(self) -> &'static str {
        self.of(
            "UPDATE accounts SET cents = ?, hits = ? WHERE id = ?",
            "UPDATE wallets SET euros = ?, hits = ? WHERE id = ?",
        )
    }

    /// Two accounts.
    pub fn lock_accounts(self) -> &'static str {
        self.of(
            "SELECT id, cents, hits FROM accounts WHERE id IN (?, ?) FOR UPDATE",
            "SELECT id, euros, hits FROM wallets WHERE id IN (?, ?) FOR UPDATE",
        )
    }

    /// What all accounts hold.
    pub fn sum(self) -> &'static str {
        self.of("SELECT SUM(cents) FROM accounts", "SELECT SUM(euros) FROM wallets")
    }

    /// An amount as an argument.
    pub fn amount(self, cents: i64) -> Value {
        match self.release {
            Release::V1 => cents.into(),
            Release::V2 => {
                let sign = if cents < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100).into()
            }
        }
    }

    /// An amount as it was read.
    pub fn cents(self, text: &str) -> Result<i64> {
        let digits: String = text.chars().filter(|c| *c != '.').collect();
        let has_cents = text.split_once('.').is_some_and(|(_, cents)| cents.len() == 2);
        let is_amount = has_cents == (self.release == Release::V2);
        is_amount.then(|| digits.parse().ok()).flatten().with_context(|| format!("'{text}' is not an amount"))
    }
}

fn full_name(random: &mut Random, number: u64) -> String {
    match random.below(5) {
        0 => format!("  two  blanks {number}"),
        1 => format!("Mono{number}"),
        2 => format!("Zoë de 'Q' \\ ☕{number}"),
        _ => format!("First{number} Last{number}"),
    }
}
