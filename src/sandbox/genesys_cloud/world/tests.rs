//! The contact centre by itself: its story, its past, its events.

use std::collections::BTreeMap;

use super::*;
use serde_json::Value;

fn at(millis: u64) -> WallTime {
    WallTime::from_millis(1_700_000_000_000 + millis)
}

fn world(seed: u64) -> World {
    let size = Size {
        users: 8,
        queues: 3,
        units: 2,
        conversations: 50,
        history: 1_000,
        observation_interval: Duration::from_secs(1),
    };
    World::new(size, Rng::from_seed(seed), at(0))
}

fn body(drafts: &[Draft], end: &str) -> Value {
    let draft = drafts.iter().find(|d| d.topic.ends_with(end)).unwrap();
    serde_json::from_str(&draft.body).unwrap()
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let tell = |seed| -> Vec<_> {
        let mut world = world(seed);
        let mut told = Vec::new();
        for turn in 0..500 {
            let change = world.invent().unwrap();
            if let Ok((drafts, _)) = world.apply(&change, at(turn * 50)) {
                told.extend(drafts);
            }
        }
        told
    };
    assert_eq!(tell(7), tell(7));
    assert_ne!(tell(7), tell(8));
}

#[test]
fn conversations_of_the_story_go_all_the_way_and_free_their_agents() {
    let mut world = world(3);
    let mut ended = 0;
    for turn in 0..3_000 {
        let change = world.invent().unwrap();
        world.apply(&change, at(turn * 50)).unwrap();
        ended = world.conversations.iter().filter(|c| !c.is_open()).count();
    }
    assert!(ended > 10, "{ended}");
    let busy = (0..world.users.len())
        .filter(|user| {
            world.routing_at(*user, at(u64::MAX / 2_000_000)).1 == RoutingState::Interacting
        })
        .count();
    let held = world
        .conversations
        .iter()
        .filter(|c| matches!(c.present().stage, Stage::Connected | Stage::WrapUp))
        .count();
    assert_eq!(busy, held);
}

#[test]
fn going_on_queue_is_told_as_presence_routing_status_activity_and_adherence() {
    let mut world = world(1);
    let user = world.users[3].id.to_string();
    let presence = SystemPresence::OnQueue;
    let change = Change::Presence {
        user: user.clone(),
        presence,
    };
    let (drafts, _) = world.apply(&change, at(5_000)).unwrap();
    let topics: Vec<_> = drafts.iter().map(|d| &*d.topic).collect();
    assert_eq!(topics[0], format!("v2.users.{user}.presence"));
    assert_eq!(topics[1], format!("v2.users.{user}.routingStatus"));
    assert_eq!(topics.len(), 6, "{topics:?}");
    let presence = body(&drafts, "presence");
    assert_eq!(presence["presenceDefinition"]["systemPresence"], "ON_QUEUE");
    assert_eq!(presence["modifiedDate"], "2023-11-14T22:13:25.000Z");
    assert_eq!(
        body(&drafts, "routingStatus")["routingStatus"]["status"],
        "IDLE"
    );
    let adherence = body(&drafts, "workforcemanagement.adherence");
    assert_eq!(adherence["systemPresence"], "OnQueue");
    assert_eq!(adherence["adherenceState"], "InAdherence");
    assert_eq!(adherence["adherenceChangeTime"], "2023-11-14T22:13:25.000Z");
}

#[test]
fn what_was_stays_known_beside_what_is() {
    let mut world = world(1);
    let queue = world.queues[0].id.to_string();
    let media = Media::Voice;
    let (_, id) = world
        .apply(&Change::StartConversation { queue, media }, at(1_000))
        .unwrap();
    let conversation = id.unwrap().to_string();
    let (to, user) = (None, None);
    let advance = Change::AdvanceConversation {
        conversation,
        to,
        user,
    };
    world.apply(&advance, at(2_000)).unwrap();
    world.apply(&advance, at(3_000)).unwrap();
    let waiting = |millis| {
        let seen = world.observe(0, at(millis));
        let count = |metric| seen[&Some(Media::Voice)][&(metric, None)];
        (count("oWaiting"), count("oInteracting"))
    };
    assert_eq!(waiting(500), (0, 0));
    assert_eq!(waiting(2_500), (1, 0));
    assert_eq!(waiting(3_000), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn observations_come_on_change_and_at_most_once_a_second() {
    let mut world = world(1);
    let now = MonoTime::now();
    let media = Media::Voice;
    let start = |world: &mut World, millis| {
        let queue = world.queues[0].id.to_string();
        let change = Change::StartConversation { queue, media };
        world.apply(&change, at(millis)).unwrap();
    };
    start(&mut world, 0);
    let first = world.publish(now, at(0));
    assert_eq!(first.len(), 2, "people and voice");
    assert!(first[1].body.contains("\"mediaType\":\"voice\""));
    start(&mut world, 10);
    start(&mut world, 20);
    assert!(world.publish(now, at(20)).is_empty());
    let due = world.next_publication().unwrap();
    assert_eq!(due, now + Duration::from_secs(1));
    let second = world.publish(due, at(1_000));
    assert_eq!(second.len(), 1);
    assert!(second[0].body.contains("\"count\":3"), "{}", second[0].body);
    assert_eq!(world.next_publication(), None);
}

#[test]
fn mistakes_are_refused_and_change_nothing() {
    let mut world = world(1);
    let before = world.state();
    let nobody = Change::Presence {
        user: "nobody".to_owned(),
        presence: SystemPresence::Meal,
    };
    assert!(world.apply(&nobody, at(1)).is_err());
    let combined = Change::Raw {
        topic: "v2.users.x?a&b".to_owned(),
        body: Value::Null,
    };
    assert!(world.apply(&combined, at(1)).is_err());
    assert_eq!(world.state(), before);
}

#[test]
fn changes_are_written_as_they_are_read() {
    let text = r#"{"change":"presence","user":"u","presence":"ON_QUEUE"}"#;
    let change: Change = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&change).unwrap(), text);
    let started: Change =
        serde_json::from_str(r#"{"change":"start_conversation","queue":"q"}"#).unwrap();
    let media = Media::Voice;
    assert_eq!(
        started,
        Change::StartConversation {
            queue: "q".to_owned(),
            media
        }
    );
    let of_stages: BTreeMap<_, _> = [(Stage::WrapUp, 1)].into();
    assert_eq!(
        serde_json::to_string(&of_stages).unwrap(),
        r#"{"wrap_up":1}"#
    );
}
