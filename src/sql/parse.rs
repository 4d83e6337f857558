//! From tokens to `sqlparser`'s AST.
//!
//! The AST is only for understanding, and nothing is printed from it. So the tokens handed to the parser may be
//! simpler than the text: what its grammar lacks and what cannot name a table or column of ours is dropped or
//! replaced, and every identifier that stays keeps its byte offset (line 1, column = offset + 1).

use sqlparser::{
    ast::Statement,
    dialect::MySqlDialect,
    parser::Parser,
    tokenizer::{Location, Span, Token as ParserToken, TokenWithSpan},
};

use super::{lex::TokenKind, text::Text};

/// Deep nesting and long operator chains make trees whose drop overflows the stack: refuse them first.
const MAX_DEPTH: usize = 150;
const MAX_OPERATORS: usize = 4_000;
/// Chains are also made of words (`IS NULL IS NULL …`); rows of literals have few.
const MAX_WORDS: usize = 20_000;
const RECURSION_LIMIT: usize = 400;

/// A statement's AST and what was taken out of the text before parsing.
#[derive(Debug)]
pub struct Parsed {
    /// The statement.
    pub statement: Statement,
    /// Its locking clauses.
    pub locks: Vec<Lock>,
}

/// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
#[derive(Debug, Clone)]
pub struct Lock {
    /// Its tokens.
    pub tokens: std::ops::Range<usize>,
    /// The tokens of the names after OF.
    pub of: Vec<usize>,
    /// The tokens from `OF` up to the last name, if there is an OF.
    pub of_clause: std::ops::Range<usize>,
}

/// Why a statement could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

/// Parses the one statement of `text`.
pub fn parse(text: &Text<'_>) -> Result<Parsed, ParseError> {
    check_size(text)?;
    let mut pass = Pass {
        text,
        out: Vec::with_capacity(text.len()),
        locks: Vec::new(),
        open: Vec::new(),
        bare: Vec::new(),
        at: 0,
    };
    pass.run()?;
    let Pass { out, locks, .. } = pass;
    let dialect = MySqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(out);
    let statement = parser.parse_statement().map_err(|error| ParseError(error.to_string()))?;
    let rest = parser.peek_token();
    if rest.token != ParserToken::EOF {
        return Err(ParseError(format!("unexpected {} at byte {}", rest.token, rest.span.start.column - 1)));
    }
    Ok(Parsed { statement, locks })
}

fn check_size(text: &Text<'_>) -> Result<(), ParseError> {
    let (mut depth, mut operators, mut words) = (0usize, 0usize, 0usize);
    for index in 0..text.len() {
        let in_list = index > 0 && (text.is_punct(index - 1, ",") || text.is_punct(index - 1, "("));
        let is_value = in_list && text.is_any_word(index, &["NULL", "DEFAULT", "TRUE", "FALSE"]);
        words += usize::from(text.kind(index) == Some(TokenKind::Word) && !is_value);
        match text.raw(index) {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            b"," | b"." | b";" => {}
            _ if text.kind(index) == Some(TokenKind::Punct)
                || text.is_any_word(index, &["AND", "OR", "XOR", "UNION", "NOT", "LIKE", "DIV", "MOD"]) =>
            {
                operators += 1;
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(ParseError(format!("more than {MAX_DEPTH} nested parentheses")));
        }
        if words > MAX_WORDS {
            return Err(ParseError(format!("more than {MAX_WORDS} words")));
        }
        if operators > MAX_OPERATORS {
            return Err(ParseError(format!("more than {MAX_OPERATORS} operators")));
        }
    }
    Ok(())
}

struct Pass<'t, 'a> {
    text: &'t Text<'a>,
    out: Vec<TokenWithSpan>,
    locks: Vec<Lock>,
    /// The tokens before the parentheses that are open, innermost last, and whether what is inside is a join.
    open: Vec<(Option<usize>, bool)>,
    /// How deep the parentheses are that were left out.
    bare: Vec<usize>,
    at: usize,
}

/// What may stand between SELECT and its list, besides DISTINCT.
pub const SELECT_MODIFIERS: [&str; 9] = [
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "ALL",
];
const WRITE_MODIFIERS: [&str; 5] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"];
/// Every charset of either server.
const INTRODUCERS: [&str; 42] = [
    "_armscii8",
    "_ascii",
    "_big5",
    "_binary",
    "_cp1250",
    "_cp1251",
    "_cp1256",
    "_cp1257",
    "_cp850",
    "_cp852",
    "_cp866",
    "_cp932",
    "_dec8",
    "_eucjpms",
    "_euckr",
    "_gb18030",
    "_gb2312",
    "_gbk",
    "_geostd8",
    "_greek",
    "_hebrew",
    "_hp8",
    "_keybcs2",
    "_koi8r",
    "_koi8u",
    "_latin1",
    "_latin2",
    "_latin5",
    "_latin7",
    "_macce",
    "_macroman",
    "_sjis",
    "_swe7",
    "_tis620",
    "_ucs2",
    "_ujis",
    "_utf16",
    "_utf16le",
    "_utf32",
    "_utf8",
    "_utf8mb3",
    "_utf8mb4",
];

impl Pass<'_, '_> {
    fn run(&mut self) -> Result<(), ParseError> {
        let text = self.text;
        let verb = (0..text.len()).find(|&index| !text.is_punct(index, "(")).unwrap_or(0);
        if text.is_word(verb, "UPDATE") {
            self.update_head(verb)?;
        }
        while self.at < text.len() {
            self.step()?;
        }
        while self.out.last().is_some_and(|last| last.token == ParserToken::SemiColon) {
            self.out.pop();
        }
        self.out.push(TokenWithSpan { token: ParserToken::EOF, span: Span::empty() });
        Ok(())
    }

    /// `UPDATE a, b SET`: the grammar knows joins only, and a comma is one.
    fn update_head(&mut self, verb: usize) -> Result<(), ParseError> {
        let text = self.text;
        self.keep(verb);
        self.skip_words(&WRITE_MODIFIERS);
        let set = text
            .find_outside(self.at, text.len(), |index| text.is_word(index, "SET"))
            .ok_or_else(|| ParseError("UPDATE without SET".to_owned()))?;
        let mut depth = 0usize;
        while self.at < set {
            let index = self.at;
            depth += usize::from(text.is_punct(index, "("));
            depth = depth.saturating_sub(usize::from(text.is_punct(index, ")")));
            if depth == 0 && text.is_punct(index, ",") {
                self.word("CROSS");
                self.word("JOIN");
                self.at += 1;
            } else {
                self.step()?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), ParseError> {
        let text = self.text;
        let index = self.at;
        match text.kind(index) {
            Some(TokenKind::Word) => self.step_word(index),
            Some(TokenKind::QuotedName) => {
                let name = text.name(index).ok_or_else(|| ParseError("a name that cannot be read".to_owned()))?;
                self.push(ParserToken::make_word(&name, Some('`')));
                Ok(())
            }
            Some(TokenKind::String) => {
                self.push(ParserToken::SingleQuotedString(String::new()));
                while text.kind(self.at) == Some(TokenKind::String) {
                    self.at += 1;
                }
                Ok(())
            }
            Some(TokenKind::Number) => {
                self.push(ParserToken::Number("1".to_owned(), false));
                Ok(())
            }
            Some(TokenKind::Placeholder | TokenKind::Variable) => {
                self.push(ParserToken::Placeholder("?".to_owned()));
                Ok(())
            }
            _ => self.step_punct(index),
        }
    }

    fn step_word(&mut self, index: usize) -> Result<(), ParseError> {
        let text = self.text;
        if text.is_punct(index.wrapping_sub(1), ".") && index > 0 {
            return self.keep_name(index);
        }
        if let Some(lock) = locking_clause(text, index) {
            self.at = lock.tokens.end;
            self.locks.push(lock);
            return Ok(());
        }
        if let Some(end) = index_hint(text, index) {
            self.at = end;
            return Ok(());
        }
        let followed_by_string = text.kind(index + 1) == Some(TokenKind::String);
        let followed_by_literal = followed_by_string || text.kind(index + 1) == Some(TokenKind::Number);
        if (text.is_any_word(index, &INTRODUCERS) && followed_by_literal)
            || (text.is_word(index, "N") && followed_by_string && text.span(index).end == text.span(index + 1).start)
            || (text.is_word(index, "BINARY") && starts_operand(text, index + 1))
        {
            self.at += 1;
        } else if text.is_word(index, "SELECT") {
            self.keep(index);
            self.skip_words(&SELECT_MODIFIERS);
            if text.is_word(self.at, "DISTINCTROW") {
                self.word("DISTINCT");
                self.at += 1;
            } else if text.is_word(self.at, "DISTINCT") {
                self.keep(self.at);
            }
            self.skip_words(&SELECT_MODIFIERS);
        } else if text.is_any_word(index, &["INSERT", "REPLACE", "DELETE"]) && !text.is_punct(index + 1, "(") {
            self.keep(index);
            self.skip_words(&WRITE_MODIFIERS);
        } else if text.is_word(index, "INTO") && text.kind(index + 1) == Some(TokenKind::Variable) {
            self.skip_variable_list(index + 1);
        } else if text.is_word(index, "COLLATE") && self.is_charset(index + 1) {
            self.at += 2;
        } else if text.are_words(index, &["CHARACTER", "SET"]) && self.is_charset(index + 2) {
            self.at += 3;
        } else if text.is_word(index, "CHARSET") && self.is_cast() && self.is_charset(index + 1) {
            self.at += 2;
        } else if text.is_any_word(index, &["ASC", "DESC"]) {
            self.at += 1;
        } else if text.is_word(index, "USING") && self.inside_call_of("CHAR") {
            self.at += 2;
        } else if text.is_word(index, "VALUE") && text.is_punct(index + 1, "(") && self.open.is_empty() {
            self.word("VALUES");
            self.at += 1;
        } else if text.is_word(index, "MOD") && !text.is_punct(index + 1, "(") {
            self.push(ParserToken::Mod);
        } else if text.are_words(index, &["SOUNDS", "LIKE"]) {
            self.at += 1;
            self.push(ParserToken::Eq);
        } else if is_unit(text, index) {
            self.push(ParserToken::Number("1".to_owned(), false));
        } else if is_interval_unit(text, index) {
            self.word("DAY");
            self.at += 1;
        } else {
            return self.keep_name(index);
        }
        Ok(())
    }

    fn inside_call_of(&self, function: &str) -> bool {
        matches!(self.open.last(), Some((Some(before), _)) if self.text.is_word(*before, function))
    }

    /// CHARSET is a name everywhere else.
    fn is_cast(&self) -> bool {
        self.inside_call_of("CAST") || self.inside_call_of("CONVERT")
    }

    /// Whether a charset or a collation can stand there, and not a clause that would be left out with it.
    fn is_charset(&self, index: usize) -> bool {
        self.text.kind(index).is_some() && !self.text.is_any_word(index, &["FROM", "JOIN", "STRAIGHT_JOIN"])
    }

    fn keep_name(&mut self, index: usize) -> Result<(), ParseError> {
        let name = self.text.name(index).ok_or_else(|| ParseError("a name that cannot be read".to_owned()))?;
        self.push(ParserToken::make_word(&name, None));
        Ok(())
    }

    fn skip_variable_list(&mut self, first: usize) {
        self.at = first + 1;
        while self.text.is_punct(self.at, ",") && self.text.kind(self.at + 1) == Some(TokenKind::Variable) {
            self.at += 2;
        }
    }

    fn step_punct(&mut self, index: usize) -> Result<(), ParseError> {
        let token = match self.text.raw(index) {
            b"(" => {
                self.open_parenthesis(index);
                return Ok(());
            }
            b")" => {
                self.close_parenthesis();
                return Ok(());
            }
            // `{oj a LEFT JOIN b …}`, `{d '2024-01-01'}`: what is inside is plain SQL.
            b"{" if self.text.kind(index + 1) == Some(TokenKind::Word) => {
                self.at += 2;
                return Ok(());
            }
            b"}" => {
                self.at += 1;
                return Ok(());
            }
            b"," if matches!(self.open.last(), Some((_, true))) => {
                self.word("CROSS");
                self.replace_by("JOIN");
                return Ok(());
            }
            b"," => ParserToken::Comma,
            // `DELETE t.* FROM`
            b"." if self.text.is_punct(index + 1, "*") && self.text.is_word(0, "DELETE") && self.open.is_empty() => {
                self.at += 2;
                return Ok(());
            }
            b"." => ParserToken::Period,
            b";" => ParserToken::SemiColon,
            b"*" => ParserToken::Mul,
            b"=" | b"<=>" | b":=" => ParserToken::Eq,
            b"<>" | b"!=" => ParserToken::Neq,
            b"<" => ParserToken::Lt,
            b">" => ParserToken::Gt,
            b"<=" => ParserToken::LtEq,
            b">=" => ParserToken::GtEq,
            b"+" | b"^" | b"&" | b"|" | b"<<" | b">>" | b"->" | b"->>" => ParserToken::Plus,
            b"/" => ParserToken::Div,
            b"%" => ParserToken::Mod,
            b"-" | b"~" => ParserToken::Minus,
            b"&&" => {
                self.replace_by("AND");
                return Ok(());
            }
            b"||" => {
                self.replace_by("OR");
                return Ok(());
            }
            b"!" => {
                self.replace_by("NOT");
                return Ok(());
            }
            other => {
                let other = String::from_utf8_lossy(other).into_owned();
                return Err(ParseError(format!("unexpected {other} at byte {}", self.text.span(index).start)));
            }
        };
        self.push(token);
        Ok(())
    }

    fn open_parenthesis(&mut self, index: usize) {
        let joins = self.opens_join(index);
        self.open.push((index.checked_sub(1), joins));
        if joins && self.is_single_table(index) {
            self.bare.push(self.open.len());
            self.at += 1;
        } else {
            self.push(ParserToken::LParen);
        }
    }

    fn close_parenthesis(&mut self) {
        let depth = self.open.len();
        self.open.pop();
        if self.bare.last() == Some(&depth) {
            self.bare.pop();
            self.at += 1;
        } else {
            self.push(ParserToken::RParen);
        }
    }

    /// Whether the parenthesis at `index` holds one table alone, which the grammar takes only without parentheses.
    fn is_single_table(&self, index: usize) -> bool {
        let text = self.text;
        let Some(close) = text.closing(index) else { return false };
        (index + 1..close).all(|inner| {
            !text.is_punct(inner, ",") && !text.is_word(inner, "JOIN") && !text.is_word(inner, "STRAIGHT_JOIN")
        })
    }

    /// Whether the parenthesis at `index` holds a join: it stands where a table may stand, and no query follows.
    fn opens_join(&self, index: usize) -> bool {
        let text = self.text;
        let table_place = match index.checked_sub(1) {
            Some(before) if text.is_any_word(before, &["FROM", "JOIN", "STRAIGHT_JOIN"]) => true,
            Some(before) if text.is_punct(before, "(") => matches!(self.open.last(), Some((_, true))),
            _ => false,
        };
        // EXTRACT(YEAR FROM (…)) is no join either.
        let in_call = matches!(self.open.last(), Some((Some(before), false))
            if text.is_any_word(*before, &["EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "MID"]));
        table_place && !in_call && !text.is_any_word(index + 1, &["SELECT", "WITH", "VALUES", "TABLE"])
    }

    fn replace_by(&mut self, word: &str) {
        self.word(word);
        self.at += 1;
    }

    fn skip_words(&mut self, words: &[&str]) {
        while self.text.is_any_word(self.at, words) {
            self.at += 1;
        }
    }

    fn keep(&mut self, index: usize) {
        self.at = index;
        let word = String::from_utf8_lossy(self.text.raw(index)).into_owned();
        self.push(ParserToken::make_word(&word, None));
    }

    /// Adds a keyword that the text lacks, at the place of the token at hand.
    fn word(&mut self, word: &str) {
        let at = self.at;
        self.push(ParserToken::make_word(word, None));
        self.at = at;
    }

    fn push(&mut self, token: ParserToken) {
        let span = self.text.span(self.at);
        let place = |offset: usize| Location { line: 1, column: offset as u64 + 1 };
        self.out.push(TokenWithSpan { token, span: Span { start: place(span.start), end: place(span.end) } });
        self.at += 1;
    }
}

/// The locking clause that starts at token `index`, if one does. In an index hint, FOR is followed by JOIN, ORDER
/// or GROUP.
fn locking_clause(text: &Text<'_>, index: usize) -> Option<Lock> {
    if text.are_words(index, &["LOCK", "IN", "SHARE", "MODE"]) {
        let end = end_of_wait(text, index + 4);
        return Some(Lock { tokens: index..end, of: Vec::new(), of_clause: index..index });
    }
    if !text.is_word(index, "FOR") || !text.is_any_word(index + 1, &["UPDATE", "SHARE"]) {
        return None;
    }
    let mut end = index + 2;
    let mut of = Vec::new();
    let of_start = end;
    if text.is_word(end, "OF") {
        loop {
            end += 1;
            of.push(end);
            end += 1;
            if !text.is_punct(end, ",") {
                break;
            }
        }
    }
    let of_clause = of_start..end;
    let end = end_of_wait(text, end);
    Some(Lock { tokens: index..end, of, of_clause })
}

/// The end of the index hint that starts at token `index`, if one does.
pub fn index_hint(text: &Text<'_>, index: usize) -> Option<usize> {
    if !text.is_any_word(index, &["USE", "FORCE", "IGNORE"]) || !text.is_any_word(index + 1, &["INDEX", "KEY"]) {
        return None;
    }
    let mut open = index + 2;
    if text.is_word(open, "FOR") {
        open += if text.is_word(open + 1, "JOIN") { 2 } else { 3 };
    }
    Some(text.closing(open).filter(|_| text.is_punct(open, "("))? + 1)
}

/// The end of NOWAIT, SKIP LOCKED or WAIT n at token `index`, if one is there.
fn end_of_wait(text: &Text<'_>, index: usize) -> usize {
    if text.is_word(index, "NOWAIT") {
        index + 1
    } else if text.are_words(index, &["SKIP", "LOCKED"]) || text.is_word(index, "WAIT") {
        index + 2
    } else {
        index
    }
}

/// Whether BINARY at the token before is the operator and not a type (`CAST(x AS BINARY)`).
fn starts_operand(text: &Text<'_>, index: usize) -> bool {
    matches!(
        text.kind(index),
        Some(
            TokenKind::String | TokenKind::Placeholder | TokenKind::Variable | TokenKind::QuotedName | TokenKind::Word
        )
    ) && !text.is_word(index, "AS")
}

/// The unit in `TIMESTAMPDIFF(unit, …)` and `TIMESTAMPADD(unit, …)`, and the type in `GET_FORMAT(type, …)`.
fn is_unit(text: &Text<'_>, index: usize) -> bool {
    index >= 2
        && text.is_punct(index - 1, "(")
        && text.is_any_word(index - 2, &["TIMESTAMPDIFF", "TIMESTAMPADD", "GET_FORMAT"])
}

fn is_interval_unit(text: &Text<'_>, index: usize) -> bool {
    text.is_any_word(
        index,
        &[
            "SECOND_MICROSECOND",
            "MINUTE_MICROSECOND",
            "MINUTE_SECOND",
            "HOUR_MICROSECOND",
            "HOUR_SECOND",
            "HOUR_MINUTE",
            "DAY_MICROSECOND",
            "DAY_SECOND",
            "DAY_MINUTE",
            "DAY_HOUR",
            "YEAR_MONTH",
        ],
    )
}
