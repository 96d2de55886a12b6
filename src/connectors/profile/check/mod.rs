//! Mistakes of a profile that its types cannot rule out: pointers, paths, placeholders, intervals,
//! and parts that do not fit together.

mod forms;
mod receiving;

use std::collections::BTreeSet;

use serde_json::Value;
use url::Host;

use super::model::{
    Confirmation, CredentialPlace, EventShape, FrameMeaning, HeartbeatShape, Profile,
};
use super::template::{CATCHING_UP, strange};
use crate::connectors::Condition;
use crate::runtime::HumanDuration;

const SHORTEST: HumanDuration = HumanDuration::from_millis(10);
const LONGEST: HumanDuration = HumanDuration::from_secs(3600);
const LOOSEST: HumanDuration = HumanDuration::from_secs(10);
/// The longest number of milliseconds that a clock will show for some centuries.
const ANY_TIME: u64 = 9_999_999_999_999;
const ANY_CONNECTION: &str = "00000000-0000-4000-8000-000000000000";
const POINTER: &str =
    "write it as a JSON pointer, such as /data/id; a '/' in a key is ~1, a '~' is ~0";
const PATH: &str = "write the path below the endpoint, such as /api/v1/events, without '?' and '#'";

/// Something wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileMistake {
    /// Where in the profile.
    pub path: Vec<Step>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

/// One step into a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Of a mapping.
    Key(String),
    /// Of a list.
    Item(usize),
}

/// An interval that the platform's bounds do not let stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedInterval {
    /// When it would count.
    pub condition: Condition,
    /// What is asked for.
    pub wanted: HumanDuration,
    /// What is kept.
    pub kept: HumanDuration,
}

impl std::fmt::Display for ProfileMistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, step) in self.path.iter().enumerate() {
            match step {
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        let space = if self.path.is_empty() { "" } else { " " };
        write!(f, "{space}{}; {}", self.message, self.hint)
    }
}

impl HeartbeatShape {
    /// The intervals that the platform's bounds do not let stand.
    #[must_use]
    pub fn bounded(&self) -> Vec<BoundedInterval> {
        CONDITIONS
            .into_iter()
            .map(|condition| BoundedInterval {
                condition,
                wanted: HumanDuration(self.wanted(condition)),
                kept: HumanDuration(self.interval(condition)),
            })
            .filter(|bounded| bounded.wanted != bounded.kept)
            .collect()
    }
}

const CONDITIONS: [Condition; 3] = [
    Condition::Stable,
    Condition::Degraded,
    Condition::Reconnecting,
];

impl Profile {
    /// Everything that is wrong with it.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ProfileMistake> {
        let mut check = Check::default();
        check.profile(self);
        check.found
    }
}

/// What is under check, and what was found.
#[derive(Default)]
struct Check {
    path: Vec<Step>,
    found: Vec<ProfileMistake>,
}

impl Check {
    fn wrong(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.found.push(ProfileMistake {
            path: self.path.clone(),
            message: message.into(),
            hint: hint.into(),
        });
    }

    fn at(&mut self, key: &str, check: impl FnOnce(&mut Self)) {
        self.path.push(Step::Key(key.to_owned()));
        check(self);
        self.path.pop();
    }

    fn each<T>(&mut self, key: &str, items: &[T], mut check: impl FnMut(&mut Self, &T)) {
        self.at(key, |c| {
            for (index, item) in items.iter().enumerate() {
                c.path.push(Step::Item(index));
                check(c, item);
                c.path.pop();
            }
        });
    }

    fn profile(&mut self, profile: &Profile) {
        self.each("domains", &profile.domains, |c, domain| {
            let bare = Host::parse(domain).is_ok_and(|host| host.to_string() == *domain);
            if !bare || domain.contains('*') {
                let hint = "write the bare name in lower case, such as acme.example";
                c.wrong("must be the name of a host", hint);
            }
        });
        self.each("ports", &profile.ports, |c, port| {
            if *port == 0 {
                c.wrong("must be from 1 to 65535", "write a port of the platform");
            }
        });
        self.at("token", |c| {
            c.at("path", |c| c.is_path(&profile.token.path));
            if let Some(before) = profile.token.refresh_before {
                c.at("refresh_before", |c| {
                    c.within(before, HumanDuration::from_secs(0), LONGEST)
                });
            }
        });
        self.credential(profile);
        if let Some(probe) = &profile.probe {
            self.at("probe", |c| {
                c.at("path", |c| c.is_path(&probe.path));
                c.query(&probe.query, &[]);
            });
        }
        if profile.websocket.is_none() && profile.long_poll.is_none() {
            self.wrong(
                "must hold websocket or long_poll",
                "describe at least one way to receive events",
            );
        }
        if let Some(websocket) = &profile.websocket {
            self.at("websocket", |c| c.websocket(websocket));
        }
        if let Some(poll) = &profile.long_poll {
            self.at("long_poll", |c| c.long_poll(poll));
        }
        if let Some(health) = &profile.health {
            self.at("health", |c| c.is_path(health));
        }
        self.at("loose_order", |c| {
            c.within(profile.loose_order, HumanDuration::from_secs(0), LOOSEST);
        });
        self.numbers(profile);
        self.shapes(profile);
        self.each("forms", &profile.forms, Self::form);
        self.at("forms", |c| {
            let mut seen = BTreeSet::new();
            for (index, rule) in profile.forms.iter().enumerate() {
                if !seen.insert(&rule.event) {
                    c.path.push(Step::Item(index));
                    let hint = "keep one rule for each name";
                    c.at("event", |c| c.wrong("is named by an earlier rule", hint));
                    c.path.pop();
                }
            }
        });
    }

    fn credential(&mut self, profile: &Profile) {
        let credential = &profile.credential;
        let header = credential.place == CredentialPlace::Header;
        self.at("credential", |c| {
            let name = credential.name();
            let named = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if name.is_empty() || (header && !named) {
                let hint = "write the name of a header, such as authorization, or of a parameter";
                c.at("name", |c| c.wrong("cannot be a name", hint));
            }
            if let Some(scheme) = &credential.scheme {
                let word = scheme.bytes().all(|b| b.is_ascii_graphic());
                if !header {
                    let hint = "remove it: a parameter holds the token alone";
                    c.at("scheme", |c| c.wrong("is not used in a query", hint));
                } else if !word {
                    let hint = "write one word, such as Bearer, or nothing";
                    c.at("scheme", |c| c.wrong("must be one word", hint));
                }
            }
        });
    }

    fn numbers(&mut self, profile: &Profile) {
        let of_events = profile.events.iter().any(|event| event.number.is_some());
        let of_batches = profile.batch.number.is_some();
        if let Some(numbering) = profile.numbering {
            self.at("numbering", |c| {
                if !of_events && !of_batches {
                    let hint = "say where the numbers stand: events[].number or batch.number";
                    c.wrong("is given, and nothing is numbered", hint);
                }
                if numbering.batch_is_cursor && !of_batches {
                    let hint = "say where it stands in batch.number, or write false";
                    c.at("batch_is_cursor", |c| {
                        c.wrong("needs a batch's number", hint)
                    });
                }
            });
        } else if of_events || of_batches {
            let hint = "say whether numbers are dense, or remove the pointers to them";
            self.at("numbering", |c| {
                c.wrong("is missing: events are numbered", hint)
            });
        }
        if let Some(shape) = &profile.catch_up {
            self.at("catch_up", |c| {
                if profile.numbering.is_none() {
                    let hint = "remove it: without numbers nothing can be asked for again";
                    c.wrong("needs numbering", hint);
                }
                c.at("path", |c| c.is_path(&shape.path));
                c.query(&shape.query, CATCHING_UP);
                c.each("gone", &shape.gone, |c, status| {
                    if !(400..=599).contains(status) {
                        c.wrong(
                            "must be from 400 to 599",
                            "write a status of HTTP, such as 410",
                        );
                    }
                });
            });
        }
    }

    fn shapes(&mut self, profile: &Profile) {
        self.at("batch", |c| {
            c.pointers([
                ("number", &profile.batch.number),
                ("events", &profile.batch.events),
            ]);
            if profile.batch.number.is_some() && profile.batch.events.is_none() {
                let hint = "say where the list of events stands";
                c.at("events", |c| {
                    c.wrong("is missing: batches are numbered", hint)
                });
            }
        });
        if profile.events.is_empty() {
            let hint = "say at least where an event's type stands: `- type: /type`";
            self.at("events", |c| c.wrong("must describe a form of event", hint));
        }
        self.each("events", &profile.events, |c, event: &EventShape| {
            c.at("type", |c| c.is_pointer(&event.kind));
            c.pointers([
                ("number", &event.number),
                ("time", &event.time),
                ("id", &event.id),
            ]);
        });
        self.each("errors", &profile.errors, |c, error| {
            c.at("status", |c| c.is_pointer(&error.status));
            c.pointers([("message", &error.message)]);
        });
        let websocket = profile.websocket.as_ref();
        let beats = websocket.is_some_and(|shape| shape.heartbeat.is_some());
        let pong = websocket.is_some_and(|s| s.confirmed_by == Confirmation::Pong);
        self.each("frames", &profile.frames, |c, rule| {
            c.at("at", |c| c.is_pointer(&rule.at));
            let (unused, hint) = match rule.means {
                FrameMeaning::Acknowledgement => {
                    (!beats, "describe websocket.heartbeat, or write nothing")
                }
                FrameMeaning::Confirmation => (
                    pong,
                    "let websocket.confirmed_by be frame, or write nothing",
                ),
                _ => (false, ""),
            };
            if unused {
                c.at("means", |c| c.wrong("has nothing to answer", hint));
            }
        });
    }

    fn pointers<const N: usize>(&mut self, all: [(&str, &Option<String>); N]) {
        for (key, pointer) in all {
            if let Some(pointer) = pointer {
                self.at(key, |c| c.is_pointer(pointer));
            }
        }
    }

    fn is_pointer(&mut self, text: &str) {
        let escapes = text.split('~').skip(1);
        let escaped = escapes.into_iter().all(|rest| rest.starts_with(['0', '1']));
        if !text.starts_with('/') || !escaped {
            self.wrong("must be a JSON pointer", POINTER);
        }
    }

    fn is_path(&mut self, text: &str) {
        let strange =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\');
        if !text.starts_with('/') || text.contains(strange) {
            self.wrong("must be a path", PATH);
        }
    }

    fn query(&mut self, query: &std::collections::BTreeMap<String, String>, known: &[&str]) {
        self.at("query", |c| {
            for (name, value) in query {
                c.at(name, |c| c.template(&Value::from(value.as_str()), known));
            }
        });
    }

    fn template(&mut self, template: &Value, known: &[&str]) {
        for (path, name) in strange(template, known) {
            let steps = self.path.len();
            let step = |key: String| {
                let index = key.strip_prefix('[').and_then(|k| k.strip_suffix(']'));
                match index.and_then(|index| index.parse().ok()) {
                    Some(index) => Step::Item(index),
                    None => Step::Key(key),
                }
            };
            self.path.extend(path.into_iter().map(step));
            let hint = match known {
                [] => "write a fixed value: nothing is filled in here".to_owned(),
                known => format!("known here: {}", known.join(", ")),
            };
            self.wrong(format!("holds {name}, which is no placeholder here"), hint);
            self.path.truncate(steps);
        }
    }

    fn within(&mut self, given: HumanDuration, least: HumanDuration, most: HumanDuration) {
        if !(least..=most).contains(&given) {
            let message = format!("must be from {least} to {most}");
            self.wrong(message, "write a number with its unit, such as 20s");
        }
    }
}
