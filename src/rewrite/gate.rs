//! The first look at a statement: does it concern a changed table at all?

use super::{
    Facts, Plan,
    refusal::{self, Stop},
    spelling,
    statement::is_interesting,
};
use crate::{
    rules::Mapping,
    sql::{Charset, LexMode, ServerKind, Text, TokenKind, lex},
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
    let names_table = names_table(text, mapping);
    let prepares = (0..text.len()).any(|index| is_dynamic(text, index));
    if prepares {
        return prepare(text, mapping, facts);
    }
    let starts = statement_starts(text);
    let sets = starts.iter().filter(|&&index| text.is_any_word(index, &["SET", "USE"])).count();
    if facts.multi_statements && starts.len() > 1 && sets > 0 && sets < starts.len() {
        return Err(refusal::MULTI.because("a SET or USE before other statements may change how they are read"));
    }
    if let Some(reason) = introspects(text, mapping, facts) {
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
    if contains(text.bytes, b"set_var") && contains(text.bytes, b"sql_mode") {
        return Err(refusal::SQL_MODE.because("a hint sets it for this statement"));
    }
    Ok(Gate::Plan)
}

fn names_table(text: &Text<'_>, mapping: &Mapping) -> bool {
    let is_one = |name: String| is_interesting(mapping, &name) || spelling::may_be_table(mapping, &name);
    (0..text.len()).any(|index| text.name(index).is_some_and(is_one))
}

/// Whether the text holds the word, which is in lower case, whatever the text's case.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
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

/// What a text is that cannot even be lexed: the server will refuse it too, unless the character set is one that is
/// not known here. So it goes on, where nothing in it can concern a changed table.
pub fn unlexable(text: &[u8], mapping: &Mapping, charset: Charset, reason: &str) -> Plan {
    // Past ASCII, a name may be spelled by any bytes; swe7 has letters in the place of ten ASCII signs.
    let may_be_letter = |byte: &u8| *byte >= 0x80 || (charset == Charset::Unknown && b"@[\\]^`{|}~".contains(byte));
    let is_plain = !text.iter().any(may_be_letter);
    let named =
        spelling::tables(mapping).any(|name| contains(text, name.as_bytes()) || (!name.is_ascii() && !is_plain));
    let is_blind =
        [&b"prepare"[..], b"immediate", b"database", b"schema", b"show"].iter().any(|word| contains(text, word));
    if (named || is_blind)
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
    let concerns = |inner: &Text<'_>| names_table(inner, mapping) || introspects(inner, mapping, facts).is_some();
    let prepared = unescaped(inner, raw[0], facts.lex.no_backslash_escapes);
    let tokens = prepared.as_deref().map(|inner| Text::new(inner, facts.lex));
    if !matches!(&tokens, Some(Ok(inner)) if !concerns(inner)) {
        return Err(refusal::PREPARE_TEXT.because("use the protocol's prepared statements for a changed table"));
    }
    Ok(Gate::Pass)
}

/// What stands in a literal between quotes; none where escapes and bytes past ASCII meet, which each charset reads in
/// its own way.
fn unescaped(inner: &[u8], quote: u8, no_backslash_escapes: bool) -> Option<Vec<u8>> {
    let is_escape = |byte: u8| byte == quote || byte == b'\\' && !no_backslash_escapes;
    if !inner.iter().copied().any(is_escape) {
        return Some(inner.to_vec());
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().filter(u8::is_ascii);
    while let Some(byte) = bytes.next() {
        let escaped = if is_escape(byte) { bytes.next()? } else { byte };
        plain.push(match escaped {
            b'n' | b't' | b'r' | b'0' | b'b' | b'Z' if byte == b'\\' && is_escape(byte) => b' ',
            _ => escaped,
        });
    }
    inner.is_ascii().then_some(plain)
}

/// Whether a statement asks for the schema in a way that would show the newer one.
fn introspects(text: &Text<'_>, mapping: &Mapping, facts: &Facts) -> Option<&'static str> {
    let shows = text.is_word(0, "SHOW");
    let is_inside =
        !shows && facts.database.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(INFORMATION_SCHEMA));
    let shows_newer = |index: usize| {
        let reads = is_inside && text.is_any_word(index, &["FROM", "JOIN", "TABLE"]);
        reads
            || text.name(index).is_some_and(|name| name.eq_ignore_ascii_case(INFORMATION_SCHEMA))
                && !names_no_table(text, index)
    };
    if (0..text.len()).any(shows_newer) {
        return Some("information_schema would show the newer schema");
    }
    if !shows {
        return None;
    }
    let mut next = 1;
    while text.is_any_word(next, &["FULL", "EXTENDED", "OPEN"]) {
        next += 1;
    }
    let words = match () {
        () if text.is_any_word(next, &["TABLES", "TRIGGERS"]) => 1,
        () if text.are_words(next, &["TABLE", "STATUS"]) => 2,
        () => return None,
    };
    let named = text.is_any_word(next + words, &["FROM", "IN"]).then(|| text.name(next + words + 1));
    let database = named.unwrap_or_else(|| facts.database.clone());
    let is_elsewhere = database.is_some_and(|name| !name.eq_ignore_ascii_case(&mapping.database));
    (!is_elsewhere).then_some("this SHOW would list the newer schema's tables")
}

/// Whether `information_schema` stands there for one of its tables that tell of no table, or for itself.
fn names_no_table(text: &Text<'_>, index: usize) -> bool {
    let table = text.is_punct(index + 1, ".").then(|| text.name(index + 2));
    table.is_none_or(|name| name.is_some_and(|name| TABLELESS.iter().any(|known| name.eq_ignore_ascii_case(known))))
}

const INFORMATION_SCHEMA: &str = "information_schema";

/// Tables of `information_schema` in which no table and no column of an application shows.
const TABLELESS: [&str; 17] = [
    "character_sets",
    "collation_character_set_applicability",
    "collations",
    "enabled_roles",
    "engines",
    "global_status",
    "global_variables",
    "keywords",
    "plugins",
    "processlist",
    "schema_privileges",
    "schemata",
    "session_status",
    "session_variables",
    "sql_functions",
    "system_variables",
    "user_privileges",
];

/// Whether a statement may change [`Facts`] (SET, USE, CALL, EXECUTE, versioned comments), so that the session
/// has to ask the backend again before the next plan.
pub fn changes_facts(text: &[u8]) -> bool {
    if text.windows(3).any(|window| window == b"/*!" || window == b"/*M") || text.contains(&b';') {
        return true;
    }
    let Ok(tokens) = lex(text, LexMode::of_server(ServerKind::MySql, 0)) else { return true };
    // Behind white space and comments; `/*+` begins a hint only where a keyword stands before it.
    let is_word = |kind: TokenKind| !matches!(kind, TokenKind::White | TokenKind::Comment | TokenKind::Hint);
    tokens.iter().find(|token| is_word(token.kind)).is_some_and(|token| {
        let word = &text[token.span.clone()];
        // In latin1 a no-break space may stand around SET.
        !word.is_ascii()
            || [&b"SET"[..], b"USE", b"CALL", b"EXECUTE", b"DROP"]
                .iter()
                .any(|keyword| word.eq_ignore_ascii_case(keyword))
    })
}
