//! The compiled form of the rules: how one version's tables stand on those of the next newer version.
//!
//! A version that lies several steps behind the physical one has a chain of mappings, oldest first; a
//! statement goes through them one after the other, so the composition needs no algebra of its own.

use std::sync::Arc;

use crate::schema::Schema;

/// All rules in force, of every logical database.
#[derive(Debug, Default)]
pub struct Ruleset {
    /// Counts the successful loads, from 1.
    pub generation: u64,
    /// Sorted by name.
    pub databases: Vec<VersionedDatabase>,
}

/// One logical database and its versions.
#[derive(Debug)]
pub struct VersionedDatabase {
    /// Its name on the server.
    pub name: String,
    /// Oldest first; the last is physical.
    pub versions: Vec<VersionRules>,
}

/// One version of a logical database.
#[derive(Debug)]
pub struct VersionRules {
    /// Its name in the rule file, e.g. `v1`.
    pub name: String,
    /// Its schema.
    pub schema: Arc<Schema>,
    /// From this version to the physical one, a mapping per step; empty for the physical version.
    pub chain: Vec<Arc<Mapping>>,
}

/// How one version's tables stand on those of the adjacent newer version ("physical" in the names below
/// means that adjacent newer side).
#[derive(Debug)]
pub struct Mapping {
    /// The logical database's name.
    pub database: String,
    /// The older version's name.
    pub version: String,
    /// The tables that changed, sorted by name in lower case.
    pub tables: Vec<TableMapping>,
    /// The older version's schema.
    pub schema: Arc<Schema>,
    /// The newer version's schema.
    pub physical: Arc<Schema>,
}

/// One changed table.
#[derive(Debug, Clone)]
pub struct TableMapping {
    /// Its name in the older version.
    pub name: String,
    /// Its name on the newer side.
    pub physical: String,
    /// The older version's columns in ordinal order, invisible ones included.
    pub columns: Vec<ColumnMapping>,
    /// The groups of columns that are computed together.
    pub groups: Vec<Group>,
    /// Columns that only the newer version has and that no group writes.
    pub added: Vec<AddedColumn>,
    /// Key names that differ: (older, newer).
    pub keys: Vec<(String, String)>,
}

/// One column of the older version.
#[derive(Debug, Clone)]
pub struct ColumnMapping {
    /// Its name in the older version.
    pub name: String,
    /// Where its value comes from.
    pub source: ColumnSource,
}

/// Where an older column's value comes from.
#[derive(Debug, Clone)]
pub enum ColumnSource {
    /// The newer column that holds just this value.
    Direct(String),
    /// An expression over newer columns (kept columns among them), already cast to the older column's type
    /// and collation; `group` is the index of the group that writes it back.
    Computed {
        /// The read expression. Its columns are names of the newer side.
        read: Template,
        /// Index into [`TableMapping::groups`].
        group: usize,
    },
    /// A dropped column that is not stored any more (`discard`): reads give this expression, writes are dropped.
    Discarded(Template),
}

/// Older columns that are written back together.
#[derive(Debug, Clone)]
pub struct Group {
    /// Names of the older columns.
    pub columns: Vec<String>,
    /// The newer columns it writes, each with its forward expression; the columns of those expressions are
    /// older names, and a value put in for one must already have the older column's type.
    pub writes: Vec<PhysicalWrite>,
    /// The kept columns: where each older column's own value is stored, if it is. Empty, or one per older column.
    pub kept: Vec<Kept>,
    /// What the rule says about values that do not survive the round trip.
    pub lossiness: Lossiness,
    /// Per older column, its plain backward expression over newer columns, cast to the older type, without
    /// the kept column's say; same order as `columns`.
    pub backward: Vec<Template>,
}

/// One newer column that a group writes.
#[derive(Debug, Clone)]
pub struct PhysicalWrite {
    /// Its name on the newer side.
    pub column: String,
    /// Its value, over older columns.
    pub forward: Template,
}

/// Where an older column's own value is stored.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The older column.
    pub column: String,
    /// The newer side's invisible column that stores it.
    pub physical: String,
}

/// What a rule says about values that do not survive the round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lossiness {
    /// There are none.
    Bijective,
    /// They are meant to be lost.
    Discard,
    /// They are stored beside the new value.
    Keep,
}

/// A column that only the newer version has.
#[derive(Debug, Clone)]
pub struct AddedColumn {
    /// Its name on the newer side.
    pub column: String,
    /// What an older version's insert puts there, over the older version's columns; none: its own default.
    pub value: Option<Template>,
}

/// An SQL expression with holes for columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// Text and columns in turn.
    pub parts: Vec<TemplatePart>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// SQL text.
    Text(String),
    /// A column, by its name without quotes.
    Column(String),
}

impl Template {
    /// A template that is just one column.
    pub fn column(name: &str) -> Self {
        Self { parts: vec![TemplatePart::Column(name.to_owned())] }
    }

    /// A template without columns.
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![TemplatePart::Text(text.into())] }
    }

    /// The template between two texts.
    #[must_use]
    pub fn wrapped(mut self, before: &str, after: &str) -> Self {
        self.parts.insert(0, TemplatePart::Text(before.to_owned()));
        self.parts.push(TemplatePart::Text(after.to_owned()));
        self
    }

    /// The template with `more` behind it.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        self.parts.extend(more.parts);
        self
    }

    /// The template with another one in place of every column.
    #[must_use]
    pub fn substituted(&self, mut put: impl FnMut(&str) -> Self) -> Self {
        let parts = self.parts.iter().flat_map(|part| match part {
            TemplatePart::Text(_) => vec![part.clone()],
            TemplatePart::Column(name) => put(name).parts,
        });
        Self { parts: parts.collect() }
    }

    /// The text, with every column replaced by what `put` gives for it.
    pub fn render(&self, mut put: impl FnMut(&str) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => text.clone(),
                TemplatePart::Column(name) => put(name),
            })
            .collect()
    }

    /// The columns that it names, in order, repeated as they stand.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Column(name) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }
}

impl Mapping {
    /// The mapping of an older version's table, if it changed.
    pub fn table(&self, name: &str) -> Option<&TableMapping> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Whether the newer side has a table of that name which the older version does not know.
    pub fn hides(&self, name: &str) -> bool {
        self.schema.table(name).is_none() && self.physical.table(name).is_some()
    }
}

impl TableMapping {
    /// The column of that name, compared without case.
    pub fn column(&self, name: &str) -> Option<&ColumnMapping> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}
