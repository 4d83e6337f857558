//! Rule files as written, and their compilation to [`Mapping`]s.
//!
//! [`compile`] is a function of texts; who reads the files is elsewhere.

mod cast;
mod compile;
mod diagnostic;
mod file;
mod mapping;
pub mod raise;

pub use cast::{Family, cast, checked_cast, family, members, raise_as, text_literal};
pub use compile::{SUPPORTED, SnapshotTexts, UNSUPPORTED, compile, full_type, type_difference, unquoted};
pub use diagnostic::{Diagnostic, SourceFile, Span};
pub use mapping::{
    AddedColumn, ColumnMapping, ColumnSource, Group, Kept, Lossiness, Mapping, PhysicalWrite, Ruleset, TableMapping,
    Template, TemplatePart, VersionRules, VersionedDatabase,
};
