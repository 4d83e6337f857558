//! `map_columns`: any number of older columns made into any number of newer ones, and back. The general form of
//! `change_column`, `split_column` and `merge_columns`.

use super::{
    Change,
    claim::Claim,
    expression::Expression,
    step::{OlderColumn, Origin, Step, WorkingColumn, WorkingGroup},
};
use crate::rules::{
    Template,
    diagnostic::{Findings, Span},
    file::{
        fields::{Fields, list},
        node::Located,
    },
};

/// As written.
pub struct MapColumns {
    /// The change's place.
    pub span: Span,
    /// The table.
    pub table: Located<String>,
    /// The older columns, each with its backward expression.
    pub from: Vec<(Located<String>, Expression)>,
    /// The newer columns, each with its forward expression.
    pub to: Vec<(Located<String>, Expression)>,
    /// What becomes of values that do not survive.
    pub claim: Claim,
}

impl Change for MapColumns {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.span();
        let table = fields.text("table", "people");
        let from = fields.texts("from", "[full_name]");
        let to = fields.texts("to", "[first_name, last_name]");
        let forward = read_expressions(fields, "forward", "{new_column: \"expression over old columns\"}");
        let backward = read_expressions(fields, "backward", "{old_column: \"expression over new columns\"}");
        let claim = Claim::required(fields);
        let (from, to) = (from?, to?);
        let to = pair(fields, "forward", "to", to, &forward?);
        let from = pair(fields, "backward", "from", from, &backward?);
        Some(Self { span, table: table?, from: from?, to: to?, claim: claim? })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        let Some(table) = step.table(findings, &self.table) else { return };
        let Some(older) = self.older_names(step, findings, table) else { return };
        if !self.has_free_names(step, findings, table) {
            return;
        }
        let Some((writes, backward)) = self.templates(findings, &older) else { return };
        let names: Vec<Located<String>> = self.from.iter().map(|(name, _)| name.clone()).collect();
        let kept = self.claim.kept(findings, &names);
        let columns = older.into_iter().zip(backward).map(|(name, backward)| OlderColumn { name, backward }).collect();
        let group = WorkingGroup { span: self.span, columns, writes, kept, lossiness: self.claim.lossiness };
        let targets = self.to.into_iter().map(|(name, _)| name).collect();
        replace(step, table, &names, targets, group);
    }
}

/// Forward templates by newer column, and backward templates in the order of the older columns.
type Templates = (Vec<(String, Template)>, Vec<Template>);

impl MapColumns {
    /// The older version's own names of `from`.
    fn older_names(&self, step: &Step<'_>, findings: &mut Findings<'_>, table: usize) -> Option<Vec<String>> {
        let found: Vec<Option<(usize, String)>> =
            self.from.iter().map(|(name, _)| step.column(findings, table, name)).collect();
        found.into_iter().map(|found| found.map(|(_, older)| older)).collect()
    }

    fn has_free_names(&self, step: &Step<'_>, findings: &mut Findings<'_>, table: usize) -> bool {
        let known = findings.found.len();
        for (name, _) in &self.to {
            let replaced = self.from.iter().any(|(from, _)| from.value.eq_ignore_ascii_case(&name.value));
            if !replaced {
                step.is_free(findings, table, name);
            }
        }
        findings.found.len() == known
    }

    /// The forward and the backward templates.
    fn templates(&self, findings: &mut Findings<'_>, older: &[String]) -> Option<Templates> {
        let from: Vec<&str> = self.from.iter().map(|(name, _)| name.value.as_str()).collect();
        let to: Vec<&str> = self.to.iter().map(|(name, _)| name.value.as_str()).collect();
        let forward: Vec<Option<(String, Template)>> = self
            .to
            .iter()
            .map(|(name, expression)| {
                let template = expression.resolve(findings, |column| {
                    position(&from, column).map(|at| Template::column(&older[at])).ok_or_else(|| {
                        format!("a forward expression names old columns of this change: {}", list(&from))
                    })
                })?;
                Some((name.value.clone(), template))
            })
            .collect();
        let backward: Vec<Option<Template>> = self
            .from
            .iter()
            .map(|(_, expression)| {
                expression.resolve(findings, |column| {
                    position(&to, column)
                        .map(|at| Template::column(to[at]))
                        .ok_or_else(|| format!("a backward expression names new columns of this change: {}", list(&to)))
                })
            })
            .collect();
        Some((forward.into_iter().collect::<Option<_>>()?, backward.into_iter().collect::<Option<_>>()?))
    }
}

/// Puts the columns that a group writes in the place of those that it reads.
pub fn replace(
    step: &mut Step<'_>,
    table: usize,
    from: &[Located<String>],
    to: Vec<Located<String>>,
    group: WorkingGroup,
) {
    let working = &mut step.tables[table];
    working.columns.retain(|column| !from.iter().any(|name| name.value.eq_ignore_ascii_case(&column.name)));
    let index = working.groups.len();
    working.groups.push(group);
    working.columns.extend(to.into_iter().map(|name| WorkingColumn {
        name: name.value,
        named_at: Some(name.span),
        origin: Origin::Group(index),
    }));
}

/// A map from columns to expressions.
pub fn read_expressions(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    example: &str,
) -> Option<Vec<(Located<String>, Expression)>> {
    let texts = fields.text_map(name, example)?;
    let read: Vec<Option<_>> =
        texts.into_iter().map(|(column, text)| Some((column, Expression::read(fields.findings(), &text)?))).collect();
    read.into_iter().collect()
}

/// One expression.
pub fn read_expression(fields: &mut Fields<'_, '_>, name: &'static str, example: &str) -> Option<Expression> {
    let text = fields.text(name, example)?;
    Expression::read(fields.findings(), &text)
}

/// The columns of the list `names`, each with its expression.
fn pair(
    fields: &mut Fields<'_, '_>,
    map: &str,
    names: &str,
    columns: Vec<Located<String>>,
    expressions: &[(Located<String>, Expression)],
) -> Option<Vec<(Located<String>, Expression)>> {
    let findings = fields.findings();
    let known = findings.found.len();
    for (name, _) in expressions {
        if !columns.iter().any(|column| column.value.eq_ignore_ascii_case(&name.value)) {
            let message = format!("`{map}` names `{}`, which is not in `{names}`", name.value);
            findings.add(name.span, message, format!("add it to `{names}`, or leave it out of `{map}`"));
        }
    }
    let mut paired: Vec<(Located<String>, Expression)> = Vec::new();
    for column in columns {
        if paired.iter().any(|(seen, _)| seen.value.eq_ignore_ascii_case(&column.value)) {
            findings.add(column.span, format!("`{names}` says `{}` twice", column.value), "keep one of them");
            continue;
        }
        let found = expressions.iter().find(|(name, _)| name.value.eq_ignore_ascii_case(&column.value));
        if let Some((_, expression)) = found {
            paired.push((column, expression.clone()));
        } else {
            let message = format!("`{}` has no expression in `{map}`", column.value);
            findings.add(column.span, message, format!("add `{map}: {{{}: \"…\"}}`", column.value));
        }
    }
    (findings.found.len() == known).then_some(paired)
}

fn position(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| known.eq_ignore_ascii_case(name))
}
