//! What `/metrics` says, held against what the platform says happened.

use std::collections::BTreeMap;

use tieline::proto::v1;
use tieline::proto::v1::event_service_client::EventServiceClient;
use tieline::runtime::HumanDuration;
use tieline::sandbox::Sandbox;
use tieline::sandbox::fault::{Fault, FaultName};
use tieline::session::TransportChoice::{LongPoll, Websocket};
use tieline::testing::scale;
use tokio::time::timeout;
use v1::session_event::Kind;
use v1::subscribe_request::Start;

use crate::kit::{PATIENCE, SESSION, Sidecar, Stage, get};

/// The series of a scrape, by name and labels as they are written.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(sidecar: &Sidecar) -> Self {
        let (status, text) = get(&sidecar.health_url("/metrics")).await;
        assert_eq!(status, 200, "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse().unwrap_or(f64::INFINITY);
            (name.to_owned(), value)
        });
        Self(series.collect())
    }

    fn value(&self, name: &str) -> f64 {
        let value = self.0.get(name).copied();
        value.unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }

    /// Of the session, with these labels besides.
    fn session(&self, name: &str, labels: &str) -> f64 {
        let comma = if labels.is_empty() { "" } else { "," };
        self.value(&format!("{name}{{session=\"{SESSION}\"{comma}{labels}}}"))
    }

    /// Of the journal, with these labels besides.
    fn journal(&self, name: &str, labels: &str) -> f64 {
        let comma = if labels.is_empty() { "" } else { "," };
        self.value(&format!("{name}{{journal=\"default\"{comma}{labels}}}"))
    }

    /// Of every series but the one that is absent until something is known.
    fn names(&self) -> Vec<&str> {
        let names = self.0.keys().map(String::as_str);
        names
            .filter(|name| !name.starts_with("tieline_session_round_trip_seconds"))
            .collect()
    }
}

fn whole(value: u64) -> f64 {
    value as f64
}

#[tokio::test]
async fn figures_are_what_the_platform_says_happened() {
    let stage = Stage::over(Websocket).await;
    let mut reader = stage.reader();
    stage.sidecar.active().await;
    stage.set(Fault::Skip { history: true }.times(3));
    stage.emit(10);
    reader.hears(Kind::GapClosed, 1).await;
    stage.set(Fault::Skip { history: false }.times(2));
    stage.emit(10);
    reader.hears(Kind::GapConfirmed, 1).await;
    let form = tieline::sandbox::fault::Malformation::Scalar;
    stage.set(Fault::MalformedEvent { form }.times(2));
    stage.emit(5);
    let what = tieline::sandbox::fault::Portion::default();
    stage.set(Fault::Duplicate { what }.times(4));
    // A batch is sent twice, however many events it has: one after the other.
    for times in 1..=4 {
        stage.emit(2);
        stage.struck(FaultName::Duplicate, times).await;
    }
    reader.catch_up(&stage.sandbox).await;
    let close = Fault::WebsocketClose {
        code: 1001,
        reason: String::new(),
        after: HumanDuration::from_millis(0),
    };
    stage.set(close.times(1));
    stage.struck(FaultName::WebsocketClose, 1).await;
    let verdict = stage.settle(&mut reader).await;

    let seen = Scrape::of(&stage.sidecar).await;
    let counters = stage.sandbox.counters();
    let events = seen.session("tieline_session_events_total", "");
    assert_eq!(
        events,
        whole(verdict.issued) - 2.0,
        "all but two that are lost"
    );
    // Three that were skipped, and whatever else was found again.
    let backfilled = seen.session("tieline_session_backfilled_events_total", "");
    let told = whole(counters.events_from_history);
    assert!((3.0..=told).contains(&backfilled), "{backfilled} of {told}");
    // The one of those two, and what was found again: skipped, unreadable, or cut off with the connection.
    let holes = seen.session("tieline_session_gaps_total", "cause=\"sequence_hole\"");
    let closed = seen.session("tieline_session_gaps_closed_total", "");
    let confirmed = seen.session("tieline_session_gaps_confirmed_total", "");
    assert_eq!(confirmed, 1.0);
    assert!(closed >= 1.0);
    assert_eq!(holes, closed + confirmed);
    assert_eq!(seen.session("tieline_session_gaps_open", ""), 0.0);
    let broken = seen.session("tieline_session_decode_failures_total", "what=\"event\"");
    assert_eq!(broken, 2.0);
    assert!(seen.session("tieline_session_duplicate_events_total", "") >= 4.0);
    let away = seen.session("tieline_session_closes_total", "class=\"going_away\"");
    assert_eq!(away, 1.0);
    assert_eq!(seen.session("tieline_session_last_close_code", ""), 1001.0);
    assert_eq!(seen.session("tieline_session_reconnects_total", ""), 1.0);
    let handshakes = seen.session("tieline_net_handshakes_total", "outcome=\"ok\"");
    assert_eq!(handshakes, whole(counters.subscriptions_confirmed));
    assert_eq!(
        handshakes,
        seen.session("tieline_net_handshake_seconds_count", "")
    );
    let tokens = seen.session("tieline_auth_refreshes_total", "");
    assert_eq!(tokens, whole(stage.sandbox.tokens_issued()));
    // Of those that came live and bear a time.
    let delays = seen.session("tieline_session_ingest_delay_seconds_count", "");
    assert!(
        delays > 0.0 && delays <= events - backfilled,
        "{delays} of {events}"
    );
    for (state, is) in [("active", 1.0), ("reconnecting", 0.0), ("suspended", 0.0)] {
        let labels = format!("state=\"{state}\"");
        assert_eq!(
            seen.session("tieline_session_state", &labels),
            is,
            "{state}"
        );
    }
    let websocket = seen.session("tieline_session_transport", "transport=\"websocket\"");
    assert_eq!(websocket, 1.0);

    let journal = stage.sidecar.journal();
    let latest = seen.journal("tieline_journal_latest_sequence", "");
    assert_eq!(latest, whole(journal.latest.get()));
    assert_eq!(seen.journal("tieline_journal_events_total", ""), latest);
    assert!(seen.journal("tieline_journal_sync_seconds_count", "") > 0.0);
    assert_eq!(
        seen.journal("tieline_journal_state", "state=\"writable\""),
        1.0
    );
    let sent = seen.journal("tieline_feed_sent_events_total", "");
    let lag = seen.journal("tieline_feed_worst_lag_events", "");
    assert!(
        sent >= events,
        "the reader has them all: {sent} of {events}"
    );
    assert_eq!(sent + lag, latest);
    assert_eq!(
        seen.journal("tieline_feed_subscribers", "state=\"live\""),
        1.0
    );
    assert!(seen.journal("tieline_feed_delivery_delay_seconds_count", "") > 0.0);
    assert_eq!(seen.value("tieline_ready"), 1.0);
}

#[tokio::test]
async fn a_session_that_polls_and_whose_token_is_refused_says_both() {
    let stage = Stage::over(LongPoll).await;
    stage.sidecar.active().await;
    stage.emit(3);
    let mut reader = stage.reader();
    reader.catch_up(&stage.sandbox).await;
    stage.set(Fault::TokenDown { status: 503 });
    stage.set(Fault::ExpireTokensNow {});
    stage.struck(FaultName::TokenDown, 2).await;
    let failing = |seen: &Scrape| {
        (
            seen.session("tieline_auth_failing", "reason=\"unavailable\""),
            seen.session(
                "tieline_auth_refresh_failures_total",
                "reason=\"unavailable\"",
            ),
        )
    };
    // The second question leaves when the first was answered.
    let (now, failures) = failing(&Scrape::of(&stage.sidecar).await);
    assert!(now == 1.0 && failures >= 1.0, "{now} {failures}");
    stage.settle(&mut reader).await;
    let seen = Scrape::of(&stage.sidecar).await;
    assert_eq!(failing(&seen).0, 0.0);
    assert!(seen.session("tieline_net_polls_total", "outcome=\"ok\"") > 0.0);
    assert!(seen.session("tieline_net_polls_total", "outcome=\"denied\"") >= 1.0);
    assert!(seen.session("tieline_net_poll_seconds_count", "") > 0.0);
    let polls = seen.session("tieline_session_transport", "transport=\"long_poll\"");
    assert_eq!(polls, 1.0);
}

#[tokio::test]
async fn a_reader_at_a_position_that_was_never_written_is_counted() {
    let stage = Stage::over(Websocket).await;
    stage.emit(3);
    let mut reader = stage.reader();
    reader.catch_up(&stage.sandbox).await;
    let name = "tieline_feed_positions_not_written_total";
    assert_eq!(Scrape::of(&stage.sidecar).await.journal(name, ""), 0.0);
    let channel = stage.sidecar.address().channel().unwrap();
    let request = v1::SubscribeRequest {
        journal: "journals/default".to_owned(),
        start: Some(Start::After(v1::Position {
            sequence: 1_000_000,
            ..reader.position()
        })),
        ..v1::SubscribeRequest::default()
    };
    let refused = async {
        let mut stream = EventServiceClient::new(channel).subscribe(request).await?;
        stream.get_mut().message().await
    };
    let refused = timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), tonic::Code::OutOfRange);
    let seen = Scrape::of(&stage.sidecar).await;
    assert_eq!(seen.journal(name, ""), 1.0);
    let reason = "reason=\"position_not_written\"";
    let refusals = "tieline_feed_subscriptions_refused_total";
    assert_eq!(seen.journal(refusals, reason), 1.0);
    stage.settle(&mut reader).await;
}

/// A million events and a thousand connections at a scale of 40.
#[tokio::test]
async fn no_number_of_events_and_connections_makes_a_series() {
    let stage = Stage::over(Websocket).await;
    let mut reader = stage.reader();
    stage.sidecar.active().await;
    stage.emit(100);
    reader.catch_up(&stage.sandbox).await;
    stage.sidecar.reconnect();
    let confirmed = |count: u64| move |s: &Sandbox| s.counters().subscriptions_confirmed >= count;
    stage.platform("a second connection", confirmed(2)).await;
    stage.settle(&mut reader).await;
    let before = Scrape::of(&stage.sidecar).await;
    let rounds = 25 * u64::from(scale());
    for round in 1..=rounds {
        stage.emit(1_000);
        reader.catch_up(&stage.sandbox).await;
        let so_far = stage.sandbox.counters().subscriptions_confirmed;
        stage.sidecar.reconnect();
        let what = format!("connection {round}");
        stage.platform(&what, confirmed(so_far + 1)).await;
    }
    stage.settle(&mut reader).await;
    let after = Scrape::of(&stage.sidecar).await;
    assert_eq!(before.names(), after.names());
    let events = after.session("tieline_session_events_total", "");
    assert!(events >= whole(1_000 * rounds), "{events}");
    let reconnects = after.session("tieline_net_handshakes_total", "outcome=\"ok\"");
    assert!(reconnects >= whole(rounds), "{reconnects}");
}
