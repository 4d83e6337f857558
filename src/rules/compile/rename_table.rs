//! `rename_table`: the same rows under another name.

use super::{Change, step::Step};
use crate::rules::{
    diagnostic::Findings,
    file::{fields::Fields, node::Located},
};

/// As written.
pub struct RenameTable {
    from: Located<String>,
    to: Located<String>,
}

impl Change for RenameTable {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let from = fields.text("from", "users");
        let to = fields.text("to", "people");
        Some(Self { from: from?, to: to? })
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        let Some(index) = step.table(findings, &self.from) else { return };
        let taken = step.tables.iter().position(|table| table.name.eq_ignore_ascii_case(&self.to.value));
        if taken.is_some_and(|taken| taken != index) {
            let message = format!("there is a table `{}` already", self.to.value);
            findings.add(self.to.span, message, "rename that one first, or choose another name");
            return;
        }
        let table = &mut step.tables[index];
        table.name = self.to.value;
        table.named_at = Some(self.to.span);
    }
}
