//! [`Namespace`]: file systems that only some processes see. They go when their holder ends, and that
//! ends with the test, however the test ends.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::child::{BOUND, without_settings};

/// A mount namespace and the shell that holds it.
pub(crate) struct Namespace {
    holder: Child,
    words: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    is_root: bool,
}

impl Namespace {
    /// Runs a script of the shell in a namespace of its own, which says `mounted` once it has done so;
    /// or why that cannot be done here.
    pub(crate) async fn hold(script: &str, arguments: &[&OsStr]) -> Result<Self, String> {
        use std::os::unix::fs::MetadataExt as _;
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let mut command = without_settings(Command::new("unshare"));
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| error.to_string())?;
        let words = holder.stdin.take().unwrap();
        let mut answers = BufReader::new(holder.stdout.take().unwrap()).lines();
        let told = timeout(BOUND, answers.next_line()).await.expect("it tells");
        if told.unwrap().as_deref() == Some("mounted") {
            return Ok(Self {
                holder,
                words,
                answers,
                is_root,
            });
        }
        let output = timeout(BOUND, holder.wait_with_output()).await;
        let output = output.expect("it ends").unwrap();
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// Tells the script a word, and waits until it says the same.
    pub(crate) async fn tell(&mut self, word: &str) {
        let line = format!("{word}\n");
        self.words.write_all(line.as_bytes()).await.unwrap();
        let told = timeout(BOUND, self.answers.next_line()).await;
        let told = told.expect("it answers").unwrap();
        assert_eq!(told.as_deref(), Some(word));
    }

    /// A command that runs in it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = without_settings(Command::new("nsenter"));
        let pid = self.holder.id().unwrap().to_string();
        command.args(["--target", &pid, "--mount"]);
        if !self.is_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    /// Where a path of it is seen from outside.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        let pid = self.holder.id().unwrap();
        let root = Path::new("/proc").join(pid.to_string()).join("root");
        root.join(path.strip_prefix("/").unwrap())
    }
}
