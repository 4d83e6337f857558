//! UPDATE of a changed table, alone or joined with others.

use std::ops::Range;

use super::{
    assign::{Assignment, Place},
    column::{clause_of, edit_references},
    insert::put_assignment,
    read::replace_relations,
    refusal::{self, Stop},
    statement::{Resolution, Statement, Target, quote},
};
use crate::sql::{
    Piece,
    scope::{ColumnRef, Name},
};

/// Plans an UPDATE.
pub fn rewrite(statement: &mut Statement<'_>) -> Result<(), Stop> {
    let text = statement.text;
    let unclear = || refusal::NOT_UNDERSTOOD.because("the parts of this UPDATE are not certain");
    let set = text.find_outside(0, text.len(), |index| text.is_word(index, "SET")).ok_or_else(unclear)?;
    let end = clause_end(statement, set + 1);
    let several = statement.blocks.relations.iter().filter(|relation| relation.block == 0).count() > 1;
    let assigned = assignments_with_targets(statement, set + 1..end)?;
    for (_, relation, _) in &assigned {
        make_target(statement, *relation)?;
    }
    if !statement.targets.is_empty() {
        refuse_coalesced(statement)?;
    }
    let place = if several { Place::MultiUpdate } else { Place::Update };
    for (whole, relation, assignment) in assigned {
        if let Some(target) = statement.targets.get(&relation).cloned() {
            put_assignment(statement, &target, whole, &assignment, place)?;
        }
    }
    edit_references(statement)?;
    replace_relations(statement)
}

/// Where SET's list ends: at WHERE, ORDER, LIMIT, RETURNING or the end of the statement.
fn clause_end(statement: &Statement<'_>, from: usize) -> usize {
    let text = statement.text;
    text.find_outside(from, text.len(), |index| {
        text.is_any_word(index, &["WHERE", "ORDER", "LIMIT", "RETURNING"]) || text.is_punct(index, ";")
    })
    .unwrap_or(text.len())
}

/// Cuts a list of assignments: the tokens of each as a whole, its column and its value.
pub fn assignments(statement: &Statement<'_>, range: Range<usize>) -> Result<Vec<(Range<usize>, Assignment)>, Stop> {
    let text = statement.text;
    let mut found = Vec::new();
    for piece in text.split_commas(range.start, range.end) {
        let unclear = || refusal::NOT_UNDERSTOOD.because("an assignment is not certain");
        let equals = piece
            .clone()
            .find(|&index| text.is_punct(index, "=") || text.is_punct(index, ":="))
            .filter(|&equals| equals > piece.start && equals + 1 < piece.end)
            .ok_or_else(unclear)?;
        let column = text.name(equals - 1).ok_or_else(unclear)?;
        let written: Vec<String> = (piece.start..equals).filter_map(|index| text.name(index)).collect();
        let written = written.join(".");
        found.push((piece.clone(), Assignment { column, written, value: equals + 1..piece.end }));
    }
    Ok(found)
}

/// Each assignment with the relation whose column it sets.
fn assignments_with_targets(
    statement: &Statement<'_>,
    range: Range<usize>,
) -> Result<Vec<(Range<usize>, usize, Assignment)>, Stop> {
    let mut found = Vec::new();
    for (whole, assignment) in assignments(statement, range)? {
        let parts: Vec<Name> = (whole.start..assignment.value.start - 1)
            .filter_map(|index| {
                let text = statement.text.name(index)?;
                Some(Name { text, span: statement.text.span(index), quoted: false })
            })
            .collect();
        let reference = ColumnRef { block: 0, parts };
        match statement.resolve(&reference) {
            Resolution::Column(relation) => found.push((whole, relation, assignment)),
            Resolution::Ambiguous(_) => {
                let place = clause_of(statement, statement.text.span(assignment.value.start).start);
                return Err(refusal::ambiguous_column(&assignment.written, place));
            }
            Resolution::Unsure(_) => {
                return Err(refusal::AMBIGUOUS.because(format!("which table {} belongs to", assignment.column)));
            }
            Resolution::Nothing => found.push((whole, only_target(statement, &assignment)?, assignment)),
        }
    }
    Ok(found)
}

/// An unknown column: of the one table, whose mapping will say so.
fn only_target(statement: &Statement<'_>, assignment: &Assignment) -> Result<usize, Stop> {
    let mut own = statement.blocks.relations.iter().enumerate().filter(|(_, relation)| relation.block == 0);
    match (own.next(), own.next()) {
        (Some((index, _)), None) => Ok(index),
        _ => {
            let place = clause_of(statement, statement.text.span(assignment.value.start).start);
            Err(refusal::unknown_column(&assignment.written, place))
        }
    }
}

/// Names the newer table in place of a changed one, under an alias that keeps the client's qualifiers right.
fn make_target(statement: &mut Statement<'_>, index: usize) -> Result<(), Stop> {
    if statement.targets.contains_key(&index) {
        return Ok(());
    }
    let relation = statement.blocks.relations[index].clone();
    let Some(table) = statement.mapped(&relation)? else { return Ok(()) };
    let (Some(first), Some(last)) = (relation.name.first(), relation.name.last()) else { return Ok(()) };
    let newer = quote(&table.physical);
    let qualifier = relation.qualifier().unwrap_or(last).text.clone();
    let range = first.span.start..last.span.end;
    let named = if first == last { newer } else { format!("{}.{newer}", quote(&statement.mapping.database)) };
    let alias = if relation.alias.is_none() { format!(" AS {}", quote(&qualifier)) } else { String::new() };
    statement.edits.replace(range, vec![Piece::text(format!("{named}{alias}"))]);
    statement.targets.insert(index, Target { table, qualifier, requalify: false, is_row: false });
    Ok(())
}

/// NATURAL and USING join on names, which differ on the newer table.
pub fn refuse_coalesced(statement: &Statement<'_>) -> Result<(), Stop> {
    let text = statement.text;
    let coalesces = (0..text.len()).any(|index| {
        text.is_word(index, "NATURAL")
            || (text.is_word(index, "USING") && text.is_punct(index + 1, "(") && text.enclosing(index).is_none())
    });
    if coalesces {
        return Err(refusal::COALESCED.because("join them with ON"));
    }
    Ok(())
}
