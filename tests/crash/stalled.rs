//! A reader that never reads costs bounded memory and delays nobody; later it gets the exact suffix.

use tieline::client::{GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::Emission;
use tokio::time::timeout;
use v1::subscribe_request::{End, Start};

use crate::child::BOUND;
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};
use crate::record::Record;

/// In which buffers and the allocator get to their usual size.
const WARM_UP: u64 = 5_000;
const EVENTS: u64 = 50_000;
const AT_ONCE: u64 = 1_000;
const MOST_GROWTH_KIB: u64 = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_never_reads_costs_little_and_gets_the_exact_suffix_later() {
    let rng = Rng::from_entropy();
    let place = Place::new(patient_platform(), Settings::default(), &rng).await;
    let mut sidecar = place.sidecar();
    let mut stalled = subscribe(&place, None, None);
    let opened = timeout(BOUND, async {
        while !matches!(stalled.next().await, Some(Ok(Item::Response(_)))) {}
    });
    opened.await.expect("it is opened");
    let stored = stalled.position().cloned().unwrap();

    let mut readers = Readers::start(&place.address(), &[Temper::Plain], &rng);
    let (mut before, mut most) = (0, 0);
    for issued in (AT_ONCE..=WARM_UP + EVENTS).step_by(1_000) {
        place.sandbox.emit(&Emission::story(AT_ONCE)).unwrap();
        // The other reader is never behind by more than what was issued last.
        readers
            .until(&mut sidecar, "the other keeps up", |now| {
                now.number >= issued
            })
            .await;
        let now = resident_kib(sidecar.pid());
        if issued <= WARM_UP {
            before = now;
        }
        most = most.max(now);
    }
    println!(
        "resident: {before} KiB after {WARM_UP} events, {most} KiB at most after {EVENTS} more"
    );
    assert!(
        most - before < MOST_GROWTH_KIB,
        "grew from {before} to {most} KiB"
    );

    let end = readers.record.progress().latest;
    // The stream that stood still goes on where it stood, and a new one where the position says.
    read_to(&mut stalled, &stored, end, &readers.record).await;
    let mut resumed = subscribe(&place, Some(stored.clone()), Some(End::UntilCaughtUp(true)));
    read_to(&mut resumed, &stored, end, &readers.record).await;
    sidecar.kill().await;
}

fn subscribe(place: &Place, after: Option<v1::Position>, end: Option<End>) -> Resuming {
    let earliest = Start::Preset(v1::StartPreset::Earliest.into());
    let request = v1::SubscribeRequest {
        start: Some(after.map_or(earliest, Start::After)),
        end,
        ..Default::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    Resuming::new(place.address(), request, stop, Rng::from_entropy()).unwrap()
}

/// Reads from one place to another: each sequence once, as the others saw it.
async fn read_to(stream: &mut Resuming, after: &v1::Position, end: u64, record: &Record) {
    let mut last = after.sequence;
    while last < end {
        let item = timeout(BOUND, stream.next()).await.expect("it goes on");
        match item.expect("there is more").unwrap() {
            Item::Interrupted(interruption) => panic!("it was cut: {interruption:?}"),
            Item::Response(response) => {
                record.take(&after.epoch, &response.events, true).unwrap();
                for event in response.events {
                    assert_eq!(event.sequence, last + 1);
                    last = event.sequence;
                }
            }
        }
    }
}

/// What a process has in memory, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.unwrap().parse().unwrap()
}
