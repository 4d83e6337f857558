//! One statement under planning: its text, its names, what they stand for, and the edits so far.

use std::collections::BTreeMap;

use super::{
    Facts, ResultTable,
    refusal::{self, Stop},
};
use crate::{
    rules::{ColumnSource, Mapping, TableMapping},
    sql::{
        Edits, Parsed, Text, TokenKind,
        scope::{BlockKind, Blocks, ColumnRef, Name, Relation},
    },
};

/// A statement and what is known of it.
pub struct Statement<'a> {
    /// The tokens.
    pub text: &'a Text<'a>,
    /// The AST and the locking clauses.
    pub parsed: &'a Parsed,
    /// What it names.
    pub blocks: Blocks,
    /// The step that it is planned for.
    pub mapping: &'a Mapping,
    /// Its number in the chain, from 0.
    pub step: usize,
    /// The session's facts.
    pub facts: &'a Facts,
    /// The edits so far.
    pub edits: Edits,
    /// Changed tables whose columns may stand in the result.
    pub tables: Vec<ResultTable>,
    /// Relations that are edited in place, not replaced by a derived table.
    pub targets: BTreeMap<usize, Target<'a>>,
}

/// A changed table that is named directly, as the target of a write.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// Its mapping.
    pub table: &'a TableMapping,
    /// What qualifies its columns in the rewritten text, not yet quoted.
    pub qualifier: String,
    /// Whether the client's qualifiers have to become `qualifier`.
    pub requalify: bool,
    /// Whether it is the row alias of an INSERT, which has the inserted columns alone.
    pub is_row: bool,
}

/// What a column reference stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A column of this relation.
    Column(usize),
    /// No table in sight has such a column.
    Nothing,
    /// Several tables of one block have it; this is the first.
    Ambiguous(usize),
    /// A table whose columns are not known may have it, and so may this relation further out.
    Unsure(usize),
}

impl<'a> Statement<'a> {
    /// The mapping of a relation, if it is a changed table of the mapped database.
    pub fn mapped(&self, relation: &Relation) -> Result<Option<&'a TableMapping>, Stop> {
        let Some(table) = relation.name.last() else { return Ok(None) };
        if !self.in_database(&relation.name) {
            return Ok(None);
        }
        let is_cte = relation.name.len() == 1 && self.is_cte(relation.block, table);
        let mapped = self.mapping.table(&table.text);
        match mapped {
            Some(_) if is_cte => {
                Err(refusal::SHADOWED.because(format!("the CTE {} has the name of a changed table", table.text)))
            }
            _ if is_cte => Ok(None),
            Some(mapped) if mapped.name != table.text => {
                Err(refusal::CASE.because(format!("{} is spelled {} in the schema", table.text, mapped.name)))
            }
            Some(mapped) => Ok(Some(mapped)),
            None if self.mapping.hides(&table.text) => Err(refusal::no_such_table(&self.mapping.database, &table.text)),
            None => Ok(None),
        }
    }

    /// Whether a table of that (qualified) name is in the mapped database.
    pub fn in_database(&self, name: &[Name]) -> bool {
        match name {
            [database, _] => database.is(&self.mapping.database),
            [_] => self.facts.database.as_deref().is_some_and(|now| now.eq_ignore_ascii_case(&self.mapping.database)),
            _ => false,
        }
    }

    fn is_cte(&self, block: usize, table: &Name) -> bool {
        self.outward(block).any(|block| self.blocks.blocks[block].ctes.iter().any(|cte| table.is(cte)))
    }

    /// The block and those around it, innermost first.
    pub fn outward(&self, block: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(block), |&block| self.blocks.blocks[block].parent)
    }

    /// The columns that a relation has in the version's schema, if they are known.
    pub fn columns_of(&self, relation: &Relation) -> Option<Vec<String>> {
        if relation.columns.is_some() {
            return relation.columns.clone();
        }
        let table = relation.name.last()?;
        if !self.in_database(&relation.name) || self.is_cte(relation.block, table) {
            return None;
        }
        let table = self.mapping.schema.table(&table.text)?;
        Some(table.columns.iter().map(|column| column.name.clone()).collect())
    }

    /// Which relation a column reference belongs to, as the servers decide it: innermost block first.
    pub fn resolve(&self, reference: &ColumnRef) -> Resolution {
        let Some(column) = reference.parts.last() else { return Resolution::Nothing };
        let mut unsure = false;
        let mut inner = None;
        for block in self.outward(reference.block) {
            if block == 0 && inner.is_some_and(|inner| self.is_source_of_insert(inner)) {
                return Resolution::Nothing;
            }
            inner = Some(block);
            let body = self.blocks.blocks[block].body;
            let mut found = Vec::new();
            for (index, relation) in self.blocks.relations.iter().enumerate() {
                if relation.block != block && Some(relation.block) != body {
                    continue;
                }
                match reference.parts.as_slice() {
                    // A row alias speaks only where it is named.
                    [_] if self.targets.get(&index).is_some_and(|target| target.is_row) => {}
                    [_] => match self.columns_of(relation) {
                        Some(columns) if columns.iter().any(|name| column.is(name)) => found.push(index),
                        Some(_) => {}
                        None => unsure = true,
                    },
                    [before @ .., qualifier, _]
                        if relation.qualifier().is_some_and(|name| name.is(&qualifier.text))
                            && before.iter().all(|database| self.is_from(relation, database)) =>
                    {
                        found.push(index);
                    }
                    _ => {}
                }
            }
            match found.as_slice() {
                [] => {}
                [first, ..] if unsure => return Resolution::Unsure(*first),
                [only] => return Resolution::Column(*only),
                // NATURAL and USING make one column of several.
                [first, ..] if self.blocks.blocks[block].coalesces => return Resolution::Column(*first),
                [first, ..] => return Resolution::Ambiguous(*first),
            }
            unsure |= reference.parts.len() == 1 && self.may_be_output(block, column);
        }
        Resolution::Nothing
    }

    /// Whether a relation is a table of that database.
    pub fn is_from(&self, relation: &Relation, database: &Name) -> bool {
        match relation.name.as_slice() {
            [own, _] => own.is(&database.text),
            _ => self.facts.database.as_deref().is_some_and(|now| database.is(now)),
        }
    }

    /// Whether a name may be that of a select list's item, in the block's HAVING or ORDER BY.
    fn may_be_output(&self, block: usize, column: &Name) -> bool {
        let here = &self.blocks.blocks[block];
        let body = here.body.map(|body| &self.blocks.blocks[body]);
        here.kind == BlockKind::SetOperation
            || here.aliases.iter().chain(body.into_iter().flat_map(|body| &body.aliases)).any(|alias| column.is(alias))
    }

    /// The query of an INSERT … SELECT does not see the table that is written to.
    fn is_source_of_insert(&self, block: usize) -> bool {
        self.text.is_any_word(0, &["INSERT", "REPLACE"]) && self.blocks.blocks[block].kind != BlockKind::Values
    }

    /// Whether a word is mentioned as an identifier anywhere in the text.
    pub fn mentions(&self, name: &str) -> bool {
        (0..self.text.len()).any(|index| self.text.name(index).is_some_and(|word| word.eq_ignore_ascii_case(name)))
    }

    /// Takes `db.` off a qualified column of a changed table, since a derived table has no database.
    pub fn strip_databases(&mut self) {
        let mut qualified: Vec<Vec<Name>> =
            self.blocks.columns.iter().map(|column| column.parts.clone()).filter(|parts| parts.len() == 3).collect();
        for parts in self.blocks.blocks.iter().flat_map(|block| &block.qualified_stars) {
            if let [database, table] = parts.as_slice() {
                qualified.push(vec![database.clone(), table.clone(), table.clone()]);
            }
        }
        for parts in qualified {
            let replaced = self.tables.iter().any(|table| parts[1].is(&table.alias));
            if parts[0].is(&self.mapping.database) && replaced {
                self.edits.put(parts[0].span.start..parts[1].span.start, "");
            }
        }
    }

    /// Every word that names a changed or hidden table must be one that the AST knows as an identifier, or it was
    /// misread; and no reserved word may have been taken for a name.
    pub fn account_for_names(&self) -> Result<(), Stop> {
        for index in 0..self.text.len() {
            let Some(name) = self.text.name(index) else { continue };
            if !is_interesting(self.mapping, &name) {
                continue;
            }
            let known = self.blocks.identifiers.contains(&self.text.span(index).start)
                || self.parsed.locks.iter().any(|lock| lock.of.contains(&index));
            if !known {
                return Err(refusal::NOT_UNDERSTOOD.because(format!("what {name} means here is not certain")));
            }
        }
        if let Some(index) = (0..self.text.len()).find(|&index| self.is_misread(index)) {
            let word = String::from_utf8_lossy(self.text.raw(index)).to_ascii_uppercase();
            return Err(refusal::NOT_UNDERSTOOD.because(format!("{word} was read as a name")));
        }
        for relation in &self.blocks.relations {
            for name in relation.name.iter().chain(&relation.alias) {
                if !name.quoted && RESERVED.iter().any(|word| name.is(word)) {
                    return Err(refusal::NOT_UNDERSTOOD.because(format!("{} was read as a table", name.text)));
                }
            }
        }
        if let Some(name) = self.blocks.other_relations.iter().flatten().find(|name| {
            is_interesting(self.mapping, &name.text)
                && !self.blocks.relations.iter().any(|relation| relation.name.contains(name))
        }) {
            return Err(refusal::STATEMENT_KIND.because(format!("the place where {} stands is not mapped", name.text)));
        }
        Ok(())
    }

    /// Whether the AST has a reserved word for a name. The parser knows operators that the servers do not: of `SELECT a
    /// OVERLAPS FROM t` it makes an operator and a column, where they read an alias and a table. After a dot every word
    /// is a name, and some of the words are functions' too.
    fn is_misread(&self, index: usize) -> bool {
        self.blocks.identifiers.contains(&self.text.span(index).start)
            && self.text.is_any_word(index, &RESERVED)
            && !self.text.is_punct(index + 1, "(")
            && !index.checked_sub(1).is_some_and(|before| self.text.is_punct(before, "."))
    }

    /// Whether a value that does not fit is an error: the mode is strict, and the statement does not say IGNORE.
    pub fn is_strict(&self) -> bool {
        self.facts.strict && !(1..4).any(|index| self.text.is_word(index, "IGNORE"))
    }

    /// Whether the tokens hold a call that gives another value each time.
    pub fn is_volatile(&self, tokens: std::ops::Range<usize>) -> bool {
        tokens.into_iter().any(|index| {
            let called = self.text.name(index).is_some() && self.text.is_punct(index + 1, "(");
            (called && !self.text.is_any_word(index, &STEADY))
                || self.text.is_punct(index, ":=")
                || self.text.are_words(index, &["NEXT", "VALUE"])
        })
    }

    /// Whether the tokens hold a subquery.
    pub fn has_subquery(&self, tokens: std::ops::Range<usize>) -> bool {
        tokens.into_iter().any(|index| self.text.is_any_word(index, &["SELECT", "TABLE"]))
    }

    /// Offsets of the placeholders.
    pub fn placeholders(&self) -> Vec<usize> {
        (0..self.text.len())
            .filter(|&index| self.text.kind(index) == Some(TokenKind::Placeholder))
            .map(|index| self.text.span(index).start)
            .collect()
    }
}

/// Whether a name is that of a table which changed, or which the older version does not know.
pub fn is_interesting(mapping: &Mapping, name: &str) -> bool {
    mapping.table(name).is_some() || mapping.hides(name)
}

/// An identifier in backticks, which both servers read in every mode.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Where a column of a changed table comes from.
pub fn source<'m>(table: &'m TableMapping, column: &str) -> Option<&'m ColumnSource> {
    table.column(column).map(|column| &column.source)
}

/// What may stand before a parenthesis and gives the same value however often it is asked within a statement. A stored
/// function may do anything.
const STEADY: [&str; 231] = [
    "ABS",
    "ACOS",
    "ADDDATE",
    "ADDTIME",
    "AES_DECRYPT",
    "AES_ENCRYPT",
    "AND",
    "ANY",
    "ALL",
    "ASCII",
    "ASIN",
    "ATAN",
    "ATAN2",
    "AVG",
    "BETWEEN",
    "BIN",
    "BINARY",
    "BIT_AND",
    "BIT_COUNT",
    "BIT_LENGTH",
    "BIT_OR",
    "BIT_XOR",
    "CASE",
    "CAST",
    "CEIL",
    "CEILING",
    "CHAR",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "CHR",
    "COALESCE",
    "COERCIBILITY",
    "COLLATE",
    "COLLATION",
    "COMPRESS",
    "CONCAT",
    "CONCAT_WS",
    "CONV",
    "CONVERT",
    "CONVERT_TZ",
    "COS",
    "COT",
    "COUNT",
    "CRC32",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURTIME",
    "DATABASE",
    "DATE",
    "DATEDIFF",
    "DATETIME",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_SUB",
    "DAY",
    "DAYNAME",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "DECIMAL",
    "DEFAULT",
    "DEGREES",
    "DENSE_RANK",
    "DIV",
    "ELSE",
    "ELT",
    "EXISTS",
    "EXP",
    "EXPORT_SET",
    "EXTRACT",
    "FIELD",
    "FIND_IN_SET",
    "FIRST_VALUE",
    "FLOOR",
    "FORMAT",
    "FROM",
    "FROM_BASE64",
    "FROM_DAYS",
    "FROM_UNIXTIME",
    "GREATEST",
    "GROUP_CONCAT",
    "HEX",
    "HOUR",
    "IF",
    "IFNULL",
    "IN",
    "INET_ATON",
    "INET_NTOA",
    "INSERT",
    "INSTR",
    "INTERVAL",
    "ISNULL",
    "JSON_ARRAY",
    "JSON_CONTAINS",
    "JSON_EXTRACT",
    "JSON_LENGTH",
    "JSON_MERGE_PATCH",
    "JSON_OBJECT",
    "JSON_QUOTE",
    "JSON_REMOVE",
    "JSON_REPLACE",
    "JSON_SET",
    "JSON_TYPE",
    "JSON_UNQUOTE",
    "JSON_VALID",
    "JSON_VALUE",
    "LAG",
    "LAST_DAY",
    "LAST_VALUE",
    "LCASE",
    "LEAD",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LIKE",
    "LN",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "LOCATE",
    "LOG",
    "LOG10",
    "LOG2",
    "LOWER",
    "LPAD",
    "LTRIM",
    "MAKEDATE",
    "MAKETIME",
    "MAKE_SET",
    "MAX",
    "MD5",
    "MICROSECOND",
    "MID",
    "MIN",
    "MINUTE",
    "MOD",
    "MONTH",
    "MONTHNAME",
    "NOT",
    "NOW",
    "NTILE",
    "NULLIF",
    "NVL",
    "NVL2",
    "OCT",
    "OCTET_LENGTH",
    "ON",
    "OR",
    "ORD",
    "OVER",
    "PERIOD_ADD",
    "PERIOD_DIFF",
    "PI",
    "POSITION",
    "POW",
    "POWER",
    "QUARTER",
    "QUOTE",
    "RADIANS",
    "RANK",
    "REGEXP",
    "REGEXP_REPLACE",
    "REGEXP_SUBSTR",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "RIGHT",
    "ROUND",
    "ROW",
    "ROW_NUMBER",
    "RPAD",
    "RTRIM",
    "SECOND",
    "SEC_TO_TIME",
    "SELECT",
    "SHA",
    "SHA1",
    "SHA2",
    "SIGN",
    "SIGNED",
    "SIN",
    "SOUNDEX",
    "SPACE",
    "SQRT",
    "STD",
    "STDDEV",
    "STRCMP",
    "STR_TO_DATE",
    "SUBDATE",
    "SUBSTR",
    "SUBSTRING",
    "SUBSTRING_INDEX",
    "SUBTIME",
    "SUM",
    "TAN",
    "THEN",
    "TIME",
    "TIMEDIFF",
    "TIMESTAMP",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "TIME_FORMAT",
    "TIME_TO_SEC",
    "TO_BASE64",
    "TO_DAYS",
    "TO_SECONDS",
    "TRIM",
    "TRUNCATE",
    "UCASE",
    "UNHEX",
    "UNION",
    "UNIX_TIMESTAMP",
    "UNSIGNED",
    "UPPER",
    "USER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "VALUES",
    "VARCHAR",
    "VARIANCE",
    "VERSION",
    "WEEK",
    "WEEKDAY",
    "WEEKOFYEAR",
    "WHEN",
    "WHERE",
    "XOR",
    "YEAR",
    "YEARWEEK",
];

const RESERVED: [&str; 43] = [
    "ALL",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CROSS",
    "DELAYED",
    "DELETE",
    "DISTINCT",
    "FOR",
    "FORCE",
    "FROM",
    "GROUP",
    "HAVING",
    "HIGH_PRIORITY",
    "IGNORE",
    "IN",
    "INNER",
    "INSERT",
    "INTO",
    "JOIN",
    "LEFT",
    "LIMIT",
    "LOCK",
    "LOW_PRIORITY",
    "NATURAL",
    "NOT",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PARTITION",
    "REPLACE",
    "RIGHT",
    "SELECT",
    "SET",
    "STRAIGHT_JOIN",
    "TABLE",
    "UNION",
    "UPDATE",
    "USE",
    "USING",
    "WHERE",
];
