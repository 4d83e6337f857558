//! `bifocal snapshot`: captures a version's schema from a server and prints it as JSON.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, bail};
use mysql_async::{Conn, Opts, Row, prelude::Queryable};

use super::{USAGE, database_url::DatabaseUrl};
use crate::{
    rules::unquoted,
    schema::{Column, Key, Schema, Table, TableKind, column_defaults},
    sql::{LexMode, ServerKind},
};

/// Options of `bifocal snapshot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which database.
    #[command(flatten)]
    pub database_url: DatabaseUrl,
}

/// Runs the subcommand.
pub async fn run(args: &Args) -> ExitCode {
    let printed = match args.database_url.read() {
        Ok(Some(url)) => print(&url).await,
        Ok(None) => {
            eprintln!("bifocal snapshot: say --database-url mysql://user:pass@host:3306/shop, or --database-url-file");
            return ExitCode::from(USAGE);
        }
        Err(error) => Err(error),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bifocal snapshot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn print(url: &str) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    let schema = capture(&mut connection).await?;
    connection.disconnect().await?;
    println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}

/// Connects to the database of a URL, in a session whose output does not depend on the server's settings.
pub async fn connect(database_url: &str) -> anyhow::Result<Conn> {
    let opts =
        Opts::from_url(database_url).context("the database URL is not `mysql://user:pass@host:3306/database`")?;
    if opts.db_name().is_none() {
        bail!("the database URL names no database: add `/database` at its end");
    }
    let mut connection = Conn::new(opts).await.context("cannot connect")?;
    connection.query_drop("SET NAMES utf8mb4").await?;
    connection.query_drop("SET SESSION sql_mode = '', SESSION sql_quote_show_create = 1").await?;
    Ok(connection)
}

/// Captures the schema of the connection's database.
pub async fn capture(connection: &mut Conn) -> anyhow::Result<Schema> {
    let row: Option<(String, String, String, String)> = connection
        .query_first(
            "SELECT DATABASE(), VERSION(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()",
        )
        .await?;
    let (database, server, charset, collation) = row.context("the database is not visible to this account")?;
    let collations = collations(connection).await?;
    let mut columns = columns(connection, &collations).await?;
    let mut keys = keys(connection).await?;
    let mut tables = Vec::new();
    for (name, kind) in table_names(connection).await? {
        let bytes = create_text(connection, &name, kind).await?;
        let mut columns = columns.remove(&name).unwrap_or_default();
        if kind == TableKind::BaseTable {
            set_defaults(&mut columns, &bytes, &server);
        }
        let create = without_counter(&String::from_utf8_lossy(&bytes));
        tables.push(Table { keys: keys.remove(&name).unwrap_or_default(), name, kind, create, columns });
    }
    Ok(Schema { database, server, charset, collation, tables })
}

async fn table_names(connection: &mut Conn) -> anyhow::Result<Vec<(String, TableKind)>> {
    let rows: Vec<(String, String)> = connection
        .query(
            "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')",
        )
        .await?;
    let kind = |text: String| if text == "VIEW" { TableKind::View } else { TableKind::BaseTable };
    let mut names: Vec<(String, TableKind)> = rows.into_iter().map(|(name, text)| (name, kind(text))).collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// The answer to `SHOW CREATE`. It is not always text: MariaDB prints binary defaults as they are.
async fn create_text(connection: &mut Conn, name: &str, kind: TableKind) -> anyhow::Result<Vec<u8>> {
    let what = if kind == TableKind::View { "VIEW" } else { "TABLE" };
    let statement = format!("SHOW CREATE {what} `{}`", name.replace('`', "``"));
    let row: Row = connection.query_first(statement).await?.with_context(|| format!("no answer about `{name}`"))?;
    Ok(row.get_opt(1).context("SHOW CREATE without a text")??)
}

/// Without the counter that changes with every insert.
fn without_counter(create: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let Some(options) = create.find("\n)") else { return create.to_owned() };
    match create[options..].find(COUNTER) {
        Some(at) => {
            let start = options + at;
            let digits = create[start + COUNTER.len()..].bytes().take_while(u8::is_ascii_digit).count();
            format!("{}{}", &create[..start], &create[start + COUNTER.len() + digits..])
        }
        None => create.to_owned(),
    }
}

/// For each character set in use, the collation that text gets which is converted to it.
async fn collations(connection: &mut Conn) -> anyhow::Result<BTreeMap<String, String>> {
    let charsets: Vec<String> = connection
        .query(
            "SELECT DISTINCT CHARACTER_SET_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND CHARACTER_SET_NAME IS NOT NULL",
        )
        .await?;
    let mut collations = BTreeMap::new();
    for charset in charsets {
        // Asked, not looked up: MySQL's and MariaDB's defaults depend on server variables.
        let statement = format!("SELECT COLLATION(CONVERT('' USING {charset}))");
        if let Some(collation) = connection.query_first(statement).await? {
            collations.insert(charset, collation);
        }
    }
    Ok(collations)
}

async fn columns(
    connection: &mut Conn,
    collations: &BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<String, Vec<Column>>> {
    let rows: Vec<Row> = connection
        .query(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, CHARACTER_SET_NAME, \
             COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, \
             GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
             ORDER BY TABLE_NAME, ORDINAL_POSITION",
        )
        .await?;
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in rows {
        let table: String = field(&row, 0)?;
        let charset: Option<String> = field(&row, 6)?;
        let collation: Option<String> = field(&row, 7)?;
        let default = charset.as_ref().and_then(|charset| collations.get(charset));
        let generated: Option<String> = field(&row, 12)?;
        columns.entry(table).or_default().push(Column {
            name: field(&row, 1)?,
            data_type: field::<String>(&row, 2)?.to_lowercase(),
            column_type: field(&row, 3)?,
            nullable: field::<String>(&row, 4)? == "YES",
            default: None,
            extra: field::<Option<String>>(&row, 5)?.unwrap_or_default().to_lowercase(),
            collation_is_default: collation.is_some() && collation.as_ref() == default,
            charset,
            collation,
            char_len: field(&row, 8)?,
            precision: field(&row, 9)?,
            scale: field(&row, 10)?,
            datetime_precision: field(&row, 11)?,
            generated: generated.filter(|text| !text.is_empty()).map(|text| text.replace("\\'", "'")),
        });
    }
    Ok(columns)
}

fn field<T: mysql_async::prelude::FromValue>(row: &Row, index: usize) -> anyhow::Result<T> {
    row.get_opt(index)
        .context("information_schema gave too few columns")?
        .context("information_schema gave an odd value")
}

/// A nullable column without a DEFAULT clause (MySQL prints none for TEXT) has the default NULL.
fn set_defaults(columns: &mut [Column], create: &[u8], server: &str) {
    let mode = lex_mode(server);
    let defaults = match std::str::from_utf8(create) {
        Ok(create) => column_defaults(create, mode),
        Err(_) => binary_defaults(create, mode),
    };
    for column in columns {
        let default = defaults.iter().find(|(name, _)| *name == column.name).map(|(_, default)| default.clone());
        let implied = column.nullable && column.generated.is_none();
        column.default = default.or_else(|| implied.then(|| "NULL".to_owned()));
    }
}

/// Defaults from a text that is no UTF-8: each byte is read as a character, and literals become hexadecimal.
fn binary_defaults(create: &[u8], mode: LexMode) -> Vec<(String, String)> {
    let wide: String = create.iter().map(|byte| char::from(*byte)).collect();
    let bytes = |text: &str| text.chars().filter_map(|c| u8::try_from(c).ok()).collect::<Vec<u8>>();
    let restored = |text: &str| String::from_utf8_lossy(&bytes(text)).into_owned();
    let hexadecimal = |text: &str| {
        let digits: Vec<String> = bytes(&unquoted(text)).iter().map(|byte| format!("{byte:02X}")).collect();
        format!("X'{}'", digits.concat())
    };
    let default = |text: &str| String::from_utf8(bytes(text)).unwrap_or_else(|_| hexadecimal(text));
    column_defaults(&wide, mode).iter().map(|(name, text)| (restored(name), default(text))).collect()
}

/// How the server's own output is lexed.
fn lex_mode(server: &str) -> LexMode {
    let kind = if server.contains("MariaDB") { ServerKind::MariaDb } else { ServerKind::MySql };
    let numbers = server.split(|c: char| !c.is_ascii_digit()).take(3).map(|part| part.parse().unwrap_or(0));
    LexMode::of_server(kind, numbers.fold(0, |version: u32, part: u32| version * 100 + part))
}

async fn keys(connection: &mut Conn) -> anyhow::Result<BTreeMap<String, Vec<Key>>> {
    let rows: Vec<(String, String, u64, Option<String>)> = connection
        .query(
            "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX",
        )
        .await?;
    let mut keys: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for (table, name, non_unique, column) in rows {
        let keys = keys.entry(table).or_default();
        let column = column.unwrap_or_default();
        match keys.last_mut().filter(|key| key.name == name) {
            Some(key) => key.columns.push(column),
            None => keys.push(Key { name, unique: non_unique == 0, columns: vec![column] }),
        }
    }
    Ok(keys)
}
