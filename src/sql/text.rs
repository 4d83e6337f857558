//! A statement's text with its significant tokens, and the questions that one asks of tokens: which keyword,
//! which name, where the matching parenthesis is.

use std::ops::Range;

use super::lex::{LexError, LexMode, Token, TokenKind, lex};

/// A text and its tokens without white space, comments and hints.
#[derive(Debug)]
pub struct Text<'a> {
    /// The text as the client sent it.
    pub bytes: &'a [u8],
    /// How it was lexed.
    pub mode: LexMode,
    tokens: Vec<Token>,
}

impl<'a> Text<'a> {
    /// Lexes `bytes`.
    pub fn new(bytes: &'a [u8], mode: LexMode) -> Result<Self, LexError> {
        let mut tokens = lex(bytes, mode)?;
        tokens.retain(|token| {
            !matches!(token.kind, TokenKind::White | TokenKind::Comment | TokenKind::CommentMark | TokenKind::Hint)
        });
        let is_name = |token: &&Token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName);
        let odd = tokens.iter().filter(is_name).find(|token| mode.charset.decode(&bytes[token.span.clone()]).is_none());
        if let Some(token) = odd {
            return Err(LexError {
                offset: token.span.start,
                reason: "a name in characters that cannot be compared with certainty",
            });
        }
        Ok(Self { bytes, mode, tokens })
    }

    /// How many significant tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no significant token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The kind of token `index`, if there is one.
    pub fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// The bytes that token `index` spans; past the end, an empty span at the end of the text.
    pub fn span(&self, index: usize) -> Range<usize> {
        self.tokens.get(index).map_or(self.bytes.len()..self.bytes.len(), |token| token.span.clone())
    }

    /// The token's bytes; empty past the end.
    pub fn raw(&self, index: usize) -> &'a [u8] {
        &self.bytes[self.span(index)]
    }

    /// Whether token `index` is this unquoted word, whatever its case.
    pub fn is_word(&self, index: usize, word: &str) -> bool {
        self.kind(index) == Some(TokenKind::Word) && self.raw(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether token `index` is one of these unquoted words.
    pub fn is_any_word(&self, index: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(index, word))
    }

    /// Whether the tokens from `index` on are these unquoted words.
    pub fn are_words(&self, index: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.is_word(index + ahead, word))
    }

    /// Whether token `index` is this punctuation.
    pub fn is_punct(&self, index: usize, punct: &str) -> bool {
        self.kind(index) == Some(TokenKind::Punct) && self.raw(index) == punct.as_bytes()
    }

    /// The identifier that token `index` spells, quotes taken off, or none where it is no word or quoted name.
    pub fn name(&self, index: usize) -> Option<String> {
        let kind = self.kind(index)?;
        if !matches!(kind, TokenKind::Word | TokenKind::QuotedName) {
            return None;
        }
        let written = self.mode.charset.decode(self.raw(index))?;
        if kind == TokenKind::Word {
            return Some(written.into_owned());
        }
        let quote = written.get(..1)?;
        Some(written.get(1..written.len() - 1)?.replace(&quote.repeat(2), quote))
    }

    /// The index of the first token that starts at or after byte `offset`.
    pub fn at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.span.start < offset)
    }

    /// The index of the parenthesis that closes the one at `open`.
    pub fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for index in open..self.len() {
            if self.is_punct(index, "(") {
                depth += 1;
            } else if self.is_punct(index, ")") {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
        }
        None
    }

    /// The index of the innermost parenthesis that is open at token `index`.
    pub fn enclosing(&self, index: usize) -> Option<usize> {
        let mut depth = 0usize;
        for before in (0..index).rev() {
            if self.is_punct(before, ")") {
                depth += 1;
            } else if self.is_punct(before, "(") {
                if depth == 0 {
                    return Some(before);
                }
                depth -= 1;
            }
        }
        None
    }

    /// The first token from `from` up to `end` that stands outside parentheses opened since `from` and fits.
    pub fn find_outside(&self, from: usize, end: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut depth = 0usize;
        for index in from..end {
            if self.is_punct(index, ")") {
                depth = depth.checked_sub(1)?;
            } else if depth == 0 && fits(index) {
                return Some(index);
            }
            if self.is_punct(index, "(") {
                depth += 1;
            }
        }
        None
    }

    /// Cuts the tokens `from..end` at commas outside parentheses; an empty range gives no piece.
    pub fn split_commas(&self, from: usize, end: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut start = from;
        while start < end {
            let comma = self.find_outside(start, end, |index| self.is_punct(index, ",")).unwrap_or(end);
            pieces.push(start..comma);
            start = comma + 1;
        }
        pieces
    }

    /// The bytes that a range of tokens spans, white space at the ends left out.
    pub fn bytes_of(&self, tokens: Range<usize>) -> Range<usize> {
        if tokens.is_empty() {
            let at = self.span(tokens.start).start;
            return at..at;
        }
        self.span(tokens.start).start..self.span(tokens.end - 1).end
    }
}
