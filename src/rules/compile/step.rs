//! One step, from a version to the next newer one: its tables while the changes are applied, one after the other.

use crate::{
    rules::{
        Lossiness, Template,
        diagnostic::{Findings, Span},
        file::{
            fields::{list, nearest},
            node::Located,
        },
    },
    schema::{Column, Schema, Table},
};

/// The older version's tables on their way to the newer version.
pub struct Step<'a> {
    /// The older version's name.
    pub older_name: &'a str,
    /// The newer version's name.
    pub newer_name: &'a str,
    /// The older version's schema.
    pub older: &'a Schema,
    /// The newer version's schema.
    pub newer: &'a Schema,
    /// The tables, as the changes so far have left them.
    pub tables: Vec<WorkingTable>,
}

/// A table of the older version, as the changes so far have left it.
pub struct WorkingTable {
    /// Its name in the older version.
    pub older: String,
    /// Its name now.
    pub name: String,
    /// Where it got that name, if a change gave it.
    pub named_at: Option<Span>,
    /// The columns that it has now.
    pub columns: Vec<WorkingColumn>,
    /// What is computed together.
    pub groups: Vec<WorkingGroup>,
    /// Dropped columns that are not kept, with what the older version reads there.
    pub discarded: Vec<(String, Template)>,
}

/// A column that a table has now.
pub struct WorkingColumn {
    /// Its name now.
    pub name: String,
    /// Where it got that name, if a change gave it.
    pub named_at: Option<Span>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a column comes from.
pub enum Origin {
    /// It is new; what an older version's insert puts there.
    Added(Option<Template>),
    /// A change writes it: index into [`WorkingTable::groups`].
    Group(usize),
    /// It is the older version's column of this name.
    Older(String),
}

/// Older columns that are computed together.
pub struct WorkingGroup {
    /// The change's place.
    pub span: Span,
    /// The older columns.
    pub columns: Vec<OlderColumn>,
    /// The newer columns it writes, each with its forward expression over older columns.
    pub writes: Vec<(String, Template)>,
    /// Where the older values are stored; empty, or one per older column.
    pub kept: Vec<Located<String>>,
    /// What the rule says about values that do not survive.
    pub lossiness: Lossiness,
}

/// An older column of a group.
pub struct OlderColumn {
    /// Its name in the older version.
    pub name: String,
    /// Its backward expression over newer columns, not cast yet.
    pub backward: Template,
}

impl<'a> Step<'a> {
    /// Before the first change.
    pub fn new(older: (&'a str, &'a Schema), newer: (&'a str, &'a Schema)) -> Self {
        let tables = older.1.tables.iter().map(WorkingTable::of).collect();
        Self { older_name: older.0, newer_name: newer.0, older: older.1, newer: newer.1, tables }
    }

    /// The index of the table that a change names.
    pub fn table(&self, findings: &mut Findings<'_>, name: &Located<String>) -> Option<usize> {
        let found = self.tables.iter().position(|table| table.name.eq_ignore_ascii_case(&name.value));
        if found.is_none() {
            let message = format!("there is no table `{}` at this point", name.value);
            findings.add(name.span, message, self.table_help(&name.value));
        }
        found
    }

    fn table_help(&self, name: &str) -> String {
        if let Some(renamed) = self.tables.iter().find(|table| table.older.eq_ignore_ascii_case(name)) {
            return format!("it is called `{}` since a change above", renamed.name);
        }
        let names: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
        match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{} has {}", self.older_name, list(&names)),
        }
    }

    /// The index of the untouched column of the older version that a change names, with its older name.
    pub fn column(&self, findings: &mut Findings<'_>, table: usize, name: &Located<String>) -> Option<(usize, String)> {
        let working = &self.tables[table];
        let Some(index) = working.position(&name.value) else {
            let message = format!("table `{}` has no column `{}` at this point", working.name, name.value);
            findings.add(name.span, message, working.column_help(&name.value));
            return None;
        };
        if let Origin::Older(older) = &working.columns[index].origin {
            return Some((index, older.clone()));
        }
        let message = format!("`{}.{}` comes from another change already", working.name, name.value);
        findings.add(name.span, message, "say it in one change: `map_columns` takes any number of columns");
        None
    }

    /// Whether a change may give `name` to a column of the table; another column of that name is a mistake.
    pub fn is_free(&self, findings: &mut Findings<'_>, table: usize, name: &Located<String>) -> bool {
        let working = &self.tables[table];
        if working.position(&name.value).is_some() {
            let message = format!("table `{}` has a column `{}` already", working.name, name.value);
            findings.add(name.span, message, "rename or drop that one first, or choose another name");
            return false;
        }
        true
    }

    /// The older version's column.
    pub fn older_column(&self, table: usize, name: &str) -> Option<&'a Column> {
        self.older.table(&self.tables[table].older)?.column(name)
    }

    /// The newer version's column, if the table has its last name already.
    pub fn newer_column(&self, table: usize, name: &str) -> Option<&'a Column> {
        self.newer.table(&self.tables[table].name)?.column(name)
    }
}

impl WorkingTable {
    fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|column| WorkingColumn {
            name: column.name.clone(),
            named_at: None,
            origin: Origin::Older(column.name.clone()),
        });
        Self {
            older: table.name.clone(),
            name: table.name.clone(),
            named_at: None,
            columns: columns.collect(),
            groups: Vec::new(),
            discarded: Vec::new(),
        }
    }

    /// The index of the column that has this name now.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// What the older version's column of this name has become, if no change computes it.
    pub fn untouched(&self, older: &str) -> Option<&WorkingColumn> {
        self.columns
            .iter()
            .find(|column| matches!(&column.origin, Origin::Older(name) if name.eq_ignore_ascii_case(older)))
    }

    /// The group that computes the older version's column of this name, and its place therein.
    pub fn group_of(&self, older: &str) -> Option<(usize, usize)> {
        self.groups.iter().enumerate().find_map(|(index, group)| {
            let at = group.columns.iter().position(|column| column.name.eq_ignore_ascii_case(older))?;
            Some((index, at))
        })
    }

    /// Gives a column another name, wherever it is named.
    pub fn rename(&mut self, index: usize, to: &Located<String>) {
        let from = std::mem::replace(&mut self.columns[index].name, to.value.clone());
        self.columns[index].named_at = Some(to.span);
        let put = |name: &str| Template::column(if name.eq_ignore_ascii_case(&from) { &to.value } else { name });
        for group in &mut self.groups {
            for (name, _) in &mut group.writes {
                if name.eq_ignore_ascii_case(&from) {
                    name.clone_from(&to.value);
                }
            }
            for column in &mut group.columns {
                column.backward = column.backward.substituted(put);
            }
        }
        for (_, value) in &mut self.discarded {
            *value = value.substituted(put);
        }
    }

    /// A name that a value for the newer side may use, as an expression over older columns.
    pub fn as_older(&self, name: &str) -> Result<Template, String> {
        if let Some(index) = self.position(name) {
            return match &self.columns[index].origin {
                Origin::Older(older) => Ok(Template::column(older)),
                Origin::Added(Some(value)) => Ok(value.clone()),
                Origin::Added(None) => Err(format!("`{name}` is new itself and has no `value`")),
                Origin::Group(group) => self.groups[*group]
                    .writes
                    .iter()
                    .find(|(column, _)| column.eq_ignore_ascii_case(name))
                    .map(|(_, forward)| forward.clone())
                    .ok_or_else(|| format!("`{name}` has no forward expression")),
            };
        }
        let discarded = self.discarded.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        if self.untouched(name).is_some() || self.group_of(name).is_some() || discarded {
            return Ok(Template::column(name));
        }
        Err(self.column_help(name))
    }

    fn column_help(&self, name: &str) -> String {
        if let Some(column) = self.untouched(name) {
            return format!("it is called `{}` since a change above", column.name);
        }
        let discarded = self.discarded.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        if self.group_of(name).is_some() || discarded {
            return "a change above has used it up; each column can be changed once".to_owned();
        }
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its columns are {}", list(&names)),
        }
    }
}
