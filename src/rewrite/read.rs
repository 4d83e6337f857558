//! Reads: a reference to a changed table becomes a derived table with the older version's columns.
//!
//! `FROM users u` becomes `FROM (SELECT id, email AS mail FROM people) AS u`. Both servers merge such derived
//! tables, so indexes serve as before, and every name around it keeps its meaning.

use super::{
    ResultTable,
    refusal::{self, Stop},
    statement::{Statement, quote},
};
use crate::{
    rules::{ColumnSource, TableMapping},
    sql::{Lock, Piece, ServerKind, index_hint, scope::Relation},
};

/// Replaces every changed table that is not a target by a derived table.
pub fn replace_relations(statement: &mut Statement<'_>) -> Result<(), Stop> {
    let mut changed = 0;
    for index in 0..statement.blocks.relations.len() {
        if statement.targets.contains_key(&index) {
            changed += 1;
            continue;
        }
        let relation = statement.blocks.relations[index].clone();
        if let Some(table) = statement.mapped(&relation)? {
            replace(statement, &relation, table)?;
            changed += 1;
        }
    }
    let text = statement.text;
    if changed > 0 && (0..text.len()).any(|index| text.is_word(index, "MATCH") && text.is_punct(index + 1, "(")) {
        return Err(refusal::FULL_TEXT.because("full-text search needs the base table"));
    }
    statement.strip_databases();
    Ok(())
}

fn replace(statement: &mut Statement<'_>, relation: &Relation, table: &TableMapping) -> Result<(), Stop> {
    let (Some(first), Some(last)) = (relation.name.first(), relation.name.last()) else { return Ok(()) };
    let tail = tail(statement, relation)?;
    let range = with_parentheses(statement, statement.text.at(first.span.start)..tail.end);
    let range = statement.text.bytes_of(range);
    let alias = relation.qualifier().unwrap_or(last).text.clone();
    let columns = select_list(statement, relation, table)?;
    let database = quote(&statement.mapping.database);
    let mut pieces = vec![Piece::text(format!("(SELECT {columns} FROM {database}.{}", quote(&table.physical)))];
    if let Some(partition) = tail.partition {
        pieces.push(Piece::text(" "));
        pieces.push(Piece::Source(statement.text.bytes_of(partition)));
    }
    if !tail.hints.is_empty() {
        rename_keys(statement, tail.hints.clone(), table);
        pieces.push(Piece::text(" "));
        pieces.push(Piece::Source(statement.text.bytes_of(tail.hints)));
    }
    if must_not_merge(statement, relation, table) {
        pieces.push(Piece::text(" LIMIT 18446744073709551615"));
    }
    pieces.extend(lock_pieces(statement, relation)?);
    pieces.push(Piece::text(format!(") AS {}", quote(&alias))));
    statement.edits.replace(range, pieces);
    statement.tables.push(ResultTable { alias, org_table: table.name.clone() });
    Ok(())
}

/// `(users u)`: MySQL takes a table in parentheses, but no derived table.
fn with_parentheses(statement: &Statement<'_>, tokens: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = statement.text;
    let std::ops::Range { mut start, mut end } = tokens;
    while start > 0 && text.is_punct(start - 1, "(") && text.is_punct(end, ")") {
        start -= 1;
        end += 1;
    }
    start..end
}

/// What follows a table's name: `PARTITION (…)`, the alias, index hints.
struct Tail {
    partition: Option<std::ops::Range<usize>>,
    hints: std::ops::Range<usize>,
    end: usize,
}

fn tail(statement: &Statement<'_>, relation: &Relation) -> Result<Tail, Stop> {
    let text = statement.text;
    let not_understood = || refusal::NOT_UNDERSTOOD.because("what follows a table's name is not certain");
    let last = relation.name.last().ok_or_else(not_understood)?;
    let mut next = text.at(last.span.start) + 1;
    let mut partition = None;
    if text.is_word(next, "PARTITION") && text.is_punct(next + 1, "(") {
        let close = text.closing(next + 1).ok_or_else(not_understood)?;
        partition = Some(next..close + 1);
        next = close + 1;
    }
    if let Some(alias) = &relation.alias {
        next = text.at(alias.span.start) + 1;
    }
    let start = next;
    while let Some(end) = index_hint(text, next) {
        next = end;
        if text.is_punct(next, ",") && index_hint(text, next + 1).is_some() {
            next += 1;
        }
    }
    Ok(Tail { partition, hints: start..next, end: next })
}

fn rename_keys(statement: &mut Statement<'_>, hints: std::ops::Range<usize>, table: &TableMapping) {
    for index in hints {
        let Some(name) = statement.text.name(index) else { continue };
        if let Some((_, newer)) = table.keys.iter().find(|(older, _)| older.eq_ignore_ascii_case(&name)) {
            statement.edits.put(statement.text.span(index), quote(newer));
        }
    }
}

/// The older version's columns over the newer table, in order. An invisible column is there only where the
/// statement names it, so that a star does not show it.
fn select_list(statement: &Statement<'_>, relation: &Relation, table: &TableMapping) -> Result<String, Stop> {
    let schema = statement.mapping.schema.table(&table.name);
    let mut items = Vec::new();
    for column in &table.columns {
        let invisible = schema
            .and_then(|schema| schema.column(&column.name))
            .is_some_and(super::super::schema::Column::is_invisible);
        if invisible {
            if !statement.mentions(&column.name) {
                continue;
            }
            if has_star(statement, relation) {
                return Err(refusal::INVISIBLE_STAR.because(format!("{} is invisible", column.name)));
            }
        }
        items.push(match &column.source {
            ColumnSource::Direct(newer) if *newer == column.name => quote(newer),
            ColumnSource::Direct(newer) => format!("{} AS {}", quote(newer), quote(&column.name)),
            ColumnSource::Computed { read, .. } | ColumnSource::Discarded(read) => {
                format!("{} AS {}", read.render(quote), quote(&column.name))
            }
        });
    }
    Ok(items.join(", "))
}

/// Where a merged derived table gives other rows than a table: a LIMIT keeps it from merging.
///
/// MariaDB 10.11.18 and 11.8.6 answer wrongly where HAVING holds a subquery over its columns, and sort a window by
/// the wrong column where names changed places. MySQL 9.7 compares a computed TIME with text as text, and a computed
/// BIGINT with a parameter as DOUBLE.
fn must_not_merge(statement: &Statement<'_>, relation: &Relation, table: &TableMapping) -> bool {
    match statement.facts.lex.server {
        ServerKind::MariaDb => groups_with_subquery(statement, relation) || has_window(statement, relation),
        ServerKind::MySql => {
            let schema = statement.mapping.schema.table(&table.name);
            table.columns.iter().any(|column| {
                let loose = schema
                    .and_then(|schema| schema.column(&column.name))
                    .is_some_and(|column| matches!(column.data_type.as_str(), "time" | "bigint"));
                let computed = matches!(column.source, ColumnSource::Computed { .. });
                computed && loose && statement.mentions(&column.name)
            })
        }
    }
}

fn has_window(statement: &Statement<'_>, relation: &Relation) -> bool {
    let text = statement.text;
    let Some(select) = statement.blocks.blocks[relation.block].select.map(|offset| text.at(offset)) else {
        return false;
    };
    let end = text.enclosing(select).and_then(|open| text.closing(open)).unwrap_or(text.len());
    (select..end).any(|index| text.is_word(index, "OVER"))
}

fn groups_with_subquery(statement: &Statement<'_>, relation: &Relation) -> bool {
    let text = statement.text;
    let Some(select) = statement.blocks.blocks[relation.block].select.map(|offset| text.at(offset)) else {
        return false;
    };
    let end = text.enclosing(select).and_then(|open| text.closing(open)).unwrap_or(text.len());
    let having = text.find_outside(select, end, |index| text.is_word(index, "HAVING"));
    having.is_some_and(|having| (having..end).any(|index| text.is_word(index, "SELECT")))
}

fn has_star(statement: &Statement<'_>, relation: &Relation) -> bool {
    let block = &statement.blocks.blocks[relation.block];
    block.star
        || block.qualified_stars.iter().any(|parts| match (parts.last(), relation.qualifier()) {
            (Some(star), Some(name)) => star.is(&name.text),
            _ => true,
        })
}

/// The locking clause that has to stand inside the derived table: an outer one takes no lock there.
fn lock_pieces(statement: &Statement<'_>, relation: &Relation) -> Result<Vec<Piece>, Stop> {
    let text = statement.text;
    let Some(select) = statement.blocks.blocks[relation.block].select.map(|offset| text.at(offset)) else {
        return Ok(Vec::new());
    };
    let group = text.enclosing(select);
    let Some(lock) = statement.parsed.locks.iter().find(|lock| text.enclosing(lock.tokens.start) == group) else {
        return Ok(Vec::new());
    };
    let selects = (0..text.len()).filter(|&i| text.is_word(i, "SELECT") && text.enclosing(i) == group).count();
    if selects > 1 {
        return Err(refusal::LOCKS.because("a locking clause behind a set operation"));
    }
    if !lock.of.is_empty() && !lock.of.iter().any(|&index| is_qualifier(statement, relation, index)) {
        return Ok(Vec::new());
    }
    // As text and not as a source: the outer clause may be edited away.
    let words = |tokens: std::ops::Range<usize>| {
        tokens.map(|index| format!(" {}", String::from_utf8_lossy(text.raw(index)))).collect::<String>()
    };
    let clause = if lock.of.is_empty() {
        words(lock.tokens.clone())
    } else {
        words(lock.tokens.start..lock.of_clause.start) + &words(lock.of_clause.end..lock.tokens.end)
    };
    Ok(vec![Piece::text(clause)])
}

fn is_qualifier(statement: &Statement<'_>, relation: &Relation, index: usize) -> bool {
    match (statement.text.name(index), relation.qualifier()) {
        (Some(name), Some(qualifier)) => qualifier.is(&name),
        _ => false,
    }
}

/// Takes changed tables out of `FOR UPDATE OF …`, and the clause away when none is left.
pub fn trim_lock_lists(statement: &mut Statement<'_>) {
    let locks: Vec<Lock> = statement.parsed.locks.clone();
    for lock in locks.iter().filter(|lock| !lock.of.is_empty()) {
        let kept: Vec<usize> = lock
            .of
            .iter()
            .copied()
            .filter(|&index| {
                let name = statement.text.name(index).unwrap_or_default();
                !statement.tables.iter().any(|table| table.alias.eq_ignore_ascii_case(&name))
            })
            .collect();
        if kept.len() == lock.of.len() {
            continue;
        }
        if kept.is_empty() {
            statement.edits.put(statement.text.bytes_of(lock.tokens.clone()), "");
        } else {
            let names: Vec<String> = kept.iter().filter_map(|&index| statement.text.name(index)).collect();
            let list = names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
            statement.edits.put(statement.text.bytes_of(lock.of_clause.clone()), format!("OF {list}"));
        }
    }
}
