//! Random schedules, without a socket: whatever is lost, forgotten or fought over, a careful reader
//! ends with the present state and every loss on record.

use proptest::prelude::*;

use super::notes::Notes;
use super::*;
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::cxone::platform::{Answer, Hold, HoldTurn, PollRequest, Reply, State};

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    /// Steps of the story.
    Tell(u64),
    /// The reader polls.
    Poll,
    /// The reader polls and the answer never arrives.
    Lose,
    /// Somebody else joins the session and polls it once.
    Intrude,
    /// The reader crashed, and goes on from what it had written down so many answers ago.
    Restore(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..8_u64).prop_map(Act::Tell),
        4 => Just(Act::Poll),
        1 => Just(Act::Lose),
        1 => Just(Act::Intrude),
        1 => (1..6_usize).prop_map(Act::Restore),
    ];
    prop::collection::vec(act, 1..60)
}

/// A tenant with one agent, and the time that passes there.
struct Scene {
    state: State,
    token: String,
    mono: MonoTime,
    wall: WallTime,
}

impl Scene {
    fn new(config: CxoneConfig, seed: u64) -> Self {
        let (mono, wall) = (MonoTime::now(), WallTime::from_millis(1_773_135_667_552));
        let rng = Rng::from_seed(seed);
        let mut state = State::new(config, "http://127.0.0.1:1", (mono, wall), &rng);
        let key = state.credentials()[0].clone();
        let form = form(&[
            ("grant_type", "password"),
            ("client_id", &key.client_id),
            ("client_secret", &key.client_secret),
            ("username", &key.access_key_id),
            ("password", &key.access_key_secret),
        ]);
        let request = crate::sandbox::platform::TokenRequest {
            authorization: None,
            form: form.as_bytes(),
        };
        let body = state.answer_token(request, (mono, wall)).body;
        let body: Value = serde_json::from_str(&body).unwrap();
        Self {
            state,
            token: body["access_token"].as_str().unwrap().to_owned(),
            mono,
            wall,
        }
    }

    fn pass(&mut self) -> (MonoTime, WallTime) {
        let little = Duration::from_millis(1);
        self.mono += little;
        self.wall = self.wall.plus(little);
        (self.mono, self.wall)
    }

    fn join(&mut self) -> String {
        let now = self.pass();
        let body = br#"{"asAgentId":""}"#;
        let answer = self.state.answer_join(Some(&self.token), body, now);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["sessionId"].as_str().unwrap().to_owned()
    }

    /// A poll that does not wait.
    fn poll(&mut self, id: &str) -> Answer {
        let (mono, wall) = self.pass();
        let request = PollRequest {
            entry: 0,
            bearer: Some(&self.token),
            session_id: id,
            query: "timeout=0",
        };
        let mut hold = Hold::begin(&mut self.state, request, mono).unwrap();
        match hold.turn(&mut self.state, mono, wall) {
            HoldTurn::Reply(Reply::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self, notes: &mut Notes) {
        let id = notes.ask(self.wall);
        let answer = self.poll(&id);
        let mut headers = answer.headers.iter();
        let branch = headers.find(|(name, _)| *name == "icbranchvalue");
        let branch = branch.map(|(_, value)| value.as_str());
        notes.hear(answer.status, branch, &answer.body, self.wall);
    }

    fn record(&self) -> CxoneRecord {
        CxoneRecord {
            facts: self.state.facts(0, usize::MAX),
            answers: self.state.answers(0, usize::MAX),
            present: self.state.present(),
        }
    }
}

fn play(acts: &[Act], config: CxoneConfig, seed: u64) -> (CxoneVerdict, Vec<Fact>) {
    let mut scene = Scene::new(config, seed);
    let id = scene.join();
    let mut notes = Notes::new(&scene.state.present()[0].agent, id, scene.wall);
    scene.hear(&mut notes);
    let mut kept = vec![notes.clone()];
    for act in acts {
        match act {
            Act::Tell(steps) => {
                let (_, wall) = scene.pass();
                scene.state.tell_steps(*steps, wall);
            }
            Act::Poll => scene.hear(&mut notes),
            Act::Lose => {
                let id = notes.ask(scene.wall);
                scene.poll(&id);
            }
            Act::Intrude => {
                let id = scene.join();
                scene.poll(&id);
            }
            Act::Restore(back) => {
                kept.truncate(kept.len().saturating_sub(*back).max(1));
                notes = kept[kept.len() - 1].restored();
            }
        }
        if kept[kept.len() - 1].id != notes.id {
            kept.push(notes.clone());
        }
    }
    for _ in 0..2 {
        scene.pass();
        scene.hear(&mut notes);
    }
    let mut oracle = CxoneOracle::new();
    oracle.take(&notes.got);
    let record = scene.record();
    (oracle.judge(&record), record.facts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96 * crate::testing::scale()))]

    #[test]
    fn a_careful_reader_ends_with_the_present_state(
        acts in acts(), seed: u64, replay_last: bool, queue_capacity in 1..40_usize,
    ) {
        let config = CxoneConfig {
            agents: 1,
            remembered_ids: 1_000,
            replay_last,
            queue_capacity,
            ..CxoneConfig::default()
        };
        let (verdict, facts) = play(&acts, config, seed);
        prop_assert!(verdict.is_clean(), "{}", verdict);
        // Nothing waits at the end, and everything has exactly one fate.
        prop_assert!(facts.iter().all(|fact| fact.fate != FactFate::Queued));
    }
}
