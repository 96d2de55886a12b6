//! A consumer written by hand in Node.js: from the same WebSocket to the same kind of stream.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;
use tonic::Streaming;

use super::server::{Server, installed};
use super::{From, PATIENCE, Peer, Read, Write, Writer};
use crate::rows::bare_stream::{connect, subscribe};
use crate::rows::single_threaded;
use crate::source::{Source, Upstream};

pub(super) struct Node {
    server: Server,
    upstream: Option<Upstream>,
    source: Source,
    /// The number of the next event.
    next: u64,
}

impl Node {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let script = installed("node")?;
        let source = Source::start()?;
        let url = format!("ws://{}/", source.address);
        let server = Server::start(folder, |port| {
            let mut command = Command::new("node");
            command.arg(script).arg(port.to_string()).arg(url);
            command
        })?;
        Ok(Self {
            server,
            upstream: None,
            source,
            next: 1,
        })
    }
}

impl Peer for Node {
    fn fresh(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn writer(&mut self) -> anyhow::Result<Writer> {
        let upstream = match self.upstream.take() {
            Some(upstream) => upstream,
            None => self.source.upstream()?,
        };
        self.upstream = Some(upstream.again());
        // Numbers rise from one writer to the next, so that what is late is not taken for new.
        let first = self.next;
        self.next += 1 << 32;
        Ok(Writer::new(Sender(upstream), first))
    }

    fn reader(&mut self, from: From) -> anyhow::Result<Box<dyn Read + Send>> {
        anyhow::ensure!(matches!(from, From::Now), "it keeps nothing");
        let runtime = single_threaded()?;
        let address = format!("http://{}", self.server.address);
        let messages = runtime.block_on(async {
            let mut messages = subscribe(connect(&address).await?, Bytes::new()).await?;
            messages.message().await?;
            anyhow::Ok(messages)
        })?;
        Ok(Box::new(Reader { runtime, messages }))
    }

    fn time(&self) -> Duration {
        self.server.time()
    }
}

struct Sender(Upstream);

impl Write for Sender {
    fn write(&mut self, first: u64, count: u64) -> anyhow::Result<()> {
        self.0.next = first;
        Ok(self.0.send(count)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

struct Reader {
    runtime: Runtime,
    messages: Streaming<Bytes>,
}

impl Read for Reader {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let next = async { tokio::time::timeout(PATIENCE, self.messages.message()).await };
        let message = self.runtime.block_on(next)??;
        each(&message.ok_or_else(|| anyhow::anyhow!("the stream ended"))?);
        Ok(())
    }
}
