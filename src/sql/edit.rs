//! Edits on a statement's own text: what is not edited stays byte for byte, so comments, hints, literals and
//! charset bytes survive.
//!
//! An edit replaces a range by pieces; a piece may be a range of the original again, with the edits inside that
//! range applied, so one value can be used twice and moved. Ranges nest or are disjoint.

use std::ops::Range;

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

    /// The edited text. `placeholders` are the offsets of the original's placeholders, ascending.
    pub fn apply(mut self, original: &[u8], placeholders: &[usize]) -> Edited {
        // At one place insertions come first, then the longest replacement, whose pieces hold the others.
        self.edits.sort_by_key(|edit| (edit.range.start, !edit.range.is_empty(), std::cmp::Reverse(edit.range.end)));
        let mut out = Edited { text: Vec::with_capacity(original.len() * 2), params: Vec::new() };
        self.render(original, placeholders, 0..original.len(), 0, &mut out);
        out
    }

    /// Writes `range`, with the edits from index `from` on that lie within it.
    fn render(&self, original: &[u8], placeholders: &[usize], range: Range<usize>, from: usize, out: &mut Edited) {
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
            copy(original, placeholders, at..edit.range.start, out);
            for piece in &edit.with {
                match piece {
                    Piece::Text(text) => out.text.extend_from_slice(text.as_bytes()),
                    Piece::Source(source) => {
                        self.render(original, placeholders, source.clone(), index + 1, out);
                    }
                }
            }
            at = edit.range.end;
        }
        copy(original, placeholders, at..range.end, out);
    }
}

fn copy(original: &[u8], placeholders: &[usize], range: Range<usize>, out: &mut Edited) {
    out.text.extend_from_slice(&original[range.clone()]);
    let first = placeholders.partition_point(|&offset| offset < range.start);
    let last = placeholders.partition_point(|&offset| offset < range.end);
    out.params.extend((first..last).filter_map(|index| u16::try_from(index).ok()));
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let edited = edits.apply(text, &[33]);
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
        let edited = edits.apply(text, &[1, 4]);
        assert_eq!(edited.text, b"(?, ?, f(?), 1)");
        assert_eq!(edited.params, [0, 1, 1]);
    }
}
