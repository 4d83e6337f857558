//! From rule files and snapshots to a [`Ruleset`]: every mistake is told, in one run, or everything compiles.
//!
//! One file per kind of change, each with the same two functions: `read` takes the fields as written, `apply`
//! applies them to the step's tables.

mod add_column;
mod change_column;
mod claim;
mod collation;
mod drop_column;
mod expression;
mod functions;
mod map_columns;
mod map_values;
mod merge_columns;
mod rename_column;
mod rename_table;
mod split_column;
mod step;
mod tables;

use std::{collections::HashMap, sync::Arc};

use self::step::Step;
pub use self::{
    expression::unquoted,
    tables::{full_type, type_difference},
};
use super::{
    Diagnostic, Mapping, Ruleset, VersionRules, VersionedDatabase,
    diagnostic::{Findings, SourceFile, Span, sorted},
    file::{
        self, ChangeEntry, RuleFile, VersionEntry,
        fields::{Fields, list, nearest},
        node::{Node, Value},
    },
};
use crate::schema::Schema;

/// Gives the text of a snapshot, by its path, or says why there is none.
pub type SnapshotTexts<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// A kind of change.
trait Change: Sized {
    /// The change as written; none if mistakes leave nothing to apply.
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self>;
    /// Applies it to the tables of a step.
    fn apply(self, step: &mut Step<'_>, findings: &mut Findings<'_>);
}

/// Compiles rule files. A snapshot's path is the rule file's folder, a slash and what the file says.
pub fn compile(files: &[SourceFile], snapshots: &SnapshotTexts<'_>) -> Result<Ruleset, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut databases: Vec<VersionedDatabase> = Vec::new();
    for file in files {
        let (rules, mistakes) = file::read(file);
        found.extend(mistakes);
        let Some(rules) = rules else { continue };
        let mut findings = Findings::new(file);
        if databases.iter().any(|known| known.name == rules.database.value) {
            let message = format!("database `{}` has rules in another file already", rules.database.value);
            findings.add(rules.database.span, message, "keep one file per database");
        }
        let database = compile_file(&rules, &mut findings, snapshots, &mut found);
        databases.push(database);
        found.extend(findings.found);
    }
    if !found.is_empty() {
        return Err(sorted(found));
    }
    databases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Ruleset { generation: 1, databases })
}

fn compile_file(
    rules: &RuleFile,
    findings: &mut Findings<'_>,
    snapshots: &SnapshotTexts<'_>,
    found: &mut Vec<Diagnostic>,
) -> VersionedDatabase {
    check_physical(rules, findings);
    let schemas = read_snapshots(rules, findings, snapshots, found);
    let mut mappings: Vec<Option<Arc<Mapping>>> = Vec::new();
    for (index, version) in rules.versions.iter().enumerate() {
        let sides = index.checked_sub(1).and_then(|before| schemas[before].as_ref().zip(schemas[index].as_ref()));
        if let Some((older, newer)) = sides {
            let older = (&rules.versions[index - 1], older);
            mappings.push(Some(Arc::new(compile_step(&rules.database.value, older, (version, newer), findings))));
            continue;
        }
        for change in &version.changes {
            apply(change, None, findings);
        }
        mappings.push(None);
    }
    let versions = rules.versions.iter().zip(schemas).enumerate().filter_map(|(index, (version, schema))| {
        let chain = mappings.iter().skip(index + 1).flatten().cloned().collect();
        Some(VersionRules { name: version.name.value.clone(), schema: schema?, chain })
    });
    VersionedDatabase { name: rules.database.value.clone(), versions: versions.collect() }
}

fn check_physical(rules: &RuleFile, findings: &mut Findings<'_>) {
    let (Some(physical), Some(newest)) = (&rules.physical, rules.versions.last()) else { return };
    let names: Vec<&str> = rules.versions.iter().map(|version| version.name.value.as_str()).collect();
    if !names.contains(&physical.value.as_str()) {
        let message = format!("`physical` names `{}`, which is no version", physical.value);
        findings.add(physical.span, message, format!("the versions are {}", list(&names)));
    } else if physical.value != newest.name.value {
        let message = "`physical` other than the newest version is known but not supported by this release";
        findings.add(
            physical.span,
            message,
            format!("migrate the server first and write `physical: {}`", newest.name.value),
        );
    }
}

fn read_snapshots(
    rules: &RuleFile,
    findings: &mut Findings<'_>,
    snapshots: &SnapshotTexts<'_>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Option<Arc<Schema>>> {
    let folder = findings.file.path.rfind('/').map_or("", |at| &findings.file.path[..=at]).to_owned();
    let mut known: HashMap<String, Option<Arc<Schema>>> = HashMap::new();
    let mut read = |version: &VersionEntry| {
        let path = format!("{folder}{}", version.schema.value);
        if let Some(schema) = known.get(&path) {
            return schema.clone();
        }
        let schema = match snapshots(&path) {
            Ok(text) => parse_snapshot(&path, text).map_err(|diagnostic| found.push(diagnostic)).ok(),
            Err(reason) => {
                let message = format!("the snapshot `{path}` cannot be read: {reason}");
                let help = format!("capture it: `bifocal snapshot --database-url mysql://… > {path}`");
                findings.add(version.schema.span, message, help);
                None
            }
        };
        known.insert(path, schema.clone());
        schema
    };
    rules.versions.iter().map(&mut read).collect()
}

fn parse_snapshot(path: &str, text: String) -> Result<Arc<Schema>, Diagnostic> {
    match serde_json::from_str::<Schema>(&text) {
        Ok(schema) => Ok(Arc::new(schema)),
        Err(error) => {
            let mut start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            start += error.column().saturating_sub(1);
            let file = SourceFile { path: path.to_owned(), text };
            let reason = error.to_string();
            let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
            let message = format!("not a snapshot: {reason}");
            Err(Diagnostic::new(
                &file,
                Span { start, end: start + 1 },
                message,
                "capture it again with `bifocal snapshot`",
            ))
        }
    }
}

fn compile_step(
    database: &str,
    (older, older_schema): (&VersionEntry, &Arc<Schema>),
    (newer, newer_schema): (&VersionEntry, &Arc<Schema>),
    findings: &mut Findings<'_>,
) -> Mapping {
    let mut step = Step::new((&older.name.value, older_schema), (&newer.name.value, newer_schema));
    // A change that could not be applied leaves differences behind that are no mistakes of their own.
    let mut spoilt: Vec<String> = Vec::new();
    for change in &newer.changes {
        let known = findings.found.len();
        apply(change, Some(&mut step), findings);
        if findings.found.len() > known {
            spoilt.extend(tables_of(&change.body));
        }
    }
    step.tables.retain(|table| {
        !spoilt.iter().any(|name| name.eq_ignore_ascii_case(&table.name) || name.eq_ignore_ascii_case(&table.older))
    });
    let tables = tables::finish(&step, findings, newer.name.span);
    Mapping {
        database: database.to_owned(),
        version: older.name.value.clone(),
        tables,
        schema: Arc::clone(older_schema),
        physical: Arc::clone(newer_schema),
    }
}

/// The tables that a change may mean.
fn tables_of(body: &Node) -> Vec<String> {
    let Value::Map(entries) = &body.value else { return Vec::new() };
    let named = |name: &str| matches!(name, "table" | "from" | "to");
    let texts = entries.iter().filter_map(|(key, value)| match (&key.value, &value.value) {
        (Value::Text(key), Value::Text(table)) if named(key) => Some(table.clone()),
        _ => None,
    });
    texts.collect()
}

/// Reads a change and, if both schemas are there, applies it.
fn apply(change: &ChangeEntry, step: Option<&mut Step<'_>>, findings: &mut Findings<'_>) {
    match change.kind.value.as_str() {
        "add_column" => apply_kind::<add_column::AddColumn>(change, step, findings),
        "change_column" => apply_kind::<change_column::ChangeColumn>(change, step, findings),
        "drop_column" => apply_kind::<drop_column::DropColumn>(change, step, findings),
        "map_columns" => apply_kind::<map_columns::MapColumns>(change, step, findings),
        "map_values" => apply_kind::<map_values::MapValues>(change, step, findings),
        "merge_columns" => apply_kind::<merge_columns::MergeColumns>(change, step, findings),
        "rename_column" => apply_kind::<rename_column::RenameColumn>(change, step, findings),
        "rename_table" => apply_kind::<rename_table::RenameTable>(change, step, findings),
        "split_column" => apply_kind::<split_column::SplitColumn>(change, step, findings),
        kind if UNSUPPORTED.contains(&kind) => {
            let message = format!("change kind `{kind}` is known but not supported by this release");
            findings.add(change.kind.span, message, format!("this release supports {}", list(&SUPPORTED)));
        }
        kind => {
            let message = format!("there is no change kind `{kind}`");
            let help = match nearest(kind, &SUPPORTED) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("this release supports {}", list(&SUPPORTED)),
            };
            findings.add(change.kind.span, message, help);
        }
    }
}

fn apply_kind<C: Change>(change: &ChangeEntry, step: Option<&mut Step<'_>>, findings: &mut Findings<'_>) {
    let what = format!("`{}`", change.kind.value);
    let Some(mut fields) = Fields::of(findings, change.body.clone(), &what, change.kind.span) else { return };
    let read = C::read(&mut fields);
    fields.finish();
    if let (Some(read), Some(step)) = (read, step) {
        read.apply(step, findings);
    }
}

/// The kinds that compile.
pub const SUPPORTED: [&str; 9] = [
    "add_column",
    "change_column",
    "drop_column",
    "map_columns",
    "map_values",
    "merge_columns",
    "rename_column",
    "rename_table",
    "split_column",
];

/// The kinds of the rule language that do not compile yet.
pub const UNSUPPORTED: [&str; 19] = [
    "add_constraint",
    "drop_constraint",
    "drop_default",
    "drop_not_null",
    "drop_table",
    "extract_lookup",
    "hard_delete",
    "inline_lookup",
    "link_table",
    "merge_rows",
    "merge_tables",
    "move_column",
    "replace_key",
    "set_default",
    "set_not_null",
    "soft_delete",
    "split_rows",
    "split_table",
    "view",
];
