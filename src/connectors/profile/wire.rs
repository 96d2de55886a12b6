//! [`Wire`]: reads a profile's frames and bodies. Events are slices of the bytes they came in.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::model::Profile;
use super::pointers::{Pointers, Slot};
use crate::connectors::{Batch, Confirms, Control, ProviderEvent, Unreadable};
use crate::domain::WallTime;

/// A profile's pointers, compiled.
#[derive(Debug)]
pub(super) struct Wire {
    /// Number, events, error status, error message, event type.
    outer: Pointers,
    /// Type, number, time, id.
    event: Pointers,
}

impl Wire {
    pub(super) fn new(profile: &Profile) -> Self {
        let error = profile.error.as_ref();
        let absent = "/\u{0}";
        Self {
            outer: Pointers::compile(&[
                (&profile.batch.number, false),
                (&profile.batch.events, true),
                (error.map_or(absent, |e| &e.status), false),
                (error.map_or(absent, |e| &e.message), false),
                (&profile.event.kind, false),
            ]),
            event: Pointers::compile(&[
                (&profile.event.kind, false),
                (&profile.event.number, false),
                (&profile.event.time, false),
                (&profile.event.id, false),
            ]),
        }
    }

    /// Reads a whole frame or body: a batch, one bare event, or an error.
    pub(super) fn read(&self, what: &'static str, body: &Bytes) -> Result<Batch, Unreadable> {
        let unreadable = |reason: String| Unreadable { what, reason };
        let text = std::str::from_utf8(body).map_err(|e| unreadable(e.to_string()))?;
        let outer = self.outer.find(text);
        // The parser's own message may quote the text, so only its place is told.
        let outer = outer.map_err(|e| {
            let kind = e.classify();
            unreadable(format!(
                "{kind:?} at column {} of {}",
                e.column(),
                body.len()
            ))
        })?;
        let [number, events, status, message, kind] = outer.as_slice() else {
            return Err(unreadable("no object".to_owned()));
        };
        match events {
            Slot::List(items) => self.batch(number, items, body).map_err(unreadable),
            Slot::Value(_) | Slot::Other => Err(unreadable("the events are not a list".to_owned())),
            Slot::Absent if kind.is_present() => Ok(Batch {
                events: vec![self.event(text, body)],
                confirms: Confirms::All,
                ..Batch::default()
            }),
            Slot::Absent => match status.number().and_then(|s| u16::try_from(s).ok()) {
                Some(status @ 400..=599) => Ok(refusal(status, message)),
                // An event whose type is missing: not a batch, or its number would cover it unread.
                _ if number.is_present() => Ok(Batch {
                    events: vec![self.event(text, body)],
                    confirms: Confirms::All,
                    ..Batch::default()
                }),
                _ => Err(unreadable(
                    "neither events, nor an event, nor an error".to_owned(),
                )),
            },
        }
    }

    fn batch(&self, number: &Slot<'_>, items: &[&RawValue], body: &Bytes) -> Result<Batch, String> {
        let batch_number = number.number();
        if number.is_present() && batch_number.is_none() {
            return Err("the batch's number is not a number".to_owned());
        }
        let mut events = Vec::with_capacity(items.len());
        for (after, item) in (0_u64..items.len() as u64).rev().zip(items) {
            let mut event = self.event(item.get(), body);
            if event.malformed.is_some() && event.number.is_none() {
                // In a contiguous batch its place tells its number.
                event.number = batch_number.and_then(|n| n.checked_sub(after));
            }
            events.push(event);
        }
        Ok(Batch {
            number: batch_number,
            events,
            confirms: Confirms::All,
            ..Batch::default()
        })
    }

    /// Reads one event. What cannot be read makes it malformed, never lost (U20).
    fn event(&self, json: &str, body: &Bytes) -> ProviderEvent {
        let mut event = ProviderEvent {
            raw: body.slice_ref(json.trim_ascii().as_bytes()),
            ..ProviderEvent::default()
        };
        let found = self.event.find(json).unwrap_or_default();
        let [kind, number, time, id] = found.as_slice() else {
            event.malformed = Some("not an object".to_owned());
            return event;
        };
        let mut wrong = Vec::new();
        event.number = number.number();
        if number.is_present() && event.number.is_none() {
            wrong.push("its number is not a number");
        }
        event.time = read_time(time);
        if time.is_present() && event.time.is_none() {
            wrong.push("its time is not a time");
        }
        event.id = id.text().map(std::borrow::Cow::into_owned);
        match kind.text() {
            Some(kind) if !kind.is_empty() => event.topic = kind.into_owned(),
            _ => wrong.push("it has no type"),
        }
        event.malformed = (!wrong.is_empty()).then(|| wrong.join(", "));
        event
    }
}

fn refusal(status: u16, message: &Slot<'_>) -> Batch {
    const LONGEST: usize = 200;
    let reason = message.text().unwrap_or_default();
    Batch {
        controls: vec![Control::Refused {
            status,
            reason: reason.chars().take(LONGEST).collect(),
        }],
        ..Batch::default()
    }
}

/// RFC 3339, or milliseconds since 1970.
pub(super) fn read_time(slot: &Slot<'_>) -> Option<WallTime> {
    match slot.number() {
        Some(millis) => Some(WallTime::from_millis(millis)),
        None => WallTime::parse_rfc3339(&slot.text()?),
    }
}
