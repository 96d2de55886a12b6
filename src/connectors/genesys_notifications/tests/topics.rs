//! Topic names: parsing, combining, templates, spelling.

use proptest::prelude::*;

use super::super::topics::{Kind, Names, Thing, check, expand, fill, is_id, parse, thing_of};
use super::{AGENT, CONVERSATION, QUEUE, UNIT};

#[test]
fn every_family_is_known_by_its_topics_in_any_case() {
    let table = [
        ("v2.users.X.presence", Kind::Presence),
        ("v2.users.X.routingstatus", Kind::RoutingStatus),
        ("v2.users.X.activity", Kind::Activity),
        ("v2.users.X.conversations", Kind::UserConversations),
        ("v2.users.X.conversations.calls", Kind::UserConversations),
        ("v2.users.X.conversationsummary", Kind::Other),
        (
            "v2.routing.queues.X.conversations.calls",
            Kind::QueueConversations,
        ),
        ("V2.Routing.Queues.X.Users", Kind::QueueMembers),
        (
            "v2.analytics.queues.X.observations",
            Kind::QueueObservations,
        ),
        (
            "v2.users.X.workforcemanagement.adherence",
            Kind::UserAdherence,
        ),
        (
            "v2.workforcemanagement.managementunits.X.adherence",
            Kind::UnitAdherence,
        ),
        (
            "v2.workforcemanagement.teams.X.adherence",
            Kind::TeamAdherence,
        ),
        (
            "v2.detail.events.conversation.X.acd.start",
            Kind::DetailEvent,
        ),
        ("v2.conversations.X.transcription", Kind::Transcription),
    ];
    for (name, kind) in table {
        let topic = parse(name);
        assert_eq!(topic.kind, kind, "{name}");
        assert_eq!(
            topic.id,
            if kind == Kind::Other { "" } else { "X" },
            "{name}"
        );
    }
    assert_eq!(
        parse("v2.detail.events.conversation.X.acd.start").rest,
        "acd.start"
    );
    for none in [
        "",
        ".",
        "v2",
        "v2.users..presence",
        "v2.users.X",
        "v2.users.X.presence.more",
    ] {
        assert_eq!(parse(none).kind, Kind::Other, "{none}");
    }
}

#[test]
fn a_combined_topic_stands_for_each_of_its_parts() {
    let combined = format!("v2.users.{AGENT}?presence&routingStatus");
    let parts = expand(&combined);
    assert_eq!(
        parts.as_slice(),
        [
            format!("v2.users.{AGENT}.presence"),
            format!("v2.users.{AGENT}.routingStatus"),
        ]
    );
    assert_eq!(expand("v2.a.b").as_slice(), ["v2.a.b"]);
}

#[test]
fn events_are_routed_to_topics_whatever_their_case() {
    let topics = [format!("v2.users.{AGENT}?presence&routingStatus")];
    let names = Names::new(&topics);
    let shouted = format!("V2.USERS.{}.ROUTINGSTATUS", AGENT.to_uppercase());
    assert_eq!(
        names.spell(&shouted),
        format!("v2.users.{AGENT}.routingStatus")
    );
    assert_eq!(names.spell("v2.other.topic"), "v2.other.topic");
    assert_eq!(names.sorted().len(), 2);
}

#[test]
fn a_template_says_what_its_id_names() {
    let table = [
        ("v2.routing.queues.{id}.conversations", Some(Thing::Queue)),
        ("v2.analytics.queues.{id}.observations", Some(Thing::Queue)),
        ("v2.users.{id}?presence&routingStatus", Some(Thing::User)),
        ("v2.analytics.users.{id}.aggregates", Some(Thing::User)),
        (
            "v2.workforcemanagement.managementunits.{id}.adherence",
            Some(Thing::ManagementUnit),
        ),
        (
            "v2.workforcemanagement.teams.{id}.adherence",
            Some(Thing::Team),
        ),
        ("v2.conversations.{id}.transcription", None),
    ];
    for (template, thing) in table {
        assert_eq!(thing_of(template), thing, "{template}");
    }
    assert_eq!(fill("v2.users.{id}.presence", "X"), "v2.users.X.presence");
    assert!([AGENT, QUEUE, UNIT, CONVERSATION].into_iter().all(is_id));
    assert!(
        !is_id("queue-1") && !is_id(AGENT.trim_start_matches('3')) && !is_id(&format!("{AGENT}-"))
    );
}

#[test]
fn a_topic_that_cannot_be_meant_is_refused_with_the_reason() {
    let long = format!("v2.users.{{id}}?{}", vec!["presence"; 20].join("&"));
    let table = [
        ("users.x.presence", "begins with"),
        ("v2.system.socket_closing", "without subscribing"),
        ("channel.metadata", "without subscribing"),
        ("v2.users.{id}.{id}", "only one"),
        ("v2.users.{user}.presence", "only one"),
        ("v2.users..presence", "empty"),
        ("v2.users.x?", "empty"),
        ("v2.users.x?a?b", "more than one"),
        ("v2.users.x&presence", "joins"),
        ("v2.users.x y.presence", "characters"),
        (&long, "below 200"),
    ];
    for (topic, reason) in table {
        let refused = check(topic).unwrap_err();
        assert!(refused.contains(reason), "{topic}: {refused}");
    }
    check("v2.users.{id}?presence&routingStatus").unwrap();
    check("v2.detail.events.conversation.{id}.acd.start").unwrap();
}

proptest! {
    #[test]
    fn no_name_is_read_as_something_it_does_not_hold(name in "\\PC{0,80}") {
        let topic = parse(&name);
        prop_assert!(name.contains(topic.id) && name.ends_with(topic.rest));
        let _checked = check(&name);
        prop_assert!(!expand(&name).is_empty());
    }

    #[test]
    fn case_never_changes_what_a_topic_is(
        at in 0_usize..6,
        id in "[0-9a-f]{8}",
        flips in proptest::collection::vec(any::<bool>(), 80),
    ) {
        let shapes = ["users.ID.presence", "users.ID.routingStatus", "routing.queues.ID.users",
            "analytics.queues.ID.observations", "detail.events.conversation.ID.acd.start",
            "workforcemanagement.managementunits.ID.adherence"];
        let name = format!("v2.{}", shapes[at].replace("ID", &id));
        let flipped: String = name.chars().zip(flips).map(|(c, up)| {
            if up { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        }).collect();
        prop_assert_eq!(parse(&flipped).kind, parse(&name).kind);
        let names = Names::new(std::slice::from_ref(&name));
        prop_assert_eq!(names.spell(&flipped), name);
    }

    #[test]
    fn a_combined_topic_that_passes_expands_to_plain_ones(
        leaves in proptest::collection::vec("[a-zA-Z]{1,12}", 1..8),
    ) {
        let topic = format!("v2.users.{AGENT}?{}", leaves.join("&"));
        if check(&topic).is_ok() {
            let parts = expand(&topic);
            prop_assert_eq!(parts.len(), leaves.len());
            for (part, leaf) in parts.iter().zip(&leaves) {
                prop_assert!(!part.contains(['?', '&']) && part.ends_with(leaf));
                prop_assert!(check(part).is_ok());
            }
        }
    }
}
