//! Rule files as written, and their compilation to [`Mapping`]s.

pub mod cast;
mod mapping;
pub mod raise;

pub use cast::{cast, checked_cast};
pub use mapping::{
    AddedColumn, ColumnMapping, ColumnSource, Group, Kept, Lossiness, Mapping, PhysicalWrite, Ruleset, TableMapping,
    Template, TemplatePart, VersionRules, VersionedDatabase,
};
