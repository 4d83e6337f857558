//! A database on both sides: made from a set's SQL files, and made good again after each script.
//!
//! Beside each database stands a copy of its tables. After a script only the tables whose checksum changed are
//! filled again from the copy, which costs a tenth of making the database anew.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use crate::support::{
    client::{Client, Dsn},
    server::Family,
};

/// The time at which all data is made and all scripts run, so that both sides have the same.
pub const NOW: &str = "SET timestamp = 1700000000";

/// One server's database.
#[derive(Debug)]
pub struct Side {
    root: Client,
    database: String,
    family: Family,
    statements: Vec<String>,
    tables: Vec<Table>,
    /// Triggers would fire when a table is filled again: then the database is made anew.
    has_triggers: bool,
}

#[derive(Debug)]
struct Table {
    name: String,
    /// Those that are not generated, quoted, with commas.
    columns: String,
    checksum: String,
    next_id: Option<String>,
}

impl Side {
    /// Makes the database by the given statements.
    pub async fn make(dsn: &Dsn, family: Family, database: &str, statements: Vec<String>) -> Result<Self> {
        let root = Client::connect(dsn).await?;
        let mut side =
            Self { root, database: database.to_owned(), family, statements, tables: Vec::new(), has_triggers: false };
        side.remake().await?;
        Ok(side)
    }

    /// The names of its tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// Makes it anew.
    pub async fn remake(&mut self) -> Result<()> {
        let database = &self.database;
        for sql in [
            "SET SESSION sql_mode = DEFAULT, foreign_key_checks = DEFAULT, unique_checks = DEFAULT".to_owned(),
            format!("DROP DATABASE IF EXISTS `{database}`"),
            format!("DROP DATABASE IF EXISTS `{database}_copy`"),
            format!("CREATE DATABASE `{database}` CHARACTER SET utf8mb4"),
            format!("CREATE DATABASE `{database}_copy` CHARACTER SET utf8mb4"),
            format!("USE `{database}`"),
            NOW.to_owned(),
        ] {
            self.root.run(&sql).await?;
        }
        for sql in &self.statements {
            self.root.run(sql).await?;
        }
        if self.family == Family::MySql {
            self.root.run("SET SESSION information_schema_stats_expiry = 0").await?;
        }
        self.root
            .run("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, unique_checks = 0")
            .await?;
        self.tables = self.look().await?;
        for table in &self.tables {
            let (name, columns) = (quoted(&table.name), &table.columns);
            let copy = format!("`{}_copy`.{name}", self.database);
            self.root.run(&format!("CREATE TABLE {copy} LIKE {name}")).await?;
            self.root.run(&format!("INSERT INTO {copy} ({columns}) SELECT {columns} FROM {name}")).await?;
        }
        let triggers = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
        self.has_triggers = self.root.rows(triggers).await? != [[Some("0".to_owned())]];
        Ok(())
    }

    /// Undoes what a script did.
    pub async fn restore(&mut self, definitions_too: bool) -> Result<()> {
        if definitions_too {
            return self.remake().await;
        }
        let (changed, renumbered) = (self.changed().await?, self.renumbered().await?);
        if self.has_triggers && !(changed.is_empty() && renumbered.is_empty()) {
            return self.remake().await;
        }
        for &index in &changed {
            let (name, columns) = (quoted(&self.tables[index].name), &self.tables[index].columns);
            self.root.run(&format!("DELETE FROM {name}")).await?;
            let fill = format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM `{}_copy`.{name}", self.database);
            self.root.run(&fill).await?;
        }
        for &index in &renumbered {
            if let Some(next_id) = &self.tables[index].next_id {
                let name = quoted(&self.tables[index].name);
                self.root.run(&format!("ALTER TABLE {name} AUTO_INCREMENT = {next_id}")).await?;
            }
        }
        let is_whole = changed.is_empty() && renumbered.is_empty()
            || self.changed().await?.is_empty() && self.renumbered().await?.is_empty();
        if is_whole { Ok(()) } else { bail!("{} is not as it was", self.database) }
    }

    /// The tables whose rows are not as they were made.
    async fn changed(&mut self) -> Result<Vec<usize>> {
        let checksums = self.checksums().await?;
        Ok(self.indexes(|table| checksums.get(&table.name) != Some(&table.checksum)))
    }

    /// The tables whose next number is not as it was.
    async fn renumbered(&mut self) -> Result<Vec<usize>> {
        let next_ids = self.next_ids().await?;
        Ok(self.indexes(|table| next_ids.get(&table.name) != table.next_id.as_ref()))
    }

    fn indexes(&self, wanted: impl Fn(&Table) -> bool) -> Vec<usize> {
        self.tables.iter().enumerate().filter(|(_, table)| wanted(table)).map(|(index, _)| index).collect()
    }

    /// Removes it.
    pub async fn remove(mut self) -> Result<()> {
        self.root.run(&format!("DROP DATABASE `{}_copy`", self.database)).await?;
        self.root.run(&format!("DROP DATABASE `{}`", self.database)).await
    }

    async fn look(&mut self) -> Result<Vec<Table>> {
        let names = "SELECT TABLE_NAME FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME";
        let columns = "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
                       WHERE TABLE_SCHEMA = DATABASE() AND COALESCE(GENERATION_EXPRESSION, '') = '' \
                       ORDER BY TABLE_NAME, ORDINAL_POSITION";
        self.tables.clear();
        for row in self.root.rows(names).await? {
            let [Some(name)] = row.as_slice() else { continue };
            let table = Table { name: name.clone(), columns: String::new(), checksum: String::new(), next_id: None };
            self.tables.push(table);
        }
        let mut tables = std::mem::take(&mut self.tables);
        let columns = pairs(self.root.rows(columns).await?);
        for table in &mut tables {
            let own = columns.iter().filter(|(name, _)| *name == table.name);
            table.columns = own.map(|(_, column)| quoted(column)).collect::<Vec<_>>().join(", ");
        }
        self.tables = tables;
        let (checksums, next_ids) = (self.checksums().await?, self.next_ids().await?);
        for table in &mut self.tables {
            table.checksum = checksums.get(&table.name).cloned().context("a table without a checksum")?;
            table.next_id = next_ids.get(&table.name).cloned();
        }
        Ok(std::mem::take(&mut self.tables))
    }

    async fn checksums(&mut self) -> Result<BTreeMap<String, String>> {
        let names: Vec<_> = self.tables().map(quoted).collect();
        let rows = self.root.rows(&format!("CHECKSUM TABLE {}", names.join(", "))).await?;
        let prefix = format!("{}.", self.database);
        Ok(pairs(rows).into_iter().map(|(name, sum)| (name.trim_start_matches(&prefix).to_owned(), sum)).collect())
    }

    async fn next_ids(&mut self) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = DATABASE() AND AUTO_INCREMENT IS NOT NULL";
        Ok(pairs(self.root.rows(sql).await?).into_iter().collect())
    }
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Rows of two columns; those with a NULL are left out.
fn pairs(rows: Vec<Vec<Option<String>>>) -> Vec<(String, String)> {
    let pair = |row: Vec<Option<String>>| match <[_; 2]>::try_from(row) {
        Ok([Some(first), Some(second)]) => Some((first, second)),
        _ => None,
    };
    rows.into_iter().filter_map(pair).collect()
}
