//! `bifocal explain`: what would be done with one statement of one version, and why.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use crate::{
    rewrite::{Facts, Plan, plan},
    rules::{ColumnSource, Lossiness, Mapping, TableMapping, VersionRules},
    sql::{LexMode, ServerKind, Text},
};

/// `bifocal explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with the rule files.
    #[arg(long, env = "BIFOCAL_RULES")]
    rules: PathBuf,
    /// The logical database.
    #[arg(long)]
    database: String,
    /// The version that sends the statement.
    #[arg(long)]
    version: String,
    /// The statement.
    sql: String,
}

/// Prints the rewritten text alone on stdout and the reasons on stderr. Exit 0 for a statement that would be sent,
/// 1 when the rules or the version are wrong, 2 when the statement is refused or answered with an error.
pub fn run(args: &Args) -> ExitCode {
    let ruleset = match super::rules::load(&args.rules) {
        Ok(ruleset) => ruleset,
        Err(error) => {
            eprintln!("{}", error.render());
            return ExitCode::from(1);
        }
    };
    let Some(database) = ruleset.databases.iter().find(|database| database.name == args.database) else {
        let known: Vec<&str> = ruleset.databases.iter().map(|database| database.name.as_str()).collect();
        eprintln!("error: no rules for database {}; there are rules for: {}", args.database, known.join(", "));
        return ExitCode::from(1);
    };
    let Some(version) = database.versions.iter().find(|version| version.name == args.version) else {
        let known: Vec<&str> = database.versions.iter().map(|version| version.name.as_str()).collect();
        eprintln!("error: {} has no version {}; it has: {}", args.database, args.version, known.join(", "));
        return ExitCode::from(1);
    };
    explain(&args.sql, &args.database, version)
}

fn explain(sql: &str, database: &str, version: &VersionRules) -> ExitCode {
    let facts = Facts {
        database: Some(database.to_owned()),
        lex: mode_of(&version.schema.server),
        strict: true,
        introduce: false,
        odd_mode: None,
        multi_statements: true,
    };
    match plan(sql.as_bytes(), &version.chain, &facts) {
        Plan::Forward => {
            println!("{sql}");
            eprintln!("forward: sent byte for byte; it names nothing that changed since {}", version.name);
            ExitCode::SUCCESS
        }
        Plan::Rewrite(rewrite) => {
            println!("{}", String::from_utf8_lossy(&rewrite.text));
            eprintln!("rewrite: for version {}", version.name);
            reasons(sql, &facts, &version.chain);
            if rewrite.params.len() != usize::from(rewrite.client_params)
                || rewrite.params.iter().enumerate().any(|(at, &from)| at != usize::from(from))
            {
                eprintln!("  placeholders: filled from the client's {:?}", rewrite.params);
            }
            ExitCode::SUCCESS
        }
        Plan::Answer(error) => {
            let sqlstate = String::from_utf8_lossy(&error.sqlstate).into_owned();
            eprintln!("answer: ERROR {} ({sqlstate}): {}", error.number, error.message);
            ExitCode::from(2)
        }
        Plan::Refuse(refusal) => {
            eprintln!("refuse: {}: {}", refusal.code, refusal.reason);
            ExitCode::from(2)
        }
    }
}

/// Which changes concern the statement: those of the tables and columns that it names, step by step.
fn reasons(sql: &str, facts: &Facts, chain: &[Arc<Mapping>]) {
    let Ok(text) = Text::new(sql.as_bytes(), facts.lex) else { return };
    let names: Vec<String> = (0..text.len()).filter_map(|index| text.name(index)).collect();
    let star = (0..text.len()).any(|index| text.is_punct(index, "*"));
    let mut tables = names.clone();
    for mapping in chain {
        let mut newer = Vec::new();
        for table in &mapping.tables {
            if tables.iter().any(|name| name.eq_ignore_ascii_case(&table.name)) {
                describe(table, &mapping.version, |column| {
                    star || names.iter().any(|name| name.eq_ignore_ascii_case(column))
                });
                newer.push(table.physical.clone());
            }
        }
        tables.extend(newer);
    }
}

fn describe(table: &TableMapping, version: &str, named: impl Fn(&str) -> bool) {
    if table.name != table.physical {
        eprintln!("  {version}: table {} is {}", table.name, table.physical);
    }
    for column in table.columns.iter().filter(|column| named(&column.name)) {
        match &column.source {
            ColumnSource::Direct(newer) if *newer == column.name => {}
            ColumnSource::Direct(newer) => eprintln!("  {version}: column {}.{} is {newer}", table.name, column.name),
            ColumnSource::Computed { group, .. } => {
                let group = &table.groups[*group];
                let writes: Vec<&str> = group.writes.iter().map(|write| write.column.as_str()).collect();
                let how = match group.lossiness {
                    Lossiness::Bijective => "bijective",
                    Lossiness::Discard => "what does not fit is discarded",
                    Lossiness::Keep => "its own value is kept",
                };
                eprintln!("  {version}: column {}.{} stands in {} ({how})", table.name, column.name, writes.join(", "));
            }
            ColumnSource::Discarded(_) => eprintln!("  {version}: column {}.{} is discarded", table.name, column.name),
        }
    }
    for added in &table.added {
        eprintln!("  {version}: column {}.{} is newer and hidden", table.physical, added.column);
    }
}

/// How the server that a snapshot came from lexes, in its default mode.
pub fn mode_of(server: &str) -> LexMode {
    let kind = if server.contains("MariaDB") { ServerKind::MariaDb } else { ServerKind::MySql };
    let mut parts = server.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let number = next() * 10_000 + next() * 100 + next();
    LexMode::of_server(kind, number)
}
