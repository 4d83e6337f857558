//! `merge_columns`: several columns made into one. Sugar over `map_columns`.

use super::{
    Change,
    claim::Claim,
    map_columns::{MapColumns, read_expression, read_expressions},
    step::Step,
};
use crate::rules::{
    diagnostic::Findings,
    file::fields::{Fields, list},
};

/// As written, in the general form.
pub struct MergeColumns(MapColumns);

impl Change for MergeColumns {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.span();
        let table = fields.text("table", "people");
        let columns = fields.texts("columns", "[first_name, last_name]");
        let into = fields.text("into", "full_name");
        let forward = read_expression(fields, "forward", "\"CONCAT_WS(' ', first_name, last_name)\"");
        let backward = read_expressions(fields, "backward", "{first_name: \"SUBSTRING_INDEX(full_name, ' ', 1)\"}");
        let claim = Claim::required(fields);
        let (columns, backward) = (columns?, backward?);
        let names: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
        let findings = fields.findings();
        let known = findings.found.len();
        for column in &columns {
            if !backward.iter().any(|(name, _)| name.value.eq_ignore_ascii_case(&column.value)) {
                let message = format!("`{}` has no expression in `backward`", column.value);
                findings.add(column.span, message, format!("add `backward: {{{}: \"…\"}}`", column.value));
            }
        }
        for (name, _) in &backward {
            if !names.iter().any(|column| column.eq_ignore_ascii_case(&name.value)) {
                let message = format!("`backward` names `{}`, which is not in `columns`", name.value);
                findings.add(name.span, message, format!("`columns` has {}", list(&names)));
            }
        }
        if findings.found.len() > known {
            return None;
        }
        let to = vec![(into?, forward?)];
        Some(Self(MapColumns { span, table: table?, from: backward, to, claim: claim? }))
    }

    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>) {
        self.0.apply(step, findings);
    }
}
