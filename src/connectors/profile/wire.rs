//! [`Wire`]: reads a profile's frames and bodies. Events are slices of the bytes they came in.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::model::{EventShape, FrameMeaning, FrameRule, NumberedTime, Profile};
use super::pointers::{Pointers, Slot};
use crate::connectors::{Batch, Confirms, Control, ProviderEvent, Unreadable};
use crate::domain::WallTime;
use crate::runtime::Mistake;

/// No key is called so, so that nothing stands there.
const NOWHERE: &str = "/\u{0}";
/// Of what a platform says in a refusal, no more is kept.
const LONGEST_REASON: usize = 200;
/// A refusal that does not say why.
const BAD_REQUEST: u16 = 400;

/// A profile's pointers, compiled.
#[derive(Debug)]
pub(super) struct Wire {
    /// What is asked of a frame: the batch's number and events, then the type of each form of an
    /// event, status and message of each form of an error, and the place of each rule.
    outer: Pointers,
    /// What is asked of an event: type, number, time and id of each form.
    event: Pointers,
    events: Vec<EventShape>,
    errors: usize,
    rules: Vec<FrameRule>,
}

/// What a frame said.
#[derive(Debug)]
pub(super) enum Said {
    /// A batch, which may be one event, or nothing at all.
    Batch(Batch),
    /// An answer to a heartbeat.
    Acknowledgement,
}

impl Wire {
    pub(super) fn new(profile: &Profile) -> Self {
        let at = |pointer: &Option<String>| pointer.clone().unwrap_or_else(|| NOWHERE.to_owned());
        let mut outer = vec![
            (at(&profile.batch.number), false),
            (at(&profile.batch.events), true),
        ];
        outer.extend(profile.events.iter().map(|e| (e.kind.clone(), false)));
        for error in &profile.errors {
            outer.push((error.status.clone(), false));
            outer.push((at(&error.message), false));
        }
        outer.extend(profile.frames.iter().map(|rule| (rule.at.clone(), false)));
        let each = profile.events.iter();
        let event: Vec<_> = each
            .flat_map(|e| [e.kind.clone(), at(&e.number), at(&e.time), at(&e.id)])
            .map(|pointer| (pointer, false))
            .collect();
        Self {
            outer: compiled(&outer),
            event: compiled(&event),
            events: profile.events.clone(),
            errors: profile.errors.len(),
            rules: profile.frames.clone(),
        }
    }

    /// Reads a whole frame or body: a batch, an array of events, one bare event, an error, or what a
    /// rule says.
    pub(super) fn read(&self, what: &'static str, body: &Bytes) -> Result<Said, Unreadable> {
        let unreadable = |reason: String| Unreadable { what, reason };
        let text = std::str::from_utf8(body).map_err(|e| unreadable(e.to_string()))?;
        // The parser's own message may quote the text, so only its place is told.
        let broken = |e: serde_json::Error| {
            let (kind, at) = (e.classify(), e.column());
            unreadable(format!("{kind:?} at column {at} of {}", body.len()))
        };
        if text.trim_ascii_start().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
            if items.is_empty() {
                return Err(unreadable("an array without events".to_owned()));
            }
            let events = items.iter().map(|item| self.event(item.get(), body));
            return Ok(Said::Batch(Batch {
                events: events.collect(),
                ..Batch::empty()
            }));
        }
        let outer = self.outer.find(text).map_err(broken)?;
        let [number, events, rest @ ..] = outer.as_slice() else {
            return Err(unreadable("no object".to_owned()));
        };
        let (kinds, rest) = rest.split_at_checked(self.events.len()).unwrap_or_default();
        let (errors, places) = rest.split_at_checked(2 * self.errors).unwrap_or_default();
        if let Some(rule) = self.rule(places) {
            return Ok(match rule {
                FrameMeaning::Acknowledgement => Said::Acknowledgement,
                FrameMeaning::Confirmation => Said::Batch(Batch::empty()),
                FrameMeaning::Closing => control(Control::Closing),
                FrameMeaning::Refusal => {
                    let refused = refusal(errors);
                    refused.unwrap_or_else(|| refused_with(BAD_REQUEST, &Slot::Absent))
                }
                FrameMeaning::Nothing => Said::Batch(Batch::default()),
            });
        }
        match events {
            Slot::List(items) => self.batch(number, items, body).map_err(unreadable),
            Slot::Value(_) | Slot::Other => Err(unreadable("the events are not a list".to_owned())),
            Slot::Absent if kinds.iter().any(Slot::is_present) => Ok(Said::Batch(Batch {
                events: vec![self.event(text, body)],
                ..Batch::empty()
            })),
            Slot::Absent => match refusal(errors) {
                Some(refused) => Ok(refused),
                None if number.is_present() && Mistake::UntypedEventTakenForABatch.is_made() => {
                    self.batch(number, &[], body).map_err(unreadable)
                }
                // An event whose type is missing: not a batch, or its number would cover it unread.
                None if number.is_present() => Ok(Said::Batch(Batch {
                    events: vec![self.event(text, body)],
                    ..Batch::empty()
                })),
                None => Err(unreadable(
                    "neither events, nor an event, nor an error".to_owned(),
                )),
            },
        }
    }

    /// What the first rule says that fits.
    fn rule(&self, places: &[Slot<'_>]) -> Option<FrameMeaning> {
        let mut rules = self.rules.iter().zip(places);
        let found = rules.find(|(rule, slot)| match &rule.is {
            Some(text) => slot.text().is_some_and(|found| found == text.as_str()),
            None => slot.is_present(),
        });
        found.map(|(rule, _)| rule.means)
    }

    fn batch(&self, number: &Slot<'_>, items: &[&RawValue], body: &Bytes) -> Result<Said, String> {
        let batch_number = number.number();
        if number.is_present() && batch_number.is_none() {
            return Err("the batch's number is not a number".to_owned());
        }
        let mut events = Vec::with_capacity(items.len());
        for (after, item) in (0_u64..items.len() as u64).rev().zip(items) {
            let mut event = self.event(item.get(), body);
            if event.malformed.is_some() && Mistake::MalformedEventDropped.is_made() {
                continue;
            }
            if event.malformed.is_some() && event.number.is_none() {
                // In a contiguous batch its place tells its number.
                event.number = batch_number.and_then(|n| n.checked_sub(after));
            }
            events.push(event);
        }
        Ok(Said::Batch(Batch {
            number: batch_number,
            events,
            confirms: Confirms::All,
            ..Batch::default()
        }))
    }

    /// Reads one event. What cannot be read makes it malformed, never lost (U20).
    fn event(&self, json: &str, body: &Bytes) -> ProviderEvent {
        let mut event = ProviderEvent {
            raw: body.slice_ref(json.trim_ascii().as_bytes()),
            ..ProviderEvent::default()
        };
        let found = self.event.find(json).unwrap_or_default();
        let mut forms = self.events.iter().zip(found.chunks_exact(4));
        let form = forms
            .clone()
            .find(|(_, slots)| slots.first().is_some_and(Slot::is_present));
        let Some((shape, [kind, number, time, id])) = form.or_else(|| forms.next()) else {
            event.malformed = Some("not an object".to_owned());
            return event;
        };
        let mut wrong = Vec::new();
        event.number = number.number();
        if number.is_present() && event.number.is_none() {
            wrong.push("its number is not a number");
        }
        event.time = read_time(time, shape.numbered_time);
        if time.is_present() && event.time.is_none() {
            wrong.push("its time is not a time");
        }
        event.id = id.text().map(Cow::into_owned);
        match kind.text() {
            Some(kind) if !kind.is_empty() => event.topic = kind.into_owned(),
            _ => wrong.push("it has no type"),
        }
        event.malformed = (!wrong.is_empty()).then(|| wrong.join(", "));
        event
    }
}

fn compiled(pointers: &[(String, bool)]) -> Pointers {
    let each = pointers.iter();
    let borrowed: Vec<_> = each
        .map(|(pointer, list)| (pointer.as_str(), *list))
        .collect();
    Pointers::compile(&borrowed)
}

fn control(control: Control) -> Said {
    Said::Batch(Batch {
        controls: vec![control],
        ..Batch::default()
    })
}

/// The first form of an error whose status is there.
fn refusal(errors: &[Slot<'_>]) -> Option<Said> {
    errors.chunks_exact(2).find_map(|slots| {
        let [status, message] = slots else {
            return None;
        };
        let status = status.number().and_then(|s| u16::try_from(s).ok());
        let status = status.filter(|status| (400..=599).contains(status))?;
        Some(refused_with(status, message))
    })
}

fn refused_with(status: u16, message: &Slot<'_>) -> Said {
    let reason = message.text().unwrap_or_default();
    control(Control::Refused {
        status,
        reason: reason.chars().take(LONGEST_REASON).collect(),
    })
}

/// RFC 3339, or a number since 1970.
pub(super) fn read_time(slot: &Slot<'_>, counts: NumberedTime) -> Option<WallTime> {
    let since_1970 = |number: u64| match counts {
        NumberedTime::Milliseconds => WallTime::from_millis(number),
        NumberedTime::Seconds => WallTime::from_millis(number.saturating_mul(1000)),
    };
    match slot.number() {
        Some(number) => Some(since_1970(number)),
        None => WallTime::parse_rfc3339(&slot.text()?),
    }
}
