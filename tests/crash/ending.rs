//! SIGTERM: an orderly end within the drain timeout, at once when asked twice, and while starting.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use tieline::client::{GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::{MonoTime, Rng};
use tieline::sandbox::SandboxConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;
use v1::subscribe_request::Start;
use v1::subscribe_response::Notice;

use crate::child::{BOUND, Child, tieline};
use crate::place::{Place, Settings, patient_platform};
use crate::readers::{Readers, Temper};

/// As configured.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// A busy machine needs a moment to notice.
const NOTICING: Duration = Duration::from_secs(2);
const SIGTERM: i32 = 15;

pub(crate) fn busy() -> SandboxConfig {
    SandboxConfig {
        rate: 500.0,
        ..patient_platform()
    }
}

#[tokio::test]
async fn sigterm_ends_in_order_with_readers_attached() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    let tempers = [Temper::Plain, Temper::Selective];
    let mut readers = Readers::start(&place.address(), &tempers, &rng);
    let mut sidecar = place.sidecar();
    let since = readers.record.progress();
    readers.advance(&mut sidecar, since, 1_000).await;
    let mut watcher = stream(&place);
    while !matches!(watcher.next().await, Some(Ok(Item::Response(_)))) {}
    let closing = async {
        let mut closing = None;
        loop {
            match watcher.next().await.unwrap().unwrap() {
                Item::Interrupted(interruption) if closing.is_some() => {
                    return (closing, interruption);
                }
                // It came too early, or the stream was cut.
                Item::Interrupted(_) => {}
                Item::Response(response) => {
                    if let Some(Notice::Closing(notice)) = response.notice {
                        closing = Some(notice);
                    }
                }
            }
        }
    };
    let began = MonoTime::now();
    sidecar.terminate().await;
    let (status, closing) = tokio::join!(sidecar.gone(BOUND), timeout(BOUND, closing));
    assert!(status.success(), "{status}\n{}", sidecar.last_words());
    let took = began.elapsed();
    assert!(
        took < DRAIN_TIMEOUT,
        "{took:?}: somebody waited for nothing"
    );
    let (closing, interruption) = closing.expect("the stream says that it ends");
    let closing = closing.unwrap();
    assert_eq!(
        closing.reason(),
        v1::closing::Reason::Draining,
        "{interruption:?}"
    );
    assert!(closing.retry_delay.is_some());

    // What was read from the platform was journaled, and what follows is what followed.
    let mut sidecar = place.sidecar();
    let since = readers.record.progress();
    readers.advance(&mut sidecar, since, 1_000).await;
    place.sandbox.set_rate(0.0);
    let head = place.sandbox.ledger().head();
    let finish = readers.finish(&mut sidecar, head).await;
    finish.assert_complete(&place.sandbox.ledger().entries());
    sidecar.kill().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_delays_the_end_no_longer_than_allowed() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    let mut sidecar = place.sidecar();
    let _stuck = stuck(&place, &mut sidecar, &rng).await;
    let began = MonoTime::now();
    sidecar.terminate().await;
    let status = sidecar.gone(BOUND).await;
    let took = began.elapsed();
    assert!(status.success(), "{status}\n{}", sidecar.last_words());
    assert!(took < DRAIN_TIMEOUT + NOTICING, "{took:?}");
}

#[tokio::test]
async fn a_second_sigterm_ends_at_once() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    place.change(r#""drain_timeout":"5s""#, r#""drain_timeout":"50s""#);
    let mut sidecar = place.sidecar();
    let _stuck = stuck(&place, &mut sidecar, &rng).await;
    let mut watcher = stream(&place);
    // It has subscribed before the sidecar is told to end.
    let opened = timeout(BOUND, watcher.next()).await;
    assert!(matches!(opened, Ok(Some(Ok(Item::Response(_))))));
    let mut closing = async || loop {
        if let Item::Response(response) = watcher.next().await.unwrap().unwrap()
            && matches!(response.notice, Some(Notice::Closing(_)))
        {
            return;
        }
    };
    let (_, ended) = tokio::join!(sidecar.terminate(), timeout(BOUND, closing()));
    ended.expect("the end is announced");
    sidecar.runs_for(Duration::from_millis(300)).await;
    let began = MonoTime::now();
    sidecar.terminate().await;
    let status = sidecar.gone(BOUND).await;
    assert!(status.success(), "{status}\n{}", sidecar.last_words());
    let took = began.elapsed();
    assert!(took < NOTICING, "{took:?}");
}

#[tokio::test]
async fn sigterm_while_starting_ends_in_order() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    let mut command = tieline();
    command.arg("run").arg("--config").arg(place.config());
    command.stderr(Stdio::piped());
    for _ in 0..5 {
        let mut starting = command.spawn().unwrap();
        let mut log = BufReader::new(starting.stderr.take().unwrap()).lines();
        let first = timeout(BOUND, log.next_line()).await.unwrap().unwrap();
        assert!(first.unwrap().contains("Starting"));
        let pid = starting.id().unwrap().to_string();
        crate::child::finished(tokio::process::Command::new("kill").arg(pid)).await;
        let status = timeout(BOUND, starting.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
    // At any moment. Before it has taken the signal over, the system ends it.
    for moment in (0..100).step_by(10) {
        let mut sidecar = place.sidecar();
        sidecar.runs_for(Duration::from_millis(moment)).await;
        sidecar.terminate().await;
        let status = sidecar.gone(BOUND).await;
        let by_the_system = status.signal() == Some(SIGTERM);
        assert!(
            status.success() || by_the_system,
            "{status}\n{}",
            sidecar.last_words()
        );
    }
    let sidecar = place.sidecar();
    place.serves("sessions/centre").await;
    sidecar.kill().await;
}

fn stream(place: &Place) -> Resuming {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..Default::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    Resuming::new(place.address(), request, stop, Rng::from_entropy()).unwrap()
}

/// A stream that was opened and is not read, with more to read than fits into any buffer.
pub(crate) async fn stuck(place: &Place, sidecar: &mut Child, rng: &Rng) -> Resuming {
    let mut stuck = stream(place);
    let opened = async { while !matches!(stuck.next().await, Some(Ok(Item::Response(_)))) {} };
    timeout(BOUND, opened).await.expect("a stream is opened");
    let mut readers = Readers::start(&place.address(), &[Temper::Plain], rng);
    place.sandbox.set_rate(0.0);
    place
        .sandbox
        .emit(&tieline::sandbox::Emission::story(10_000))
        .unwrap();
    let head = place.sandbox.ledger().head();
    readers
        .until(sidecar, "everything is there", |now| now.number >= head)
        .await;
    stuck
}
