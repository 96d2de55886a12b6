//! Conversations by id, and as analytics tells them. Pure.

use serde_json::{Value, json};

use super::{Answer, Ask, Refusal, Rest};
use crate::domain::WallTime;
use crate::sandbox::genesys_cloud::fields::set;
use crate::sandbox::genesys_cloud::world::{
    Conversation, Party, Scene, Shown, World, iso, purpose,
};

const LARGEST_BULK: usize = 100;

/// `GET /api/v2/conversations` with a token that has no user.
pub(super) fn own() -> Answer {
    Answer::ok(&json!({ "entities": [], "total": 0, "pageNumber": 1, "pageSize": 25 }))
}

fn find<'a>(
    world: &'a World,
    id: &str,
    seen: WallTime,
) -> Result<(&'a Conversation, &'a Scene), Refusal> {
    world
        .find_conversation(id)
        .and_then(|conversation| Some((conversation, &**conversation.at(seen)?)))
        .ok_or_else(|| Refusal::not_found("conversation"))
}

/// `GET /api/v2/conversations/{id}`
pub(super) fn conversation(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let (conversation, scene) = find(world, ask.id(), seen)?;
    let mut body = world.conversation_body(conversation, scene, Shown::ByApi);
    let start = iso(conversation.started());
    set(
        &mut body,
        [
            ("startTime", Some(start.into())),
            ("endTime", scene.ended.map(|end| iso(end).into())),
            ("selfUri", Some(ask.path.into())),
        ],
    );
    Ok(Answer::ok(&body))
}

/// `GET /api/v2/analytics/conversations/{id}/details`
pub(super) fn details(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let (conversation, scene) = find(world, ask.id(), seen)?;
    Ok(Answer::ok(&told(world, conversation, scene)))
}

/// `GET /api/v2/analytics/conversations/details?id=a,b`
pub(super) fn details_by_id(world: &World, ask: &Ask<'_>, seen: WallTime) -> Rest {
    let ids = ask.query.list("id");
    if ids.is_empty() || ids.len() > LARGEST_BULK {
        let text = format!("id must have between 1 and {LARGEST_BULK} values");
        return Err(Refusal::bad(text));
    }
    let found = ids.iter().filter_map(|id| find(world, id, seen).ok());
    let told: Vec<_> = found.map(|(of, scene)| told(world, of, scene)).collect();
    Ok(Answer::ok(&json!({ "conversations": told })))
}

/// A conversation as analytics tells it: participants, sessions, segments.
pub(super) fn told(world: &World, conversation: &Conversation, scene: &Scene) -> Value {
    let participants: Vec<_> = scene
        .parties()
        .map(|party| participant(world, conversation, scene, party))
        .collect();
    let mut body = json!({
        "conversationId": &*conversation.id,
        "conversationStart": iso(conversation.started()),
        "originatingDirection": "inbound",
        "divisionIds": [],
        "participants": participants,
    });
    let end = scene.ended.map(|end| iso(end).into());
    set(&mut body, [("conversationEnd", end)]);
    body
}

fn participant(world: &World, conversation: &Conversation, scene: &Scene, party: &Party) -> Value {
    let mut body = json!({
        "participantId": &*party.id,
        "purpose": purpose(scene, party),
        "sessions": [{
            "sessionId": &*party.session,
            "mediaType": conversation.media.word(),
            "direction": "inbound",
            "ani": conversation.address,
            "segments": segments(world, conversation, party),
            "metrics": [],
        }],
    });
    let user = party.user.map(|user| world.user_id(user).into());
    set(&mut body, [("userId", user)]);
    body
}

fn segments(world: &World, conversation: &Conversation, party: &Party) -> Vec<Value> {
    let queue = world.queue_id(conversation.queue);
    let segment = |kind: &str, start: WallTime, end: Option<WallTime>| {
        let mut body = json!({
            "segmentType": kind,
            "segmentStart": iso(start),
            "queueId": queue,
            "conference": false,
        });
        set(
            &mut body,
            [
                ("segmentEnd", end.map(|end| iso(end).into())),
                ("disconnectType", end.map(|_| party.disconnect.into())),
            ],
        );
        body
    };
    let mut segments = Vec::new();
    if party.user.is_some() {
        let end = party.connected.or(party.disconnected);
        segments.push(segment("alert", party.started, end));
    }
    if let Some(connected) = party.connected {
        segments.push(segment("interact", connected, party.disconnected));
    }
    if let Some(notes) = party.acw_start {
        segments.push(segment("wrapup", notes, party.acw_end));
    }
    segments
}
