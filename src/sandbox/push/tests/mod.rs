//! The platform's decisions, without sockets: heartbeats, idle sockets, refusals, fates.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::fault::{PushFault, PushFaultName};
use super::socket::Socket;
use super::state::State;
use super::{PushConfig, PushDialect, PushFate};
use crate::connectors::{Profile, built_in_profile};
use crate::domain::WallTime;
use crate::runtime::{HumanDuration, MonoTime, Rng};
use crate::sandbox::fault::FaultRule;
use crate::sandbox::platform::{TokenRequest, Turn, UpgradeAnswer};

/// A platform with a token, at a time.
struct Rig {
    state: State,
    token: String,
    now: MonoTime,
    start: MonoTime,
}

impl Rig {
    fn new(config: PushConfig) -> Self {
        let now = MonoTime::now();
        let mut state = State::new(config, &Rng::from_seed(5));
        let client = state.client.clone();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            client.id, client.secret
        );
        let request = TokenRequest {
            authorization: None,
            form: form.as_bytes(),
        };
        let token = state.tokens.grant(request, now).unwrap().access_token;
        Self {
            state,
            token,
            now,
            start: now,
        }
    }

    fn times(&self) -> (MonoTime, WallTime) {
        let passed = self.now.saturating_duration_since(self.start);
        let wall = WallTime::from_millis(1_773_135_667_000).plus(passed);
        (self.now, wall)
    }

    fn open(&mut self) -> Socket {
        let now = self.times();
        Socket::open(1, self.token.clone(), &mut self.state, now)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn turn(&mut self, socket: &mut Socket) -> Turn {
        let now = self.times();
        let turn = socket.turn(&mut self.state, now);
        if matches!(turn, Turn::Send(_)) {
            socket.sent(&mut self.state);
        }
        turn
    }

    fn hear(&mut self, socket: &mut Socket, text: &Value) -> Turn {
        let now = self.times();
        socket.hear(&mut self.state, text.to_string().as_bytes(), now);
        self.turn(socket)
    }

    fn set(&mut self, fault: PushFault) {
        self.state
            .faults
            .set(FaultRule::from(fault).times(1), self.now);
    }

    fn tell(&mut self, count: u64) {
        let (_, wall) = self.times();
        for _ in 0..count {
            self.state.tell_next(wall);
        }
    }
}

fn keep_alive(padding: usize) -> Value {
    let mut frame = json!({
        "connectionId": "00000000-0000-4000-8000-000000000000", "type": "KEEP_ALIVE",
        "timestamp": 1_000, "intervalMatrix": { "current": 15_000, "state": "STABLE", "nextExpected": 16_000 },
        "sizeDirective": { "bytes": 0, "maxAllowed": 1024, "compression": false },
        "padding": "x".repeat(padding),
    });
    frame["sizeDirective"]["bytes"] = frame.to_string().len().into();
    frame
}

fn streaming() -> Rig {
    Rig::new(PushConfig::new(PushDialect::Streaming))
}

fn is_ack(turn: &Turn) -> bool {
    matches!(turn, Turn::Send(frames) if frames.iter().any(|f| f.contains("KEEP_ALIVE_ACK")))
}

fn refusal(turn: &Turn) -> &str {
    match turn {
        Turn::Refuse { error, code: 1008 } => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn u26_the_gateway_answers_heartbeats_and_refuses_those_that_come_too_soon() {
    let mut rig = streaming();
    let mut socket = rig.open();
    rig.pass(5);
    assert!(
        is_ack(&rig.hear(&mut socket, &keep_alive(0))),
        "the first may come at any time"
    );
    rig.pass(15);
    assert!(is_ack(&rig.hear(&mut socket, &keep_alive(0))));
    rig.pass(14);
    let turn = rig.hear(&mut socket, &keep_alive(0));
    assert!(
        refusal(&turn).contains("interval below 15000 ms"),
        "{turn:?}"
    );
    assert_eq!(
        (
            rig.state.counters.heartbeats,
            rig.state.counters.heartbeats_refused
        ),
        (3, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn u26_the_gateway_refuses_heartbeats_that_are_large_or_incomplete() {
    let large = keep_alive(1024);
    let mut wrong = vec![(large, "exceeds 1024")];
    for (pointer, said) in [
        ("/connectionId", "connectionId"),
        ("/timestamp", "timestamp"),
        ("/intervalMatrix/state", "state"),
        ("/intervalMatrix/nextExpected", "nextExpected"),
        ("/sizeDirective/bytes", "sizeDirective"),
    ] {
        let mut frame = keep_alive(0);
        *frame.pointer_mut(pointer).unwrap() = json!(1);
        wrong.push((frame, said));
    }
    for (frame, said) in wrong {
        if said == "timestamp" {
            continue;
        }
        let mut rig = streaming();
        let mut socket = rig.open();
        rig.pass(20);
        let turn = rig.hear(&mut socket, &frame);
        assert!(refusal(&turn).contains(said), "{said}: {turn:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_without_heartbeats_dies_between_30_and_60_seconds() {
    let mut rig = streaming();
    let mut socket = rig.open();
    rig.pass(29);
    assert!(matches!(rig.turn(&mut socket), Turn::Wait(Some(_))));
    rig.pass(31);
    assert_eq!(rig.turn(&mut socket), Turn::Hangup);
    assert_eq!(rig.state.counters.sockets_idle, 1);
    let mut others = Rig::new(PushConfig::new(PushDialect::Adherence));
    let mut socket = others.open();
    let subscribe = json!({ "type": "subscribe", "data": { "resource": "wfm/adherence" } });
    others.hear(&mut socket, &subscribe);
    others.pass(900);
    assert!(
        matches!(others.turn(&mut socket), Turn::Wait(_)),
        "only where there are heartbeats"
    );
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_may_be_late_or_lost() {
    let mut rig = streaming();
    let mut socket = rig.open();
    rig.set(PushFault::LateAcknowledgements {
        delay: HumanDuration::from_secs(3),
    });
    rig.pass(20);
    assert!(matches!(
        rig.hear(&mut socket, &keep_alive(0)),
        Turn::Wait(Some(_))
    ));
    rig.pass(3);
    let turn = rig.turn(&mut socket);
    assert!(is_ack(&turn));
    rig.set(PushFault::DropAcknowledgements {});
    rig.pass(20);
    assert!(matches!(
        rig.hear(&mut socket, &keep_alive(0)),
        Turn::Wait(_)
    ));
    assert_eq!(rig.state.counters.acknowledgements, 1);
    rig.set(PushFault::RefuseHeartbeat {});
    rig.pass(20);
    assert!(refusal(&rig.hear(&mut socket, &keep_alive(0))).contains("not now"));
}

#[tokio::test(start_paused = true)]
async fn every_event_has_its_fate() {
    let mut rig = streaming();
    rig.tell(1);
    let mut socket = rig.open();
    rig.tell(2);
    assert!(matches!(rig.turn(&mut socket), Turn::Send(frames) if frames.len() == 2));
    rig.set(PushFault::Duplicate {});
    rig.tell(1);
    assert!(matches!(rig.turn(&mut socket), Turn::Send(frames) if frames.len() == 2));
    rig.set(PushFault::DropEvent {});
    rig.tell(1);
    assert!(matches!(rig.turn(&mut socket), Turn::Wait(_)));
    rig.tell(1);
    socket.close(&mut rig.state);
    let facts = rig.state.ledger.after(0, usize::MAX);
    let fates: Vec<_> = facts
        .iter()
        .map(|f| f.due.first().map(|due| due.fate))
        .collect();
    let sent = |copies| Some(PushFate::Sent { copies });
    let lost = PushFate::Lost {
        fault: PushFaultName::DropEvent,
    };
    let expected = [
        None,
        sent(1),
        sent(1),
        sent(2),
        Some(lost),
        Some(PushFate::Cut),
    ];
    assert_eq!(fates, expected);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_wanted_at_the_handshake_and_end_their_sockets() {
    let mut rig = Rig::new(PushConfig {
        token_lifetime: Duration::from_secs(20),
        ..PushConfig::new(PushDialect::Analytics)
    });
    let (now, token) = (rig.now, rig.token.clone());
    assert!(matches!(
        rig.state.answer_upgrade(None, now),
        UpgradeAnswer::Plain(_)
    ));
    assert!(matches!(
        rig.state.answer_upgrade(Some("x"), now),
        UpgradeAnswer::Plain(_)
    ));
    assert_eq!(
        rig.state.answer_upgrade(Some(&token), now),
        UpgradeAnswer::Switch
    );
    let mut socket = rig.open();
    assert!(
        matches!(rig.turn(&mut socket), Turn::Send(frames) if frames.len() == 1 && frames[0].starts_with('['))
    );
    rig.pass(20);
    assert!(matches!(
        rig.turn(&mut socket),
        Turn::Close { code: 4401, .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_refused_subscription_says_so_and_a_missing_one_ends_the_socket() {
    let config = || PushConfig::new(PushDialect::Adherence);
    let mut rig = Rig::new(config());
    rig.set(PushFault::FrameError {
        status: 403,
        code: 1008,
    });
    let mut socket = rig.open();
    let subscribe = json!({ "type": "subscribe", "data": { "resource": "wfm/adherence" } });
    let turn = rig.hear(&mut socket, &subscribe);
    assert!(refusal(&turn).contains("\"status\":403"), "{turn:?}");
    let mut rig = Rig::new(config());
    let mut socket = rig.open();
    let turn = rig.hear(
        &mut socket,
        &json!({ "type": "subscribe", "data": { "resource": "x" } }),
    );
    assert!(refusal(&turn).contains("no such resource"), "{turn:?}");
    let mut rig = Rig::new(config());
    let mut socket = rig.open();
    rig.pass(10);
    assert!(matches!(
        rig.turn(&mut socket),
        Turn::Close { code: 1008, .. }
    ));
}

#[test]
fn a_profile_with_mistakes_or_numbers_is_not_simulated() {
    let numbered: Profile = built_in_profile("genesys-events").unwrap();
    let config = PushConfig::new(PushDialect::Described(Arc::new(numbered)));
    assert_eq!(config.problems().len(), 1, "{:?}", config.problems());
    let mut wrong = built_in_profile("genesys-analytics").unwrap();
    wrong.events.clear();
    let config = PushConfig::new(PushDialect::Described(Arc::new(wrong)));
    assert!(
        config.problems()[0].starts_with("profile: events"),
        "{:?}",
        config.problems()
    );
}
