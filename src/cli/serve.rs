//! `bifocal serve`: the proxy as a process.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use super::USAGE;
use crate::{
    config::{Config, Written},
    proxy::{Loaded, Proxy},
    rules::Ruleset,
    session::{VersionName, is_known},
};

/// The options of `bifocal serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    written: Written,
}

/// Runs the proxy until SIGTERM or SIGINT.
pub(super) fn run(args: Args) -> ExitCode {
    log_to_stderr();
    let config = match Config::resolve(args.written) {
        Ok(config) => config,
        Err(mistakes) => {
            eprint!("{mistakes}");
            return ExitCode::from(USAGE);
        }
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bifocal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let mut rules = match &config.rules {
        Some(path) => load_rules(path)?,
        None => Ruleset::default(),
    };
    rules.generation = 1;
    for listen in &config.listen {
        let Some((database, version)) = listen.version.clone() else { continue };
        let name = VersionName { database, version };
        anyhow::ensure!(is_known(&rules, &name), "the rules know no {name}, which --listen {listen} asks for");
    }
    let loaded = Loaded::from_config(&config).map_err(anyhow::Error::msg)?;
    let (rules, loaded) = (Arc::new(ArcSwap::from_pointee(rules)), Arc::new(ArcSwap::from_pointee(loaded)));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let reloading = tokio::spawn(reload_on_hangup(config.clone(), rules.clone(), loaded.clone()));
    let proxy = Proxy::bind(config, rules, loaded).await?;
    announce(&proxy)?;
    proxy
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    reloading.abort();
    Ok(())
}

/// A line per listener for people, then one for programs, which can connect when they read it.
fn announce(proxy: &Proxy) -> io::Result<()> {
    let mut line = "ready".to_owned();
    for (address, version) in proxy.addresses()? {
        let listener = match version {
            Some(version) => format!("{address}={version}"),
            None => address.to_string(),
        };
        eprintln!("bifocal: listening on {listener}");
        line = format!("{line} {listener}");
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// On SIGHUP, the new rules are put in force whole, or the old ones stay; and so are certificates and keys.
async fn reload_on_hangup(
    config: Config,
    rules: Arc<ArcSwap<Ruleset>>,
    loaded: Arc<ArcSwap<Loaded>>,
) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let config = Arc::new(config);
    while hangup.recv().await.is_some() {
        let (now, before) = (config.clone(), loaded.load_full());
        // Reading and compiling is work for a thread of its own: connections go on meanwhile.
        let work = move || (before.reload(&now), now.rules.as_deref().map(load_rules));
        let (files, new_rules) = tokio::task::spawn_blocking(work).await?;
        match files {
            Ok(files) => {
                loaded.store(Arc::new(files));
                if config.has_files() {
                    eprintln!("bifocal: certificates and keys are read again; new connections have them");
                }
            }
            Err(error) => eprintln!("bifocal: the old certificates and keys stay in force: {error}"),
        }
        let generation = rules.load().generation + 1;
        match new_rules {
            None => eprintln!("bifocal: there are no rules to reload, there is no --rules"),
            Some(Ok(mut new_rules)) => {
                new_rules.generation = generation;
                rules.store(Arc::new(new_rules));
                eprintln!("bifocal: generation {generation} of the rules is in force");
            }
            Some(Err(error)) => eprintln!("bifocal: the old rules stay in force: {error:#}"),
        }
    }
    Ok(())
}

fn load_rules(path: &Path) -> anyhow::Result<Ruleset> {
    super::rules::load(path).map_err(|error| anyhow::anyhow!(error.render()))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BIFOCAL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
