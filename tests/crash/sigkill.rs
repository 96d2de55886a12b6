//! SIGKILL at random moments under 1 000 events a second: three readers, nothing lost, nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tieline::runtime::{MonoTime, Rng};
use tieline::sandbox::SandboxConfig;
use tieline::testing::scale;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::child::{BOUND, Child, run};
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper, read_again};

const RATE: f64 = 1_000.0;
/// A start has done everything but read on by then.
const FIRST_MOMENTS: Duration = Duration::from_millis(150);
/// In which an orderly end is cut short.
const DRAIN_MOMENTS: Duration = Duration::from_millis(20);
const MOST_EVENTS_BETWEEN: u64 = 600;
/// Far less than is kept: what is trimmed before a reader came for it would be no loss.
const MOST_APART: u64 = 5_000;
/// How often the directory is looked at for a new segment.
const GLANCE: Duration = Duration::from_millis(2);

/// When the sidecar is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// While it starts: in recovery, while listeners are bound, while the session connects.
    Starting,
    /// After some events.
    Serving,
    /// When a segment was just begun, or its file is being prepared.
    Rolling,
    /// A moment after SIGTERM.
    Ending,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_to_sigkill_over_websocket() {
    survives("websocket", kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_to_sigkill_over_long_poll() {
    survives("long_poll", kills()).await;
}

/// Over each transport: a few at a scale of 1, more than 500 at 8, 5 000 at 25.
fn kills() -> u64 {
    8 * u64::from(scale()).pow(2)
}

async fn survives(transport: &'static str, kills: u64) {
    let (began, rng) = (MonoTime::now(), Rng::from_entropy());
    println!("{transport}: seed {}", rng.seed());
    let platform = SandboxConfig {
        rate: RATE,
        ..patient_platform()
    };
    let settings = Settings {
        transport,
        // A segment has 16 MiB, and the file of the next is begun after a quarter of it. Less and less is kept:
        // each start begins one, which carries the ids of the last minutes.
        retention: json!({ "max_age": "160s", "max_bytes": "128MiB", "min_free_bytes": "1MiB" }),
        ..Settings::default()
    };
    let place = Place::new(platform, settings, &rng).await;
    let tempers = [Temper::Plain, Temper::Dying, Temper::Selective];
    let mut readers = Readers::start(&place.address(), &tempers, &rng);
    let mut killed = BTreeMap::<Moment, u64>::new();
    let mut since = readers.record.progress();
    let mut sidecar = place.sidecar();
    let mut last = Moment::Starting;
    while killed.values().sum::<u64>() < kills {
        let moment = Moment::draw(&rng, last);
        if moment != Moment::Starting {
            let count = rng.below(MOST_EVENTS_BETWEEN);
            readers.advance(&mut sidecar, since, count).await;
            readers.close_up(&mut sidecar, MOST_APART).await;
        }
        since = readers.record.progress();
        if kill(sidecar, moment, &place, &rng).await {
            *killed.entry(moment).or_default() += 1;
        }
        last = moment;
        sidecar = place.sidecar();
    }
    readers.advance(&mut sidecar, since, 1_000).await;
    place.sandbox.set_rate(0.0);
    let finish = readers
        .finish(&mut sidecar, place.sandbox.ledger().head())
        .await;
    println!(
        "{transport}: {kills} kills ({killed:?}), {} sequences, {:.1} s",
        finish.through,
        began.elapsed().as_secs_f64(),
    );
    finish.assert_complete(&place.sandbox.ledger().entries());

    let (first, latest) = read_again(&place.address(), &finish.record).await;
    assert!(latest >= finish.through && first <= finish.through);
    sidecar.kill().await;
    let verified = run(["journal", "verify", &place.journal().to_string_lossy()]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    println!("{transport}: read again from {first} to {latest}, verified");
}

impl Moment {
    /// Never two starts in a row that nobody saw the end of, and a roll is worth waiting for now and
    /// then.
    fn draw(rng: &Rng, last: Self) -> Self {
        match rng.below(24) {
            0..=5 if last != Self::Starting => Self::Starting,
            6 => Self::Rolling,
            7..=10 => Self::Ending,
            _ => Self::Serving,
        }
    }
}

/// Kills it; whether it was alive to be killed.
async fn kill(mut sidecar: Child, moment: Moment, place: &Place, rng: &Rng) -> bool {
    match moment {
        Moment::Serving => {}
        Moment::Starting => sidecar.runs_for(FIRST_MOMENTS.mul_f64(rng.unit())).await,
        Moment::Rolling => {
            tokio::select! {
                died = sidecar.died() => panic!("{died}"),
                () = another_file(place.journal()) => {}
            }
        }
        Moment::Ending => {
            sidecar.terminate().await;
            let ended = timeout(DRAIN_MOMENTS.mul_f64(rng.unit()), sidecar.gone(BOUND)).await;
            let status = match ended {
                Ok(status) => status,
                Err(_) => sidecar.kill_if_alive().await,
            };
            // SIGTERM itself kills what has not got as far as to listen for it.
            let killed = matches!(status.signal(), Some(9 | 15));
            assert!(killed || status.success(), "{status}");
            return killed;
        }
    }
    sidecar.kill().await;
    true
}

/// Waits until the journal begins a file. Nobody tells, so the directory is looked at.
pub(crate) async fn another_file(directory: &Path) {
    let names = || -> BTreeSet<_> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names();
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = async {
        while names().is_subset(&before) {
            glances.tick().await;
        }
    };
    timeout(BOUND, begun).await.expect("a segment is rolled");
}
