//! A client that sees everything a server says: columns, rows, counts, warnings, errors.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use mysql_async::{
    ChangeUserOpts, Column, Conn, Error, OptsBuilder, Params, Statement, Value, consts::StatusFlags, prelude::*,
};

/// Longer than any lock wait of the tests' servers. A statement that takes longer hangs.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(20);
/// Set so that the driver does not ask.
const MAX_ALLOWED_PACKET: usize = 16 * 1024 * 1024;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct Dsn {
    /// On 127.0.0.1.
    pub port: u16,
    /// The account.
    pub user: &'static str,
    /// Its password.
    pub password: Option<&'static str>,
    /// The database, if any.
    pub database: Option<String>,
    /// Whether `CLIENT_FOUND_ROWS` is set.
    pub found_rows: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    conn: Conn,
}

/// One result set.
#[derive(Debug, Clone)]
pub struct ResultSet {
    /// Its columns; none for a statement that gives no rows.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// An error as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its number.
    pub number: u16,
    /// Its SQLSTATE.
    pub state: String,
    /// Its text.
    pub message: String,
}

/// One line of SHOW WARNINGS.
pub type Warning = (String, String, String);

/// Everything that is known about one execution.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The result sets up to the end or the error.
    pub results: Vec<ResultSet>,
    /// The error, if there was one. Number 0: the connection failed.
    pub error: Option<Failure>,
    /// From the last OK: affected rows.
    pub affected: u64,
    /// From the last OK: the insert id.
    pub insert_id: u64,
    /// From the last OK: its text.
    pub info: String,
    /// From the last OK: whether a transaction is open.
    pub in_transaction: bool,
    /// The count of warnings.
    pub warning_count: u16,
    /// SHOW WARNINGS, where there was something to show.
    pub warnings: Vec<Warning>,
}

/// A statement to be executed again and again.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The driver's own.
    pub statement: Statement,
}

impl Client {
    /// Connects, without any statement of the driver's own.
    pub async fn connect(dsn: &Dsn) -> Result<Self> {
        Self::connect_with(dsn, &[]).await
    }

    /// The same, with connection attributes.
    pub async fn connect_with(dsn: &Dsn, attributes: &[(&str, &str)]) -> Result<Self> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let opts = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(dsn.port)
            .user(Some(dsn.user))
            .pass(dsn.password)
            .db_name(dsn.database.clone())
            .client_found_rows(dsn.found_rows)
            .prefer_socket(false)
            .stmt_cache_size(0)
            .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
            .wait_timeout(Some(28800));
        let opts = attributes.fold(opts, |opts, (name, value)| opts.connect_attribute(name, value));
        match tokio::time::timeout(STATEMENT_DEADLINE, Conn::new(opts)).await {
            Ok(conn) => Ok(Self { conn: conn? }),
            Err(_) => bail!("connecting took longer than {STATEMENT_DEADLINE:?}"),
        }
    }

    /// `COM_CHANGE_USER`: begins anew, as whom and where the DSN says.
    pub async fn change_user(&mut self, dsn: &Dsn) -> Result<()> {
        let opts = ChangeUserOpts::default()
            .with_user(Some(dsn.user.to_owned()))
            .with_pass(dsn.password.map(str::to_owned))
            .with_db_name(dsn.database.clone());
        Ok(self.conn.change_user(opts).await?)
    }

    /// `COM_RESET_CONNECTION`.
    pub async fn reset(&mut self) -> Result<()> {
        if self.conn.reset().await? { Ok(()) } else { bail!("the server cannot reset a connection") }
    }

    /// Runs a statement whose success is a matter of course.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        self.rows(sql).await.map(drop)
    }

    /// The rows of a statement whose success is a matter of course, as text.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let outcome = self.text(sql).await;
        if let Some(error) = outcome.error {
            return Err(anyhow!("{} ({}): {}\nin: {sql}", error.number, error.state, error.message));
        }
        let rows = outcome.results.into_iter().next().map(|set| set.rows).unwrap_or_default();
        Ok(rows.iter().map(|row| row.iter().map(text_of).collect()).collect())
    }

    /// Executes in the text protocol.
    pub async fn text(&mut self, sql: &str) -> Outcome {
        self.text_bytes(sql.as_bytes()).await
    }

    /// The same, with a text that may not be UTF-8.
    pub async fn text_bytes(&mut self, sql: &[u8]) -> Outcome {
        let run = async {
            let mut outcome = Outcome::default();
            let error = match self.conn.query_iter(sql).await {
                Ok(result) => read(result, &mut outcome).await.err(),
                Err(error) => Some(error),
            };
            (outcome, error)
        };
        let (outcome, error) = bounded(run).await;
        self.finish(outcome, error)
    }

    /// Prepares; the error is the server's.
    pub async fn prepare(&mut self, sql: &str) -> Result<Prepared, Failure> {
        self.prepare_bytes(sql.as_bytes()).await
    }

    /// The same, with a text that may not be UTF-8.
    pub async fn prepare_bytes(&mut self, sql: &[u8]) -> Result<Prepared, Failure> {
        match tokio::time::timeout(STATEMENT_DEADLINE, self.conn.prep(sql)).await {
            Ok(Ok(statement)) => Ok(Prepared { statement }),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(hang()),
        }
    }

    /// Executes what was prepared.
    pub async fn execute(&mut self, prepared: &Prepared, args: Vec<Value>) -> Outcome {
        let params = if args.is_empty() { Params::Empty } else { Params::Positional(args) };
        let run = async {
            let mut outcome = Outcome::default();
            let error = match self.conn.exec_iter(&prepared.statement, params).await {
                Ok(result) => read(result, &mut outcome).await.err(),
                Err(error) => Some(error),
            };
            (outcome, error)
        };
        let (outcome, error) = bounded(run).await;
        self.finish(outcome, error)
    }

    /// Closes what was prepared.
    pub async fn close(&mut self, prepared: Prepared) {
        // No answer comes; a broken connection shows at the next statement.
        let _ = self.conn.close(prepared.statement).await;
    }

    /// SHOW WARNINGS, into an outcome that has some or an error.
    pub async fn add_warnings(&mut self, outcome: &mut Outcome) {
        if outcome.warning_count == 0 && outcome.error.as_ref().is_none_or(|error| error.number == 0) {
            return;
        }
        let shown = self.text("SHOW WARNINGS").await;
        let rows = shown.results.into_iter().next().map(|set| set.rows).unwrap_or_default();
        let column = |row: &[Value], index: usize| row.get(index).and_then(text_of).unwrap_or_default();
        outcome.warnings = rows.iter().map(|row| (column(row, 0), column(row, 1), column(row, 2))).collect();
    }

    /// Takes what the last OK says into the outcome.
    fn finish(&self, mut outcome: Outcome, error: Option<Failure>) -> Outcome {
        outcome.error = error;
        if outcome.error.is_none()
            && let Some(ok) = self.conn.last_ok_packet()
        {
            outcome.affected = ok.affected_rows();
            outcome.insert_id = ok.last_insert_id().unwrap_or(0);
            outcome.info = ok.info_str().map(std::borrow::Cow::into_owned).unwrap_or_default();
            outcome.in_transaction = ok.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS);
            outcome.warning_count = ok.warnings();
        }
        outcome
    }
}

async fn bounded(run: impl Future<Output = (Outcome, Option<Error>)>) -> (Outcome, Option<Failure>) {
    match tokio::time::timeout(STATEMENT_DEADLINE, run).await {
        Ok((outcome, error)) => (outcome, error.as_ref().map(failure)),
        Err(_) => (Outcome::default(), Some(hang())),
    }
}

/// Reads every result set.
async fn read<P: mysql_async::prelude::Protocol>(
    mut result: mysql_async::QueryResult<'_, '_, P>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    while let Some(columns) = result.columns() {
        outcome.results.push(ResultSet { columns: columns.to_vec(), rows: Vec::new() });
        let index = outcome.results.len() - 1;
        while let Some(row) = result.next().await? {
            outcome.results[index].rows.push(row.unwrap());
        }
    }
    Ok(())
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Server(error) => {
            Failure { number: error.code, state: error.state.clone(), message: error.message.clone() }
        }
        other => Failure { number: 0, state: String::new(), message: format!("connection failed: {other}") },
    }
}

fn hang() -> Failure {
    Failure { number: 0, state: String::new(), message: format!("no answer within {STATEMENT_DEADLINE:?}") }
}

/// A value as a client of the text protocol would print it; NULL is none.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}
