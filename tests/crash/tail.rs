//! `tieline tail` goes on by itself across kills of the sidecar: every sequence once, in order.

use std::process::Stdio;

use serde_json::Value;
use tieline::runtime::Rng;
use tieline::sandbox::SandboxConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;

use crate::child::{BOUND, Child, tieline};
use crate::place::{Place, Settings, patient_platform};

const KILLS: usize = 3;
const EVENTS_BETWEEN: u64 = 300;

#[tokio::test]
async fn tail_goes_on_after_kill() {
    let platform = SandboxConfig {
        rate: 500.0,
        ..patient_platform()
    };
    let place = Place::new(platform, Settings::default(), &Rng::from_entropy()).await;
    // Nothing listens yet: it waits.
    let mut command = tieline();
    command
        .args(["tail", "--json", "--earliest", "--address"])
        .arg(place.address().to_string())
        .stdout(Stdio::piped());
    let mut tail = Child::start(&mut command, &place.path("tail.log"));
    let mut printed = Printed::new(&mut tail);
    let mut sidecar = place.sidecar();
    for _ in 0..KILLS {
        printed.read_to(printed.sequence + EVENTS_BETWEEN).await;
        sidecar.kill().await;
        sidecar = place.sidecar();
    }
    printed.read_to(printed.sequence + EVENTS_BETWEEN).await;
    place.sandbox.set_rate(0.0);
    let head = place.sandbox.ledger().head();
    while printed.number < head {
        printed.next().await;
    }
    tail.kill().await;
    sidecar.kill().await;
}

/// What `tail` prints, checked line by line.
struct Printed {
    lines: Lines<BufReader<ChildStdout>>,
    sequence: u64,
    /// The platform's own.
    number: u64,
}

impl Printed {
    fn new(tail: &mut Child) -> Self {
        Self {
            lines: BufReader::new(tail.stdout()).lines(),
            sequence: 0,
            number: 0,
        }
    }

    async fn read_to(&mut self, sequence: u64) {
        while self.sequence < sequence {
            self.next().await;
        }
    }

    async fn next(&mut self) {
        let line = timeout(BOUND, self.lines.next_line()).await;
        let line = line
            .expect("a line in time")
            .unwrap()
            .expect("tail goes on");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            event["sequence"].as_u64(),
            Some(self.sequence + 1),
            "{line}"
        );
        self.sequence += 1;
        if let Some(number) = event["providerSequence"].as_u64() {
            assert_eq!(number, self.number + 1, "{line}");
            self.number = number;
        }
    }
}
