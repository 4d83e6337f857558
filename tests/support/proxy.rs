//! The real `bifocal` binary: its server process and its other subcommands.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{server::tail, watched::Watched};

const BIFOCAL: &str = env!("CARGO_BIN_EXE_bifocal");
/// `bifocal serve` is ready within milliseconds; a loaded machine may need more.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running `bifocal serve`.
#[derive(Debug)]
pub struct Proxy {
    /// Its port on 127.0.0.1.
    pub port: u16,
    log: PathBuf,
    process: Watched,
}

impl Proxy {
    /// Starts it before the server at `backend_port`, with the rule files of `rules`.
    pub fn start(backend_port: u16, rules: &Path, log: &Path) -> Result<Self> {
        let args = [
            "serve".to_owned(),
            "--backend".to_owned(),
            format!("mysql://127.0.0.1:{backend_port}"),
            "--rules".to_owned(),
            rules.display().to_string(),
            "--listen".to_owned(),
            "127.0.0.1:0".to_owned(),
        ];
        let mut process = Watched::start(Path::new(BIFOCAL), &args, None, Stdio::piped(), log)?;
        let stdout = process.stdout().context("bifocal serve has no stdout")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("ready ") {
                    // The receiver is gone after the deadline.
                    let _ = sender.send(address.to_owned());
                }
            }
        });
        let Ok(address) = receiver.recv_timeout(START_DEADLINE) else {
            bail!("bifocal serve did not get ready; its log ends:\n{}", tail(log));
        };
        let port =
            address.rsplit(':').next().and_then(|port| port.parse().ok()).context("the ready line names no port")?;
        Ok(Self { port, log: log.to_owned(), process })
    }

    /// None while it runs; its last words after it has ended.
    pub fn death(&mut self) -> Option<String> {
        self.process.has_ended().then(|| tail(&self.log))
    }
}

/// Runs a subcommand and gives its stdout; an error holds its stderr.
pub fn bifocal(args: &[&str]) -> Result<String> {
    let output = Command::new(BIFOCAL).args(args).output()?;
    if !output.status.success() {
        bail!("bifocal {}: {}\n{}", args[0], output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8(output.stdout)?)
}
