//! Normal forms of a profile's events, by pointers and value tables.

use std::collections::{BTreeMap, HashMap};

use super::model::{Availability, Form, FormRule, Media};
use super::pointers::{Pointers, Slot};
use super::wire::read_time;
use crate::connectors::ProviderEvent;
use crate::proto::v1;
use crate::proto::v1::event::Data;

const AGENT_STATE: &str = "ccaas.agent.state_changed.v1";
const QUEUE_STATISTICS: &str = "ccaas.queue.statistics.v1";
const UNMAPPED: &str = "ccaas.unmapped.v1";

/// A profile's rules, compiled, by the platform's name of the event.
#[derive(Debug)]
pub(super) struct Forms(HashMap<String, (Pointers, Form)>);

/// What a rule makes of an event.
struct Normal {
    kind: &'static str,
    subject: String,
    data: Data,
}

impl Forms {
    pub(super) fn new(rules: &[FormRule]) -> Self {
        let compiled = rules.iter().map(|rule| {
            let pointers = match &rule.form {
                Form::AgentState {
                    agent_id,
                    state,
                    reason,
                    since,
                    ..
                } => Pointers::compile(
                    &[agent_id, state, reason, since].map(|p| (p.as_str(), false)),
                ),
                Form::QueueStatistics {
                    queue_id,
                    media,
                    metrics,
                    ..
                } => Pointers::compile(&[queue_id, media, metrics].map(|p| (p.as_str(), false))),
            };
            (rule.event.clone(), (pointers, rule.form.clone()))
        });
        Self(compiled.collect())
    }

    /// The event in its normal form; unmapped, with the reason as attribute, where it has none.
    pub(super) fn apply(&self, source: &str, event: &ProviderEvent) -> v1::Event {
        let normal = match (&event.malformed, self.0.get(&event.topic)) {
            (Some(problem), _) => Err(Some(problem.clone())),
            (None, None) => Err(None),
            (None, Some((pointers, form))) => read(pointers, form, event).map_err(Some),
        };
        let mut draft = v1::Event {
            id: event.id.clone().unwrap_or_default(),
            source: source.to_owned(),
            time: event.time.map(|t| t.to_proto()),
            provider_type: event.topic.clone(),
            data_content_type: "application/json".to_owned(),
            raw_data: event.raw.clone(),
            ..v1::Event::default()
        };
        match normal {
            Ok(normal) => {
                normal.kind.clone_into(&mut draft.r#type);
                draft.ordering_key.clone_from(&normal.subject);
                draft.subject = normal.subject;
                draft.data = Some(normal.data);
            }
            Err(problem) => {
                UNMAPPED.clone_into(&mut draft.r#type);
                draft.subject.clone_from(&event.topic);
                draft.ordering_key.clone_from(&event.topic);
                if let Some(problem) = problem {
                    draft.attributes.insert("parseerror".to_owned(), problem);
                }
            }
        }
        draft
    }
}

fn read(pointers: &Pointers, form: &Form, event: &ProviderEvent) -> Result<Normal, String> {
    let text = std::str::from_utf8(&event.raw).map_err(|e| e.to_string())?;
    let found = pointers
        .find(text)
        .map_err(|_| "not an object".to_owned())?;
    match (form, found.as_slice()) {
        (Form::AgentState { availability, .. }, [agent, state, reason, since]) => {
            agent_state(event, availability, [agent, state, reason, since])
        }
        (Form::QueueStatistics { media_names, .. }, [queue, media, metrics]) => {
            queue_statistics(event, media_names, [queue, media, metrics])
        }
        _ => Err("not an object".to_owned()),
    }
}

fn agent_state(
    event: &ProviderEvent,
    table: &BTreeMap<String, Availability>,
    [agent, state, reason, since]: [&Slot<'_>; 4],
) -> Result<Normal, String> {
    let agent_id = required(agent, "agent id")?;
    let provider_state = required(state, "agent state")?;
    let availability = table.get(&word(&provider_state)).map(|known| match known {
        Availability::Offline => v1::agent_state_event::Availability::Offline,
        Availability::Away => v1::agent_state_event::Availability::Away,
        Availability::Available => v1::agent_state_event::Availability::Available,
        Availability::Busy => v1::agent_state_event::Availability::Busy,
        Availability::AfterContactWork => v1::agent_state_event::Availability::AfterContactWork,
        Availability::NotResponding => v1::agent_state_event::Availability::NotResponding,
    });
    Ok(Normal {
        kind: AGENT_STATE,
        subject: format!("agents/{agent_id}"),
        data: Data::AgentStateEvent(v1::AgentStateEvent {
            agent_id,
            availability: availability.unwrap_or_default().into(),
            provider_state,
            provider_reason: reason.text().unwrap_or_default().into_owned(),
            start_time: read_time(since).or(event.time).map(|t| t.to_proto()),
            queue_ids: Vec::new(),
        }),
    })
}

fn queue_statistics(
    _event: &ProviderEvent,
    table: &BTreeMap<String, Media>,
    [queue, media, metrics]: [&Slot<'_>; 3],
) -> Result<Normal, String> {
    let queue_id = required(queue, "queue id")?;
    let media = media.text().unwrap_or_default();
    let media = table.get(&word(&media)).map(|known| match known {
        Media::Voice => v1::Media::Voice,
        Media::Callback => v1::Media::Callback,
        Media::Chat => v1::Media::Chat,
        Media::Email => v1::Media::Email,
        Media::Message => v1::Media::Message,
        Media::Social => v1::Media::Social,
        Media::Video => v1::Media::Video,
        Media::WorkItem => v1::Media::WorkItem,
    });
    let metrics = match metrics {
        Slot::Value(raw) => serde_json::from_str::<BTreeMap<String, f64>>(raw.get())
            .map_err(|_| "its metrics are not names with numbers".to_owned())?,
        Slot::Absent | Slot::List(_) | Slot::Other => BTreeMap::new(),
    };
    let metrics = metrics
        .into_iter()
        .map(|(name, value)| v1::queue_statistics_event::Metric {
            name,
            value,
            ..Default::default()
        });
    Ok(Normal {
        kind: QUEUE_STATISTICS,
        subject: format!("queues/{queue_id}"),
        data: Data::QueueStatisticsEvent(v1::QueueStatisticsEvent {
            queue_id,
            media: media.unwrap_or_default().into(),
            metrics: metrics.collect(),
            start_time: None,
            end_time: None,
        }),
    })
}

fn required(slot: &Slot<'_>, what: &str) -> Result<String, String> {
    match slot.text() {
        Some(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => Err(format!("no {what}")),
    }
}

/// The platform's word as the tables spell it: lower case, words joined by `_`.
fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    let mut after_lower = false;
    for c in text.chars() {
        if c.is_uppercase() && after_lower {
            word.push('_');
        }
        after_lower = c.is_lowercase();
        match c {
            ' ' | '-' => word.push('_'),
            _ => word.extend(c.to_lowercase()),
        }
    }
    word
}
