//! Long polls that are answered otherwise than they should be (U8 to U13).

use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::fault::{Fault, FaultName, On};
use tieline::sandbox::{RequestKind, Sandbox};
use tieline::session::TransportChoice::LongPoll;
use v1::Transport;
use v1::session::State;
use v1::session_event::Kind;

use crate::kit::{Reader, Stage, millis, quick};

fn status(status: u16, after: u64) -> Fault {
    Fault::PollStatus {
        status,
        retry_after: None,
        after: HumanDuration::from_millis(after),
    }
}

/// A stage that polls, and a reader that has what was issued.
async fn polling() -> (Stage, Reader) {
    let stage = Stage::over(LongPoll).await;
    stage.emit(3);
    let mut reader = stage.reader();
    reader.catch_up(&stage.sandbox).await;
    (stage, reader)
}

/// Nothing is missing, and nothing was given up.
async fn whole(stage: &Stage, reader: &mut Reader) {
    let verdict = stage.settle(reader).await;
    assert_eq!((verdict.delivered, verdict.on_record), (verdict.issued, 0));
}

#[tokio::test]
async fn u11_three_broken_holds_renegotiate_and_two_do_not() {
    // Longer than a second, so that it is a hold that breaks and no answer at once.
    const HOLD: u64 = 1_020;
    let one = async |fault: Fault, times: u64| {
        let strip = Fault::StripUpgrade { status: 200 }.into();
        let stage = Stage::troubled(quick(), [strip], |config| {
            config.sessions[0].timing.failback_interval = HumanDuration::from_secs(60);
        })
        .await;
        stage.emit(1);
        let mut reader = stage.reader();
        stage.sidecar.active_on(Transport::LongPoll).await;
        let (name, pace) = (fault.name(), stage.pace());
        let probed = |s: &Sandbox| pace.asked(s, RequestKind::Probe);
        stage.set(fault.times(times));
        stage.struck(name, times).await;
        let renegotiates = times >= 3;
        if renegotiates {
            stage.platform("a probe", |s| probed(s) > 0).await;
            reader.hears(Kind::Disconnected, 1).await;
        }
        // An answer begins the count anew.
        stage.emit(1);
        reader.catch_up(&stage.sandbox).await;
        whole(&stage, &mut reader).await;
        assert_eq!(probed(&stage.sandbox), u64::from(renegotiates));
        let losses = reader.told(Kind::Disconnected).len();
        assert_eq!(losses, usize::from(renegotiates));
    };
    let after = HumanDuration::from_millis(HOLD);
    tokio::join!(
        one(status(408, HOLD), 3),
        one(status(502, HOLD), 3),
        one(status(504, HOLD), 3),
        one(Fault::PollResetInHold { after }, 3),
        one(status(502, HOLD), 2),
        one(Fault::PollResetInHold { after }, 2)
    );
}

#[tokio::test]
async fn u11_gateways_that_fail_at_once_are_backed_off() {
    let one = async |fault: Fault, times: u64| {
        let (stage, mut reader) = polling().await;
        let (name, pace) = (fault.name(), stage.pace());
        stage.set(fault);
        stage.struck(name, times).await;
        assert!(pace.elapsed() > millis(500), "{name} {:?}", pace.elapsed());
        pace.is_calm(&stage.sandbox, 15.0);
        whole(&stage, &mut reader).await;
    };
    let after = HumanDuration::from_millis(0);
    tokio::join!(
        // Renegotiation gives three polls for each step of the back-off.
        one(status(502, 0), 18),
        one(status(408, 0), 18),
        one(Fault::PollResetInHold { after }, 18),
        one(status(500, 0), 7),
        one(status(503, 0), 7)
    );
}

#[tokio::test]
async fn u12_a_429_is_waited_for_as_long_as_it_says() {
    let one = async |retry_after: Option<fn() -> String>, at_least: u64, at_most: u64| {
        let (stage, mut reader) = polling().await;
        let fault = Fault::PollStatus {
            status: 429,
            retry_after: retry_after.map(|text| text()),
            after: HumanDuration::from_millis(0),
        };
        stage.set(fault.times(1));
        stage.struck(FaultName::PollStatus, 1).await;
        let pace = stage.pace();
        let session = stage
            .sidecar
            .until("throttled", |s| s.state() == State::Degraded)
            .await;
        assert!(
            session.reason.starts_with("THROTTLED"),
            "{}",
            session.reason
        );
        stage
            .platform("a poll", |s| pace.asked(s, RequestKind::Poll) > 0)
            .await;
        let waited = pace.elapsed();
        assert!(
            waited >= millis(at_least) && waited <= millis(at_most),
            "{retry_after:?}: {waited:?}"
        );
        whole(&stage, &mut reader).await;
    };
    let date = || {
        let now = tieline::runtime::Clock::system().wall().as_millis();
        let then = std::time::Duration::from_millis(now + 4_000);
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + then)
    };
    tokio::join!(
        one(Some(|| "2".to_owned()), 1_950, 4_000),
        one(Some(date), 2_000, 7_000),
        one(None, 4_950, 8_000),
        one(Some(|| "0".to_owned()), 950, 3_000)
    );
}

#[tokio::test]
async fn u12_a_401_takes_one_new_token_and_a_second_one_a_person() {
    let once = async {
        let (stage, mut reader) = polling().await;
        stage.set(status(401, 0).times(1));
        stage.struck(FaultName::PollStatus, 1).await;
        whole(&stage, &mut reader).await;
        assert_eq!(stage.sandbox.tokens_issued(), 2);
        assert!(reader.told(Kind::Disconnected).is_empty());
    };
    let always = async {
        let (stage, mut reader) = polling().await;
        let pace = stage.pace();
        stage.set(status(401, 0));
        let session = stage.sidecar.suspended().await;
        assert!(
            session.reason.starts_with("CREDENTIALS_REFUSED"),
            "{}",
            session.reason
        );
        assert_eq!(stage.sandbox.faults().struck(FaultName::PollStatus), 2);
        pace.is_calm(&stage.sandbox, 0.0);
        stage.sandbox.faults().clear_all();
        stage.sidecar.reconnect();
        whole(&stage, &mut reader).await;
    };
    tokio::join!(once, always);
}

#[tokio::test]
async fn u12_a_403_needs_a_person_and_is_not_asked_again() {
    let (stage, mut reader) = polling().await;
    stage.set(status(403, 0));
    let session = stage.sidecar.suspended().await;
    assert_eq!(session.reason, "PERMISSION_DENIED");
    reader.hears(Kind::Suspended, 1).await;
    assert_eq!(reader.told(Kind::Suspended)[0].reason, "PERMISSION_DENIED");
    // What is asked of it is done once and answered alike.
    stage.sidecar.reconnect();
    stage.struck(FaultName::PollStatus, 2).await;
    stage.sidecar.suspended().await;
    assert_eq!(stage.sandbox.faults().struck(FaultName::PollStatus), 2);
    stage.sandbox.faults().clear_all();
    stage.sidecar.reconnect();
    whole(&stage, &mut reader).await;
}

#[tokio::test]
async fn u13_truncated_bodies_are_discarded_whole_and_asked_for_again() {
    let one = async |cut_connection, times| {
        let (stage, mut reader) = polling().await;
        let pace = stage.pace();
        stage.set(Fault::TruncatedBody { cut_connection }.times(times));
        stage.emit(10);
        stage.struck(FaultName::TruncatedBody, times).await;
        reader.catch_up(&stage.sandbox).await;
        pace.is_calm(&stage.sandbox, 8.0);
        assert!(stage.sidecar.stats().unreadable >= times);
        assert_eq!(
            reader.told(Kind::Disconnected).len(),
            usize::from(times > 2)
        );
        whole(&stage, &mut reader).await;
    };
    tokio::join!(one(true, 2), one(false, 2), one(true, 4), one(false, 4));
}

#[tokio::test]
async fn u9_a_poll_that_freezes_is_given_up_at_the_client_s_deadline() {
    let (stage, mut reader) = polling().await;
    let pace = stage.pace();
    let transport = On::Poll;
    stage.set(Fault::Freeze { transport }.times(1));
    stage.struck(FaultName::Freeze, 1).await;
    stage.emit(3);
    reader.catch_up(&stage.sandbox).await;
    assert!(pace.elapsed() >= millis(1_500), "{:?}", pace.elapsed());
    pace.is_calm(&stage.sandbox, 4.0);
    whole(&stage, &mut reader).await;
}
