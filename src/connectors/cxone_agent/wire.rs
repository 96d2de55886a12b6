//! Reads answers and events. Events are slices of the body that they came in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::kept::session_id;
use super::normalize::{is_contact, stands};
use crate::connectors::{ProviderEvent, Tracked, Unreadable};
use crate::domain::WallTime;
use crate::runtime::Secret;

/// The scope of an agent's contacts in [`Tracked`].
pub(super) const CONTACTS: &str = "contacts";

/// The outcome that the platform names in a header. The values are those of the vendor's scripting
/// action for the same request, in its order; its SDK uses 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// Events were dropped: the answer holds the present state.
    Missed,
    /// The session has ended.
    Ended,
    /// The id means nothing.
    Invalid,
}

impl Branch {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        match headers.get("icbranchvalue")?.to_str().ok()?.trim() {
            "3" => Some(Self::Missed),
            "4" => Some(Self::Ended),
            "5" => Some(Self::Invalid),
            _ => None,
        }
    }
}

/// An answer to a poll.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The id to ask with next; the last one still counts where there is none.
    pub(super) session: Option<Secret<String>>,
    pub(super) events: Vec<ProviderEvent>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "sessionId", borrow, default)]
    session: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    events: Option<Vec<&'a RawValue>>,
}

/// Reads an answer to a poll.
pub(super) fn poll_answer(body: &Bytes) -> Result<Answer, Unreadable> {
    let found = read(body, "poll answer")?;
    if found.session.is_none() && found.events.is_none() {
        return Err(unreadable("poll answer", "neither session id nor events"));
    }
    let session = match found.session {
        Some(text) => Some(valid(text, "poll answer")?),
        None => None,
    };
    let events = found.events.unwrap_or_default();
    let events = events.into_iter().map(|json| event(json.get(), body));
    Ok(Answer {
        session,
        events: events.collect(),
    })
}

/// Reads the answer to a start or a join: the first session id.
pub(super) fn session_answer(body: &Bytes) -> Result<Secret<String>, Unreadable> {
    let found = read(body, "session")?;
    let text = found.session;
    let text = text.ok_or_else(|| unreadable("session", "it has no id"))?;
    valid(text, "session")
}

fn valid(text: Cow<'_, str>, what: &'static str) -> Result<Secret<String>, Unreadable> {
    let id = session_id(text.into_owned());
    id.ok_or_else(|| unreadable(what, "its session id is none"))
}

fn read<'a>(body: &'a Bytes, what: &'static str) -> Result<Body<'a>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|e| unreadable(what, &e.to_string()))?;
    // The parser's own message may quote the text, so only its place is told.
    serde_json::from_str(text).map_err(|e| {
        let (kind, column) = (e.classify(), e.column());
        unreadable(
            what,
            &format!("{kind:?} at column {column} of {}", body.len()),
        )
    })
}

fn unreadable(what: &'static str, reason: &str) -> Unreadable {
    let reason = reason.to_owned();
    Unreadable { what, reason }
}

/// Reads one event. What cannot be read makes it malformed, never lost (U20).
fn event(json: &str, body: &Bytes) -> ProviderEvent {
    let mut event = ProviderEvent {
        raw: body.slice_ref(json.trim_ascii().as_bytes()),
        ..ProviderEvent::default()
    };
    let Some(fields) = Fields::read(json) else {
        event.malformed = Some("not an object".to_owned());
        return event;
    };
    let Some(kind) = fields.text("Type") else {
        event.malformed = Some("it has no type".to_owned());
        return event;
    };
    event.topic = kind.into_owned();
    let changed = fields.time("LastStateChangeTimeUTC");
    event.time = changed.or_else(|| fields.time("StartTimeUTC"));
    if event.topic == "AgentState" {
        event.dated = event.time.is_some();
    } else if is_contact(&event.topic) {
        event.dated = changed.is_some();
        match fields.text("ContactID") {
            Some(contact) => {
                event.key = Some(format!("{CONTACTS}/{contact}"));
                event.tracked = stands(&event.topic, &fields).map(|stands| Tracked {
                    scope: CONTACTS.to_owned(),
                    key: contact.into_owned(),
                    stands,
                });
            }
            None => event.malformed = Some("no contact id".to_owned()),
        }
    }
    event
}

/// Tells the events of an answer whose session they came in.
pub(super) fn sign(events: &mut [ProviderEvent], agent: Option<&Arc<str>>) {
    for event in events {
        event.context = agent.cloned();
    }
}

/// The fields of an event. The platform writes names like `StartTimeUTC`, its SDK `startTimeUtc`:
/// case does not count. Of repeated names the last counts.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The fields of one JSON object; `None` for anything else.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        let mut parser = serde_json::Deserializer::from_str(json);
        let fields = parser.deserialize_map(Collector).ok()?;
        parser.end().ok()?;
        Some(Self(fields))
    }

    fn value(&self, name: &str) -> Option<&'a RawValue> {
        let mut fields = self.0.iter().rev();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }

    /// A value as text. All values are strings by the book; numbers and truth values are taken too.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
        let json = self.value(name)?.get();
        let text = match json.as_bytes().first()? {
            b'"' => serde_json::from_str::<Text<'a>>(json).ok()?.0,
            b'{' | b'[' | b'n' => return None,
            _ => Cow::Borrowed(json),
        };
        (!text.is_empty()).then_some(text)
    }

    /// `"True"` or `"False"`, in any case.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        match text {
            t if t.eq_ignore_ascii_case("true") => Some(true),
            t if t.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A time in UTC; the platform may leave out the `Z` of a field that says so in its name.
    pub(super) fn time(&self, name: &str) -> Option<WallTime> {
        let text = self.text(name)?;
        let time = WallTime::parse_rfc3339(&text);
        time.or_else(|| WallTime::parse_rfc3339(&format!("{text}Z")))
    }
}

struct Collector;

impl<'a> Visitor<'a> for Collector {
    type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        struct Name<'n>(#[serde(borrow)] Cow<'n, str>);
        let mut fields = Vec::with_capacity(32);
        while let Some((Name(name), value)) = map.next_entry::<Name<'a>, &'a RawValue>()? {
            fields.push((name, value));
        }
        Ok(fields)
    }
}
