//! The first look at a statement: does it concern a changed table at all?

use super::{
    Facts, Plan,
    refusal::{self, Stop},
    statement::is_interesting,
};
use crate::{
    rules::Mapping,
    sql::{Text, TokenKind, lex},
};

/// What the first look says.
#[derive(Debug)]
pub enum Gate {
    /// It does not concern a changed table.
    Pass,
    /// It names a changed table and has to be planned.
    Plan,
}

/// Looks at the words of a statement.
pub fn look(text: &Text<'_>, mapping: &Mapping, facts: &Facts) -> Result<Gate, Stop> {
    let names_table = (0..text.len()).any(|index| text.name(index).is_some_and(|name| is_interesting(mapping, &name)));
    let prepares = (0..text.len()).any(|index| is_dynamic(text, index));
    if prepares {
        return prepare(text, mapping, facts);
    }
    let starts = statement_starts(text);
    let sets = starts.iter().filter(|&&index| text.is_any_word(index, &["SET", "USE"])).count();
    if starts.len() > 1 && sets > 0 && sets < starts.len() {
        return Err(refusal::MULTI.because("a SET or USE before other statements may change how they are read"));
    }
    if let Some(reason) = introspects(text) {
        return Err(refusal::INTROSPECTION.because(reason));
    }
    let drops_database = text.is_any_word(0, &["DROP", "ALTER"])
        && text.is_any_word(1, &["DATABASE", "SCHEMA"])
        && (0..text.len())
            .any(|index| text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(&mapping.database)));
    if drops_database {
        return Err(refusal::DDL.because("the whole database"));
    }
    if !names_table {
        return Ok(Gate::Pass);
    }
    if starts.len() > 1 {
        return Err(refusal::MULTI.because("send the statements one by one"));
    }
    if let Some(mode) = facts.odd_mode {
        return Err(refusal::SQL_MODE.because(format!("{mode} is set")));
    }
    Ok(Gate::Plan)
}

/// The tokens that statements begin with.
fn statement_starts(text: &Text<'_>) -> Vec<usize> {
    (0..text.len())
        .filter(|&index| !text.is_punct(index, ";") && (index == 0 || text.is_punct(index - 1, ";")))
        .collect()
}

/// Whether SQL is made of a text there: PREPARE, EXECUTE IMMEDIATE, MySQL's helper procedure.
fn is_dynamic(text: &Text<'_>, index: usize) -> bool {
    let begins = index == 0
        || text.is_punct(index - 1, ";")
        || text.is_any_word(index - 1, &["BEGIN", "ATOMIC", "THEN", "ELSE", "DO", "LOOP", "REPEAT"]);
    (begins && text.is_word(index, "PREPARE"))
        || text.are_words(index, &["EXECUTE", "IMMEDIATE"])
        || text.name(index).is_some_and(|name| name.eq_ignore_ascii_case("execute_prepared_stmt"))
}

/// What a text is that cannot even be lexed: the server will refuse it too, unless it names a changed table.
pub fn unlexable(text: &[u8], mapping: &Mapping, reason: &str) -> Plan {
    let lower = text.to_ascii_lowercase();
    let contains = |name: &str| {
        let name = name.to_ascii_lowercase();
        lower.windows(name.len().max(1)).any(|window| window == name.as_bytes())
    };
    let hidden = mapping.physical.tables.iter().filter(|table| mapping.hides(&table.name)).map(|table| &table.name);
    if mapping.tables.iter().map(|table| &table.name).chain(hidden).any(|name| contains(name))
        && let Stop::Refuse(refusal) = refusal::NOT_UNDERSTOOD.because(reason)
    {
        return Plan::Refuse(refusal);
    }
    Plan::Forward
}

/// `PREPARE s FROM 'text'` passes where the text names no changed table; a variable's text cannot be seen.
fn prepare(text: &Text<'_>, mapping: &Mapping, facts: &Facts) -> Result<Gate, Stop> {
    // `PREPARE name FROM 'text'` and nothing else.
    let source = 3;
    let plain = text.is_word(0, "PREPARE")
        && text.is_word(2, "FROM")
        && text.kind(source) == Some(TokenKind::String)
        && (text.len() == 4 || (text.len() == 5 && text.is_punct(4, ";")));
    if !plain {
        return Err(refusal::PREPARE_TEXT.because("the text cannot be seen; prepare it from one literal"));
    }
    let raw = text.raw(source);
    let inner = &raw[1..raw.len() - 1];
    let clear = !inner.contains(&b'\\') && !inner.windows(2).any(|pair| pair == b"''" || pair == b"\"\"");
    let tokens = Text::new(inner, facts.lex);
    let names_table = tokens.as_ref().map_or(true, |inner| {
        (0..inner.len()).any(|index| inner.name(index).is_some_and(|name| is_interesting(mapping, &name)))
            || introspects(inner).is_some()
    });
    if names_table || !clear {
        return Err(refusal::PREPARE_TEXT.because("use the protocol's prepared statements for a changed table"));
    }
    Ok(Gate::Pass)
}

/// Whether a statement asks for the schema in a way that would show the newer one.
fn introspects(text: &Text<'_>) -> Option<&'static str> {
    if (0..text.len()).any(|index| text.name(index).is_some_and(|name| name.eq_ignore_ascii_case("information_schema")))
    {
        return Some("information_schema would show the newer schema");
    }
    if !text.is_word(0, "SHOW") {
        return None;
    }
    let mut next = 1;
    while text.is_any_word(next, &["FULL", "EXTENDED", "OPEN"]) {
        next += 1;
    }
    (text.is_any_word(next, &["TABLES", "TRIGGERS"]) || text.are_words(next, &["TABLE", "STATUS"]))
        .then_some("this SHOW would list the newer schema's tables")
}

/// Whether a statement may change [`Facts`] (SET, USE, CALL, EXECUTE, versioned comments), so that the session
/// has to ask the backend again before the next plan.
pub fn changes_facts(text: &[u8]) -> bool {
    if text.windows(3).any(|window| window == b"/*!" || window == b"/*M") || text.contains(&b';') {
        return true;
    }
    let first = lex(text, crate::sql::LexMode::of_server(crate::sql::ServerKind::MySql, 0));
    let Ok(tokens) = first else { return true };
    let word = tokens.iter().find(|token| !matches!(token.kind, TokenKind::White | TokenKind::Comment));
    word.is_some_and(|token| {
        let word = &text[token.span.clone()];
        [&b"SET"[..], b"USE", b"CALL", b"EXECUTE", b"DROP"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
    })
}
