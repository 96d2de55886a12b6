//! The audit log against what the platform counted.

use std::collections::BTreeMap;

use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::RequestKind;
use tieline::sandbox::fault::Fault;
use tieline::session::TransportChoice;
use tieline::testing::Log;

use crate::kit::{Stage, quick};

/// What the platform calls a request, and the word of the log.
const KINDS: [(RequestKind, &str); 7] = [
    (RequestKind::Token, "token"),
    (RequestKind::Probe, "probe"),
    (RequestKind::Websocket, "handshake"),
    (RequestKind::Subscribe, "subscribe"),
    (RequestKind::Poll, "poll"),
    (RequestKind::History, "catch-up"),
    (RequestKind::Health, "health"),
];

#[tokio::test]
async fn u29_everything_that_the_platform_counted_is_in_the_audit_log_and_nothing_of_its_content() {
    for transport in [v1::Transport::Websocket, v1::Transport::LongPoll] {
        let (log, guard) = Log::capture("tieline::audit=debug");
        let stage = Stage::with(quick(), |config| {
            let session = &mut config.sessions[0];
            if transport == v1::Transport::LongPoll {
                session.transport = TransportChoice::LongPoll;
            }
            session.timing.health_interval = HumanDuration::from_millis(200);
            session.timing.websocket_ping = HumanDuration::from_millis(400);
            session.timing.pong_timeout = HumanDuration::from_millis(390);
        })
        .await;
        let mut reader = stage.reader();
        stage.sidecar.active_on(transport).await;
        stage.emit(5);
        reader.catch_up(&stage.sandbox).await;
        stage.set(Fault::Skip { history: true }.times(2));
        stage.emit(6);
        reader.hears(v1::session_event::Kind::GapClosed, 1).await;
        let pings = u64::from(transport == v1::Transport::Websocket) * 2;
        stage
            .platform("health and pings", |sandbox| {
                let counters = sandbox.counters();
                counters.arrived(RequestKind::Health) >= 2 && counters.pings_received >= pings
            })
            .await;
        let secret = stage.sandbox.client_credentials().secret;
        let Stage { sandbox, sidecar } = stage;
        drop(reader);
        sidecar.drain().await;
        drop(guard);

        let counters = sandbox.counters();
        let mut said: BTreeMap<String, u64> = BTreeMap::new();
        let mut given_up: BTreeMap<String, u64> = BTreeMap::new();
        // Of callers there are other lines.
        let lines = log.lines().into_iter();
        for line in lines.filter(|line| line["fields"]["message"] == "Sent") {
            let fields = &line["fields"];
            assert_eq!(fields["session"], "contact-centre", "{line}");
            assert!(
                fields["size"].is_u64() && fields["generation"].is_u64(),
                "{line}"
            );
            assert!(line["timestamp"].is_string() && fields["state"].is_string());
            let kind = fields["kind"].as_str().unwrap().to_owned();
            if fields["outcome"] == "ABANDONED" {
                *given_up.entry(kind.clone()).or_default() += 1;
            }
            *said.entry(kind).or_default() += 1;
        }
        let count = |counts: &BTreeMap<String, u64>, kind| counts.get(kind).copied().unwrap_or(0);
        for (kind, word) in KINDS {
            let (arrived, logged) = (counters.arrived(kind), count(&said, word));
            assert!(
                arrived <= logged,
                "{arrived} {kind:?} arrived, {logged} are logged"
            );
            // What was given up may not have come so far.
            let surplus = logged - arrived;
            assert!(
                surplus <= count(&given_up, word),
                "{word}: {logged} of {arrived}"
            );
        }
        assert!(counters.pings_received <= count(&said, "ping"));
        let closes: u64 = counters.closes_received.values().sum();
        assert!(closes <= count(&said, "close"), "{counters:?}, {said:?}");
        assert_eq!(counters.arrived(RequestKind::Other), 0);
        let text = log.text();
        for canary in [secret.as_str(), "sandbox-", "Bearer", "/api/", "?"] {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
    }
}
