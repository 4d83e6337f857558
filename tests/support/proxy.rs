//! The real `bifocal` binary: its server process and its other subcommands.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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
    /// The port of its first listener, on 127.0.0.1.
    pub port: u16,
    /// The ports of all its listeners but those on Unix sockets, in the order of the options.
    pub ports: Vec<u16>,
    log: PathBuf,
    process: Watched,
}

impl Proxy {
    /// Starts it before the server at `backend_port`, with the rule files of `rules`.
    pub fn start(backend_port: u16, rules: &Path, log: &Path) -> Result<Self> {
        Self::start_with(backend_port, rules, &["--listen", "127.0.0.1:0"], log)
    }

    /// The same with options of its own, `--listen` among them.
    pub fn start_with(backend_port: u16, rules: &Path, options: &[&str], log: &Path) -> Result<Self> {
        Self::before(&format!("mysql://127.0.0.1:{backend_port}"), rules, options, log)
    }

    /// The same before the server at a URL.
    pub fn before(backend: &str, rules: &Path, options: &[&str], log: &Path) -> Result<Self> {
        Self::launch(Path::new(BIFOCAL), &[], backend, rules, options, log)
    }

    /// The same with a level of logging.
    pub fn logging(level: &str, backend: &str, rules: &Path, options: &[&str], log: &Path) -> Result<Self> {
        let before = [format!("BIFOCAL_LOG={level}"), BIFOCAL.to_owned()];
        Self::launch(Path::new("env"), &before, backend, rules, options, log)
    }

    fn launch(
        program: &Path,
        before: &[String],
        backend: &str,
        rules: &Path,
        options: &[&str],
        log: &Path,
    ) -> Result<Self> {
        let rules = rules.display().to_string();
        let mut args = before.to_vec();
        args.extend(["serve", "--backend", backend, "--rules", &rules].map(str::to_owned));
        args.extend(options.iter().map(|option| (*option).to_owned()));
        let mut process = Watched::start(program, &args, None, Stdio::piped(), log)?;
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
        let Ok(addresses) = receiver.recv_timeout(START_DEADLINE) else {
            bail!("bifocal serve did not get ready; its log ends:\n{}", tail(log));
        };
        let port_of = |address: &str| address.split('=').next()?.rsplit(':').next()?.parse().ok();
        let tcp = addresses.split(' ').filter(|address| !address.starts_with("unix:"));
        let ports: Option<Vec<u16>> = tcp.map(port_of).collect();
        let ports = ports.filter(|ports| !ports.is_empty()).context("the ready line names no port")?;
        Ok(Self { port: ports[0], ports, log: log.to_owned(), process })
    }

    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.program(Path::new(BIFOCAL))?)
    }

    /// Sends it a signal, e.g. `HUP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid()?.to_string()]).status()?;
        if status.success() { Ok(()) } else { bail!("kill: {status}") }
    }

    /// What it has said on stderr.
    pub fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    /// None while it runs; its last words after it has ended.
    pub fn death(&mut self) -> Option<String> {
        self.process.has_ended().then(|| tail(&self.log))
    }
}

/// Runs a subcommand to its end.
pub fn output(args: &[&str]) -> Result<Output> {
    Ok(Command::new(BIFOCAL).args(args).output()?)
}

/// Runs a subcommand and gives its stdout; an error holds its stderr.
pub fn bifocal(args: &[&str]) -> Result<String> {
    let output = output(args)?;
    if !output.status.success() {
        bail!("bifocal {}: {}\n{}", args[0], output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8(output.stdout)?)
}
