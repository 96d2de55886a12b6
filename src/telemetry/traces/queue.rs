//! [`Queue`]: spans on their way to the exporter, which has a thread and a runtime of its own. Whoever
//! ends a span never waits; what finds the queue full is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver as Signals, sync_channel};
use std::time::Duration;

use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::settings::Pace;
use crate::runtime::{Clock, MonoTime};
use crate::telemetry::{Signal, stats};

/// How long the end of the process waits for the last spans: it is over three seconds after the drain.
const LAST_SPANS: Duration = Duration::from_millis(2_500);
/// A collector that is away is worth a line in so long.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(60);

/// What became of spans since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceCounts {
    /// Taken by the collector.
    pub exported: u64,
    /// Lost because the collector did not take them.
    pub failed: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Not recorded because the second had its share.
    pub withheld: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    withheld: AtomicU64,
}

/// Takes spans.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    counts: Arc<Counts>,
}

/// Has the last spans exported when it is dropped, and waits for that, but not for long.
#[derive(Debug)]
#[must_use = "the last spans are lost when this is dropped early"]
pub struct TraceFlush {
    end: CancellationToken,
    ended: Signals<()>,
}

impl Counts {
    pub(super) fn withheld(&self) {
        self.withheld.fetch_add(1, Relaxed);
    }

    fn snapshot(&self) -> TraceCounts {
        TraceCounts {
            exported: self.exported.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            withheld: self.withheld.load(Relaxed),
        }
    }
}

impl Queue {
    /// A queue for so many, and where they are taken out.
    pub(super) fn new(bound: usize) -> (Self, mpsc::Receiver<SpanData>) {
        let (spans, taken) = mpsc::channel(bound);
        let counts = Arc::default();
        (Self { spans, counts }, taken)
    }

    pub(super) fn take(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn withheld(&self) {
        self.counts.withheld();
    }

    pub(super) fn counts(&self) -> TraceCounts {
        self.counts.snapshot()
    }

    /// Exports what comes, on a thread of its own.
    pub(super) fn export<E: SpanExporter + 'static>(
        &self,
        spans: mpsc::Receiver<SpanData>,
        exporter: E,
        runtime: Runtime,
        (pace, clock): (Pace, Clock),
    ) -> std::io::Result<TraceFlush> {
        let end = CancellationToken::new();
        let (done, ended) = sync_channel(1);
        let export = Export {
            exporter,
            spans,
            pace,
            clock,
            end: end.clone(),
            counts: Arc::clone(&self.counts),
            complained: None,
            lost: 0,
        };
        let _detached = std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || {
                runtime.block_on(export.run());
                // Nobody waits any more where it took too long.
                let _late = done.send(()).is_err();
            })?;
        Ok(TraceFlush { end, ended })
    }
}

impl Drop for TraceFlush {
    fn drop(&mut self) {
        self.end.cancel();
        if self.ended.recv_timeout(LAST_SPANS).is_err() {
            tracing::warn!(waited = ?LAST_SPANS, "Traces left behind");
        }
    }
}

struct Export<E> {
    exporter: E,
    spans: mpsc::Receiver<SpanData>,
    pace: Pace,
    clock: Clock,
    end: CancellationToken,
    counts: Arc<Counts>,
    complained: Option<MonoTime>,
    /// Since the last complaint.
    lost: usize,
}

impl<E: SpanExporter> Export<E> {
    async fn run(mut self) {
        let mut batch = Vec::new();
        let end = self.end.clone();
        while !end.is_cancelled() {
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                closed = self.gather(&mut batch) => {
                    self.send(&mut batch).await;
                    if closed {
                        return;
                    }
                }
            }
        }
        self.spans.close();
        while let Some(span) = self.spans.recv().await {
            batch.push(span);
            if batch.len() >= self.pace.batch {
                self.send(&mut batch).await;
            }
        }
        self.send(&mut batch).await;
    }

    /// Waits for a first span, and then for a batch or the delay; whether nothing more can come. What
    /// has come stays in `batch` where this is given up.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let mut due = None;
        while batch.len() < self.pace.batch {
            let next = match due {
                None => self.spans.recv().await,
                Some(due) => match timeout_at(due, self.spans.recv()).await {
                    Ok(next) => next,
                    Err(_) => return false,
                },
            };
            let Some(span) = next else {
                return true;
            };
            batch.push(span);
            due.get_or_insert_with(|| self.clock.now() + self.pace.delay);
        }
        false
    }

    async fn send(&mut self, batch: &mut Vec<SpanData>) {
        let count = batch.len();
        if count == 0 {
            return;
        }
        let exporting = self.exporter.export(std::mem::take(batch));
        let problem = match timeout(self.pace.timeout, exporting).await {
            Ok(Ok(())) => {
                self.counts.exported.fetch_add(count as u64, Relaxed);
                stats().taken(Signal::Traces);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.pace.timeout),
        };
        self.counts.failed.fetch_add(count as u64, Relaxed);
        let problem = stats().refused(Signal::Traces, &problem, self.clock.wall());
        self.lost += count;
        let now = self.clock.now();
        let quiet = |at: MonoTime| now.saturating_duration_since(at) < BETWEEN_COMPLAINTS;
        if !self.complained.is_some_and(quiet) {
            tracing::warn!(lost = self.lost, problem, "Traces not exported");
            self.complained = Some(now);
            self.lost = 0;
        }
    }
}
