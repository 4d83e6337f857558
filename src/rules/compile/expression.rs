//! Expressions of rule files: checked for syntax and determinism, and cut into templates.
//!
//! The text of a template means the same in every `sql_mode` and connection charset, because it is spliced into
//! statements of clients that choose those themselves.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, UnaryOperator, Visit, Visitor},
    dialect::MySqlDialect,
    parser::Parser,
    tokenizer::Token as ParserToken,
};

use super::functions;
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
    /// Whether a NOT stands before an operand without parentheses.
    loose_not: bool,
    /// Byte offsets of words that look like columns, such as the unit in `TIMESTAMPDIFF(DAY, a, b)`.
    keywords: Vec<usize>,
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

/// The parser knows neither `CHARACTER SET x` within a CAST nor charset introducers nor the operator MOD; what
/// takes their place keeps the offsets.
fn without_charsets(text: &str, tokens: &[Token]) -> String {
    let solid: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::White).collect();
    let is = |token: &Token, word: &str| text[token.span.clone()].eq_ignore_ascii_case(word);
    let mut blanked = text.as_bytes().to_vec();
    let mut operators = Vec::new();
    let mut blank = |from: usize, to: usize| blanked[from..to].fill(b' ');
    for (index, token) in solid.iter().enumerate() {
        let next = solid.get(index + 1);
        let after = solid.get(index + 2);
        match (next, after) {
            (Some(set), Some(name)) if is(token, "CHARACTER") && is(set, "SET") => {
                blank(token.span.start, name.span.end);
            }
            (Some(name), _) if is(token, "CHARSET") => blank(token.span.start, name.span.end),
            _ if index > 0 && is(token, "MOD") && ends_operand(solid[index - 1], text) => {
                blank(token.span.start, token.span.end);
                operators.push(token.span.start);
            }
            (Some(literal), _)
                if text[token.span.clone()].starts_with('_')
                    && matches!(literal.kind, TokenKind::String | TokenKind::Number) =>
            {
                blank(token.span.start, token.span.end);
            }
            _ => {}
        }
    }
    for at in operators {
        blanked[at] = b'%';
    }
    String::from_utf8(blanked).unwrap_or_else(|_| text.to_owned())
}

/// Whether an operand may end with the token, so that an operator may follow.
fn ends_operand(token: &Token, text: &str) -> bool {
    const OPERATORS: [&str; 14] =
        ["AND", "BETWEEN", "CASE", "DIV", "ELSE", "IN", "LIKE", "MOD", "NOT", "OR", "REGEXP", "THEN", "WHEN", "XOR"];
    let piece = &text[token.span.clone()];
    match token.kind {
        TokenKind::Number | TokenKind::QuotedName | TokenKind::String => true,
        TokenKind::Word => !OPERATORS.iter().any(|word| word.eq_ignore_ascii_case(piece)),
        _ => piece == ")",
    }
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
            Expr::Identifier(ident) => {
                let offset = self.offset(ident);
                if !self.found.keywords.contains(&offset) {
                    self.found.columns.push((offset, ident.value.clone()));
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some(first) = parts.first() {
                    self.found.forbidden.push((self.offset(first), "a qualified name"));
                }
            }
            Expr::Function(function) => {
                if let [sqlparser::ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() {
                    self.found.functions.push((self.offset(name), name.value.clone()));
                    if matches!(
                        name.value.to_ascii_uppercase().as_str(),
                        "GET_FORMAT" | "TIMESTAMPADD" | "TIMESTAMPDIFF"
                    ) {
                        let keyword = first_word(&function.args).map(|word| self.offset(word));
                        self.found.keywords.extend(keyword);
                    }
                } else {
                    self.found.forbidden.push((0, "a stored function"));
                }
                if function.over.is_some() {
                    self.found.forbidden.push((0, "a window function"));
                }
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr: operand } if !is_closed(operand) => {
                self.found.loose_not = true;
            }
            Expr::MatchAgainst { .. } => self.found.forbidden.push((0, "a full-text search")),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether NOT before the operand means the same under HIGH_NOT_PRECEDENCE.
fn is_closed(operand: &Expr) -> bool {
    matches!(
        operand,
        Expr::Nested(_)
            | Expr::Identifier(_)
            | Expr::Value(_)
            | Expr::Function(_)
            | Expr::Cast { .. }
            | Expr::Case { .. }
    )
}

/// The first argument, if it is a bare word.
fn first_word(arguments: &FunctionArguments) -> Option<&Ident> {
    let FunctionArguments::List(list) = arguments else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident))) => Some(ident),
        _ => None,
    }
}

fn check_meaning(findings: &mut Findings<'_>, place: Place, found: &Found) {
    for (at, what) in &found.forbidden {
        let help = "an expression is computed from the columns of one row; name them without their table";
        findings.add(place.at(*at, at + 1), format!("{what} in an expression"), help);
    }
    if found.loose_not {
        let message = "what NOT stands before is not the same in every `sql_mode`";
        findings.add(place.whole, message, "put the operand of NOT in parentheses");
    }
    for (at, name) in &found.functions {
        let span = place.at(*at, at + name.len());
        let upper = name.to_ascii_uppercase();
        if functions::VOLATILE.contains(&upper.as_str()) {
            let help = "expressions must give the same value every time";
            findings.add(span, format!("{upper} is not deterministic"), help);
        } else if functions::AGGREGATE.contains(&upper.as_str()) {
            findings.add(span, format!("{upper} is an aggregate"), "an expression is computed from one row");
        }
    }
}

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
            TokenKind::White if calls(tokens, index, text) => {}
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

/// Whether the white space at `index` parts a function from its parenthesis, where only IGNORE_SPACE allows any.
fn calls(tokens: &[Token], index: usize, text: &str) -> bool {
    let piece = |index: usize| tokens.get(index).map_or("", |token| &text[token.span.clone()]);
    let is_name = index > 0 && tokens[index - 1].kind == TokenKind::Word;
    is_name && piece(index + 1) == "(" && ends_operand(&tokens[index - 1], text)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::diagnostic::SourceFile;

    fn read(text: &str) -> Result<String, String> {
        let file = SourceFile { path: "x".to_owned(), text: text.to_owned() };
        let mut findings = Findings::new(&file);
        let whole = Located { value: text.to_owned(), span: Span { start: 0, end: text.len() } };
        match Expression::read(&mut findings, &whole) {
            Some(expression) => Ok(expression.template.render(|name| format!("[{name}]"))),
            None => Err(findings
                .found
                .iter()
                .map(|d| format!("{}: {}", d.column, d.message))
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    #[test]
    fn finds_columns_and_nothing_else() {
        for (text, expected) in [
            ("CAST(a AS CHAR(10) CHARACTER SET utf8mb4)", "CAST([a] AS CHAR(10) CHARACTER SET utf8mb4)"),
            ("CONVERT(a USING latin1)", "CONVERT([a] USING latin1)"),
            ("CAST(a AS UNSIGNED)", "CAST([a] AS UNSIGNED)"),
            ("CAST(a AS SIGNED INTEGER)", "CAST([a] AS SIGNED INTEGER)"),
            ("CAST(a AS DECIMAL(10,2))", "CAST([a] AS DECIMAL(10,2))"),
            ("CAST(date AS DATE)", "CAST([date] AS DATE)"),
            ("`my col` + 1", "[my col] + 1"),
            ("a DIV 2 + b MOD 3", "[a] DIV 2 + [b] MOD 3"),
            ("a <=> NULL OR b IS NOT NULL", "[a] <=> NULL OR [b] IS NOT NULL"),
            ("DATE_ADD(a, INTERVAL b DAY)", "DATE_ADD([a], INTERVAL [b] DAY)"),
            ("a + INTERVAL 1 HOUR", "[a] + INTERVAL 1 HOUR"),
            ("EXTRACT(YEAR FROM year)", "EXTRACT(YEAR FROM [year])"),
            ("TRIM(LEADING '0' FROM a)", "TRIM(LEADING '0' FROM [a])"),
            ("SUBSTRING(a FROM 2 FOR 3)", "SUBSTRING([a] FROM 2 FOR 3)"),
            ("SUBSTRING(a, 2)", "SUBSTRING([a], 2)"),
            ("POSITION('x' IN a)", "POSITION('x' IN [a])"),
            ("CASE a WHEN 1 THEN 'x' ELSE \"y\" END", "CASE [a] WHEN 1 THEN 'x' ELSE 'y' END"),
            ("CASE WHEN a > 1 THEN b END", "CASE WHEN [a] > 1 THEN [b] END"),
            ("a REGEXP '^x'", "[a] REGEXP '^x'"),
            ("a LIKE 'x%'", "[a] LIKE 'x%'"),
            ("a COLLATE utf8mb4_bin", "[a] COLLATE utf8mb4_bin"),
            ("_utf8mb4 'x'", "_utf8mb4 'x'"),
            ("IF(a, b, c)", "IF([a], [b], [c])"),
            ("a IN (1, 2)", "[a] IN (1, 2)"),
            ("a BETWEEN 1 AND 2", "[a] BETWEEN 1 AND 2"),
            ("NOT a", "NOT [a]"),
            ("SUBSTRING (a, 1)", "SUBSTRING([a], 1)"),
            ("a IN (1) AND (b)", "[a] IN (1) AND ([b])"),
            ("a & 1 | b ^ 2", "[a] & 1 | [b] ^ 2"),
            ("a << 1", "[a] << 1"),
            ("JSON_UNQUOTE(JSON_EXTRACT(a, '$.b'))", "JSON_UNQUOTE(JSON_EXTRACT([a], '$.b'))"),
            ("a -> '$.b'", "[a] -> '$.b'"),
            ("a ->> '$.b'", "[a] ->> '$.b'"),
            ("CONVERT_TZ(a, 'UTC', '+01:00')", "CONVERT_TZ([a], 'UTC', '+01:00')"),
            ("HEX(a)", "HEX([a])"),
            ("x'41'", "x'41'"),
            ("TRUE", "TRUE"),
            ("a MOD (b)", "[a] MOD ([b])"),
            ("MOD(a, b)", "MOD([a], [b])"),
            ("CONCAT_WS(' ', a,\n  b)", "CONCAT_WS(' ', [a], [b])"),
            ("'it\\'s'", "'it''s'"),
            ("'é'", "_utf8mb4 X'C3A9'"),
            ("TIMESTAMPDIFF(SECOND, a, b)", "TIMESTAMPDIFF(SECOND, [a], [b])"),
            ("DATE '2024-01-01'", "DATE '2024-01-01'"),
            ("GREATEST(a, b)", "GREATEST([a], [b])"),
            ("REPLACE(a, '-', '')", "REPLACE([a], '-', '')"),
            ("LEFT(a, 2)", "LEFT([a], 2)"),
            ("BINARY a", "BINARY [a]"),
            ("CAST(a AS JSON)", "CAST([a] AS JSON)"),
            ("CAST(a AS BINARY(4))", "CAST([a] AS BINARY(4))"),
            ("INSERT(a, 1, 2, b)", "INSERT([a], 1, 2, [b])"),
            ("MD5(a)", "MD5([a])"),
            ("-a * 1.5e0", "-[a] * 1.5e0"),
            ("(a, b) = (1, 2)", "([a], [b]) = (1, 2)"),
            ("a XOR b", "[a] XOR [b]"),
            ("é", "[é]"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_function_of_one_row() {
        for (text, expected) in [
            ("RAND()", "1: RAND is not deterministic"),
            ("CONCAT(a, UUID())", "11: UUID is not deterministic"),
            ("CURRENT_TIMESTAMP", "1: CURRENT_TIMESTAMP is not deterministic"),
            ("a + @x", "5: a variable in an expression"),
            ("(SELECT 1)", "1: a subquery in an expression"),
            ("EXISTS (SELECT 1)", "1: a subquery in an expression"),
            ("MAX(a)", "1: MAX is an aggregate"),
            ("GROUP_CONCAT(a)", "1: GROUP_CONCAT is an aggregate"),
            ("ROW_NUMBER() OVER ()", "1: a window function in an expression; 1: ROW_NUMBER is an aggregate"),
            ("t.a", "1: a qualified name in an expression"),
            ("db.f(a)", "1: a stored function in an expression"),
            ("a -- x", "3: a comment in an expression"),
            ("NOT a = b", "1: what NOT stands before is not the same in every `sql_mode`"),
            ("NOT (a) BETWEEN 1 AND 2", "1: what NOT stands before is not the same in every `sql_mode`"),
            ("a || b", "3: `||` means OR or CONCAT, as `sql_mode` says"),
            ("'open", "1: the expression does not parse: unterminated quoted text"),
            ("?", "1: a placeholder in an expression"),
            ("a; DROP TABLE t", "2: `;` in an expression"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
        for text in ["", "a b", "(a", "a)", "CONCAT(a,", "1 +", "a AS b", "SELECT 1", "a, b", "DEFAULT(a)", "VALUES(a)"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
