//! Normal forms: what the other side says. Anything else stays readable as `ccaas.unmapped.v1`.

use super::wire::{MESSAGE, Message};
use crate::connectors::ProviderEvent;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::event::Data;

const UNMAPPED: &str = "ccaas.unmapped.v1";
const RECEIVED: &str = "ccaas.message.received.v1";

/// The event in its normal form. `session` stands in the place of a conversation's id, which no frame
/// tells; nor does one tell whether a person or a bot speaks.
pub(super) fn normalize(source: &str, session: &str, event: &ProviderEvent) -> v1::Event {
    let mut draft = v1::Event {
        id: event.id.clone().unwrap_or_default(),
        source: source.to_owned(),
        time: event.time.map(WallTime::to_proto),
        provider_type: event.topic.clone(),
        data_content_type: "application/json".to_owned(),
        raw_data: event.raw.clone(),
        ..v1::Event::default()
    };
    let read = match &event.malformed {
        Some(problem) => Err(problem.clone()),
        None if event.topic == MESSAGE => message(session, &event.raw).map(Some),
        None => Ok(None),
    };
    match read {
        Ok(Some(message)) => {
            RECEIVED.clone_into(&mut draft.r#type);
            draft.subject = format!("conversations/{session}");
            draft.data = Some(Data::MessageEvent(message));
        }
        Ok(None) => unmapped(&mut draft),
        Err(problem) => {
            unmapped(&mut draft);
            draft.attributes.insert("parseerror".to_owned(), problem);
        }
    }
    draft.ordering_key.clone_from(&draft.subject);
    draft
}

fn unmapped(draft: &mut v1::Event) {
    UNMAPPED.clone_into(&mut draft.r#type);
    draft.subject.clone_from(&draft.provider_type);
}

fn message(session: &str, raw: &[u8]) -> Result<v1::MessageEvent, String> {
    let read = Message::read(raw)?;
    Ok(v1::MessageEvent {
        conversation_id: session.to_owned(),
        message_id: read.message_id.unwrap_or_default(),
        direction: v1::Direction::Outbound.into(),
        text: read.content.ok_or_else(|| "no content".to_owned())?,
        ..v1::MessageEvent::default()
    })
}
