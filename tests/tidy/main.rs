//! The rules of the house: who may import whom, what the core never touches, how long things get, and that every
//! refusal is documented and tested. Every rule reads a set of files, so `planted.rs` plants a violation of
//! each in memory, and see that it is found.

mod code;
mod planted;
mod refusals;
mod wire;

use std::{fmt, fs, path::Path};

use code::{code_of, is_word, paths, words};

/// The top-level modules, and what each may import. `cli` may import everything.
const IMPORTS: [(&str, &[&str]); 11] = [
    ("wire", &[]),
    ("sql", &[]),
    ("schema", &["sql"]),
    ("rules", &["schema", "sql"]),
    ("rewrite", &["rules", "schema", "sql"]),
    ("session", &["rewrite", "rules", "sql", "wire"]),
    ("proxy", &["config", "metrics", "rules", "session", "wire"]),
    ("admin", &["config", "metrics", "proxy", "rewrite", "rules", "schema", "session", "sql", "wire"]),
    ("config", &[]),
    ("metrics", &[]),
    ("cli", &["admin", "config", "metrics", "proxy", "rewrite", "rules", "schema", "session", "sql", "wire"]),
];

/// The modules that turn bytes into steps, and do nothing else.
const CORE: [&str; 6] = ["wire", "sql", "schema", "rules", "rewrite", "session"];

/// What the core never names: sockets, files, clocks, the environment, logs and globals.
const IMPURE: [&str; 18] = [
    "tokio",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tracing",
    "log",
    "static mut",
    "LazyLock",
    "OnceLock",
    "thread_local!",
    "println!",
    "eprintln!",
    "dbg!",
    "mysql_async",
];

/// What stands before a module that only tests have.
const TEST_ONLY: [&str; 2] = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"];

/// What no file has: skipped tests, unchecked code, and code that no reader can search for.
const BANNED: [(&str, &str); 3] = [
    ("#[ignore", "a test runs, or it is not there"),
    ("unsafe", "there is always a safe way"),
    ("macro_rules!", "write a function, or the lines themselves"),
];

/// Endings and names of types that say nothing.
const EMPTY_WORDS: [&str; 6] = ["Manager", "Handler", "Helper", "Engine", "Util", "Common"];

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 70;

/// A file of the repository.
struct Source {
    /// From the repository's root, e.g. `src/sql/lex.rs`.
    path: String,
    text: String,
    /// `text` with comments and literals blanked out: the same lines, and code only.
    code: String,
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = if extension(path) == "rs" { code_of(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The top-level module that a file of `src/<module>/` belongs to.
    fn module(&self) -> Option<&str> {
        let (module, _) = self.path.strip_prefix("src/")?.split_once('/')?;
        Some(module)
    }

    fn finding(&self, offset: usize, message: impl Into<String>) -> Finding {
        let line = self.text[..offset].matches('\n').count() + 1;
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Whether the file is, or is in, the module `src/…/name`.
    fn is_in(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    fn is_rust(&self) -> bool {
        !self.code.is_empty()
    }
}

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for top in ["src", "tests", "benches", "docs", "fuzz/fuzz_targets"] {
        read(root, top, &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "src is not where it was");
    let findings = inspect(&sources);
    let list: Vec<_> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} finding(s):\n{}", findings.len(), list.join("\n"));
}

/// Adds the files under `path` that the rules are about.
fn read(root: &Path, path: &str, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(root.join(path)) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{path}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(root, &path, sources);
        } else if ["rs", "md", "case"].contains(&extension(&path)) {
            sources.push(Source::new(&path, &fs::read_to_string(root.join(&path)).unwrap()));
        }
    }
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Every rule over every file.
fn inspect(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tests = test_modules(sources);
    for source in sources.iter().filter(|source| source.is_rust()) {
        findings.extend(header(source));
        findings.extend(length(source));
        findings.extend(function_lengths(source));
        findings.extend(banned(source));
        findings.extend(empty_words(source));
        if !tests.iter().any(|module| source.is_in(module)) {
            findings.extend(imports(source));
        }
        findings.extend(purity(source));
    }
    findings.extend(refusals::check(sources));
    findings.extend(wire::check(sources));
    findings.sort();
    findings.dedup();
    findings
}

/// The modules that only tests have, as `src/…/name`: they may build what they need of any module.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut modules = Vec::new();
    for source in sources {
        for at in words(&source.code, "mod") {
            let before = source.code[..at].trim_end().trim_end_matches("pub(crate)").trim_end_matches("pub(super)");
            let name: String = source.code[at + 3..].trim_start().chars().take_while(|c| is_word(*c)).collect();
            if TEST_ONLY.iter().any(|attribute| before.trim_end().ends_with(attribute)) {
                let folder = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
                modules.push(format!("{folder}/{name}"));
            }
        }
    }
    modules
}

fn header(source: &Source) -> Option<Finding> {
    (!source.text.starts_with("//! "))
        .then(|| source.finding(0, "the file has no `//!` header; its first line says what the file is"))
}

fn length(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    (lines > MAX_FILE_LINES).then(|| Finding {
        path: source.path.clone(),
        line: lines,
        message: format!("the file has {lines} lines, and {MAX_FILE_LINES} is the most; split it by what it does"),
    })
}

fn function_lengths(source: &Source) -> Vec<Finding> {
    let code = &source.code;
    let mut findings = Vec::new();
    for at in words(code, "fn") {
        let name: String = code[at + 2..].trim_start().chars().take_while(|c| is_word(*c)).collect();
        let Some(end) = (!name.is_empty()).then(|| body_end(code, at)).flatten() else { continue };
        let lines = code[at..end].lines().count();
        if lines > MAX_FUNCTION_LINES {
            let message = format!("fn {name} has {lines} lines, and {MAX_FUNCTION_LINES} is the most; split it");
            findings.push(source.finding(at, message));
        }
    }
    findings
}

/// Where the body ends of the function whose `fn` stands at `at`; none if it has no body.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let (mut parens, mut braces) = (0_usize, 0_usize);
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' if braces == 0 => parens += 1,
            b')' | b']' if braces == 0 => parens = parens.checked_sub(1)?,
            b';' if braces == 0 && parens == 0 => return None,
            b'{' if parens == 0 => braces += 1,
            b'}' if parens == 0 => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn banned(source: &Source) -> Vec<Finding> {
    let hits = BANNED.iter().flat_map(|(what, instead)| {
        words(&source.code, what).into_iter().map(move |at| (at, format!("`{what}` is not used here: {instead}")))
    });
    hits.map(|(at, message)| source.finding(at, message)).collect()
}

fn empty_words(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for keyword in ["struct", "enum", "trait", "mod"] {
        for at in words(&source.code, keyword) {
            let rest = source.code[at + keyword.len()..].trim_start();
            let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
            if EMPTY_WORDS.iter().any(|word| name.ends_with(word) || name == word.to_lowercase()) {
                findings.push(source.finding(at, format!("the name `{name}` says nothing; name what it is or does")));
            }
        }
    }
    findings
}

fn imports(source: &Source) -> Vec<Finding> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else {
        let message = format!("module `{module}` is not in the table of imports; add it to IMPORTS of tests/tidy.rs");
        return vec![source.finding(0, message)];
    };
    let mut findings = Vec::new();
    for (at, path) in paths(&source.code) {
        let Some(path) = from_root(source, &path) else { continue };
        let mut parts = path.split("::");
        let other = parts.next().unwrap_or_default();
        if other == module || !IMPORTS.iter().any(|(name, _)| *name == other) {
            continue;
        }
        if !allowed.contains(&other) {
            let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            findings.push(source.finding(at, format!("`{module}` imports `{other}`; it may import {may}")));
        } else if module == "admin" && ["session", "wire"].contains(&other) && is_inner(parts.next()) {
            let message =
                format!("`admin` reaches into `{other}`; it may use what `{other}` itself names, e.g. re-exports");
            findings.push(source.finding(at, message));
        }
    }
    findings
}

/// A path as from the crate's root, if it goes by the root.
fn from_root<'a>(source: &Source, path: &'a str) -> Option<&'a str> {
    if let Some(rest) = path.strip_prefix("crate::").or_else(|| path.strip_prefix("bifocal::")) {
        return Some(rest);
    }
    let rest = path.trim_start_matches("super::");
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    (path.len() - rest.len() >= depth * "super::".len()).then_some(rest)
}

/// Whether the next part of a path is a module, by Rust's letter case.
fn is_inner(part: Option<&str>) -> bool {
    part.is_some_and(|part| part.starts_with(char::is_lowercase))
}

fn purity(source: &Source) -> Vec<Finding> {
    let Some(module) = source.module().filter(|module| CORE.contains(module)) else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, path) in paths(&source.code) {
        let hit = IMPURE.iter().find(|name| path == **name || path.starts_with(&format!("{name}::")));
        if let Some(name) = hit.filter(|_| path.contains("::")) {
            findings.push(source.finding(at, impure(module, name)));
        }
    }
    for name in IMPURE.iter().filter(|name| !name.contains("::")) {
        // A crate's name alone, such as `log`, may be any variable; paths are seen to above.
        if name.starts_with(char::is_uppercase) || name.contains(['!', ' ']) {
            let hits = words(&source.code, name).into_iter();
            findings.extend(hits.map(|at| source.finding(at, impure(module, name))));
        }
    }
    findings
}

fn impure(module: &str, name: &str) -> String {
    format!("`{module}` is core and names `{name}`; the core does no I/O and has no globals: pass the value in")
}
