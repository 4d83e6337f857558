//! The byte lexer: tokens that tile a statement, exact for both servers and their lexing modes.
//!
//! Sources: MySQL manual 11.1 (literal values), 11.2 (schema object names), 11.7 (comments); MariaDB knowledge
//! base "Comment Syntax". Text that is not UTF-8 is fine: [`Charset`] says where its characters end.

use std::ops::Range;

use super::charset::Charset;

/// How text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LexMode {
    /// `"x"` is an identifier (sql_mode ANSI_QUOTES).
    pub ansi_quotes: bool,
    /// A backslash is an ordinary character (sql_mode NO_BACKSLASH_ESCAPES).
    pub no_backslash_escapes: bool,
    /// `||` joins text (sql_mode PIPES_AS_CONCAT).
    pub pipes_as_concat: bool,
    /// Which server reads it: decides which versioned comments are text.
    pub server: ServerKind,
    /// The server's version as in a versioned comment, e.g. 101_111 for 10.11.11, 90_700 for 9.7.0.
    pub server_version: u32,
    /// `character_set_client`.
    pub charset: Charset,
}

/// Which family of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKind {
    /// MariaDB.
    MariaDb,
    /// MySQL, Percona Server, Aurora.
    MySql,
}

impl LexMode {
    /// The mode of a server in its default configuration.
    pub fn of_server(server: ServerKind, server_version: u32) -> Self {
        Self {
            ansi_quotes: false,
            no_backslash_escapes: false,
            pipes_as_concat: false,
            server,
            server_version,
            charset: Charset::Utf8,
        }
    }
}

/// One token; tokens tile the text, so white space and comments are tokens too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Byte offsets into the text.
    pub span: Range<usize>,
}

/// The kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A comment, or a versioned comment that the server skips.
    Comment,
    /// `/*!50000`, `/*M!` or `*/` of a versioned comment whose inside is text.
    CommentMark,
    /// `/*+ … */` after a statement keyword.
    Hint,
    /// A number: integer, decimal, float, `0x…`, `0b…`, `x'…'`, `b'…'`.
    Number,
    /// `?`.
    Placeholder,
    /// An operator or punctuation; the longest one that the servers know.
    Punct,
    /// A quoted identifier, quotes included.
    QuotedName,
    /// A string literal, quotes included; an introducer or `N` is a token of its own.
    String,
    /// `@name`, `@'name'`, `@@global.name` as one token.
    Variable,
    /// White space.
    White,
    /// An unquoted word: keyword or identifier.
    Word,
}

/// Text that no token fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct LexError {
    /// Where the offending token starts.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// Cuts `text` into tokens that tile it.
pub fn lex(text: &[u8], mode: LexMode) -> Result<Vec<Token>, LexError> {
    if mode.charset == Charset::Unknown {
        return fail(0, "a character set that is not known");
    }
    let mut cursor = Cursor { text, mode, at: 0, open_versioned: false };
    let mut tokens = Vec::with_capacity(text.len() / 4);
    while cursor.at < text.len() {
        let start = cursor.at;
        let kind = cursor.next_kind(&tokens)?;
        tokens.push(Token { kind, span: start..cursor.at });
    }
    if cursor.open_versioned {
        return Err(LexError { offset: text.len(), reason: "unterminated versioned comment" });
    }
    Ok(tokens)
}

struct Cursor<'a> {
    text: &'a [u8],
    mode: LexMode,
    at: usize,
    open_versioned: bool,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next_kind(&mut self, before: &[Token]) -> Result<TokenKind, LexError> {
        let byte = self.peek(0);
        match byte {
            _ if self.is_white(byte) => {
                let mode = self.mode;
                self.skip_while(|byte| is_white(byte, mode.charset));
                Ok(TokenKind::White)
            }
            b'#' => Ok(self.line_comment()),
            b'-' if self.peek(1) == b'-' && self.dashes_are_comment()? => Ok(self.line_comment()),
            b'/' if self.peek(1) == b'*' => self.block_comment(),
            b'*' if self.peek(1) == b'/' && self.open_versioned => {
                self.at += 2;
                self.open_versioned = false;
                Ok(TokenKind::CommentMark)
            }
            b'\'' => self.quoted(b'\'', TokenKind::String),
            b'"' if self.mode.ansi_quotes => self.quoted(b'"', TokenKind::QuotedName),
            b'"' => self.quoted(b'"', TokenKind::String),
            b'`' => self.quoted(b'`', TokenKind::QuotedName),
            b'@' => self.variable(),
            b'?' => {
                self.at += 1;
                Ok(TokenKind::Placeholder)
            }
            b'x' | b'X' | b'b' | b'B' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.quoted(b'\'', TokenKind::Number)
            }
            b'0'..=b'9' => Ok(self.number_or_word(before)),
            b'.' if self.peek(1).is_ascii_digit() && !before.last().is_some_and(is_name) => {
                Ok(self.number_or_word(before))
            }
            _ if self.word_char_len() > 0 => {
                self.skip_word();
                Ok(TokenKind::Word)
            }
            0 => fail(self.at, "a NUL byte outside a string"),
            // MariaDB's sql_mode MSSQL quotes names with it; elsewhere it has no meaning.
            b'[' => fail(self.at, "a square bracket"),
            0x80.. => fail(self.at, "a byte that is no letter of the client's character set"),
            _ => Ok(self.punct()),
        }
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.at < self.text.len() && accept(self.text[self.at]) {
            self.at += 1;
        }
    }

    fn is_white(&self, byte: u8) -> bool {
        is_white(byte, self.mode.charset)
    }

    /// Whether the two dashes at hand begin a comment: white space or a control character follows. Which bytes past
    /// ASCII are control characters is not known.
    fn dashes_are_comment(&self) -> Result<bool, LexError> {
        let next = self.peek(2);
        if self.at + 2 >= self.text.len() || next <= b' ' || next == 0x7F || self.is_white(next) {
            return Ok(true);
        }
        if next >= 0x80 && self.mode.charset != Charset::Utf8 {
            return fail(self.at, "dashes before a byte past ASCII");
        }
        Ok(false)
    }

    /// How many bytes of a word are at hand; 0: none.
    fn word_char_len(&self) -> usize {
        match self.peek(0) {
            byte if is_word(byte) => 1,
            0x80.. => self.mode.charset.word_char_len(&self.text[self.at..]).unwrap_or(0),
            _ => 0,
        }
    }

    fn skip_word(&mut self) {
        loop {
            match self.word_char_len() {
                0 => return,
                len => self.at += len,
            }
        }
    }

    fn line_comment(&mut self) -> TokenKind {
        self.skip_while(|byte| byte != b'\n');
        TokenKind::Comment
    }

    /// `/* … */`, `/*+ … */` and the versioned forms. MySQL reads `/*!NNNNN` with five or six digits; MariaDB
    /// skips `/*!50700` to `/*!99999` (they name MySQL versions) and reads `/*M!` as its own.
    fn block_comment(&mut self) -> Result<TokenKind, LexError> {
        let start = self.at;
        let maria = self.mode.server == ServerKind::MariaDb;
        let mark = if self.peek(2) == b'!' {
            Some(3)
        } else if maria && self.peek(2) == b'M' && self.peek(3) == b'!' {
            Some(4)
        } else {
            None
        };
        if let Some(mark_len) = mark {
            if self.open_versioned {
                return fail(start, "a versioned comment inside another");
            }
            let digits = (0..6).take_while(|&i| self.peek(mark_len + i).is_ascii_digit()).count();
            let digits = if digits >= 5 { digits } else { 0 };
            let version: u32 = std::str::from_utf8(&self.text[start + mark_len..start + mark_len + digits])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0);
            let mysql_only = maria && mark_len == 3 && (50_700..=99_999).contains(&version);
            if version <= self.mode.server_version && !mysql_only {
                self.at += mark_len + digits;
                self.open_versioned = true;
                return Ok(TokenKind::CommentMark);
            }
            return self.skipped_versioned(start);
        }
        let hint = self.peek(2) == b'+';
        self.at += 2;
        self.end_of_comment(start)?;
        Ok(if hint { TokenKind::Hint } else { TokenKind::Comment })
    }

    fn end_of_comment(&mut self, start: usize) -> Result<(), LexError> {
        while self.at + 1 < self.text.len() {
            if self.text[self.at] == b'*' && self.text[self.at + 1] == b'/' {
                self.at += 2;
                return Ok(());
            }
            self.at += 1;
        }
        fail(start, "unterminated comment")
    }

    /// A versioned comment that the server skips may hold plain comments: both servers nest one level.
    fn skipped_versioned(&mut self, start: usize) -> Result<TokenKind, LexError> {
        self.at += 3;
        loop {
            if self.at + 1 >= self.text.len() {
                return fail(start, "unterminated comment");
            }
            match (self.text[self.at], self.text[self.at + 1]) {
                (b'*', b'/') => {
                    self.at += 2;
                    return Ok(TokenKind::Comment);
                }
                (b'/', b'*') => {
                    let inner = self.at;
                    self.at += 2;
                    self.end_of_comment(inner)?;
                }
                _ => self.at += 1,
            }
        }
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind) -> Result<TokenKind, LexError> {
        let start = self.at;
        let escapes = kind != TokenKind::QuotedName && quote != b'`' && !self.mode.no_backslash_escapes;
        self.at += 1;
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            if byte == quote {
                if self.peek(1) == quote {
                    self.at += 2;
                    continue;
                }
                self.at += 1;
                return Ok(kind);
            }
            self.at += match byte {
                // The byte behind a backslash is skipped even where it begins a character.
                b'\\' if escapes => 2,
                0x80.. => self.mode.charset.char_len(&self.text[self.at..]),
                _ => 1,
            };
        }
        self.at = self.text.len();
        fail(start, "unterminated quoted text")
    }

    fn variable(&mut self) -> Result<TokenKind, LexError> {
        self.at += 1;
        if self.peek(0) == b'@' {
            self.at += 1;
        }
        loop {
            match self.peek(0) {
                quote @ (b'`' | b'\'' | b'"') => {
                    self.quoted(quote, TokenKind::Variable)?;
                }
                0x80.. if self.mode.charset != Charset::Utf8 => {
                    return fail(self.at, "a variable's name past ASCII without quotes");
                }
                _ => self.skip_word(),
            }
            if self.peek(0) >= 0x80 {
                return fail(self.at, "a variable's name past ASCII without quotes");
            }
            if self.peek(0) == b'.' && (is_word(self.peek(1)) || self.peek(1) >= 0x80 || self.peek(1) == b'`') {
                self.at += 1;
            } else {
                return Ok(TokenKind::Variable);
            }
        }
    }

    /// A word may start with digits (`1st`), but not be digits alone; `1e5` is a number, `1e5x` too short to
    /// matter: the servers read it as an identifier, and so does this.
    fn number_or_word(&mut self, before: &[Token]) -> TokenKind {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_digit());
        let all_digits_end = self.at;
        if follows_name(self.text, before) {
            self.skip_word();
            return TokenKind::Word;
        }
        if self.text[start] == b'0' && all_digits_end == start + 1 && matches!(self.peek(0), b'x' | b'b') {
            let hex = self.peek(0) == b'x';
            self.skip_word();
            let digits = &self.text[all_digits_end + 1..self.at];
            let good = !digits.is_empty()
                && digits.iter().all(|b| if hex { b.is_ascii_hexdigit() } else { matches!(b, b'0' | b'1') });
            return if good { TokenKind::Number } else { TokenKind::Word };
        }
        let fraction = self.peek(0) == b'.';
        if fraction {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                let mark = self.at;
                self.at += 1 + sign;
                self.skip_while(|byte| byte.is_ascii_digit());
                if sign == 0 && !fraction && self.word_char_len() > 0 {
                    self.at = mark;
                } else {
                    return TokenKind::Number;
                }
            }
        }
        if !fraction && self.word_char_len() > 0 {
            self.skip_word();
            return TokenKind::Word;
        }
        TokenKind::Number
    }

    fn punct(&mut self) -> TokenKind {
        const LONG: [&[u8]; 14] =
            [b"<=>", b"->>", b"<=", b">=", b"<>", b"!=", b"<<", b">>", b"||", b"&&", b":=", b"->", b"{", b"}"];
        let rest = &self.text[self.at..];
        let len = LONG.iter().find(|long| rest.starts_with(long)).map_or(1, |long| long.len());
        self.at += len;
        TokenKind::Punct
    }
}

/// Whether the byte at hand comes right after `name.`: there, digits belong to a name (`t.1st`).
fn follows_name(text: &[u8], before: &[Token]) -> bool {
    matches!(before, [.., name, dot]
        if text[dot.span.clone()] == *b"." && is_name(name))
}

fn fail<T>(offset: usize, reason: &'static str) -> Result<T, LexError> {
    Err(LexError { offset, reason })
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

fn is_white(byte: u8, charset: Charset) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C) || (byte >= 0x80 && charset.is_white(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn maria() -> LexMode {
        LexMode::of_server(ServerKind::MariaDb, 101_118)
    }

    fn mysql() -> LexMode {
        LexMode::of_server(ServerKind::MySql, 90_704)
    }

    fn shown(text: &str, mode: LexMode) -> Vec<(TokenKind, String)> {
        lex(text.as_bytes(), mode)
            .unwrap()
            .into_iter()
            .filter(|token| token.kind != TokenKind::White)
            .map(|token| (token.kind, text[token.span].to_owned()))
            .collect()
    }

    fn words(text: &str, mode: LexMode) -> Vec<String> {
        shown(text, mode).into_iter().filter(|(kind, _)| *kind == TokenKind::Word).map(|(_, text)| text).collect()
    }

    proptest! {
        #[test]
        fn tokens_tile_any_text(text in proptest::collection::vec(any::<u8>(), 0..60), maria_db: bool, ansi: bool) {
            let mode = LexMode { ansi_quotes: ansi, ..if maria_db { maria() } else { mysql() } };
            if let Ok(tokens) = lex(&text, mode) {
                let mut at = 0;
                for token in tokens {
                    prop_assert_eq!(token.span.start, at);
                    prop_assert!(token.span.end > at);
                    at = token.span.end;
                }
                prop_assert_eq!(at, text.len());
            }
        }

        #[test]
        fn tokens_tile_sql_like_text(text in "[a-z0-9'\"`@#/*!+. ;\\\\?=<>-]{0,40}") {
            if let Ok(tokens) = lex(text.as_bytes(), mysql()) {
                prop_assert_eq!(tokens.iter().map(|token| token.span.len()).sum::<usize>(), text.len());
            }
        }
    }

    #[test]
    fn versioned_comments_are_text_where_the_server_reads_them() {
        assert_eq!(words("a /*!50000 b */ c", mysql()), ["a", "b", "c"]);
        assert_eq!(words("a /*!50000 b */ c", maria()), ["a", "b", "c"]);
        assert_eq!(words("a /*!80000 b */ c", mysql()), ["a", "b", "c"]);
        assert_eq!(words("a /*!80000 b */ c", maria()), ["a", "c"], "80000 names a MySQL version");
        assert_eq!(words("a /*!100100 b */ c", maria()), ["a", "b", "c"]);
        assert_eq!(words("a /*!99999 b /* x */ y */ c", mysql()), ["a", "c"]);
        assert_eq!(words("a /*M! b */ c", maria()), ["a", "b", "c"]);
        assert_eq!(words("a /*M! b */ c", mysql()), ["a", "c"]);
        assert_eq!(words("a /*! b */ c", maria()), ["a", "b", "c"]);
    }

    #[test]
    fn quotes_and_backslashes_follow_the_mode() {
        let backslash = LexMode { no_backslash_escapes: true, ..mysql() };
        assert_eq!(shown(r"'a\' b'", mysql()), [(TokenKind::String, r"'a\' b'".to_owned())]);
        assert_eq!(shown(r"'a\' b", backslash)[1], (TokenKind::Word, "b".to_owned()));
        let ansi = LexMode { ansi_quotes: true, ..mysql() };
        assert_eq!(shown("\"a\"\"b\"", ansi), [(TokenKind::QuotedName, "\"a\"\"b\"".to_owned())]);
        assert_eq!(shown("\"a\"", mysql()), [(TokenKind::String, "\"a\"".to_owned())]);
        assert_eq!(shown("'it''s'", mysql()).len(), 1);
        assert!(lex(b"'open", mysql()).is_err());
    }

    #[test]
    fn numbers_and_names_share_digits() {
        assert_eq!(words("t.1st + 1st + a.e1", mysql()), ["t", "1st", "1st", "a", "e1"]);
        for number in ["1", "1.5", ".5", "1e5", "1.e-3", "0x1F", "0b01", "x'41'", "b'01'"] {
            assert_eq!(shown(number, mysql()), [(TokenKind::Number, number.to_owned())], "{number}");
        }
        assert_eq!(words("0b2 0xg 1e5x", mysql()), ["0b2", "0xg", "1e5x"]);
    }

    #[test]
    fn dashes_and_variables() {
        assert_eq!(words("a -- b\n c", mysql()), ["a", "c"]);
        assert_eq!(words("a--b", mysql()), ["a", "b"]);
        assert_eq!(words("a # b", mysql()), ["a"]);
        let variable = shown("@@session.`x y`, @'a b', @c", mysql());
        assert_eq!(variable.iter().filter(|(kind, _)| *kind == TokenKind::Variable).count(), 3);
    }

    #[test]
    fn characters_of_multi_byte_charsets_hide_no_quote() {
        let gbk = LexMode { charset: Charset::named("gbk"), ..mysql() };
        let kinds = |text: &[u8], mode| -> Option<Vec<TokenKind>> {
            Some(lex(text, mode).ok()?.into_iter().map(|token| token.kind).collect())
        };
        assert_eq!(kinds(b"'\xBF\x5C'", gbk), Some(vec![TokenKind::String]), "no backslash");
        assert_eq!(kinds(b"'\xBF\x27", gbk), Some(vec![TokenKind::String]), "no character");
        assert_eq!(kinds(b"'\x5C\xBF\x5C''", gbk), Some(vec![TokenKind::String]), "each behind a backslash");
        assert_eq!(kinds(b"`\x81\x60`", gbk), Some(vec![TokenKind::QuotedName]));
        assert_eq!(kinds(b"a\xBF\x5Cb", gbk), Some(vec![TokenKind::Word]));
        assert_eq!(kinds(b"a\xBF'b'", gbk), None, "the servers differ");
        assert_eq!(kinds(b"'\xBF\x5C'", mysql()), None);
    }

    #[test]
    fn bytes_past_ascii_may_be_white_or_nothing() {
        let latin1 = LexMode { charset: Charset::named("latin1"), ..mysql() };
        let words = |text: &[u8]| lex(text, latin1).map(|tokens| tokens.len()).ok();
        assert_eq!(words(b"SELECT\xA0gr\xF6\xDFe"), Some(3));
        assert_eq!(words(b"a\xD7b"), None);
        assert_eq!(words(b"1--\xE9"), None);
        assert_eq!(words(b"@\xE9"), None);
        let unknown = LexMode { charset: Charset::named("swe7"), ..mysql() };
        assert!(lex(b"SELECT 1", unknown).is_err());
    }
}
