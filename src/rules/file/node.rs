//! YAML as a tree in which every node knows its place, so that all mistakes can be told, not only the first.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

use crate::rules::{
    Diagnostic,
    diagnostic::{SourceFile, Span},
};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place in the file.
    pub span: Span,
}

/// A node of the tree.
pub type Node = Located<Value>;

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// `[…]`.
    List(Vec<Node>),
    /// `{…}`, in the file's order, a key that is there twice included.
    Map(Vec<(Node, Node)>),
    /// `null`, `~` or nothing.
    Null,
    /// A number, as it stands in the file.
    Number(String),
    /// A text, without quotes.
    Text(String),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Null => "nothing",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
        }
    }
}

/// Reads a file as YAML.
pub fn parse(file: &SourceFile) -> Result<Node, Diagnostic> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Raw>(&file.text, options) {
        Ok(raw) => Ok(raw.located(&file.text)),
        Err(error) => {
            let start = error.location().map_or(0, |at| offset_of(&file.text, at.line(), at.column()));
            let message = format!("not YAML: {}", error.render().lines().next().unwrap_or_default());
            let span = Span { start, end: start + 1 };
            Err(Diagnostic::new(file, span, message, "write one YAML document; quote texts that hold `: ` or ` #`"))
        }
    }
}

/// The byte offset of a place that is given by line and column, both from 1.
fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let before = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(before(line)).map(str::len).sum();
    start + text[start..].chars().take(before(column)).map(char::len_utf8).sum::<usize>()
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Raw(Spanned<RawValue>);

enum RawValue {
    Bool(bool),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
    Null,
    Number,
    Text(String),
}

impl Raw {
    fn located(self, text: &str) -> Node {
        let place = self.0.referenced.span();
        let byte = |at: Option<u64>| at.and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(text.len());
        let start = byte(place.byte_offset());
        let end = byte(place.byte_offset().zip(place.byte_len()).map(|(at, len)| at + len)).max(start);
        let written = text.get(start..end).unwrap_or_default();
        let value = match self.0.value {
            RawValue::Bool(value) => Value::Bool(value),
            RawValue::List(items) => Value::List(items.into_iter().map(|item| item.located(text)).collect()),
            RawValue::Map(entries) => {
                Value::Map(entries.into_iter().map(|(key, value)| (key.located(text), value.located(text))).collect())
            }
            RawValue::Null => Value::Null,
            RawValue::Number => Value::Number(written.trim().to_owned()),
            RawValue::Text(value) => Value::Text(value),
        };
        let line_len = written.find('\n').unwrap_or(written.len()).max(1);
        Located { value, span: Span { start, end: start + line_len } }
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawValue, E> {
        Ok(RawValue::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawValue, E> {
        Ok(RawValue::Number)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<RawValue, E> {
        if value.is_finite() { Ok(RawValue::Number) } else { Err(E::custom("a number without end")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_none<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
            if map.len() > MAX_ENTRIES {
                return Err(A::Error::custom("a map with more than 100000 entries"));
            }
        }
        Ok(RawValue::Map(map))
    }
}

/// More is no rule file.
const MAX_ENTRIES: usize = 100_000;
