//! The differential oracle: every script of `tests/cases` runs on a server that really has the older schema, and
//! through Bifocal on a server with the newest one; every outcome is compared. See `tests/cases/README.md`.
//!
//!     cargo test --test oracle -- SUBSTRING        scripts whose "set/file: title" contains it
//!     ORACLE_SERVERS=mariadb-10.11,mysql-9.7       only these servers
//!     ORACLE_IDENTITY=1                            the oracle's own test: both sides have the older schema, no Bifocal
//!     ORACLE_PLAN=1                                the rewriter alone, without `bifocal serve`
//!     ORACLE_SHOW=1                                print what the reference says to each statement

mod bytes;
mod compare;
mod fixture;
mod job;
mod report;
mod run;
mod speaker;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use libtest_mimic::Arguments;
use tokio::task::JoinSet;

use job::{Job, Pair};
use report::Report;
use speaker::Route;
use support::{
    proxy::Proxy,
    server::{Coverage, Kind, Server},
    set::Set,
};

/// Jobs at a time: more than cores, since each mostly waits for servers.
const WORKERS: usize = 4;
/// Without this server a run proves too little.
const REQUIRED: &str = "mariadb-10.11";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("oracle: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(oracle(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed.
async fn oracle(arguments: &Arguments) -> Result<bool> {
    let sets: Vec<_> = Set::all()?.into_iter().map(Arc::new).collect();
    if arguments.list {
        for set in &sets {
            for script in &set.scripts {
                println!("{}/{}: test", set.name, script.title);
            }
        }
        return Ok(true);
    }
    let wanted = std::env::var("ORACLE_SERVERS").unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let coverage = Coverage::find(&wanted)?;
    println!("{}", coverage.line());
    if coverage.missing.contains(&REQUIRED) || coverage.covered.is_empty() {
        bail!("{REQUIRED} is required");
    }
    let scratch = scratch()?;
    let mut total = Report::default();
    for kind in &coverage.covered {
        let jobs =
            job::jobs(&sets, kind, |set, script| is_chosen(arguments, &format!("{}/{}", set.name, script.title)));
        let start = Instant::now();
        let report = covered(kind, &sets, jobs, &scratch.join(kind.name)).await.with_context(|| kind.name)?;
        println!("{}: {} scripts, {} runs in {:.1?}", kind.name, report.scripts, report.runs, start.elapsed());
        total.add(report);
    }
    total.merge_modes();
    println!("\n{}", coverage.line());
    total.print(coverage.covered.len());
    fs::remove_dir_all(&scratch)?;
    Ok(total.failures.is_empty())
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

fn is_chosen(arguments: &Arguments, name: &str) -> bool {
    let matches = |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// A folder for this process; what killed runs left is removed.
fn scratch() -> Result<PathBuf> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    fs::create_dir_all(&all)?;
    for entry in fs::read_dir(&all)? {
        let entry = entry?;
        let owner = Path::new("/proc").join(entry.file_name());
        if !owner.exists() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let own = all.join(std::process::id().to_string());
    fs::create_dir_all(&own)?;
    Ok(own)
}

/// All jobs on one kind of server.
async fn covered(kind: &Kind, sets: &[Arc<Set>], mut jobs: Vec<Job>, folder: &Path) -> Result<Report> {
    let mut report = Report::default();
    if jobs.is_empty() {
        return Ok(report);
    }
    let (reference, migrated) = (folder.join("reference"), folder.join("migrated"));
    let (reference, migrated) = tokio::join!(Server::start(kind, &reference), Server::start(kind, &migrated));
    let pair = Arc::new(Pair { kind: kind.clone(), reference: reference?, migrated: migrated? });
    let rules = folder.join("rules");
    fs::create_dir_all(&rules)?;
    let mut proxy = None;
    let mut route = Route::Identity;
    if !is_set("ORACLE_IDENTITY") {
        jobs = with_snapshots(sets, jobs, &pair, folder, &mut report).await;
        for job in &jobs {
            job.write_rules(&pair, &rules)?;
        }
        if jobs.is_empty() {
            report.print_failures(&rules);
            return Ok(report);
        }
        if is_set("ORACLE_PLAN") {
            route = Route::Plan(Arc::new(bifocal::cli::rules::load(&rules)?));
        } else {
            let started = Proxy::start(pair.migrated.port, &rules, &folder.join("bifocal.log"))?;
            route = Route::Proxy(started.port);
            proxy = Some(started);
        }
    }
    report.add(work(jobs, &pair, &route).await?);
    report.merge_modes();
    report.print_failures(&rules);
    if let Some(last_words) = proxy.as_mut().and_then(Proxy::death) {
        bail!("bifocal serve has ended; its log ends:\n{last_words}");
    }
    Ok(report)
}

/// Takes the snapshots of the jobs' sets; the jobs of a set whose rules don't compile fail, and the others are given back.
async fn with_snapshots(
    sets: &[Arc<Set>],
    mut jobs: Vec<Job>,
    pair: &Pair,
    folder: &Path,
    report: &mut Report,
) -> Vec<Job> {
    let mut good = Vec::new();
    for set in sets {
        let (of_set, others) = jobs.into_iter().partition::<Vec<_>, _>(|job| job.is_of(set));
        jobs = others;
        if of_set.is_empty() {
            continue;
        }
        match job::snapshot(set, pair, folder).await {
            Ok(()) => good.extend(of_set),
            Err(error) => of_set.iter().for_each(|job| job.fail(&pair.kind, &format!("{error:#}"), report)),
        }
    }
    good
}

/// Shares the jobs out among the workers.
async fn work(jobs: Vec<Job>, pair: &Arc<Pair>, route: &Route) -> Result<Report> {
    let queue = Arc::new(Mutex::new(jobs));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (queue, pair, route) = (Arc::clone(&queue), Arc::clone(pair), route.clone());
        workers.spawn(async move {
            let mut report = Report::default();
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(job) = job else { return report };
                report.add(job.run(&pair, &route).await);
            }
        });
    }
    let mut report = Report::default();
    while let Some(done) = workers.join_next().await {
        report.add(done?);
    }
    Ok(report)
}
