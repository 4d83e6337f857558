//! Case sets: a folder with the schemas of each version, the migrations between them, rules and scripts.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};

use super::{
    case::{self, Script},
    server::Family,
};

/// More versions than any set has.
const MAX_VERSIONS: usize = 9;

/// A folder of `tests/cases`.
#[derive(Debug)]
pub struct Set {
    /// The folder's name.
    pub name: String,
    folder: PathBuf,
    /// `v1`, `v2` and so on, oldest first.
    pub versions: Vec<String>,
    /// In the order of files and lines.
    pub scripts: Vec<Arc<Script>>,
}

impl Set {
    /// Every set, by name.
    pub fn all() -> Result<Vec<Self>> {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut sets = Vec::new();
        for folder in sorted(&cases)?.into_iter().filter(|path| path.is_dir()) {
            sets.push(Self::read(&folder).with_context(|| folder.display().to_string())?);
        }
        Ok(sets)
    }

    /// The set in a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let name = folder.file_name().and_then(|name| name.to_str()).context("its name is not UTF-8")?.to_owned();
        let mut scripts = Vec::new();
        for path in sorted(folder)?.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "case")) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).context("a name is not UTF-8")?;
            let file = format!("tests/cases/{name}/{stem}.case");
            scripts.extend(case::parse(&fs::read_to_string(&path)?, &file, stem)?.into_iter().map(Arc::new));
        }
        let mut set = Self { name, folder: folder.to_owned(), versions: Vec::new(), scripts };
        set.versions = (1..=MAX_VERSIONS).map(|n| format!("v{n}")).take_while(|version| set.has(version)).collect();
        if set.versions.len() < 2 {
            bail!("v1.sql and v2.sql are needed");
        }
        for script in &set.scripts {
            let known = |version: &String| set.versions.contains(version);
            if !script.version.iter().all(known) {
                bail!("{}: '{}' is of an unknown version", script.file, script.title);
            }
        }
        Ok(set)
    }

    fn has(&self, version: &str) -> bool {
        [Family::MariaDb, Family::MySql].into_iter().all(|family| self.file(version, "sql", family).is_some())
    }

    /// The index of a script's version.
    pub fn version_of(&self, script: &Script) -> usize {
        script.version.as_ref().and_then(|name| self.versions.iter().position(|version| version == name)).unwrap_or(0)
    }

    /// The statements that make the given version's schema and data, step by step from the oldest.
    pub fn statements(&self, version: usize, family: Family) -> Result<Vec<String>> {
        let stem = &self.versions[version];
        let mut statements = split(&self.text(stem, "sql", family)?);
        if version == 0 {
            statements.extend(split(&self.text("data", "sql", family)?));
        }
        Ok(statements)
    }

    /// The rule file, for a database of another name and with the snapshots in another folder.
    pub fn rules(&self, family: Family, database: &str, snapshots: &str) -> Result<String> {
        let text = self.text("rules", "yaml", family)?;
        let mut named = false;
        let lines: Vec<_> = text
            .lines()
            .map(|line| {
                if line.starts_with("database:") {
                    named = true;
                    format!("database: {database}\n")
                } else {
                    format!("{}\n", line.replace("schema: snap/", &format!("schema: {snapshots}/")))
                }
            })
            .collect();
        if !named {
            bail!("rules.yaml names no database");
        }
        Ok(lines.concat())
    }

    fn text(&self, stem: &str, extension: &str, family: Family) -> Result<String> {
        let path = self.file(stem, extension, family).with_context(|| format!("{stem}.{extension} is missing"))?;
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// The family's variant of a file, else the common one.
    fn file(&self, stem: &str, extension: &str, family: Family) -> Option<PathBuf> {
        [format!("{stem}.{}.{extension}", family.name()), format!("{stem}.{extension}")]
            .into_iter()
            .map(|name| self.folder.join(name))
            .find(|path| path.exists())
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// The statements of an SQL file: each ends with a semicolon at the end of a line.
fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("--")) {
        statement.push_str(line);
        statement.push('\n');
        if line.trim_end().ends_with(';') {
            let complete = std::mem::take(&mut statement);
            statements.push(complete.trim_end().trim_end_matches(';').to_owned());
        }
    }
    statements
}
