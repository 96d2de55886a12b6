//! Normal forms of an agent session's events.

mod agent_state;
mod conversation;

use crate::connectors::ProviderEvent;
use crate::proto::v1;
use crate::proto::v1::event::Data;

use super::wire::Fields;
pub(super) use conversation::{is_contact, stands};

const AGENT_STATE: &str = "ccaas.agent.state_changed.v1";
const CONVERSATION: &str = "ccaas.conversation.updated.v1";
const UNMAPPED: &str = "ccaas.unmapped.v1";

/// What a rule makes of an event.
struct Normal {
    kind: &'static str,
    subject: String,
    data: Data,
}

/// The event in its normal form; unmapped, with the reason as attribute, where it has none.
pub(super) fn normalize(source: &str, event: &ProviderEvent) -> v1::Event {
    let mut draft = v1::Event {
        id: event.id.clone().unwrap_or_default(),
        source: source.to_owned(),
        time: event.time.map(|t| t.to_proto()),
        provider_type: event.topic.clone(),
        data_content_type: "application/json".to_owned(),
        raw_data: event.raw.clone(),
        ..v1::Event::default()
    };
    match read(event) {
        Ok(Some(normal)) => {
            normal.kind.clone_into(&mut draft.r#type);
            draft.ordering_key.clone_from(&normal.subject);
            draft.subject = normal.subject;
            draft.data = Some(normal.data);
        }
        without => {
            UNMAPPED.clone_into(&mut draft.r#type);
            draft.subject.clone_from(&event.topic);
            draft.ordering_key.clone_from(&event.topic);
            if let Err(problem) = without {
                draft.attributes.insert("parseerror".to_owned(), problem);
            }
        }
    }
    draft
}

/// `Ok(None)` where this kind of event has no normal form.
fn read(event: &ProviderEvent) -> Result<Option<Normal>, String> {
    if let Some(problem) = &event.malformed {
        return Err(problem.clone());
    }
    let agent = event.context.as_deref();
    if event.raw.is_empty() {
        let contact = event.tracked.as_ref().map(|tracked| tracked.key.as_str());
        return Ok(contact.map(|contact| conversation::departed(contact, agent)));
    }
    let fields = || {
        let text = std::str::from_utf8(&event.raw).map_err(|e| e.to_string())?;
        Fields::read(text).ok_or_else(|| "not an object".to_owned())
    };
    if event.topic == "AgentState" {
        agent_state::normal(&fields()?, agent).map(Some)
    } else if is_contact(&event.topic) {
        conversation::normal(&event.topic, &fields()?, agent).map(Some)
    } else {
        Ok(None)
    }
}

/// A word of the platform, compared without regard to case as its SDK does.
fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}
