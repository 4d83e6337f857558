//! Case files: scripts of statements, in the format that `tests/cases/README.md` describes.

use anyhow::{Context, Result, bail};
use mysql_async::Value;

use super::server::{Family, Kind};

/// One script of a case file.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// File stem and title, e.g. `select: joins of every kind`.
    pub title: String,
    /// Where it stands.
    pub file: String,
    /// Which servers it is for; all that match every condition.
    pub only: Vec<Condition>,
    /// The version that speaks; none: the oldest.
    pub version: Option<String>,
    /// The charset of its connections and of its statements' bytes; none: utf8mb4.
    pub charset: Option<String>,
    /// Not to be run inside a transaction of the oracle's.
    pub outside: bool,
    /// In order.
    pub steps: Vec<Step>,
}

/// A condition on the server.
#[derive(Debug, Clone)]
pub struct Condition {
    family: Family,
    /// Lowest and highest major version.
    range: (u32, u32),
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its line in the file.
    pub line: usize,
    /// What is done with it.
    pub action: Action,
    /// Its text, without the final semicolon.
    pub text: String,
    /// The arguments of each execution; empty: one execution without arguments.
    pub executions: Vec<Vec<Literal>>,
    /// Rows are compared as a set.
    pub unordered: bool,
    /// The rows that another version's read must give, each as text.
    pub rows: Vec<Vec<Literal>>,
    /// The error that another version's statement must give, one of these numbers; empty: success.
    pub errors: Vec<u16>,
}

/// What is done with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run on both sides, and compare.
    Compare,
    /// Run on both sides; the outcomes must differ.
    Differ(String),
    /// Run on the reference only.
    Reference,
    /// Run through Bifocal only, which must refuse with this code.
    Refuse(String),
    /// Run as another version, on the migrated side only.
    Version(String),
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// As written.
    pub text: String,
    /// Its value.
    pub value: Value,
}

impl Condition {
    fn parse(text: &str) -> Result<Self> {
        let split = text.find(['<', '>']).unwrap_or(text.len());
        let (name, bound) = text.split_at(split);
        let family = [Family::MariaDb, Family::MySql]
            .into_iter()
            .find(|family| family.name() == name)
            .with_context(|| format!("no family of servers is named '{name}'"))?;
        let range = if bound.is_empty() {
            (0, u32::MAX)
        } else if let Some(lowest) = bound.strip_prefix(">=") {
            (lowest.parse()?, u32::MAX)
        } else if let Some(above) = bound.strip_prefix('<') {
            (0, above.parse::<u32>()?.saturating_sub(1))
        } else {
            bail!("'{bound}' is neither >= nor < a major version");
        };
        Ok(Self { family, range })
    }

    fn holds(&self, kind: &Kind) -> bool {
        self.family == kind.family && (self.range.0..=self.range.1).contains(&kind.major)
    }
}

impl Script {
    /// Whether it is meant for this server.
    pub fn is_for(&self, kind: &Kind) -> bool {
        self.only.iter().all(|condition| condition.holds(kind))
    }

    /// Whether it can be wrapped in a transaction: it must not begin or end one.
    pub fn fits_in_transaction(&self) -> bool {
        !self.outside && !self.steps.iter().any(Step::ends_transaction)
    }

    /// Whether it may change anything.
    pub fn writes(&self) -> bool {
        self.steps.iter().any(|step| !step.reads_only())
    }

    /// Whether it may change a table's definition, or which tables there are.
    pub fn defines(&self) -> bool {
        self.steps.iter().any(Step::defines)
    }
}

impl Step {
    /// Its first two words in upper case.
    fn words(&self) -> (String, String) {
        let mut words = self.text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut next = || words.next().unwrap_or_default().to_ascii_uppercase();
        (next(), next())
    }

    /// Whether it surely changes nothing. `SELECT … INTO OUTFILE` and functions with effects are not foreseen.
    pub fn reads_only(&self) -> bool {
        self.action == Action::Compare
            && matches!(
                self.words().0.as_str(),
                "SELECT" | "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" | "VALUES" | "TABLE" | "SET" | "DO"
            )
    }

    fn ends_transaction(&self) -> bool {
        let (first, second) = self.words();
        match first.as_str() {
            "SET" => self.text.to_ascii_lowercase().contains("autocommit"),
            "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "LOCK" | "UNLOCK" | "XA" => true,
            _ => self.defines() || second == "PROCEDURE",
        }
    }

    fn defines(&self) -> bool {
        let (first, second) = self.words();
        matches!(first.as_str(), "CREATE" | "ALTER" | "DROP" | "RENAME" | "TRUNCATE" | "OPTIMIZE" | "ANALYZE")
            && second != "TEMPORARY"
    }

    /// The text with the arguments in place of the question marks.
    pub fn text_with(&self, args: &[Literal]) -> Result<String> {
        let mut out = String::with_capacity(self.text.len());
        let mut args = args.iter();
        let mut quote = None;
        let mut chars = self.text.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, '?') => {
                    out.push_str(&args.next().context("more question marks than arguments")?.text);
                    continue;
                }
                (None, '\'' | '"' | '`') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (Some('\'' | '"'), '\\') => {
                    out.push(c);
                    out.extend(chars.next());
                    continue;
                }
                _ => {}
            }
            out.push(c);
        }
        if args.next().is_some() {
            bail!("more arguments than question marks");
        }
        Ok(out)
    }
}

/// Reads a case file. `stem` becomes the first part of the titles.
pub fn parse(text: &str, file: &str, stem: &str) -> Result<Vec<Script>> {
    let mut scripts: Vec<Script> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let at = || format!("{file}:{number}");
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            let title = format!("{stem}: {}", title.trim());
            if scripts.iter().any(|script| script.title == title) {
                bail!("{}: a script of that title exists", at());
            }
            scripts.push(Script { title, file: file.to_owned(), ..Script::default() });
            continue;
        }
        let script = scripts.last_mut().with_context(|| format!("{}: before the first title", at()))?;
        if let Some(attribute) = line.strip_prefix('@') {
            script.set(attribute).with_context(at)?;
        } else if line.starts_with(' ') {
            let step = script.steps.last_mut().with_context(|| format!("{}: no statement before", at()))?;
            step.annotate(line.trim()).with_context(at)?;
        } else {
            let mut statement = line.trim_end().to_owned();
            while !statement.ends_with(';') {
                let (_, more) = lines.next().with_context(|| format!("{}: the statement has no end", at()))?;
                statement.push('\n');
                statement.push_str(more.trim_end());
            }
            script.steps.push(Step::parse(statement.trim_end_matches(';'), number).with_context(at)?);
        }
    }
    if let Some(empty) = scripts.iter().find(|script| script.steps.is_empty()) {
        bail!("{file}: '{}' has no statement", empty.title);
    }
    Ok(scripts)
}

impl Script {
    fn set(&mut self, attribute: &str) -> Result<()> {
        if !self.steps.is_empty() {
            bail!("@{attribute} must stand before the statements");
        }
        match attribute.split_once(' ').map_or((attribute, ""), |(key, value)| (key, value.trim())) {
            ("only", value) => self.only.push(Condition::parse(value)?),
            ("version", value) => self.version = Some(value.to_owned()),
            ("charset", value) => self.charset = Some(value.to_owned()),
            ("outside", "") => self.outside = true,
            _ => bail!("unknown: @{attribute}"),
        }
        Ok(())
    }
}

impl Step {
    fn parse(statement: &str, line: usize) -> Result<Self> {
        let (action, text) = match statement.split_once(':') {
            Some((prefix, rest)) => match action(prefix, rest)? {
                Some((action, text)) => (action, text),
                None => (Action::Compare, statement),
            },
            None => (Action::Compare, statement),
        };
        let text = text.trim().to_owned();
        Ok(Self { line, action, text, executions: Vec::new(), unordered: false, rows: Vec::new(), errors: Vec::new() })
    }

    fn annotate(&mut self, note: &str) -> Result<()> {
        let other_version = matches!(self.action, Action::Version(_));
        if let Some(args) = note.strip_prefix("->") {
            let args = literals(args)?;
            self.text_with(&args)?;
            self.executions.push(args);
        } else if note == "@unordered" {
            self.unordered = true;
        } else if let Some(row) = note.strip_prefix('=').filter(|_| other_version) {
            self.rows.push(literals(row)?);
        } else if let Some(error) = note.strip_prefix("error ").filter(|_| other_version) {
            self.errors = error.split('|').map(|number| number.trim().parse()).collect::<Result<_, _>>()?;
        } else {
            bail!("unknown, or not meant for such a statement: {note}");
        }
        Ok(())
    }
}

/// What a prefix asks for, and the statement after it; none where it is part of the statement.
fn action<'a>(prefix: &str, rest: &'a str) -> Result<Option<(Action, &'a str)>> {
    let version = prefix.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    Ok(match prefix {
        "ref" => Some((Action::Reference, rest)),
        "differs" => {
            let (reason, statement) = rest.split_once(": ").context("differs: reason: statement")?;
            Some((Action::Differ(reason.trim().to_owned()), statement))
        }
        _ if version => Some((Action::Version(prefix.to_owned()), rest)),
        _ => prefix.strip_prefix("refuse ").map(|code| (Action::Refuse(code.trim().to_owned()), rest)),
    })
}

/// Literals separated by commas.
fn literals(text: &str) -> Result<Vec<Literal>> {
    let mut pieces = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' if !quoted => {
                pieces.push(String::new());
                continue;
            }
            '\\' if quoted => {
                pieces.last_mut().context("no piece")?.push(c);
                pieces.last_mut().context("no piece")?.extend(chars.next());
                continue;
            }
            '\'' => quoted = !quoted,
            _ => {}
        }
        pieces.last_mut().context("no piece")?.push(c);
    }
    if quoted {
        bail!("a quote is not closed");
    }
    pieces.iter().map(|piece| literal(piece.trim())).collect()
}

fn literal(text: &str) -> Result<Literal> {
    let inner = |prefix: usize| text.get(prefix..text.len().saturating_sub(1)).unwrap_or_default();
    let value = if text.eq_ignore_ascii_case("NULL") {
        Value::NULL
    } else if text.len() > 1 && text.starts_with('\'') {
        Value::Bytes(unescape(inner(1)).into_bytes())
    } else if text.starts_with("x'") {
        let digits = inner(2);
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap_or_default(), 16);
        Value::Bytes((0..digits.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
    } else if let Ok(number) = text.parse::<i64>() {
        Value::Int(number)
    } else if let Ok(number) = text.parse::<u64>() {
        Value::UInt(number)
    } else if text.contains(['e', 'E']) {
        Value::Double(text.parse().with_context(|| format!("not a literal: {text}"))?)
    } else if text.parse::<f64>().is_ok() {
        // A decimal number: drivers send it as text.
        Value::Bytes(text.as_bytes().to_vec())
    } else {
        bail!("not a literal: {text}");
    };
    Ok(Literal { text: text.to_owned(), value })
}

/// The content of an SQL string literal.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => out.extend(chars.next()),
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('0') => out.push('\0'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}
