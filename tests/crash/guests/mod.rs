//! Guests send while the sidecar is killed, sockets break and the platform throttles: every message
//! ends in one outcome, and the platform's own record agrees.

mod judge;
mod place;
mod senders;

use std::time::Duration;

use tieline::runtime::{MonoTime, Rng};
use tieline::sandbox::fault::FaultRule;
use tieline::sandbox::guests::fault::GuestFault;
use tieline::sandbox::guests::{GuestConfig, GuestDialect};
use tieline::testing::scale;

use self::judge::Judge;
use self::place::GuestPlace;
use self::senders::Senders;

/// How long a sidecar lives.
const LIFE: Duration = Duration::from_secs(2);
const GUESTS: usize = 200;
const MOST_MESSAGES: usize = 50;

/// Messages of one guest: 10 000 of all where CI runs it.
fn messages() -> usize {
    (7 * scale() as usize).min(MOST_MESSAGES)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u36_every_message_of_a_guest_ends_in_one_outcome_under_sigkill() {
    let platform = GuestConfig::new(GuestDialect::WebMessaging);
    outcomes(platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u36_every_message_of_a_webchat_ends_in_one_outcome_under_sigkill() {
    let platform = GuestConfig::new(GuestDialect::Webchat);
    outcomes(platform).await;
}

async fn outcomes(platform: GuestConfig) {
    let (began, rng) = (MonoTime::now(), Rng::from_entropy());
    let name = platform.dialect.platform();
    println!("{name}: seed {}", rng.seed());
    let place = GuestPlace::new(platform, GUESTS, &rng).await;
    // A chat's frames are never throttled; its requests are, which take their place where no
    // WebSocket gets through.
    let (throttled, stripped) = match place.platform.config().dialect {
        GuestDialect::WebMessaging => (0.03, 0.0),
        GuestDialect::Webchat => (0.0, 0.3),
    };
    for (fault, probability) in [
        (GuestFault::StripUpgrade { status: 200 }, stripped),
        (GuestFault::Throttle { retry_after: 1 }, throttled),
        (GuestFault::CutBeforeTaking {}, 0.03),
        (GuestFault::CutAfterTaking {}, 0.03),
        (GuestFault::CutInEcho {}, 0.01),
        (
            GuestFault::LateArrival {
                after: "1s".parse().unwrap(),
                after_history: false,
                echo: false,
            },
            0.01,
        ),
    ] {
        if probability == 0.0 {
            continue;
        }
        let rule = FaultRule::from(fault).with_probability(probability);
        place.platform.faults().set(rule).unwrap();
    }
    let judge = Judge::start(&place.address(), &rng);
    let mut senders = Senders::start(&place.address(), GUESTS, messages(), &rng);
    let mut kills = 0;
    let mut sidecar = place.sidecar();
    // What is to be sent again waits for a history that takes as long as a life.
    let enough = GUESTS * messages() * 4 / 5;
    while !senders.are_done() || judge.outcomes() < enough {
        sidecar.runs_for(LIFE).await;
        sidecar.kill().await;
        kills += 1;
        sidecar = place.sidecar();
    }
    let sent = senders.finish().await;
    place.platform.faults().clear_all();
    let told = judge
        .until_settled(&place.address(), &sent, &mut sidecar)
        .await;
    let outcomes = judge::assert_agreement(&sent, &told, &place.platform.record().entries());
    println!(
        "{name}: {} messages of {GUESTS} guests, {kills} kills, {outcomes:?}, {:.1} s",
        sent.len(),
        began.elapsed().as_secs_f64(),
    );
    sidecar.kill().await;
}
