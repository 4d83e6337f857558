//! A version's schema as captured from a server: tables, columns, keys.
//!
//! `bifocal snapshot` writes [`Schema`] as JSON; the rules name those files. Nothing here talks to a server.

mod create;

use serde::{Deserialize, Serialize};

pub use create::column_defaults;

/// One database's schema, as one version of the app knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The database it was captured from (informative: rules name the logical database).
    pub database: String,
    /// The server's version string, e.g. `10.11.11-MariaDB-0+deb12u1`.
    pub server: String,
    /// Default character set of the database.
    pub charset: String,
    /// Default collation of the database.
    pub collation: String,
    /// Sorted by name.
    pub tables: Vec<Table>,
}

/// A base table or view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name, in the server's spelling.
    pub name: String,
    /// Base table or view.
    pub kind: TableKind,
    /// The text of `SHOW CREATE TABLE` (or `SHOW CREATE VIEW`).
    pub create: String,
    /// In ordinal order.
    pub columns: Vec<Column>,
    /// Primary key first.
    pub keys: Vec<Key>,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table with rows of its own.
    BaseTable,
    /// A view.
    View,
}

/// A column, from `information_schema.COLUMNS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name, in the server's spelling.
    pub name: String,
    /// `DATA_TYPE`, lower case, e.g. `varchar`.
    pub data_type: String,
    /// `COLUMN_TYPE`, e.g. `varchar(64)`, `int(10) unsigned`, `enum('a','b')`.
    pub column_type: String,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// The default as an SQL expression ready to be put into a statement (`'abc'`, `0`, `NULL`,
    /// `current_timestamp()`), or none where the column has no default at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `EXTRA`, lower case, as the server prints it, e.g. `auto_increment`, `invisible`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extra: String,
    /// Character set, for character types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Collation, for character types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Whether that collation is the default one of its character set on that server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collation_is_default: bool,
    /// `CHARACTER_MAXIMUM_LENGTH`, in characters (bytes for binary types).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub char_len: Option<u64>,
    /// `NUMERIC_PRECISION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// `NUMERIC_SCALE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u64>,
    /// `DATETIME_PRECISION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datetime_precision: Option<u64>,
    /// `GENERATION_EXPRESSION`, for generated columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
}

impl Column {
    /// Whether `SELECT *` leaves it out.
    pub fn is_invisible(&self) -> bool {
        self.extra.contains("invisible")
    }

    /// Whether the server numbers it.
    pub fn is_auto_increment(&self) -> bool {
        self.extra.contains("auto_increment")
    }

    /// Whether its type is unsigned.
    pub fn is_unsigned(&self) -> bool {
        self.column_type.contains("unsigned")
    }
}

/// A key, from `information_schema.STATISTICS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// Whether it is unique.
    pub unique: bool,
    /// Its columns in order; an expression part (MySQL) is an empty name.
    pub columns: Vec<String>,
}

impl Schema {
    /// The table of that name, compared as identifiers without case.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }
}

impl Table {
    /// The column of that name, compared without case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}
