//! A job: some scripts of one set and one version, with a database of their own on both sides.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use mysql_async::Value;

use crate::{
    compare,
    fixture::Side,
    report::{Failure, Report},
    run::{Counts, Difference, Mode, Run, Targets},
    speaker::{Route, Speaker},
    support::{
        case::Script,
        client::Client,
        proxy::bifocal,
        server::{Kind, PASSWORD, Server, USER},
        set::Set,
    },
};

/// Few enough that two cores stay busy to the end, enough that making the database does not count.
const SCRIPTS_PER_JOB: usize = 10;
/// The folder of snapshots, beside the folders of rule files.
const SNAPSHOTS: &str = "snapshots";
/// In place of a mode, where no script was begun.
const EVERY_MODE: &str = "every mode";

/// Scripts that share a database.
#[derive(Debug, Clone)]
pub struct Job {
    set: Arc<Set>,
    version: usize,
    scripts: Vec<Arc<Script>>,
    /// Its name on both sides.
    pub database: String,
}

/// The two servers of one kind, and Bifocal before one of them.
#[derive(Debug)]
pub struct Pair {
    /// What they are.
    pub kind: Kind,
    /// With the older version's schema.
    pub reference: Server,
    /// With the newest version's schema.
    pub migrated: Server,
}

/// The jobs for the chosen scripts.
pub fn jobs(sets: &[Arc<Set>], kind: &Kind, chosen: impl Fn(&Set, &Script) -> bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for set in sets {
        for version in 0..set.versions.len() {
            let wanted =
                |script: &&Arc<Script>| set.version_of(script) == version && script.is_for(kind) && chosen(set, script);
            let scripts: Vec<_> = set.scripts.iter().filter(wanted).cloned().collect();
            for (index, scripts) in scripts.chunks(SCRIPTS_PER_JOB).enumerate() {
                let database = format!("{}_{}_{index}", set.name, set.versions[version]);
                jobs.push(Job { set: Arc::clone(set), version, scripts: scripts.to_vec(), database });
            }
        }
    }
    jobs
}

/// Takes a set's snapshots while its database is migrated step by step, and checks its rules.
pub async fn snapshot(set: &Set, pair: &Pair, folder: &Path) -> Result<()> {
    let database = format!("{}_snapshot", set.name);
    let snapshots = folder.join(SNAPSHOTS).join(&set.name);
    fs::create_dir_all(&snapshots)?;
    let mut root = Client::connect(&pair.migrated.root(None)).await?;
    for sql in [format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"), format!("USE {database}")] {
        root.run(&sql).await?;
    }
    let url = format!("mysql://root@127.0.0.1:{}/{database}", pair.migrated.port);
    for (index, version) in set.versions.iter().enumerate() {
        for sql in set.statements(index, pair.kind.family)? {
            root.run(&sql).await.with_context(|| format!("making {version}"))?;
        }
        let json = bifocal(&["snapshot", "--database-url", &url])?;
        fs::write(snapshots.join(format!("{version}.json")), json)?;
    }
    root.run(&format!("DROP DATABASE {database}")).await?;

    let check = folder.join(format!("{}.check", set.name));
    fs::create_dir_all(&check)?;
    let snapshots = format!("../{SNAPSHOTS}/{}", set.name);
    fs::write(check.join("rules.yaml"), set.rules(pair.kind.family, "shop", &snapshots)?)?;
    bifocal(&["check", "--rules", &check.display().to_string()]).map(drop)
}

impl Job {
    /// Whether it belongs to the set.
    pub fn is_of(&self, set: &Set) -> bool {
        self.set.name == set.name
    }

    /// Writes the rule file for its database, beside the folder of snapshots.
    pub fn write_rules(&self, pair: &Pair, rules: &Path) -> Result<()> {
        let snapshots = format!("../{SNAPSHOTS}/{}", self.set.name);
        let text = self.set.rules(pair.kind.family, &self.database, &snapshots)?;
        Ok(fs::write(rules.join(format!("{}.yaml", self.database)), text)?)
    }

    /// All its scripts fail for one reason.
    pub fn fail(&self, kind: &Kind, reason: &str, report: &mut Report) {
        for script in &self.scripts {
            report.scripts += 1;
            report.failures.push(self.failure(kind, script, None, setup_failure(reason)));
        }
    }

    /// Runs its scripts in every mode.
    pub async fn run(&self, pair: &Pair, route: &Route) -> Report {
        let mut report = Report::default();
        if let Err(error) = self.try_run(pair, route, &mut report).await {
            let rest: Vec<_> = self.scripts.iter().skip(report.scripts).cloned().collect();
            let unfinished = Job { scripts: rest, ..self.clone() };
            unfinished.fail(&pair.kind, &format!("{error:#}"), &mut report);
        }
        report
    }

    async fn try_run(&self, pair: &Pair, route: &Route, report: &mut Report) -> Result<()> {
        let family = pair.kind.family;
        let statements = |version: usize| -> Result<Vec<String>> {
            Ok((0..=version).map(|v| self.set.statements(v, family)).collect::<Result<Vec<_>>>()?.concat())
        };
        let newest = if matches!(route, Route::Identity) { self.version } else { self.set.versions.len() - 1 };
        let (old, new) = (statements(self.version)?, statements(newest)?);
        let (reference, migrated) = (pair.reference.root(None), pair.migrated.root(None));
        let (old, new) = tokio::join!(
            Side::make(&reference, family, &self.database, old),
            Side::make(&migrated, family, &self.database, new)
        );
        let (mut old, mut new) = (old?, new?);
        let targets = self.targets(pair, route);
        let mut contents = Contents::connect(&targets, &old).await?;
        if let Some(difference) = contents.difference().await {
            bail!("before any script: {}\n{}\n{}", difference.what, difference.reference, difference.bifocal);
        }
        for script in &self.scripts {
            for mode in Mode::all().filter(|mode| !mode.transaction || script.fits_in_transaction()) {
                let mut counts = Counts::default();
                let differences = match Run::script(&targets, script, mode, &mut counts).await {
                    Ok(none) if none.is_empty() && script.writes() => contents.difference().await.into_iter().collect(),
                    Ok(differences) => differences,
                    Err(error) => vec![setup_failure(&format!("{error:#}"))],
                };
                report.runs += 1;
                report.count(counts);
                let failure = |difference| self.failure(&pair.kind, script, Some(mode), difference);
                report.failures.extend(differences.into_iter().map(failure));
                if script.writes() {
                    old.restore(script.defines()).await.context("restoring the reference")?;
                    new.restore(script.defines()).await.context("restoring the migrated database")?;
                }
            }
            report.scripts += 1;
        }
        old.remove().await?;
        new.remove().await
    }

    fn targets(&self, pair: &Pair, route: &Route) -> Targets {
        let versions = &self.set.versions;
        Targets {
            reference: pair.reference.port,
            migrated: pair.migrated.port,
            route: route.clone(),
            kind: pair.kind.clone(),
            database: self.database.clone(),
            version: versions[self.version].clone(),
            physical: versions[versions.len() - 1].clone(),
            is_shown: crate::is_set("ORACLE_SHOW"),
            account: (USER, PASSWORD),
        }
    }

    fn failure(&self, kind: &Kind, script: &Script, mode: Option<Mode>, difference: Difference) -> Failure {
        Failure {
            server: kind.name,
            set: self.set.name.clone(),
            title: script.title.clone(),
            file: script.file.clone(),
            database: self.database.clone(),
            version: self.set.versions[self.version].clone(),
            modes: vec![mode.map_or(EVERY_MODE.to_owned(), Mode::name)],
            difference,
        }
    }
}

fn setup_failure(reason: &str) -> Difference {
    Difference {
        line: 0,
        statement: String::new(),
        what: reason.to_owned(),
        reference: String::new(),
        bifocal: String::new(),
        is_final: true,
    }
}

/// Two connections that read all tables of a version, directly and through Bifocal.
#[derive(Debug)]
struct Contents {
    reference: Speaker,
    bifocal: Speaker,
    tables: Vec<String>,
}

impl Contents {
    async fn connect(targets: &Targets, side: &Side) -> Result<Self> {
        Ok(Self {
            reference: targets.reference(false).await?,
            bifocal: targets.bifocal(&targets.version, false).await?,
            tables: side.tables().map(str::to_owned).collect(),
        })
    }

    /// The first table whose rows differ.
    async fn difference(&mut self) -> Option<Difference> {
        for table in &self.tables {
            let sql = format!("SELECT * FROM `{table}`");
            let (one, other) = tokio::join!(self.reference.text(&sql), self.bifocal.text(&sql));
            let (one, other) = (rows(one), rows(other));
            if one != other {
                let only = |these: &[String], those: &[String]| {
                    these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>().join("\n")
                };
                return Some(Difference {
                    line: 0,
                    statement: sql,
                    what: format!("afterwards, the content of {table} (shown: rows on one side only)"),
                    reference: only(&one, &other),
                    bifocal: only(&other, &one),
                    is_final: true,
                });
            }
        }
        None
    }
}

/// The rows in a fixed order, for people; or the error.
fn rows(outcome: crate::support::client::Outcome) -> Vec<String> {
    if outcome.error.is_some() {
        return vec![compare::show(&outcome)];
    }
    let rows: Vec<Vec<Value>> = outcome.results.into_iter().next().map(|set| set.rows).unwrap_or_default();
    let mut rows: Vec<_> = rows.iter().map(|row| compare::show_row(row)).collect();
    rows.sort();
    rows
}
