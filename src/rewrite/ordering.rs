//! ENUM and SET columns that are computed.
//!
//! The servers sort and add them by their number and compare them as text; a computed one is text alone. So where an
//! older version sorts by such a column, the number is put back with FIELD, and where it computes with the number
//! the statement is refused.

use super::{
    refusal::{self, Stop},
    statement::Statement,
};
use crate::{
    rules::{ColumnSource, Family, TableMapping, family, members, text_literal},
    schema::Column,
    sql::{Piece, TokenKind},
};

/// Puts the order of computed ENUM columns right, or refuses.
pub fn order_by_number(statement: &mut Statement<'_>) -> Result<(), Stop> {
    let mut columns: Vec<(Column, bool)> = Vec::new();
    for relation in statement.blocks.relations.clone() {
        if let Some(table) = statement.mapped(&relation)? {
            columns.extend(computed_enums(statement, table));
        }
    }
    let text = statement.text;
    let orders = (0..text.len()).any(|index| text.are_words(index, &["ORDER", "BY"]));
    for (column, is_set) in columns {
        let mentions: Vec<usize> = (0..text.len())
            .filter(|&index| text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(&column.name)))
            .collect();
        let star = (0..text.len()).any(|index| text.is_punct(index, "*") && !text.is_punct(index + 1, ")"));
        if orders && (star || !mentions.is_empty()) && orders_by_position(statement) {
            return Err(refusal::COMPUTED_TARGET.because(format!("ORDER BY a position beside {}", column.name)));
        }
        for index in mentions {
            one(statement, &column, is_set, index, orders)?;
        }
    }
    Ok(())
}

fn computed_enums(statement: &Statement<'_>, table: &TableMapping) -> Vec<(Column, bool)> {
    let schema = statement.mapping.schema.table(&table.name);
    table
        .columns
        .iter()
        .filter(|column| matches!(column.source, ColumnSource::Computed { .. }))
        .filter_map(|column| schema?.column(&column.name))
        .filter_map(|column| match family(column) {
            Family::Enum => Some((column.clone(), false)),
            Family::Set => Some((column.clone(), true)),
            _ => None,
        })
        .collect()
}

fn orders_by_position(statement: &Statement<'_>) -> bool {
    let text = statement.text;
    (0..text.len()).any(|index| {
        text.kind(index) == Some(TokenKind::Number) && in_order_by(statement, index) && stands_alone(statement, index)
    })
}

fn one(statement: &mut Statement<'_>, column: &Column, is_set: bool, index: usize, orders: bool) -> Result<(), Stop> {
    let text = statement.text;
    let mut first = index;
    while first >= 2 && text.is_punct(first - 1, ".") {
        first -= 2;
    }
    let refuse = |why: &str| Err(refusal::COMPUTED_TARGET.because(format!("{} is computed: {why}", column.name)));
    let operator =
        |at: usize| ["+", "-", "*", "/", "%", "&", "|", "<<", ">>", "^"].iter().any(|p| text.is_punct(at, p));
    let comparison = |at: usize| ["=", "<", ">", "<=", ">=", "<>", "!=", "<=>"].iter().any(|p| text.is_punct(at, p));
    let number = |at: usize| text.kind(at) == Some(TokenKind::Number);
    let before = first.wrapping_sub(1);
    if operator(index + 1) || (first > 0 && operator(before) && !text.is_punct(index + 1, ",")) {
        return refuse("its number is not stored");
    }
    if (comparison(index + 1) && number(index + 2))
        || (first > 1 && comparison(before) && number(first - 2))
        || (text.is_word(index + 1, "IN") && number(index + 3))
        || (first > 1 && text.is_punct(before, "(") && text.is_any_word(first - 2, &["SUM", "AVG"]))
    {
        return refuse("its number is not stored");
    }
    if !orders {
        return Ok(());
    }
    let aliased = text.is_word(index + 1, "AS")
        || matches!(text.kind(index + 1), Some(TokenKind::QuotedName | TokenKind::String));
    if aliased {
        return refuse("ORDER BY its alias would sort as text");
    }
    if in_order_by(statement, first) && alone(statement, first, index) {
        if is_set {
            return refuse("a SET is sorted by its number");
        }
        let list = members(column).iter().map(|member| text_literal(member)).collect::<Vec<_>>().join(", ");
        statement.edits.insert(text.span(first).start, vec![Piece::text("FIELD(")]);
        statement.edits.insert(text.span(index).end, vec![Piece::text(format!(", {list})"))]);
    }
    Ok(())
}

/// Whether token `index` stands in an ORDER BY list of its own level.
fn in_order_by(statement: &Statement<'_>, index: usize) -> bool {
    let text = statement.text;
    let mut depth = 0usize;
    for before in (0..index).rev() {
        if text.is_punct(before, ")") {
            depth += 1;
        } else if text.is_punct(before, "(") {
            if depth == 0 {
                return false;
            }
            depth -= 1;
        } else if depth == 0
            && text.is_any_word(before, &["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "LIMIT", "SET"])
        {
            return false;
        } else if depth == 0 && text.are_words(before, &["ORDER", "BY"]) {
            return true;
        }
    }
    false
}

fn stands_alone(statement: &Statement<'_>, index: usize) -> bool {
    alone(statement, index, index)
}

/// Whether the tokens `first..=last` are a whole item of a list.
fn alone(statement: &Statement<'_>, first: usize, last: usize) -> bool {
    let text = statement.text;
    let starts = first > 0 && (text.is_punct(first - 1, ",") || text.is_word(first - 1, "BY"));
    let ends = text.kind(last + 1).is_none()
        || [",", ")", ";"].iter().any(|punct| text.is_punct(last + 1, punct))
        || text.is_any_word(last + 1, &["ASC", "DESC", "LIMIT", "FOR", "LOCK", "ROWS", "RANGE", "INTO", "OFFSET"]);
    starts && ends
}
