//! Damaged and foreign bytes: nothing panics, nothing is lost silently.

use bytes::Bytes;
use serde_json::{Value, json};
use tieline::connectors::{Connector, ProviderEvent};
use tieline::proto::v1;

use crate::kit::{Subject, events, fixtures, read, subjects};

const UNMAPPED: &str = "ccaas.unmapped.v1";

/// A whole frame is tried at no more places than these.
const PLACES: usize = 400;

#[test]
fn u13_a_frame_that_is_cut_short_is_refused_as_a_whole() {
    for subject in subjects() {
        for fixture in fixtures(subject.platform) {
            let whole = fixture.wire.trim_ascii_end().len();
            for end in places(whole) {
                let cut = fixture.wire.slice(..end);
                let result = read(&*subject.connector, &cut);
                let nothing = cut.trim_ascii().is_empty();
                let taken = result.is_ok_and(|batch| !batch.events.is_empty());
                assert!(nothing || !taken, "{} at {end}", fixture.path.display());
            }
        }
    }
}

#[test]
fn a_frame_with_any_byte_changed_breaks_nothing() {
    for subject in subjects() {
        for fixture in fixtures(subject.platform) {
            for at in places(fixture.wire.len()) {
                for byte in [b'"', b'{', b']', b'\\', 0, 0xff] {
                    let mut wire = fixture.wire.to_vec();
                    wire[at] = byte;
                    let wire = Bytes::from(wire);
                    let Ok(batch) = read(&*subject.connector, &wire) else {
                        continue;
                    };
                    for event in &batch.events {
                        let draft = subject.connector.normalize(event);
                        assert_eq!(draft.raw_data, event.raw);
                    }
                }
            }
        }
    }
}

fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length / PLACES + 1)
}

#[test]
fn u20_an_event_that_is_cut_short_is_unmapped_and_says_why() {
    for subject in subjects() {
        for (name, event) in mapped(&subject) {
            let whole = subject.connector.normalize(&event).data;
            for end in 1..event.raw.len() {
                let raw = event.raw.slice(..end);
                let Some(draft) = with(&*subject.connector, &event, raw) else {
                    continue;
                };
                // A cut behind all that was read takes nothing away.
                if draft.data != whole {
                    assert_unmapped(&draft, &format!("{name} at {end}"));
                }
            }
        }
    }
}

#[test]
fn u20_values_of_other_types_are_unmapped_or_left_out() {
    for subject in subjects() {
        for (name, event) in mapped(&subject) {
            let value: Value = serde_json::from_slice(&event.raw).unwrap();
            let lists = to_raw(&replaced(&value, &json!([])));
            if let Some(draft) = with(&*subject.connector, &event, lists) {
                assert_unmapped(&draft, &name);
            }
            let own = subject.connector.normalize(&event).r#type;
            for pointer in leaves(&value) {
                for other in [json!(null), json!(7), json!({}), json!([]), json!("")] {
                    let mut changed = value.clone();
                    *changed.pointer_mut(&pointer).unwrap() = other;
                    let draft = with(&*subject.connector, &event, to_raw(&changed));
                    if let Some(draft) = draft.filter(|draft| draft.r#type != own) {
                        assert_eq!(draft.r#type, UNMAPPED, "{name} {pointer}");
                        assert!(draft.data.is_none(), "{name} {pointer}");
                    }
                }
            }
        }
    }
}

/// The events that have a normal form.
fn mapped(subject: &Subject) -> Vec<(String, ProviderEvent)> {
    let mut events = events(subject);
    events.retain(|(_, event)| subject.connector.normalize(event).data.is_some());
    assert!(!events.is_empty(), "{} maps nothing", subject.platform);
    events
}

/// The event with other bytes; `None` where these are refused before they are an event.
fn with(connector: &dyn Connector, event: &ProviderEvent, raw: Bytes) -> Option<v1::Event> {
    let event = match event.spans.is_empty() {
        true => ProviderEvent {
            raw,
            identity: None,
            ..event.clone()
        },
        // Where its values stand was seen when it was read: so these are read, as a frame of one event.
        false => read(connector, &raw).ok()?.events.into_iter().next()?,
    };
    Some(connector.normalize(&event))
}

fn assert_unmapped(draft: &v1::Event, name: &str) {
    assert_eq!(draft.r#type, UNMAPPED, "{name}");
    assert!(draft.data.is_none(), "{name}");
    assert!(
        draft.attributes.contains_key("parseerror"),
        "{name}: {draft:?}"
    );
}

fn to_raw(value: &Value) -> Bytes {
    serde_json::to_vec(value).unwrap().into()
}

fn replaced(value: &Value, by: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs = map.iter().map(|(k, v)| (k.clone(), replaced(v, by)));
            Value::Object(pairs.collect())
        }
        Value::Array(items) => items.iter().map(|item| replaced(item, by)).collect(),
        _ => by.clone(),
    }
}

/// JSON pointers to every value that holds no other.
fn leaves(value: &Value) -> Vec<String> {
    let below = |name: String, inner: &Value| -> Vec<String> {
        let name = name.replace('~', "~0").replace('/', "~1");
        let inner = leaves(inner).into_iter();
        inner.map(|rest| format!("/{name}{rest}")).collect()
    };
    match value {
        Value::Object(map) => map.iter().flat_map(|(k, v)| below(k.clone(), v)).collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(i, v)| below(i.to_string(), v)).collect()
        }
        _ => vec![String::new()],
    }
}
