//! [`Manners`]: what the sidecar asks of the platform, watched where it leaves: no storm, no token
//! asked for too soon, no token used that was rejected, no wait cut short that the platform asked for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tieline::net::{
    CallClass, HandshakeFailure, HttpClient, HttpFailure, HttpRequest, HttpResponse,
    WebSocketRequest,
};
use tieline::runtime::MonoTime;

const WINDOW: Duration = Duration::from_secs(10);
/// Requests and handshakes of one life in any window. Polls that bring something follow each other
/// as fast as events come, and are not counted.
const MOST: usize = 60;
/// Likewise to the history, which is asked for single events where no batch can be read (U13).
const MOST_FROM_HISTORY: usize = 150;
/// Polls of one life in any window that brought nothing.
const MOST_EMPTY: usize = 40;
/// U23.
const TOKEN_PACE: Duration = Duration::from_secs(1);

/// What all lives of the sidecar have done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manners(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    lives: u64,
    /// How often each token was rejected.
    rejected: BTreeMap<u64, u32>,
    broken: Option<String>,
}

/// What one life has done.
#[derive(Debug, Default)]
struct Life {
    number: u64,
    recent: VecDeque<MonoTime>,
    history: VecDeque<MonoTime>,
    empty: VecDeque<MonoTime>,
    token_asked: Option<MonoTime>,
    /// What must not be asked again before this.
    not_before: BTreeMap<String, MonoTime>,
}

/// The manners of one life.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    all: Manners,
    life: Arc<Mutex<Life>>,
}

impl Manners {
    /// Another life begins.
    pub(crate) fn watch(&self) -> Watch {
        let mut seen = self.0.lock();
        seen.lives += 1;
        let life = Life {
            number: seen.lives,
            ..Life::default()
        };
        Watch {
            all: self.clone(),
            life: Arc::new(Mutex::new(life)),
        }
    }

    /// What was wrong first.
    pub(crate) fn broken(&self) -> Option<String> {
        self.0.lock().broken.clone()
    }
}

impl Watch {
    pub(crate) fn over<C>(&self, client: C) -> Polite<C> {
        Polite {
            client,
            watch: self.clone(),
        }
    }

    fn breaks(&self, how: &str) {
        let number = self.life.lock().number;
        let mut seen = self.all.0.lock();
        seen.broken.get_or_insert(format!("life {number}: {how}"));
    }

    fn leaves(&self, class: CallClass, path: &str, headers: &HeaderMap) {
        let now = MonoTime::now();
        let mut complaints = Vec::new();
        {
            let mut life = self.life.lock();
            if class == CallClass::Token {
                let last = life.token_asked.replace(now);
                if last.is_some_and(|last| now - last < TOKEN_PACE) {
                    complaints.push("it asked for a token twice within a second".to_owned());
                }
            }
            let life = &mut *life;
            let crowded = match class {
                CallClass::Poll => None,
                CallClass::Backfill => crowded(&mut life.history, now, MOST_FROM_HISTORY),
                _ => crowded(&mut life.recent, now, MOST),
            };
            if let Some(most) = crowded {
                complaints.push(format!("more than {most} requests within {WINDOW:?}"));
            }
            if life.not_before.get(path).is_some_and(|until| now < *until) {
                complaints.push(format!("it was to wait before it asked {path} again"));
            }
        }
        let used = token(headers).and_then(|t| self.all.0.lock().rejected.get(&t).copied());
        if used.is_some_and(|times| times > 1) {
            complaints.push("it used a token that was rejected twice".to_owned());
        }
        for complaint in complaints {
            self.breaks(&complaint);
        }
    }

    fn answered(&self, status: StatusCode, path: &str, sent: &HeaderMap, got: &HeaderMap) {
        if status == StatusCode::UNAUTHORIZED
            && let Some(token) = token(sent)
        {
            *self.all.0.lock().rejected.entry(token).or_default() += 1;
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let asked = got.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = asked.and_then(|text| text.parse().ok()).unwrap_or(1);
            let until = MonoTime::now() + Duration::from_secs(seconds);
            self.life.lock().not_before.insert(path.to_owned(), until);
        }
    }

    /// A poll was not answered with events.
    fn brought_nothing(&self) {
        let crowded = crowded(&mut self.life.lock().empty, MonoTime::now(), MOST_EMPTY);
        if crowded.is_some() {
            self.breaks(&format!(
                "more than {MOST_EMPTY} empty polls within {WINDOW:?}"
            ));
        }
    }
}

/// The bound, where it is exceeded.
fn crowded(recent: &mut VecDeque<MonoTime>, now: MonoTime, most: usize) -> Option<usize> {
    recent.push_back(now);
    while recent.front().is_some_and(|first| now - *first > WINDOW) {
        recent.pop_front();
    }
    (recent.len() > most).then_some(most)
}

/// A token's hash, which names it well enough.
fn token(headers: &HeaderMap) -> Option<u64> {
    let mut hash = DefaultHasher::new();
    headers.get(AUTHORIZATION)?.as_bytes().hash(&mut hash);
    Some(hash.finish())
}

/// A client whose manners are watched.
pub(crate) struct Polite<C> {
    client: C,
    watch: Watch,
}

impl<C> fmt::Debug for Polite<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Polite")
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for Polite<C> {
    type Socket = C::Socket;

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let (class, path) = (request.class, request.url.path().to_owned());
        let headers = request.headers.clone();
        self.watch.leaves(class, &path, &headers);
        let answer = self.client.request(request).await;
        if let Ok(answer) = &answer {
            self.watch
                .answered(answer.status, &path, &headers, &answer.headers);
        }
        let full = answer.as_ref().is_ok_and(|answer| {
            let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
            let events = body.get("events").and_then(Value::as_array);
            events.is_some_and(|events| !events.is_empty())
        });
        if class == CallClass::Poll && !full {
            self.watch.brought_nothing();
        }
        answer
    }

    async fn websocket(&self, request: WebSocketRequest) -> Result<C::Socket, HandshakeFailure> {
        let path = format!("websocket {}", request.url.path());
        let headers = request.headers.clone();
        self.watch.leaves(CallClass::Subscription, &path, &headers);
        let opened = self.client.websocket(request).await;
        if let Err(HandshakeFailure::Status {
            status,
            headers: got,
            ..
        }) = &opened
        {
            self.watch.answered(*status, &path, &headers, got);
        }
        opened
    }
}
