//! Rule files as written, and their compilation to [`Mapping`]s.

mod mapping;

pub use mapping::{
    AddedColumn, ColumnMapping, ColumnSource, Group, Kept, Lossiness, Mapping, PhysicalWrite, Ruleset, TableMapping,
    Template, TemplatePart, VersionRules, VersionedDatabase,
};
