//! `map_values`: every value of a column stands for another one: codes, states, units by name.

use super::{
    Change,
    claim::Claim,
    map_columns::replace,
    step::{OlderColumn, Step, WorkingGroup},
};
use crate::{
    rules::{
        Lossiness, Template, TemplatePart,
        cast::{Family, family, members, raise_as, text_literal},
        diagnostic::{Findings, Span},
        file::{
            fields::{Fields, list},
            node::{Located, Node, Value},
        },
        raise,
    },
    schema::Column,
};

/// As written.
pub struct MapValues {
    span: Span,
    table: Located<String>,
    column: Located<String>,
    to: Located<String>,
    values: Vec<(Node, Node)>,
    otherwise: Otherwise,
    claim: Option<Claim>,
    unknown: Option<Node>,
    default_value: Option<Node>,
}

/// What becomes of an older value that the map does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Keep(Span),
    Refuse,
}

impl Change for MapValues {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.span();
        let table = fields.text("table", "orders");
        let column = fields.text("column", "status");
        let to = fields.optional_text("to");
        let values = fields.entries("values", "{new: 1, paid: 2}");
        let otherwise = read_otherwise(fields);
        let claim = Claim::keep_or_discard(fields);
        let unknown = fields.node("unknown");
        let default_value = fields.node("default_value");
        let column = column?;
        let to = to.unwrap_or_else(|| column.clone());
        let (table, values) = (table?, values?);
        Some(Self { span, table, column, to, values, otherwise, claim, unknown, default_value })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        let Some(table) = step.table(findings, &self.table) else { return };
        let Some((_, older_name)) = step.column(findings, table, &self.column) else { return };
        let Some(older) = step.older_column(table, &older_name) else { return };
        let in_place = self.to.value.eq_ignore_ascii_case(&self.column.value);
        if !in_place && !step.is_free(findings, table, &self.to) {
            return;
        }
        let from = [self.column.clone()];
        let group = if let Some(newer) = step.newer_column(table, &self.to.value) {
            self.group(findings, older, newer, step)
        } else {
            let message = format!("{} has no column `{}.{}`", step.newer_name, self.table.value, self.to.value);
            let help = "`to` is the newer version's column; put a `rename_table` or `rename_column` above this change";
            findings.add(self.to.span, message, help);
            None
        };
        // The columns are replaced in any case, lest each mistake be followed by two that it caused.
        let group = group.unwrap_or_else(|| WorkingGroup {
            span: self.span,
            columns: vec![OlderColumn { name: older_name, backward: Template::text("NULL") }],
            writes: Vec::new(),
            kept: Vec::new(),
            lossiness: Lossiness::Discard,
        });
        replace(step, table, &from, vec![self.to], group);
    }
}

/// A pair of SQL literals.
struct Pair {
    old: String,
    new: String,
}

impl MapValues {
    fn group(
        &self,
        findings: &mut Findings<'_>,
        older: &Column,
        newer: &Column,
        step: &Step<'_>,
    ) -> Option<WorkingGroup> {
        let known = findings.found.len();
        let pairs = self.pairs(findings, older, newer);
        self.check_nulls(findings, &pairs, older, newer, step);
        let claim = self.claim(findings, &pairs)?;
        let forward = self.forward(findings, &pairs, older, newer);
        let backward = self.backward(findings, &pairs, older, newer);
        if findings.found.len() > known {
            return None;
        }
        let kept = claim.kept(findings, std::slice::from_ref(&self.column));
        let columns = vec![OlderColumn { name: older.name.clone(), backward: backward? }];
        let writes = vec![(self.to.value.clone(), forward?)];
        Some(WorkingGroup { span: self.span, columns, writes, kept, lossiness: claim.lossiness })
    }

    fn pairs(&self, findings: &mut Findings<'_>, older: &Column, newer: &Column) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = Vec::new();
        for (old, new) in &self.values {
            let (Some(old_sql), Some(new_sql)) = (literal(findings, old, older), literal(findings, new, newer)) else {
                continue;
            };
            if pairs.iter().any(|pair| same_value(&pair.old, &old_sql, older)) {
                let message = format!("`values` says {old_sql} twice");
                findings.add(
                    old.span,
                    message,
                    "keep one of them; the column's collation may hold different spellings equal",
                );
                continue;
            }
            pairs.push(Pair { old: old_sql, new: new_sql });
        }
        pairs
    }

    fn check_nulls(
        &self,
        findings: &mut Findings<'_>,
        pairs: &[Pair],
        older: &Column,
        newer: &Column,
        step: &Step<'_>,
    ) {
        let mapped = pairs.iter().any(|pair| pair.old == "NULL");
        if older.nullable && !newer.nullable && !mapped {
            let message = format!(
                "`{}` is nullable in {}, `{}` is NOT NULL in {}: the map does not say what NULL becomes",
                older.name, step.older_name, newer.name, step.newer_name
            );
            findings.add(self.span, message, "add a value for it, e.g. `values: {~: 0, …}`");
        }
    }

    /// The claim as written, or what follows from the values.
    fn claim(&self, findings: &mut Findings<'_>, pairs: &[Pair]) -> Option<Claim> {
        if let Some(claim) = &self.claim {
            if let (Otherwise::Keep(span), Lossiness::Discard) = (self.otherwise, claim.lossiness) {
                findings.add(span, "`otherwise: keep` and `discard: true` exclude each other", "leave one of them out");
            }
            return Some(claim.clone());
        }
        if let Otherwise::Keep(span) = self.otherwise {
            return Some(Claim::keep(span));
        }
        let collision =
            pairs.iter().enumerate().find(|(index, pair)| pairs[..*index].iter().any(|p| p.new == pair.new));
        let Some((_, pair)) = collision else { return Some(Claim::bijective(self.span)) };
        let message = format!("several old values become {}: they cannot be told apart afterwards", pair.new);
        findings.add(
            self.span,
            message,
            "add `keep: true` (store the old value) or `discard: true` (the loss is meant)",
        );
        None
    }

    fn forward(&self, findings: &mut Findings<'_>, pairs: &[Pair], older: &Column, newer: &Column) -> Option<Template> {
        let otherwise = match (&self.default_value, self.otherwise) {
            (Some(node), Otherwise::Keep(_)) => literal(findings, node, newer)?,
            (Some(node), Otherwise::Refuse) => {
                findings.add(node.span, "`default_value` without `otherwise: keep`", "add `otherwise: keep`");
                return None;
            }
            (None, Otherwise::Keep(span)) if !newer.nullable => {
                let message = format!("`{}` is NOT NULL: a kept value needs something to stand there", newer.name);
                findings.add(span, message, "add `default_value: …`");
                return None;
            }
            (None, Otherwise::Keep(_)) => "NULL".to_owned(),
            (None, Otherwise::Refuse) => raise_as(raise::UNMAPPED_WRITE, newer),
        };
        let nulls = older.nullable && newer.nullable;
        let whens = pairs.iter().map(|pair| (pair.old.as_str(), pair.new.as_str()));
        // Another spelling of a word would read back as the word itself: where nothing is kept, bytes are compared.
        let exact = family(older) == Family::Text && matches!(self.otherwise, Otherwise::Refuse);
        Some(case(&older.name, whens, nulls, &otherwise, exact))
    }

    fn backward(
        &self,
        findings: &mut Findings<'_>,
        pairs: &[Pair],
        older: &Column,
        newer: &Column,
    ) -> Option<Template> {
        let unknown = match &self.unknown {
            Some(node) => literal(findings, node, older)?,
            None => raise_as(raise::UNMAPPED_READ, older),
        };
        let nulls = older.nullable && newer.nullable;
        let whens = pairs.iter().map(|pair| (pair.new.as_str(), pair.old.as_str()));
        Some(case(&self.to.value, whens, nulls, &unknown, false))
    }
}

fn read_otherwise(fields: &mut Fields<'_, '_>) -> Otherwise {
    let Some(text) = fields.optional_text("otherwise") else { return Otherwise::Refuse };
    match text.value.as_str() {
        "keep" => Otherwise::Keep(text.span),
        "refuse" => Otherwise::Refuse,
        other => {
            let message = format!("`otherwise: {other}` is not known");
            fields.findings().add(text.span, message, "write `otherwise: refuse` or `otherwise: keep`");
            Otherwise::Refuse
        }
    }
}

/// A CASE over one column. A pair whose left side came before is left out: the first one speaks.
fn case<'p>(
    column: &str,
    pairs: impl Iterator<Item = (&'p str, &'p str)>,
    null_to_null: bool,
    otherwise: &str,
    exact: bool,
) -> Template {
    // The column is named once, or twice for the sake of NULL: what is put in for it may be long.
    let mut seen: Vec<&str> = Vec::new();
    let mut null = null_to_null.then_some("NULL");
    let mut whens = String::new();
    for (left, right) in pairs {
        if left == "NULL" {
            null = Some(right);
        } else if !seen.contains(&left) {
            seen.push(left);
            let left = if exact { format!("CAST(CONVERT({left} USING utf8mb4) AS BINARY)") } else { left.to_owned() };
            whens.push_str(&format!(" WHEN {left} THEN {right}"));
        }
    }
    let (before, after) = if exact { ("CAST(CONVERT(", " USING utf8mb4) AS BINARY)") } else { ("", "") };
    let column = || TemplatePart::Column(column.to_owned());
    let text = |text: String| TemplatePart::Text(text);
    let parts = match null {
        None => vec![text(format!("(CASE {before}")), column(), text(format!("{after}{whens} ELSE {otherwise} END)"))],
        Some(null) => vec![
            text(format!("(CASE {before}")),
            column(),
            text(format!("{after}{whens} ELSE (CASE WHEN ")),
            column(),
            text(format!(" IS NULL THEN {null} ELSE {otherwise} END) END)")),
        ],
    };
    Template { parts }
}

/// A value of the file as a literal of the column's type.
fn literal(findings: &mut Findings<'_>, node: &Node, column: &Column) -> Option<String> {
    let numeric =
        matches!(family(column), Family::Integer | Family::Decimal | Family::Float | Family::Year | Family::Bit);
    let text = match &node.value {
        Value::Null if column.nullable => return Some("NULL".to_owned()),
        Value::Null => {
            let message = format!("`{}` is NOT NULL and can have no NULL", column.name);
            findings.add(node.span, message, "leave this pair out");
            return None;
        }
        Value::Bool(value) if numeric => return Some(u8::from(*value).to_string()),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) | Value::Text(number) if numeric => {
            return if is_number(number) {
                Some(number.clone())
            } else {
                let message = format!("`{number}` is no value of `{}`, {}", column.name, column.column_type);
                findings.add(node.span, message, "write a decimal number");
                None
            };
        }
        Value::Number(text) | Value::Text(text) => text.clone(),
        other @ (Value::List(_) | Value::Map(_)) => {
            let message = format!("{} as a value of `{}`", other.kind(), column.name);
            findings.add(node.span, message, "write a text, a number, true, false or null");
            return None;
        }
    };
    if family(column) == Family::Enum {
        let members = members(column);
        if !members.iter().any(|member| member.eq_ignore_ascii_case(&text)) {
            let message = format!("`{text}` is no member of `{}`", column.name);
            findings.add(node.span, message, format!("its members are {}", list(&members)));
            return None;
        }
    }
    Some(text_literal(&text))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = digits.splitn(2, '.');
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(parts.next().unwrap_or_default()) && parts.next().is_none_or(all_digits)
}

/// Whether the column's collation may hold two literals equal; that of case is told from its name.
fn same_value(a: &str, b: &str, column: &Column) -> bool {
    let folds = column.collation.as_deref().is_some_and(|collation| collation.ends_with("_ci"));
    a == b || (folds && a.to_lowercase() == b.to_lowercase())
}
