//! INSERT … SELECT into a changed table.

use std::ops::Range;

use super::{
    assign::{default_or_raise, null_raise},
    column::tag_raises,
    insert::{Cell, CellValue},
    refusal::{self, Stop},
    statement::{Statement, Target, quote},
};
use crate::{
    rules::{ColumnSource, checked_cast},
    schema::Column,
    sql::Piece,
};

/// INSERT … SELECT: where columns are computed, the client's query becomes a CTE whose columns feed the expressions.
pub(super) fn rewrite(
    statement: &mut Statement<'_>,
    target: &Target<'_>,
    listed: &[&Column],
    layout: &[Cell<'_>],
    query: Range<usize>,
) -> Result<(), Stop> {
    let plain =
        layout.iter().enumerate().all(|(at, cell)| matches!(cell.value, CellValue::Listed(place) if place == at));
    let guarded = listed.iter().any(|column| {
        !column.nullable
            && !matches!(target.table.column(&column.name).map(|c| &c.source), Some(ColumnSource::Direct(_)))
    });
    if plain && !guarded {
        return Ok(());
    }
    if statement.text.is_punct(query.start, "(") {
        return Err(refusal::NOT_UNDERSTOOD.because("a parenthesised query of an INSERT with computed columns"));
    }
    let cell_names: Vec<String> = (0..listed.len()).map(|at| format!("c{at}")).collect();
    let columns = cell_names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let mut items = Vec::new();
    for cell in layout {
        items.push(query_cell(statement, target, listed, cell));
    }
    let text = statement.text;
    let bytes = text.bytes_of(query.clone());
    let limited = text.find_outside(query.start, query.end, |index| text.is_word(index, "LIMIT")).is_some();
    if !limited && statement.parsed.locks.iter().any(|lock| text.enclosing(lock.tokens.start).is_none()) {
        return Err(refusal::LOCKS.because("a locking clause in the query of an INSERT with computed columns"));
    }
    // A LIMIT keeps the query's ORDER BY, and with it the order in which ids are given; and it has the query computed
    // once, whatever its values are made of.
    let limit = if limited { "" } else { " LIMIT 18446744073709551615" };
    statement.edits.insert(bytes.start, vec![Piece::text(format!("WITH `bifocal` ({columns}) AS ("))]);
    let tail = format!("{limit}) SELECT {} FROM `bifocal`", items.join(", "));
    statement.edits.insert(bytes.end, vec![Piece::text(tail)]);
    Ok(())
}

fn query_cell(statement: &Statement<'_>, target: &Target<'_>, listed: &[&Column], cell: &Cell<'_>) -> String {
    let schema = statement.mapping.schema.table(&target.table.name);
    let input = |name: &str| match listed.iter().position(|column| column.name.eq_ignore_ascii_case(name)) {
        Some(at) => format!("`bifocal`.`c{at}`"),
        None => schema
            .and_then(|table| table.column(name))
            .and_then(|column| default_or_raise(statement, target, column).ok())
            .unwrap_or_else(|| "NULL".to_owned()),
    };
    match &cell.value {
        CellValue::Default(default) => default.clone(),
        CellValue::Listed(at) => {
            let column = listed[*at];
            let direct = matches!(target.table.column(&column.name).map(|c| &c.source), Some(ColumnSource::Direct(_)));
            let value = input(&column.name);
            if direct || column.nullable {
                return value;
            }
            format!("COALESCE({value}, {})", null_raise(statement, target, column))
        }
        CellValue::Forward(_, template) | CellValue::Added(template) => {
            let column = template.columns().next().unwrap_or_default().to_owned();
            let text = template.render(|name| match schema.and_then(|table| table.column(name)) {
                Some(column) => tag_raises(statement, target.table, name, &checked_cast(&input(name), column)),
                None => input(name),
            });
            tag_raises(statement, target.table, &column, &text)
        }
    }
}
