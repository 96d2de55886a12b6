//! Other programs on the same work, on loopback, with their data in the suite's folder: started and
//! stopped by the suite, and spoken to by clients that do no more than they must.

mod nats;
mod node;
mod redis;
mod s2;
mod server;
pub(crate) mod stores;
mod wire;

use std::path::Path;
use std::time::Duration;

/// A stream that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Nats,
    Redis,
    S2,
    Node,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    /// At what is written from now on, as it comes.
    Now,
    /// At the first event, to the last of so many.
    Start { total: u64 },
}

/// One that runs; it ends when dropped.
pub(crate) trait Peer {
    /// Begins an empty stream; what was in the one before is gone.
    fn fresh(&mut self) -> anyhow::Result<()>;

    /// Someone who writes events of [`crate::fixtures::json`] to the stream.
    fn writer(&mut self) -> anyhow::Result<Writer>;

    /// Someone who reads the stream, and has begun to where this returns.
    fn reader(&mut self, from: From) -> anyhow::Result<Box<dyn Read + Send>>;

    /// Processor time that it has taken.
    fn time(&self) -> Duration;
}

/// Reads events.
pub(crate) trait Read {
    /// Waits until there are some, and hands each to `each`.
    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> anyhow::Result<()>;
}

/// Hands events over.
pub(crate) trait Write {
    /// Writes that many events numbered from `first`; waits only where too many are not yet
    /// acknowledged.
    fn write(&mut self, first: u64, count: u64) -> anyhow::Result<()>;

    /// Waits until everything is acknowledged.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// Numbers what it writes.
pub(crate) struct Writer {
    to: Box<dyn Write + Send>,
    next: u64,
}

impl Writer {
    fn new(to: impl Write + Send + 'static, next: u64) -> Self {
        Self {
            to: Box::new(to),
            next,
        }
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Writes that many events.
    pub(crate) fn send(&mut self, count: u64) -> anyhow::Result<()> {
        self.to.write(self.next, count)?;
        self.next += count;
        Ok(())
    }

    /// Writes that many events as fast as they are taken, to the last acknowledgement.
    pub(crate) fn flood(&mut self, count: u64) -> anyhow::Result<()> {
        const AT_ONCE: u64 = 64;
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            self.send(now)?;
            left -= now;
        }
        self.to.finish()
    }
}

impl Kind {
    /// Its name, and how safe it keeps what it is given.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "NATS JetStream (synced every 2 min)",
            Self::Redis => "Redis Streams (synced every second)",
            Self::S2 => "S2-lite (local files)",
            Self::Node => "Node.js by hand (stores nothing)",
        }
    }

    /// Installs it if need be, and starts it in an empty folder.
    pub(crate) fn start(self, folder: &Path) -> anyhow::Result<Box<dyn Peer>> {
        Ok(match self {
            Self::Nats => Box::new(nats::Nats::start(&folder.join("nats"))?),
            Self::Redis => Box::new(redis::Redis::start(&folder.join("redis"))?),
            Self::S2 => Box::new(s2::S2::start(&folder.join("s2"))?),
            Self::Node => Box::new(node::Node::start(&folder.join("node"))?),
        })
    }
}
