//! A vendor's own dialect, as a profile describes it: what the profile reads is written here.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Credential, Heard, Speech};
use crate::connectors::{
    Availability, CredentialPlace, FormRule, FrameMeaning, NumberedTime, Phase, Profile,
};
use crate::domain::WallTime;
use crate::sandbox::platform::{Draft, decimals};

#[derive(Debug)]
pub(super) struct Described {
    profile: Arc<Profile>,
}

impl Described {
    pub(super) fn new(profile: &Arc<Profile>) -> Self {
        let profile = Arc::clone(profile);
        Self { profile }
    }

    /// A frame that the first rule of this meaning fits.
    fn frame(&self, meaning: FrameMeaning) -> Option<Value> {
        let rule = self
            .profile
            .frames
            .iter()
            .find(|rule| rule.means == meaning)?;
        let mut frame = Value::Object(Map::new());
        let is = rule.is.clone().unwrap_or_else(|| "yes".to_owned());
        put(&mut frame, &rule.at, is.into());
        Some(frame)
    }

    /// The rule that an event of the story belongs to.
    fn rule(&self, channel: &str) -> Option<&FormRule> {
        self.profile.forms.iter().find(|rule| match channel {
            "routing.agentEvent" => rule.agent_state.is_some() || rule.adherence.is_some(),
            "routing.queueStats" => rule.queue_statistics.is_some(),
            _ => rule.conversation.is_some(),
        })
    }
}

impl Speech for Described {
    fn socket_path(&self) -> &str {
        let websocket = self.profile.websocket.as_ref();
        websocket.map_or("/", |websocket| &websocket.path)
    }

    fn token_path(&self) -> &str {
        &self.profile.token.path
    }

    fn health_path(&self) -> Option<&str> {
        self.profile.health.as_deref()
    }

    fn credential(&self) -> Credential {
        let shape = &self.profile.credential;
        let name = shape.name().to_owned();
        match shape.place {
            CredentialPlace::Header => Credential::Header {
                name,
                prefix: shape.prefix(),
            },
            CredentialPlace::Query => Credential::Query { name },
        }
    }

    fn wants_subscription(&self) -> bool {
        let websocket = self.profile.websocket.as_ref();
        websocket.is_some_and(|websocket| websocket.subscribe.is_some())
    }

    fn wants_heartbeats(&self) -> bool {
        let websocket = self.profile.websocket.as_ref();
        websocket.is_some_and(|websocket| websocket.heartbeat.is_some())
    }

    fn hear(&self, text: &[u8]) -> Heard {
        let Some(websocket) = &self.profile.websocket else {
            return Heard::Strange;
        };
        let heard = serde_json::from_slice(text);
        let heard = heard.unwrap_or_else(|_| Value::from(String::from_utf8_lossy(text)));
        if let Some(heartbeat) = &websocket.heartbeat
            && fits(&heartbeat.frame.0, &heard)
        {
            let most = heartbeat.max_size.map_or(u64::MAX, |most| most.0);
            let lacks = heartbeat.requires.iter().find(|(pointer, wanted)| {
                !heard
                    .pointer(pointer)
                    .is_some_and(|found| wanted.fits(found))
            });
            let problem = match lacks {
                _ if text.len() as u64 > most => Some(format!("more than {most} bytes")),
                Some((pointer, _)) => Some(format!("{pointer} is missing")),
                None => None,
            };
            return Heard::Heartbeat(problem);
        }
        match &websocket.subscribe {
            Some(subscribe) if fits(&subscribe.0, &heard) => Heard::Subscription,
            _ => Heard::Strange,
        }
    }

    fn confirmation(&self) -> Option<String> {
        self.frame(FrameMeaning::Confirmation)
            .map(|frame| frame.to_string())
    }

    fn acknowledgement(&self, _: WallTime) -> Option<String> {
        self.frame(FrameMeaning::Acknowledgement)
            .map(|frame| frame.to_string())
    }

    fn event(&self, number: u64, draft: &Draft, now: WallTime) -> (String, String) {
        let told: Value = serde_json::from_str(&draft.data).unwrap_or_default();
        let mut event = Value::Object(Map::new());
        let rule = self.rule(&draft.channel);
        let name = rule.map_or_else(
            || draft.channel.to_string(),
            |rule| rule.event.replace('*', "any"),
        );
        match rule {
            Some(rule) => write(&mut event, rule, &told),
            None => put(&mut event, "/detail", told),
        }
        if let Some(shape) = self.profile.events.first() {
            put(&mut event, &shape.kind, name.as_str().into());
            if let Some(pointer) = &shape.time {
                put(
                    &mut event,
                    pointer,
                    match shape.numbered_time {
                        NumberedTime::Milliseconds => decimals(now).into(),
                        NumberedTime::Seconds => (now.as_millis() / 1000).into(),
                    },
                );
            }
            if let Some(pointer) = &shape.id {
                put(&mut event, pointer, format!("{number:08x}").into());
            }
        }
        (name, event.to_string())
    }

    fn refusal(&self, status: u16, message: &str) -> String {
        let mut frame = self
            .frame(FrameMeaning::Refusal)
            .unwrap_or_else(|| json!({}));
        if let Some(shape) = self.profile.errors.first() {
            put(&mut frame, &shape.status, status.into());
            if let Some(pointer) = &shape.message {
                put(&mut frame, pointer, message.into());
            }
        }
        frame.to_string()
    }
}

/// Whether something was made of a template: it has the same parts, and what is fixed in one is so in
/// the other.
fn fits(template: &Value, made: &Value) -> bool {
    match (template, made) {
        (Value::String(text), made) => {
            let open = text.starts_with('{') && text.ends_with('}');
            open || made.as_str() == Some(text)
        }
        (Value::Object(all), Value::Object(made)) => {
            all.len() == made.len()
                && all
                    .iter()
                    .all(|(key, part)| made.get(key).is_some_and(|m| fits(part, m)))
        }
        (Value::Array(all), Value::Array(made)) => {
            all.len() == made.len() && all.iter().zip(made).all(|(part, m)| fits(part, m))
        }
        (template, made) => template == made,
    }
}

/// Puts a value where a JSON pointer points, making the objects on the way.
fn put(root: &mut Value, pointer: &str, value: Value) {
    let mut at = root;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(object) = at.as_object_mut() else {
            return;
        };
        at = object.entry(key).or_insert(Value::Null);
    }
    *at = value;
}

/// Writes an event of the story as a form reads it.
fn write(event: &mut Value, rule: &FormRule, told: &Value) {
    let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default();
    let told_of = |key: &str| told.get(key).cloned().unwrap_or_default();
    let mut all: Vec<(&String, Value)> = Vec::new();
    let mut some: Vec<(&Option<String>, Value)> = Vec::new();
    if let Some(form) = &rule.agent_state {
        let means = match text("state") {
            "AVAILABLE" => Availability::Available,
            "INTERACTING" => Availability::Busy,
            "AFTER_CALL_WORK" => Availability::AfterContactWork,
            "BREAK" => Availability::Away,
            _ => Availability::Offline,
        };
        all.push((&form.agent_id, told_of("agentId")));
        all.push((&form.state, word(&form.availability, &means, text("state"))));
        some.push((&form.reason, told_of("reason")));
        some.push((&form.since, told_of("since")));
    }
    if let Some(form) = &rule.adherence {
        all.push((&form.agent_id, told_of("agentId")));
        let state = form.states.keys().next().map_or("unknown", String::as_str);
        all.push((&form.state, state.into()));
        some.push((&form.since, told_of("since")));
    }
    if let Some(form) = &rule.queue_statistics {
        all.push((&form.queue_id, told_of("queueId")));
        all.push((&form.metrics, told_of("metrics")));
        let media = form.media_names.keys().next().cloned().unwrap_or_default();
        some.push((&form.media, media.into()));
    }
    if let Some(form) = &rule.conversation {
        let means = match text("state") {
            "CONNECTED" => Phase::Connected,
            "QUEUED" => Phase::Queued,
            _ => Phase::Ended,
        };
        all.push((&form.conversation_id, told_of("conversationId")));
        all.push((&form.phase, word(&form.phases, &means, text("state"))));
        some.push((&form.queue_id, told_of("queueId")));
        some.push((&form.since, told_of("since")));
    }
    for (pointer, value) in all {
        put(event, pointer, value);
    }
    for (pointer, value) in some {
        if let Some(pointer) = pointer {
            put(event, pointer, value);
        }
    }
}

/// The platform's word for something, as far as its table has one.
fn word<T: PartialEq>(
    table: &std::collections::BTreeMap<String, T>,
    means: &T,
    otherwise: &str,
) -> Value {
    let mut words = table.iter().filter(|(_, meaning)| *meaning == means);
    words.next().map_or(otherwise, |(word, _)| word).into()
}
