//! What depends on time, without sockets: how long sessions live, and how much comes in a second.

use super::*;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::outbox::Outbox;
use crate::sandbox::guests::state::State;
use crate::sandbox::guests::web_messaging::hear;
use crate::sandbox::platform::{Reply, Turn, UpgradeAnswer};

/// A platform with one socket, at a time.
struct Rig {
    state: State,
    start: MonoTime,
    passed: Duration,
}

impl Rig {
    fn new(config: GuestConfig) -> Self {
        let mut state = State::new(config, &Rng::from_seed(5));
        state.outboxes.insert(1, Outbox::default());
        Self {
            state,
            start: MonoTime::now(),
            passed: Duration::ZERO,
        }
    }

    fn now(&self) -> (MonoTime, WallTime) {
        let wall = WallTime::from_millis(1_773_135_667_000).plus(self.passed);
        (self.start + self.passed, wall)
    }

    /// What the platform says to a frame, after so many seconds.
    fn ask(&mut self, after: u64, frame: &Value) -> Vec<Value> {
        self.pass(after);
        let now = self.now();
        let text = frame.to_string();
        assert_eq!(
            hear(&mut self.state, (1, "http://x"), text.as_bytes(), now),
            None
        );
        self.told()
    }

    fn set(&mut self, fault: GuestFault) {
        let now = self.now().0;
        self.state.faults.set(fault.times(1), now);
    }

    fn pass(&mut self, seconds: u64) {
        self.passed += Duration::from_secs(seconds);
        let now = self.now();
        self.state.advance(now);
    }

    fn told(&mut self) -> Vec<Value> {
        let now = self.now().0;
        let outbox = self.state.outboxes.get_mut(&1).unwrap();
        let due = outbox.take_due(now, usize::MAX).into_iter();
        due.map(|parcel| serde_json::from_str(&parcel.text).unwrap())
            .collect()
    }

    fn configure(&mut self, after: u64) -> Value {
        let frame = json!({
            "action": "configureSession", "token": TOKEN,
            "deploymentId": self.state.config.deployment_id,
        });
        self.ask(after, &frame).remove(0)
    }
}

fn message() -> Value {
    let message = json!({ "type": "Text", "text": "x" });
    json!({ "action": "onMessage", "token": TOKEN, "message": message })
}

#[tokio::test(start_paused = true)]
async fn a_session_lives_an_hour_after_it_was_last_spoken_in() {
    let mut rig = Rig::new(messaging());
    let until = |told: &Value| told["body"]["expirationDate"].as_u64().unwrap();
    let first = rig.configure(0);
    assert_eq!(until(&first), 1_773_135_667 + 3600);
    assert_eq!(rig.ask(3000, &message())[0]["class"], "StructuredMessage");
    let echo =
        json!({ "action": "echo", "token": TOKEN, "message": { "type": "Text", "text": "ping" } });
    let health = rig.ask(3000, &echo).remove(0);
    let metadata = &health["body"]["metadata"];
    assert_eq!(
        metadata["expirationDate"],
        (1_773_135_667 + 6600).to_string()
    );
    rig.pass(599);
    assert_eq!(rig.told(), [Value::Null; 0], "an echo prolongs nothing");
    rig.pass(1);
    assert_eq!(rig.told()[0]["class"], "SessionExpiredEvent");
    assert_eq!(rig.ask(0, &message())[0]["code"], 4006);
    assert_eq!(rig.configure(1)["code"], 4006);
}

#[tokio::test(start_paused = true)]
async fn configuring_a_session_prolongs_it_too() {
    let mut rig = Rig::new(messaging());
    rig.configure(0);
    assert_eq!(rig.configure(3599)["body"]["newSession"], false);
    rig.pass(3599);
    assert_eq!(rig.told(), [Value::Null; 0]);
    rig.pass(1);
    assert_eq!(rig.told()[0]["class"], "SessionExpiredEvent");
}

#[test]
fn half_a_frame_is_less_than_its_head_promises() {
    use crate::sandbox::guests::taking::half;
    assert_eq!(half("abcdef"), "abc");
    assert_eq!(half("äöüß"), "äö");
    assert_eq!(half(&"x".repeat(10_000)).len(), 2000);
    assert_eq!(half(""), "");
}

/// The status and `Retry-After` of an answer.
fn told(reply: Reply) -> (u16, Option<String>) {
    match reply {
        Reply::Answer(answer) => (answer.status, answer.retry_after),
        Reply::Reset => panic!("a reset"),
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_two_messages_in_a_second_are_throttled_and_not_taken() {
    let mut rig = Rig::new(GuestConfig::new(GuestDialect::WebMessaging));
    rig.configure(0);
    let mut named = message();
    named["tracingId"] = "t".into();
    for _ in 0..2 {
        assert_eq!(rig.ask(0, &named)[0]["code"], 200);
    }
    let refused = rig.ask(0, &named).remove(0);
    assert_eq!(refused["class"], "TooManyRequestsErrorMessage");
    assert_eq!(
        (&refused["code"], &refused["tracingId"]),
        (&json!(429), &json!("t"))
    );
    assert_eq!(refused["body"]["errorCode"], 4029);
    assert_eq!(refused["body"]["retryAfter"], 1);
    assert_eq!(rig.state.record.entered(), 2);
    assert_eq!(rig.state.counters.messages_throttled, 1);
    assert_eq!(rig.ask(1, &named)[0]["code"], 200);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_chat_are_throttled_over_rest_and_not_on_the_socket() {
    let mut rig = Rig::new(GuestConfig::new(GuestDialect::Webchat));
    let now = rig.now();
    rig.state.begin("i", "secret", now);
    rig.state.attach(1, "i", now.0);
    let body = json!({ "type": "message", "content": "x", "messageId": "m" }).to_string();
    let mut post = || {
        let asked = rig
            .state
            .new_message((2, "i"), Some("secret"), body.as_bytes(), now);
        told(asked.0.reply)
    };
    assert_eq!([post().0, post().0], [200, 200]);
    assert_eq!(post(), (429, Some("1".to_owned())));
    for _ in 0..3 {
        let heard = crate::sandbox::guests::webchat::hear(&mut rig.state, 1, body.as_bytes(), now);
        assert_eq!(heard, None);
        assert_eq!(rig.told()[0]["type"], "messageReceived");
    }
    assert_eq!(rig.state.record.entered(), 5);
}

#[tokio::test(start_paused = true)]
async fn more_handshakes_than_the_platform_takes_in_a_second_are_refused_and_counted() {
    let mut rig = Rig::new(GuestConfig {
        handshakes_per_second: Some(3),
        ..messaging()
    });
    let now = rig.now().0;
    for _ in 0..3 {
        assert_eq!(rig.state.at_the_door(now), None);
    }
    for _ in 0..2 {
        match rig.state.at_the_door(now) {
            Some(UpgradeAnswer::Plain(reply)) => {
                assert_eq!(told(reply), (429, Some("1".to_owned())));
            }
            other => panic!("{other:?}"),
        }
    }
    rig.pass(1);
    assert_eq!(rig.state.at_the_door(rig.now().0), None);
    let counters = &rig.state.counters;
    assert_eq!((counters.handshakes, counters.handshakes_throttled), (6, 2));
    assert_eq!(counters.handshakes_per_second_most, 5);
}

#[tokio::test(start_paused = true)]
async fn a_late_message_arrives_unless_its_session_is_over() {
    for (expires, taken) in [(false, 1), (true, 0)] {
        let mut rig = Rig::new(messaging());
        rig.configure(0);
        rig.set(GuestFault::LateArrival {
            after: HumanDuration::from_secs(2),
            after_history: false,
            echo: true,
        });
        let (now, text) = (rig.now(), message().to_string());
        let turn = hear(&mut rig.state, (1, "http://x"), text.as_bytes(), now);
        assert_eq!(turn, Some(Turn::Reset { half_of: None }));
        if expires {
            rig.state.act(TOKEN, &Deed::Expire, now).unwrap();
        }
        rig.pass(1);
        assert_eq!(rig.state.record.entered(), 0);
        rig.pass(1);
        assert_eq!(rig.state.record.entered(), taken);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_echo_comes_when_it_is_due() {
    let mut rig = Rig::new(messaging());
    rig.configure(0);
    let delay = HumanDuration::from_secs(5);
    rig.set(GuestFault::LateEcho { delay });
    assert_eq!(rig.ask(0, &message()), [Value::Null; 0]);
    rig.pass(4);
    assert_eq!(rig.told(), [Value::Null; 0]);
    rig.pass(1);
    assert_eq!(rig.told()[0]["body"]["text"], "x");
}
