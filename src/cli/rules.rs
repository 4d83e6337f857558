//! Reading rule files and snapshots from a folder.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::rules::{Diagnostic, Ruleset, SourceFile, compile};

/// Why a folder's rules are not in force.
#[derive(Debug)]
pub enum LoadError {
    /// A file or folder cannot be read.
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The folder holds no rule file.
    NoFiles(PathBuf),
    /// The rules are wrong.
    Mistakes {
        /// All mistakes, sorted by place.
        diagnostics: Vec<Diagnostic>,
        /// The rule files, for the snippets.
        sources: Vec<SourceFile>,
    },
}

/// Reads and compiles all `*.yaml` and `*.yml` files of a folder, or one file.
pub fn load(path: &Path) -> Result<Ruleset, LoadError> {
    let mut sources = Vec::new();
    for path in rule_files(path)? {
        let text = fs::read_to_string(&path).map_err(|error| LoadError::Io { path: path.clone(), error })?;
        sources.push(SourceFile { path: path.display().to_string(), text });
    }
    let snapshot = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    compile(&sources, &snapshot).map_err(|diagnostics| LoadError::Mistakes { diagnostics, sources })
}

impl LoadError {
    /// The mistakes with their places in the files, for humans.
    pub fn render(&self) -> String {
        let Self::Mistakes { diagnostics, sources } = self else { return self.to_string() };
        let mut text = String::new();
        for diagnostic in diagnostics {
            let source = sources.iter().find(|source| source.path == diagnostic.file);
            text.push_str(&diagnostic.render(source.map_or("", |source| &source.text)));
            text.push('\n');
        }
        text + &count(diagnostics.len())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoFiles(path) => write!(f, "{}: no rule file, *.yaml, is there", path.display()),
            Self::Mistakes { diagnostics, .. } => {
                for diagnostic in diagnostics {
                    writeln!(f, "{diagnostic}")?;
                }
                f.write_str(&count(diagnostics.len()))
            }
        }
    }
}

impl std::error::Error for LoadError {}

fn count(mistakes: usize) -> String {
    if mistakes == 1 { "1 mistake".to_owned() } else { format!("{mistakes} mistakes") }
}

fn rule_files(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |error| LoadError::Io { path: path.to_owned(), error };
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(LoadError::NoFiles(path.to_owned())) } else { Ok(files) }
}
