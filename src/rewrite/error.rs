//! A server's error in the version's own words.
//!
//! The servers put names in quotes after fixed words ("Column 'x'", "for key 'k'", "`db`.`t`"); only there are names
//! replaced, never inside the values that a message quotes.

use std::sync::Arc;

use super::{ServerError, statement::is_interesting};
use crate::{
    rules::{ColumnSource, Mapping, TableMapping, raise},
    sql::{LexMode, ServerKind, Text},
};

/// A server's error in the version's own words: newer table, column and key names become the version's, and what a
/// raise expression says becomes the error that the version's own column would give.
pub fn translate_error(error: ServerError, chain: &[Arc<Mapping>], statement: &[u8]) -> ServerError {
    if error.number == 1690
        && let Some(translated) = raised(&error.message, chain)
    {
        return translated;
    }
    let mut message = error.message.clone();
    for mapping in chain.iter().rev() {
        for table in tables_of(mapping, statement, chain) {
            message = in_words_of(&message, table);
        }
    }
    ServerError { message, ..error }
}

/// The changed tables that the client's statement names; all of them for a later step of the chain.
fn tables_of<'m>(mapping: &'m Mapping, statement: &[u8], chain: &[Arc<Mapping>]) -> Vec<&'m TableMapping> {
    let first = chain.first().is_some_and(|first| std::ptr::eq(Arc::as_ptr(first), mapping));
    let text = Text::new(statement, LexMode::of_server(ServerKind::MySql, 0));
    mapping
        .tables
        .iter()
        .filter(|table| match &text {
            Ok(text) if first => (0..text.len()).any(|index| {
                text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(&table.name))
                    && is_interesting(mapping, &table.name)
            }),
            _ => true,
        })
        .collect()
}

/// The error that a raise expression stands for. Its number carries the rule that was broken, the table and the
/// column: `exp(70003.1000002)`.
fn raised(message: &str, chain: &[Arc<Mapping>]) -> Option<ServerError> {
    let lower = message.to_ascii_lowercase();
    let number = lower.split("exp(").nth(1)?.split([')', ' ']).next()?;
    let (code, place) = number.split_once('.').unwrap_or((number, ""));
    let code: u32 = code.parse().ok()?;
    raise::ALL.iter().find(|(known, _)| *known == code)?;
    let column = place.get(1..7).and_then(|place| {
        let (table, column) = (place[..3].parse::<usize>().ok()?, place[3..].parse::<usize>().ok()?);
        Some(chain.first()?.tables.get(table)?.columns.get(column)?.name.clone())
    });
    let column = column.unwrap_or_else(|| "?".to_owned());
    let (number, sqlstate, message) = match code {
        raise::TOO_LONG => (1406, *b"22001", format!("Data too long for column '{column}' at row 1")),
        raise::OUT_OF_RANGE => (1264, *b"22003", format!("Out of range value for column '{column}' at row 1")),
        raise::NULL_NOT_ALLOWED => (1048, *b"23000", format!("Column '{column}' cannot be null")),
        raise::UNMAPPED_WRITE => (1265, *b"01000", format!("Data truncated for column '{column}' at row 1")),
        raise::UNFIT => (1366, *b"HY000", format!("Incorrect value for column '{column}' at row 1")),
        _ => (1235, *b"42000", "Bifocal: a stored value has no counterpart in this version".to_owned()),
    };
    Some(ServerError { number, sqlstate, message })
}

/// Replaces the newer names of one table in a message.
fn in_words_of(message: &str, table: &TableMapping) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['\'', '`']) {
        let (before, from_quote) = rest.split_at(at);
        out.push_str(before);
        let quote = &from_quote[..1];
        let Some(len) = from_quote[1..].find(quote) else {
            out.push_str(from_quote);
            return out;
        };
        let inner = &from_quote[1..=len];
        let place = place_of(before, quote);
        out.push_str(quote);
        out.push_str(&older_name(inner, place, table));
        out.push_str(quote);
        rest = &from_quote[len + 2..];
    }
    out.push_str(rest);
    out
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
        NamePlace::Value => name.to_owned(),
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
        NamePlace::Backticks if name == table.physical => table.name.clone(),
        NamePlace::Backticks => older_column(name, table),
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
