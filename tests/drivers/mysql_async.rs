//! Runs a job of `tests/drivers` through `mysql_async`: `mysql_async JOB`.

use anyhow::{Context, Result, bail, ensure};
use mysql_async::{Conn, Error, OptsBuilder, Params, Row, Value, prelude::Queryable};
use serde::Deserialize;

/// What is to be done.
#[derive(Deserialize)]
struct Job {
    login: Login,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Login {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
}

/// See `steps.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    sql: Option<String>,
    args: Option<Vec<serde_json::Value>>,
    columns: Option<Vec<String>>,
    rows: Option<Vec<Vec<serde_json::Value>>>,
    affected: Option<u64>,
    insert_id: Option<u64>,
    error: Option<u16>,
    says: Option<String>,
    large: Option<String>,
    count: Option<usize>,
    length: Option<usize>,
    #[serde(rename = "do")]
    command: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("usage: mysql_async JOB")?;
    let job: Job = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let Login { host, port, user, password, database } = job.login;
    let options = OptsBuilder::default().ip_or_hostname(host).tcp_port(port);
    let options = options.user(Some(user)).pass(Some(password)).db_name(Some(database)).prefer_socket(false);
    let mut connection = Conn::new(options).await?;
    for step in &job.steps {
        let name = step.sql.as_ref().or(step.large.as_ref()).or(step.command.as_ref()).context("an empty step")?;
        run(&mut connection, step, name).await.with_context(|| name.clone())?;
    }
    Ok(connection.disconnect().await?)
}

async fn run(connection: &mut Conn, step: &Step, name: &str) -> Result<()> {
    if step.large.is_some() {
        return large(connection, step, name).await;
    }
    match statement(connection, step, name).await {
        Ok(rows) => {
            ensure!(step.error.is_none(), "no error");
            hold(connection, step, &rows)
        }
        Err(Error::Server(error)) if step.error.is_some() => {
            ensure!(step.error == Some(error.code), "{error}");
            ensure!(error.message.contains(step.says.as_deref().unwrap_or_default()), "{error}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn statement(connection: &mut Conn, step: &Step, name: &str) -> mysql_async::Result<Vec<Row>> {
    match (step.command.as_deref(), &step.args) {
        (Some("begin"), _) => connection.query("START TRANSACTION").await,
        (_, Some(arguments)) => {
            connection.exec(name, Params::Positional(arguments.iter().map(argument).collect())).await
        }
        (_, None) => connection.query(name).await,
    }
}

fn argument(argument: &serde_json::Value) -> Value {
    if let Some(number) = argument.as_i64() {
        return Value::Int(number);
    }
    if let Some(text) = argument.as_str() {
        return Value::from(text);
    }
    let times = usize::try_from(argument["repeat"][1].as_u64().unwrap_or_default()).unwrap_or_default();
    Value::from(argument["repeat"][0].as_str().unwrap_or_default().repeat(times))
}

fn hold(connection: &Conn, step: &Step, rows: &[Row]) -> Result<()> {
    if let Some(expected) = &step.rows {
        if let (Some(columns), Some(row)) = (&step.columns, rows.first()) {
            let names: Vec<_> = row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
            ensure!(*columns == names, "columns: expected {columns:?}, got {names:?}");
        }
        let expected: Vec<Vec<_>> = expected.iter().map(|row| row.iter().map(json_text).collect()).collect();
        let rows: Vec<Vec<_>> = rows.iter().map(|row| row.clone().unwrap().iter().map(text).collect()).collect();
        ensure!(expected == rows, "rows: expected {expected:?}, got {rows:?}");
    }
    if let Some(affected) = step.affected {
        ensure!(affected == connection.affected_rows(), "{} affected rows", connection.affected_rows());
    }
    if step.insert_id.is_some() {
        ensure!(step.insert_id == connection.last_insert_id(), "insert id {:?}", connection.last_insert_id());
    }
    Ok(())
}

fn json_text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        other => Some(other.as_sql(true)),
    }
}

async fn large(connection: &mut Conn, step: &Step, name: &str) -> Result<()> {
    let (Some(count), Some(length)) = (step.count, step.length) else { bail!("a large step lacks its size") };
    let mut result = connection.query_iter(name).await?;
    let mut rows = 0;
    while let Some(row) = result.next().await? {
        rows += 1;
        let (id, mail, big): (usize, String, Vec<u8>) = mysql_async::from_row_opt(row)?;
        ensure!(
            (id, mail.as_str()) == (rows, format!("user{rows:03}@example.com").as_str()),
            "row {rows} is {id} {mail}"
        );
        let letter = b"abcdefghijklmnopqrstuvwxyz"[rows % 26];
        ensure!(big.len() == length && big.iter().all(|byte| *byte == letter), "row {rows}: {} bytes", big.len());
    }
    ensure!(rows == count, "{rows} rows");
    Ok(())
}
