//! S2-lite on local files: append and read sessions of its own framing, as its SDK uses them, over
//! HTTP/1.1.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use super::server::{Server, installed};
use super::{From, PATIENCE, Peer, Read, Write, Writer};
use crate::fixtures;

const BASIN: &str = "bench-basin";
/// Records that may wait for their acknowledgement; it takes them in after milliseconds.
const IN_FLIGHT: u64 = 8192;
/// Set in a frame that ends a session, with a status and why.
const TERMINAL: u8 = 0x80;
/// Reads everything, then goes on with what comes.
const ALL: &str = "seq_num=0";

pub(super) struct S2 {
    server: Server,
    streams: u64,
}

impl S2 {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            is_alone()?,
            "it listens on every address, so the suite must run where there is loopback alone: \
             unshare -rn sh -c 'ip link set lo up && cargo bench …'"
        );
        let program = installed("s2")?;
        let server = Server::start(folder, |port| {
            let mut command = Command::new(program);
            command.args([
                "--port",
                &port.to_string(),
                "--no-dashboard",
                "--local-root",
            ]);
            command.arg(folder);
            command
        })?;
        let basin = format!(r#"{{"basin":"{BASIN}"}}"#);
        post(server.address, "/v1/basins", &basin)?;
        Ok(Self { server, streams: 0 })
    }

    fn records(&self) -> String {
        format!("/v1/streams/events-{}/records", self.streams)
    }
}

/// Whether this network namespace has no interface but loopback.
fn is_alone() -> std::io::Result<bool> {
    let devices = std::fs::read_to_string("/proc/net/dev")?;
    let names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim()).all(|name| name == "lo"))
}

impl Peer for S2 {
    fn fresh(&mut self) -> anyhow::Result<()> {
        self.streams += 1;
        let stream = format!(r#"{{"stream":"events-{}"}}"#, self.streams);
        post(self.server.address, "/v1/streams", &stream)
    }

    fn writer(&mut self) -> anyhow::Result<Writer> {
        let mut session = Session::open(self.server.address)?;
        let target = self.records();
        session.ask("POST", &target, "transfer-encoding: chunked\r\n")?;
        let appender = Appender {
            session,
            answered: false,
            waiting: 0,
            bytes: Vec::new(),
        };
        Ok(Writer::new(appender, 1))
    }

    fn reader(&mut self, _: From) -> anyhow::Result<Box<dyn Read + Send>> {
        let mut session = Session::open(self.server.address)?;
        // The stream was empty when it was begun, so all of it is from now on.
        let target = format!("{}?{ALL}", self.records());
        session.ask("GET", &target, "")?;
        session.answer()?;
        Ok(Box::new(Reader(session)))
    }

    fn time(&self) -> Duration {
        self.server.time()
    }
}

fn post(address: SocketAddr, target: &str, body: &str) -> anyhow::Result<()> {
    let mut session = Session::open(address)?;
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\ns2-basin: {BASIN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    session.write.write_all(request.as_bytes())?;
    session.answer()
}

/// A request whose body, and whose answer's, are frames.
struct Session {
    read: BufReader<TcpStream>,
    write: TcpStream,
    /// Bytes left of the chunk that is being read.
    chunk: usize,
}

impl Session {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let write = TcpStream::connect(address)?;
        write.set_nodelay(true)?;
        write.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            read: BufReader::with_capacity(256 << 10, write.try_clone()?),
            write,
            chunk: 0,
        })
    }

    fn ask(&mut self, method: &str, target: &str, more: &str) -> std::io::Result<()> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\ns2-basin: {BASIN}\r\n\
             content-type: s2s/proto\r\naccept: s2s/proto\r\n{more}\r\n"
        );
        self.write.write_all(head.as_bytes())
    }

    /// Reads the head of the answer.
    fn answer(&mut self) -> anyhow::Result<()> {
        let status = self.line()?;
        while !self.line()?.is_empty() {}
        let good = status
            .split(' ')
            .nth(1)
            .is_some_and(|code| code.starts_with('2'));
        anyhow::ensure!(good, "{status}");
        Ok(())
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.read.read_line(&mut line)?;
        anyhow::ensure!(read > 0, "it closed the connection");
        Ok(line.trim_end().to_owned())
    }

    /// Fills `into` from the chunks of the answer's body.
    fn fill(&mut self, into: &mut [u8]) -> anyhow::Result<()> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            if self.chunk == 0 {
                self.chunk = usize::from_str_radix(&self.line()?, 16)?;
                anyhow::ensure!(self.chunk > 0, "it ended the session");
            }
            let now = rest.len().min(self.chunk);
            self.read
                .read_exact(rest.get_mut(..now).unwrap_or_default())?;
            self.chunk -= now;
            filled += now;
            if self.chunk == 0 {
                self.line()?;
            }
        }
        Ok(())
    }

    /// The payload of the next frame.
    fn frame(&mut self) -> anyhow::Result<Bytes> {
        let mut head = [0; 4];
        self.fill(&mut head)?;
        let [a, b, c, flags] = head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c]))?;
        let mut payload = vec![0; length.saturating_sub(1)];
        self.fill(&mut payload)?;
        let is_end = flags & TERMINAL != 0;
        anyhow::ensure!(!is_end, "{}", String::from_utf8_lossy(&payload));
        Ok(payload.into())
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct AppendInput {
    #[prost(message, repeated, tag = "1")]
    records: Vec<AppendRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AppendRecord {
    #[prost(bytes = "bytes", tag = "3")]
    body: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AppendAck {
    #[prost(message, optional, tag = "1")]
    start: Option<Place>,
    #[prost(message, optional, tag = "2")]
    end: Option<Place>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Place {
    #[prost(uint64, tag = "1")]
    number: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ReadBatch {
    #[prost(message, repeated, tag = "1")]
    records: Vec<SequencedRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SequencedRecord {
    #[prost(bytes = "bytes", tag = "4")]
    body: Bytes,
}

struct Appender {
    session: Session,
    answered: bool,
    waiting: u64,
    bytes: Vec<u8>,
}

impl Appender {
    fn wait(&mut self, most: u64) -> anyhow::Result<()> {
        while self.waiting > most {
            if !self.answered {
                self.session.answer()?;
                self.answered = true;
            }
            let ack = AppendAck::decode(self.session.frame()?)?;
            let place = |place: Option<Place>| place.map_or(0, |place| place.number);
            self.waiting -= place(ack.end).saturating_sub(place(ack.start));
        }
        Ok(())
    }
}

impl Write for Appender {
    fn write(&mut self, first: u64, count: u64) -> anyhow::Result<()> {
        let record = |number| {
            let mut json = Vec::with_capacity(fixtures::JSON_BYTES);
            fixtures::json(number, &mut json);
            AppendRecord { body: json.into() }
        };
        let records = (first..first + count).map(record).collect();
        let input = AppendInput { records }.encode_to_vec();
        let length = u32::try_from(input.len() + 1)?.to_be_bytes();
        self.bytes.clear();
        write!(self.bytes, "{:x}\r\n", input.len() + 4)?;
        self.bytes
            .extend_from_slice(length.get(1..).unwrap_or_default());
        self.bytes.push(0);
        self.bytes.extend_from_slice(&input);
        self.bytes.extend_from_slice(b"\r\n");
        self.session.write.write_all(&self.bytes)?;
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

struct Reader(Session);

impl Read for Reader {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let batch = ReadBatch::decode(self.0.frame()?)?;
        batch.records.iter().for_each(|record| each(&record.body));
        Ok(())
    }
}
