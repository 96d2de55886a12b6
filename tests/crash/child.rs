//! [`Child`]: the binary as a process of its own, which never outlives the test.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

/// No single step of a test takes longer, however busy the machine is.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

const SIGKILL: i32 = 9;

/// How the secrets of the simulated platforms begin, and how a credential stands in a request: none of
/// it is ever on standard error, whoever wrote it and however it ended.
const SECRETS: [&str; 6] = [
    "sandbox-secret-",
    "sandbox-refresh-",
    "sandbox-a-",
    "sandbox-r-",
    "Bearer ",
    "client_secret=",
];

fn is_clean(text: &str) {
    let found = SECRETS.iter().find(|secret| text.contains(**secret));
    assert!(found.is_none(), "{found:?} is on standard error: {text}");
}

/// The binary, without anything of this process's environment that it would read.
pub(crate) fn tieline() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_tieline")))
}

/// A command that ends with the test and reads nothing from its environment.
pub(crate) fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TIELINE") || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) async fn finished(command: &mut Command) -> Finished {
    let output = timeout(BOUND, command.output()).await;
    let output = output.expect("it ends").expect("it starts");
    let stderr = String::from_utf8(output.stderr).unwrap();
    is_clean(&stderr);
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr,
    }
}

/// Runs the binary with these arguments to its end.
pub(crate) async fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
    finished(tieline().args(arguments)).await
}

/// A running process whose standard error goes to a file.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    pid: u32,
    log: PathBuf,
}

impl Child {
    /// Starts `command`; what it says on standard error is appended to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().append(true).create(true).open(log).unwrap();
        let process = command.stderr(file).spawn().expect("it starts");
        let pid = process.id().unwrap();
        let log = log.to_owned();
        Self { process, pid, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it writes to, where it was started with a pipe.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.process.stdout.take().expect("a pipe")
    }

    /// The end of what it said, for the message of a failed test.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Completes when it ended by itself, which no test of ours expects. Cancel-safe.
    pub(crate) async fn died(&mut self) -> String {
        let status = self.process.wait().await;
        format!("it ended by itself with {status:?}:\n{}", self.last_words())
    }

    /// Lets it run for a moment, in which it must not end by itself.
    pub(crate) async fn runs_for(&mut self, moment: Duration) {
        if let Ok(died) = timeout(moment, self.died()).await {
            panic!("{died}");
        }
    }

    /// SIGKILL, and waits until it is gone. It must have been alive.
    pub(crate) async fn kill(mut self) {
        self.process.start_kill().unwrap();
        let status = self.gone(BOUND).await;
        let words = self.last_words();
        assert_eq!(status.signal(), Some(SIGKILL), "{status}\n{words}");
    }

    /// SIGKILL to one that may have ended by itself; how it ended.
    pub(crate) async fn kill_if_alive(mut self) -> ExitStatus {
        // Fails where it is gone already.
        self.process.start_kill().ok();
        self.gone(BOUND).await
    }

    /// SIGTERM.
    pub(crate) async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    /// SIGHUP.
    pub(crate) async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.pid.to_string();
        let told = finished(Command::new("kill").args([signal, &pid])).await;
        assert_eq!(told.code, Some(0), "{}", told.stderr);
    }

    /// Waits for its end.
    pub(crate) async fn gone(&mut self, within: Duration) -> ExitStatus {
        match timeout(within, self.process.wait()).await {
            Ok(status) => {
                is_clean(&std::fs::read_to_string(&self.log).unwrap_or_default());
                status.unwrap()
            }
            Err(_) => panic!("still there after {within:?}:\n{}", self.last_words()),
        }
    }
}
