//! Names past ASCII that differ in letter case alone.
//!
//! The servers compare column names without case, each with a table of its own: MariaDB 11 takes `ſ` for `s`, MySQL
//! the Kelvin sign for `k`, and only some take `ς` for `σ`. So such a name must be spelled as the schema has it.

use super::refusal::{self, Stop};
use crate::{rules::Mapping, sql::Text};

/// Refuses a name that may be one of a changed table's, spelled otherwise.
pub fn check(text: &Text<'_>, mapping: &Mapping) -> Result<(), Stop> {
    for name in (0..text.len()).filter_map(|index| text.name(index)).filter(|name| !name.is_ascii()) {
        if let Some(known) = names(mapping).find(|known| is_respelled(&name, known)) {
            return Err(refusal::CASE.because(format!("{name} is spelled {known} in the schema")));
        }
    }
    Ok(())
}

/// Whether a name may be that of a changed or hidden table, spelled otherwise.
pub fn may_be_table(mapping: &Mapping, name: &str) -> bool {
    !name.is_ascii() && tables(mapping).any(|known| is_respelled(name, known))
}

/// The names of the tables that a statement must not name unseen.
pub fn tables(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let hidden = mapping.physical.tables.iter().filter(|table| mapping.hides(&table.name));
    mapping.tables.iter().map(|table| table.name.as_str()).chain(hidden.map(|table| table.name.as_str()))
}

/// Every name that the changed tables have on either side.
fn names(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let of_tables = mapping.tables.iter().flat_map(|table| {
        let (older, newer) = (mapping.schema.table(&table.name), mapping.physical.table(&table.physical));
        let columns = older.into_iter().chain(newer).flat_map(|table| &table.columns);
        columns.map(|column| column.name.as_str())
    });
    let of_keys = mapping
        .tables
        .iter()
        .flat_map(|table| table.keys.iter().flat_map(|(older, newer)| [older.as_str(), newer.as_str()]));
    tables(mapping).chain(of_tables).chain(of_keys)
}

fn is_respelled(name: &str, known: &str) -> bool {
    !name.eq_ignore_ascii_case(known) && folded(name) == folded(known)
}

/// Coarser than what any server does.
fn folded(name: &str) -> String {
    const DOT_ABOVE: char = '\u{307}';
    let upper = name.to_lowercase().to_uppercase();
    upper.chars().flat_map(char::to_lowercase).filter(|c| *c != DOT_ABOVE).collect::<String>().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::is_respelled;

    #[test]
    fn other_letter_cases_are_seen() {
        for (name, known) in [
            ("GRÖSSE", "größe"),
            ("ÉTAT", "état"),
            ("u\u{17F}ers", "users"),
            ("\u{212A}unde", "kunde"),
            ("İd", "id"),
            ("ıd", "id"),
            ("ΛΌΓΟΣ", "λόγος"),
            ("ИМЯ", "имя"),
        ] {
            assert!(is_respelled(name, known), "{name}");
        }
        for (name, known) in [("état", "état"), ("etat", "état"), ("名称", "名字"), ("users", "Users")] {
            assert!(!is_respelled(name, known), "{name}");
        }
    }
}
