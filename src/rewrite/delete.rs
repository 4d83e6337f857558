//! DELETE from a changed table, alone or joined with others.

use super::{
    column::edit_references,
    read::replace_relations,
    refusal::{self, Stop},
    statement::{Statement, Target, quote},
    update::refuse_coalesced,
};
use crate::sql::{Piece, scope::Name};

/// Plans a DELETE; `listed` are the tables before FROM or between FROM and USING, empty for a single table.
pub fn rewrite(statement: &mut Statement<'_>, listed: &[Vec<Name>]) -> Result<(), Stop> {
    let own: Vec<usize> =
        (0..statement.blocks.relations.len()).filter(|&index| statement.blocks.relations[index].block == 0).collect();
    if listed.is_empty() {
        for index in own {
            single(statement, index)?;
        }
    } else {
        for name in listed {
            let Some(table) = name.last() else { continue };
            let index = own.iter().copied().find(|&index| {
                let relation = &statement.blocks.relations[index];
                relation.qualifier().is_some_and(|qualifier| qualifier.is(&table.text))
                    && name[..name.len() - 1].iter().all(|database| statement.is_from(relation, database))
            });
            let index = index.ok_or_else(|| refusal::NOT_UNDERSTOOD.because("a table to delete from is not listed"))?;
            several(statement, index, name)?;
        }
    }
    if !statement.targets.is_empty() {
        refuse_coalesced(statement)?;
        let text = statement.text;
        if text.find_outside(0, text.len(), |index| text.is_word(index, "RETURNING")).is_some() {
            return Err(refusal::STATEMENT_KIND.because("RETURNING from a changed table"));
        }
    }
    edit_references(statement)?;
    replace_relations(statement)
}

/// MariaDB's DELETE from one table takes no alias, so the client's qualifiers become the newer table's name.
fn single(statement: &mut Statement<'_>, index: usize) -> Result<(), Stop> {
    let relation = statement.blocks.relations[index].clone();
    let Some(table) = statement.mapped(&relation)? else { return Ok(()) };
    let Some(last) = relation.name.last() else { return Ok(()) };
    statement.edits.put(last.span.clone(), quote(&table.physical));
    let alias = relation.alias.as_ref().map(|alias| alias.text.clone());
    let requalify = alias.is_none();
    let qualifier = alias.unwrap_or_else(|| table.physical.clone());
    statement.targets.insert(index, Target { table, qualifier, requalify, is_row: false });
    Ok(())
}

fn several(statement: &mut Statement<'_>, index: usize, listed: &[Name]) -> Result<(), Stop> {
    if statement.targets.contains_key(&index) {
        return Ok(());
    }
    let relation = statement.blocks.relations[index].clone();
    let Some(table) = statement.mapped(&relation)? else { return Ok(()) };
    let (Some(first), Some(last)) = (relation.name.first(), relation.name.last()) else { return Ok(()) };
    let qualifier = relation.qualifier().unwrap_or(last).text.clone();
    let alias = if relation.alias.is_none() { format!(" AS {}", quote(&qualifier)) } else { String::new() };
    let named = format!("{}.{}{alias}", quote(&statement.mapping.database), quote(&table.physical));
    statement.edits.replace(first.span.start..last.span.end, vec![Piece::text(named)]);
    if let [database, table] = listed {
        statement.edits.put(database.span.start..table.span.start, "");
    }
    statement.targets.insert(index, Target { table, qualifier, requalify: false, is_row: false });
    Ok(())
}
