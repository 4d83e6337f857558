//! Titles of result columns that the rewriting would change.
//!
//! The title of an expression is its text, and that of a bare column is spelled as the client spelled it; a derived
//! table gives its own spelling. Such items get the alias that says what the client's own text would have said.

use super::{
    refusal::{self, Stop},
    statement::{Statement, quote},
};
use crate::sql::{
    Piece, SELECT_MODIFIERS,
    scope::{Item, Name},
};

/// The servers take longer aliases for expressions than this, but cut titles in different places.
const MAX_TITLE_LEN: usize = 200;

/// Adds the aliases.
pub fn keep(statement: &mut Statement<'_>) -> Result<(), Stop> {
    for block in 0..statement.blocks.blocks.len() {
        let Some(select) = statement.blocks.blocks[block].select else { continue };
        let items = statement.blocks.blocks[block].items.clone();
        let ranges = item_ranges(statement, select);
        if ranges.len() != items.len() {
            continue;
        }
        for (item, tokens) in items.iter().zip(ranges) {
            let bytes = statement.text.bytes_of(tokens);
            match item {
                Item::Column(name) => {
                    if is_respelled(statement, block, name) {
                        alias(statement, bytes.end, &name.text);
                    }
                }
                Item::Expression if statement.edits.touch(&bytes) && bytes.len() <= MAX_TITLE_LEN => {
                    let charset = statement.facts.lex.charset;
                    let title = charset
                        .decode(&statement.text.bytes[bytes.clone()])
                        .ok_or_else(|| refusal::CHARSET.because("an expression that is a column's title"))?
                        .into_owned();
                    alias(statement, bytes.end, &title);
                }
                Item::Expression | Item::Named => {}
            }
        }
    }
    Ok(())
}

fn alias(statement: &mut Statement<'_>, offset: usize, title: &str) {
    statement.edits.insert(offset, vec![Piece::text(format!(" AS {}", quote(title)))]);
}

/// Whether a bare column is one of a derived table of ours that spells it otherwise.
fn is_respelled(statement: &Statement<'_>, block: usize, name: &Name) -> bool {
    let relations = statement.blocks.relations.iter().filter(|relation| relation.block == block);
    relations
        .filter_map(|relation| statement.mapped(relation).ok().flatten())
        .any(|table| table.column(&name.text).is_some_and(|column| column.name != name.text))
}

/// The tokens of each item of the select list of the SELECT at this offset.
fn item_ranges(statement: &Statement<'_>, select: usize) -> Vec<std::ops::Range<usize>> {
    const ENDS: [&str; 14] = [
        "FROM",
        "INTO",
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "FOR",
        "LOCK",
        "WINDOW",
        "ON",
    ];
    let text = statement.text;
    let mut from = text.at(select) + 1;
    while text.is_any_word(from, &SELECT_MODIFIERS) || text.is_any_word(from, &["DISTINCT", "DISTINCTROW"]) {
        from += 1;
    }
    let limit = match text.enclosing(from) {
        Some(open) => text.closing(open).unwrap_or(text.len()),
        None => text.len(),
    };
    let end = text.find_outside(from, limit, |index| text.is_any_word(index, &ENDS) || text.is_punct(index, ";"));
    text.split_commas(from, end.unwrap_or(limit))
}
