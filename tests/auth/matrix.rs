//! Every plugin over every pair of legs, with a cold and a warm cache: connecting, and changing the user.

use std::{fmt::Write, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{
    peer::{Account, Peer, number},
    stage::{LEGS, Leg, Method, Stage},
    support::server::Family,
};

/// Whether the server has seen the password before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    Cold,
    Warm,
}

/// One line of the table.
struct Cell<'a> {
    method: &'a Method,
    client: Leg,
    /// None: without Bifocal, which shows what the server does.
    backend: Option<Leg>,
    cache: Cache,
}

/// The table of one server.
#[derive(Debug, Default)]
pub struct Table {
    lines: String,
    passed: usize,
    failed: usize,
    absent: usize,
}

/// The relayed session and the mapped one: a database, and a statement with its answer there.
const SESSIONS: [(&str, &str); 2] =
    [("shop", "SELECT MAX(email) FROM people WHERE id = 1"), ("shop__v1", "SELECT MAX(mail) FROM users WHERE id = 1")];

/// A password is not passed on as it is over a leg that is not protected.
const NOT_PASSED_ON: u16 = 1251;
const ACCESS_DENIED: u16 = 1045;

/// Goes through the table.
pub fn walk(stage: &Stage) -> Table {
    let mut table = Table::default();
    let methods = stage.methods();
    let mut cells = Vec::new();
    for method in &methods {
        for backend in [None, Some(Leg::Plain), Some(Leg::Tls), Some(Leg::Unix)] {
            for client in LEGS {
                cells.extend([Cache::Cold, Cache::Warm].map(|cache| Cell { method, client, backend, cache }));
            }
        }
    }
    let denials = denials(stage, &cells);
    for (cell, denial) in cells.iter().zip(denials) {
        table.add(stage, cell, denial);
    }
    for (plugin, why) in stage.lacks() {
        table.absent += 1;
        _ = writeln!(table.lines, "{plugin:13}| cannot be had on {}: {why}", stage.kind.name);
    }
    table
}

/// What wrong passwords come to in a change of user. MariaDB lets who gives one wait for a second: so all wait at once.
fn denials(stage: &Stage, cells: &[Cell<'_>]) -> Vec<Result<()>> {
    let gone = |_| Err(anyhow!("the thread has panicked"));
    thread::scope(|scope| {
        let threads: Vec<_> = cells.iter().map(|cell| scope.spawn(|| cell.denied_change(stage))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
    })
}

impl Table {
    fn add(&mut self, stage: &Stage, cell: &Cell<'_>, denial: Result<()>) {
        let connect = cell.connect(stage);
        let change = denial.and_then(|()| cell.change_user(stage));
        let mut told = |result: &Result<&'static str>| match result {
            Ok(word) => {
                self.passed += 1;
                (*word).to_owned()
            }
            Err(error) => {
                self.failed += 1;
                format!("FAILED: {error:#}")
            }
        };
        let (connect, change) = (told(&connect), told(&change));
        let backend = cell.backend.map_or_else(|| "(none)".to_owned(), |leg| leg.to_string());
        let (plugin, client, cache) = (cell.method.name, cell.client, format!("{:?}", cell.cache).to_lowercase());
        let server = stage.kind.name;
        _ = writeln!(
            self.lines,
            "{plugin:13}| {client:6}| {backend:7}| {server:13} | {cache:5}| {connect:8}| {change}"
        );
    }

    /// Prints it; an error if a cell failed.
    pub fn finish(self, name: &str) -> Result<()> {
        println!("plugin       | client| backend| server        | cache| connect | change user\n{}", self.lines);
        println!("{name}: {} passed, {} failed, {} cannot be had", self.passed, self.failed, self.absent);
        ensure!(self.failed == 0, "{} failed", self.failed);
        Ok(())
    }
}

impl Cell<'_> {
    fn is_refused(&self) -> bool {
        let Some(backend) = self.backend else { return false };
        let is_open = |leg| leg == Leg::Plain;
        match self.method.name {
            "clear" => is_open(self.client) || is_open(backend),
            "dialog2" | "dialog3" => !is_open(self.client) && is_open(backend),
            _ => false,
        }
    }

    /// With the account's own plugin and with the server's usual one.
    fn connect(&self, stage: &Stage) -> Result<&'static str> {
        let mut outcomes = Vec::new();
        for (database, sql) in self.sessions() {
            for plugin in [self.method.account.plugin, stage.default_plugin()] {
                if plugin == "dialog" {
                    // Its clients never begin with it.
                    continue;
                }
                let account = Account { plugin, ..self.method.account.clone() };
                let what = format!("{database}, beginning with {plugin}");
                outcomes.push(self.one_connect(stage, &account, database, sql).context(what)?);
            }
        }
        ensure!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
        Ok(outcomes[0])
    }

    fn one_connect(&self, stage: &Stage, account: &Account, database: &str, sql: &str) -> Result<&'static str> {
        self.prepare(stage)?;
        let outcome = match stage.login(self.client, self.backend, account, database)?.connect() {
            Ok(mut peer) => {
                ensure!(!self.is_refused(), "let in");
                ensure!(peer.one(sql)? == MAIL, "another answer");
                "in"
            }
            Err(error) if self.is_refused() && number(&error) == NOT_PASSED_ON => "refused",
            Err(error) => return Err(error),
        };
        self.prepare(stage)?;
        let wrong = Account { answers: Vec::new(), ..account.with_password("wrong") };
        let wrong = stage.login(self.client, self.backend, &wrong, database)?.connect();
        self.is_denied(wrong.map(|_| ()))?;
        Ok(outcome)
    }

    /// From another account of another plugin, and back.
    fn change_user(&self, stage: &Stage) -> Result<&'static str> {
        let base = self.other(stage)?;
        let mut outcomes = Vec::new();
        for (database, sql) in self.sessions() {
            for plugin in [self.method.account.plugin, stage.default_plugin()] {
                if plugin == "dialog" {
                    continue;
                }
                let account = Account { plugin, ..self.method.account.clone() };
                let what = format!("{database}, beginning with {plugin}");
                outcomes.push(self.one_change(stage, &base, &account, database, sql).context(what)?);
            }
        }
        ensure!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
        Ok(outcomes[0])
    }

    fn one_change(
        &self,
        stage: &Stage,
        base: &Account,
        account: &Account,
        database: &str,
        sql: &str,
    ) -> Result<&'static str> {
        let mut peer = stage.login(self.client, self.backend, base, "shop")?.connect().context("the other account")?;
        self.prepare(stage)?;
        match peer.change_user(account, database) {
            Ok(()) => ensure!(!self.is_refused(), "let in"),
            Err(error) if self.is_refused() && number(&error) == NOT_PASSED_ON => return Ok("refused"),
            Err(error) => return Err(error).context("there"),
        }
        ensure!(peer.one(sql)? == MAIL, "another answer");
        ensure!(Self::user(&mut peer)?.starts_with(&format!("{}@", account.user)), "another user");
        peer.change_user(base, "shop").context("back")?;
        ensure!(peer.one(SESSIONS[0].1)? == MAIL, "another answer");
        ensure!(Self::user(&mut peer)?.starts_with(&format!("{}@", base.user)), "another user");
        Ok("in")
    }

    /// A wrong password, in a mapped session where there is Bifocal.
    fn denied_change(&self, stage: &Stage) -> Result<()> {
        let base = self.other(stage)?;
        let (database, sql) = SESSIONS[usize::from(self.backend.is_some())];
        let mut peer =
            stage.login(self.client, self.backend, &base, database)?.connect().context("the other account")?;
        let wrong = Account { answers: Vec::new(), ..self.method.account.with_password("wrong") };
        self.is_denied(peer.change_user(&wrong, database))?;
        let to_server = self.backend.unwrap_or(self.client);
        if self.is_refused() || (self.method.name == "parsec" && to_server == Leg::Tls) {
            // MariaDB 11.8 itself now and then takes the signature that fails for an error of its TLS, and hangs up.
            return Ok(());
        }
        if stage.kind.family == Family::MySql {
            ensure!(peer.one(sql).is_err(), "MySQL hangs up on who gives a wrong password");
            return Ok(());
        }
        ensure!(peer.one(sql)? == MAIL, "the connection does not go on");
        ensure!(Self::user(&mut peer)?.starts_with(&format!("{}@", base.user)), "as another user");
        Ok(())
    }

    /// An account of another plugin that everybody can use everywhere.
    fn other(&self, stage: &Stage) -> Result<Account> {
        let other = stage.methods().into_iter().find(|method| method.name != self.method.name);
        Ok(other.context("another")?.account)
    }

    /// Without Bifocal there are no versions.
    fn sessions(&self) -> &'static [(&'static str, &'static str)] {
        if self.backend.is_some() { &SESSIONS } else { &SESSIONS[..1] }
    }

    fn user(peer: &mut Peer) -> Result<String> {
        peer.one("SELECT CURRENT_USER()")
    }

    /// Makes the server's cache cold or warm.
    fn prepare(&self, stage: &Stage) -> Result<()> {
        stage.root()?.run("FLUSH PRIVILEGES")?;
        if self.cache == Cache::Warm {
            stage.login(Leg::Unix, None, &self.method.account, "shop")?.connect().context("warming up")?;
        }
        Ok(())
    }

    fn is_denied(&self, outcome: Result<()>) -> Result<()> {
        let Err(error) = outcome else { bail!("a wrong password is let in") };
        let wanted = if self.is_refused() { NOT_PASSED_ON } else { ACCESS_DENIED };
        ensure!(number(&error) == wanted, "a wrong password: {error:#}");
        let is_its_own = self.is_refused() || error.to_string().contains("Access denied for user");
        ensure!(is_its_own, "not the server's own words: {error:#}");
        Ok(())
    }
}

const MAIL: &str = "ann@example.com";
