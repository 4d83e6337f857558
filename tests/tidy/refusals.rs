//! Refusals: the one list, its documentation, and the cases.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Source};

/// Where the one list of refusal codes stands, and their documentation.
pub const REFUSALS: &str = "src/rewrite/refusal.rs";
pub const REFUSAL_DOCS: &str = "docs/refusals.md";

/// A code: the file and the place where it stands, and the title that the list gives it.
type Codes<'a> = BTreeMap<&'a str, (&'a Source, usize, Option<&'a str>)>;

/// The codes, their documentation and the cases agree.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(list) = sources.iter().find(|source| source.path == REFUSALS) else { return Vec::new() };
    let (mut codes, mut findings) = listed(list);
    for source in sources.iter().filter(|source| source.is_rust() && source.path.starts_with("src/")) {
        for (at, code) in written(source) {
            codes.entry(code).or_insert((source, at, None));
        }
    }
    findings.extend(documented(list, &codes, sources.iter().find(|source| source.path == REFUSAL_DOCS)));

    let cases: Vec<_> = sources.iter().filter(|source| source.path.starts_with("tests/cases/")).collect();
    let mut refused = BTreeSet::new();
    for source in &cases {
        for (at, rest) in source.text.match_indices("refuse R").map(|(at, _)| (at, &source.text[at + 7..])) {
            let Some((code, _)) = rest.split_once(':').filter(|(code, _)| code.len() == 4) else { continue };
            if !codes.contains_key(code) {
                findings.push(source.finding(at, format!("{REFUSALS} has no code {code}")));
            }
            refused.insert(code);
        }
    }
    for (code, (source, at, title)) in codes {
        // The others are said to commands that no case can send.
        if title.is_some() && !cases.is_empty() && !refused.contains(code) {
            let message = format!("no case refuses with {code}; add one `refuse {code}:` to tests/cases");
            findings.push(source.finding(at, message));
        }
    }
    findings
}

/// The codes of the list, which are unique.
fn listed(list: &Source) -> (Codes<'_>, Vec<Finding>) {
    let mut codes = Codes::new();
    let mut findings = Vec::new();
    for (at, code) in written(list) {
        if code.len() != 4 || code[1..].parse::<u16>().is_err() {
            findings.push(list.finding(at, format!("`{code}` is not R and three digits")));
        }
        if codes.contains_key(code) {
            findings.push(list.finding(at, format!("code {code} is there already; take the next free number")));
        }
        let title = list.text[at..].split_once("title: \"").and_then(|(_, rest)| rest.split_once('"'));
        codes.entry(code).or_insert((list, at, title.map(|(title, _)| title)));
    }
    (codes, findings)
}

/// Where codes stand in a file.
fn written(source: &Source) -> Vec<(usize, &str)> {
    let at = source.text.match_indices("code: \"R").map(|(at, _)| at);
    at.filter_map(|at| Some((at, source.text[at + "code: \"".len()..].split_once('"')?.0))).collect()
}

/// Holds the table of the documentation against the list.
fn documented(list: &Source, codes: &Codes<'_>, docs: Option<&Source>) -> Vec<Finding> {
    let Some(docs) = docs else { return vec![list.finding(0, format!("there is no {REFUSAL_DOCS}"))] };
    let mut findings = Vec::new();
    let mut rows = BTreeSet::new();
    let mut offset = 0;
    for line in docs.text.split_inclusive('\n') {
        let cells: Vec<_> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if let (true, [code, when, instead]) = (line.starts_with("| R"), cells.as_slice()) {
            match codes.get(code) {
                None => findings.push(docs.finding(offset, format!("nothing is refused with {code}; remove the row"))),
                Some((_, _, Some(title))) if !plain(when).starts_with(&plain(title)) => {
                    findings.push(docs.finding(offset, format!("the row of {code} does not begin with `{title}`")));
                }
                Some(_) => {}
            }
            if instead.is_empty() {
                findings.push(docs.finding(offset, format!("the row of {code} does not say what to do instead")));
            }
            rows.insert(*code);
        }
        offset += line.len();
    }
    for (code, (source, at, title)) in codes.iter().filter(|(code, _)| !rows.contains(*code)) {
        let when = title.unwrap_or("when");
        let message = format!("{REFUSAL_DOCS} lacks the row `| {code} | {when} | what to do instead |`");
        findings.push(source.finding(*at, message));
    }
    findings
}

/// Text without its markup.
fn plain(text: &str) -> String {
    text.replace('`', "").to_lowercase()
}
