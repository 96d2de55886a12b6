//! Faults drawn at random, at 500 events a second, with readers that come and go.

use std::time::Duration;

use tieline::app::Ended;
use tieline::runtime::{HumanDuration, Rng};
use tieline::sandbox::SandboxConfig;
use tieline::sandbox::fault::{Fault, FaultRule, Malformation, On, Portion};
use tieline::session::TransportChoice::{Auto, LongPoll, Websocket};
use tieline::testing::scale;
use tokio::time::{Instant, sleep_until};

use crate::kit::{Reader, Stage, millis, quick};

/// The next fault, and how long until the one after it.
fn draw(rng: &Rng) -> (FaultRule, Duration) {
    let after = HumanDuration::from_millis(rng.below(200));
    let flag = rng.below(2) == 0;
    let of = |codes: &[u16]| codes[usize::try_from(rng.below(codes.len() as u64)).unwrap()];
    let transport = [On::Any, On::Websocket, On::Poll][usize::try_from(rng.below(3)).unwrap()];
    let delay = HumanDuration::from_millis(rng.below(60));
    let fault = match rng.below(22) {
        0 => Fault::StripUpgrade {
            status: of(&[200, 400, 426]),
        },
        1 => Fault::Swallow101 {},
        2 => Fault::WebsocketReset {
            after,
            mid_frame: flag,
        },
        3 => Fault::WebsocketClose {
            code: of(&[1000, 1001, 1006, 1011, 1012, 1013, 4401]),
            reason: String::new(),
            after,
        },
        4 => Fault::Freeze { transport },
        5 => Fault::DropPongs {},
        6 => Fault::FrameError {
            status: of(&[401, 429, 500, 503]),
        },
        7 => Fault::Duplicate {
            what: if flag { Portion::Event } else { Portion::Batch },
        },
        8 => Fault::Reorder { depth: 5 },
        9 => Fault::Skip { history: flag },
        10 => Fault::Late { after: 20 },
        11 => Fault::PollStatus {
            status: of(&[401, 408, 429, 500, 502, 503, 504]),
            retry_after: Some("1".to_owned()),
            after,
        },
        12 => Fault::PollResetInHold { after },
        13 => Fault::TruncatedBody {
            cut_connection: flag,
        },
        14 => Fault::NotJson { transport },
        15 => Fault::Empty200AtOnce { batch: flag },
        16 => Fault::MalformedEvent {
            form: Malformation::WrongTypes,
        },
        17 => Fault::ExpireTokensNow {},
        18 => Fault::HistoryDown { status: 503 },
        19 => Fault::HistoryGone { status: 410 },
        20 => Fault::Latency {
            delay,
            jitter: delay,
        },
        _ => return (Fault::PlatformDown {}.during(millis(150)), millis(300)),
    };
    let pause = millis(30 + rng.below(200));
    let rule = fault
        .times(1 + rng.below(3))
        .during(millis(200 + rng.below(600)));
    (rule, pause)
}

/// Reads until a moment, and drops its connection at random where it is one of those.
async fn read_until(reader: &mut Reader, end: Instant, restless: Option<&Rng>) {
    loop {
        let patience = restless.map_or(end, |rng| Instant::now() + millis(20 + rng.below(150)));
        tokio::select! {
            biased;
            () = sleep_until(end) => return,
            () = sleep_until(patience) => reader.reconnect(),
            () = reader.next() => {}
        }
    }
}

/// Draws faults while two readers read, one of them restless.
async fn leg(stage: &Stage, readers: &mut [Reader; 2], rng: &Rng, length: Duration) {
    let end = Instant::now() + length;
    let faults = async {
        while Instant::now() < end {
            let (rule, pause) = draw(rng);
            stage.set(rule);
            sleep_until((Instant::now() + pause).min(end)).await;
        }
    };
    let moods = rng.fork("moods");
    let [steady, restless] = readers;
    tokio::join!(
        faults,
        read_until(steady, end, None),
        read_until(restless, end, Some(&moods))
    );
}

/// One run; everything of it follows from its seed but the timing of sockets.
async fn play(seed: u64, length: Duration) {
    let rng = Rng::from_seed(seed);
    let transports = [Auto, Auto, Websocket, LongPoll];
    let transport = transports[usize::try_from(rng.below(4)).unwrap()];
    println!("seed {seed}, {transport:?}; TIELINE_TEST_SEED repeats it");
    let platform = SandboxConfig {
        rate: 500.0,
        ..quick()
    };
    let mut stage = Stage::with(platform, |config| {
        let session = &mut config.sessions[0];
        session.transport = transport;
        let timing = &mut session.timing;
        timing.websocket_ping = HumanDuration::from_millis(500);
        timing.pong_timeout = HumanDuration::from_millis(500);
        timing.poll_timeout = HumanDuration::from_millis(2_000);
        timing.reorder_window = HumanDuration::from_millis(1_000);
    })
    .await;
    let mut readers = [stage.reader(), Reader::new(&stage.sidecar, "restless")];
    leg(&stage, &mut readers, &rng, length / 2).await;
    // In the middle of whatever goes wrong the process is replaced.
    let Stage { sandbox, sidecar } = stage;
    let sidecar = sidecar.restart(|_| {}).await;
    readers
        .iter_mut()
        .for_each(|reader| reader.move_to(&sidecar));
    stage = Stage { sandbox, sidecar };
    leg(&stage, &mut readers, &rng, length / 2).await;

    stage.sandbox.set_rate(0.0);
    let struck: u64 = stage
        .sandbox
        .faults()
        .status()
        .iter()
        .map(|f| f.struck)
        .sum();
    assert!(struck > 10, "{struck} strikes are no test");
    stage.sandbox.faults().clear_all();
    // What a person would do about a session that a fault has suspended.
    stage.sidecar.reconnect();
    for reader in &mut readers {
        let verdict = stage.settle(reader).await;
        println!("seed {seed}: {struck} strikes, {verdict}");
        let resumable = verdict.issued - verdict.on_record;
        assert_eq!(verdict.delivered, resumable);
    }
    let ended = stage.sidecar.drain().await;
    assert!(matches!(ended, Ended::Drained), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_mix_of_faults_loses_doubles_and_disorders_nothing() {
    let chosen = std::env::var("TIELINE_TEST_SEED").ok();
    let chosen = chosen.and_then(|text| text.parse().ok());
    let seed = chosen.unwrap_or_else(|| Rng::from_entropy().seed());
    play(seed, Duration::from_secs(6) * scale()).await;
}
