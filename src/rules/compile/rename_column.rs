//! `rename_column`: the same values under another name.

use super::{Change, step::Step};
use crate::rules::{
    diagnostic::Findings,
    file::{fields::Fields, node::Located},
};

/// As written.
pub struct RenameColumn {
    table: Located<String>,
    from: Located<String>,
    to: Located<String>,
}

impl Change for RenameColumn {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let table = fields.text("table", "people");
        let from = fields.text("from", "mail");
        let to = fields.text("to", "email");
        Some(Self { table: table?, from: from?, to: to? })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        let Some(table) = step.table(findings, &self.table) else { return };
        let Some(index) = step.tables[table].position(&self.from.value) else {
            // Reports the unknown name.
            step.column(findings, table, &self.from);
            return;
        };
        let same = self.from.value.eq_ignore_ascii_case(&self.to.value);
        if same || step.is_free(findings, table, &self.to) {
            step.tables[table].rename(index, &self.to);
        }
    }
}
