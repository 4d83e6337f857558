//! A server's error in the version's own words.
//!
//! The servers put names in quotes after fixed words ("Column 'x'", "for key 'k'", "`db`.`t`"); only there are names
//! replaced, never inside the values that a message quotes.

use std::sync::Arc;

use super::ServerError;
use crate::{
    rules::{ColumnSource, Family, Mapping, TableMapping, family, raise},
    sql::{LexMode, ServerKind, Text},
};

/// A server's error in the version's own words: newer table, column and key names become the version's, and what a
/// raise expression says becomes the error that the version's own column would give.
pub fn translate_error(error: ServerError, chain: &[Arc<Mapping>], statement: &[u8]) -> ServerError {
    if error.number == 1690
        && let Some(translated) = raised(&error.message, chain, statement)
    {
        return translated;
    }
    if let Some(translated) = syntax(&error, statement) {
        return translated;
    }
    let mut message = error.message.clone();
    let named = names_of(statement);
    // A column that the server does not know, or knows twice, is one that the client wrote, in its own words.
    let as_written = matches!(error.number, 1052 | 1054 | 1060 | 1110)
        && quoted_name(&message).is_some_and(|name| {
            let last = name.rsplit('.').next().unwrap_or(name);
            named.iter().any(|written| written.eq_ignore_ascii_case(last))
        });
    if as_written {
        return error;
    }
    for (step, mapping) in chain.iter().enumerate().rev() {
        // What a later step changes may be something that the client names otherwise.
        let concerned =
            |table: &&TableMapping| step > 0 || named.iter().any(|name| name.eq_ignore_ascii_case(&table.name));
        let own: Vec<&TableMapping> = mapping.tables.iter().filter(concerned).collect();
        message = in_words_of(&message, mapping, &own);
    }
    if let (1055 | 1140, Some(mapping)) = (error.number, chain.first()) {
        message = with_database(&message, &mapping.database);
    }
    ServerError { message, ..error }
}

/// In errors 1055 and 1140 MySQL gives a column of a derived table without a database: `'u.name'`.
fn with_database(message: &str, database: &str) -> String {
    let mut parts: Vec<String> = message.split('\'').map(str::to_owned).collect();
    for name in parts.iter_mut().skip(1).step_by(2) {
        if name.matches('.').count() == 1 && !name.contains(' ') {
            *name = format!("{database}.{name}");
        }
    }
    parts.join("'")
}

/// Errors that quote or count what only the rewritten text has.
fn syntax(error: &ServerError, statement: &[u8]) -> Option<ServerError> {
    let own_with = || names_of(statement).iter().any(|name| name.eq_ignore_ascii_case("WITH"));
    match error.number {
        // "WITH column list and SELECT field list have different column counts"
        1353 | 4002 if !own_with() => Some(ServerError {
            number: 1136,
            sqlstate: *b"21S01",
            message: "Column count doesn't match value count at row 1".to_owned(),
        }),
        // The text near a syntax error: as far as it is the client's own, the rest of it is the client's too.
        1064 => {
            const SHOWN_LEN: usize = 80;
            let statement = std::str::from_utf8(statement).ok()?;
            let (head, rest) = error.message.split_once("near '")?;
            let (near, tail) = rest.rsplit_once("' at line")?;
            let own = (1..=near.len())
                .rev()
                .filter(|&len| near.is_char_boundary(len))
                .find(|&len| statement.contains(&near[..len]))?;
            let at = statement.rfind(&near[..own])?;
            let shown: String = statement[at..].chars().take(SHOWN_LEN).collect();
            let message = format!("{head}near '{shown}' at line{tail}");
            (message != error.message).then(|| ServerError { message, ..error.clone() })
        }
        _ => None,
    }
}

/// What may be names in a statement. How the session reads text is not asked for: a name too many does no harm.
fn names_of(statement: &[u8]) -> Vec<String> {
    let mode = LexMode::of_server(ServerKind::MySql, 0);
    let of_mode = |mode| Text::new(statement, mode).ok();
    let read = [of_mode(mode), of_mode(LexMode { ansi_quotes: true, ..mode })];
    if read.iter().all(Option::is_some) {
        let names = |text: &Text<'_>| (0..text.len()).filter_map(|index| text.name(index)).collect::<Vec<_>>();
        return read.iter().flatten().flat_map(names).collect();
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let words = statement.split(|byte| !is_word(byte)).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn quoted_name(message: &str) -> Option<&str> {
    message.split('\'').nth(1)
}

/// The error that a raise expression stands for. Its number carries the rule that was broken, the table and the
/// column: `exp(70003.1000002)`, after the step of the chain.
fn raised(message: &str, chain: &[Arc<Mapping>], statement: &[u8]) -> Option<ServerError> {
    let lower = message.to_ascii_lowercase();
    let number = lower.split("exp(").nth(1)?.split([')', ' ']).next()?;
    let (code, place) = number.split_once('.').unwrap_or((number, ""));
    let code: u32 = code.parse().ok()?;
    raise::ALL.iter().find(|(known, _)| *known == code)?;
    let step = place.get(..1).and_then(|step| step.parse::<usize>().ok()).unwrap_or(1).saturating_sub(1);
    let mapping = chain.get(step)?;
    let place = place.get(1..7).and_then(|place| {
        let (table, column) = (place[..3].parse::<usize>().ok()?, place[3..].parse::<usize>().ok()?);
        let table = mapping.tables.get(table)?;
        Some((table.name.as_str(), table.columns.get(column)?.name.clone()))
    });
    let (table, column) = place.unwrap_or(("?", "?".to_owned()));
    let declared = mapping.schema.table(table).and_then(|table| table.column(&column));
    let is_list = declared.is_some_and(|column| matches!(family(column), Family::Enum | Family::Set));
    let (number, sqlstate, message) = match code {
        raise::TOO_LONG => (1406, *b"22001", format!("Data too long for column '{column}' at row 1")),
        raise::OUT_OF_RANGE => (1264, *b"22003", format!("Out of range value for column '{column}' at row 1")),
        raise::NULL_NOT_ALLOWED => (1048, *b"23000", format!("Column '{column}' cannot be null")),
        raise::NO_DEFAULT => (1364, *b"HY000", format!("Field '{column}' doesn't have a default value")),
        raise::UNFIT if is_list => (1265, *b"01000", format!("Data truncated for column '{column}' at row 1")),
        raise::UNMAPPED_WRITE => (1265, *b"01000", format!("Data truncated for column '{column}' at row 1")),
        raise::UNFIT => (1366, *b"HY000", format!("Incorrect value for column '{column}' at row 1")),
        _ => (1235, *b"42000", "Bifocal: a stored value has no counterpart in this version".to_owned()),
    };
    // A later step speaks of its own version's names.
    Some(translate_error(ServerError { number, sqlstate, message }, &chain[..step], statement))
}

/// Replaces newer names in a message. `own` are the changed tables that the statement concerns: bare column and key
/// names are theirs. Names in backticks say themselves which table they belong to.
fn in_words_of(message: &str, mapping: &Mapping, own: &[&TableMapping]) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let mut ticks = Backticks::default();
    while let Some(at) = rest.find(['\'', '`']) {
        let (before, from_quote) = rest.split_at(at);
        out.push_str(before);
        if is_apostrophe(before, from_quote) {
            out.push_str(&from_quote[..1]);
            rest = &from_quote[1..];
            continue;
        }
        let quote = &from_quote[..1];
        let Some(len) = from_quote[1..].find(quote) else {
            out.push_str(from_quote);
            return out;
        };
        let inner = &from_quote[1..=len];
        rest = &from_quote[len + 2..];
        out.push_str(quote);
        match place_of(before, quote) {
            NamePlace::Backticks => out.push_str(&ticks.older(before, inner, rest, mapping)),
            // An expression that the server prints (1690).
            NamePlace::Value if inner.contains('`') => out.push_str(&in_words_of(inner, mapping, own)),
            place => {
                let older = own.iter().map(|table| older_name(inner, place, table)).find(|older| older != inner);
                out.push_str(&older.unwrap_or_else(|| inner.to_owned()));
            }
        }
        out.push_str(quote);
    }
    out.push_str(rest);
    out
}

/// The apostrophe of "doesn't" and "can't".
fn is_apostrophe(before: &str, from_quote: &str) -> bool {
    before.ends_with(|c: char| c.is_ascii_alphabetic()) && from_quote.starts_with("'t ")
}

/// Follows names in backticks: `db`.`table`, `db`.`table`.`column`, CONSTRAINT `key`, FOREIGN KEY (`column`),
/// REFERENCES `table` (`column`).
#[derive(Debug, Default)]
struct Backticks<'m> {
    /// How many names came before in this chain of dots.
    depth: usize,
    /// The changed table that columns belong to.
    table: Option<&'m TableMapping>,
}

impl<'m> Backticks<'m> {
    fn older(&mut self, before: &str, name: &str, after: &str, mapping: &'m Mapping) -> String {
        self.depth = if before == "." { self.depth + 1 } else { 0 };
        let begins_chain = self.depth == 0 && after.starts_with('.');
        let before = before.trim_end();
        if begins_chain || before.ends_with("CONSTRAINT") {
            return name.to_owned();
        }
        if self.depth == 1 || before.ends_with("REFERENCES") {
            self.table = mapping.tables.iter().find(|table| table.physical == name);
            return self.table.map_or_else(|| name.to_owned(), |table| table.name.clone());
        }
        self.table.map_or_else(|| name.to_owned(), |table| older_column(name, table))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamePlace {
    Backticks,
    Column,
    Key,
    Table,
    Value,
}

fn place_of(before: &str, quote: &str) -> NamePlace {
    let before = before.trim_end().to_ascii_lowercase();
    if quote == "`" {
        NamePlace::Backticks
    } else if before.ends_with("column") || before.ends_with("field") {
        NamePlace::Column
    } else if before.ends_with("key") {
        NamePlace::Key
    } else if before.ends_with("table") {
        NamePlace::Table
    } else {
        NamePlace::Value
    }
}

fn older_name(name: &str, place: NamePlace, table: &TableMapping) -> String {
    let rename_table = |name: &str| if name == table.physical { table.name.clone() } else { name.to_owned() };
    match place {
        NamePlace::Backticks | NamePlace::Value => name.to_owned(),
        NamePlace::Column => match name.rsplit_once('.') {
            Some((qualifier, column)) => format!("{}.{}", rename_table(qualifier), older_column(column, table)),
            None => older_column(name, table),
        },
        NamePlace::Key => match name.split_once('.') {
            Some((qualifier, key)) if qualifier == table.physical => {
                format!("{}.{}", table.name, older_key(key, table))
            }
            Some(_) => name.to_owned(),
            None => older_key(name, table),
        },
        NamePlace::Table => match name.rsplit_once('.') {
            Some((database, name)) => format!("{database}.{}", rename_table(name)),
            None => rename_table(name),
        },
    }
}

fn older_key(key: &str, table: &TableMapping) -> String {
    let older = table.keys.iter().find(|(_, newer)| newer == key);
    older.map_or_else(|| key.to_owned(), |(older, _)| older.clone())
}

fn older_column(column: &str, table: &TableMapping) -> String {
    for mapped in &table.columns {
        if matches!(&mapped.source, ColumnSource::Direct(newer) if newer == column) {
            return mapped.name.clone();
        }
    }
    for group in &table.groups {
        if let Some(kept) = group.kept.iter().find(|kept| kept.physical == column) {
            return kept.column.clone();
        }
        if let (true, [only]) = (group.writes.iter().any(|write| write.column == column), group.columns.as_slice()) {
            return only.clone();
        }
    }
    column.to_owned()
}
