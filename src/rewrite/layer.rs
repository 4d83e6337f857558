//! One step of the chain: one statement over one mapping.

use std::collections::BTreeMap;

use sqlparser::ast::{FromTable, Insert, SetExpr, Statement as Ast, TableObject};

use super::{
    Facts, Plan, Rewrite, delete, gate, insert, ordering, read,
    refusal::{self, Stop},
    spelling,
    statement::{Statement, is_interesting},
    titles, update,
};
use crate::{
    rules::Mapping,
    sql::{
        Edits, Parsed, Text, Writing, parse,
        scope::{collect, name, names},
    },
};

/// Plans `text` over one mapping, the chain's step of that number.
pub fn plan(text: &[u8], mapping: &Mapping, facts: &Facts, step: usize) -> Plan {
    let tokens = match Text::new(text, facts.lex) {
        Ok(tokens) => tokens,
        Err(error) => return gate::unlexable(text, mapping, facts.lex.charset, &error.to_string()),
    };
    match gate::look(&tokens, mapping, facts).and_then(|gate| match gate {
        gate::Gate::Pass => Ok(None),
        gate::Gate::Plan => plan_tokens(&tokens, mapping, facts, step),
    }) {
        Ok(None) => Plan::Forward,
        Ok(Some(rewrite)) => Plan::Rewrite(rewrite),
        Err(Stop::Answer(error)) => Plan::Answer(error),
        Err(Stop::Refuse(refusal)) => Plan::Refuse(refusal),
    }
}

fn plan_tokens(text: &Text<'_>, mapping: &Mapping, facts: &Facts, step: usize) -> Result<Option<Rewrite>, Stop> {
    refuse_kinds(text, mapping)?;
    spelling::check(text, mapping)?;
    let parsed = parse(text).map_err(|error| refusal::NOT_UNDERSTOOD.because(error.to_string()))?;
    let mut statement = Statement {
        text,
        parsed: &parsed,
        blocks: collect(&parsed.statement),
        mapping,
        step,
        facts,
        edits: Edits::default(),
        tables: Vec::new(),
        targets: BTreeMap::new(),
    };
    ordering::order_by_number(&mut statement)?;
    dispatch(&mut statement, &parsed)?;
    titles::keep(&mut statement)?;
    statement.account_for_names()?;
    if statement.edits.is_empty() {
        return Ok(None);
    }
    let placeholders = statement.placeholders();
    let client_params = u16::try_from(placeholders.len()).unwrap_or(u16::MAX);
    let writing = Writing { charset: facts.lex.charset, introduce: facts.introduce };
    let edited = statement
        .edits
        .apply(text.bytes, &placeholders, writing)
        .map_err(|error| refusal::CHARSET.because(error.to_string()))?;
    Ok(Some(Rewrite { text: edited.text, params: edited.params, client_params, tables: statement.tables }))
}

/// Kinds of statement that are refused before parsing, each by its own code.
fn refuse_kinds(text: &Text<'_>, mapping: &Mapping) -> Result<(), Stop> {
    let word = |words: &[&str]| text.is_any_word(0, words);
    if word(&["SHOW", "DESCRIBE", "DESC", "EXPLAIN", "ANALYZE", "HELP"]) {
        return Err(refusal::INTROSPECTION.because("it would show the newer schema"));
    }
    if (0..text.len()).any(|index| text.are_words(index, &["FOR", "SYSTEM_TIME"])) {
        return Err(refusal::SYSTEM_TIME.because("history of a changed table"));
    }
    let partitioned = (0..text.len()).any(|index| {
        text.is_word(index, "PARTITION") && text.is_punct(index + 1, "(") && text.enclosing(index).is_none()
    });
    if word(&["INSERT", "REPLACE"]) && partitioned {
        return Err(refusal::STATEMENT_KIND.because("INSERT with a partition list"));
    }
    let temporary = text.are_words(0, &["CREATE", "TEMPORARY", "TABLE"])
        || text.are_words(0, &["CREATE", "OR", "REPLACE", "TEMPORARY", "TABLE"]);
    let named = |index: usize| text.name(index).is_some_and(|name| is_interesting(mapping, &name));
    let made = (0..text.len())
        .find(|&index| text.is_word(index, "TABLE"))
        .map_or(0, |table| if text.are_words(table + 1, &["IF", "NOT", "EXISTS"]) { table + 4 } else { table + 1 });
    if temporary && (named(made) || (text.is_punct(made + 1, ".") && named(made + 2))) {
        return Err(refusal::SHADOWED.because("a temporary table with the name of a changed table"));
    }
    if word(&["CREATE", "ALTER", "DROP", "RENAME"]) {
        return Err(refusal::DDL.because("schema changes belong to the newest version's migration"));
    }
    let mapped = word(&["SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE"]) || text.is_punct(0, "(");
    if !mapped {
        let kind = String::from_utf8_lossy(text.raw(0)).to_ascii_uppercase();
        return Err(refusal::STATEMENT_KIND.because(format!("{kind} on a changed table")));
    }
    Ok(())
}

fn dispatch(statement: &mut Statement<'_>, parsed: &Parsed) -> Result<(), Stop> {
    match &parsed.statement {
        Ast::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(refusal::STATEMENT_KIND.because("WITH before a write"))
            }
            _ => {
                read::replace_relations(statement)?;
                read::trim_lock_lists(statement);
                Ok(())
            }
        },
        Ast::Insert(insert) => rewrite_insert(statement, insert),
        Ast::Update(_) => update::rewrite(statement),
        Ast::Delete(delete) => {
            let (listed, own) = match &delete.from {
                FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from) => (&delete.tables, from),
            };
            let mut listed: Vec<_> = listed.iter().map(names).collect();
            if delete.using.is_some() {
                listed = own.iter().filter_map(|table| relation_names(&table.relation)).collect();
                // These stand in a FROM list of the AST, but only name tables of the USING list.
                for name in &listed {
                    let at = name.first().map(|name| name.span.start);
                    statement
                        .blocks
                        .relations
                        .retain(|relation| relation.name.first().map(|name| name.span.start) != at);
                }
            }
            statement.blocks.other_relations.retain(|name| !listed.contains(name));
            delete::rewrite(statement, &listed)
        }
        _ => Err(refusal::STATEMENT_KIND.because("this kind of statement on a changed table")),
    }
}

fn relation_names(factor: &sqlparser::ast::TableFactor) -> Option<Vec<crate::sql::scope::Name>> {
    match factor {
        sqlparser::ast::TableFactor::Table { name, .. } => Some(names(name)),
        _ => None,
    }
}

fn rewrite_insert(statement: &mut Statement<'_>, insert: &Insert) -> Result<(), Stop> {
    let TableObject::TableName(table) = &insert.table else {
        return Err(refusal::STATEMENT_KIND.because("INSERT into something that is no table"));
    };
    if insert.partitioned.is_some() || insert.table_alias.is_some() {
        return Err(refusal::STATEMENT_KIND.because("INSERT with a partition list"));
    }
    let row_alias = match &insert.insert_alias {
        Some(alias) if alias.col_aliases.as_ref().is_some_and(|aliases| !aliases.is_empty()) => {
            return Err(refusal::STATEMENT_KIND.because("column aliases of inserted rows"));
        }
        Some(alias) => alias.row_alias.0.last().and_then(|part| part.as_ident()).and_then(name),
        None => None,
    };
    insert::rewrite(statement, &names(table), row_alias)
}
