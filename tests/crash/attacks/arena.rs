//! [`Arena`]: a sidecar under load with a reader that behaves, and what an attack may cost.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tieline::client::Address;
use tieline::runtime::Rng;
use tieline::sandbox::SandboxConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::child::{BOUND, Child, tieline};
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};

const RATE: f64 = 500.0;
/// In which buffers and the allocator get to their usual size.
const WARM_UP: u64 = 1_000;
/// So many events must come to the reader after each attack.
const PROOF: u64 = 100;
/// What no attack may add to resident memory.
pub(super) const MOST_GROWTH_KIB: u64 = 64 << 10;
/// Files beside those of connections: segments, timers.
const OTHER_FILES: u64 = 32;

pub(super) struct Arena {
    pub(super) place: Place,
    pub(super) sidecar: Child,
    pub(super) readers: Readers,
    pub(super) server: SocketAddr,
    health: SocketAddr,
    resident: u64,
    files: u64,
}

impl Arena {
    /// With these limits on callers, and the command that starts the binary where it is not that alone.
    pub(super) async fn new(limits: Value, before: &[&str]) -> Self {
        let rng = Rng::from_entropy();
        println!("seed {}", rng.seed());
        let platform = SandboxConfig {
            rate: RATE,
            ..patient_platform()
        };
        let settings = Settings {
            tcp: true,
            listen: json!({ "health": "127.0.0.1:0", "limits": limits }),
            ..Settings::default()
        };
        let place = Place::new(platform, settings, &rng).await;
        let mut command = tieline();
        if let [program, arguments @ ..] = before {
            let binary = command.as_std().get_program().to_owned();
            command = crate::child::without_settings(tokio::process::Command::new(program));
            command.args(arguments).arg(binary);
        }
        let mut sidecar = place.sidecar_by(command);
        place.serves("").await;
        let [server, health] = addresses(&place).await;
        let address: Address = server.to_string().parse().unwrap();
        let mut readers = Readers::start(&address, &[Temper::Plain], &rng);
        readers
            .until(&mut sidecar, "it is warm", |now| now.number >= WARM_UP)
            .await;
        let pid = sidecar.pid();
        Self {
            resident: resident_kib(pid),
            files: open_files(pid),
            place,
            sidecar,
            readers,
            server,
            health,
        }
    }

    /// The reader goes on, and what the sidecar holds is within bounds: memory, and `connections` more.
    pub(super) async fn stands(&mut self, what: &str, connections: u64) {
        let began = Instant::now();
        let from = self.readers.record.progress().number;
        let goes_on = |now: &crate::record::Progress| now.number >= from + PROOF;
        self.readers.until(&mut self.sidecar, what, goes_on).await;
        let (resident, files) = (
            resident_kib(self.sidecar.pid()),
            open_files(self.sidecar.pid()),
        );
        println!(
            "  {what}: {PROOF} events in {:?}, resident {} -> {resident} KiB, files {} -> {files}",
            began.elapsed(),
            self.resident,
            self.files,
        );
        let grown = resident.saturating_sub(self.resident);
        assert!(grown < MOST_GROWTH_KIB, "{what}: grew by {grown} KiB");
        let most = self.files + connections + OTHER_FILES;
        assert!(files <= most, "{what}: {files} files");
    }

    /// The sum of the figures of a family whose labels hold `label`.
    pub(super) async fn figure(&self, family: &str, label: &str) -> u64 {
        let text = get(self.health, "/metrics").await;
        let lines = text.lines().filter(|line| {
            let named = line.strip_prefix(family);
            named.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        });
        let figures = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        figures.sum::<f64>() as u64
    }

    /// Waits until a figure is as it should be.
    pub(super) async fn until(&self, family: &str, label: &str, test: impl Fn(u64) -> bool) -> u64 {
        let began = Instant::now();
        loop {
            let now = self.figure(family, label).await;
            if test(now) {
                return now;
            }
            assert!(began.elapsed() < BOUND, "{family} {label} is {now}");
            tokio::task::yield_now().await;
        }
    }

    /// Everything that was issued came to the reader, once and in order.
    pub(super) async fn over(mut self) {
        self.place.sandbox.set_rate(0.0);
        let head = self.place.sandbox.ledger().head();
        let finish = self.readers.finish(&mut self.sidecar, head).await;
        finish.assert_complete(&self.place.sandbox.ledger().entries());
        self.sidecar.kill().await;
    }
}

/// Where gRPC and health are served, as it says itself a moment after it does.
async fn addresses(place: &Place) -> [SocketAddr; 2] {
    let told = timeout(BOUND, async {
        loop {
            let log = std::fs::read_to_string(place.path("log")).unwrap();
            let mut whole = log
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let line = whole.rfind(|line| line.contains("Serving"));
            if let Some(line) = line {
                return line.to_owned();
            }
            tokio::task::yield_now().await;
        }
    });
    let line = told.await.expect("it says where it serves");
    let parts = line.split("127.0.0.1:").skip(1);
    let ports = parts.filter_map(|part| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    let ports: Vec<u16> = ports.collect();
    assert_eq!(ports.len(), 2, "{line}");
    // The fields stand in the order of the log's line.
    let health_first = line.find("health") < line.find("grpc");
    let (grpc, health) = if health_first {
        (ports[1], ports[0])
    } else {
        (ports[0], ports[1])
    };
    [grpc, health].map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn get(server: SocketAddr, path: &str) -> String {
    let asked = timeout(BOUND, async {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    asked.await.expect("health answers")
}

/// What a process has in memory, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.unwrap().parse().unwrap()
}

fn open_files(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count() as u64
}
