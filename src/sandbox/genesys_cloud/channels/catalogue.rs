//! The catalogue of topics: what exists, and who may have it. Pure.

use serde_json::{Map, Value, json};

/// A topic with a place for an id.
#[derive(Debug)]
pub(crate) struct Template {
    /// `v2.users.{id}.presence`
    pub(crate) id: &'static str,
    pub(crate) description: &'static str,
    /// Any one of these is enough; nobody needs any where there are none.
    pub(crate) permissions: &'static [&'static str],
    /// An organization token has no user, and cannot have it.
    pub(crate) needs_user: bool,
    /// Requests that show the same.
    pub(crate) paths: &'static [&'static str],
}

const NONE: &[&str] = &[];
const CONVERSATION: &[&str] = &["conversation:communication:view"];
const DETAIL: &[&str] = &["analytics:conversationDetail:view"];
const OBSERVATION: &[&str] = &["analytics:queueObservation:view"];
const ADHERENCE: &[&str] = &[
    "wfm:agentSchedule:view",
    "wfm:agentAdherence:notify",
    "wfm:realtimeAdherence:view",
];
const QUEUE: &[&str] = &["routing:queue:view"];

const fn topic(
    id: &'static str,
    description: &'static str,
    permissions: &'static [&'static str],
    paths: &'static [&'static str],
) -> Template {
    Template {
        id,
        description,
        permissions,
        needs_user: false,
        paths,
    }
}

const fn own(id: &'static str, description: &'static str) -> Template {
    Template {
        needs_user: true,
        ..topic(id, description, NONE, NONE)
    }
}

/// Whole topics; those of conversations have a leaf for each medium besides.
const TOPICS: &[Template] = &[
    topic(
        "v2.users.{id}.presence",
        "The presence of a user",
        NONE,
        &["/api/v2/users/{userId}/presences/purecloud"],
    ),
    topic(
        "v2.users.{id}.routingStatus",
        "The routing status of a user",
        NONE,
        &["/api/v2/users/{userId}/routingstatus"],
    ),
    topic(
        "v2.users.{id}.activity",
        "Presence, routing status and queues of a user",
        &["directory:userStateChange:view"],
        &["/api/v2/users/{userId}/state"],
    ),
    topic(
        "v2.users.{id}.conversations",
        "Conversations of a user",
        CONVERSATION,
        &["/api/v2/conversations/{conversationId}"],
    ),
    topic(
        "v2.users.{id}.conversationsummary",
        "Numbers of conversations",
        CONVERSATION,
        NONE,
    ),
    topic(
        "v2.users.{id}.outofoffice",
        "Whether a user is away",
        NONE,
        NONE,
    ),
    topic("v2.users.{id}.station", "The station of a user", NONE, NONE),
    own("v2.users.{id}.tokens", "Tokens of the user who asks"),
    own(
        "v2.users.{id}.voicemail.messages",
        "Voicemail of the user who asks",
    ),
    topic(
        "v2.users.{id}.workforcemanagement.adherence",
        "The adherence of a user",
        ADHERENCE,
        &["/api/v2/workforcemanagement/adherence"],
    ),
    topic(
        "v2.workforcemanagement.managementunits.{id}.adherence",
        "The adherence of everybody in a management unit",
        ADHERENCE,
        &["/api/v2/workforcemanagement/managementunits/{managementUnitId}/adherence"],
    ),
    topic(
        "v2.workforcemanagement.teams.{id}.adherence",
        "The adherence of everybody in a team",
        ADHERENCE,
        &["/api/v2/workforcemanagement/adherence"],
    ),
    topic(
        "v2.routing.queues.{id}.conversations",
        "Conversations of a queue",
        CONVERSATION,
        &["/api/v2/conversations/{conversationId}"],
    ),
    topic(
        "v2.routing.queues.{id}.users",
        "Members of a queue",
        QUEUE,
        &["/api/v2/routing/queues/{queueId}/members"],
    ),
    topic(
        "v2.analytics.queues.{id}.observations",
        "Observations of a queue",
        OBSERVATION,
        &["/api/v2/analytics/queues/observations/query"],
    ),
    topic(
        "v2.analytics.queues.{id}.activity",
        "Activity of a queue",
        OBSERVATION,
        NONE,
    ),
    topic(
        "v2.analytics.users.{id}.aggregates",
        "Aggregates of a user",
        &["analytics:userAggregate:view"],
        NONE,
    ),
    topic(
        "v2.analytics.conversation.{id}.metrics",
        "Metrics of a conversation",
        DETAIL,
        NONE,
    ),
    topic(
        "v2.analytics.conversations.details.jobs.availability",
        "How far the data of jobs reach",
        DETAIL,
        NONE,
    ),
    topic(
        "v2.conversations.{id}.transcription",
        "What is said in a conversation",
        &["speechAndTextAnalytics:data:view"],
        NONE,
    ),
    topic(
        "v2.detail.events.agent.{id}.state",
        "Steps of an agent",
        DETAIL,
        NONE,
    ),
    topic(
        "v2.operations.events.{id}",
        "Operational events",
        &["usage:event:view"],
        NONE,
    ),
];

const MEDIA_ROOTS: [&str; 2] = [
    "v2.users.{id}.conversations",
    "v2.routing.queues.{id}.conversations",
];
const MEDIA: [&str; 6] = [
    "calls",
    "callbacks",
    "chats",
    "emails",
    "messages",
    "videos",
];
const DETAIL_ROOT: &str = "v2.detail.events.conversation.{id}";
const DETAILS: [&str; 15] = [
    "acd.start",
    "acd.end",
    "customer.start",
    "customer.end",
    "user.start",
    "user.end",
    "flow.start",
    "flow.end",
    "flow.outcome",
    "acw",
    "wrapup",
    "attributes",
    "contact",
    "outbound",
    "voicemail.start",
];

/// What is known of an individual topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) permissions: &'static [&'static str],
    pub(crate) needs_user: bool,
}

/// Finds an individual topic in the catalogue.
pub(crate) fn find(topic: &str) -> Option<Known> {
    let whole = TOPICS.iter().find(|template| fits(template.id, topic));
    if let Some(template) = whole {
        return Some(Known {
            permissions: template.permissions,
            needs_user: template.needs_user,
        });
    }
    let under = |root: &str, leaves: &[&str]| {
        leaves.iter().any(|leaf| {
            let suffix = topic.strip_suffix(leaf);
            let start = suffix.and_then(|start| start.strip_suffix('.'));
            start.is_some_and(|start| fits(root, start))
        })
    };
    let permissions = if MEDIA_ROOTS.iter().any(|root| under(root, &MEDIA)) {
        CONVERSATION
    } else if under(DETAIL_ROOT, &DETAILS) {
        DETAIL
    } else {
        return None;
    };
    Some(Known {
        permissions,
        needs_user: false,
    })
}

/// Whether a topic is a template with an id in its place.
fn fits(template: &str, topic: &str) -> bool {
    let mut parts = topic.split('.');
    let fit = template.split('.').all(|expected| {
        let part = parts.next().unwrap_or_default();
        match expected {
            "{id}" => !part.is_empty() && part.len() <= 64 && part != "{id}",
            expected => part == expected,
        }
    });
    fit && parts.next().is_none()
}

/// The answer of `GET …/availabletopics`, with the fields that were asked for.
pub(crate) fn available(expand: &[String]) -> Value {
    let leaves = |root: &str, leaves: &[&str]| -> Vec<String> {
        leaves.iter().map(|leaf| format!("{root}.{leaf}")).collect()
    };
    let mut entities: Vec<Value> = TOPICS
        .iter()
        .map(|template| entry(template.id, template, expand))
        .collect();
    for root in MEDIA_ROOTS {
        let Some(template) = TOPICS.iter().find(|template| template.id == root) else {
            continue;
        };
        let leaves = leaves(root, &MEDIA).into_iter();
        entities.extend(leaves.map(|id| entry(&id, template, expand)));
    }
    let detail = topic(DETAIL_ROOT, "A step of a conversation", DETAIL, NONE);
    let details = leaves(DETAIL_ROOT, &DETAILS).into_iter();
    entities.extend(details.map(|id| entry(&id, &detail, expand)));
    json!({ "entities": entities })
}

fn entry(id: &str, template: &Template, expand: &[String]) -> Value {
    let details = match template.permissions {
        [] => json!([]),
        permissions => json!([{
            "type": "requiresPermissions", "permissions": permissions,
            "allowsCurrentUser": template.needs_user, "enforced": true,
        }]),
    };
    let fields = [
        ("description", json!(template.description)),
        ("enforced", json!(true)),
        ("visibility", json!("Public")),
        ("transports", json!(["All"])),
        ("requiresPermissions", json!(template.permissions)),
        ("permissionDetails", details),
        ("publicApiTemplateUriPaths", json!(template.paths)),
        (
            "topicParameters",
            if id.contains("{id}") {
                json!(["id"])
            } else {
                json!([])
            },
        ),
        ("schema", json!({ "type": "object" })),
    ];
    let mut body = Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("requiresCurrentUser".to_owned(), json!(template.needs_user)),
        (
            "requiresAnyValidator".to_owned(),
            json!(template.permissions.len() > 1),
        ),
    ]);
    for (field, value) in fields {
        if expand.iter().any(|asked| asked == field) {
            body.insert(field.to_owned(), value);
        }
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_found_by_their_shape_and_case() {
        let permissions = |topic| find(topic).map(|known| known.permissions);
        assert_eq!(permissions("v2.users.u1.presence"), Some(NONE));
        assert_eq!(permissions("v2.users.u1.routingstatus"), None);
        assert_eq!(
            permissions("v2.users.u1.conversations.calls"),
            Some(CONVERSATION)
        );
        assert_eq!(
            permissions("v2.routing.queues.q.conversations"),
            Some(CONVERSATION)
        );
        assert_eq!(
            permissions("v2.detail.events.conversation.c.acd.start"),
            Some(DETAIL)
        );
        assert_eq!(
            permissions("v2.users.u1.workforcemanagement.adherence"),
            Some(ADHERENCE)
        );
        for wrong in [
            "",
            "v2",
            "v2.users..presence",
            "v2.users.u.presence.x",
            "v2.users.{id}.presence",
        ] {
            assert_eq!(permissions(wrong), None, "{wrong}");
        }
        assert!(find("v2.users.me.tokens").unwrap().needs_user);
    }

    #[test]
    fn the_catalogue_shows_what_is_asked_for() {
        let bare = available(&[]);
        let first = &bare["entities"][0];
        assert_eq!(first["id"], "v2.users.{id}.presence");
        assert!(first.get("description").is_none());
        let full = available(&["requiresPermissions".to_owned()]);
        let entities = full["entities"].as_array().unwrap();
        let adherence = entities
            .iter()
            .find(|topic| topic["id"] == "v2.users.{id}.workforcemanagement.adherence");
        assert_eq!(
            adherence.unwrap()["requiresPermissions"][2],
            "wfm:realtimeAdherence:view"
        );
    }
}
