//! Runs one script in one mode, on the reference and through Bifocal, statement by statement.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use mysql_async::Value;

use crate::{
    compare::{self, Tolerances},
    fixture::NOW,
    speaker::{Route, Speaker, Statement},
    support::{
        case::{Action, Literal, Script, Step},
        client::{Client, Dsn, Failure, Outcome, text_of},
        server::Kind,
    },
};

/// The server cannot prepare this statement.
const UNSUPPORTED_PS: u16 = 1295;
/// What Bifocal answers when it refuses.
const REFUSAL: u16 = 1235;

/// How a script is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// In the prepared-statement protocol.
    pub prepared: bool,
    /// Wrapped in a transaction.
    pub transaction: bool,
    /// With `CLIENT_FOUND_ROWS`.
    pub found_rows: bool,
}

impl Mode {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|bits| Self { prepared: bits & 1 != 0, transaction: bits & 2 != 0, found_rows: bits & 4 != 0 })
    }

    /// For people.
    pub fn name(self) -> String {
        let protocol = if self.prepared { "prepared" } else { "text" };
        let transaction = if self.transaction { "+transaction" } else { "" };
        let found_rows = if self.found_rows { "+found-rows" } else { "" };
        format!("{protocol}{transaction}{found_rows}")
    }
}

/// Where a script's connections go.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The reference's port.
    pub reference: u16,
    /// The migrated server's port.
    pub migrated: u16,
    /// What stands before it.
    pub route: Route,
    /// What both servers are.
    pub kind: Kind,
    /// The database's name, the same on both sides.
    pub database: String,
    /// The script's version.
    pub version: String,
    /// The physical version.
    pub physical: String,
    /// Whether the reference's outcomes are printed.
    pub is_shown: bool,
    /// The ordinary account.
    pub account: (&'static str, &'static str),
}

impl Targets {
    fn dsn(&self, port: u16, database: String, found_rows: bool) -> Dsn {
        Dsn { port, user: self.account.0, password: Some(self.account.1), database: Some(database), found_rows }
    }

    /// Connects to the reference.
    pub async fn reference(&self, found_rows: bool) -> Result<Speaker> {
        Ok(Client::connect(&self.dsn(self.reference, self.database.clone(), found_rows)).await?.into())
    }

    /// Connects to the migrated database, as a version that sees it through Bifocal.
    pub async fn bifocal(&self, version: &str, found_rows: bool) -> Result<Speaker> {
        let dsn = match self.route {
            Route::Proxy(port) => self.dsn(port, format!("{}__{version}", self.database), found_rows),
            Route::Identity | Route::Plan(_) => self.dsn(self.migrated, self.database.clone(), found_rows),
        };
        Speaker::connect(&dsn, &self.route, version, &self.kind).await
    }

    /// Connects to the migrated database as any version: the physical one needs no Bifocal.
    async fn other(&self, version: &str, found_rows: bool) -> Result<Speaker> {
        if version == self.physical {
            Ok(Client::connect(&self.dsn(self.migrated, self.database.clone(), found_rows)).await?.into())
        } else {
            self.bifocal(version, found_rows).await
        }
    }

    fn is_identity(&self) -> bool {
        matches!(self.route, Route::Identity)
    }
}

/// Where the two sides parted.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The line in the case file; 0: after the script.
    pub line: usize,
    /// The statement, with its arguments.
    pub statement: String,
    /// What differs.
    pub what: String,
    /// The reference's outcome, or what was expected.
    pub reference: String,
    /// Bifocal's outcome.
    pub bifocal: String,
    /// Whether the sides now have different data, so that nothing after this says anything.
    pub is_final: bool,
}

/// What a run counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Statements executed.
    pub statements: u64,
    /// Refusals seen, as expected.
    pub refusals: u64,
    /// Documented differences seen.
    pub differences: u64,
    /// Tolerances used.
    pub tolerances: Tolerances,
}

/// A script under way.
pub struct Run<'a> {
    targets: &'a Targets,
    mode: Mode,
    counts: &'a mut Counts,
    reference: Speaker,
    bifocal: Speaker,
    others: HashMap<String, Speaker>,
    /// Whether the oracle's own transaction is open.
    open: bool,
}

impl<'a> Run<'a> {
    /// Runs a script to its end, or to where the two sides have nothing in common any more; says where they parted.
    pub async fn script(
        targets: &'a Targets,
        script: &Script,
        mode: Mode,
        counts: &'a mut Counts,
    ) -> Result<Vec<Difference>> {
        let reference = targets.reference(mode.found_rows).await?;
        let bifocal = targets.bifocal(&targets.version, mode.found_rows).await?;
        let mut run = Self { targets, mode, counts, reference, bifocal, others: HashMap::new(), open: false };
        run.both(NOW).await?;
        if let Some(charset) = &script.charset {
            run.reference.set_charset(charset).await?;
            run.bifocal.set_charset(charset).await?;
        }
        let mut differences = Vec::new();
        for step in &script.steps {
            differences.extend(run.step(step).await?);
            if differences.iter().any(|difference| difference.is_final) {
                return Ok(differences);
            }
        }
        run.end().await?;
        Ok(differences)
    }

    async fn step(&mut self, step: &Step) -> Result<Option<Difference>> {
        let text = step.text.replace("{db}", &self.targets.database);
        let step = &Step { text, ..step.clone() };
        let identity = self.targets.is_identity();
        let lone = matches!(step.action, Action::Reference | Action::Version(_));
        self.transaction(self.mode.transaction && !lone).await?;
        match &step.action {
            Action::Compare => self.compare(step, None).await,
            Action::Differ(_) if identity => self.compare(step, None).await,
            Action::Differ(reason) => self.compare(step, Some(reason)).await,
            Action::Reference => self.reference(step).await,
            Action::Refuse(_) | Action::Version(_) if identity => Ok(None),
            Action::Refuse(code) => self.refuse(step, code).await,
            Action::Version(version) => self.other(step, version).await,
        }
    }

    /// Opens or ends the oracle's transaction on both sides: other connections must see what was written, and not wait.
    async fn transaction(&mut self, wanted: bool) -> Result<()> {
        if wanted != self.open {
            self.both(if wanted { "START TRANSACTION" } else { "COMMIT" }).await?;
            self.open = wanted;
        }
        Ok(())
    }

    async fn both(&mut self, sql: &str) -> Result<()> {
        self.reference.run(sql).await?;
        self.bifocal.run(sql).await
    }

    async fn end(&mut self) -> Result<()> {
        self.transaction(false).await?;
        // What a script left open must not block the next.
        self.both("ROLLBACK").await?;
        for other in self.others.values_mut() {
            other.run("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn compare(&mut self, step: &Step, documented: Option<&str>) -> Result<Option<Difference>> {
        let (left, right) =
            (prepare(&mut self.reference, step, self.mode), prepare(&mut self.bifocal, step, self.mode));
        let (left, right) = (left.await, right.await);
        let statements = match (left, right) {
            (Err(one), Err(other)) if one.number == UNSUPPORTED_PS && other.number == UNSUPPORTED_PS => None,
            (Ok(one), Ok(other)) => {
                if let (Some(one), Some(other), None) = (&one, &other, documented)
                    && let Some(what) = self.prepared_difference(one, other)
                {
                    return Ok(Some(prepared_apart(step, what, one, other)));
                }
                one.zip(other)
            }
            (one, other) => {
                let outcome = |result: Result<_, Failure>| Outcome { error: result.err(), ..Outcome::default() };
                let (one, other) = (outcome(one), outcome(other));
                return Ok(self.judge(step, &[], &one, &other, documented));
            }
        };
        let no_args = [Vec::new()];
        let executions = if step.executions.is_empty() { &no_args[..] } else { &step.executions[..] };
        for args in executions {
            let prepared = statements.as_ref();
            let one = execute(&mut self.reference, step, args, prepared.map(|pair| &pair.0)).await?;
            let other = execute(&mut self.bifocal, step, args, prepared.map(|pair| &pair.1)).await?;
            let difference = self.judge(step, args, &one, &other, documented);
            if difference.is_some() {
                return Ok(difference);
            }
        }
        if let Some((one, other)) = statements {
            self.reference.close(one).await;
            self.bifocal.close(other).await;
        }
        Ok(None)
    }

    fn prepared_difference(&mut self, one: &Statement, other: &Statement) -> Option<String> {
        if one.param_count != other.param_count {
            return Some("the number of parameters of the prepared statement".to_owned());
        }
        let (one, other) = (&one.prepared.statement, &other.prepared.statement);
        compare::columns(&one.columns(), &other.columns(), &mut self.counts.tolerances)
            .map(|what| format!("{what}, as prepared"))
    }

    /// Compares two outcomes; a documented difference must be there.
    fn judge(
        &mut self,
        step: &Step,
        args: &[Literal],
        one: &Outcome,
        other: &Outcome,
        documented: Option<&str>,
    ) -> Option<Difference> {
        self.counts.statements += 1;
        if self.targets.is_shown && self.mode == Mode::default() {
            let statement = step.text_with(args).unwrap_or_else(|_| step.text.clone());
            println!("{}: {statement}\n    {}", step.line, compare::show(one).replace('\n', "\n    "));
        }
        let what = compare::difference(one, other, step.unordered, &mut self.counts.tolerances);
        match (what, documented) {
            (None, None) => None,
            (Some(what), None) => Some(parted(step, args, what, one, other)),
            (Some(_), Some(_)) => {
                self.counts.differences += 1;
                None
            }
            (None, Some(reason)) => {
                let what =
                    format!("nothing, though a difference is documented ({reason}): remove that line's 'differs'");
                Some(parted(step, args, what, one, other))
            }
        }
    }

    async fn reference(&mut self, step: &Step) -> Result<Option<Difference>> {
        let outcome = execute(&mut self.reference, step, first(step), None).await?;
        if self.targets.is_identity() {
            execute(&mut self.bifocal, step, first(step), None).await?;
        }
        match outcome.error {
            None => Ok(None),
            Some(_) => Ok(Some(expected(step, "success on the reference", &outcome))),
        }
    }

    async fn refuse(&mut self, step: &Step, code: &str) -> Result<Option<Difference>> {
        let outcome = match prepare(&mut self.bifocal, step, self.mode).await {
            Ok(prepared) => execute(&mut self.bifocal, step, first(step), prepared.as_ref()).await?,
            Err(error) if error.number == UNSUPPORTED_PS => execute(&mut self.bifocal, step, first(step), None).await?,
            Err(error) => Outcome { error: Some(error), ..Outcome::default() },
        };
        let prefix = format!("Bifocal {code}:");
        let refused = outcome.error.as_ref().is_some_and(|error| {
            error.number == REFUSAL && error.state == "42000" && error.message.starts_with(&prefix)
        });
        if !refused {
            return Ok(Some(expected(step, &format!("refusal {code}: error {REFUSAL} (42000): {prefix} …"), &outcome)));
        }
        self.counts.refusals += 1;
        Ok(None)
    }

    async fn other(&mut self, step: &Step, version: &str) -> Result<Option<Difference>> {
        if !self.others.contains_key(version) {
            let mut client = self.targets.other(version, self.mode.found_rows).await?;
            client.run(NOW).await?;
            self.others.insert(version.to_owned(), client);
        }
        let client = self.others.get_mut(version).ok_or_else(|| anyhow!("no connection of {version}"))?;
        let outcome = execute(client, step, first(step), None).await?;
        self.counts.statements += 1;
        let fits = match &outcome.error {
            Some(error) => step.errors.contains(&error.number),
            None => step.errors.is_empty(),
        };
        if !fits {
            let wanted = if step.errors.is_empty() { "success".to_owned() } else { format!("error {:?}", step.errors) };
            return Ok(Some(expected(step, &wanted, &outcome)));
        }
        let shown = |values: Vec<Option<String>>| -> Vec<String> {
            values.into_iter().map(|value| value.unwrap_or_else(|| "NULL".to_owned())).collect()
        };
        let wanted: Vec<_> =
            step.rows.iter().map(|row| shown(row.iter().map(|literal| text_of(&literal.value)).collect())).collect();
        let rows = outcome.results.first().map(|set| set.rows.as_slice()).unwrap_or_default();
        let mut got: Vec<_> = rows.iter().map(|row: &Vec<Value>| shown(row.iter().map(text_of).collect())).collect();
        let mut sorted = wanted.clone();
        if step.unordered {
            sorted.sort();
            got.sort();
        }
        if !wanted.is_empty() && sorted != got {
            let rows: Vec<_> = wanted.iter().map(|row| row.join(" | ")).collect();
            return Ok(Some(expected(step, &rows.join("\n"), &outcome)));
        }
        Ok(None)
    }
}

fn first(step: &Step) -> &[Literal] {
    step.executions.first().map(Vec::as_slice).unwrap_or_default()
}

/// Prepares, where the mode asks for it.
async fn prepare(speaker: &mut Speaker, step: &Step, mode: Mode) -> Result<Option<Statement>, Failure> {
    if mode.prepared { speaker.prepare(&step.text).await.map(Some) } else { Ok(None) }
}

async fn execute(
    speaker: &mut Speaker,
    step: &Step,
    args: &[Literal],
    prepared: Option<&Statement>,
) -> Result<Outcome> {
    Ok(match prepared {
        Some(prepared) => {
            let args: Vec<_> = args.iter().map(|literal| literal.value.clone()).collect();
            speaker.execute(prepared, &args).await
        }
        None if args.is_empty() => speaker.text(&step.text).await,
        None => speaker.text(&step.text_with(args)?).await,
    })
}

fn parted(step: &Step, args: &[Literal], what: String, one: &Outcome, other: &Outcome) -> Difference {
    let has_failed = |outcome: &Outcome| outcome.error.is_some();
    let is_cut_off = |outcome: &Outcome| outcome.error.as_ref().is_some_and(|error| error.number == 0);
    Difference {
        line: step.line,
        statement: step.text_with(args).unwrap_or_else(|_| step.text.clone()),
        what,
        reference: compare::show(one),
        bifocal: compare::show(other),
        is_final: is_cut_off(other)
            || !step.reads_only() && (has_failed(one) != has_failed(other) || one.affected != other.affected),
    }
}

fn prepared_apart(step: &Step, what: String, one: &Statement, other: &Statement) -> Difference {
    let show = |statement: &Statement| {
        let columns = statement.prepared.statement.columns();
        format!("{} parameters; {}", statement.param_count, compare::show_columns(&columns))
    };
    Difference {
        line: step.line,
        statement: step.text.clone(),
        what,
        reference: show(one),
        bifocal: show(other),
        is_final: !step.reads_only(),
    }
}

fn expected(step: &Step, wanted: &str, outcome: &Outcome) -> Difference {
    Difference {
        line: step.line,
        statement: step.text_with(first(step)).unwrap_or_else(|_| step.text.clone()),
        what: "not what the script expects".to_owned(),
        reference: wanted.to_owned(),
        bifocal: compare::show(outcome),
        is_final: !step.reads_only(),
    }
}
