//! Embedded stores of others, behind a program of ours that appends to them: see `stores/`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::server::installed;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::folder::emptied;

/// Which store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Store {
    Fjall,
    Redb,
}

impl Store {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fjall => "fjall",
            Self::Redb => "redb",
        }
    }

    /// Installs it if need be, and opens it in an empty folder.
    pub(crate) fn open(self, folder: &Path) -> anyhow::Result<Appending> {
        emptied(folder)?;
        let mut child = Command::new(installed("stores")?)
            .arg(self.name())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (ask, answer) = pipes.ok_or_else(|| anyhow::anyhow!("no pipes"))?;
        Ok(Appending {
            child,
            ask: Some(ask),
            answer: BufReader::new(answer),
        })
    }
}

/// A store that is open; closed when dropped.
pub(crate) struct Appending {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Appending {
    /// Appends for a sample's time, so many events of our encoded size with each sync.
    pub(crate) fn measure(&mut self, group: usize, effort: &Effort) -> anyhow::Result<Sample> {
        let ask = self.ask.as_mut();
        let ask = ask.ok_or_else(|| anyhow::anyhow!("it is closed"))?;
        let bytes = fixtures::encoded(1).len();
        writeln!(ask, "{group} {bytes} {}", effort.sample().as_millis())?;
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        let numbers = line.trim().split_once(' ');
        let (events, nanos) = numbers.ok_or_else(|| anyhow::anyhow!("it ended by itself"))?;
        Ok(Sample::rate(
            events.parse()?,
            Duration::from_nanos(nanos.parse()?),
        ))
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        // It ends where its input does; what it says of that is of no use.
        drop(self.ask.take());
        self.child.wait().ok();
    }
}
