//! Guests' sessions: what is asked of them while they are opened, closed and over, and what the journal
//! kept of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use super::platform::Platform;
use super::{Tokens, journal};
use crate::auth::TokenSource;
use crate::connectors::Content;
use crate::domain::{SessionName, TemplateName};
use crate::journal::{AppendError, Commit, Journal as _, StateDelta};
use crate::proto::v1::{OutboundMessageState as Shown, Session};
use crate::runtime::{Clock, DrainTrigger, Rng, drain};
use crate::session::outbound::Stage::Accepted;
use crate::session::outbound::{CancelProblem, NewMessage, SendProblem};
use crate::session::{
    CloseProblem, CreateProblem, Guests, GuestsParts, GuestsRunner, HealthDesk, SessionBoard,
    TemplateParts,
};
use crate::telemetry::traces::Tracer;
use crate::testing::MemoryJournal;

fn template() -> TemplateName {
    TemplateName::new("chat").unwrap()
}

fn guest() -> SessionName {
    SessionName::new("ada").unwrap()
}

/// On a platform that never answers.
fn parts(journal: &MemoryJournal, names: &[&str]) -> GuestsParts<Platform> {
    let platform = Platform::new();
    platform.change(|mood| mood.hang = true);
    let template = |name: &&str| {
        let config = serde_json::json!({
            "name": name,
            "platform": "genesys-web-messaging",
            "endpoint": "https://webmessaging.example.test",
            "deployment_id": "6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90",
        });
        let tokens: Arc<dyn TokenSource> = Tokens::new();
        TemplateParts {
            config: serde_json::from_value(config).unwrap(),
            http: Arc::clone(&platform),
            tokens,
            journal: Arc::new(journal.clone()),
            health: HealthDesk::default(),
            sealer: None,
        }
    };
    let (_, announce) = drain();
    GuestsParts {
        templates: names.iter().map(template).collect(),
        configured: BTreeSet::new(),
        limit: 10,
        board: SessionBoard::new(),
        clock: Clock::anchored(Clock::system().wall()),
        tracer: Tracer::off(),
        rng: Rng::from_seed(3),
        announce,
    }
}

fn runner(journal: &MemoryJournal) -> (Guests, GuestsRunner<Platform>) {
    GuestsRunner::new(parts(journal, &["chat"]))
}

/// Guests that run.
struct Stage {
    guests: Guests,
    trigger: DrainTrigger,
    running: JoinSet<()>,
}

impl Stage {
    fn of(parts: GuestsParts<Platform>) -> Self {
        let (guests, runner) = GuestsRunner::new(parts);
        let (trigger, drained) = drain();
        let mut running = JoinSet::new();
        running.spawn(runner.run(drained));
        Self {
            guests,
            trigger,
            running,
        }
    }

    fn on(journal: &MemoryJournal) -> Self {
        Self::of(parts(journal, &["chat"]))
    }

    async fn create(&self) -> Result<Session, CreateProblem> {
        let none = BTreeMap::new();
        self.guests.create(template(), guest(), none).await
    }

    async fn end(mut self) {
        self.trigger.drain();
        self.running.join_next().await.unwrap().unwrap();
    }
}

fn read_only() -> AppendError {
    AppendError::ReadOnly {
        reason: "a test".to_owned(),
    }
}

fn message(id: &str) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        content: Content::Text {
            text: "Where is my parcel?".to_owned(),
        },
        attributes: BTreeMap::new(),
        expire_time: None,
        unknown_outcome: None,
    }
}

#[tokio::test(start_paused = true)]
async fn u36_what_a_kept_guest_is_sent_before_it_runs_again_is_taken_once_it_runs() {
    let journal = journal();
    let before = Stage::on(&journal);
    before.create().await.unwrap();
    before.end().await;

    let (guests, again) = runner(&journal);
    let name = guest();
    let sending = guests.send(&name, message("early"), Accepted);
    tokio::pin!(sending);
    assert!(
        sending.as_mut().now_or_never().is_none(),
        "nothing runs yet"
    );
    let (_trigger, drained) = drain();
    let mut running = JoinSet::new();
    running.spawn(again.run(drained));
    let taken = sending.await.unwrap().unwrap();
    assert_eq!(taken.message.state(), Shown::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_cannot_be_written_down_does_not_stand_and_may_come_again() {
    let journal = journal();
    let stage = Stage::on(&journal);
    journal.refuse(Some(read_only()));
    let refused = stage.create().await;
    assert!(
        matches!(refused, Err(CreateProblem::ReadOnly { .. })),
        "{refused:?}"
    );
    assert_eq!(stage.guests.journal_of(&guest()), None);
    journal.refuse(None);
    stage.create().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_that_open_the_same_guest_at_once_get_one_session() {
    let stage = Stage::on(&journal());
    let (one, other) = tokio::join!(stage.create(), stage.create());
    assert_eq!(one.unwrap().name, "sessions/ada");
    assert_eq!(other.unwrap().name, "sessions/ada");
    assert_eq!(stage.create().await.unwrap().name, "sessions/ada");
}

#[tokio::test(start_paused = true)]
async fn a_name_of_the_configuration_or_of_another_template_is_taken() {
    let mut parts = parts(&journal(), &["chat", "voice"]);
    let configured = SessionName::new("contact-centre").unwrap();
    parts.configured = BTreeSet::from([configured.clone()]);
    let stage = Stage::of(parts);
    stage.create().await.unwrap();
    let create = |template: &str, name: &SessionName| {
        let template = TemplateName::new(template).unwrap();
        stage.guests.create(template, name.clone(), BTreeMap::new())
    };
    let taken = Err(CreateProblem::NameTaken);
    assert_eq!(create("chat", &configured).await, taken);
    assert_eq!(create("voice", &guest()).await, taken);
    let nowhere = create("post", &guest()).await;
    assert_eq!(nowhere, Err(CreateProblem::NoTemplate));
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_closed_once_for_all_who_ask_and_its_name_is_not_given_again() {
    let stage = Stage::on(&journal());
    let nobody = stage.guests.close(guest()).await;
    assert_eq!(nobody, Err(CloseProblem::NotFound));
    stage.create().await.unwrap();
    let (one, other) = tokio::join!(stage.guests.close(guest()), stage.guests.close(guest()));
    assert_eq!((one, other), (Ok(()), Ok(())));
    assert_eq!(stage.guests.close(guest()).await, Ok(()));
    assert_eq!(stage.create().await, Err(CreateProblem::Over));
    let late = message("late");
    let late = stage.guests.send(&guest(), late, Accepted).await;
    assert_eq!(late.unwrap().err(), Some(SendProblem::SessionExpired));
    let cancelled = stage.guests.cancel(&guest(), "late").await.unwrap();
    assert_eq!(cancelled, Err(CancelProblem::NotFound));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_down_is_no_end_for_who_asked() {
    let journal = journal();
    let stage = Stage::on(&journal);
    stage.create().await.unwrap();
    journal.refuse(Some(read_only()));
    let closed = stage.guests.close(guest()).await;
    assert!(
        matches!(closed, Err(CloseProblem::Unavailable { .. })),
        "{closed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_over_is_forgotten_a_day_later_and_its_name_is_free() {
    let journal = journal();
    let stage = Stage::on(&journal);
    stage.create().await.unwrap();
    stage.guests.close(guest()).await.unwrap();
    tokio::time::advance(Duration::from_secs(23 * 3600)).await;
    assert_eq!(stage.create().await, Err(CreateProblem::Over));
    assert!(!journal.state("guests/").is_empty());
    let mut minutes = 0;
    while !journal.state("guests/").is_empty() {
        tokio::time::advance(Duration::from_secs(60)).await;
        minutes += 1;
    }
    assert!(minutes <= 71, "it took {minutes} minutes more");
    stage.create().await.unwrap();
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_answers_whoever_waits_and_takes_nobody_new() {
    let stage = Stage::on(&journal());
    let guests = stage.guests.clone();
    stage.create().await.unwrap();
    stage.end().await;
    let late = guests.create(template(), guest(), BTreeMap::new()).await;
    assert!(
        matches!(late, Err(CreateProblem::Draining { .. })),
        "{late:?}"
    );
    let closed = guests.close(guest()).await;
    assert!(
        matches!(closed, Err(CloseProblem::Unavailable { .. })),
        "{closed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn guests_that_cannot_go_on_after_a_restart_stop_no_other() {
    let journal = journal();
    let before = Stage::of(parts(&journal, &["chat", "voice"]));
    before.create().await.unwrap();
    let voice = TemplateName::new("voice").unwrap();
    let bob = SessionName::new("bob").unwrap();
    let opened = before.guests.create(voice, bob.clone(), BTreeMap::new());
    opened.await.unwrap();
    before.end().await;
    let put = |key: &str, value: &'static str| StateDelta {
        key: key.to_owned(),
        value: Some(value.into()),
        event: None,
    };
    let commit = Commit {
        events: Vec::new(),
        state: vec![
            put("guests/eve", "no record at all"),
            put("guests/mia", r#"{"template":"chat","token_sealed":"AAAA"}"#),
        ],
    };
    journal.append(commit).await.unwrap();

    let stage = Stage::on(&journal);
    assert_eq!(stage.create().await.unwrap().name, "sessions/ada");
    let eve = SessionName::new("eve").unwrap();
    assert_eq!(stage.guests.journal_of(&eve), None);
    assert_eq!(stage.guests.journal_of(&bob), None, "its template is gone");
    let mia = SessionName::new("mia").unwrap();
    let sent = stage.guests.send(&mia, message("lost"), Accepted).await;
    assert_eq!(sent.unwrap().err(), Some(SendProblem::SessionExpired));
}
