//! Normal forms of messages, from frames and from history. Typing, presence and whatever has none stay
//! readable as `ccaas.unmapped.v1`.

use super::message::{Attachment, Body, Side};
use super::wire::{MESSAGE, body_of};
use crate::connectors::ProviderEvent;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;

const UNMAPPED: &str = "ccaas.unmapped.v1";
const RECEIVED: &str = "ccaas.message.received.v1";
const SENT: &str = "ccaas.message.sent.v1";

/// The event in its normal form. `session` stands in the place of a conversation's id,
/// which the guest API tells nobody.
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
        None if event.topic == MESSAGE => body_of(&event.raw).and_then(|(body, tracing)| {
            if let Some(id) = tracing {
                draft.attributes.insert("correlationid".to_owned(), id);
            }
            message(&body, session)
        }),
        None => Ok(None),
    };
    match read {
        Ok(Some((kind, message))) => {
            kind.clone_into(&mut draft.r#type);
            draft.subject = format!("conversations/{}", message.conversation_id);
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

type Mapped = (&'static str, v1::MessageEvent);

/// `None` for typing and presence, and for types that are not known.
fn message(body: &Body, session: &str) -> Result<Option<Mapped>, String> {
    if !body.is_message() {
        let named = body.r#type.as_deref().is_some_and(|word| !word.is_empty());
        return match named {
            true => Ok(None),
            false => Err("no type".to_owned()),
        };
    }
    let side = body.side().ok_or_else(|| "no direction".to_owned())?;
    let (kind, direction, sender) = match side {
        Side::Inbound => (SENT, v1::Direction::Inbound, Role::Customer),
        Side::Outbound => (
            RECEIVED,
            v1::Direction::Outbound,
            speaker(body.originating_entity.as_deref()),
        ),
    };
    let attachments = body.content.iter().flatten();
    let attachments = attachments.filter_map(|piece| piece.attachment.as_ref());
    let data = v1::MessageEvent {
        conversation_id: session.to_owned(),
        message_id: body.id().unwrap_or_default().to_owned(),
        direction: direction.into(),
        sender_role: sender.into(),
        text: body.shown(),
        attachments: attachments.map(attachment).collect(),
    };
    Ok(Some((kind, data)))
}

fn speaker(entity: Option<&str>) -> Role {
    match entity {
        Some("Human") => Role::Agent,
        Some("Bot") => Role::Bot,
        _ => Role::Unspecified,
    }
}

fn attachment(of: &Attachment) -> v1::Attachment {
    let name = of.filename.as_ref().or(of.file_name.as_ref());
    v1::Attachment {
        attachment_id: of.id.clone().unwrap_or_default(),
        media_type: of.mime.clone().unwrap_or_default(),
        file_name: name.cloned().unwrap_or_default(),
        uri: of.url.clone().unwrap_or_default(),
        size_bytes: of.file_size.unwrap_or_default(),
    }
}
