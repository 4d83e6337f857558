//! What it means that two outcomes are equal. Everything counts, but for the tolerances listed here.

use std::collections::BTreeMap;

use mysql_async::{
    Column, Value,
    consts::{ColumnFlags, ColumnType},
};

use crate::support::client::{Outcome, ResultSet, Warning, text_of};

/// How often each tolerance was used.
pub type Tolerances = BTreeMap<&'static str, u64>;

/// Two column types that may stand for each other, in either direction: a column that is computed has the type
/// of its expression, and neither server has a cast to the narrower one.
const TYPES: [(&str, ColumnType, ColumnType); 8] = [
    ("type: LONG for LONGLONG", ColumnType::MYSQL_TYPE_LONG, ColumnType::MYSQL_TYPE_LONGLONG),
    ("type: TINY for LONG", ColumnType::MYSQL_TYPE_TINY, ColumnType::MYSQL_TYPE_LONG),
    ("type: TINY for LONGLONG", ColumnType::MYSQL_TYPE_TINY, ColumnType::MYSQL_TYPE_LONGLONG),
    ("type: SHORT for LONG", ColumnType::MYSQL_TYPE_SHORT, ColumnType::MYSQL_TYPE_LONG),
    ("type: SHORT for LONGLONG", ColumnType::MYSQL_TYPE_SHORT, ColumnType::MYSQL_TYPE_LONGLONG),
    ("type: INT24 for LONG", ColumnType::MYSQL_TYPE_INT24, ColumnType::MYSQL_TYPE_LONG),
    ("type: INT24 for LONGLONG", ColumnType::MYSQL_TYPE_INT24, ColumnType::MYSQL_TYPE_LONGLONG),
    ("type: STRING for VAR_STRING", ColumnType::MYSQL_TYPE_STRING, ColumnType::MYSQL_TYPE_VAR_STRING),
];

/// What differs between two outcomes; none where they are equal.
pub fn difference(reference: &Outcome, bifocal: &Outcome, unordered: bool, used: &mut Tolerances) -> Option<String> {
    if reference.error != bifocal.error {
        return Some("the error".to_owned());
    }
    if reference.results.len() != bifocal.results.len() {
        return Some("the number of result sets".to_owned());
    }
    for (one, other) in reference.results.iter().zip(&bifocal.results) {
        if let Some(what) = columns(&one.columns, &other.columns, used) {
            return Some(what);
        }
        if rows(one, unordered) != rows(other, unordered) {
            return Some("the rows".to_owned());
        }
    }
    let (one, other) = (warnings(reference, used), warnings(bifocal, used));
    let parts = [
        ("affected rows", reference.affected == bifocal.affected),
        ("the insert id", reference.insert_id == bifocal.insert_id),
        ("the OK's text", info(reference, one.0) == info(bifocal, other.0)),
        ("whether a transaction is open", reference.in_transaction == bifocal.in_transaction),
        ("the warning count", one.0 == other.0),
        ("SHOW WARNINGS", one.1 == other.1),
    ];
    parts.iter().find(|(_, same)| !same).map(|(name, _)| (*name).to_owned())
}

/// The warning count and the warnings, without what depends on how often an expression is written: MySQL warns of each
/// VALUES() by itself (1287), and MariaDB repeats the error of an expression that is written twice; and without the "Unknown error" (1105) that MariaDB adds to a NULL in an INSERT.
fn warnings(outcome: &Outcome, used: &mut Tolerances) -> (u32, Vec<Warning>) {
    let mut kept: Vec<Warning> = Vec::new();
    let mut dropped = 0;
    for warning in &outcome.warnings {
        let repeated = (warning.1 == "1287" || warning.0 == "Error") && kept.last() == Some(warning);
        if repeated || (warning.1 == "1105" && warning.2 == "Unknown error") {
            *used.entry(if repeated { "warning: repeated" } else { "warning: 1105" }).or_default() += 1;
            dropped += u32::from(outcome.warning_count > 0);
        } else {
            kept.push(warning.clone());
        }
    }
    (u32::from(outcome.warning_count).saturating_sub(dropped), kept)
}

/// The OK's text with that count of warnings.
fn info(outcome: &Outcome, warning_count: u32) -> String {
    outcome.info.replace(&format!("Warnings: {}", outcome.warning_count), &format!("Warnings: {warning_count}"))
}

fn rows(set: &ResultSet, unordered: bool) -> Vec<Vec<Value>> {
    let mut rows = set.rows.clone();
    if unordered {
        rows.sort_by_cached_key(|row| format!("{row:?}"));
    }
    rows
}

/// What differs between the columns of two results.
pub fn columns(reference: &[Column], bifocal: &[Column], used: &mut Tolerances) -> Option<String> {
    if reference.len() != bifocal.len() {
        return Some("the number of columns".to_owned());
    }
    reference.iter().zip(bifocal).find_map(|(one, other)| column(one, other, used))
}

fn column(one: &Column, other: &Column, used: &mut Tolerances) -> Option<String> {
    let name = one.name_str();
    if name != other.name_str() {
        return Some(format!("the name of column {name}"));
    }
    let (one_type, other_type) = (one.column_type(), other.column_type());
    if one_type != other_type {
        let listed = |(_, a, b): &&(_, _, _)| (*a, *b) == (one_type, other_type) || (*b, *a) == (one_type, other_type);
        let Some((tolerance, _, _)) = TYPES.iter().find(listed) else {
            return Some(format!("the type of column {name}"));
        };
        *used.entry(tolerance).or_default() += 1;
    }
    let is_unsigned = |column: &Column| column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    if is_unsigned(one) != is_unsigned(other) {
        return Some(format!("the sign of column {name}"));
    }
    // MySQL gives JSON of an expression another character set than JSON of a column.
    let is_json = one_type == ColumnType::MYSQL_TYPE_JSON;
    if is_json && one.character_set() != other.character_set() {
        *used.entry("column: character set of JSON").or_default() += 1;
    } else if one.character_set() != other.character_set() {
        return Some(format!("the character set of column {name}"));
    }
    // No driver's values depend on these; the counts show how far the answer is from the version's own.
    let lesser = [
        ("column: table", one.table_ref() == other.table_ref()),
        ("column: org_table", one.org_table_ref() == other.org_table_ref()),
        ("column: org_name", one.org_name_ref() == other.org_name_ref()),
        ("column: schema", one.schema_ref() == other.schema_ref()),
        ("column: length", one.column_length() == other.column_length()),
        ("column: decimals", one.decimals() == other.decimals()),
        ("column: flags", one.flags() == other.flags()),
    ];
    for (aspect, _) in lesser.iter().filter(|(_, same)| !same) {
        *used.entry(aspect).or_default() += 1;
    }
    None
}

/// An outcome, for people.
pub fn show(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    for set in outcome.results.iter().filter(|set| !set.columns.is_empty()) {
        lines.push(show_columns(&set.columns));
        lines.extend(set.rows.iter().map(|row| show_row(row)));
    }
    match &outcome.error {
        Some(error) => lines.push(format!("error {} ({}): {}", error.number, error.state, error.message)),
        None => lines.push(format!(
            "ok: affected {}, insert id {}, warnings {}, in transaction {}, info '{}'",
            outcome.affected, outcome.insert_id, outcome.warning_count, outcome.in_transaction, outcome.info
        )),
    }
    lines.extend(outcome.warnings.iter().map(|(level, code, text)| format!("{level} {code}: {text}")));
    lines.join("\n")
}

/// Columns, for people.
pub fn show_columns(columns: &[Column]) -> String {
    columns.iter().map(show_column).collect::<Vec<_>>().join(" | ")
}

fn show_column(column: &Column) -> String {
    let sign = if column.flags().contains(ColumnFlags::UNSIGNED_FLAG) { " UNSIGNED" } else { "" };
    let kind = format!("{:?}", column.column_type());
    format!("{} {}{sign} cs{}", column.name_str(), kind.trim_start_matches("MYSQL_TYPE_"), column.character_set())
}

/// A row, for people.
pub fn show_row(row: &[Value]) -> String {
    let value = |value: &Value| match value {
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{}'", text.escape_debug()),
            Err(_) => format!("{bytes:02x?}"),
        },
        other => text_of(other).unwrap_or_else(|| "NULL".to_owned()),
    };
    row.iter().map(value).collect::<Vec<_>>().join(" | ")
}
