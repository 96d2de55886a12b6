//! NATS JetStream with its file store: published with acknowledgements, read live by a push consumer,
//! replayed by a pull consumer in batches of 1000, which is the faster.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, installed};
use super::wire::Lines;
use super::{From, Peer, Read, Write, Writer};
use crate::fixtures;

const STREAM: &str = "EVENTS";
const SUBJECT: &str = "events";
/// Publications that may wait for their acknowledgement.
const IN_FLIGHT: u64 = 2048;
/// Events that are asked for at once, and how often ahead.
const BATCH: u64 = 1000;
const AHEAD: u64 = 2;

pub(super) struct Nats {
    server: Server,
    has_stream: bool,
}

impl Nats {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let program = installed("nats")?;
        let server = Server::start(folder, |port| {
            let mut command = Command::new(program);
            command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]);
            command.arg(folder);
            command
        })?;
        Ok(Self {
            server,
            has_stream: false,
        })
    }
}

impl Peer for Nats {
    fn fresh(&mut self) -> anyhow::Result<()> {
        let mut client = Client::connect(self.server.address)?;
        if self.has_stream {
            client.ask(&format!("STREAM.DELETE.{STREAM}"), &json!({}))?;
        }
        let stream = json!({
            "name": STREAM, "subjects": [SUBJECT], "storage": "file", "retention": "limits",
            "num_replicas": 1, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
        });
        client.ask(&format!("STREAM.CREATE.{STREAM}"), &stream)?;
        self.has_stream = true;
        Ok(())
    }

    fn writer(&mut self) -> anyhow::Result<Writer> {
        let mut client = Client::connect(self.server.address)?;
        client.lines.send(b"SUB acknowledged 9\r\n")?;
        let publisher = Publisher {
            client,
            waiting: 0,
            bytes: Vec::new(),
        };
        Ok(Writer::new(publisher, 1))
    }

    fn reader(&mut self, from: From) -> anyhow::Result<Box<dyn Read + Send>> {
        let mut client = Client::connect(self.server.address)?;
        client.lines.send(b"SUB delivered 2\r\n")?;
        let mut config = json!({ "ack_policy": "none", "mem_storage": true });
        let (policy, more) = match from {
            From::Now => ("new", ("deliver_subject", json!("delivered"))),
            From::Start { .. } => ("all", ("inactive_threshold", json!(60_000_000_000_u64))),
        };
        if let Some(fields) = config.as_object_mut() {
            fields.insert("deliver_policy".to_owned(), json!(policy));
            fields.insert(more.0.to_owned(), more.1);
        }
        let asked = json!({ "stream_name": STREAM, "config": config });
        let made = client.ask(&format!("CONSUMER.CREATE.{STREAM}"), &asked)?;
        let name = made.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut reader = Reader {
            client,
            next: format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"),
            to_ask: match from {
                From::Now => 0,
                From::Start { total } => total,
            },
            in_batch: 0,
            payload: Vec::new(),
        };
        for _ in 0..AHEAD {
            reader.ask_for_more()?;
        }
        Ok(Box::new(reader))
    }

    fn time(&self) -> Duration {
        self.server.time()
    }
}

/// A connection that speaks the protocol of clients.
struct Client {
    lines: Lines,
}

impl Client {
    fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let mut lines = Lines::connect(address)?;
        lines.line()?;
        lines.send(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"lang\":\"bench\",\"version\":\"1\",\"protocol\":1}\r\n")?;
        lines.send(b"SUB answered 1\r\nPING\r\n")?;
        while lines.line()? != "PONG" {}
        Ok(Self { lines })
    }

    /// A request to the API, and its answer.
    fn ask(&mut self, what: &str, body: &Value) -> anyhow::Result<Value> {
        let body = body.to_string();
        let publish = format!("PUB $JS.API.{what} answered {}\r\n{body}\r\n", body.len());
        self.lines.send(publish.as_bytes())?;
        let mut answer = Vec::new();
        while !self.message(&mut answer)? {}
        let answer: Value = serde_json::from_slice(&answer)?;
        let error = answer.get("error");
        anyhow::ensure!(error.is_none(), "{what}: {answer}");
        Ok(answer)
    }

    /// The next thing that is said; whether it was a message, which is in `payload` then.
    fn message(&mut self, payload: &mut Vec<u8>) -> anyhow::Result<bool> {
        let line = self.lines.line()?;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let size = rest.rsplit(' ').next().unwrap_or_default().to_owned();
        match verb {
            "MSG" => {
                self.lines.bytes(size.parse()?, payload)?;
                return Ok(true);
            }
            // A status of the API: a batch that ran out.
            "HMSG" => self.lines.bytes(size.parse()?, payload)?,
            "PING" => self.lines.send(b"PONG\r\n")?,
            "-ERR" => anyhow::bail!("{rest}"),
            _ => {}
        }
        Ok(false)
    }
}

struct Publisher {
    client: Client,
    waiting: u64,
    bytes: Vec<u8>,
}

impl Publisher {
    /// Waits until no more than so many wait for their acknowledgement.
    fn wait(&mut self, most: u64) -> anyhow::Result<()> {
        let mut answer = Vec::new();
        while self.waiting > most {
            if self.client.message(&mut answer)? {
                let refused = answer.windows(7).any(|part| part == b"\"error\"");
                anyhow::ensure!(!refused, "{}", String::from_utf8_lossy(&answer));
                self.waiting -= 1;
            }
        }
        Ok(())
    }
}

impl Write for Publisher {
    fn write(&mut self, first: u64, count: u64) -> anyhow::Result<()> {
        self.bytes.clear();
        let size = fixtures::JSON_BYTES;
        let head = format!("PUB {SUBJECT} acknowledged {size}\r\n");
        for number in first..first + count {
            self.bytes.extend_from_slice(head.as_bytes());
            fixtures::json(number, &mut self.bytes);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.client.lines.send(&self.bytes)?;
        self.waiting += count;
        // So that acknowledgements do not pile up, but few are waited for one by one.
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
    client: Client,
    next: String,
    /// Events that were not asked for yet, of a pull consumer.
    to_ask: u64,
    in_batch: u64,
    payload: Vec<u8>,
}

impl Reader {
    fn ask_for_more(&mut self) -> anyhow::Result<()> {
        let count = self.to_ask.min(BATCH);
        if count > 0 {
            self.to_ask -= count;
            let body = json!({ "batch": count, "expires": 10_000_000_000_u64 }).to_string();
            let size = body.len();
            let publish = format!("PUB {} delivered {size}\r\n{body}\r\n", self.next);
            self.client.lines.send(publish.as_bytes())?;
        }
        Ok(())
    }
}

impl Read for Reader {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        loop {
            let mut payload = std::mem::take(&mut self.payload);
            let is_message = self.client.message(&mut payload)?;
            if is_message {
                each(&payload);
                self.in_batch += 1;
            }
            self.payload = payload;
            if self.in_batch == BATCH {
                self.in_batch = 0;
                self.ask_for_more()?;
            }
            if is_message && !self.client.lines.holds_more() {
                return Ok(());
            }
        }
    }
}
