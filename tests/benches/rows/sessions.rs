//! Many sessions in one process at a slow pace each, against one session that carries all of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tieline::runtime::MonoTime;

use super::bare_stream::subscribe;
use super::single_threaded;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::fixtures;
use crate::harness::{Bound, Contender, Row, kept};
use crate::pace::Pace;
use crate::process::Process;
use crate::sidecar::from_now_on;

/// Events per second of one session.
const EACH: u32 = 10;
/// Of a core, besides what one session takes.
const ALLOWED: f64 = 0.25;
/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let one = running(folder.join("one-session"), |_| 1);
    let many = running(folder.join("many-sessions"), sessions);
    let contenders = vec![
        Contender::anchor("one session with the events of all", one),
        Contender::tieline("a session for each", many).goal("", Bound::Above(ALLOWED)),
    ];
    vec![
        Row::new(
            "1 000 sessions at 10 events/s each (quick: 200)",
            contenders,
        )
        .few(5),
    ]
}

fn sessions(effort: &Effort) -> u32 {
    if effort.quick { 200 } else { 1_000 }
}

/// A process with so many sessions, kept from sample to sample.
fn running(
    folder: PathBuf,
    own: impl Fn(&Effort) -> u32,
) -> impl FnMut(&Effort) -> anyhow::Result<Sample> {
    let mut process: Option<Process> = None;
    move |effort| {
        let count = usize::try_from(own(effort))?;
        let process = kept(&mut process, || Process::start(&folder, count))?;
        measure(process, sessions(effort) * EACH, effort)
    }
}

/// Sends to the sessions in turn, and counts at one reader that all of it comes.
fn measure(process: &mut Process, per_second: u32, effort: &Effort) -> anyhow::Result<Sample> {
    let pace = Pace {
        per_second,
        lasting: effort.sample() * 2,
    };
    let runtime = single_threaded()?;
    let mut messages = runtime.block_on(async {
        let mut messages = subscribe(process.connect().await?, from_now_on()).await?;
        messages.message().await?;
        anyhow::Ok(messages)
    })?;
    let (started, spent) = (MonoTime::now(), process.time());
    let count = pace.total();
    std::thread::scope(|scope| {
        let upstreams = &mut process.upstreams;
        let sending = scope.spawn(move || {
            let sessions = upstreams.len() as u64;
            pace.keep(started, |first, count| {
                for index in first..first + count {
                    let session = usize::try_from(index % sessions)?;
                    if let Some(upstream) = upstreams.get_mut(session) {
                        upstream.send(1)?;
                    }
                }
                Ok(())
            })
        });
        runtime.block_on(async {
            let mut events = 0;
            while events < count {
                let next = tokio::time::timeout(PATIENCE, messages.message()).await??;
                let message = next.ok_or_else(|| anyhow::anyhow!("the stream ended"))?;
                events += fixtures::count_events(&message);
            }
            anyhow::Ok(())
        })?;
        let sent = sending.join();
        sent.map_err(|_| anyhow::anyhow!("the source panicked"))?
    })?;
    let (elapsed, spent) = (started.elapsed(), process.time().saturating_sub(spent));
    Ok(Sample::cores(spent, elapsed).with_cpu(count, spent))
}
