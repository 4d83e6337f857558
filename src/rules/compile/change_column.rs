//! `change_column`: one column made into one other, of another type, unit or meaning. Sugar over `map_columns`.

use super::{
    Change,
    claim::Claim,
    map_columns::{MapColumns, read_expression},
    step::Step,
};
use crate::rules::{diagnostic::Findings, file::fields::Fields};

/// As written, in the general form.
pub struct ChangeColumn(MapColumns);

impl Change for ChangeColumn {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.span();
        let table = fields.text("table", "orders");
        let column = fields.text("column", "price");
        let to = fields.optional_text("to");
        let forward = read_expression(fields, "forward", "\"ROUND(price * 100)\"");
        let backward = read_expression(fields, "backward", "\"price_cents / 100\"");
        let claim = Claim::required(fields);
        let column = column?;
        let to = to.unwrap_or_else(|| column.clone());
        let (from, to) = (vec![(column, backward?)], vec![(to, forward?)]);
        Some(Self(MapColumns { span, table: table?, from, to, claim: claim? }))
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        self.0.apply(step, findings);
    }
}
