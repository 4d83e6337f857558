//! A client of one version: through `bifocal serve`, or with the rewriter alone between it and the server.
//!
//! The second (`ORACLE_PLAN=1`) tells mistakes of the rewriter from those of the wire. It does not follow SET
//! statements, and patches no column definitions.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bifocal::{
    rewrite::{Facts, Plan, ServerError, plan, translate_error},
    rules::{Mapping, Ruleset},
    sql::{Charset, LexMode, ServerKind},
};
use mysql_async::Value;

use crate::bytes;
use crate::support::{
    client::{Client, Dsn, Failure, Outcome, Prepared},
    server::{Family, Kind},
};

/// What stands between a version and the migrated server.
#[derive(Debug, Clone)]
pub enum Route {
    /// Nothing, and the server has the older schema too: the oracle's own test.
    Identity,
    /// The rewriter alone.
    Plan(Arc<Ruleset>),
    /// `bifocal serve` on this port.
    Proxy(u16),
}

/// A connection of one version.
#[derive(Debug)]
pub struct Speaker {
    client: Client,
    rewriter: Option<Rewriter>,
    /// What its texts are written in; none: UTF-8.
    charset: Option<String>,
}

/// A statement that was prepared, and where its arguments go.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As the client prepared it.
    text: Vec<u8>,
    /// As the server knows it.
    pub prepared: Prepared,
    /// How many parameters the client sees.
    pub param_count: u16,
    /// For each of the server's parameters, the client's; none: the same.
    params: Option<Vec<u16>>,
}

/// What is sent in place of a statement.
struct Planned {
    text: Vec<u8>,
    /// For each of the server's parameters, the client's, and how many the client has; none: the same.
    params: Option<(Vec<u16>, u16)>,
}

#[derive(Debug)]
struct Rewriter {
    chain: Vec<Arc<Mapping>>,
    facts: Facts,
}

impl From<Client> for Speaker {
    fn from(client: Client) -> Self {
        Self { client, rewriter: None, charset: None }
    }
}

impl Speaker {
    /// Connects; `dsn` leads to the server itself where there is no proxy.
    pub async fn connect(dsn: &Dsn, route: &Route, version: &str, kind: &Kind) -> Result<Self> {
        let client = Client::connect(dsn).await?;
        let rewriter = match route {
            Route::Plan(ruleset) => Some(Rewriter::new(ruleset, dsn, version, kind)?),
            Route::Identity | Route::Proxy(_) => None,
        };
        Ok(Self { client, rewriter, charset: None })
    }

    /// Takes a charset for the connection and for the bytes of all texts to come.
    pub async fn set_charset(&mut self, charset: &str) -> Result<()> {
        self.run(&format!("SET NAMES {charset}")).await?;
        self.charset = Some(charset.to_owned());
        if let Some(rewriter) = &mut self.rewriter {
            rewriter.facts.lex.charset = Charset::named(charset);
            rewriter.facts.introduce = matches!(charset, "binary" | "sjis" | "swe7");
        }
        Ok(())
    }

    /// Runs a statement whose success is a matter of course.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        match self.text(sql).await.error {
            Some(error) => bail!("{} ({}): {}\nin: {sql}", error.number, error.state, error.message),
            None => Ok(()),
        }
    }

    /// Executes in the text protocol.
    pub async fn text(&mut self, sql: &str) -> Outcome {
        let sql = match self.bytes(sql) {
            Ok(sql) => sql,
            Err(error) => return Outcome { error: Some(error), ..Outcome::default() },
        };
        match self.planned(&sql) {
            Ok(planned) => {
                let outcome = self.client.text_bytes(&planned.text).await;
                self.finish(outcome, &sql).await
            }
            Err(error) => {
                let warning = ("Error".to_owned(), error.number.to_string(), error.message.clone());
                Outcome { error: Some(error), warnings: vec![warning], ..Outcome::default() }
            }
        }
    }

    /// Prepares; the error is what the client sees.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, Failure> {
        let sql = self.bytes(sql)?;
        let Planned { text, params } = self.planned(&sql)?;
        match self.client.prepare_bytes(&text).await {
            Ok(prepared) => Ok(Statement {
                text: sql,
                param_count: params.as_ref().map_or(prepared.statement.num_params(), |(_, count)| *count),
                prepared,
                params: params.map(|(params, _)| params),
            }),
            Err(error) => Err(self.translated(error, &sql)),
        }
    }

    /// Executes what was prepared.
    pub async fn execute(&mut self, statement: &Statement, args: &[Value]) -> Outcome {
        let args = match &statement.params {
            Some(params) => params.iter().map(|&index| args[usize::from(index)].clone()).collect(),
            None => args.to_vec(),
        };
        let args = args.into_iter().map(|value: Value| self.argument(value)).collect();
        let outcome = self.client.execute(&statement.prepared, args).await;
        self.finish(outcome, &statement.text).await
    }

    /// Closes what was prepared.
    pub async fn close(&mut self, statement: Statement) {
        self.client.close(statement.prepared).await;
    }

    fn bytes(&self, sql: &str) -> Result<Vec<u8>, Failure> {
        bytes::of(sql, self.charset.as_deref()).map_err(|error| Failure {
            number: 0,
            state: String::new(),
            message: format!("{error:#} in: {sql}"),
        })
    }

    /// A text argument in the connection's charset.
    fn argument(&self, value: Value) -> Value {
        match (&value, &self.charset) {
            (Value::Bytes(text), Some(_)) => {
                let encoded = std::str::from_utf8(text).ok().and_then(|text| self.bytes(text).ok());
                encoded.map_or(value, Value::Bytes)
            }
            _ => value,
        }
    }

    /// The text to send, and where the arguments go; or the error that is the answer.
    fn planned(&self, sql: &[u8]) -> Result<Planned, Failure> {
        let same = || Planned { text: sql.to_owned(), params: None };
        let Some(rewriter) = &self.rewriter else { return Ok(same()) };
        match plan(sql, &rewriter.chain, &rewriter.facts) {
            Plan::Forward => Ok(same()),
            Plan::Rewrite(rewrite) => {
                Ok(Planned { text: rewrite.text, params: Some((rewrite.params, rewrite.client_params)) })
            }

            Plan::Answer(error) => Err(failure(error)),
            Plan::Refuse(refusal) => Err(failure(refusal.error())),
        }
    }

    /// Adds the warnings, and puts everything into the version's own words.
    async fn finish(&mut self, mut outcome: Outcome, sql: &[u8]) -> Outcome {
        self.client.add_warnings(&mut outcome).await;
        outcome.error = outcome.error.map(|error| self.translated(error, sql));
        for (_, number, message) in &mut outcome.warnings {
            let warning = Failure {
                number: number.parse().unwrap_or(0),
                state: "HY000".to_owned(),
                message: std::mem::take(message),
            };
            let translated = self.translated(warning, sql);
            *number = translated.number.to_string();
            *message = translated.message;
        }
        outcome
    }

    fn translated(&self, error: Failure, sql: &[u8]) -> Failure {
        let (Some(rewriter), Ok(sqlstate)) = (&self.rewriter, error.state.as_bytes().try_into()) else { return error };
        let error = ServerError { number: error.number, sqlstate, message: error.message };
        failure(translate_error(error, &rewriter.chain, sql))
    }
}

impl Rewriter {
    fn new(ruleset: &Ruleset, dsn: &Dsn, version: &str, kind: &Kind) -> Result<Self> {
        let name = dsn.database.as_deref().context("a version without a database")?;
        let database = ruleset.databases.iter().find(|database| database.name == name).context("no such database")?;
        let version = database.versions.iter().find(|known| known.name == version).context("no such version")?;
        let server = match kind.family {
            Family::MariaDb => ServerKind::MariaDb,
            Family::MySql => ServerKind::MySql,
        };
        let mut numbers = kind.version.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
        let mut next = || numbers.next().unwrap_or(0);
        let number = next() * 10_000 + next() * 100 + next();
        let facts = Facts {
            database: Some(name.to_owned()),
            lex: LexMode::of_server(server, number),
            strict: true,
            introduce: false,
            odd_mode: None,
            multi_statements: true,
        };
        Ok(Self { chain: version.chain.clone(), facts })
    }
}

fn failure(error: ServerError) -> Failure {
    let state = String::from_utf8_lossy(&error.sqlstate).into_owned();
    Failure { number: error.number, state, message: error.message }
}
