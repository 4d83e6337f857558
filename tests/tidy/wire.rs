//! The traps of the wire: each has a test, and the list names it as it is.

use super::{Finding, Source};

const LIST: &str = "docs/wire.md";

/// How many lines the list has.
const LINES: usize = 27;

/// Names in the list that no test has, and lines that are missing.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(list) = sources.iter().find(|source| source.path == LIST) else { return Vec::new() };
    let rows: Vec<&str> = list.text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut findings = Vec::new();
    if rows.len() != LINES {
        findings.push(list.finding(0, format!("the list has {} lines, and there are {LINES} traps", rows.len())));
    }
    let tests: Vec<&Source> = sources.iter().filter(|source| source.is_rust()).collect();
    let exists = |name: &str| {
        let named = [format!("fn {name}("), format!("\"{name}\""), format!("{name}(")];
        let is_path = name.contains('/') && sources.iter().any(|source| source.path == name);
        is_path || tests.iter().any(|test| named.iter().any(|form| test.text.contains(form.as_str())))
    };
    for row in rows {
        let held_by = row.trim_end_matches(" |").rsplit_once(" | ").map_or("", |(_, names)| names);
        for name in held_by.split('`').skip(1).step_by(2).filter(|name| !exists(name)) {
            let at = list.text.find(row).unwrap_or(0);
            findings.push(list.finding(at, format!("there is no test `{name}`")));
        }
        if !held_by.contains('`') {
            findings.push(list.finding(list.text.find(row).unwrap_or(0), "no test holds this"));
        }
    }
    findings
}
