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
    sql::{Piece, Text, TokenKind},
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
    let marks = if columns.is_empty() { Vec::new() } else { order_by_marks(text) };
    let orders = marks.contains(&true);
    for (column, is_set) in columns {
        let mentions: Vec<usize> = (0..text.len())
            .filter(|&index| text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(&column.name)))
            .collect();
        let star = (0..text.len()).any(|index| text.is_punct(index, "*") && !text.is_punct(index + 1, ")"));
        if orders && (star || !mentions.is_empty()) && orders_by_position(statement, &marks) {
            return Err(refusal::COMPUTED_TARGET.because(format!("ORDER BY a position beside {}", column.name)));
        }
        for index in mentions {
            one(statement, &column, is_set, index, &marks)?;
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

fn orders_by_position(statement: &Statement<'_>, marks: &[bool]) -> bool {
    let text = statement.text;
    (0..text.len())
        .any(|index| marks[index] && text.kind(index) == Some(TokenKind::Number) && stands_alone(statement, index))
}

fn one(statement: &mut Statement<'_>, column: &Column, is_set: bool, index: usize, marks: &[bool]) -> Result<(), Stop> {
    let text = statement.text;
    let mut first = index;
    while first >= 2 && text.is_punct(first - 1, ".") {
        first -= 2;
    }
    let refuse = |why: &str| Err(refusal::COMPUTED_TARGET.because(format!("{} is computed: {why}", column.name)));
    if uses_number(text, first, index) {
        return refuse("its number is not stored");
    }
    if !marks.contains(&true) {
        return Ok(());
    }
    if is_aliased(text, index) {
        return refuse("ORDER BY its alias would sort as text");
    }
    let in_parentheses = first > 0 && text.is_punct(first - 1, "(") && text.is_punct(index + 1, ")");
    if in_parentheses
        && first > 1
        && marks[first - 1]
        && (text.is_word(first - 2, "BY") || text.is_punct(first - 2, ","))
    {
        return refuse("ORDER BY it in parentheses would sort as text");
    }
    if marks[first] && alone(statement, first, index) {
        if is_set {
            return refuse("a SET is sorted by its number");
        }
        let list = members(column).iter().map(|member| text_literal(member)).collect::<Vec<_>>().join(", ");
        statement.edits.insert(text.span(first).start, vec![Piece::text("FIELD(")]);
        statement.edits.insert(text.span(index).end, vec![Piece::text(format!(", {list})"))]);
    }
    Ok(())
}

/// Whether the tokens around a column, `first..=last`, take it for a number: arithmetic, a comparison with a number or a
/// variable, a condition of its own, a cast.
fn uses_number(text: &Text<'_>, first: usize, last: usize) -> bool {
    const OPERATORS: [&str; 10] = ["+", "-", "*", "/", "%", "&", "|", "<<", ">>", "^"];
    const COMPARISONS: [&str; 8] = ["=", "<", ">", "<=", ">=", "<>", "!=", "<=>"];
    let is_one_of = |at: usize, list: &[&str]| list.iter().any(|punct| text.is_punct(at, punct));
    let is_number = |at: usize| matches!(text.kind(at), Some(TokenKind::Number | TokenKind::Variable));
    let (before, mut after) = (first.wrapping_sub(1), last + 1);
    after += usize::from(text.is_word(after, "NOT"));
    let in_list = text.is_word(after, "IN") && text.is_punct(after + 1, "(");
    let listed = if in_list { after + 2..text.closing(after + 1).unwrap_or(after + 2) } else { 0..0 };
    if is_one_of(after, &OPERATORS)
        || (is_one_of(after, &COMPARISONS) && is_number(after + 1))
        || listed.into_iter().any(is_number)
        || (text.is_word(after, "BETWEEN") && (is_number(after + 1) || is_number(after + 3)))
    {
        return true;
    }
    if first == 0 {
        return false;
    }
    let called = |names: &[&str]| first > 1 && text.is_punct(before, "(") && text.is_any_word(first - 2, names);
    let ends = text.kind(after).is_none()
        || is_one_of(after, &[")", ";"])
        || text.is_any_word(after, &["AND", "OR", "XOR", "GROUP", "ORDER", "LIMIT", "HAVING"]);
    let condition = text.is_any_word(before, &["WHERE", "AND", "OR", "XOR", "NOT", "ON", "HAVING"]) && ends;
    (is_one_of(before, &OPERATORS) && !text.is_punct(after, ","))
        || (first > 1 && is_one_of(before, &COMPARISONS) && is_number(first - 2))
        || called(&[
            "SUM", "AVG", "ABS", "ROUND", "FLOOR", "CEIL", "CEILING", "MOD", "SIGN", "BIT_OR", "BIT_AND", "STD",
        ])
        || (called(&["CAST", "CONVERT"]) && !text.are_words(after, &["AS", "CHAR"]) && !text.is_word(after, "USING"))
        || (text.is_word(before, "CASE") && text.is_word(after, "WHEN") && is_number(after + 1))
        || condition
}

/// Whether a select item that ends at token `index` has an alias, with AS or without.
fn is_aliased(text: &Text<'_>, index: usize) -> bool {
    const FOLLOW: [&str; 44] = [
        "IS",
        "IN",
        "NOT",
        "LIKE",
        "BETWEEN",
        "AND",
        "OR",
        "XOR",
        "REGEXP",
        "RLIKE",
        "FROM",
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "ASC",
        "DESC",
        "THEN",
        "ELSE",
        "END",
        "WHEN",
        "COLLATE",
        "UNION",
        "SEPARATOR",
        "FOR",
        "LOCK",
        "INTO",
        "JOIN",
        "LEFT",
        "RIGHT",
        "INNER",
        "CROSS",
        "NATURAL",
        "ON",
        "USING",
        "DIV",
        "MOD",
        "SOUNDS",
        "ROWS",
        "RANGE",
        "OFFSET",
        "WITH",
        "WINDOW",
    ];
    match text.kind(index + 1) {
        Some(TokenKind::QuotedName | TokenKind::String) => true,
        Some(TokenKind::Word) => !text.is_any_word(index + 1, &FOLLOW),
        _ => false,
    }
}

/// For each token, whether it stands in an ORDER BY list of its own level.
fn order_by_marks(text: &Text<'_>) -> Vec<bool> {
    let mut levels = vec![false];
    (0..text.len())
        .map(|index| {
            if text.is_punct(index, "(") {
                let here = levels.last().copied().unwrap_or(false);
                levels.push(false);
                return here;
            }
            if text.is_punct(index, ")") && levels.len() > 1 {
                levels.pop();
            }
            let Some(level) = levels.last_mut() else { return false };
            if text.are_words(index, &["ORDER", "BY"]) {
                *level = true;
            } else if text.is_any_word(index, &["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "LIMIT", "SET", "UNION"])
            {
                *level = false;
            }
            *level
        })
        .collect()
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
