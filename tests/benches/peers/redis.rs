//! Redis Streams with its append-only file: XADD in a pipeline, XREAD with BLOCK live, COUNT 1000 for
//! a replay.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::server::{Server, installed};
use super::wire::Lines;
use super::{From, Peer, Read, Write, Writer};
use crate::fixtures;

/// Commands that may wait for their answer.
const IN_FLIGHT: u64 = 2048;

pub(super) struct Redis {
    server: Server,
}

impl Redis {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let program = installed("redis")?;
        let server = Server::start(folder, |port| {
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
            command.args(["--save", "", "--dir"]).arg(folder);
            command
        })?;
        Ok(Self { server })
    }
}

impl Peer for Redis {
    fn fresh(&mut self) -> anyhow::Result<()> {
        let mut lines = Lines::connect(self.server.address)?;
        lines.send(b"FLUSHALL\r\n")?;
        let answer = lines.line()?;
        anyhow::ensure!(answer == "+OK", "FLUSHALL: {answer}");
        Ok(())
    }

    fn writer(&mut self) -> anyhow::Result<Writer> {
        let appender = Appender {
            lines: Lines::connect(self.server.address)?,
            waiting: 0,
            bytes: Vec::new(),
        };
        Ok(Writer::new(appender, 1))
    }

    fn reader(&mut self, from: From) -> anyhow::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reader::new(self.server.address, from)?))
    }

    fn time(&self) -> Duration {
        self.server.time()
    }
}

struct Appender {
    lines: Lines,
    waiting: u64,
    bytes: Vec<u8>,
}

impl Appender {
    /// Waits until no more than so many wait for their answer: an id.
    fn wait(&mut self, most: u64) -> anyhow::Result<()> {
        while self.waiting > most {
            let line = self.lines.line()?;
            anyhow::ensure!(line.starts_with('$'), "XADD: {line}");
            self.lines.line()?;
            self.waiting -= 1;
        }
        Ok(())
    }
}

impl Write for Appender {
    fn write(&mut self, first: u64, count: u64) -> anyhow::Result<()> {
        self.bytes.clear();
        let size = fixtures::JSON_BYTES;
        let head =
            format!("*5\r\n$4\r\nXADD\r\n$6\r\nevents\r\n$1\r\n*\r\n$4\r\njson\r\n${size}\r\n");
        for number in first..first + count {
            self.bytes.extend_from_slice(head.as_bytes());
            fixtures::json(number, &mut self.bytes);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.lines.send(&self.bytes)?;
        self.waiting += count;
        if self.waiting > IN_FLIGHT {
            self.wait(IN_FLIGHT / 2)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.wait(0)
    }
}

struct Reader {
    lines: Lines,
    options: &'static str,
    last: String,
    value: Vec<u8>,
}

impl Reader {
    fn new(address: SocketAddr, from: From) -> anyhow::Result<Self> {
        let options = match from {
            From::Now => "COUNT 512 BLOCK 10000",
            From::Start { .. } => "COUNT 1000",
        };
        Ok(Self {
            lines: Lines::connect(address)?,
            options,
            // The stream was empty when it was begun, so from its first event on is from now on.
            last: "0-0".to_owned(),
            value: Vec::new(),
        })
    }

    /// The number behind the sign of a line: of elements, or of bytes.
    fn count(&mut self, sign: char) -> anyhow::Result<usize> {
        let line = self.lines.line()?;
        let count = line.strip_prefix(sign).and_then(|text| text.parse().ok());
        count.ok_or_else(|| anyhow::anyhow!("XREAD: {line}"))
    }

    fn bulk(&mut self) -> anyhow::Result<()> {
        let count = self.count('$')?;
        Ok(self.lines.bytes(count, &mut self.value)?)
    }
}

impl Read for Reader {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let asked = format!("XREAD {} STREAMS events {}\r\n", self.options, self.last);
        self.lines.send(asked.as_bytes())?;
        // One stream: its name, and its entries of an id and pairs of names and values.
        self.count('*')?;
        self.count('*')?;
        self.bulk()?;
        for _ in 0..self.count('*')? {
            self.count('*')?;
            self.bulk()?;
            self.last.clear();
            self.last.push_str(std::str::from_utf8(&self.value)?);
            self.count('*')?;
            self.bulk()?;
            self.bulk()?;
            each(&self.value);
        }
        Ok(())
    }
}
