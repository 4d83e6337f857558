//! Mistakes in rule files and snapshots: where each one is, what is wrong, and what would be right.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A text that a human wrote, and its name for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as messages shall name it.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// A place in a [`SourceFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Byte offset of its first character.
    pub start: usize,
    /// Byte offset past its last character.
    pub end: usize,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file's path.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The offending bytes, for the snippet.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl Diagnostic {
    /// A mistake at `span` of `file`.
    pub fn new(file: &SourceFile, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        let start = floor_boundary(&file.text, span.start);
        let end = floor_boundary(&file.text, span.end).max(start);
        let before = &file.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            file: file.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..end,
            message: message.into(),
            help: help.into(),
        }
    }

    /// A mistake that has no better place than the start of `file`.
    pub fn of_file(path: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { file: path.to_owned(), line: 1, column: 1, span: 0..0, message: message.into(), help: help.into() }
    }

    /// The plain line, and below it the place in `source`, the file's text.
    pub fn render(&self, source: &str) -> String {
        if self.span.end > source.len() || self.span.is_empty() {
            return self.to_string();
        }
        let snippet =
            Snippet::source(source).path(&self.file).annotation(AnnotationKind::Primary.span(self.span.clone()));
        let report = [Level::ERROR
            .primary_title(self.message.as_str())
            .element(snippet)
            .element(Level::HELP.message(self.help.as_str()))];
        format!("{self}\n{}", Renderer::plain().render(&report))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: error: {}", self.file, self.line, self.column, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; help: {}", self.help) }
    }
}

/// The mistakes found in one file, in the order found.
#[derive(Debug)]
pub struct Findings<'a> {
    /// The file they are in.
    pub file: &'a SourceFile,
    /// What was found.
    pub found: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    /// None yet.
    pub fn new(file: &'a SourceFile) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Adds a mistake at `span`.
    pub fn add(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::new(self.file, span, message, help));
    }
}

/// Sorted by place, each said once.
pub fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
    found.dedup();
    found
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
