//! Edits on a statement's own text: what is not edited stays byte for byte, so comments, hints, literals and
//! charset bytes survive.
//!
//! An edit replaces a range by pieces; a piece may be a range of the original again, with the edits inside that
//! range applied, so one value can be used twice and moved. Ranges nest or are disjoint.

use std::{borrow::Cow, ops::Range};

use super::{
    charset::Charset,
    lex::{LexMode, ServerKind, TokenKind, lex},
};

/// What an edit puts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// New text.
    Text(String),
    /// This range of the original, edited.
    Source(Range<usize>),
}

impl Piece {
    /// New text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// The edits of one statement.
#[derive(Debug, Default)]
pub struct Edits {
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    with: Vec<Piece>,
}

/// New text that the client's character set cannot express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be written in the connection's character set")]
pub struct Unwritable(pub String);

/// How new text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writing {
    /// The charset of the original text.
    pub charset: Charset,
    /// Whether texts past `character_set_connection` need the introducer `_utf8mb4`.
    pub introduce: bool,
}

/// The edited text and where its placeholders come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: Vec<u8>,
    /// For each placeholder in `text`, the index of the original's placeholder.
    pub params: Vec<u16>,
}

impl Edits {
    /// Replaces `range`.
    pub fn replace(&mut self, range: Range<usize>, with: Vec<Piece>) {
        self.edits.push(Edit { range, with });
    }

    /// Replaces `range` by text.
    pub fn put(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.replace(range, vec![Piece::text(text)]);
    }

    /// Inserts at `offset`; several insertions at one place stand in the order of the calls.
    pub fn insert(&mut self, offset: usize, with: Vec<Piece>) {
        self.replace(offset..offset, with);
    }

    /// Whether an edit lies within `range`; an insertion at its border does not.
    pub fn touch(&self, range: &Range<usize>) -> bool {
        self.edits.iter().map(|edit| &edit.range).any(|edit| {
            let at_border = edit.is_empty() && (edit.start == range.start || edit.start == range.end);
            edit.start >= range.start && edit.end <= range.end && !at_border
        })
    }

    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edited text, with what is new written as `writing` says. `placeholders` are the offsets of the
    /// original's placeholders, ascending.
    pub fn apply(mut self, original: &[u8], placeholders: &[usize], writing: Writing) -> Result<Edited, Unwritable> {
        // At one place insertions come first, then the longest replacement, whose pieces hold the others.
        self.edits.sort_by_key(|edit| (edit.range.start, !edit.range.is_empty(), std::cmp::Reverse(edit.range.end)));
        let mut out = Edited { text: Vec::with_capacity(original.len() * 2), params: Vec::new() };
        let source = Source { bytes: original, placeholders, writing };
        self.render(source, 0..original.len(), 0, &mut out)?;
        Ok(out)
    }

    /// Writes `range`, with the edits from index `from` on that lie within it.
    fn render(&self, source: Source<'_>, range: Range<usize>, from: usize, out: &mut Edited) -> Result<(), Unwritable> {
        let mut at = range.start;
        for (index, edit) in self.edits.iter().enumerate().skip(from) {
            if edit.range.start > range.end {
                break;
            }
            // An insertion at the border of a copied range belongs to what surrounds it.
            let at_border = edit.range.is_empty() && (edit.range.start == range.start || edit.range.end == range.end);
            if edit.range.start < at || edit.range.end > range.end || (from > 0 && at_border) {
                continue;
            }
            source.copy(at..edit.range.start, out);
            for piece in &edit.with {
                match piece {
                    Piece::Text(text) => out.text.extend_from_slice(&source.written(text)?),
                    Piece::Source(copied) => self.render(source, copied.clone(), index + 1, out)?,
                }
            }
            at = edit.range.end;
        }
        source.copy(at..range.end, out);
        Ok(())
    }
}

/// The original text.
#[derive(Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    placeholders: &'a [usize],
    writing: Writing,
}

impl Source<'_> {
    fn copy(self, range: Range<usize>, out: &mut Edited) {
        out.text.extend_from_slice(&self.bytes[range.clone()]);
        let first = self.placeholders.partition_point(|&offset| offset < range.start);
        let last = self.placeholders.partition_point(|&offset| offset < range.end);
        out.params.extend((first..last).filter_map(|index| u16::try_from(index).ok()));
    }

    fn written(self, text: &str) -> Result<Vec<u8>, Unwritable> {
        let Writing { charset, introduce } = self.writing;
        let text = if introduce { introduced(text) } else { Cow::Borrowed(text) };
        charset.encode(&text).map(Cow::into_owned).ok_or_else(|| {
            let odd = text.split_whitespace().find(|word| charset.encode(word).is_none());
            Unwritable(odd.unwrap_or(&text).trim_matches(',').to_owned())
        })
    }
}

/// The text with an introducer before each string that has none and may have one.
fn introduced(text: &str) -> Cow<'_, str> {
    const TAKES_PLAIN_TEXT: [&str; 7] = ["->", "->>", "DATE", "TIME", "TIMESTAMP", "COLLATE", "SEPARATOR"];
    let Ok(mut tokens) = lex(text.as_bytes(), LexMode::of_server(ServerKind::MySql, 0)) else {
        return Cow::Borrowed(text);
    };
    tokens.retain(|token| token.kind != TokenKind::White);
    let before = |index: usize| index.checked_sub(1).map_or("", |index| &text[tokens[index].span.clone()]);
    let is_plain = |index: usize| {
        let before = before(index);
        tokens[index].kind == TokenKind::String
            && !before.starts_with(['_', '\''])
            && !TAKES_PLAIN_TEXT.iter().any(|word| word.eq_ignore_ascii_case(before))
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for start in (0..tokens.len()).filter(|&index| is_plain(index)).map(|index| tokens[index].span.start) {
        out.push_str(&text[at..start]);
        out.push_str("_utf8mb4");
        at = start;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Writing = Writing { charset: Charset::Utf8, introduce: false };

    #[test]
    fn nested_and_repeated_sources_keep_their_own_edits() {
        let text = b"SET full = UPPER(mail) WHERE x = ?";
        let mut edits = Edits::default();
        edits.put(17..21, "email");
        let value = Piece::Source(11..22);
        edits.replace(
            4..22,
            vec![Piece::text("a = "), value.clone(), Piece::text(", b = LENGTH("), value, Piece::text(")")],
        );
        let edited = edits.apply(text, &[33], PLAIN).unwrap();
        assert_eq!(
            String::from_utf8(edited.text).unwrap(),
            "SET a = UPPER(email), b = LENGTH(UPPER(email)) WHERE x = ?"
        );
        assert_eq!(edited.params, [0]);
    }

    #[test]
    fn insertions_at_one_place_keep_their_order_and_copies_repeat_placeholders() {
        let text = b"(?, ?)";
        let mut edits = Edits::default();
        edits.insert(5, vec![Piece::text(", f("), Piece::Source(4..5), Piece::text(")")]);
        edits.insert(5, vec![Piece::text(", 1")]);
        let edited = edits.apply(text, &[1, 4], PLAIN).unwrap();
        assert_eq!(edited.text, b"(?, ?, f(?), 1)");
        assert_eq!(edited.params, [0, 1, 1]);
    }
    #[test]
    fn new_text_is_in_the_charset_of_the_original() {
        let edited = |charset: &str, text: &str| {
            let mut edits = Edits::default();
            edits.put(7..11, text);
            edits
                .apply(b"SELECT name FROM t", &[], Writing { charset: Charset::named(charset), introduce: false })
                .map(|edited| edited.text)
        };
        assert_eq!(edited("latin1", "`größe`"), Ok(b"SELECT `gr\xF6\xDFe` FROM t".to_vec()));
        assert_eq!(edited("sjis", "`表`"), Ok(b"SELECT `\x95\x5C` FROM t".to_vec()));
        assert_eq!(edited("gbk", "a, `größe`"), Err(Unwritable("`größe`".to_owned())));
    }

    #[test]
    fn texts_are_introduced_where_the_connection_would_read_them_otherwise() {
        for (text, expected) in [
            ("CASE a WHEN 'x' THEN 'y''z' END", "CASE a WHEN _utf8mb4'x' THEN _utf8mb4'y''z' END"),
            ("CONCAT('', _utf8mb4 X'C3A9', _latin1'a')", "CONCAT(_utf8mb4'', _utf8mb4 X'C3A9', _latin1'a')"),
            ("DATE '2024-01-01' + `a'b`", "DATE '2024-01-01' + `a'b`"),
        ] {
            assert_eq!(introduced(text), expected);
        }
    }
}
