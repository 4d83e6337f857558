//! `USE shop__v1`: the one statement whose database a session itself looks at.

use std::ops::Range;

use crate::sql::{LexMode, Token, TokenKind, lex};

/// The database that a text chooses, and where its name stands; none if the text is anything else.
pub(super) fn target(text: &[u8], mode: LexMode) -> Option<(String, Range<usize>)> {
    // Nearly every text is told apart by its first byte.
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(text[start], b'u' | b'U' | b'/' | b'-' | b'#') || text.len() > MAX_LEN {
        return None;
    }
    let tokens = lex(text, mode).ok()?;
    let mut tokens = tokens.into_iter().filter(|token| !matches!(token.kind, TokenKind::White | TokenKind::Comment));
    let is_use = |token: Token| token.kind == TokenKind::Word && text[token.span].eq_ignore_ascii_case(b"use");
    if !tokens.next().is_some_and(is_use) {
        return None;
    }
    let name = tokens.next()?;
    let is_end = |token: Token| &text[token.span] == b";";
    if !tokens.all(is_end) {
        return None;
    }
    let written = std::str::from_utf8(&text[name.span.clone()]).ok()?;
    let database = match name.kind {
        TokenKind::Word => written.to_owned(),
        TokenKind::QuotedName => unquoted(written)?,
        _ => return None,
    };
    Some((database, name.span))
}

/// The text with another database.
pub(super) fn with_target(text: &[u8], span: Range<usize>, database: &str) -> Vec<u8> {
    let quoted = format!("`{}`", database.replace('`', "``"));
    [&text[..span.start], quoted.as_bytes(), &text[span.end..]].concat()
}

fn unquoted(written: &str) -> Option<String> {
    let quote = written.chars().next()?;
    let inner = written.get(1..written.len().checked_sub(1)?)?;
    Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
}

/// A USE is short, comments included.
const MAX_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{target, with_target};
    use crate::sql::{LexMode, ServerKind};

    fn name(text: &str) -> Option<String> {
        target(text.as_bytes(), LexMode::of_server(ServerKind::MySql, 80_400)).map(|(name, _)| name)
    }

    #[test]
    fn finds_the_database() {
        for text in ["USE shop__v1", " use `shop__v1` ;", "/* why */ Use\nshop__v1"] {
            assert_eq!(name(text).as_deref(), Some("shop__v1"), "{text}");
        }
        for text in ["UPDATE t SET a = 1", "SELECT 1", "USE", "USE a.b", "USE 'a'", "use a; select 1", ""] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn puts_another_in() {
        assert_eq!(with_target(b"use shop__v1;", 4..12, "shop"), b"use `shop`;");
    }
}
