//! Frames of the platform: one pass picks the envelope, and [`Said`] is what it means (5.4). What is
//! told apart is the `class`; the `type` only says whether it answers something.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::codes::Code;
use super::message::{Body, Side};
use crate::connectors::{ProviderEvent, Unreadable};
use crate::domain::WallTime;
use crate::runtime::Secret;

/// The class of messages and events.
pub(super) const MESSAGE: &str = "StructuredMessage";
const JWT: &str = "JwtResponse";
/// Longer ids are none.
const LONGEST_ID: usize = 200;
/// Where the platform does not say how long, and what is obeyed of it.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const SHORTEST_RETRY_AFTER: Duration = Duration::from_secs(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// A frame, read.
#[derive(Debug)]
pub(super) struct Said {
    /// What it answers or echoes.
    pub(super) tracing: Option<String>,
    pub(super) what: What,
}

/// What a frame says.
#[derive(Debug)]
pub(super) enum What {
    Session(Session),
    Jwt(Secret<String>, Option<WallTime>),
    /// Nothing that could be used.
    NoJwt,
    Message(Box<Message>),
    Failed(Failure),
    SessionExpired,
    SessionCleared,
    ConnectionClosed(String),
    LoggedOut,
    /// Anything else, kept as it is.
    Other(Box<ProviderEvent>),
}

/// The answer to `configureSession`.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) connected: Option<bool>,
    pub(super) new: bool,
    pub(super) read_only: bool,
    pub(super) cleared: bool,
    pub(super) lasts: Lasts,
}

/// Until when a session lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lasts {
    until: Option<WallTime>,
    duration: Option<Duration>,
}

impl Lasts {
    /// By the platform's date, else from now on.
    pub(super) fn until(self, now: WallTime) -> Option<WallTime> {
        self.until
            .or_else(|| self.duration.map(|lasts| now.plus(lasts)))
    }
}

/// A message or event of the conversation.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) event: ProviderEvent,
    /// It is the guest's, and says something: an echo.
    pub(super) own: Option<Own>,
    pub(super) ends_session: bool,
    pub(super) lasts: Lasts,
}

/// What is known of a guest's own message.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) provider_id: Option<String>,
    /// By the metadata.
    pub(super) id: Option<String>,
}

/// An error frame.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) retry_after: Duration,
    /// As it came, where nothing is to blame for it.
    pub(super) event: Box<ProviderEvent>,
}

/// What stands around a body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(default)]
    class: Option<String>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tracing_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The body of an event and what it echoes; a record of the history stands alone.
pub(super) fn body_of(raw: &[u8]) -> Result<(Body, Option<String>), String> {
    let envelope: Envelope<'_> = object(raw)?;
    let tracing = envelope.tracing_id.and_then(text);
    let bytes = match (envelope.class, envelope.body) {
        (Some(_), Some(body)) => body.get().as_bytes(),
        (Some(_), None) => return Err("it has no body".to_owned()),
        (None, _) => raw,
    };
    Ok((object(bytes)?, tracing))
}

/// Reads one frame.
pub(super) fn read(frame: &Bytes) -> Result<Said, Unreadable> {
    let envelope: Envelope<'_> = match object(frame) {
        Ok(envelope) => envelope,
        // What is left of it may still open the history: it is not kept.
        Err(_) if names_jwt(frame) => {
            let (tracing, what) = (None, What::NoJwt);
            return Ok(Said { tracing, what });
        }
        Err(problem) => return Err(unreadable("frame", problem)),
    };
    let tracing = envelope.tracing_id.and_then(text);
    let what = what(&envelope, frame)?;
    Ok(Said { tracing, what })
}

fn what(envelope: &Envelope<'_>, frame: &Bytes) -> Result<What, Unreadable> {
    let Some(class) = envelope.class.as_deref().filter(|class| !class.is_empty()) else {
        let problem = "it has no class".to_owned();
        return Ok(What::Other(Box::new(kept("", frame, Some(problem)))));
    };
    let code = envelope.code.and_then(number);
    let failed = code.filter(|code| !(200..=299).contains(code));
    Ok(match (class, failed) {
        ("SessionExpiredEvent", _) => What::SessionExpired,
        ("SessionClearedEvent", _) => What::SessionCleared,
        ("ConnectionClosedEvent", _) => What::ConnectionClosed(closed_because(envelope.body)),
        ("LogoutEvent", _) => What::LoggedOut,
        (JWT, Some(_)) => What::NoJwt,
        (JWT, None) => jwt(envelope.body),
        ("TooManyRequestsErrorMessage", _) => failure(class, 429, envelope.body, frame),
        (_, Some(code)) => failure(class, code, envelope.body, frame),
        ("SessionResponse", None) => What::Session(session(envelope.body)?),
        (MESSAGE, None) => What::Message(Box::new(message(envelope.body, frame))),
        (_, None) => What::Other(Box::new(kept(class, frame, None))),
    })
}

fn kept(class: &str, frame: &Bytes, malformed: Option<String>) -> ProviderEvent {
    ProviderEvent {
        topic: class.to_owned(),
        raw: frame.clone(),
        malformed,
        ..ProviderEvent::default()
    }
}

fn failure(class: &str, code: u64, body: Option<&RawValue>, frame: &Bytes) -> What {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Rate<'a> {
        #[serde(borrow)]
        retry_after: Option<&'a RawValue>,
    }
    let rate = body.and_then(|body| object::<Rate<'_>>(body.get().as_bytes()).ok());
    let seconds = rate.and_then(|rate| rate.retry_after).and_then(number);
    let asked = seconds.map_or(RETRY_AFTER, Duration::from_secs);
    What::Failed(Failure {
        code: Code::of(code),
        retry_after: asked.clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER),
        event: Box::new(kept(class, frame, None)),
    })
}

fn session(body: Option<&RawValue>) -> Result<Session, Unreadable> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Form<'a> {
        connected: Option<bool>,
        new_session: Option<bool>,
        read_only: Option<bool>,
        cleared_existing_session: Option<bool>,
        #[serde(borrow)]
        duration_seconds: Option<&'a RawValue>,
        #[serde(borrow)]
        expiration_date: Option<&'a RawValue>,
    }
    const WHAT: &str = "session";
    let body = body.ok_or_else(|| unreadable(WHAT, "it has no body".to_owned()))?;
    let form: Form<'_> =
        object(body.get().as_bytes()).map_err(|problem| unreadable(WHAT, problem))?;
    Ok(Session {
        connected: form.connected,
        new: form.new_session.unwrap_or_default(),
        read_only: form.read_only.unwrap_or_default(),
        cleared: form.cleared_existing_session.unwrap_or_default(),
        lasts: Lasts {
            until: form.expiration_date.and_then(number).and_then(epoch),
            duration: form
                .duration_seconds
                .and_then(number)
                .map(Duration::from_secs),
        },
    })
}

fn jwt(body: Option<&RawValue>) -> What {
    #[derive(Deserialize)]
    struct Form<'a> {
        jwt: String,
        #[serde(borrow, default)]
        exp: Option<&'a RawValue>,
    }
    let form = body.and_then(|body| object::<Form<'_>>(body.get().as_bytes()).ok());
    match form {
        Some(form) if !form.jwt.is_empty() => {
            let expires = form.exp.and_then(number).and_then(epoch);
            What::Jwt(Secret::new(form.jwt), expires)
        }
        _ => What::NoJwt,
    }
}

fn names_jwt(frame: &[u8]) -> bool {
    frame.windows(JWT.len()).any(|part| part == JWT.as_bytes())
}

/// Why a connection was closed: the vendor's clients read either name.
fn closed_because(body: Option<&RawValue>) -> String {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Form {
        reason: Option<String>,
        reason_code: Option<String>,
    }
    let form = body.and_then(|body| object::<Form>(body.get().as_bytes()).ok());
    let form = form.unwrap_or_default();
    let reason = form.reason.or(form.reason_code).unwrap_or_default();
    reason.chars().take(LONGEST_ID).collect()
}

fn message(body: Option<&RawValue>, frame: &Bytes) -> Message {
    let read = match body {
        Some(body) => object::<Body>(body.get().as_bytes()),
        None => Err("it has no body".to_owned()),
    };
    match read {
        Ok(body) => Message {
            ends_session: body.ends_session(),
            own: (body.side() == Some(Side::Inbound) && body.is_message()).then(|| Own {
                provider_id: body.id().map(str::to_owned),
                id: body.own_id().map(str::to_owned),
            }),
            lasts: Lasts {
                until: body
                    .metadata("expirationDate")
                    .and_then(|t| t.parse().ok())
                    .and_then(epoch),
                duration: None,
            },
            event: event(&body, frame.clone()),
        },
        Err(problem) => Message {
            event: kept(MESSAGE, frame, Some(problem)),
            own: None,
            ends_session: false,
            lasts: Lasts::default(),
        },
    }
}

/// A message or event as it is journaled; `raw` is the frame, or the record of the history.
pub(super) fn event(body: &Body, raw: Bytes) -> ProviderEvent {
    ProviderEvent {
        id: body.id().map(str::to_owned),
        topic: MESSAGE.to_owned(),
        time: body.time(),
        raw,
        ..ProviderEvent::default()
    }
}

/// A page of the history: its records, and whether there are more.
pub(super) struct Page {
    pub(super) records: Vec<(Result<Body, String>, Bytes)>,
    pub(super) is_last: bool,
}

/// Reads a page of the history (5.8).
pub(super) fn page(bytes: &Bytes, number: u32, size: usize) -> Result<Page, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Form<'a> {
        #[serde(borrow)]
        entities: Vec<&'a RawValue>,
        #[serde(default)]
        page_count: Option<u64>,
        #[serde(default)]
        total: Option<u64>,
    }
    let form: Form<'_> = object(bytes).map_err(|problem| unreadable("history", problem))?;
    let number = u64::from(number);
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let count = form.page_count;
    let count = count.or_else(|| form.total.map(|total| total.div_ceil(size)));
    let had = u64::try_from(form.entities.len()).unwrap_or(u64::MAX);
    let is_last = had == 0
        || match count {
            Some(count) => number >= count,
            None => had < size,
        };
    let record = |json: &RawValue| {
        let body = object::<Body>(json.get().as_bytes());
        (body, bytes.slice_ref(json.get().as_bytes()))
    };
    Ok(Page {
        records: form.entities.into_iter().map(record).collect(),
        is_last,
    })
}

/// A record that cannot be read, kept as it is (U20).
pub(super) fn malformed(record: Bytes, problem: String) -> ProviderEvent {
    kept(MESSAGE, &record, Some(problem))
}

/// A text of some length; anything else is none.
fn text(value: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    (!text.is_empty() && text.len() <= LONGEST_ID).then_some(text)
}

/// A whole number, or a text that holds one.
fn number(value: &RawValue) -> Option<u64> {
    value.get().trim_matches('"').parse().ok()
}

/// Seconds since 1970; what no clock shows is none.
fn epoch(seconds: u64) -> Option<WallTime> {
    let nanos = seconds.checked_mul(1_000_000_000)?;
    Some(WallTime::from_nanos(nanos))
}

/// Reads an object; a list of its values would do for the parser. Where it stopped being what was
/// expected is told without any of it.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("not an object".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| {
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        format!("{kind:?} at line {line} column {column}")
    })
}

fn unreadable(what: &'static str, reason: String) -> Unreadable {
    Unreadable { what, reason }
}
