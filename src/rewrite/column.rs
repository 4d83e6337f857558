//! Columns of a changed table that is named directly: how one is read, in place.

use super::{
    refusal::{self, Stop},
    statement::{Resolution, Statement, Target, quote, source},
};
use crate::{
    rules::{ColumnSource, Family, TableMapping, family, raise},
    schema::Column,
    sql::{Piece, ServerKind, scope::ColumnRef},
};

/// Edits every column reference that belongs to a target.
pub fn edit_references(statement: &mut Statement<'_>) -> Result<(), Stop> {
    if statement.targets.is_empty() {
        return Ok(());
    }
    for reference in statement.blocks.columns.clone() {
        match statement.resolve(&reference) {
            Resolution::Column(relation) => {
                if let Some(target) = statement.targets.get(&relation).cloned() {
                    edit(statement, &reference, &target)?;
                }
            }
            Resolution::Ambiguous(relation) if statement.targets.contains_key(&relation) => {
                let written = dotted(&reference);
                let at = reference.parts.last().map_or(0, |part| part.span.start);
                return Err(refusal::ambiguous_column(&written, clause_of(statement, at)));
            }
            Resolution::Unsure(relation) if statement.targets.contains_key(&relation) => {
                let column = reference.parts.last().map(|part| part.text.clone()).unwrap_or_default();
                return Err(refusal::AMBIGUOUS.because(format!("which table the column {column} belongs to")));
            }
            Resolution::Ambiguous(_) | Resolution::Unsure(_) => {}
            Resolution::Nothing => unknown(statement, &reference)?,
        }
    }
    Ok(())
}

/// A name that the version does not have must not reach a newer column by chance.
fn unknown(statement: &Statement<'_>, reference: &ColumnRef) -> Result<(), Stop> {
    let [column] = reference.parts.as_slice() else { return Ok(()) };
    let physical_has_it = statement.targets.values().any(|target| {
        let newer = statement.mapping.physical.table(&target.table.physical);
        newer.is_some_and(|table| table.column(&column.text).is_some())
    });
    if physical_has_it && !is_keyword(&column.text) {
        return Err(refusal::unknown_column(&column.text, clause_of_value(statement, column.span.start)));
    }
    Ok(())
}

fn is_keyword(word: &str) -> bool {
    ["DEFAULT", "NULL", "CURRENT_USER", "TRUE", "FALSE"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// The clause that an error message names for a column at this offset: MariaDB says `WHERE`, MySQL `where clause`.
pub fn clause_of(statement: &Statement<'_>, offset: usize) -> &'static str {
    const CLAUSES: [(&str, &str, &str); 10] = [
        ("WHERE", "WHERE", "where clause"),
        ("ORDER", "ORDER BY", "order clause"),
        ("GROUP", "GROUP BY", "group statement"),
        ("HAVING", "HAVING", "having clause"),
        ("ON", "ON", "on clause"),
        ("SELECT", "SELECT", "field list"),
        ("SET", "SET", "field list"),
        ("UPDATE", "UPDATE", "field list"),
        ("VALUES", "VALUES", "field list"),
        ("INTO", "INSERT INTO", "field list"),
    ];
    let text = statement.text;
    let maria = statement.facts.lex.server == ServerKind::MariaDb;
    let mut index = text.at(offset);
    while index > 0 {
        index -= 1;
        if let Some((_, mariadb, mysql)) = CLAUSES.iter().find(|(word, _, _)| text.is_word(index, word)) {
            return if maria { mariadb } else { mysql };
        }
    }
    "field list"
}

/// The same for a column that is read: MariaDB calls the values of most writes SELECT too.
fn clause_of_value(statement: &Statement<'_>, offset: usize) -> &'static str {
    const SET_IS_SELECT_SINCE: u32 = 110_000;
    match clause_of(statement, offset) {
        "SET" if statement.facts.lex.server_version >= SET_IS_SELECT_SINCE => "SELECT",
        "UPDATE" | "INSERT INTO" => "SELECT",
        clause => clause,
    }
}

fn edit(statement: &mut Statement<'_>, reference: &ColumnRef, target: &Target<'_>) -> Result<(), Stop> {
    let (Some(first), Some(last)) = (reference.parts.first(), reference.parts.last()) else { return Ok(()) };
    let text = statement.text;
    let index = text.at(first.span.start);
    let call = index.checked_sub(2).filter(|_| text.is_punct(index - 1, "("));
    let Some(source) = source(target.table, &last.text) else {
        return Err(refusal::unknown_column(&dotted(reference), clause_of_value(statement, last.span.start)));
    };
    if let Some(call) = call.filter(|&call| text.is_any_word(call, &["VALUES", "VALUE"]))
        && statement.blocks.blocks[reference.block].parent.is_none()
    {
        let close = text.closing(call + 1).unwrap_or(index);
        let range = text.span(call).start..text.span(close).end;
        let read = inserted(target, &last.text, |column| format!("VALUES({})", quote(column)), true)?;
        statement.edits.put(range, read);
        return Ok(());
    }
    let computed = !matches!(source, ColumnSource::Direct(_));
    if computed && call.is_some_and(|call| text.is_word(call, "DEFAULT")) {
        return Err(refusal::COMPUTED_TARGET.because(format!("DEFAULT({})", last.text)));
    }
    if computed && target.is_row {
        let read = inserted(target, &last.text, |column| qualify(target, column), false)?;
        statement.edits.put(first.span.start..last.span.end, read);
        return Ok(());
    }
    let nested = reference.parts.len() == 1 && reference.block != 0;
    let qualified = nested || target.requalify && reference.parts.len() > 1 || reference.parts.len() > 2;
    if reference.block != 0 && is_captured(statement, reference.block, target) {
        return Err(refusal::SHADOWED.because(format!("{} names another table in a subquery", target.qualifier)));
    }
    match source {
        ColumnSource::Direct(newer) if qualified => {
            statement.edits.put(first.span.start..last.span.end, qualify(target, newer));
        }
        ColumnSource::Direct(newer) if *newer != last.text => statement.edits.put(last.span.clone(), quote(newer)),
        ColumnSource::Direct(_) => {}
        ColumnSource::Computed { read, .. } | ColumnSource::Discarded(read) => {
            let read = read.render(|column| qualify(target, column));
            statement.edits.put(first.span.start..last.span.end, read);
        }
    }
    Ok(())
}

/// Whether a block between the reference and the target has a table that goes by the target's qualifier.
fn is_captured(statement: &Statement<'_>, block: usize, target: &Target<'_>) -> bool {
    let path: Vec<usize> = statement.outward(block).filter(|&block| block != 0).collect();
    statement.blocks.relations.iter().any(|relation| {
        path.contains(&relation.block) && relation.qualifier().is_some_and(|name| name.is(&target.qualifier))
    })
}

fn dotted(reference: &ColumnRef) -> String {
    reference.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".")
}

/// A newer column as the rewritten text names it.
pub fn qualify(target: &Target<'_>, column: &str) -> String {
    format!("{}.{}", quote(&target.qualifier), quote(column))
}

/// The value an insert would have put into an older column, as seen from ON DUPLICATE KEY UPDATE; `value` gives the
/// expression for a newer column's inserted value.
///
/// `any` says that the value of any newer column can be named, inserted or not.
fn inserted(target: &Target<'_>, column: &str, value: impl Fn(&str) -> String, any: bool) -> Result<String, Stop> {
    match source(target.table, column) {
        Some(ColumnSource::Direct(newer)) => Ok(value(newer)),
        Some(ColumnSource::Computed { group, .. }) => {
            let group = &target.table.groups[*group];
            if let Some(kept) = group.kept.iter().find(|kept| kept.column.eq_ignore_ascii_case(column)) {
                return Ok(value(&kept.physical));
            }
            let at = group.columns.iter().position(|name| name.eq_ignore_ascii_case(column));
            let backward = at.and_then(|at| group.backward.get(at)).filter(|_| any);
            backward
                .map(|backward| backward.render(&value))
                .ok_or_else(|| refusal::COMPUTED_TARGET.because(format!("the inserted value of {column}")))
        }
        _ => Err(refusal::COMPUTED_TARGET.because(format!("the inserted value of {column}"))),
    }
}

/// The current value of an older column, in place.
pub fn read(target: &Target<'_>, column: &str) -> String {
    match source(target.table, column) {
        Some(ColumnSource::Direct(newer)) => qualify(target, newer),
        Some(ColumnSource::Computed { read, .. } | ColumnSource::Discarded(read)) => {
            read.render(|column| qualify(target, column))
        }
        None => "NULL".to_owned(),
    }
}

/// Gives every raise expression in `text` the column that it speaks of, as digits behind the point:
/// `EXP(70003)` becomes `EXP(70003.1001002)` for column 2 of table 1 in the chain's first step. No chain is longer than
/// nine steps: more digits than a DOUBLE has would be needed.
pub fn tag_raises(statement: &Statement<'_>, table: &TableMapping, column: &str, text: &str) -> String {
    let table_at = statement.mapping.tables.iter().position(|mapped| mapped.name == table.name).unwrap_or(0);
    let column_at = table.columns.iter().position(|mapped| mapped.name.eq_ignore_ascii_case(column)).unwrap_or(0);
    raise::ALL.iter().fold(text.to_owned(), |text, (code, _)| {
        let place = format!("EXP({code}.{}{table_at:03}{column_at:03})", statement.step + 1);
        text.replace(&raise::raise(*code), &place)
    })
}

/// Whether two values are the same to the byte, NULL included, as an SQL condition; collations would hide a change
/// of case.
pub fn same(a: Vec<Piece>, b: &str, column: &Column) -> Vec<Piece> {
    let (before, after) = match family(column) {
        Family::Text | Family::Enum | Family::Set => ("CAST(CONVERT(", " USING utf8mb4) AS BINARY)"),
        Family::Binary => ("CAST(", " AS BINARY)"),
        _ => ("(", ")"),
    };
    let mut pieces = vec![Piece::text(before)];
    pieces.extend(a);
    pieces.push(Piece::text(format!("{after} <=> {before}{b}{after}")));
    pieces
}

/// `build` works on SQL text with one hole; this fills the hole with pieces, as often as it stands there.
pub fn fill(build: impl Fn(&str) -> String, value: &[Piece]) -> Vec<Piece> {
    const HOLE: &str = "\u{1}";
    let text = build(HOLE);
    let mut pieces = Vec::new();
    for (index, part) in text.split(HOLE).enumerate() {
        if index > 0 {
            pieces.extend_from_slice(value);
        }
        pieces.push(Piece::text(part));
    }
    pieces
}
