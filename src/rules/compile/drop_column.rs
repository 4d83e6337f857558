//! `drop_column`: a column that only the older version knows; stored in a kept column, or not any more.

use super::{
    Change,
    claim::Claim,
    expression::Expression,
    step::{OlderColumn, Step, WorkingGroup},
};
use crate::{
    rules::{
        Lossiness, Template,
        diagnostic::Findings,
        file::{fields::Fields, node::Located},
    },
    schema::Column,
};

/// As written.
pub struct DropColumn {
    table: Located<String>,
    column: Located<String>,
    claim: Claim,
    value: Option<(Located<String>, Expression)>,
}

impl Change for DropColumn {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let table = fields.text("table", "people");
        let column = fields.text("column", "fax");
        let known = fields.findings().found.len();
        let claim = Claim::keep_or_discard(fields);
        if claim.is_none() && fields.findings().found.len() == known {
            let span = fields.span();
            fields.findings().add(
                span,
                "`drop_column` does not say what becomes of the older version's values",
                "add `keep: true` (store them in an invisible column) or `discard: true` (the loss is meant)",
            );
        }
        let text = fields.optional_text("value");
        let value = match text {
            Some(text) => {
                let expression = Expression::read(fields.findings(), &text)?;
                Some((text, expression))
            }
            None => None,
        };
        Some(Self { table: table?, column: column?, claim: claim?, value })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        let Some(table) = step.table(findings, &self.table) else { return };
        let Some((index, older)) = step.column(findings, table, &self.column) else { return };
        let Some(column) = step.older_column(table, &older) else { return };
        let value = self.read_value(step, findings, table, column);
        let kept = self.claim.kept(findings, std::slice::from_ref(&self.column));
        let working = &mut step.tables[table];
        working.columns.remove(index);
        let Some(value) = value else { return };
        if self.claim.lossiness == Lossiness::Keep {
            let columns = vec![OlderColumn { name: older, backward: value }];
            let lossiness = Lossiness::Keep;
            working.groups.push(WorkingGroup { span: self.column.span, columns, writes: Vec::new(), kept, lossiness });
        } else {
            working.discarded.push((older, value));
        }
    }
}

impl DropColumn {
    /// What the older version reads where nothing is stored.
    fn read_value(
        &self,
        step: &Step<'_>,
        findings: &mut Findings<'_>,
        table: usize,
        column: &Column,
    ) -> Option<Template> {
        let working = &step.tables[table];
        let keep = self.claim.lossiness == Lossiness::Keep;
        if let Some((text, value)) = &self.value {
            if keep && column.nullable {
                findings.add(
                    text.span,
                    format!(
                        "`{}` is nullable: NULL that {} wrote would be read as `value`",
                        column.name, step.older_name
                    ),
                    "leave `value` out; NULL is read where nothing is stored",
                );
                return None;
            }
            return value.resolve(findings, |name| match working.position(name) {
                Some(_) if name.eq_ignore_ascii_case(&self.column.value) => {
                    Err("that is the dropped column".to_owned())
                }
                Some(index) => Ok(Template::column(&working.columns[index].name)),
                None => Err(format!("{} has no such column", step.newer_name)),
            });
        }
        if column.nullable && keep {
            return Some(Template::text("NULL"));
        }
        let default = match &column.default {
            Some(default) => default.clone(),
            None if column.nullable => "NULL".to_owned(),
            None => {
                let message =
                    format!("`{}` is NOT NULL and has no default for rows that {} wrote", column.name, step.newer_name);
                findings.add(self.column.span, message, "add `value`, e.g. `value: \"''\"`");
                return None;
            }
        };
        self.constant_default(findings, &column.name, default)
    }

    fn constant_default(&self, findings: &mut Findings<'_>, column: &str, default: String) -> Option<Template> {
        let known = findings.found.len();
        let text = Located { value: default, span: self.column.span };
        let constant = Expression::read(findings, &text)
            .and_then(|value| value.resolve(findings, |_| Err("a default that names columns".to_owned())));
        if constant.is_none() {
            findings.found.truncate(known);
            let message = format!("the default of `{column}`, `{}`, is not the same every time", text.value);
            findings.add(self.column.span, message, "add `value`: what is read where nothing is stored");
        }
        constant
    }
}
