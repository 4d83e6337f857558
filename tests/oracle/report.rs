//! What the run tells the user: failures with everything needed to understand them, and the summary.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{
    compare::Tolerances,
    run::{Counts, Difference},
    support::proxy::bifocal,
};

/// What jobs bring home.
#[derive(Debug, Default)]
pub struct Report {
    /// Scripts run, each in all its modes.
    pub scripts: usize,
    /// Script and mode combinations run.
    pub runs: usize,
    statements: u64,
    refusals: u64,
    differences: u64,
    tolerances: Tolerances,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// A script that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The server's name.
    pub server: &'static str,
    /// The set's name.
    pub set: String,
    /// The script's title.
    pub title: String,
    /// The case file.
    pub file: String,
    /// The database that it ran in.
    pub database: String,
    /// The script's version.
    pub version: String,
    /// In which modes.
    pub modes: Vec<String>,
    /// Where the sides parted.
    pub difference: Difference,
}

impl Report {
    /// Adds what one script in one mode counted.
    pub fn count(&mut self, counts: Counts) {
        self.statements += counts.statements;
        self.refusals += counts.refusals;
        self.differences += counts.differences;
        for (tolerance, count) in counts.tolerances {
            *self.tolerances.entry(tolerance).or_default() += count;
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: Self) {
        let Self { scripts, runs, statements, refusals, differences, tolerances, failures } = other;
        self.count(Counts { statements, refusals, differences, tolerances });
        self.runs += runs;
        self.scripts += scripts;
        self.failures.extend(failures);
    }

    /// Puts failures that differ in the mode alone together.
    pub fn merge_modes(&mut self) {
        let mut merged: Vec<Failure> = Vec::new();
        for failure in self.failures.drain(..) {
            match merged.iter_mut().find(|known| known.is_like(&failure)) {
                Some(known) => known.modes.extend(failure.modes),
                None => merged.push(failure),
            }
        }
        self.failures = merged;
    }

    /// How many scripts failed, each counted once per server.
    pub fn failed(&self) -> usize {
        let mut names: Vec<_> = self.failures.iter().map(|f| (f.server, &f.set, &f.title)).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Prints what failed; scripts that were not even begun, for one reason, share one entry.
    pub fn print_failures(&self, rules: &Path) {
        let mut told: Vec<(&str, &str)> = Vec::new();
        for failure in &self.failures {
            let reason = (failure.set.as_str(), failure.difference.what.as_str());
            if !failure.difference.statement.is_empty() || !told.contains(&reason) {
                failure.print(rules);
                told.push(reason);
            }
        }
    }

    /// One line for each statement that differs, with the servers where it does.
    fn overview(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
        let mut lines: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for failure in &self.failures {
            let what = failure.difference.what.lines().next().unwrap_or_default();
            let line = format!("{}:{}: {what}", failure.file, failure.difference.line);
            lines.entry(line).or_default().insert(failure.server);
        }
        lines
    }

    /// The summary; the last line is for machines.
    pub fn print(&self, servers: usize) {
        for (line, servers) in self.overview() {
            println!("{line} ({})", servers.into_iter().collect::<Vec<_>>().join(", "));
        }
        println!(
            "{} scripts on {servers} servers, {} runs, {} statements compared, {} refusals, {} documented differences",
            self.scripts, self.runs, self.statements, self.refusals, self.differences
        );
        for (tolerance, count) in &self.tolerances {
            println!("tolerated: {tolerance}: {count} times");
        }
        let failed = self.failed();
        println!("{} differing statements in {failed} scripts", self.failures.len());
        println!("{} passed, {failed} failed", self.scripts - failed);
    }
}

impl Failure {
    fn is_like(&self, other: &Self) -> bool {
        let key = |failure: &Self| {
            let Difference { line, what, .. } = &failure.difference;
            (failure.server, failure.set.clone(), failure.title.clone(), *line, what.clone())
        };
        key(self) == key(other)
    }

    /// Prints it, with the rewritten text where Bifocal can tell it.
    fn print(&self, rules: &Path) {
        let Difference { line, statement, what, reference, bifocal: answer, .. } = &self.difference;
        println!("\nFAILED {} {}/{}", self.server, self.set, self.title);
        println!("  at {}:{line}, modes: {}", self.file, self.modes.join(", "));
        println!("  what: {}", indent(what));
        if statement.is_empty() {
            return;
        }
        println!("  statement: {}", indent(statement));
        let rules = rules.display().to_string();
        let explain = [
            "explain",
            "--rules",
            &rules,
            "--database",
            &self.database,
            "--version",
            &self.version,
            statement.as_str(),
        ];
        match bifocal(&explain) {
            Ok(text) => println!("  rewritten: {}", indent(text.trim_end())),
            Err(error) => println!("  not rewritten: {}", indent(&error.to_string())),
        }
        println!("  reference: {}", indent(reference));
        println!("  bifocal:   {}", indent(answer));
    }
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n      ")
}
