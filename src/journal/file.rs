//! [`FileJournal`]: the journal in a directory.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::encode::EncodedCommit;
use super::options::Options;
use super::shared::Shared;
use super::shell::{self, Message, Request, SpareOrder};
use super::storage::{DiskStorage, Storage};
use super::writer::Writer;
use super::{
    AppendError, Commit, CommitSink, Committed, DurableEnd, EncodedDraft, Erasure, Health, Hold,
    Info, Journal, JournalSnapshot, MOST_RANGES, OpenError, Page, ReadError, StateEntry, Turn,
    files, metrics, reader, recovery,
};
use crate::domain::{Sequence, TraceContext, WallTime};
use crate::runtime::{Crew, Drain, MonoTime, offload};

/// Threads that read, and so reads that go on at once.
const READERS: usize = 4;
/// What a commit counts for in the queue, at least.
const QUEUE_UNIT: usize = 1 << 10;
/// The slowest that retention and a full disk are looked at.
const TICK: Duration = Duration::from_secs(5);
const FASTEST_TICK: Duration = Duration::from_millis(100);
/// When the last handle goes, the writer has this long to end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// The journal in a directory. Clones share it; when the last is dropped it is closed in order.
#[derive(Debug, Clone)]
pub struct FileJournal(Arc<Inner>);

struct Inner {
    options: Options,
    opened: MonoTime,
    shared: Arc<Shared>,
    inbox: Mutex<Option<mpsc::Sender<Message>>>,
    /// Bytes that may wait for the writer, in units.
    room: Arc<Semaphore>,
    units: u32,
    readers: Crew,
    order: Arc<SpareOrder>,
    ended: watch::Receiver<bool>,
    /// Of a writer with a thread of its own.
    thread_ended: Option<Mutex<blocking::Receiver<()>>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal")
            .field("path", &self.options.path)
            .finish_non_exhaustive()
    }
}

/// What the writer of a journal runs with.
struct Writing {
    writer: Writer,
    inbox: mpsc::Receiver<Message>,
    order: Arc<SpareOrder>,
    ended: watch::Sender<bool>,
}

impl Inner {
    fn open(storage: Arc<dyn Storage>, options: Options) -> Result<(Self, Writing), OpenError> {
        let (writer, _) = recovery::open(storage, &options)?;
        let units = options.limits.queue_bytes / QUEUE_UNIT;
        // Each waiting commit holds at least one unit, and one message more waits without.
        let (sender, inbox) = mpsc::channel(units + 16);
        let order = Arc::new(SpareOrder::default());
        let (ended, has_ended) = watch::channel(false);
        let inner = Self {
            opened: options.clock.now(),
            shared: writer.shared.clone(),
            inbox: Mutex::new(Some(sender)),
            room: Arc::new(Semaphore::new(units)),
            units: u32::try_from(units).unwrap_or(u32::MAX),
            readers: Crew::new("journal-read", READERS),
            order: Arc::clone(&order),
            ended: has_ended,
            thread_ended: None,
            options,
        };
        let writing = Writing {
            writer,
            inbox,
            order,
            ended,
        };
        Ok((inner, writing))
    }

    fn uptime(&self) -> Duration {
        self.options.clock.now() - self.opened
    }
}

impl FileJournal {
    /// Opens the journal in a directory, or makes one where there is none. Blocks for as long as
    /// reading the last segment takes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let path = &options.path;
        let storage = DiskStorage::create_if_missing(path)
            .map_err(|error| OpenError::io(path, "create the directory", error))?;
        Self::open_on(Arc::new(storage), options)
    }

    pub(crate) fn open_on(storage: Arc<dyn Storage>, options: Options) -> Result<Self, OpenError> {
        let (mut inner, writing) = Inner::open(storage, options)?;
        let (thread_ends, thread_ended) = blocking::channel();
        let run = move || {
            let Writing {
                writer,
                inbox,
                order,
                ended,
            } = writing;
            shell::run(writer, inbox, &order);
            ended.send_replace(true);
            thread_ends.send(()).ok();
        };
        std::thread::Builder::new()
            .name(format!("journal {}", inner.options.name))
            .spawn(run)
            .map_err(|error| OpenError::io(&inner.options.path, "start the writer", error))?;
        inner.thread_ended = Some(Mutex::new(thread_ended));
        Ok(Self(Arc::new(inner)))
    }

    /// Opens the journal on a simulated disk, as a process that starts now. Its writer is the future
    /// beside it, and waits before each turn for as long as the disk is said to take.
    ///
    /// # Errors
    /// [`OpenError`].
    #[cfg(any(test, feature = "testing"))]
    pub fn open_simulated(
        disk: &super::SimulatedDisk,
        options: Options,
        disk_takes: impl Fn() -> Duration + Send + 'static,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), OpenError> {
        Self::open_as_task(disk.process(), options, disk_takes)
    }

    /// Likewise, on any disk.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn open_as_task(
        storage: Arc<dyn Storage>,
        options: Options,
        disk_takes: impl Fn() -> Duration + Send + 'static,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), OpenError> {
        let (inner, writing) = Inner::open(storage, options)?;
        let run = async move {
            let Writing {
                writer,
                inbox,
                order,
                ended,
            } = writing;
            shell::run_as_task(writer, inbox, order, disk_takes).await;
            ended.send_replace(true);
        };
        Ok((Self(Arc::new(inner)), run))
    }

    /// Keeps the journal in shape until `drain`: trims it, tries again after a full disk, prepares
    /// the next segment. Without this, an idle journal is not trimmed.
    pub async fn maintain(self, drain: Drain) {
        let max_age = self.0.shared.retention.max_age.unwrap_or(TICK);
        let mut ticks = tokio::time::interval((max_age / 16).clamp(FASTEST_TICK, TICK));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = drain.draining() => return,
                _ = ticks.tick() => {
                    let now = self.0.options.clock.wall();
                    self.tell(Message::Tick(now, self.0.uptime())).await;
                }
                bytes = self.0.order.placed() => {
                    let prepared = self.prepare_spare(bytes).await;
                    self.tell(Message::SparePrepared(prepared)).await;
                }
            }
        }
    }

    async fn prepare_spare(&self, bytes: u64) -> bool {
        let shared = self.0.shared.clone();
        let prepare = move || {
            files::prepare_spare(&*shared.storage, bytes)
                .inspect_err(|error| metrics::spare_failed(&shared, error))
                .is_ok()
        };
        offload(prepare).await.unwrap_or(false)
    }

    /// What it has counted and measured since it was opened, and what it holds.
    #[must_use]
    pub fn stats(&self) -> JournalSnapshot {
        JournalSnapshot::of(&self.0.shared)
    }

    /// Appends what waits, ends the writer and gives the directory back. Reads go on.
    pub async fn close(&self) {
        self.tell(Message::Close).await;
        self.0.inbox.lock().take();
        let mut ended = self.0.ended.clone();
        // It fails only when the writer's thread is gone, which is what is waited for.
        ended.wait_for(|ended| *ended).await.ok();
    }

    async fn tell(&self, message: Message) {
        let inbox = self.0.inbox.lock().clone();
        if let Some(inbox) = inbox {
            inbox.send(message).await.ok();
        }
    }

    fn encode(&self, commit: &Commit) -> Result<EncodedCommit, AppendError> {
        let limit = self.0.options.limits.event_bytes;
        let drafts = EncodedDraft::encode_all(&commit.events, self.0.options.store);
        let mut sizes = drafts.iter().map(EncodedDraft::len_bound).enumerate();
        if let Some((index, size)) = sizes.find(|(_, size)| *size > limit) {
            return Err(AppendError::TooLarge { index, size, limit });
        }
        Ok(EncodedCommit {
            drafts,
            state: commit.state.clone(),
            span: recorded_span(commit),
            at: self.0.options.clock.wall(),
            uptime: self.0.uptime(),
            ..EncodedCommit::default()
        })
    }

    /// Appends a commit, and counts what comes of it and how long that took.
    async fn append_counted(
        &self,
        commit: impl Borrow<Commit> + Send,
        turn: Option<Turn>,
    ) -> Result<Committed, AppendError> {
        let clock = &self.0.options.clock;
        let began = clock.now();
        let encoded = self.encode(commit.borrow());
        let (span, outcome) = match encoded {
            Ok(encoded) => {
                let span = encoded.span;
                (span, self.append_encoded(encoded, turn, commit).await)
            }
            Err(error) => (None, Err(error)),
        };
        let took = clock.now() - began;
        metrics::answered(&self.0.shared, took, &outcome);
        if let (Some(span), Ok(_)) = (span, &outcome) {
            self.0.shared.stats.append.show(took, span, clock.wall());
        }
        outcome
    }

    /// Drops `source`, of which the commit was made, before it waits: many may.
    async fn append_encoded<T: Send>(
        &self,
        commit: EncodedCommit,
        turn: Option<Turn>,
        source: T,
    ) -> Result<Committed, AppendError> {
        let mut source = Some(source);
        let len = commit.len_bound();
        let units = u32::try_from(len.div_ceil(QUEUE_UNIT))
            .unwrap_or(u32::MAX)
            .min(self.0.units);
        let room = self.0.room.clone();
        let permit = match Arc::clone(&room).try_acquire_many_owned(units) {
            Ok(permit) => permit,
            Err(_) => {
                source = None;
                let permit = room.acquire_many_owned(units).await;
                permit.map_err(|_| AppendError::Closed)?
            }
        };
        let (answer, answered) = oneshot::channel();
        let request = Request {
            commit,
            len,
            turn,
            permit,
            answer,
        };
        let inbox = self.0.inbox.lock().clone().ok_or(AppendError::Closed)?;
        let sent = inbox.send(Message::Append(request)).await;
        sent.map_err(|_| AppendError::Closed)?;
        // Held no longer: a journal whose handles are gone closes, whoever still waits.
        drop(inbox);
        // The writer is at work meanwhile.
        drop(source);
        answered.await.map_err(|_| AppendError::Closed)?
    }

    fn read_with<T: Send + 'static>(
        &self,
        after: Sequence,
        read: impl FnOnce(&Shared) -> Result<T, ReadError> + Send + 'static,
    ) -> impl Future<Output = Result<T, ReadError>> + Send {
        let shared = self.0.shared.clone();
        async move {
            let read = self.0.readers.run(move || read(&shared)).await;
            read.unwrap_or_else(|error| {
                Err(ReadError::Io {
                    after,
                    reason: error.to_string(),
                })
            })
        }
    }
}

/// The first of a commit's spans that somebody keeps.
fn recorded_span(commit: &Commit) -> Option<TraceContext> {
    let contexts = commit.events.iter().map(|event| &event.trace_parent);
    let written = contexts.filter(|context| !context.is_empty());
    written
        .filter_map(|context| TraceContext::parse(context))
        .find(TraceContext::is_sampled)
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a sender the writer ends by itself. Who opens the directory next finds it free.
        self.inbox.lock().take();
        if let Some(ended) = &self.thread_ended {
            ended.lock().recv_timeout(CLOSE_PATIENCE).ok();
        }
    }
}

#[async_trait]
impl Journal for FileJournal {
    fn info(&self) -> Info {
        self.0.shared.info()
    }

    async fn append(&self, commit: Commit) -> Result<Committed, AppendError> {
        self.append_counted(commit, None).await
    }

    async fn append_in_turn(
        &self,
        commit: Arc<Commit>,
        turn: Turn,
    ) -> Result<Committed, AppendError> {
        self.append_counted(commit, Some(turn)).await
    }

    fn durable_end(&self) -> watch::Receiver<DurableEnd> {
        self.0.shared.end.subscribe()
    }

    async fn read(&self, after: Sequence, max_bytes: usize) -> Result<Page, ReadError> {
        // The usual answer to a reader that polls the end needs no thread.
        if after == self.0.shared.durable_end().latest {
            return Ok(Page {
                items: Vec::new(),
                through: after,
                buffer: Bytes::new(),
            });
        }
        self.read_with(after, move |shared| {
            reader::read_page(shared, after, max_bytes)
        })
        .await
    }

    async fn seek_time(&self, time: WallTime) -> Result<Sequence, ReadError> {
        self.read_with(Sequence::ZERO, move |shared| {
            reader::seek_time(shared, time)
        })
        .await
    }

    fn state(&self, prefix: &str) -> Vec<StateEntry> {
        self.0.shared.state(prefix)
    }

    fn recent_ids(&self) -> Vec<u64> {
        self.0.shared.ids.lock().all()
    }

    fn attach(&self, sink: Arc<dyn CommitSink>) -> Sequence {
        self.0.shared.attach(sink)
    }

    async fn erase(&self, erasure: Erasure) -> Result<(), AppendError> {
        let runs = erasure.events.runs();
        if runs > MOST_RANGES {
            return Err(AppendError::TooLarge {
                index: 0,
                size: runs,
                limit: MOST_RANGES,
            });
        }
        let (begun, has_begun) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let inbox = self.0.inbox.lock().clone().ok_or(AppendError::Closed)?;
        let message = Message::Erase(Box::new(erasure), begun, done);
        let sent = inbox.send(message).await;
        sent.map_err(|_| AppendError::Closed)?;
        drop(inbox);
        has_begun.await.map_err(|_| AppendError::Closed)??;
        is_done
            .await
            .map_err(|_| match self.0.shared.health.read().clone() {
                Health::Poisoned { reason } => AppendError::ReadOnly { reason },
                Health::Writable | Health::NoSpace => AppendError::Closed,
            })
    }

    fn hold_back(&self, holds: Vec<Hold>) {
        *self.0.shared.holds.lock() = holds.into();
    }
}
