//! The end of a step: the working tables are held against the newer schema and become table mappings.

use super::{
    collation::typed,
    step::{Origin, Step, WorkingColumn, WorkingGroup, WorkingTable},
};
use crate::{
    rules::{
        AddedColumn, ColumnMapping, ColumnSource, Group, Kept, Lossiness, PhysicalWrite, TableMapping, Template,
        cast::{Family, cast_template, family},
        diagnostic::{Findings, Span},
    },
    schema::{Column, Key, Table},
    sql::{LexMode, ServerKind, Token, TokenKind, lex},
};

/// The mappings of all tables that changed, sorted by name. `at` is where a mistake is put that belongs to no
/// change: the newer version's name.
pub fn finish(step: &Step<'_>, findings: &mut Findings<'_>, at: Span) -> Vec<TableMapping> {
    let mut tables: Vec<TableMapping> = step
        .tables
        .iter()
        .filter_map(|working| {
            let older = step.older.table(&working.older)?;
            let Some(newer) = step.newer.table(&working.name) else {
                missing_table(step, working, findings, at);
                return None;
            };
            let end = End { step, working, older, newer, at };
            end.check(findings);
            let mapping = end.mapping();
            end.is_changed(&mapping).then_some(mapping)
        })
        .collect();
    tables.sort_by_key(|table| table.name.to_ascii_lowercase());
    tables
}

fn missing_table(step: &Step<'_>, working: &WorkingTable, findings: &mut Findings<'_>, at: Span) {
    let message = format!("table `{}` of {} is not in {}'s schema", working.name, step.older_name, step.newer_name);
    let help = match working.named_at {
        Some(_) => format!("capture {}'s schema again, or correct the name", step.newer_name),
        None => format!(
            "add `rename_table: {{from: {}, to: …}}`; drop_table is not supported by this release",
            working.name
        ),
    };
    findings.add(working.named_at.unwrap_or(at), message, help);
}

/// A working table after the last change, and the two real ones.
struct End<'e> {
    step: &'e Step<'e>,
    working: &'e WorkingTable,
    older: &'e Table,
    newer: &'e Table,
    at: Span,
}

impl End<'_> {
    fn check(&self, findings: &mut Findings<'_>) {
        for working in &self.working.columns {
            match self.newer.column(&working.name) {
                None => self.missing_column(findings, working),
                Some(newer) => self.check_column(findings, working, newer),
            }
        }
        let kept = self.working.groups.iter().flat_map(|group| &group.kept);
        let names: Vec<&str> = kept.map(|kept| kept.value.as_str()).collect();
        for newer in &self.newer.columns {
            let known = self.working.position(&newer.name).is_some();
            if !known && !names.iter().any(|kept| kept.eq_ignore_ascii_case(&newer.name)) {
                let message = format!(
                    "`{}.{}` is new in {}, and no change says so",
                    self.newer.name, newer.name, self.step.newer_name
                );
                let help = format!("add `add_column: {{table: {}, column: {}}}`", self.newer.name, newer.name);
                findings.add(self.at, message, help);
            }
        }
        for group in &self.working.groups {
            self.check_kept(findings, group);
        }
        for (index, kept) in self.working.groups.iter().flat_map(|group| &group.kept).enumerate() {
            if names[..index].iter().any(|name| name.eq_ignore_ascii_case(&kept.value)) {
                let message = format!("two columns are kept as `{}`", kept.value);
                findings.add(kept.span, message, "give each a name of its own: `keep: {as: …}`");
            }
        }
    }

    fn missing_column(&self, findings: &mut Findings<'_>, working: &WorkingColumn) {
        let (table, newer) = (&self.newer.name, self.step.newer_name);
        if let Some(span) = working.named_at {
            let message = format!("`{table}.{}` is not in {newer}'s schema", working.name);
            findings.add(span, message, format!("capture {newer}'s schema again, or correct the name"));
            return;
        }
        let message = format!(
            "`{table}.{}` of {} is not in {newer}'s schema, and no change says so",
            working.name, self.step.older_name
        );
        let help = format!("add `drop_column: {{table: {table}, column: {}, keep: true}}`", working.name);
        findings.add(self.at, message, help);
    }

    fn check_column(&self, findings: &mut Findings<'_>, working: &WorkingColumn, newer: &Column) {
        let span = working.named_at.unwrap_or(self.at);
        match &working.origin {
            Origin::Older(name) => {
                if let Some(older) = self.older.column(name) {
                    self.check_same(findings, span, older, newer);
                }
            }
            Origin::Added(value) => {
                let filled =
                    newer.nullable || newer.default.is_some() || newer.generated.is_some() || newer.is_auto_increment();
                if value.is_none() && !filled {
                    let message = format!(
                        "`{}.{}` is NOT NULL and has no default: an INSERT of {} could not fill it",
                        self.newer.name, newer.name, self.step.older_name
                    );
                    findings.add(span, message, "add `value: \"…\"`, or give the column a default");
                }
            }
            Origin::Group(_) => {
                if newer.generated.is_some() {
                    let message = format!(
                        "`{}.{}` is a generated column: nothing can be written there",
                        self.newer.name, newer.name
                    );
                    findings.add(span, message, "write the columns that it is computed from");
                }
            }
        }
    }

    /// An older column that no change touches must be the same on both sides.
    fn check_same(&self, findings: &mut Findings<'_>, span: Span, older: &Column, newer: &Column) {
        let (table, old, new) = (&self.newer.name, self.step.older_name, self.step.newer_name);
        let name = &newer.name;
        if newer.is_invisible() && !older.is_invisible() {
            let message =
                format!("`{table}.{name}` is invisible in {new}, as kept columns are, but no change keeps it");
            let help = format!(
                "add `drop_column: {{table: {table}, column: {name}, keep: true}}`, or the change that computes it"
            );
            findings.add(span, message, help);
        } else if let Some(difference) = type_difference(older, newer) {
            let message = format!("`{table}.{name}` differs: {} in {old}, {} in {new}", difference.0, difference.1);
            let help = format!(
                "add `change_column: {{table: {table}, column: {name}, forward: \"{name}\", backward: \"{name}\", keep: {{as: …}}}}`"
            );
            findings.add(span, message, help);
        } else if let Some((old_text, new_text)) = self.generation_difference(older, newer) {
            let message = format!("`{table}.{name}` is computed differently: {old_text} in {old}, {new_text} in {new}");
            findings.add(span, message, "an older version cannot see another value; give the new column a new name");
        } else if older.nullable != newer.nullable {
            let (kind, has) = if newer.nullable { ("drop_not_null", "nullable") } else { ("set_not_null", "NOT NULL") };
            let message =
                format!("`{table}.{name}` is {has} in {new} only: `{kind}` is known but not supported by this release");
            findings.add(span, message, format!("add a `change_column` for `{name}` that says what stands for NULL"));
        } else if attributes(older) != attributes(newer) {
            let show = |column: &Column| {
                let (default, extra) = attributes(column);
                let default = default.map_or_else(|| "no default".to_owned(), |default| format!("default {default}"));
                format!("{default} {extra}").trim_end().to_owned()
            };
            let message = format!(
                "`{table}.{name}` differs: {} in {old}, {} in {new}: `set_default` is known but not supported by this release",
                show(older),
                show(newer)
            );
            let help = format!(
                "give it the same default, or add `change_column: {{table: {table}, column: {name}, forward: \"{name}\", backward: \"{name}\", bijective: true}}`"
            );
            findings.add(span, message, help);
        }
    }

    /// The expressions of two generated columns, if they differ in more than renamed columns and spelling.
    fn generation_difference(&self, older: &Column, newer: &Column) -> Option<(String, String)> {
        let (old, new) = (older.generated.as_deref()?, newer.generated.as_deref()?);
        let renamed = |name: &str| self.working.untouched(name).map(|column| column.name.clone());
        let same = words(old, renamed) == words(new, |_| None);
        (!same).then(|| (old.to_owned(), new.to_owned()))
    }

    fn check_kept(&self, findings: &mut Findings<'_>, group: &WorkingGroup) {
        for (kept, column) in group.kept.iter().zip(&group.columns) {
            let Some(older) = self.older.column(&column.name) else { continue };
            if matches!(family(older), Family::Json | Family::Other) {
                let message = format!("`{}` is {}: it cannot be kept by this release", older.name, older.data_type);
                findings.add(kept.span, message, "write `discard: true` or `bijective: true`, or keep it as text");
                continue;
            }
            if self.working.position(&kept.value).is_some() {
                let message = format!(
                    "`{}` cannot be kept under its own name, which `{}.{0}` has in {}",
                    kept.value, self.newer.name, self.step.newer_name
                );
                findings.add(
                    kept.span,
                    message,
                    format!("write `keep: {{as: {}_{}}}`", kept.value, self.step.older_name),
                );
                continue;
            }
            let stored = Column { generated: None, ..older.clone() };
            let declared = format!("{} NULL INVISIBLE", full_type(&stored));
            match self.newer.column(&kept.value) {
                None => {
                    let message = format!(
                        "the kept column `{}.{}` is not in {}'s schema",
                        self.newer.name, kept.value, self.step.newer_name
                    );
                    let help = format!(
                        "ALTER TABLE {} ADD COLUMN {} {declared}, and capture the schema again",
                        self.newer.name, kept.value
                    );
                    findings.add(kept.span, message, help);
                }
                Some(newer) => self.check_kept_column(findings, kept.span, &stored, newer, &declared),
            }
        }
        if group.lossiness == Lossiness::Keep {
            let odd = group.writes.iter().filter_map(|(name, _)| self.newer.column(name));
            for newer in odd.filter(|newer| matches!(family(newer), Family::Json | Family::Other)) {
                let message =
                    format!("`{}` is {}: `keep` cannot compare it in this release", newer.name, newer.data_type);
                findings.add(group.span, message, "write `discard: true` or `bijective: true`");
            }
        }
    }

    fn check_kept_column(
        &self,
        findings: &mut Findings<'_>,
        span: Span,
        older: &Column,
        newer: &Column,
        declared: &str,
    ) {
        let mut wrong = Vec::new();
        if let Some((old, new)) = type_difference(older, newer) {
            wrong.push(format!("it is {new}, not {old}"));
        }
        if !newer.is_invisible() {
            wrong.push("it is visible".to_owned());
        }
        if !newer.nullable {
            wrong.push("it is NOT NULL".to_owned());
        }
        if !wrong.is_empty() {
            let message =
                format!("the kept column `{}.{}` does not fit: {}", self.newer.name, newer.name, wrong.join(", "));
            let help = format!(
                "ALTER TABLE {} MODIFY COLUMN {} {declared}, and capture the schema again",
                self.newer.name, newer.name
            );
            findings.add(span, message, help);
        }
    }

    fn mapping(&self) -> TableMapping {
        let computed = self.working.groups.iter().filter(|group| self.stored_as_is(group).is_none());
        let groups: Vec<Group> = computed.map(|group| self.group(group)).collect();
        let columns = self
            .older
            .columns
            .iter()
            .map(|older| ColumnMapping { name: older.name.clone(), source: self.source(older) });
        let added = self.working.columns.iter().filter_map(|column| match &column.origin {
            Origin::Added(value) => Some(AddedColumn { column: self.newer_name(&column.name), value: value.clone() }),
            Origin::Group(_) | Origin::Older(_) => None,
        });
        TableMapping {
            name: self.older.name.clone(),
            physical: self.newer.name.clone(),
            columns: columns.collect(),
            groups,
            added: added.collect(),
            keys: self.keys(),
        }
    }

    /// The newer schema's spelling.
    fn newer_name(&self, name: &str) -> String {
        self.newer.column(name).map_or_else(|| name.to_owned(), |column| column.name.clone())
    }

    fn source(&self, older: &Column) -> ColumnSource {
        if let Some(column) = self.working.untouched(&older.name) {
            return ColumnSource::Direct(self.newer_name(&column.name));
        }
        if let Some((index, at)) = self.working.group_of(&older.name) {
            let group = &self.working.groups[index];
            return match self.stored_as_is(group) {
                Some(kept) => ColumnSource::Direct(kept),
                None => self.computed(group, self.compiled_index(index), at, older),
            };
        }
        let value = self.working.discarded.iter().find(|(name, _)| name.eq_ignore_ascii_case(&older.name));
        let value = value.map_or_else(|| Template::text("NULL"), |(_, value)| value.clone());
        ColumnSource::Discarded(typed(value, older, &self.lenders(&[])))
    }

    /// The kept column of a dropped one whose reads and writes need nothing but another name: NULL means NULL, and
    /// an INSERT that does not name it leaves NULL.
    fn stored_as_is(&self, group: &WorkingGroup) -> Option<String> {
        let ([column], [kept], []) = (group.columns.as_slice(), group.kept.as_slice(), group.writes.as_slice()) else {
            return None;
        };
        let older = self.older.column(&column.name)?;
        let plain =
            older.nullable && older.default.as_deref().is_none_or(|default| default.eq_ignore_ascii_case("NULL"));
        plain.then(|| self.newer_name(&kept.value))
    }

    /// A group's index among those that are compiled.
    fn compiled_index(&self, index: usize) -> usize {
        self.working.groups[..index].iter().filter(|group| self.stored_as_is(group).is_none()).count()
    }

    fn computed(&self, group: &WorkingGroup, index: usize, at: usize, older: &Column) -> ColumnSource {
        let backward = self.backward(group, at, older);
        let Some(kept) = group.kept.get(at).map(|kept| self.newer_name(&kept.value)) else {
            return ColumnSource::Computed { read: backward, group: index };
        };
        let kept_column = Template::column(&kept);
        if group.writes.is_empty() {
            if older.nullable {
                return ColumnSource::Computed { read: kept_column, group: index };
            }
            let read = Template::text("COALESCE(").then(kept_column).then(Template::text(", ")).then(backward);
            return ColumnSource::Computed { read: read.then(Template::text(")")), group: index };
        }
        let mut read = Template::text("(CASE WHEN ");
        for (place, comparison) in self.authority(group).into_iter().enumerate() {
            read = read.then(Template::text(if place == 0 { "" } else { " AND " })).then(comparison);
        }
        let read = read
            .then(Template::text(" THEN "))
            .then(kept_column)
            .then(Template::text(" ELSE "))
            .then(backward)
            .then(Template::text(" END)"));
        ColumnSource::Computed { read, group: index }
    }

    /// When the kept values of a group speak: they are there, and what they would be on the newer side still is
    /// what stands there, byte for byte (a collation would not see that `ann` became `Ann`).
    fn authority(&self, group: &WorkingGroup) -> Vec<Template> {
        let mut conditions = Vec::new();
        for (kept, column) in group.kept.iter().zip(&group.columns) {
            let nullable = self.older.column(&column.name).is_some_and(|older| older.nullable);
            if !nullable {
                conditions.push(Template::column(&self.newer_name(&kept.value)).then(Template::text(" IS NOT NULL")));
            }
        }
        for (name, forward) in &group.writes {
            let Some(newer) = self.newer.column(name) else { continue };
            let then = forward.substituted(|older| {
                let at = group.columns.iter().position(|column| column.name.eq_ignore_ascii_case(older));
                let kept = at.and_then(|at| group.kept.get(at));
                kept.map_or_else(Template::default, |kept| Template::column(&self.newer_name(&kept.value)))
            });
            conditions.push(same_bytes(cast_template(then, newer), newer));
        }
        conditions
    }

    /// An older column's backward expression, of the older type.
    fn backward(&self, group: &WorkingGroup, at: usize, older: &Column) -> Template {
        let kept = group.kept.get(at).map(|kept| kept.value.as_str());
        let written = group.writes.iter().map(|(name, _)| name.as_str());
        let first: Vec<&str> = kept.into_iter().chain(written).collect();
        typed(group.columns[at].backward.clone(), older, &self.lenders(&first))
    }

    /// The newer columns, those of `first` before the others.
    fn lenders(&self, first: &[&str]) -> Vec<&Column> {
        let is_first = |column: &&Column| first.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        let (mut lenders, others): (Vec<&Column>, Vec<&Column>) = self.newer.columns.iter().partition(is_first);
        lenders.extend(others);
        lenders
    }

    fn group(&self, group: &WorkingGroup) -> Group {
        let writes = group
            .writes
            .iter()
            .map(|(column, forward)| PhysicalWrite { column: self.newer_name(column), forward: forward.clone() });
        let kept = group
            .kept
            .iter()
            .zip(&group.columns)
            .map(|(kept, column)| Kept { column: column.name.clone(), physical: self.newer_name(&kept.value) });
        let backward = group
            .columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some(self.backward(group, at, self.older.column(&column.name)?)));
        Group {
            columns: group.columns.iter().map(|column| column.name.clone()).collect(),
            writes: writes.collect(),
            kept: kept.collect(),
            lossiness: group.lossiness,
            backward: backward.collect(),
        }
    }

    /// Keys over the same columns that have different names.
    fn keys(&self) -> Vec<(String, String)> {
        let newer_of = |name: &String| match self.working.untouched(name) {
            Some(column) => vec![column.name.to_ascii_lowercase()],
            None => self.working.group_of(name).map_or_else(Vec::new, |(index, _)| {
                self.working.groups[index].writes.iter().map(|(column, _)| column.to_ascii_lowercase()).collect()
            }),
        };
        let mut pairs = Vec::new();
        for older in &self.older.keys {
            let columns: Vec<String> = older.columns.iter().flat_map(newer_of).collect();
            let same = |key: &&Key| {
                key.unique == older.unique
                    && key.columns.iter().map(|column| column.to_ascii_lowercase()).eq(columns.iter().cloned())
            };
            if self.newer.keys.iter().filter(same).any(|key| key.name.eq_ignore_ascii_case(&older.name)) {
                continue;
            }
            if let Some(newer) = self.newer.keys.iter().find(same).filter(|_| !columns.is_empty()) {
                pairs.push((older.name.clone(), newer.name.clone()));
            }
        }
        pairs
    }

    fn is_changed(&self, mapping: &TableMapping) -> bool {
        let same_columns = mapping.columns.len() == self.newer.columns.len()
            && mapping.columns.iter().zip(&self.newer.columns).all(
                |(column, newer)| matches!(&column.source, ColumnSource::Direct(name) if *name == newer.name && column.name == newer.name),
            );
        let same_visibility = mapping.columns.len() != self.newer.columns.len()
            || self.older.columns.iter().zip(&self.newer.columns).all(|(a, b)| a.is_invisible() == b.is_invisible());
        mapping.name != mapping.physical || !same_columns || !same_visibility
    }
}

/// `left <=> column`, without what a collation would overlook.
fn same_bytes(left: Template, column: &Column) -> Template {
    let right = Template::column(&column.name);
    let (before, after) = match family(column) {
        Family::Text | Family::Enum | Family::Set => ("CAST(CONVERT(", " USING utf8mb4) AS BINARY)"),
        Family::Binary => ("CAST(", " AS BINARY)"),
        Family::Bit => ("CAST(", " AS UNSIGNED)"),
        _ => ("", ""),
    };
    left.wrapped(before, &format!("{after} <=> ")).then(right.wrapped(before, after))
}

/// An expression's words and signs without quotes, blanks and case, each name as `renamed` says.
fn words(expression: &str, renamed: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mode = LexMode::of_server(ServerKind::MySql, 0);
    let Ok(tokens) = lex(expression.as_bytes(), mode) else { return vec![expression.to_owned()] };
    let solid = tokens.iter().filter(|token| token.kind != TokenKind::White);
    let word = |token: &Token| {
        let text = expression[token.span.clone()].trim_matches('`');
        match token.kind {
            TokenKind::QuotedName | TokenKind::Word => renamed(text).unwrap_or_else(|| text.to_owned()).to_lowercase(),
            _ => text.to_owned(),
        }
    };
    solid.map(word).collect()
}

/// Type, charset and collation of both, as text, if they differ. Display widths of integers mean nothing.
pub fn type_difference(older: &Column, newer: &Column) -> Option<(String, String)> {
    let (old, new) = (full_type(older), full_type(newer));
    (old != new).then_some((old, new))
}

/// A column's type as it is written in a column definition.
pub fn full_type(column: &Column) -> String {
    let mut text = column.column_type.clone();
    let plain_integer = matches!(family(column), Family::Integer | Family::Year) && !text.contains("zerofill");
    if let (true, Some(open), Some(close)) = (plain_integer, text.find('('), text.find(')')) {
        text.replace_range(open..=close, "");
    }
    if let Some(charset) = &column.charset {
        text.push_str(" CHARACTER SET ");
        text.push_str(charset);
    }
    if let Some(collation) = &column.collation {
        text.push_str(" COLLATE ");
        text.push_str(collation);
    }
    if column.generated.is_some() {
        text.push_str(" GENERATED");
    }
    text
}

/// What an INSERT or UPDATE that does not name the column does with it.
fn attributes(column: &Column) -> (Option<String>, String) {
    let default = column.default.clone().filter(|_| column.generated.is_none());
    let kept = |word: &str| column.extra.contains(word).then(|| word.to_owned());
    let extra: Vec<String> = ["auto_increment", "on update"].into_iter().filter_map(kept).collect();
    (default, extra.join(" "))
}
