//! `bifocal check`: compiles the rules and, with a database URL, holds them against the live schema and data.

use std::{path::PathBuf, process::ExitCode};

use mysql_async::{Conn, prelude::Queryable};

use super::{
    database_url::DatabaseUrl,
    rules::load,
    snapshot::{capture, connect},
};
use crate::{
    rules::{Lossiness, Mapping, Ruleset, TableMapping, VersionedDatabase, raise, type_difference},
    schema::{Column, Schema, Table},
};

/// Options of `bifocal check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with the rule files, or one of them.
    #[arg(long, env = "BIFOCAL_RULES", default_value = "rules")]
    pub rules: PathBuf,
    /// Also hold the rules against this database.
    #[command(flatten)]
    pub database_url: DatabaseUrl,
    /// Which logical database it is; default: the one of the URL's name, or the only one.
    #[arg(long)]
    pub database: Option<String>,
}

/// Runs the subcommand: what is wrong goes to stderr, a line per version to stdout.
pub async fn run(args: &Args) -> ExitCode {
    let ruleset = match load(&args.rules) {
        Ok(ruleset) => ruleset,
        Err(error) => {
            eprintln!("{}", error.render());
            return ExitCode::FAILURE;
        }
    };
    match hold(&ruleset, args).await {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            for line in &found {
                eprintln!("{line}");
            }
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("bifocal check: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    for database in &ruleset.databases {
        for line in summary(database) {
            println!("{line}");
        }
    }
    ExitCode::SUCCESS
}

fn summary(database: &VersionedDatabase) -> Vec<String> {
    let line = |version: &crate::rules::VersionRules| match version.chain.as_slice() {
        [] => format!("{} {}: physical, {} tables", database.name, version.name, version.schema.tables.len()),
        chain => {
            let changed: usize = chain.iter().map(|mapping| mapping.tables.len()).sum();
            let steps = chain.len();
            format!("{} {}: {changed} tables mapped in {steps} step(s)", database.name, version.name)
        }
    };
    database.versions.iter().map(line).collect()
}

/// What a live database says against the rules, where one is given.
async fn hold(ruleset: &Ruleset, args: &Args) -> anyhow::Result<Vec<String>> {
    match args.database_url.read()? {
        Some(url) => check_live(ruleset, &url, args.database.as_deref()).await,
        None => Ok(Vec::new()),
    }
}

async fn check_live(ruleset: &Ruleset, url: &str, name: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut connection = connect(url).await?;
    let live = capture(&mut connection).await?;
    let wanted = name.unwrap_or(&live.database);
    let database = match ruleset.databases.iter().find(|database| database.name == wanted) {
        Some(database) => database,
        None if name.is_none() && ruleset.databases.len() == 1 => &ruleset.databases[0],
        None => anyhow::bail!("the rules name no database `{wanted}`; say which one is meant with --database"),
    };
    let mut found = Vec::new();
    if let Some(physical) = database.versions.last() {
        found.extend(drift(&physical.schema, &live, &physical.name));
    }
    let last_step = database.versions.iter().rev().nth(1).and_then(|version| version.chain.last());
    if let Some(mapping) = last_step.filter(|_| found.is_empty()) {
        found.extend(check_data(&mut connection, mapping).await?);
    }
    connection.disconnect().await?;
    Ok(found)
}

/// How the live schema differs from the snapshot of the physical version.
fn drift(expected: &Schema, live: &Schema, version: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in &expected.tables {
        match live.table(&table.name) {
            Some(there) => table_drift(&mut found, table, there, version),
            None => found.push(format!("drift: table `{}` of {version} is not in the database", table.name)),
        }
    }
    for table in live.tables.iter().filter(|table| expected.table(&table.name).is_none()) {
        found.push(format!("drift: the database has a table `{}` that {version} does not know", table.name));
    }
    found
}

fn table_drift(found: &mut Vec<String>, expected: &Table, live: &Table, version: &str) {
    for column in &expected.columns {
        let name = format!("`{}.{}`", live.name, column.name);
        match live.column(&column.name) {
            Some(there) => column_drift(found, &name, column, there),
            None => found.push(format!("drift: column {name} of {version} is not in the database")),
        }
    }
    for column in live.columns.iter().filter(|column| expected.column(&column.name).is_none()) {
        let name = format!("`{}.{}`", live.name, column.name);
        found.push(format!("drift: the database has a column {name} that {version} does not know"));
        if !column.nullable && column.default.is_none() && column.generated.is_none() && !column.is_auto_increment() {
            found.push(format!(
                "drift: {name} is NOT NULL and has no default: an older version's INSERT cannot fill it"
            ));
        }
    }
}

fn column_drift(found: &mut Vec<String>, name: &str, expected: &Column, live: &Column) {
    if let Some((expected, live)) = type_difference(expected, live) {
        found.push(format!("drift: {name} is {live}, the snapshot says {expected}"));
    }
    let nullable = |column: &Column| if column.nullable { "nullable" } else { "NOT NULL" };
    if expected.nullable != live.nullable {
        found.push(format!("drift: {name} is {}, the snapshot says {}", nullable(live), nullable(expected)));
    }
    let visible = |column: &Column| if column.is_invisible() { "invisible" } else { "visible" };
    if expected.is_invisible() != live.is_invisible() {
        found.push(format!("drift: {name} is {}, the snapshot says {}", visible(live), visible(expected)));
    }
    if expected.default != live.default {
        let show = |column: &Column| column.default.clone().unwrap_or_else(|| "none".to_owned());
        found.push(format!("drift: the default of {name} is {}, the snapshot says {}", show(live), show(expected)));
    }
}

/// Tests the claim of every bijective change on the rows that are there: what an older version reads and writes
/// back must be what stood there.
async fn check_data(connection: &mut Conn, mapping: &Mapping) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for table in &mapping.tables {
        for (group, statement) in claims(table) {
            let claim = format!("`{}`: {} said to be bijective", table.physical, group.join(", "));
            match connection.query_first::<u64, _>(statement).await {
                Ok(Some(0) | None) => {}
                Ok(Some(rows)) => found.push(format!("data: {claim}, but {rows} row(s) do not survive the round trip")),
                Err(mysql_async::Error::Server(error)) => {
                    let meant = raise::raised(&error.message);
                    let meant = raise::ALL.iter().find(|(code, _)| Some(*code) == meant).map(|(_, meaning)| *meaning);
                    found.push(format!("data: {claim}, but {}", meant.unwrap_or(&error.message)));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(found)
}

/// The statement that counts the counter-examples of each bijective group.
fn claims(table: &TableMapping) -> Vec<(Vec<String>, String)> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let bijective = table.groups.iter().filter(|group| group.lossiness == Lossiness::Bijective);
    let statement = |group: &crate::rules::Group| {
        let older = |name: &str| {
            let at = group.columns.iter().position(|column| column.eq_ignore_ascii_case(name));
            at.and_then(|at| group.backward.get(at)).map_or_else(String::new, |backward| backward.render(quoted))
        };
        let same: Vec<String> = group
            .writes
            .iter()
            .map(|write| format!("{} <=> {}", write.forward.render(older), quoted(&write.column)))
            .collect();
        format!("SELECT COUNT(*) FROM {} WHERE NOT ({})", quoted(&table.physical), same.join(" AND "))
    };
    bijective.map(|group| (group.columns.clone(), statement(group))).collect()
}
