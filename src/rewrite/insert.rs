//! INSERT and REPLACE into a changed table.

use std::ops::Range;

use super::{
    assign::{
        Assignment, Place, default_of, default_or_raise, is_default, kept_of, not_null, parenthesise, refuse_null,
        refuse_number, same_default, splice, translate, value_pieces,
    },
    column::{clause_of, edit_references, fill, tag_raises},
    insert_select,
    read::{replace_relations, trim_lock_lists},
    refusal::{self, Stop},
    statement::{Resolution, Statement, Target, quote},
    update::assignments,
};
use crate::{
    rules::{ColumnSource, TableMapping, checked_cast},
    schema::Column,
    sql::{
        Piece,
        scope::{Name, Relation},
    },
};

/// Where the parts of an INSERT stand, as token ranges.
#[derive(Debug)]
struct Shape {
    table: Range<usize>,
    /// The column list with its parentheses; empty where there is none.
    list: Range<usize>,
    body: Body,
    duplicate: Option<Range<usize>>,
}

#[derive(Debug)]
enum Body {
    /// Each row's tokens between the parentheses.
    Rows(Vec<Range<usize>>),
    /// SET's assignments.
    Set(Range<usize>),
    /// A query.
    Query(Range<usize>),
}

/// Plans an INSERT or REPLACE; `table` is the name behind INTO.
pub fn rewrite(statement: &mut Statement<'_>, table: &[Name], row_alias: Option<Name>) -> Result<(), Stop> {
    let relation = Relation { block: 0, name: table.to_vec(), alias: None, columns: None };
    let mapped = statement.mapped(&relation)?;
    if let Some(mapped) = mapped {
        let target = Target { table: mapped, qualifier: mapped.physical.clone(), requalify: true, is_row: false };
        add_target(statement, relation, target.clone());
        if let Some(alias) = row_alias {
            let relation = Relation { block: 0, name: table.to_vec(), alias: Some(alias.clone()), columns: None };
            add_target(statement, relation, Target { qualifier: alias.text, is_row: true, ..target.clone() });
        }
        rewrite_target(statement, &target)?;
    }
    edit_references(statement)?;
    replace_relations(statement)?;
    trim_lock_lists(statement);
    Ok(())
}

fn add_target<'a>(statement: &mut Statement<'a>, relation: Relation, target: Target<'a>) {
    let from = relation.name.first().map(|name| name.span.start);
    statement.blocks.other_relations.retain(|name| name.first().map(|name| name.span.start) != from);
    statement.blocks.relations.push(relation);
    statement.targets.insert(statement.blocks.relations.len() - 1, target);
}

fn rewrite_target(statement: &mut Statement<'_>, target: &Target<'_>) -> Result<(), Stop> {
    let shape = shape(statement, target)?;
    if statement.text.is_word(0, "REPLACE") && !target.table.added.is_empty() {
        return Err(
            refusal::REPLACE_ADDED.because(format!("{} has columns that REPLACE would empty", target.table.name))
        );
    }
    let table = statement.text.bytes_of(shape.table.clone());
    let last = statement.text.span(shape.table.end - 1);
    if target.table.physical != target.table.name {
        statement.edits.put(last, quote(&target.table.physical));
    }
    refuse_computed_reads(statement, target, &shape.body)?;
    match &shape.body {
        Body::Set(range) => rewrite_set(statement, target, range.clone())?,
        Body::Rows(_) | Body::Query(_) => {
            let mut listed = listed_columns(statement, target, &shape)?;
            if matches!(&shape.body, Body::Rows(rows) if shape.list.is_empty() && rows.iter().any(Range::is_empty)) {
                // `VALUES ()` without a list is a row of defaults.
                listed.clear();
            }
            let layout = layout(statement, target, &listed)?;
            let names = layout.iter().map(|cell| quote(&cell.physical)).collect::<Vec<_>>().join(", ");
            let same_list = !shape.list.is_empty() && is_trivial(target.table, &listed, &layout);
            if !same_list {
                let list = format!("({names})");
                if shape.list.is_empty() {
                    statement.edits.insert(table.end, vec![Piece::text(format!(" {list}"))]);
                } else {
                    statement.edits.put(statement.text.bytes_of(shape.list.clone()), list);
                }
            }
            match shape.body {
                Body::Rows(rows) => rewrite_rows(statement, target, &listed, &layout, rows)?,
                Body::Query(query) => insert_select::rewrite(statement, target, &listed, &layout, query)?,
                Body::Set(_) => {}
            }
        }
    }
    if let Some(duplicate) = shape.duplicate {
        for (whole, assignment) in assignments(statement, duplicate)? {
            put_assignment(statement, target, whole, &assignment, Place::Duplicate)?;
        }
    }
    Ok(())
}

/// A value may read a column that stands before it in its row; a computed one is written behind all of them.
fn refuse_computed_reads(statement: &Statement<'_>, target: &Target<'_>, body: &Body) -> Result<(), Stop> {
    let ranges: Vec<Range<usize>> = match body {
        Body::Rows(rows) => rows.iter().map(|row| statement.text.bytes_of(row.clone())).collect(),
        Body::Set(range) => vec![statement.text.bytes_of(range.clone())],
        Body::Query(_) => return Ok(()),
    };
    let whole = ranges.first().map_or(0, |first| first.start)..ranges.last().map_or(0, |last| last.end);
    for reference in &statement.blocks.columns {
        let Some(last) = reference.parts.last() else { continue };
        let computed = !matches!(
            target.table.column(&last.text).map(|column| &column.source),
            None | Some(ColumnSource::Direct(_))
        );
        if computed
            && whole.contains(&last.span.start)
            && matches!(statement.resolve(reference), Resolution::Column(index) if statement.targets.contains_key(&index))
        {
            return Err(refusal::COMPUTED_TARGET.because(format!("a value that reads {} of its own row", last.text)));
        }
    }
    Ok(())
}

/// Puts the translation of one assignment in its place.
pub fn put_assignment(
    statement: &mut Statement<'_>,
    target: &Target<'_>,
    whole: Range<usize>,
    assignment: &Assignment,
    place: Place,
) -> Result<(), Stop> {
    let mut translated = translate(statement, target, assignment, place)?;
    if translated.is_empty() {
        // A discarded column: the assignment has to be something, and this one changes nothing.
        let direct = target.table.columns.iter().find_map(|column| match &column.source {
            ColumnSource::Direct(newer) => Some(quote(newer)),
            _ => None,
        });
        let same = direct.ok_or_else(|| refusal::COMPUTED_TARGET.because("nothing is left to assign"))?;
        translated.push(vec![Piece::text(format!("{same} = {same}"))]);
    }
    let mut pieces = Vec::new();
    for (index, one) in translated.into_iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::text(", "));
        }
        pieces.extend(one);
    }
    statement.edits.replace(statement.text.bytes_of(whole), pieces);
    Ok(())
}

fn shape(statement: &Statement<'_>, target: &Target<'_>) -> Result<Shape, Stop> {
    let text = statement.text;
    let unclear = || refusal::NOT_UNDERSTOOD.because("the parts of this INSERT are not certain");
    let relation =
        statement.blocks.relations.iter().rev().find(|relation| {
            relation.block == 0 && relation.name.last().is_some_and(|name| name.is(&target.table.name))
        });
    let name = &relation.ok_or_else(unclear)?.name;
    let (first, last) = (name.first().ok_or_else(unclear)?, name.last().ok_or_else(unclear)?);
    let table = text.at(first.span.start)..text.at(last.span.start) + 1;
    let mut next = table.end;
    let mut list = next..next;
    if text.is_punct(next, "(") && !text.is_any_word(next + 1, &["SELECT", "WITH"]) && !text.is_punct(next + 1, "(") {
        let close = text.closing(next).ok_or_else(unclear)?;
        list = next..close + 1;
        next = close + 1;
    }
    let end = if text.is_punct(text.len() - 1, ";") { text.len() - 1 } else { text.len() };
    let on = text.find_outside(next, end, |index| text.are_words(index, &["ON", "DUPLICATE", "KEY", "UPDATE"]));
    if text.find_outside(next, end, |index| text.is_word(index, "RETURNING")).is_some() {
        return Err(refusal::STATEMENT_KIND.because("RETURNING from a changed table"));
    }
    let duplicate = on.map(|on| on + 4..end);
    let body_end = on.unwrap_or(end);
    let body = if text.is_any_word(next, &["VALUES", "VALUE"]) {
        Body::Rows(rows(statement, next + 1, body_end)?)
    } else if text.is_word(next, "SET") {
        let stop = text.find_outside(next, body_end, |index| text.is_word(index, "AS")).unwrap_or(body_end);
        Body::Set(next + 1..stop)
    } else if text.is_any_word(next, &["SELECT", "WITH"]) || text.is_punct(next, "(") {
        Body::Query(next..body_end)
    } else {
        return Err(unclear());
    };
    Ok(Shape { table, list, body, duplicate })
}

fn rows(statement: &Statement<'_>, from: usize, end: usize) -> Result<Vec<Range<usize>>, Stop> {
    let text = statement.text;
    let unclear = || refusal::NOT_UNDERSTOOD.because("the rows of this INSERT are not certain");
    let mut rows = Vec::new();
    let mut next = from;
    loop {
        next += usize::from(text.is_word(next, "ROW"));
        if !text.is_punct(next, "(") {
            return Err(unclear());
        }
        let close = text.closing(next).ok_or_else(unclear)?;
        rows.push(next + 1..close);
        next = close + 1;
        if !text.is_punct(next, ",") {
            // What may follow is a row alias.
            return if next == end || text.is_word(next, "AS") { Ok(rows) } else { Err(unclear()) };
        }
        next += 1;
    }
}

/// The older columns that the statement gives values for, in order.
fn listed_columns<'s>(statement: &Statement<'s>, target: &Target<'_>, shape: &Shape) -> Result<Vec<&'s Column>, Stop> {
    let unclear = || refusal::NOT_UNDERSTOOD.because("the table's columns are not known");
    let schema = statement.mapping.schema.table(&target.table.name).ok_or_else(unclear)?;
    if shape.list.is_empty() {
        return Ok(schema.columns.iter().filter(|column| !column.is_invisible()).collect());
    }
    if shape.list.len() == 2 {
        return Ok(Vec::new());
    }
    let text = statement.text;
    let mut listed: Vec<&Column> = Vec::new();
    for piece in text.split_commas(shape.list.start + 1, shape.list.end - 1) {
        let name = text.name(piece.end - 1).ok_or_else(unclear)?;
        let column = schema.column(&name).ok_or_else(|| {
            refusal::unknown_column(&name, clause_of(statement, statement.text.span(piece.start).start))
        })?;
        if listed.iter().any(|other| other.name == column.name) {
            return Err(Stop::Answer(super::ServerError {
                number: 1110,
                sqlstate: *b"42000",
                message: format!("Column '{}' specified twice", column.name),
            }));
        }
        listed.push(column);
    }
    Ok(listed)
}

/// One newer column of the rewritten list and where its value comes from.
#[derive(Debug)]
pub(super) struct Cell<'m> {
    /// The newer column.
    pub physical: String,
    /// What goes into it.
    pub value: CellValue<'m>,
}

#[derive(Debug)]
pub(super) enum CellValue<'m> {
    /// The client's value at this place of the list.
    Listed(usize),
    /// The older column's default, which the list leaves out.
    Default(String),
    /// A group's forward expression.
    Forward(usize, &'m crate::rules::Template),
    /// An added column's value.
    Added(&'m crate::rules::Template),
}

/// Listed and kept columns first, so that what is computed from them can read them, then what the groups write, then
/// the added columns.
fn layout<'m>(statement: &Statement<'_>, target: &Target<'m>, listed: &[&Column]) -> Result<Vec<Cell<'m>>, Stop> {
    let table = target.table;
    let mut cells = Vec::new();
    for (at, column) in listed.iter().enumerate() {
        match table.column(&column.name).map(|mapped| &mapped.source) {
            Some(ColumnSource::Direct(newer)) => {
                cells.push(Cell { physical: newer.clone(), value: CellValue::Listed(at) });
            }
            Some(ColumnSource::Computed { group, .. }) if !table.groups[*group].kept.is_empty() => {
                let physical = kept_of(&table.groups[*group], &column.name);
                cells.push(Cell { physical, value: CellValue::Listed(at) });
            }
            _ => {}
        }
    }
    cells.extend(omitted(statement, target, listed)?);
    for (at, group) in table.groups.iter().enumerate() {
        for write in &group.writes {
            cells.push(Cell { physical: write.column.clone(), value: CellValue::Forward(at, &write.forward) });
        }
    }
    for added in &table.added {
        if let Some(value) = &added.value {
            cells.push(Cell { physical: added.column.clone(), value: CellValue::Added(value) });
        }
    }
    Ok(cells)
}

/// Older columns that the list leaves out and whose default the newer table would not give by itself.
fn omitted<'m>(statement: &Statement<'_>, target: &Target<'m>, listed: &[&Column]) -> Result<Vec<Cell<'m>>, Stop> {
    let mut cells = Vec::new();
    let schema = statement.mapping.schema.table(&target.table.name);
    for column in schema.iter().flat_map(|table| &table.columns) {
        if listed.iter().any(|other| other.name == column.name) {
            continue;
        }
        let physical = match target.table.column(&column.name).map(|mapped| &mapped.source) {
            Some(ColumnSource::Direct(newer))
                if same_default(statement, target, column, newer)
                    || column.is_auto_increment()
                    || column.generated.is_some() =>
            {
                continue;
            }
            Some(ColumnSource::Direct(newer)) => newer.clone(),
            Some(ColumnSource::Computed { group, .. }) => {
                let group = &target.table.groups[*group];
                if group.kept.is_empty() {
                    // The forward expression reads the default; without one it raises.
                    default_or_raise(statement, target, column)?;
                    continue;
                }
                kept_of(group, &column.name)
            }
            _ => continue,
        };
        let default = default_or_raise(statement, target, column)?;
        cells.push(Cell { physical, value: CellValue::Default(default) });
    }
    Ok(cells)
}

/// Whether the client's own list, with names alone renamed, says the same.
fn is_trivial(table: &TableMapping, listed: &[&Column], layout: &[Cell<'_>]) -> bool {
    layout.len() == listed.len()
        && layout.iter().zip(listed).all(|(cell, column)| {
            matches!(table.column(&column.name).map(|c| &c.source),
                Some(ColumnSource::Direct(newer)) if *newer == column.name && cell.physical == *newer)
        })
}

fn rewrite_rows(
    statement: &mut Statement<'_>,
    target: &Target<'_>,
    listed: &[&Column],
    layout: &[Cell<'_>],
    rows: Vec<Range<usize>>,
) -> Result<(), Stop> {
    for (at, row) in rows.into_iter().enumerate() {
        let values = statement.text.split_commas(row.start, row.end);
        if values.len() != listed.len() {
            return Err(Stop::Answer(super::ServerError {
                number: 1136,
                sqlstate: *b"21S01",
                message: format!("Column count doesn't match value count at row {}", at + 1),
            }));
        }
        let mut pieces = Vec::new();
        for (index, cell) in layout.iter().enumerate() {
            if index > 0 {
                pieces.push(Piece::text(", "));
            }
            pieces.extend(cell_pieces(statement, target, listed, &values, cell)?);
        }
        let range = statement.text.bytes_of(row);
        statement.edits.replace(range, pieces);
    }
    Ok(())
}

fn cell_pieces(
    statement: &Statement<'_>,
    target: &Target<'_>,
    listed: &[&Column],
    values: &[Range<usize>],
    cell: &Cell<'_>,
) -> Result<Vec<Piece>, Stop> {
    match &cell.value {
        CellValue::Default(default) => Ok(vec![Piece::text(default)]),
        CellValue::Listed(at) => listed_value(statement, target, listed[*at], &values[*at], &cell.physical),
        CellValue::Forward(group, template) => {
            let group = &target.table.groups[*group];
            if !group.kept.is_empty() {
                let text = template.render(|name| quote(&kept_of(group, name)));
                let column = group.columns.first().map_or("", String::as_str);
                return Ok(vec![Piece::text(tag_raises(statement, target.table, column, &text))]);
            }
            forward_of_values(statement, target, listed, values, template)
        }
        CellValue::Added(template) => Ok(splice(template, |name| added_input(target, listed, values, statement, name))),
    }
}

/// A listed value that goes into a newer column as it is: a direct or a kept one.
fn listed_value(
    statement: &Statement<'_>,
    target: &Target<'_>,
    column: &Column,
    value: &Range<usize>,
    physical: &str,
) -> Result<Vec<Piece>, Stop> {
    let direct = matches!(target.table.column(&column.name).map(|c| &c.source), Some(ColumnSource::Direct(_)));
    if is_default(statement, value) {
        if direct && same_default(statement, target, column, physical) {
            return Ok(vec![Piece::Source(statement.text.bytes_of(value.clone()))]);
        }
        let default = default_or_raise(statement, target, column)?;
        return Ok(vec![Piece::text(default)]);
    }
    let source = vec![Piece::Source(statement.text.bytes_of(value.clone()))];
    if direct {
        return Ok(source);
    }
    refuse_null(statement, column, value)?;
    Ok(not_null(statement, target, column, source))
}

/// Nothing is kept: the forward expression gets the values themselves, checked against the older column's type.
fn forward_of_values(
    statement: &Statement<'_>,
    target: &Target<'_>,
    listed: &[&Column],
    values: &[Range<usize>],
    template: &crate::rules::Template,
) -> Result<Vec<Piece>, Stop> {
    let schema = statement.mapping.schema.table(&target.table.name);
    for name in template.columns() {
        if let Some(at) = listed.iter().position(|column| column.name.eq_ignore_ascii_case(name)) {
            refuse_null(statement, listed[at], &values[at])?;
            refuse_number(statement, listed[at], &values[at])?;
            if statement.is_volatile(values[at].clone()) {
                return Err(refusal::VOLATILE.because(format!("the value for {name}")));
            }
        }
    }
    Ok(splice(template, |name| {
        let Some(column) = schema.and_then(|table| table.column(name)) else { return vec![Piece::text("NULL")] };
        let value = match listed.iter().position(|other| other.name == column.name) {
            Some(at) => match value_pieces(statement, target, column, values[at].clone()) {
                Ok(value) => value,
                Err(_) => vec![Piece::text("NULL")],
            },
            None => match default_or_raise(statement, target, column) {
                Ok(default) => return vec![Piece::text(format!("({default})"))],
                Err(_) => vec![Piece::text("NULL")],
            },
        };
        fill(|hole| tag_raises(statement, target.table, name, &checked_cast(hole, column)), &parenthesise(&value))
    })
    .into_iter()
    .map(|piece| match piece {
        Piece::Text(text) => {
            let column = template.columns().next().unwrap_or_default();
            Piece::Text(tag_raises(statement, target.table, column, &text))
        }
        source @ Piece::Source(_) => source,
    })
    .collect())
}

/// What an added column's expression reads: a newer column that stands before it in the row, or the value itself.
fn added_input(
    target: &Target<'_>,
    listed: &[&Column],
    values: &[Range<usize>],
    statement: &Statement<'_>,
    name: &str,
) -> Vec<Piece> {
    match target.table.column(name).map(|column| &column.source) {
        Some(ColumnSource::Direct(newer)) => {
            let given = listed.iter().position(|column| column.name.eq_ignore_ascii_case(name));
            let schema = statement.mapping.schema.table(&target.table.name);
            let default =
                schema.and_then(|table| table.column(name)).filter(|c| !c.is_auto_increment()).and_then(default_of);
            match (given.filter(|&at| !is_default(statement, &values[at])), default) {
                // A column that the row leaves out has no value yet where its default is an expression.
                (None, Some(default)) => vec![Piece::text(format!("({default})"))],
                _ => vec![Piece::text(quote(newer))],
            }
        }
        Some(ColumnSource::Computed { group, .. }) if !target.table.groups[*group].kept.is_empty() => {
            vec![Piece::text(quote(&kept_of(&target.table.groups[*group], name)))]
        }
        _ => match listed.iter().position(|column| column.name.eq_ignore_ascii_case(name)) {
            Some(at) => value_pieces(statement, target, listed[at], values[at].clone())
                .map_or_else(|_| vec![Piece::text("NULL")], |value| parenthesise(&value)),
            None => vec![Piece::text("NULL")],
        },
    }
}

fn rewrite_set(statement: &mut Statement<'_>, target: &Target<'_>, range: Range<usize>) -> Result<(), Stop> {
    let unclear = || refusal::NOT_UNDERSTOOD.because("the table's columns are not known");
    let schema = statement.mapping.schema.table(&target.table.name).ok_or_else(unclear)?;
    let mut listed = Vec::new();
    let mut values = Vec::new();
    for (_, assignment) in assignments(statement, range.clone())? {
        let column = schema.column(&assignment.column).ok_or_else(|| {
            let place = clause_of(statement, statement.text.span(assignment.value.start).start);
            refusal::unknown_column(&assignment.written, place)
        })?;
        listed.push(column);
        values.push(assignment.value);
    }
    let layout = layout(statement, target, &listed)?;
    let mut pieces = Vec::new();
    for (index, cell) in layout.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        pieces.push(Piece::text(format!("{comma}{} = ", quote(&cell.physical))));
        pieces.extend(cell_pieces(statement, target, &listed, &values, cell)?);
    }
    statement.edits.replace(statement.text.bytes_of(range), pieces);
    Ok(())
}
