//! Rule files as written: what the file says and where, before anything is known about schemas.

pub mod fields;
pub mod node;

use self::{
    fields::Fields,
    node::{Located, Node, Value, parse},
};
use super::{
    Diagnostic,
    diagnostic::{Findings, SourceFile, Span},
};

/// A rule file.
#[derive(Debug)]
pub struct RuleFile {
    /// The logical database.
    pub database: Located<String>,
    /// Oldest first; at least one.
    pub versions: Vec<VersionEntry>,
    /// Which version's schema the server has, if the file says so.
    pub physical: Option<Located<String>>,
}

/// One of `versions`.
#[derive(Debug)]
pub struct VersionEntry {
    /// Its name.
    pub name: Located<String>,
    /// The path of its snapshot, relative to the rule file.
    pub schema: Located<String>,
    /// What it changed, in order.
    pub changes: Vec<ChangeEntry>,
}

/// One of `changes`: its kind, and a body that the kind knows how to read.
#[derive(Debug)]
pub struct ChangeEntry {
    /// E.g. `rename_table`.
    pub kind: Located<String>,
    /// Its fields.
    pub body: Node,
}

/// Reads a rule file. Nothing is returned if the mistakes leave nothing to go on with.
pub fn read(file: &SourceFile) -> (Option<RuleFile>, Vec<Diagnostic>) {
    let node = match parse(file) {
        Ok(node) => node,
        Err(diagnostic) => return (None, vec![diagnostic]),
    };
    let mut findings = Findings::new(file);
    let read = read_file(&mut findings, node);
    (read, findings.found)
}

fn read_file(findings: &mut Findings<'_>, node: Node) -> Option<RuleFile> {
    let mut fields = Fields::of(findings, node, "the rule file", Span { start: 0, end: 1 })?;
    let database = fields.text("database", "shop");
    let physical = fields.optional_text("physical");
    let versions = fields.required("versions", "[{name: v1, schema: shop/v1.schema.json}]");
    fields.finish();
    let versions = read_versions(findings, versions?)?;
    Some(RuleFile { database: database?, versions, physical })
}

fn read_versions(findings: &mut Findings<'_>, node: Node) -> Option<Vec<VersionEntry>> {
    let help = "list the versions, oldest first: `- name: v1`, `  schema: shop/v1.schema.json`";
    let Value::List(items) = node.value else {
        findings.add(node.span, format!("`versions` is {}, not a list", node.value.kind()), help);
        return None;
    };
    if items.is_empty() {
        findings.add(node.span, "`versions` is empty", help);
        return None;
    }
    let count = items.len();
    let mut versions: Vec<VersionEntry> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let Some(version) = read_version(findings, item) else { continue };
        if versions.iter().any(|known| known.name.value == version.name.value) {
            let message = format!("version `{}` is there twice", version.name.value);
            findings.add(version.name.span, message, "give each version a name of its own");
        }
        if let Some(first) = version.changes.first().filter(|_| index == 0) {
            let message = format!("the oldest version, `{}`, has changes", version.name.value);
            findings.add(first.kind.span, message, "changes belong to the version that made them, the newer one");
        }
        versions.push(version);
    }
    // With an entry missing, the ones around it are no neighbours: their changes would all seem wrong.
    (versions.len() == count).then_some(versions)
}

fn read_version(findings: &mut Findings<'_>, node: Node) -> Option<VersionEntry> {
    let span = node.span;
    let mut fields = Fields::of(findings, node, "a version", span)?;
    let name = fields.text("name", "v1");
    let schema = fields.text("schema", "shop/v1.schema.json");
    let changes = fields.node("changes");
    fields.finish();
    let changes = changes.map_or_else(Vec::new, |changes| read_changes(findings, changes));
    let name = name?;
    let good = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !good || name.value.contains("__") {
        let message = format!("`{}` can be no version's name", name.value);
        findings.add(name.span, message, "use letters, digits, `.`, `-` and single `_`: clients write `shop__v1`");
    }
    Some(VersionEntry { name, schema: schema?, changes })
}

fn read_changes(findings: &mut Findings<'_>, node: Node) -> Vec<ChangeEntry> {
    let help = "write a list: `- rename_column: {table: people, from: mail, to: email}`";
    match node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.into_iter().filter_map(|item| read_change(findings, item, help)).collect(),
        other => {
            findings.add(node.span, format!("`changes` is {}, not a list", other.kind()), help);
            Vec::new()
        }
    }
}

fn read_change(findings: &mut Findings<'_>, node: Node, help: &str) -> Option<ChangeEntry> {
    let Value::Map(mut entries) = node.value else {
        findings.add(node.span, format!("a change is {}, not a map", node.value.kind()), help);
        return None;
    };
    if entries.len() > 1 {
        findings.add(entries[1].0.span, "a change has more than one kind", "start each change with `- ` of its own");
    }
    entries.truncate(1);
    let (kind, body) = entries.pop()?;
    let Value::Text(name) = kind.value else {
        findings.add(kind.span, format!("a change's kind is {}, not a name", kind.value.kind()), help);
        return None;
    };
    Some(ChangeEntry { kind: Located { value: name, span: kind.span }, body })
}
