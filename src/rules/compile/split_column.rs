//! `split_column`: one column made into several. Sugar over `map_columns`.

use super::{
    Change,
    claim::Claim,
    map_columns::{MapColumns, read_expression, read_expressions},
    step::Step,
};
use crate::rules::{diagnostic::Findings, file::fields::Fields};

/// As written, in the general form.
pub struct SplitColumn(MapColumns);

impl Change for SplitColumn {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.span();
        let table = fields.text("table", "people");
        let column = fields.text("column", "full_name");
        let to = read_expressions(fields, "into", "{first_name: \"SUBSTRING_INDEX(full_name, ' ', 1)\"}");
        let backward = read_expression(fields, "backward", "\"CONCAT_WS(' ', first_name, last_name)\"");
        let claim = Claim::required(fields);
        let from = vec![(column?, backward?)];
        Some(Self(MapColumns { span, table: table?, from, to: to?, claim: claim? }))
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        self.0.apply(step, findings);
    }
}
