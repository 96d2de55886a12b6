//! From the letter box to the wire and back: driver, machine and queue together, in paused time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{Canary, Running, Tokens, journal};
use crate::auth::TokenSource;
use crate::connectors::{Built, Content, Identity};
use crate::domain::{SessionName, WallTime};
use crate::journal::Journal;
use crate::net::{
    Frame, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse, WebSocket,
    WebSocketRequest,
};
use crate::proto::v1::OutboundMessageState as Shown;
use crate::proto::v1::session::State;
use crate::runtime::{Clock, Rng, drain};
use crate::session::machine::tests::fake::{Fake, Rest};
use crate::session::outbound::{
    self, Accepted, CancelLetter, CancelProblem, Letter, Mail, NewMessage, OutboundSettings,
    SendLetter, SendProblem, Stage, UnknownOutcome,
};
use crate::session::{HealthDesk, SessionBoard, SessionParts, Supervisor, SupervisorParts};
use crate::telemetry::traces::Tracer;

/// The platform: confirms, acknowledges, remembers.
#[derive(Debug)]
struct Desk {
    got: Mutex<Vec<String>>,
    mood: watch::Sender<Mood>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mood {
    /// Connections break when this rises.
    cut: u32,
    /// A message breaks the connection behind it.
    cut_behind_message: bool,
    /// The guest's session is over.
    expired: bool,
}

impl Desk {
    fn change(&self, change: impl FnOnce(&mut Mood)) {
        self.mood.send_modify(change);
    }
}

#[async_trait]
impl HttpClient for Shared {
    type Socket = Line;

    async fn request(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        // The history.
        let got = self.0.got.lock();
        let seen = got.iter().enumerate().map(|(index, message)| {
            let (_, text) = message.split_once(':').unwrap();
            format!("seen:p{index}:{text}")
        });
        Ok(HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(seen.collect::<Vec<_>>().join(";")),
        })
    }

    async fn websocket(&self, _: WebSocketRequest) -> Result<Line, HandshakeFailure> {
        let mood = self.0.mood.subscribe();
        let cut = mood.borrow().cut;
        Ok(Line {
            desk: Arc::clone(&self.0),
            mood,
            cut,
            says: VecDeque::new(),
        })
    }
}

#[derive(Debug)]
struct Shared(Arc<Desk>);

#[derive(Debug)]
struct Line {
    desk: Arc<Desk>,
    mood: watch::Receiver<Mood>,
    cut: u32,
    says: VecDeque<Frame>,
}

#[async_trait]
impl WebSocket for Line {
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
        loop {
            let mood = *self.mood.borrow_and_update();
            if mood.cut != self.cut {
                return Err(HttpFailure::Reset("cut".to_owned()));
            }
            if let Some(frame) = self.says.pop_front() {
                return Ok(Some(frame));
            }
            if mood.expired {
                return Ok(Some(Frame::Text("expired".into())));
            }
            self.mood.changed().await.unwrap();
        }
    }

    async fn send(&mut self, frame: Frame) -> Result<(), HttpFailure> {
        match frame {
            Frame::Text(text) => {
                let text = String::from_utf8(text.to_vec()).unwrap();
                if text.starts_with("subscribe") {
                    self.says.push_back(Frame::Text("ok".into()));
                } else if let Some(message) = text.strip_prefix("message ") {
                    let mut got = self.desk.got.lock();
                    let id = message.split(':').next().unwrap();
                    let ack = format!("ack:{id}:p{}", got.len());
                    got.push(message.to_owned());
                    drop(got);
                    if self.mood.borrow().cut_behind_message {
                        self.desk.change(|mood| {
                            mood.cut += 1;
                            mood.cut_behind_message = false;
                        });
                    } else {
                        self.says.push_back(Frame::Text(ack.into()));
                    }
                } else if text == "goodbye" {
                    self.desk.got.lock().push("goodbye:".to_owned());
                }
            }
            Frame::Ping(payload) => self.says.push_back(Frame::Pong(payload)),
            close @ Frame::Close { .. } => self.says.push_back(close),
            Frame::Binary(_) | Frame::Pong(_) => {}
        }
        self.mood.mark_changed();
        Ok(())
    }
}

struct Guest {
    running: Running,
    mail: Arc<Mail>,
    desk: Arc<Desk>,
}

fn start() -> Guest {
    let journal = journal();
    let config = serde_json::json!({
        "name": "cc",
        "platform": "genesys-events",
        "endpoint": "https://fake.test",
        "auth": { "grant": "client_credentials" },
    });
    let desk = Arc::new(Desk {
        got: Mutex::default(),
        mood: watch::Sender::default(),
    });
    let mail = Arc::<Mail>::default();
    let tokens = Tokens::new();
    let board = SessionBoard::new();
    let wall = WallTime::parse_rfc3339("2026-03-10T09:41:00Z").unwrap();
    let parts = SupervisorParts {
        sessions: vec![SessionParts {
            config: serde_json::from_value(config).unwrap(),
            http: Arc::new(Shared(Arc::clone(&desk))),
            tokens: Arc::clone(&tokens) as Arc<dyn TokenSource>,
            journal: Arc::new(journal.clone()),
            health: HealthDesk::default(),
            sealer: None,
            outbound: Some(OutboundSettings {
                mail: Arc::clone(&mail),
                ttl: Duration::from_secs(300),
                attempts: 3,
                unknown_outcome: UnknownOutcome::Report,
            }),
        }],
        board: board.clone(),
        clock: Clock::anchored(wall),
        rng: Rng::from_seed(7),
        tracer: Tracer::off(),
    };
    let guest = Fake::new(Identity::Ids)
        .knowing(Rest::History { calls: 1 })
        .taking(false, true)
        .shared();
    let build = move |_: &_| -> crate::session::supervisor::Build {
        let guest = Arc::clone(&guest);
        Box::new(move |_| Ok(Some(Built::Ready(vec![Arc::clone(&guest)]))))
    };
    let supervisor = Supervisor::building(parts, build).unwrap();
    let stats = Arc::clone(&supervisor.stats()[0].1);
    let (trigger, drain) = drain();
    let canary = Canary::new(&journal, &board);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(supervisor.run(drain));
    let running = Running {
        journal,
        tokens,
        board,
        stats,
        trigger,
        task,
        _canary: canary,
    };
    Guest {
        running,
        mail,
        desk,
    }
}

impl Guest {
    fn post(
        &self,
        id: &str,
        text: &str,
        wait_for: Stage,
    ) -> oneshot::Receiver<Result<Accepted, SendProblem>> {
        let (answer, told) = oneshot::channel();
        let message = NewMessage {
            id: id.to_owned(),
            content: Content::Text {
                text: text.to_owned(),
            },
            attributes: std::collections::BTreeMap::new(),
            expire_time: None,
            unknown_outcome: None,
        };
        let letter = SendLetter {
            message,
            wait_for,
            answer,
        };
        self.mail.post(Letter::Send(letter)).unwrap();
        told
    }

    async fn send(&self, id: &str, wait_for: Stage) -> Result<Accepted, SendProblem> {
        let text = format!("text of {id}");
        self.post(id, &text, wait_for).await.expect("an answer")
    }

    async fn until_state(&mut self, state: State) {
        self.running.until("state", |s| s.state() == state).await;
    }
}

#[tokio::test(start_paused = true)]
async fn u36_a_letter_is_answered_and_what_is_stored_says_the_same() {
    let mut guest = start();
    guest.until_state(State::Active).await;
    let told = guest.send("a", Stage::Acknowledged).await.unwrap();
    assert_eq!(told.message.state(), Shown::Acknowledged);
    assert_eq!(told.message.provider_message_id, "p0");
    let again = guest.send("a", Stage::Accepted).await.unwrap();
    assert_eq!(again, told);
    let journal = &guest.running.journal;
    let name = SessionName::new("cc").unwrap();
    let read = |id| outbound::read(journal, &name, id).unwrap();
    assert_eq!(read("a").as_ref(), Some(&told));
    assert_eq!(
        (read("b"), told.position.epoch),
        (None, journal.info().epoch)
    );
    let position = usize::try_from(told.position.sequence.get()).unwrap();
    let event = &journal.events()[position - 1];
    assert_eq!(event.r#type, "tieline.outbound_message.accepted.v1");
    let next = guest.send("b", Stage::Sent).await.unwrap();
    let listed = outbound::list(&guest.running.journal, &name).unwrap();
    let names: Vec<_> = listed.iter().map(|own| &own.message.name).collect();
    assert_eq!(names, [&told.message.name, &next.message.name]);
    let (answer, cancelled) = oneshot::channel();
    let id = "a".to_owned();
    guest
        .mail
        .post(Letter::Cancel(CancelLetter { id, answer }))
        .unwrap();
    assert!(matches!(
        cancelled.await.unwrap(),
        Err(CancelProblem::TooLate(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn u36_a_connection_that_breaks_behind_a_message_costs_nothing_where_history_shows_it() {
    let mut guest = start();
    guest.until_state(State::Active).await;
    guest.desk.change(|mood| mood.cut_behind_message = true);
    let told = guest.send("a", Stage::Acknowledged).await.unwrap();
    assert_eq!(told.message.state(), Shown::Acknowledged);
    assert_eq!(guest.desk.got.lock().as_slice(), ["a:text of a"]);
}

#[tokio::test(start_paused = true)]
async fn u36_callers_that_leave_cost_nothing() {
    let mut guest = start();
    guest.until_state(State::Active).await;
    for n in 0..500 {
        drop(guest.post(&n.to_string(), "hello", Stage::Acknowledged));
        if n % 100 == 99 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let last = guest.send("last", Stage::Acknowledged).await.unwrap();
    assert_eq!(last.message.state(), Shown::Acknowledged);
    assert_eq!(
        guest.desk.got.lock().len(),
        501,
        "what was accepted is sent"
    );
}

#[tokio::test(start_paused = true)]
async fn u39_who_asks_an_expired_session_is_told_so_while_it_ends_and_after() {
    let mut guest = start();
    guest.until_state(State::Active).await;
    guest.desk.change(|mood| mood.expired = true);
    guest.until_state(State::Closed).await;
    for _ in 0..2 {
        let told = guest.send("a", Stage::Accepted).await;
        assert_eq!(told, Err(SendProblem::SessionExpired));
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn u39_a_session_that_is_closed_says_goodbye_and_takes_nothing_more() {
    let mut guest = start();
    guest.until_state(State::Active).await;
    guest.send("a", Stage::Acknowledged).await.unwrap();
    guest.mail.post(Letter::Close).unwrap();
    guest.until_state(State::Closed).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(guest.desk.got.lock().last().unwrap(), "goodbye:");
    let told = guest.send("b", Stage::Accepted).await;
    assert!(matches!(told, Err(SendProblem::Draining { .. })));
}
