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
    if text.is_word(0, "PREPARE") {
        return prepare(text, mapping, facts);
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
    let several = (0..text.len()).any(|index| text.is_punct(index, ";") && index + 1 < text.len());
    if several {
        return Err(refusal::MULTI.because("send the statements one by one"));
    }
    Ok(Gate::Plan)
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
    let source = (0..text.len()).find(|&index| text.is_word(index, "FROM")).map(|from| from + 1);
    let Some(source) = source.filter(|&source| text.kind(source) == Some(TokenKind::String)) else {
        return Err(refusal::PREPARE_TEXT.because("the text is in a variable; prepare it from a literal"));
    };
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
    const SCHEMA_TABLES: [&str; 2] = ["information_schema", "INNODB_TABLES"];
    if (0..text.len()).any(|index| text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(SCHEMA_TABLES[0]))) {
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
