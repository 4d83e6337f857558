//! What a change says about values that do not survive the round trip: `bijective`, `keep` or `discard`.

use crate::rules::{
    Lossiness,
    diagnostic::{Findings, Span},
    file::{
        fields::{Fields, list, text},
        node::{Located, Value},
    },
};

/// One of the three.
#[derive(Clone)]
pub struct Claim {
    /// Where it stands.
    pub span: Span,
    /// Which one.
    pub lossiness: Lossiness,
    names: Names,
}

/// The names of kept columns.
#[derive(Clone)]
enum Names {
    /// Each under the name that the change calls it by.
    Own,
    /// The only one under this name.
    One(Located<String>),
    /// Old name to kept name.
    Each(Vec<(Located<String>, Located<String>)>),
}

impl Claim {
    /// `keep: true`, as `otherwise: keep` implies it.
    pub fn keep(span: Span) -> Self {
        Self { span, lossiness: Lossiness::Keep, names: Names::Own }
    }

    /// No loss, as a rule can show by itself.
    pub fn bijective(span: Span) -> Self {
        Self { span, lossiness: Lossiness::Bijective, names: Names::Own }
    }

    /// Reads the claim of a change that must make one.
    pub fn required(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let known = fields.findings().found.len();
        let bijective = fields.flag("bijective").map(Self::bijective);
        let claim = Self::combined(fields, bijective);
        if claim.is_none() && fields.findings().found.len() == known {
            let span = fields.span();
            fields.findings().add(
                span,
                "the change does not say what becomes of values that do not survive the round trip",
                "add `keep: true` (store them), `discard: true` (the loss is meant) or `bijective: true` (there are none)",
            );
        }
        claim
    }

    /// Reads `keep` or `discard`.
    pub fn keep_or_discard(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Self::combined(fields, None)
    }

    /// The names of the kept columns for the older columns that the change calls `columns`; none if nothing is kept.
    pub fn kept(&self, findings: &mut Findings<'_>, columns: &[Located<String>]) -> Vec<Located<String>> {
        if self.lossiness != Lossiness::Keep {
            return Vec::new();
        }
        let own = |column: &Located<String>| Located { value: column.value.clone(), span: self.span };
        match &self.names {
            Names::Own => columns.iter().map(own).collect(),
            Names::One(name) if columns.len() == 1 => vec![name.clone()],
            Names::One(name) => {
                let message = format!("`as` gives one name for {} columns", columns.len());
                findings.add(name.span, message, "write `keep: {as: {old_column: kept_column, …}}`");
                columns.iter().map(own).collect()
            }
            Names::Each(names) => {
                for (old, _) in names {
                    if !columns.iter().any(|column| column.value.eq_ignore_ascii_case(&old.value)) {
                        let message = format!("`as` names `{}`, which the change does not take", old.value);
                        let names: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
                        findings.add(old.span, message, format!("it takes {}", list(&names)));
                    }
                }
                let chosen = |column: &Located<String>| {
                    names
                        .iter()
                        .find(|(old, _)| old.value.eq_ignore_ascii_case(&column.value))
                        .map(|(_, new)| new.clone())
                };
                columns.iter().map(|column| chosen(column).unwrap_or_else(|| own(column))).collect()
            }
        }
    }

    fn combined(fields: &mut Fields<'_, '_>, bijective: Option<Self>) -> Option<Self> {
        let discard =
            fields.flag("discard").map(|span| Self { span, lossiness: Lossiness::Discard, names: Names::Own });
        let keep = Self::read_keep(fields);
        let mut claims: Vec<Self> = [bijective, keep, discard].into_iter().flatten().collect();
        if claims.len() > 1 {
            let span = claims[1].span;
            fields.findings().add(
                span,
                "the change says both that values are lost and that they are not",
                "keep one of `bijective`, `keep` and `discard`",
            );
        }
        claims.truncate(1);
        claims.pop()
    }

    fn read_keep(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let node = fields.node("keep")?;
        let span = node.span;
        match node.value {
            Value::Bool(true) => Some(Self::keep(span)),
            Value::Bool(false) => None,
            Value::Map(_) => {
                let mut inner = Fields::of(fields.findings(), node, "`keep`", span)?;
                let name = inner.required("as", "users_fax");
                inner.finish();
                let names = match name? {
                    Located { value: Value::Map(entries), .. } => Names::Each(
                        entries
                            .into_iter()
                            .map(|(old, new)| {
                                Some((text(fields.findings(), old, "as")?, text(fields.findings(), new, "as")?))
                            })
                            .collect::<Option<_>>()?,
                    ),
                    name => Names::One(text(fields.findings(), name, "as")?),
                };
                Some(Self { span, lossiness: Lossiness::Keep, names })
            }
            other => {
                let message = format!("`keep` is {}", other.kind());
                fields.findings().add(span, message, "write `keep: true` or `keep: {as: name}`");
                None
            }
        }
    }
}
