//! What an assignment to an older column writes: the kept column, the newer columns, or both.
//!
//! Assignments run left to right on both servers (UPDATE of one table, ON DUPLICATE KEY UPDATE), so a kept column
//! is written first and the forward expressions read it: the value is computed once and has the older column's type.

use super::{
    column::{clause_of, fill, qualify, read, same, tag_raises},
    refusal::{self, Stop},
    statement::{Resolution, Statement, Target, quote},
};
use crate::{
    rules::{ColumnSource, Family, Group, Lossiness, cast, checked_cast, family, raise},
    schema::Column,
    sql::{Charset, Piece, ServerKind, TokenKind, scope::Name},
};

/// Where an assignment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// UPDATE of one table.
    Update,
    /// UPDATE of several tables: no order of evaluation is promised.
    MultiUpdate,
    /// ON DUPLICATE KEY UPDATE.
    Duplicate,
}

/// One assignment of the client's.
#[derive(Debug)]
pub struct Assignment {
    /// The older column.
    pub column: String,
    /// The column as the client wrote it, with its qualifiers.
    pub written: String,
    /// The value's tokens.
    pub value: std::ops::Range<usize>,
}

/// The assignments, as pieces without commas, that stand for the client's one.
pub fn translate(
    statement: &Statement<'_>,
    target: &Target<'_>,
    assignment: &Assignment,
    place: Place,
) -> Result<Vec<Vec<Piece>>, Stop> {
    let schema = statement.mapping.schema.table(&target.table.name);
    let column = schema.and_then(|table| table.column(&assignment.column));
    let (Some(column), Some(mapped)) = (column, target.table.column(&assignment.column)) else {
        let place = clause_of(statement, statement.text.span(assignment.value.start).start);
        return Err(refusal::unknown_column(&assignment.written, place));
    };
    // MariaDB says it when an UPDATE is prepared; elsewhere it comes when the statement is executed.
    let at_prepare = place != Place::Duplicate && statement.facts.lex.server == ServerKind::MariaDb;
    let has_none = is_default(statement, &assignment.value) && default_of(column).is_none();
    if has_none && at_prepare && statement.is_strict() {
        return Err(refusal::no_default(&column.name));
    }
    let value = value_pieces(statement, target, column, assignment.value.clone())?;
    let left = |name: &str| if place == Place::Duplicate { quote(name) } else { qualify(target, name) };
    match &mapped.source {
        ColumnSource::Direct(newer) => {
            let value = if is_default(statement, &assignment.value) && !same_default(statement, target, column, newer) {
                vec![Piece::text(default_or_raise(statement, target, column)?)]
            } else {
                vec![Piece::Source(statement.text.bytes_of(assignment.value.clone()))]
            };
            Ok(vec![assign(&left(newer), value)])
        }
        ColumnSource::Discarded(_) => Ok(Vec::new()),
        ColumnSource::Computed { group, .. } => {
            let group = &target.table.groups[*group];
            refuse_null(statement, column, &assignment.value)?;
            refuse_number(statement, column, &assignment.value)?;
            let once = needs_one_evaluation(statement, target, group, assignment);
            let write = Write { statement, target, group, column, value, left: &left };
            match group.lossiness {
                // The parts of a merged value need their neighbours' values from before, in a fixed order.
                Lossiness::Keep if (once || group.columns.len() > 1) && place == Place::MultiUpdate => {
                    let reason = format!("the value for {} in an UPDATE of several tables", column.name);
                    Err(refusal::VOLATILE.because(reason))
                }
                Lossiness::Keep if once || group.columns.len() > 1 => Ok(write.through_kept()),
                Lossiness::Keep => Ok(write.beside_kept()),
                Lossiness::Bijective | Lossiness::Discard if once && !may_repeat(statement, group, assignment) => {
                    Err(refusal::VOLATILE.because(format!("the value for {}", column.name)))
                }
                Lossiness::Bijective => Ok(write.forward_only(false)),
                Lossiness::Discard => Ok(write.forward_only(true)),
            }
        }
    }
}

/// A value that reads its own group may be written several times as long as nothing in it changes by itself, and
/// only one newer column is written: the second one would read what the first left.
fn may_repeat(statement: &Statement<'_>, group: &Group, assignment: &Assignment) -> bool {
    group.writes.len() == 1 && !statement.is_volatile(assignment.value.clone())
}

struct Write<'s, 'a, L: Fn(&str) -> String> {
    statement: &'s Statement<'a>,
    target: &'s Target<'a>,
    group: &'s Group,
    column: &'s Column,
    value: Vec<Piece>,
    left: &'s L,
}

impl<L: Fn(&str) -> String> Write<'_, '_, L> {
    /// The value is stored first, and everything else reads it from there.
    fn through_kept(&self) -> Vec<Vec<Piece>> {
        let mut assignments = Vec::new();
        for other in self.others() {
            assignments.push(assign(&(self.left)(&self.kept(other)), vec![Piece::text(read(self.target, other))]));
        }
        let kept = self.kept(&self.column.name);
        assignments.push(assign(&(self.left)(&kept), self.not_null(self.value.clone())));
        let unchanged: Vec<String> = self
            .group
            .columns
            .iter()
            .zip(&self.group.backward)
            .filter_map(|(name, backward)| {
                let column = self.older(name)?;
                let kept = qualify(self.target, &self.kept(name));
                let backward = backward.render(|newer| qualify(self.target, newer));
                Some(text_of(same(vec![Piece::text(kept)], &backward, column)))
            })
            .collect();
        for write in &self.group.writes {
            let forward = write.forward.render(|name| qualify(self.target, &self.kept(name)));
            let forward = self.tagged(&forward);
            let newer = qualify(self.target, &write.column);
            let value = format!("IF({}, {newer}, {forward})", unchanged.join(" AND "));
            assignments.push(assign(&(self.left)(&write.column), vec![Piece::text(value)]));
        }
        assignments
    }

    /// The value is written several times; where it equals what the older version reads, nothing changes at all.
    ///
    /// For a group of one column only. Each guard reads what the assignments before it left, and that is right: if
    /// the value was unchanged, nothing was written yet; if not, the kept column holds it, and a guard that is true
    /// then says that the newer columns already mean this value.
    fn beside_kept(&self) -> Vec<Vec<Piece>> {
        let unchanged = self.unchanged(&read(self.target, &self.column.name));
        let unless = |old: String, new: Vec<Piece>| {
            let mut pieces = vec![Piece::text("IF(")];
            pieces.extend(unchanged.clone());
            pieces.push(Piece::text(format!(", {old}, ")));
            pieces.extend(new);
            pieces.push(Piece::text(")"));
            pieces
        };
        let mut assignments = Vec::new();
        let kept = self.kept(&self.column.name);
        let value = self.not_null(self.value.clone());
        // IF() over a FLOAT column and a text would print the float with six digits.
        let value = match family(self.column) {
            Family::Float => value,
            _ => unless(qualify(self.target, &kept), value),
        };
        assignments.push(assign(&(self.left)(&kept), value));
        for write in &self.group.writes {
            let forward = self.forward(&write.forward, |name| {
                if name.eq_ignore_ascii_case(&self.column.name) {
                    fill(|hole| cast(hole, self.column), &self.parenthesised())
                } else {
                    vec![Piece::text(qualify(self.target, &self.kept(name)))]
                }
            });
            let value = unless(qualify(self.target, &write.column), forward);
            assignments.push(assign(&(self.left)(&write.column), value));
        }
        assignments
    }

    /// Nothing is kept: the newer columns get the forward expressions of the value.
    fn forward_only(&self, guard: bool) -> Vec<Vec<Piece>> {
        let checked = fill(|hole| self.tagged(&checked_cast(hole, self.column)), &self.parenthesised());
        let mut assignments = Vec::new();
        for write in &self.group.writes {
            let mut value = self.forward(&write.forward, |name| {
                if name.eq_ignore_ascii_case(&self.column.name) {
                    checked.clone()
                } else {
                    vec![Piece::text(read(self.target, name))]
                }
            });
            if guard {
                let mut guarded = vec![Piece::text("IF(")];
                guarded.extend(self.unchanged(&read(self.target, &self.column.name)));
                guarded.push(Piece::text(format!(", {}, ", qualify(self.target, &write.column))));
                guarded.extend(value);
                guarded.push(Piece::text(")"));
                value = guarded;
            }
            assignments.push(assign(&(self.left)(&write.column), value));
        }
        assignments
    }

    fn unchanged(&self, current: &str) -> Vec<Piece> {
        same(fill(|hole| cast(hole, self.column), &self.parenthesised()), current, self.column)
    }

    fn forward(&self, template: &crate::rules::Template, put: impl Fn(&str) -> Vec<Piece>) -> Vec<Piece> {
        splice(template, put).into_iter().map(|piece| self.tagged_piece(piece)).collect()
    }

    fn tagged_piece(&self, piece: Piece) -> Piece {
        match piece {
            Piece::Text(text) => Piece::Text(self.tagged(&text)),
            source @ Piece::Source(_) => source,
        }
    }

    fn tagged(&self, text: &str) -> String {
        tag_raises(self.statement, self.target.table, &self.column.name, text)
    }

    fn parenthesised(&self) -> Vec<Piece> {
        parenthesise(&self.value)
    }

    fn others(&self) -> impl Iterator<Item = &str> {
        self.group.columns.iter().map(String::as_str).filter(|name| !name.eq_ignore_ascii_case(&self.column.name))
    }

    fn kept(&self, name: &str) -> String {
        kept_of(self.group, name)
    }

    fn older(&self, name: &str) -> Option<&Column> {
        self.statement.mapping.schema.table(&self.target.table.name)?.column(name)
    }

    fn not_null(&self, value: Vec<Piece>) -> Vec<Piece> {
        not_null(self.statement, self.target, self.column, value)
    }
}

/// A template with pieces in place of its columns.
pub fn splice(template: &crate::rules::Template, put: impl Fn(&str) -> Vec<Piece>) -> Vec<Piece> {
    template
        .parts
        .iter()
        .flat_map(|part| match part {
            crate::rules::TemplatePart::Text(text) => vec![Piece::text(text)],
            crate::rules::TemplatePart::Column(name) => put(name),
        })
        .collect()
}

/// The kept column of an older one.
pub fn kept_of(group: &Group, name: &str) -> String {
    let kept = group.kept.iter().find(|kept| kept.column.eq_ignore_ascii_case(name));
    kept.map_or_else(|| name.to_owned(), |kept| kept.physical.clone())
}

/// A kept column takes NULL, the older column may not: an expression that could be NULL raises the error.
pub fn not_null(statement: &Statement<'_>, target: &Target<'_>, column: &Column, value: Vec<Piece>) -> Vec<Piece> {
    if column.nullable || is_constant(statement, &value) {
        return value;
    }
    let mut pieces = vec![Piece::text("COALESCE(")];
    pieces.extend(value);
    pieces.push(Piece::text(format!(", {})", null_raise(statement, target, column))));
    pieces
}

/// The expression that raises the error of a NULL for an older column.
pub fn null_raise(statement: &Statement<'_>, target: &Target<'_>, column: &Column) -> String {
    let raised = cast(&raise::raise(raise::NULL_NOT_ALLOWED), column);
    tag_raises(statement, target.table, &column.name, &raised)
}

fn is_constant(statement: &Statement<'_>, value: &[Piece]) -> bool {
    match value {
        [Piece::Source(range)] => {
            let index = statement.text.at(range.start);
            statement.text.span(index).end == range.end
                && matches!(statement.text.kind(index), Some(TokenKind::String | TokenKind::Number))
        }
        [Piece::Text(text)] => !text.eq_ignore_ascii_case("NULL"),
        _ => false,
    }
}

/// NULL for a column that does not take it: where the mode is strict, the value raises the error; elsewhere the server
/// would put in a value of its own.
pub fn refuse_null(statement: &Statement<'_>, column: &Column, value: &std::ops::Range<usize>) -> Result<(), Stop> {
    if column.nullable || value.len() != 1 || !statement.text.is_word(value.start, "NULL") {
        return Ok(());
    }
    if statement.is_strict() {
        return Ok(());
    }
    Err(refusal::DEFAULTS.because(format!("NULL for {} in a mode that is not strict", column.name)))
}

/// A number for an ENUM is the number of its member, which is stored nowhere; and a DOUBLE that becomes an integer is
/// rounded half to even, which no expression does for every type of value.
pub fn refuse_number(statement: &Statement<'_>, column: &Column, value: &std::ops::Range<usize>) -> Result<(), Stop> {
    refuse_mixed(statement, column, value)?;
    let is_number = value.len() == 1 && statement.text.kind(value.start) == Some(TokenKind::Number);
    let raw = statement.text.raw(value.start);
    let is_double = is_number
        && raw[0].is_ascii_digit()
        && raw.iter().any(|byte| matches!(byte, b'e' | b'E'))
        && !raw.starts_with(b"0x");
    if is_double && family(column) == Family::Integer {
        return Err(refusal::COMPUTED_TARGET.because(format!("a DOUBLE for the integer {}", column.name)));
    }
    if is_number && matches!(family(column), Family::Enum | Family::Set) {
        return Err(refusal::COMPUTED_TARGET.because(format!("the number of a member of {}", column.name)));
    }
    Ok(())
}

/// MySQL takes the text that an expression over ASCII and other literals gives for ASCII, and what is converted from it
/// to NULL: `CONVERT(CONCAT('a', 'é') USING utf8mb4)` on a latin1 connection.
fn refuse_mixed(statement: &Statement<'_>, column: &Column, value: &std::ops::Range<usize>) -> Result<(), Stop> {
    let lex = statement.facts.lex;
    let is_text = matches!(family(column), Family::Text | Family::Enum | Family::Set);
    if lex.server == ServerKind::MariaDb || lex.charset == Charset::Utf8 || value.len() <= 1 || !is_text {
        return Ok(());
    }
    let of_kind = |kind: TokenKind| value.clone().filter(move |&index| statement.text.kind(index) == Some(kind));
    let is_past_ascii = of_kind(TokenKind::String).any(|index| !statement.text.raw(index).is_ascii());
    let may_be = is_past_ascii || of_kind(TokenKind::Placeholder).next().is_some();
    if may_be && of_kind(TokenKind::String).count() + of_kind(TokenKind::Placeholder).count() > 1 {
        let reason = format!("an expression over texts past ASCII for {}; send its value", column.name);
        return Err(refusal::CHARSET.because(reason));
    }
    Ok(())
}

/// The value's pieces: the client's own text, or the older column's default for the word DEFAULT.
pub fn value_pieces(
    statement: &Statement<'_>,
    target: &Target<'_>,
    column: &Column,
    value: std::ops::Range<usize>,
) -> Result<Vec<Piece>, Stop> {
    if is_default(statement, &value) {
        return Ok(vec![Piece::text(default_or_raise(statement, target, column)?)]);
    }
    Ok(vec![Piece::Source(statement.text.bytes_of(value))])
}

/// Whether a value is the word DEFAULT.
pub fn is_default(statement: &Statement<'_>, value: &std::ops::Range<usize>) -> bool {
    value.len() == 1 && statement.text.is_word(value.start, "DEFAULT")
}

/// The default of an older column; one that has none raises the error, where the mode is strict.
pub fn default_or_raise(statement: &Statement<'_>, target: &Target<'_>, column: &Column) -> Result<String, Stop> {
    if let Some(default) = default_of(column) {
        return Ok(default);
    }
    if !statement.is_strict() {
        return Err(refusal::DEFAULTS.because(format!("{} has no default and the mode is not strict", column.name)));
    }
    Ok(tag_raises(statement, target.table, &column.name, &cast(&raise::raise(raise::NO_DEFAULT), column)))
}

/// What an older column holds where nothing is given.
pub fn default_of(column: &Column) -> Option<String> {
    column.default.clone().or_else(|| column.nullable.then(|| "NULL".to_owned()))
}

/// Whether the newer column has the same default by itself.
pub fn same_default(statement: &Statement<'_>, target: &Target<'_>, column: &Column, newer: &str) -> bool {
    let physical = statement.mapping.physical.table(&target.table.physical);
    physical.and_then(|table| table.column(newer)).is_some_and(|newer| default_of(newer) == default_of(column))
}

/// A value in parentheses, so that it can stand anywhere.
pub fn parenthesise(value: &[Piece]) -> Vec<Piece> {
    let mut pieces = vec![Piece::text("(")];
    pieces.extend_from_slice(value);
    pieces.push(Piece::text(")"));
    pieces
}

fn needs_one_evaluation(
    statement: &Statement<'_>,
    target: &Target<'_>,
    group: &Group,
    assignment: &Assignment,
) -> bool {
    let bytes = statement.text.bytes_of(assignment.value.clone());
    let reads_group = statement.blocks.columns.iter().any(|reference| {
        let Some(last) = reference.parts.last() else { return false };
        bytes.contains(&last.span.start)
            && !is_inserted_value(statement, last)
            && group.columns.iter().any(|column| last.is(column))
            && match statement.resolve(reference) {
                Resolution::Ambiguous(index) | Resolution::Column(index) | Resolution::Unsure(index) => {
                    statement.targets.get(&index).is_some_and(|other| other.table.name == target.table.name)
                }
                Resolution::Nothing => false,
            }
    });
    reads_group || statement.is_volatile(assignment.value.clone()) || statement.has_subquery(assignment.value.clone())
}

/// Whether a column stands in `VALUES(column)`, which is the inserted value and not the row's.
fn is_inserted_value(statement: &Statement<'_>, column: &Name) -> bool {
    let index = statement.text.at(column.span.start);
    index >= 2 && statement.text.is_punct(index - 1, "(") && statement.text.is_any_word(index - 2, &["VALUES", "VALUE"])
}

fn assign(left: &str, value: Vec<Piece>) -> Vec<Piece> {
    let mut pieces = vec![Piece::text(format!("{left} = "))];
    pieces.extend(value);
    pieces
}

fn text_of(pieces: Vec<Piece>) -> String {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Source(_) => String::new(),
        })
        .collect()
}
