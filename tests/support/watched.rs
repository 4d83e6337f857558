//! Child processes that end when their owner does, however the owner ends.
//!
//! A shell stands between: it holds the read end of a pipe whose write end only this process has. When the
//! pipe closes (by `Drop`, a panic, or the kernel after a SIGKILL) it ends exactly the process it started.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Ends with the status of the program; `read` returns when the pipe closes. The data folder (`$1`, may be
/// empty) is removed only after the program has ended.
const WATCHDOG: &str = r#"
data=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -KILL "$program"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
[ -z "$data" ] || rm -rf -- "$data"
exit "$status"
"#;

/// A running program.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    /// Invariant: `Some` until the program is to end.
    lifeline: Option<ChildStdin>,
}

impl Watched {
    /// Starts `program`; `data` is a folder that goes away with it, `log` takes what it says on stderr.
    pub fn start(program: &Path, args: &[String], data: Option<&Path>, stdout: Stdio, log: &Path) -> io::Result<Self> {
        let log = File::create(log)?;
        let mut child = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(data.unwrap_or(Path::new("")))
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(log)
            .spawn()?;
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline })
    }

    /// What the program prints, where that is piped; once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The process id of the program, while it runs. The watchdog's other child is a shell.
    pub fn program(&self, path: &Path) -> io::Result<u32> {
        let shell = self.child.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let mut ids = children.split_whitespace().filter_map(|id| id.parse::<u32>().ok());
        let is_it = |id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == path);
        ids.find(is_it).ok_or_else(|| io::Error::other("the program has ended"))
    }

    /// Whether the program has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Nothing can be done about a failure here, and the watchdog goes on without us.
        let _ = self.child.wait();
    }
}
