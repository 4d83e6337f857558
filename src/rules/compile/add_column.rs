//! `add_column`: a column that only the newer version knows; the older version's inserts may fill it.

use super::{
    Change,
    expression::Expression,
    step::{Origin, Step, WorkingColumn},
};
use crate::rules::{
    diagnostic::{Findings, Span},
    file::{fields::Fields, node::Located},
};

/// As written.
pub struct AddColumn {
    table: Located<String>,
    column: Located<String>,
    value: Option<Expression>,
    maintain: Option<Span>,
}

impl Change for AddColumn {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let table = fields.text("table", "people");
        let column = fields.text("column", "nickname");
        let text = fields.optional_text("value");
        let value = text.map(|text| Expression::read(fields.findings(), &text));
        let maintain = fields.flag("maintain");
        let value = match value {
            Some(value) => Some(value?),
            None => None,
        };
        Some(Self { table: table?, column: column?, value, maintain })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        if let Some(span) = self.maintain {
            findings.add(
                span,
                "`maintain` is known but not supported by this release",
                "leave it out, or let the server compute the column: `GENERATED ALWAYS AS (…)`",
            );
        }
        let Some(table) = step.table(findings, &self.table) else { return };
        if !step.is_free(findings, table, &self.column) {
            return;
        }
        let working = &mut step.tables[table];
        let value = match self.value {
            Some(value) => match value.resolve(findings, |name| working.as_older(name)) {
                Some(value) => Some(value),
                None => return,
            },
            None => None,
        };
        working.columns.push(WorkingColumn {
            name: self.column.value,
            named_at: Some(self.column.span),
            origin: Origin::Added(value),
        });
    }
}
