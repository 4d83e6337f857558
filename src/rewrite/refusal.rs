//! What Bifocal says no to: the one list of codes.

use super::{Refusal, ServerError};

/// Why planning stopped: a refusal, or an error that the version's own schema would give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Answer with this error.
    Answer(ServerError),
    /// Refuse.
    Refuse(Refusal),
}

/// A kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, e.g. `R101`.
    pub code: &'static str,
    /// One line for the documentation.
    pub title: &'static str,
}

/// SHOW, DESCRIBE, EXPLAIN or information_schema about a schema that changed.
pub const INTROSPECTION: Code =
    Code { code: "R101", title: "SHOW, DESCRIBE, EXPLAIN or information_schema about a schema that changed" };
/// A schema change by an older version on a table that changed.
pub const DDL: Code = Code { code: "R102", title: "a schema change by an older version on a table that changed" };
/// A statement on a changed table that could not be parsed with certainty.
pub const NOT_UNDERSTOOD: Code =
    Code { code: "R103", title: "a statement on a changed table that could not be parsed with certainty" };
/// Several statements in one text, one of them on a changed table.
pub const MULTI: Code = Code { code: "R104", title: "several statements in one text, one of them on a changed table" };
/// PREPARE … FROM a text that cannot be seen, or that names a changed table.
pub const PREPARE_TEXT: Code =
    Code { code: "R105", title: "PREPARE … FROM a text that cannot be seen, or that names a changed table" };
/// A kind of statement that is not mapped onto changed tables.
pub const STATEMENT_KIND: Code =
    Code { code: "R106", title: "a kind of statement that is not mapped onto changed tables" };
/// A value that must be computed once would be computed several times.
pub const VOLATILE: Code =
    Code { code: "R107", title: "a value that must be computed once would be computed several times" };
/// MATCH … AGAINST on a changed table.
pub const FULL_TEXT: Code = Code { code: "R108", title: "MATCH … AGAINST on a changed table" };
/// REPLACE into a table with columns that only a newer version has.
pub const REPLACE_ADDED: Code =
    Code { code: "R109", title: "REPLACE into a table with columns that only a newer version has" };
/// NATURAL or USING join on the target of a write.
pub const COALESCED: Code = Code { code: "R110", title: "NATURAL or USING join on the target of a write" };
/// A column that could belong to a changed table or to one whose columns are not known.
pub const AMBIGUOUS: Code =
    Code { code: "R111", title: "a column that could belong to a changed table or to one whose columns are not known" };
/// A computed column in a place where its value cannot be written or read exactly.
pub const COMPUTED_TARGET: Code =
    Code { code: "R112", title: "a computed column in a place where its value cannot be written or read exactly" };
/// An invisible column named beside a star over the same table.
pub const INVISIBLE_STAR: Code =
    Code { code: "R113", title: "an invisible column named beside a star over the same table" };
/// A locking clause whose tables cannot be told.
pub const LOCKS: Code = Code { code: "R114", title: "a locking clause whose tables cannot be told" };
/// A table named in another letter case than the schema's.
pub const CASE: Code = Code { code: "R115", title: "a table named in another letter case than the schema's" };
/// A CTE, alias or temporary table that has the name of a changed table.
pub const SHADOWED: Code =
    Code { code: "R116", title: "a CTE, alias or temporary table that has the name of a changed table" };
/// FOR SYSTEM_TIME on a changed table.
pub const SYSTEM_TIME: Code = Code { code: "R117", title: "FOR SYSTEM_TIME on a changed table" };
/// A column default that only the server can give.
pub const DEFAULTS: Code = Code { code: "R118", title: "a column default that only the server can give" };
/// A `sql_mode` under which the mapping's expressions would mean something else.
pub const SQL_MODE: Code =
    Code { code: "R119", title: "a sql_mode under which the mapping's expressions would mean something else" };

/// A name that the connection's character set cannot express with certainty.
pub const CHARSET: Code =
    Code { code: "R120", title: "a name that the connection's character set cannot express with certainty" };

/// Every code, in order.
pub const ALL: [Code; 20] = [
    INTROSPECTION,
    DDL,
    NOT_UNDERSTOOD,
    MULTI,
    PREPARE_TEXT,
    STATEMENT_KIND,
    VOLATILE,
    FULL_TEXT,
    REPLACE_ADDED,
    COALESCED,
    AMBIGUOUS,
    COMPUTED_TARGET,
    INVISIBLE_STAR,
    LOCKS,
    CASE,
    SHADOWED,
    SYSTEM_TIME,
    DEFAULTS,
    SQL_MODE,
    CHARSET,
];

impl Code {
    /// A refusal of this kind.
    pub fn because(self, reason: impl Into<String>) -> Stop {
        Stop::Refuse(Refusal { code: self.code, reason: reason.into() })
    }
}

/// `Unknown column` (1054), as both servers word it.
pub fn unknown_column(column: &str, clause: &str) -> Stop {
    Stop::Answer(ServerError {
        number: 1054,
        sqlstate: *b"42S22",
        message: format!("Unknown column '{column}' in '{clause}'"),
    })
}

/// `Column is ambiguous` (1052).
pub fn ambiguous_column(column: &str, clause: &str) -> Stop {
    Stop::Answer(ServerError {
        number: 1052,
        sqlstate: *b"23000",
        message: format!("Column '{column}' in {clause} is ambiguous"),
    })
}

/// `Field doesn't have a default value` (1364).
pub fn no_default(column: &str) -> Stop {
    Stop::Answer(ServerError {
        number: 1364,
        sqlstate: *b"HY000",
        message: format!("Field '{column}' doesn't have a default value"),
    })
}

/// `Table doesn't exist` (1146).
pub fn no_such_table(database: &str, table: &str) -> Stop {
    Stop::Answer(ServerError {
        number: 1146,
        sqlstate: *b"42S02",
        message: format!("Table '{database}.{table}' doesn't exist"),
    })
}
