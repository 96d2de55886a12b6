//! From the start of the real binary to the first event that it serves, after SIGKILL under load, on
//! a journal of gigabytes.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tieline::runtime::MonoTime;

use super::bare_stream::subscribe;
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept, micros};
use crate::process::Process;
use crate::sidecar::{Sidecar, from_now_on, from_the_first, settings};
use crate::source::Source;

const ALLOWED: Duration = Duration::from_secs(1);
/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that are stored before it is killed, of those that are sent.
const STORED: u64 = 5_000;
const SENT: u64 = 100_000;

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let full = Rc::new(RefCell::new(None));
    let empty = Rc::new(RefCell::new(None));
    let run = |journal: &Rc<RefCell<Option<Place>>>, is_full: bool, cold: bool| {
        let journal = Rc::clone(journal);
        let folder = folder.join(if is_full {
            "recovery"
        } else {
            "recovery-empty"
        });
        move |effort: &Effort| {
            let bytes = if is_full { effort.recovered() } else { 0 };
            let mut journal = journal.borrow_mut();
            let place = kept(&mut journal, || Place::make(&folder, bytes))?;
            place.measure(cold)
        }
    };
    let goal = Bound::Most(micros(ALLOWED));
    let contenders = vec![
        Contender::anchor("with hardly a journal", run(&empty, false, false)),
        Contender::tieline("10 GiB (quick: 1 GiB)", run(&full, true, false)).goal("", goal),
        Contender::tieline("the same, read from the disk", run(&full, true, true)).goal("", goal),
    ];
    vec![Row::new("recovery after kill -9, to the first event", contenders).few(5)]
}

/// A folder with a journal and the configuration that uses it; removed when dropped.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn make(folder: &Path, bytes: u64) -> anyhow::Result<Self> {
        let place = Self {
            folder: folder.to_owned(),
        };
        // It empties the folder.
        settings(folder, None, "127.0.0.1:0")?;
        let sidecar = Sidecar::open(place.config(None)?)?;
        let each = fixtures::encoded(1).len() as u64;
        sidecar.fill(bytes / each + 1)?;
        Ok(place)
    }

    /// Settings that keep everything; what they name is in the folder.
    fn config(&self, source: Option<&Source>) -> anyhow::Result<Value> {
        let scratch = self.folder.join("settings");
        let mut config = settings(&scratch, source, "127.0.0.1:0")?;
        if let Some(journal) = config.pointer_mut("/journals/0") {
            *journal = json!({
                "name": "bench",
                "path": self.journal(),
                "retention": { "max_bytes": "64GiB", "hard_max_bytes": "65GiB" },
            });
        }
        Ok(config)
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    fn measure(&self, cold: bool) -> anyhow::Result<Sample> {
        let source = Source::start()?;
        let config = self.config(Some(&source))?;
        let mut process = Process::with(&self.folder.join("settings"), source, config)?;
        die_under_load(&mut process)?;
        if cold {
            self.forget()?;
        }
        let runtime = single_threaded()?;
        let started = MonoTime::now();
        process.spawn()?;
        runtime.block_on(async {
            let mut messages = subscribe(process.connect().await?, from_the_first()).await?;
            loop {
                let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
                let message = next.ok_or_else(|| anyhow::anyhow!("it serves no event"))?;
                if fixtures::count_events(&message) > 0 {
                    return anyhow::Ok(());
                }
            }
        })?;
        Ok(Sample::time("", started.elapsed()))
    }

    /// Asks the system to drop what it remembers of the journal's files.
    fn forget(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.journal())? {
            let mut file = std::ffi::OsString::from("of=");
            file.push(entry?.path());
            let mut dd = Command::new("dd");
            dd.arg(file)
                .args(["oflag=nocache", "conv=notrunc,fdatasync"]);
            let status = dd.args(["count=0", "status=none"]).status()?;
            anyhow::ensure!(status.success(), "dd: {status}");
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left goes with the suite's folder.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Kills it while it stores events.
fn die_under_load(process: &mut Process) -> anyhow::Result<()> {
    let upstream = process.upstreams.pop();
    let mut upstream = upstream.ok_or_else(|| anyhow::anyhow!("no session"))?;
    single_threaded()?.block_on(async {
        let mut messages = subscribe(process.connect().await?, from_now_on()).await?;
        messages.message().await?;
        // It is cut off in the middle.
        let flooding = std::thread::spawn(move || upstream.flood(SENT).is_ok());
        let mut events = 0;
        while events < STORED {
            let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
            let message = next.ok_or_else(|| anyhow::anyhow!("the stream ended"))?;
            events += fixtures::count_events(&message);
        }
        process.kill();
        drop(flooding.join());
        Ok(())
    })
}
