//! [`Wire`]: reads a profile's frames and bodies. Events are slices of the bytes they came in.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::model::{EventShape, FrameMeaning, FrameRule, NumberedTime, Profile};
use super::normalize::Forms;
use super::pointers::{Found, Place, Pointers, Slot};
use crate::connectors::{Batch, Confirms, Control, ProviderEvent, Span, Unreadable};
use crate::domain::WallTime;
use crate::runtime::Mistake;

/// Of what a platform says in a refusal, no more is kept.
const LONGEST_REASON: usize = 200;
/// A refusal that does not say why.
const BAD_REQUEST: u16 = 400;

/// A profile's pointers, compiled.
#[derive(Debug)]
pub(super) struct Wire {
    outer: Outer,
    item: Pointers,
    in_item: InEvent,
    pub(super) forms: Forms,
    events: Vec<EventShape>,
    rules: Vec<FrameRule>,
}

/// What is asked of a frame. All that is asked of an event is part of it: a frame that is one is read
/// once.
#[derive(Debug)]
struct Outer {
    pointers: Pointers,
    number: Place,
    events: Place,
    /// Status and message of each form of an error.
    errors: Vec<[Place; 2]>,
    rules: Vec<Place>,
    event: InEvent,
}

/// Where what is asked of an event is found.
#[derive(Debug)]
struct InEvent {
    /// Type, number, time and id of each form of an event.
    shapes: Vec<[Place; 4]>,
    /// What each rule needs that makes a normal form.
    forms: Vec<Vec<Place>>,
}

/// What a frame said.
#[derive(Debug)]
pub(super) enum Said {
    /// A batch, which may be one event, or nothing at all.
    Batch(Batch),
    /// An answer to a heartbeat.
    Acknowledgement,
}

impl InEvent {
    fn ask(pointers: &mut Pointers, profile: &Profile, forms: &Forms) -> Self {
        let shape = |shape: &EventShape, pointers: &mut Pointers| {
            [
                pointers.value(&shape.kind),
                optional(pointers, shape.number.as_ref()),
                optional(pointers, shape.time.as_ref()),
                optional(pointers, shape.id.as_ref()),
            ]
        };
        let each = profile.events.iter();
        Self {
            shapes: each.map(|own| shape(own, pointers)).collect(),
            forms: forms.ask(pointers),
        }
    }
}

fn optional(pointers: &mut Pointers, pointer: Option<&String>) -> Place {
    pointer.map_or(Place::NOWHERE, |pointer| pointers.value(pointer))
}

impl Outer {
    fn ask(profile: &Profile, forms: &Forms) -> Self {
        let mut pointers = Pointers::default();
        let number = optional(&mut pointers, profile.batch.number.as_ref());
        let events = profile.batch.events.as_ref();
        let events = events.map_or(Place::NOWHERE, |events| pointers.list(events));
        let errors = profile.errors.iter().map(|error| {
            let status = pointers.value(&error.status);
            [status, optional(&mut pointers, error.message.as_ref())]
        });
        let errors = errors.collect();
        let rules = profile.frames.iter();
        let rules = rules.map(|rule| pointers.value(&rule.at)).collect();
        let event = InEvent::ask(&mut pointers, profile, forms);
        Self {
            pointers,
            number,
            events,
            errors,
            rules,
            event,
        }
    }
}

impl Wire {
    pub(super) fn new(profile: &Profile) -> Self {
        let forms = Forms::new(&profile.forms);
        let mut item = Pointers::default();
        Self {
            outer: Outer::ask(profile, &forms),
            in_item: InEvent::ask(&mut item, profile, &forms),
            item,
            forms,
            events: profile.events.clone(),
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
            let events = items.iter().map(|item| self.item(item.get(), body));
            return Ok(Said::Batch(Batch {
                events: events.collect(),
                ..Batch::empty()
            }));
        }
        let outer = &self.outer;
        let found = outer.pointers.find(text).map_err(broken)?;
        let number = found.at(outer.number);
        let one = || self.event(text, &found, &outer.event, body);
        if let Some(rule) = self.rule(&found) {
            return Ok(match rule {
                FrameMeaning::Acknowledgement => Said::Acknowledgement,
                FrameMeaning::Confirmation => Said::Batch(Batch::empty()),
                FrameMeaning::Closing => control(Control::Closing),
                FrameMeaning::Refusal => {
                    let refused = self.refusal(&found);
                    refused.unwrap_or_else(|| refused_with(BAD_REQUEST, &Slot::Absent))
                }
                FrameMeaning::Nothing => Said::Batch(Batch::default()),
            });
        }
        let mut kinds = outer.event.shapes.iter().map(|[kind, ..]| found.at(*kind));
        match found.at(outer.events) {
            Slot::List(items) => self.batch(number, items, body).map_err(unreadable),
            Slot::Value(_) | Slot::Other => Err(unreadable("the events are not a list".to_owned())),
            Slot::Absent if kinds.any(Slot::is_present) => Ok(Said::Batch(Batch {
                events: vec![one()],
                ..Batch::empty()
            })),
            Slot::Absent => match self.refusal(&found) {
                Some(refused) => Ok(refused),
                None if number.is_present() && Mistake::UntypedEventTakenForABatch.is_made() => {
                    self.batch(number, &[], body).map_err(unreadable)
                }
                // An event whose type is missing: not a batch, or its number would cover it unread.
                None if number.is_present() => Ok(Said::Batch(Batch {
                    events: vec![one()],
                    ..Batch::empty()
                })),
                None => Err(unreadable(
                    "neither events, nor an event, nor an error".to_owned(),
                )),
            },
        }
    }

    /// What the first rule says that fits.
    fn rule(&self, found: &Found<'_>) -> Option<FrameMeaning> {
        let mut rules = self.rules.iter().zip(&self.outer.rules);
        let fits = rules.find(|(rule, place)| {
            let slot = found.at(**place);
            match &rule.is {
                Some(text) => slot.text().is_some_and(|found| found == text.as_str()),
                None => slot.is_present(),
            }
        });
        fits.map(|(rule, _)| rule.means)
    }

    /// The first form of an error whose status is there.
    fn refusal(&self, found: &Found<'_>) -> Option<Said> {
        self.outer.errors.iter().find_map(|[status, message]| {
            let status = found.at(*status).number();
            let status = status.and_then(|s| u16::try_from(s).ok());
            let status = status.filter(|status| (400..=599).contains(status))?;
            Some(refused_with(status, found.at(*message)))
        })
    }

    fn batch(&self, number: &Slot<'_>, items: &[&str], body: &Bytes) -> Result<Said, String> {
        let batch_number = number.number();
        if number.is_present() && batch_number.is_none() {
            return Err("the batch's number is not a number".to_owned());
        }
        let mut events = Vec::with_capacity(items.len());
        for (after, item) in (0_u64..items.len() as u64).rev().zip(items) {
            let mut event = self.item(item, body);
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

    /// Reads one event of several.
    fn item(&self, json: &str, body: &Bytes) -> ProviderEvent {
        let found = self.item.find(json).unwrap_or_default();
        self.event(json, &found, &self.in_item, body)
    }

    /// Makes an event of what was found in it. What cannot be read makes it malformed, never lost
    /// (U20).
    fn event(
        &self,
        json: &str,
        found: &Found<'_>,
        places: &InEvent,
        body: &Bytes,
    ) -> ProviderEvent {
        let mut event = ProviderEvent {
            raw: body.slice_ref(json.trim_ascii().as_bytes()),
            ..ProviderEvent::default()
        };
        let mut shapes = self.events.iter().zip(&places.shapes);
        let shape = shapes
            .clone()
            .find(|(_, [kind, ..])| found.at(*kind).is_present());
        let Some((shape, own)) = shape.or_else(|| shapes.next()) else {
            event.malformed = Some("not an object".to_owned());
            return event;
        };
        let [kind, number, time, id] = own.map(|place| found.at(place));
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
        let rule = self.forms.rule_of(&event.topic);
        let wanted = rule.and_then(|rule| places.forms.get(rule));
        let span = |place: &Place| {
            let raw = found.at(*place).raw();
            raw.map_or(Span::default(), |raw| Span::of(raw, &event.raw))
        };
        event.spans = wanted.into_iter().flatten().map(span).collect();
        event
    }
}

fn control(control: Control) -> Said {
    Said::Batch(Batch {
        controls: vec![control],
        ..Batch::default()
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
