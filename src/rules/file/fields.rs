//! The fields of one map in a rule file: each is asked for by name, and what nobody asked for is a mistake.

use super::node::{Located, Node, Value};
use crate::rules::diagnostic::{Findings, Span};

/// The fields of a map.
pub struct Fields<'f, 's> {
    findings: &'f mut Findings<'s>,
    what: String,
    span: Span,
    entries: Vec<(Located<String>, Node, bool)>,
    known: Vec<&'static str>,
}

impl<'f, 's> Fields<'f, 's> {
    /// The fields of `node`, which `what` names in messages and `span` locates; none if it is no map.
    pub fn of(findings: &'f mut Findings<'s>, node: Node, what: &str, span: Span) -> Option<Self> {
        let Value::Map(entries) = node.value else {
            findings.add(
                node.span,
                format!("{what} is {}, not a map", node.value.kind()),
                "write `name: value` pairs, e.g. `{table: people, …}`",
            );
            return None;
        };
        let mut named: Vec<(Located<String>, Node, bool)> = Vec::new();
        for (key, value) in entries {
            let Value::Text(name) = key.value else {
                findings.add(key.span, format!("{what} has {} as a key", key.value.kind()), "keys are names");
                continue;
            };
            if named.iter().any(|(known, ..)| known.value == name) {
                findings.add(key.span, format!("{what} says `{name}` twice"), "keep one of them");
                continue;
            }
            named.push((Located { value: name, span: key.span }, value, false));
        }
        Some(Self { findings, what: what.to_owned(), span, entries: named, known: Vec::new() })
    }

    /// Where mistakes go.
    pub fn findings(&mut self) -> &mut Findings<'s> {
        self.findings
    }

    /// Where the map's name stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The field's node, if it is there.
    pub fn node(&mut self, name: &'static str) -> Option<Node> {
        self.known.push(name);
        let entry = self.entries.iter_mut().find(|(key, ..)| key.value == name)?;
        entry.2 = true;
        Some(entry.1.clone())
    }

    /// The field's node; that it is not there is a mistake, and `example` shows what would be right.
    pub fn required(&mut self, name: &'static str, example: &str) -> Option<Node> {
        let node = self.node(name);
        if node.is_none() {
            let (span, what) = (self.span, self.what.clone());
            self.findings.add(span, format!("{what} lacks `{name}`"), format!("add `{name}: {example}`"));
        }
        node
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &'static str, example: &str) -> Option<Located<String>> {
        let node = self.required(name, example)?;
        text(self.findings, node, name)
    }

    /// A text that may be there.
    pub fn optional_text(&mut self, name: &'static str) -> Option<Located<String>> {
        let node = self.node(name)?;
        text(self.findings, node, name)
    }

    /// `true` or `false`, false if it is not there; with the place if true.
    pub fn flag(&mut self, name: &'static str) -> Option<Span> {
        let node = self.node(name)?;
        match node.value {
            Value::Bool(true) => Some(node.span),
            Value::Bool(false) => None,
            other => {
                let message = format!("`{name}` is {}, not `true` or `false`", other.kind());
                self.findings.add(node.span, message, format!("write `{name}: true` or leave it out"));
                None
            }
        }
    }

    /// A list of texts that must be there and not be empty.
    pub fn texts(&mut self, name: &'static str, example: &str) -> Option<Vec<Located<String>>> {
        let node = self.required(name, example)?;
        let Value::List(items) = node.value else {
            let message = format!("`{name}` is {}, not a list", node.value.kind());
            self.findings.add(node.span, message, format!("write `{name}: {example}`"));
            return None;
        };
        if items.is_empty() {
            self.findings.add(node.span, format!("`{name}` is empty"), format!("write `{name}: {example}`"));
            return None;
        }
        items.into_iter().map(|item| text(self.findings, item, name)).collect()
    }

    /// A map from names to texts that must be there and not be empty.
    pub fn text_map(&mut self, name: &'static str, example: &str) -> Option<Vec<(Located<String>, Located<String>)>> {
        let node = self.required(name, example)?;
        let entries = map_entries(self.findings, node, name, example)?;
        let mut named: Vec<(Located<String>, Located<String>)> = Vec::new();
        for (key, value) in entries {
            let key = text(self.findings, key, name)?;
            if named.iter().any(|(known, _)| known.value.eq_ignore_ascii_case(&key.value)) {
                self.findings.add(key.span, format!("`{name}` says `{}` twice", key.value), "keep one of them");
                continue;
            }
            named.push((key, text(self.findings, value, name)?));
        }
        Some(named)
    }

    /// The entries of a map that must be there and not be empty, keys of any kind.
    pub fn entries(&mut self, name: &'static str, example: &str) -> Option<Vec<(Node, Node)>> {
        let node = self.required(name, example)?;
        map_entries(self.findings, node, name, example)
    }

    /// Tells what nobody asked for.
    pub fn finish(self) {
        for (key, ..) in self.entries.iter().filter(|(.., asked)| !asked) {
            let message = format!("{} has no field `{}`", self.what, key.value);
            let help = match nearest(&key.value, &self.known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its fields are {}", list(&self.known)),
            };
            self.findings.add(key.span, message, help);
        }
    }
}

/// The text of a node; a number stands for its digits.
pub fn text(findings: &mut Findings<'_>, node: Node, name: &str) -> Option<Located<String>> {
    match node.value {
        Value::Text(value) if value.trim().is_empty() => {
            findings.add(node.span, format!("`{name}` is an empty text"), "write a value, or leave the field out");
            None
        }
        Value::Text(value) | Value::Number(value) => Some(Located { value, span: node.span }),
        other => {
            findings.add(node.span, format!("`{name}` is {}, not a text", other.kind()), "write a text in quotes");
            None
        }
    }
}

/// The one of `known` that was probably meant by `name`.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let name = name.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (distance(&name, &known.to_ascii_lowercase()), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3).min(3))
        .map(|(_, known)| known)
}

/// Names in backticks, with commas.
pub fn list(names: &[impl AsRef<str>]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn map_entries(findings: &mut Findings<'_>, node: Node, name: &str, example: &str) -> Option<Vec<(Node, Node)>> {
    match node.value {
        Value::Map(entries) if !entries.is_empty() => Some(entries),
        Value::Map(_) => {
            findings.add(node.span, format!("`{name}` is empty"), format!("write `{name}: {example}`"));
            None
        }
        other => {
            let message = format!("`{name}` is {}, not a map", other.kind());
            findings.add(node.span, message, format!("write `{name}: {example}`"));
            None
        }
    }
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
