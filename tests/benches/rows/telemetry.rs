//! What it costs to be seen: the real binary, WebSocket to journal to reader, alone and with everything that
//! looks at it: traces, figures by OTLP, a scraper, a console with its tail.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tieline::runtime::MonoTime;

use super::latency;
use super::{ingest, single_threaded};
use crate::effort::Effort;
use crate::figure::Sample;
use crate::harness::{Bound, Contender, Row};
use crate::pace::{Pace, latencies};
use crate::process::Process;
use crate::sidecar::settings;
use crate::source::{Source, Upstream};

/// How often figures are sent and scraped.
const EVERY: Duration = Duration::from_secs(1);
/// Long enough for that to happen.
const LASTING: Duration = Duration::from_secs(3);
const PER_SECOND: u32 = 2_000;
const LEAST_INGESTED: u64 = 200_000;
/// Of a whole session of many operators, this is the worst: what it may cost.
const THROUGHPUT: Bound = Bound::Times(0.9);
const LATENCY: Bound = Bound::Within(1.25);

/// Who looks, and how much of what happens is recorded.
const SEEN: [(&str, Option<&str>); 3] = [
    ("Tieline, seen by nobody", None),
    ("traces 1.0, figures, scraper, console", Some("1.0")),
    ("traces 0.01, figures, scraper, console", Some("0.01")),
];

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let row = |title: String, figure, bound, measure: Measure| {
        let contenders = SEEN.map(|(name, sampled)| {
            let folder = folder.join("telemetry");
            let run = move |effort: &Effort| {
                let mut seen = Seen::start(&folder, sampled)?;
                measure(&mut seen, effort)
            };
            match sampled {
                None => Contender::anchor(name, run),
                Some(_) => Contender::tieline(name, run).goal(figure, bound),
            }
        });
        Row::new(title, contenders.into()).few(5)
    };
    vec![
        row("telemetry: ingest".to_owned(), "", THROUGHPUT, throughput),
        row(
            format!("telemetry: latency at {PER_SECOND} events/s"),
            "p99",
            LATENCY,
            at_a_pace,
        ),
    ]
}

type Measure = fn(&mut Seen, &Effort) -> anyhow::Result<Sample>;

/// The binary, and everybody who looks at it.
struct Seen {
    process: Process,
    upstream: Upstream,
    _watchers: Option<Watchers>,
}

impl Seen {
    fn start(folder: &Path, sampled: Option<&str>) -> anyhow::Result<Self> {
        let source = Source::start()?;
        let mut config = settings(folder, Some(&source), "")?;
        let mut variables = Vec::new();
        let mut places = None;
        if let Some(sampled) = sampled {
            let (health, admin) = (free_address()?, free_address()?);
            if let Some(listen) = config.get_mut("listen") {
                *listen = json!({ "grpc": [], "health": health, "admin": [admin] });
            }
            let collector = format!("http://{}", collector()?);
            variables.extend([
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
                ("OTEL_METRIC_EXPORT_INTERVAL", EVERY.as_millis().to_string()),
                ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()),
                ("OTEL_TRACES_SAMPLER_ARG", sampled.to_owned()),
            ]);
            places = Some((health, admin));
        }
        let mut process = Process::seen(folder, source, config, variables)?;
        let upstream = process.upstreams.pop();
        let upstream = upstream.ok_or_else(|| anyhow::anyhow!("no session"))?;
        // It listens.
        single_threaded()?.block_on(process.connect())?;
        let watchers = places.map(|(health, admin)| Watchers::start(health, admin));
        Ok(Self {
            process,
            upstream,
            _watchers: watchers.transpose()?,
        })
    }
}

fn throughput(seen: &mut Seen, effort: &Effort) -> anyhow::Result<Sample> {
    let count = effort.ingested().max(LEAST_INGESTED);
    let (ready, is_ready) = std::sync::mpsc::channel();
    let address = seen.process.address();
    let reader = std::thread::spawn(move || ingest::read(&address, count, &ready));
    is_ready.recv()?;
    let (started, spent) = (MonoTime::now(), seen.process.time());
    seen.upstream.flood(count)?;
    let read = reader.join();
    read.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let sample = Sample::rate(count, started.elapsed());
    Ok(sample.with_cpu(count, seen.process.time().saturating_sub(spent)))
}

fn at_a_pace(seen: &mut Seen, _: &Effort) -> anyhow::Result<Sample> {
    let pace = Pace {
        per_second: PER_SECOND,
        lasting: LASTING,
    };
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (address, first) = (seen.process.address(), seen.upstream.next);
    let reader = std::thread::spawn(move || latency::read(&address, first, pace.total(), &ready));
    is_ready.recv()?;
    let (started, spent) = (MonoTime::now(), seen.process.time());
    pace.keep(started, |_, count| Ok(seen.upstream.send(count)?))?;
    let arrivals = reader.join();
    let arrivals = arrivals.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let sample = Sample::latency(latencies(pace, started, arrivals));
    Ok(sample.with_cpu(pace.total(), seen.process.time().saturating_sub(spent)))
}

/// Nobody listens there yet.
fn free_address() -> std::io::Result<String> {
    let probe = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(probe.local_addr()?.to_string())
}

/// Those who look at a sidecar, until this is dropped.
struct Watchers {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watchers {
    fn start(health: String, admin: String) -> anyhow::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let ended = Arc::clone(&over);
        threads.push(std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                // What is not answered at the very end is nobody's loss.
                ask(&health, "/metrics")
                    .and_then(|stream| drain(stream, &ended))
                    .ok();
                std::thread::park_timeout(EVERY);
            }
        }));
        for path in ["/admin/v1/events", "/admin/v1/tail?journal=bench"] {
            let (stream, ended) = (ask(&admin, path)?, Arc::clone(&over));
            threads.push(std::thread::spawn(move || {
                drain(stream, &ended).ok();
            }));
        }
        Ok(Self { over, threads })
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

fn ask(address: &str, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Reads until there is no more, or nobody wants it.
fn drain(mut stream: TcpStream, over: &AtomicBool) -> std::io::Result<()> {
    let mut room = vec![0; 64 << 10];
    while !over.load(Ordering::Relaxed) {
        match stream.read(&mut room) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A collector that takes everything and keeps nothing; its threads end with the process.
fn collector() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || take_all(&stream).ok());
        }
    });
    Ok(address)
}

fn take_all(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut length = 0;
    while reader.read_line(&mut line)? > 0 {
        let head = line.trim().to_ascii_lowercase();
        line.clear();
        if let Some(value) = head.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if head.is_empty() {
            std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
            length = 0;
        }
    }
    Ok(())
}
