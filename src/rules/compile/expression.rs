//! Expressions of rule files: checked for syntax and determinism, and cut into templates.
//!
//! The text of a template means the same in every `sql_mode` and connection charset, because it is spliced into
//! statements of clients that choose those themselves.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Expr, Ident, Query, Visit, Visitor},
    dialect::MySqlDialect,
    parser::Parser,
    tokenizer::Token as ParserToken,
};

use crate::{
    rules::{
        Template, TemplatePart,
        cast::text_literal,
        diagnostic::{Findings, Span},
        file::node::Located,
    },
    sql::{LexMode, ServerKind, Token, TokenKind, lex},
};

/// An expression whose columns are still the names that the rule wrote.
#[derive(Debug, Clone)]
pub struct Expression {
    template: Template,
    names: Vec<Located<String>>,
}

impl Expression {
    /// Reads an expression, or tells what is wrong with it.
    pub fn read(findings: &mut Findings<'_>, text: &Located<String>) -> Option<Self> {
        let known = findings.found.len();
        let place = Place::of(findings, text);
        let tokens = match lex(text.value.as_bytes(), LexMode::of_server(ServerKind::MySql, 0)) {
            Ok(tokens) => tokens,
            Err(error) => {
                let message = format!("the expression does not parse: {}", error.reason);
                findings.add(place.at(error.offset, error.offset + 1), message, "write one SQL expression");
                return None;
            }
        };
        check_tokens(findings, place, &text.value, &tokens);
        if findings.found.len() > known {
            return None;
        }
        let found = parse(findings, place, &text.value, &tokens)?;
        check_meaning(findings, place, &found);
        if findings.found.len() > known {
            return None;
        }
        let names: Vec<Located<String>> = found
            .columns
            .iter()
            .map(|(start, name)| Located { value: name.clone(), span: place.at(*start, start + name.len()) })
            .collect();
        let template = cut(findings, place, &text.value, &tokens, &found)?;
        Some(Self { template, names })
    }

    /// The template, with what `resolve` gives for each column; its error is the help of a diagnostic that says
    /// that the column cannot be named here. The whole is in parentheses.
    pub fn resolve(
        &self,
        findings: &mut Findings<'_>,
        mut resolve: impl FnMut(&str) -> Result<Template, String>,
    ) -> Option<Template> {
        let known = findings.found.len();
        for name in &self.names {
            if let Err(help) = resolve(&name.value) {
                findings.add(name.span, format!("the expression cannot name `{}`", name.value), help);
            }
        }
        if findings.found.len() > known {
            return None;
        }
        Some(self.template.substituted(|name| resolve(name).unwrap_or_default()).wrapped("(", ")"))
    }
}

/// Where the text of an expression stands in its file.
#[derive(Clone, Copy)]
struct Place {
    whole: Span,
    /// Offset of the text's first byte, if it stands in the file just as it is.
    verbatim: Option<usize>,
}

impl Place {
    fn of(findings: &Findings<'_>, text: &Located<String>) -> Self {
        let written = findings.file.text.get(text.span.start..).unwrap_or_default();
        // An opening quote may come first.
        let skip = usize::from(written.starts_with(['"', '\'']));
        let verbatim = written.get(skip..).filter(|rest| rest.starts_with(&text.value)).map(|_| text.span.start + skip);
        Self { whole: text.span, verbatim }
    }

    fn at(self, start: usize, end: usize) -> Span {
        match self.verbatim {
            Some(offset) => Span { start: offset + start, end: offset + end.max(start + 1) },
            None => self.whole,
        }
    }
}

/// What the parser found.
#[derive(Default)]
struct Found {
    /// Byte offset and name without quotes.
    columns: Vec<(usize, String)>,
    /// Byte offset and name of a function.
    functions: Vec<(usize, String)>,
    /// Byte offset and what it is.
    forbidden: Vec<(usize, &'static str)>,
}

fn check_tokens(findings: &mut Findings<'_>, place: Place, text: &str, tokens: &[Token]) {
    for token in tokens {
        let span = place.at(token.span.start, token.span.end);
        let piece = &text[token.span.clone()];
        let (message, help) = match token.kind {
            TokenKind::Placeholder => ("a placeholder in an expression", "name columns"),
            TokenKind::Variable => ("a variable in an expression", "expressions must give the same value every time"),
            TokenKind::Comment | TokenKind::CommentMark | TokenKind::Hint => {
                ("a comment in an expression", "write YAML comments, `# …`")
            }
            TokenKind::Punct if piece == "||" => {
                ("`||` means OR or CONCAT, as `sql_mode` says", "write OR, or CONCAT(…)")
            }
            TokenKind::Punct if piece == ";" => ("`;` in an expression", "write one expression without its end"),
            _ => continue,
        };
        findings.add(span, message, help);
    }
}

fn parse(findings: &mut Findings<'_>, place: Place, text: &str, tokens: &[Token]) -> Option<Found> {
    let text = without_charsets(text, tokens);
    let mut fail = |reason: String| {
        let message = format!("the expression does not parse: {reason}");
        findings.add(place.whole, message, "write one SQL expression, e.g. `CONCAT(first_name, ' ', last_name)`");
    };
    let parsed =
        Parser::new(&MySqlDialect {}).with_recursion_limit(MAX_DEPTH).try_with_sql(&text).and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            Ok((expr, parser.peek_token()))
        });
    match parsed {
        Ok((expr, next)) if next.token == ParserToken::EOF => {
            let mut collect = Collect { text: &text, found: Found::default() };
            let _ = expr.visit(&mut collect);
            Some(collect.found)
        }
        Ok((_, next)) => {
            fail(format!("`{}` is too much", next.token));
            None
        }
        Err(error) => {
            fail(error.to_string().trim_start_matches("sql parser error: ").to_owned());
            None
        }
    }
}

/// Nobody nests deeper by hand.
const MAX_DEPTH: usize = 100;

/// The parser knows neither `CHARACTER SET x` within a CAST nor charset introducers; blanks keep the offsets.
fn without_charsets(text: &str, tokens: &[Token]) -> String {
    let solid: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::White).collect();
    let is = |token: &Token, word: &str| text[token.span.clone()].eq_ignore_ascii_case(word);
    let mut blanked = text.as_bytes().to_vec();
    let mut blank = |from: usize, to: usize| blanked[from..to].fill(b' ');
    for (index, token) in solid.iter().enumerate() {
        let next = solid.get(index + 1);
        let after = solid.get(index + 2);
        match (next, after) {
            (Some(set), Some(name)) if is(token, "CHARACTER") && is(set, "SET") => {
                blank(token.span.start, name.span.end);
            }
            (Some(name), _) if is(token, "CHARSET") => blank(token.span.start, name.span.end),
            (Some(literal), _)
                if text[token.span.clone()].starts_with('_')
                    && matches!(literal.kind, TokenKind::String | TokenKind::Number) =>
            {
                blank(token.span.start, token.span.end);
            }
            _ => {}
        }
    }
    String::from_utf8(blanked).unwrap_or_else(|_| text.to_owned())
}

struct Collect<'t> {
    text: &'t str,
    found: Found,
}

impl Collect<'_> {
    fn offset(&self, ident: &Ident) -> usize {
        let (line, column) = (ident.span.start.line, ident.span.start.column);
        let mut start = 0;
        for _ in 1..line {
            start += self.text[start..].find('\n').map_or(0, |at| at + 1);
        }
        let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        start + self.text[start..].char_indices().nth(skip).map_or(0, |(at, _)| at)
    }
}

impl Visitor for Collect<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.found.forbidden.push((0, "a subquery"));
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.found.columns.push((self.offset(ident), ident.value.clone())),
            Expr::CompoundIdentifier(parts) => {
                if let Some(first) = parts.first() {
                    self.found.forbidden.push((self.offset(first), "a qualified name"));
                }
            }
            Expr::Function(function) => {
                if let [sqlparser::ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() {
                    self.found.functions.push((self.offset(name), name.value.clone()));
                } else {
                    self.found.forbidden.push((0, "a stored function"));
                }
                if function.over.is_some() {
                    self.found.forbidden.push((0, "a window function"));
                }
            }
            Expr::MatchAgainst { .. } => self.found.forbidden.push((0, "a full-text search")),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn check_meaning(findings: &mut Findings<'_>, place: Place, found: &Found) {
    for (at, what) in &found.forbidden {
        let help = "an expression is computed from the columns of one row; name them without their table";
        findings.add(place.at(*at, at + 1), format!("{what} in an expression"), help);
    }
    for (at, name) in &found.functions {
        let span = place.at(*at, at + name.len());
        let upper = name.to_ascii_uppercase();
        if VOLATILE.contains(&upper.as_str()) {
            let help = "expressions must give the same value every time";
            findings.add(span, format!("{upper} is not deterministic"), help);
        } else if AGGREGATE.contains(&upper.as_str()) {
            findings.add(span, format!("{upper} is an aggregate"), "an expression is computed from one row");
        }
    }
}

/// Functions whose value depends on the time, the session, the server or chance, or that do something.
const VOLATILE: [&str; 61] = [
    "BENCHMARK",
    "CONNECTION_ID",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURTIME",
    "DATABASE",
    "DEFAULT",
    "ENCRYPT",
    "FOUND_ROWS",
    "FROM_UNIXTIME",
    "GET_LOCK",
    "GTID_SUBSET",
    "IS_FREE_LOCK",
    "IS_USED_LOCK",
    "LASTVAL",
    "LAST_INSERT_ID",
    "LAST_VALUE",
    "LOAD_FILE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MASTER_GTID_WAIT",
    "MASTER_POS_WAIT",
    "NAME_CONST",
    "NEXTVAL",
    "NOW",
    "PASSWORD",
    "PS_CURRENT_THREAD_ID",
    "RAND",
    "RANDOM_BYTES",
    "RELEASE_ALL_LOCKS",
    "RELEASE_LOCK",
    "ROWNUM",
    "ROW_COUNT",
    "SCHEMA",
    "SESSION_USER",
    "SETVAL",
    "SLEEP",
    "SOURCE_POS_WAIT",
    "STATEMENT_DIGEST",
    "SYSDATE",
    "SYSTEM_USER",
    "SYS_GUID",
    "TRANSACTION_ID",
    "UNIX_TIMESTAMP",
    "USER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "UUID",
    "UUID_SHORT",
    "UUID_V4",
    "UUID_V7",
    "VALUE",
    "VALUES",
    "VERSION",
    "WAIT_FOR_EXECUTED_GTID_SET",
    "WSREP_LAST_SEEN_GTID",
];

const AGGREGATE: [&str; 22] = [
    "ANY_VALUE",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "COUNT",
    "GROUPING",
    "GROUP_CONCAT",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "MAX",
    "MEDIAN",
    "MIN",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "SUM",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
    "ROW_NUMBER",
];

fn cut(findings: &mut Findings<'_>, place: Place, text: &str, tokens: &[Token], found: &Found) -> Option<Template> {
    let mut parts: Vec<TemplatePart> = Vec::new();
    let mut literal = String::new();
    for (index, token) in tokens.iter().enumerate() {
        let piece = &text[token.span.clone()];
        if let Some((_, name)) = found.columns.iter().find(|(start, _)| *start == token.span.start) {
            if !literal.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
            }
            parts.push(TemplatePart::Column(name.clone()));
            continue;
        }
        match token.kind {
            TokenKind::White => literal.push(' '),
            TokenKind::String => {
                let value = unquoted(piece);
                let portable = text_literal(&value);
                let introduced = index > 0 && is_introducer(&text[tokens[index - 1].span.clone()]);
                if introduced && !portable.starts_with('\'') {
                    let span = place.at(token.span.start, token.span.end);
                    findings.add(
                        span,
                        "a text past ASCII behind a charset introducer",
                        "write the bytes, e.g. `_latin1 X'E9'`",
                    );
                    return None;
                }
                literal.push_str(&portable);
            }
            _ => literal.push_str(piece),
        }
    }
    if !literal.is_empty() {
        parts.push(TemplatePart::Text(literal));
    }
    Some(Template { parts })
}

fn is_introducer(word: &str) -> bool {
    word.starts_with('_') || word.eq_ignore_ascii_case("n")
}

/// The value of a string literal, as the servers read it by default.
pub fn unquoted(literal: &str) -> String {
    let mut chars = literal.chars();
    let quote = chars.next().unwrap_or('\'');
    let body = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    let mut value = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c == quote {
            chars.next_if_eq(&quote);
            value.push(quote);
        } else if c == '\\' {
            match chars.next() {
                Some('0') => value.push('\0'),
                Some('b') => value.push('\u{8}'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('Z') => value.push('\u{1A}'),
                // These two keep their backslash: they mean something to LIKE.
                Some(wild @ ('%' | '_')) => value.extend(['\\', wild]),
                Some(other) => value.push(other),
                None => {}
            }
        } else {
            value.push(c);
        }
    }
    value
}
