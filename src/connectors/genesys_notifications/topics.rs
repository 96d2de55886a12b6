//! Topic names: what they are about, combined forms, templates, and the names events come under.

use std::collections::HashMap;

use smallvec::SmallVec;

/// The official client keeps combined topics below this length
/// (`genesys-cloud-streaming-client`, `src/notifications.ts`).
const LONGEST_COMBINED: usize = 200;
/// Longer than any catalogued topic with its ids.
const LONGEST: usize = 512;
/// Stands in a template for what the selector names.
const PLACEHOLDER: &str = "{id}";

/// What the `{id}` of a template names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Thing {
    /// A queue.
    Queue,
    /// A user.
    User,
    /// A management unit of workforce management.
    ManagementUnit,
    /// A team.
    Team,
}

/// What the events of a topic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Presence,
    RoutingStatus,
    Activity,
    UserConversations,
    QueueConversations,
    QueueMembers,
    QueueObservations,
    QueueAggregates,
    UserAdherence,
    UnitAdherence,
    TeamAdherence,
    DetailEvent,
    Transcription,
    Other,
}

/// A name read: its kind, the first id in it, and what follows the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Topic<'t> {
    pub(super) kind: Kind,
    pub(super) id: &'t str,
    /// Of a detail event its kind, such as `acd.start`.
    pub(super) rest: &'t str,
}

/// `*` is one segment, the id; a closing `>` is whatever follows, or nothing.
const PATTERNS: [(&str, Kind); 14] = [
    ("v2.users.*.presence", Kind::Presence),
    ("v2.users.*.routingStatus", Kind::RoutingStatus),
    ("v2.users.*.activity", Kind::Activity),
    ("v2.users.*.conversations.>", Kind::UserConversations),
    (
        "v2.routing.queues.*.conversations.>",
        Kind::QueueConversations,
    ),
    ("v2.routing.queues.*.users", Kind::QueueMembers),
    (
        "v2.analytics.queues.*.observations",
        Kind::QueueObservations,
    ),
    ("v2.analytics.queues.*.activity", Kind::QueueAggregates),
    ("v2.analytics.queues.*.aggregates", Kind::QueueAggregates),
    (
        "v2.users.*.workforcemanagement.adherence",
        Kind::UserAdherence,
    ),
    (
        "v2.workforcemanagement.managementunits.*.adherence",
        Kind::UnitAdherence,
    ),
    (
        "v2.workforcemanagement.teams.*.adherence",
        Kind::TeamAdherence,
    ),
    ("v2.detail.events.conversation.*.>", Kind::DetailEvent),
    ("v2.conversations.*.transcription", Kind::Transcription),
];

/// What stands before the `{id}` of a template tells what it names.
const THINGS: [(&str, Thing); 7] = [
    ("v2.routing.queues.", Thing::Queue),
    ("v2.analytics.queues.", Thing::Queue),
    ("v2.users.", Thing::User),
    ("v2.analytics.users.", Thing::User),
    ("v2.detail.events.agent.", Thing::User),
    (
        "v2.workforcemanagement.managementunits.",
        Thing::ManagementUnit,
    ),
    ("v2.workforcemanagement.teams.", Thing::Team),
];

/// Reads a plain (not combined) name, in any case.
pub(super) fn parse(name: &str) -> Topic<'_> {
    let found = PATTERNS.iter().find_map(|(pattern, kind)| {
        let (id, rest) = matches(pattern, name)?;
        let kind = *kind;
        Some(Topic { kind, id, rest })
    });
    found.unwrap_or(Topic {
        kind: Kind::Other,
        id: "",
        rest: "",
    })
}

fn matches<'t>(pattern: &str, name: &'t str) -> Option<(&'t str, &'t str)> {
    let (mut id, mut left) = ("", Some(name));
    for expected in pattern.split('.') {
        if expected == ">" {
            return Some((id, left.unwrap_or_default()));
        }
        let (segment, after) = match left?.split_once('.') {
            Some((segment, after)) => (segment, Some(after)),
            None => (left?, None),
        };
        left = after;
        match expected {
            "*" if !segment.is_empty() => id = segment,
            _ if segment.eq_ignore_ascii_case(expected) => {}
            _ => return None,
        }
    }
    left.is_none().then_some((id, ""))
}

impl Kind {
    /// The family whose loss is told together.
    pub(super) const fn family(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::RoutingStatus => "routing_status",
            Self::Activity => "activity",
            Self::UserConversations | Self::QueueConversations => "conversations",
            Self::QueueMembers => "queue_members",
            Self::QueueObservations => "queue_observations",
            Self::UserAdherence | Self::UnitAdherence | Self::TeamAdherence => "adherence",
            Self::QueueAggregates | Self::DetailEvent | Self::Transcription | Self::Other => {
                "other"
            }
        }
    }
}

/// The plain names that a topic stands for: `a?b&c` is `a.b` and `a.c`.
pub(super) fn expand(topic: &str) -> SmallVec<[String; 2]> {
    match topic.split_once('?') {
        Some((prefix, leaves)) => leaves
            .split('&')
            .map(|leaf| format!("{prefix}.{leaf}"))
            .collect(),
        None => std::iter::once(topic.to_owned()).collect(),
    }
}

/// What the placeholder of a template names, where that can be looked up.
pub(super) fn thing_of(template: &str) -> Option<Thing> {
    let (before, _) = template.split_once(PLACEHOLDER)?;
    let mut things = THINGS.iter();
    let found = things.find(|(prefix, _)| prefix.eq_ignore_ascii_case(before));
    found.map(|(_, thing)| *thing)
}

/// The template with this in the place of its `{id}`.
pub(super) fn fill(template: &str, id: &str) -> String {
    template.replacen(PLACEHOLDER, id, 1)
}

pub(super) fn has_placeholder(template: &str) -> bool {
    template.contains(PLACEHOLDER)
}

/// Whether this looks like an id of the platform: 8-4-4-4-12 hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut groups = text.split('-');
    let fits = |group: Option<&str>, length: usize| {
        group.is_some_and(|g| g.len() == length && g.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    lengths
        .into_iter()
        .all(|length| fits(groups.next(), length))
        && groups.next().is_none()
}

/// Checks a template or name as it was configured.
pub(super) fn check(template: &str) -> Result<(), &'static str> {
    let filled = fill(template, "00000000-0000-0000-0000-000000000000");
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_?&{}".contains(&b);
    let lower = filled.to_ascii_lowercase();
    if !filled.bytes().all(allowed) {
        return Err("it has characters that no topic has");
    }
    if lower == "channel.metadata" || lower.starts_with("v2.system.") {
        return Err("it is delivered without subscribing");
    }
    if !lower.starts_with("v2.") {
        return Err("a topic begins with 'v2.'");
    }
    if has_placeholder(&filled) || filled.contains(['{', '}']) {
        return Err("only one '{id}' can be filled");
    }
    if filled.len() > LONGEST {
        return Err("it is longer than any topic");
    }
    if filled.split(['.', '?', '&']).any(str::is_empty) {
        return Err("a part of it is empty");
    }
    match filled.split_once('?') {
        None if filled.contains('&') => Err("'&' joins the parts of a combined topic, after '?'"),
        Some((_, leaves)) if leaves.contains('?') => Err("it has more than one '?'"),
        Some(_) if filled.len() >= LONGEST_COMBINED => {
            Err("a combined topic stays below 200 characters; make two of it")
        }
        _ => Ok(()),
    }
}

/// The plain names of a channel's topics, spelled as they were configured, by their lower-case
/// form: the platform does not keep to one case.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    pub(super) fn new(topics: &[String]) -> Self {
        let plain = topics.iter().flat_map(|topic| expand(topic));
        Self(
            plain
                .map(|name| (name.to_ascii_lowercase(), name))
                .collect(),
        )
    }

    /// The configured spelling; the name itself where it was not configured.
    pub(super) fn spell<'a>(&'a self, name: &'a str) -> &'a str {
        if let Some(spelled) = self.0.get(name) {
            return spelled;
        }
        let spelled = self.0.get(&name.to_ascii_lowercase());
        spelled.map_or(name, String::as_str)
    }

    /// Every plain name, in order.
    pub(super) fn sorted(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.values().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
