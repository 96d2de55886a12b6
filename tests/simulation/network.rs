//! [`Network`]: a network in memory. Connections with latency, order and bounded buffers, and whatever a
//! network does to them. One thread and seeded chance: the same calls give the same bytes at the
//! same times.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tieline::runtime::{Connection, MonoTime, Rng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::Sleep;

use crate::process::Process;
use crate::trace::Trace;

/// What a sender may have under way on one connection.
const BUFFER: usize = 64 << 10;
const BACKLOG: usize = 64;

/// Who is at an end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Sidecar,
    Platform,
    Readers,
}

/// What one direction between two places does to bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// At least, and at most.
    pub(crate) latency: (Duration, Duration),
    /// Nothing arrives until this is over.
    pub(crate) held: bool,
    /// Connections that are begun are not answered.
    pub(crate) silent: bool,
    /// Bytes arrive a few at a time.
    pub(crate) thin: bool,
    pub(crate) bytes_per_second: Option<u64>,
}

impl Weather {
    pub(crate) const FAIR: Self = Self {
        latency: (Duration::from_micros(200), Duration::from_millis(2)),
        held: false,
        silent: false,
        thin: false,
        bytes_per_second: None,
    };
}

#[derive(Clone)]
pub(crate) struct Network(Arc<Shared>);

struct Shared {
    rng: Rng,
    trace: Trace,
    state: Mutex<State>,
    /// The weather changed.
    changed: Notify,
}

#[derive(Default)]
struct State {
    listeners: BTreeMap<String, Listening>,
    weather: BTreeMap<(Place, Place), Weather>,
    pipes: Vec<Weak<Pipe>>,
    connections: u64,
}

struct Listening {
    place: Place,
    process: Option<Arc<Process>>,
    accept: mpsc::Sender<Box<dyn Connection>>,
}

/// One direction of a connection.
struct Pipe {
    id: u64,
    from: Place,
    to: Place,
    sender: Option<Arc<Process>>,
    flow: Mutex<Flow>,
}

#[derive(Default)]
struct Flow {
    queue: VecDeque<(MonoTime, Bytes)>,
    queued: usize,
    last: Option<MonoTime>,
    end: Option<(MonoTime, End)>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Finished,
    Reset,
}

impl Flow {
    fn wake(&mut self) {
        [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
            .for_each(Waker::wake);
    }
}

impl Network {
    pub(crate) fn new(rng: Rng, trace: Trace) -> Self {
        Self(Arc::new(Shared {
            rng,
            trace,
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Takes connections to a name. Whoever listened there before does so no more.
    pub(crate) fn listen(
        &self,
        name: &str,
        place: Place,
        process: Option<Arc<Process>>,
    ) -> mpsc::Receiver<Box<dyn Connection>> {
        let (accept, accepted) = mpsc::channel(BACKLOG);
        let listening = Listening {
            place,
            process,
            accept,
        };
        let mut state = self.0.state.lock();
        state.listeners.insert(name.to_owned(), listening);
        accepted
    }

    /// Connects to a name.
    pub(crate) async fn connect(
        &self,
        from: Place,
        process: Option<Arc<Process>>,
        name: &str,
    ) -> io::Result<Box<dyn Connection>> {
        let to = {
            let state = self.0.state.lock();
            let listening = state.listeners.get(name);
            listening.ok_or(ErrorKind::NotFound)?.place
        };
        loop {
            let changed = self.0.changed.notified();
            let (there, back) = (self.weather(from, to), self.weather(to, from));
            if !(there.held || back.held || there.silent) {
                break;
            }
            changed.await;
        }
        let takes = self.latency(from, to) + self.latency(to, from);
        tokio::time::sleep(takes).await;
        if process.as_ref().is_some_and(|process| !process.is_alive()) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let mut state = self.0.state.lock();
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        let Some(listening) = state.listeners.get(name) else {
            return Err(refused);
        };
        let server = listening.process.clone();
        if server.as_ref().is_some_and(|process| !process.is_alive()) {
            return Err(refused);
        }
        let accept = listening.accept.clone();
        state.connections += 1;
        let id = state.connections * 2;
        let pipe = |id, from, to, sender| {
            Arc::new(Pipe {
                id,
                from,
                to,
                sender,
                flow: Mutex::default(),
            })
        };
        let up = pipe(id, from, to, process);
        let down = pipe(id + 1, to, from, server);
        state.pipes.retain(|pipe| pipe.strong_count() > 0);
        state.pipes.extend([&up, &down].map(Arc::downgrade));
        drop(state);
        let client = Stream::new(self, &down, &up);
        let server: Box<dyn Connection> = Box::new(Stream::new(self, &up, &down));
        accept.try_send(server).map_err(|_| refused)?;
        self.0.trace.note("connect", id, 0);
        Ok(Box::new(client))
    }

    pub(crate) fn weather(&self, from: Place, to: Place) -> Weather {
        let state = self.0.state.lock();
        state
            .weather
            .get(&(from, to))
            .copied()
            .unwrap_or(Weather::FAIR)
    }

    /// Changes the weather in one direction.
    pub(crate) fn change(&self, from: Place, to: Place, change: impl FnOnce(&mut Weather)) {
        let mut weather = self.weather(from, to);
        change(&mut weather);
        self.0.state.lock().weather.insert((from, to), weather);
        self.wake(|_| true);
    }

    /// The weather is fair again everywhere.
    pub(crate) fn clear(&self) {
        self.0.state.lock().weather.clear();
        self.wake(|_| true);
    }

    /// Resets every connection between two places; how many.
    pub(crate) fn reset(&self, a: Place, b: Place) -> usize {
        let pipes = self.pipes();
        let between = |pipe: &&Arc<Pipe>| {
            (pipe.from == a && pipe.to == b) || (pipe.from == b && pipe.to == a)
        };
        let cut: Vec<_> = pipes.iter().filter(between).collect();
        for pipe in &cut {
            pipe.reset(MonoTime::now());
        }
        cut.len() / 2
    }

    /// A process is gone: its peers hear a reset, or nothing where its machine went with it.
    pub(crate) fn abandon(&self, process: &Arc<Process>, silently: bool) {
        let of = |pipe: &Arc<Pipe>| {
            let sender = pipe.sender.as_ref();
            sender.is_some_and(|sender| Arc::ptr_eq(sender, process))
        };
        let pipes = self.pipes();
        for pipe in pipes.iter().filter(|pipe| of(pipe)) {
            let takes = self.latency(pipe.from, pipe.to);
            if silently {
                // Whoever writes into the void is told after a while, as by a machine that is back.
                pipe.reset(MonoTime::now() + Duration::from_secs(20) + takes);
            } else {
                pipe.reset(MonoTime::now() + takes);
            }
        }
    }

    fn pipes(&self) -> Vec<Arc<Pipe>> {
        let state = self.0.state.lock();
        state.pipes.iter().filter_map(Weak::upgrade).collect()
    }

    fn wake(&self, which: impl Fn(&Pipe) -> bool) {
        for pipe in self.pipes() {
            if which(&pipe) {
                pipe.flow.lock().wake();
            }
        }
        self.0.changed.notify_waiters();
    }

    fn latency(&self, from: Place, to: Place) -> Duration {
        let (least, most) = self.weather(from, to).latency;
        let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.0.rng.below(spread.max(1)))
    }
}

impl Pipe {
    fn reset(&self, at: MonoTime) {
        let mut flow = self.flow.lock();
        flow.end = Some((at, End::Reset));
        flow.wake();
    }

    fn is_cut(&self, now: MonoTime) -> bool {
        matches!(self.flow.lock().end, Some((at, End::Reset)) if at <= now)
    }
}

/// One end of a connection.
struct Stream {
    network: Network,
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    sleep: Pin<Box<Sleep>>,
    reset_on_drop: bool,
}

impl Stream {
    fn new(network: &Network, incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>) -> Self {
        Self {
            network: network.clone(),
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            reset_on_drop: false,
        }
    }

    /// An end of a process that is gone neither hears nor says anything.
    fn alive(&self) -> io::Result<()> {
        match &self.outgoing.sender {
            Some(process) if !process.is_alive() => Err(ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }

    fn wait(&mut self, until: MonoTime, cx: &mut Context<'_>) -> bool {
        self.sleep.as_mut().reset(until);
        self.sleep.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.alive()?;
            let weather = self.network.weather(self.incoming.from, self.incoming.to);
            let now = MonoTime::now();
            let pipe = Arc::clone(&self.incoming);
            let mut flow = pipe.flow.lock();
            let reset = matches!(flow.end, Some((at, End::Reset)) if at <= now);
            if weather.held && !reset {
                flow.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let next = match (flow.queue.front(), flow.end) {
                (_, Some((at, End::Reset))) if at <= now => {
                    return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
                }
                (Some((at, _)), _) => Some(*at),
                (None, Some((at, End::Finished))) if at <= now => return Poll::Ready(Ok(())),
                (None, end) => end.map(|(at, _)| at),
            };
            if let Some(at) = next.filter(|at| *at > now) {
                flow.reader = Some(cx.waker().clone());
                drop(flow);
                if self.wait(at, cx) {
                    continue;
                }
                return Poll::Pending;
            }
            if flow.queue.is_empty() {
                flow.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let queued = flow.queued;
            let most = match weather.thin {
                true if queued < 8 << 10 => 3,
                true => 1_460,
                false => usize::MAX,
            };
            let Some((_, bytes)) = flow.queue.front_mut() else {
                return Poll::Pending;
            };
            let count = bytes.len().min(buffer.remaining()).min(most);
            buffer.put_slice(&bytes[..count]);
            bytes.advance(count);
            if bytes.is_empty() {
                flow.queue.pop_front();
            }
            flow.queued -= count;
            if let Some(writer) = flow.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        let now = MonoTime::now();
        if self.incoming.is_cut(now) || self.outgoing.is_cut(now) {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let (from, to) = (self.outgoing.from, self.outgoing.to);
        let weather = self.network.weather(from, to);
        let takes = self.network.latency(from, to);
        let mut flow = self.outgoing.flow.lock();
        if flow.reader_gone {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if flow.queued >= BUFFER {
            flow.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(BUFFER - flow.queued);
        let slow = match weather.bytes_per_second {
            Some(rate) => Duration::from_millis(count as u64 * 1_000 / rate.max(1)),
            None => Duration::ZERO,
        };
        let at = flow.last.unwrap_or(now).max(now + takes) + slow;
        flow.last = Some(at);
        flow.queue
            .push_back((at, Bytes::copy_from_slice(&bytes[..count])));
        flow.queued += count;
        if let Some(reader) = flow.reader.take() {
            reader.wake();
        }
        drop(flow);
        let trace = &self.network.0.trace;
        trace.note("write", self.outgoing.id, count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.alive())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        finish(&self.outgoing, End::Finished);
        Poll::Ready(Ok(()))
    }
}

/// Ends a direction behind what is under way on it.
fn finish(pipe: &Pipe, end: End) {
    let mut flow = pipe.flow.lock();
    if flow.end.is_none() {
        let now = MonoTime::now();
        let at = flow.last.unwrap_or(now).max(now);
        flow.end = Some((at, end));
    }
    flow.wake();
}

impl Connection for Stream {
    fn reset_on_drop(&mut self) {
        self.reset_on_drop = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.alive().is_err() {
            // What becomes of the connections of a process that is gone is not its own to say.
            return;
        }
        let end = match self.reset_on_drop {
            true => End::Reset,
            false => End::Finished,
        };
        finish(&self.outgoing, end);
        let mut flow = self.incoming.flow.lock();
        flow.reader_gone = true;
        flow.wake();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.outgoing.id)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}
