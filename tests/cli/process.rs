//! Runs the binary and reads what it prints, line by line, within a bound.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// No single step of a test takes longer.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// What a finished command left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with nothing of this process's environment that it would read.
pub(crate) fn tieline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tieline"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TIELINE") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn finished(mut command: Command) -> Finished {
    let output = timeout(BOUND, command.output())
        .await
        .expect("it ends")
        .expect("it starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it with these arguments to its end.
pub(crate) async fn run(arguments: &[&str]) -> Finished {
    finished(tieline(arguments)).await
}

/// A running command whose standard output is read line by line.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = tieline(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on to the first line that holds `text`.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = timeout(BOUND, self.lines.next_line())
                .await
                .unwrap_or_else(|_| panic!("no line with '{text}' after {before:#?}"))
                .unwrap();
            match line {
                Some(line) if line.contains(text) => return line,
                Some(line) => before.push(line),
                None => panic!("it ended before a line with '{text}': {before:#?}"),
            }
        }
    }

    /// Reads the rest and waits for the end.
    pub(crate) async fn rest(mut self) -> Finished {
        let mut stdout = String::new();
        while let Some(line) = timeout(BOUND, self.lines.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        let output = timeout(BOUND, self.child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Finished {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }

    /// Closes the end that the command writes to, then waits for it.
    pub(crate) async fn leave(self) -> Finished {
        drop(self.lines);
        let output = timeout(BOUND, self.child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::new(),
            stderr,
        }
    }
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Its text.
pub(crate) fn fixture_text(name: &str) -> String {
    let path = fixture(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
