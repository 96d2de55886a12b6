//! Channels by themselves: who makes room, who is left, what waits.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn times() -> (MonoTime, WallTime) {
    (MonoTime::now(), WallTime::from_millis(0))
}

fn held(topic: &str) -> Held {
    Held {
        id: topic.to_owned(),
        permitted: vec![topic.into()],
    }
}

fn frame(fact: u64) -> Outgoing {
    Outgoing {
        text: format!("frame {fact}"),
        fact: Some(fact),
    }
}

fn with(count: usize) -> Channels {
    let mut channels = Channels::default();
    for place in 0..count {
        channels.make(format!("c{place}").into(), (0, 1), DAY, times());
    }
    channels
}

#[tokio::test(start_paused = true)]
async fn the_one_unused_for_longest_makes_room_those_without_a_socket_first() {
    let mut channels = with(3);
    assert_eq!(channels.surplus(0, 4), None);
    assert_eq!(channels.surplus(1, 1), None);
    assert_eq!(channels.surplus(0, 3).as_deref(), Some("c0"));
    channels.attach("c0", 1);
    assert_eq!(channels.surplus(0, 3).as_deref(), Some("c1"));
    channels.set_topics("c1", vec![held("a")]);
    assert_eq!(channels.surplus(0, 3).as_deref(), Some("c2"));
    channels.attach("c2", 2);
    channels.attach("c1", 3);
    assert_eq!(channels.surplus(0, 3).as_deref(), Some("c0"));
}

#[tokio::test(start_paused = true)]
async fn events_wait_for_a_socket_and_for_nothing_else() {
    let mut channels = with(1);
    channels.set_topics("c0", vec![held("a")]);
    assert_eq!(channels.subscribed("a"), ["c0".into()]);
    assert_eq!(channels.offer("c0", frame(1), 9), Offered::NoSocket);
    assert!(channels.attach("c0", 7).is_empty());
    assert_eq!(channels.offer("c0", frame(2), 9), Offered::Waiting);
    assert_eq!(channels.offer("c0", frame(3), 9), Offered::Waiting);
    assert_eq!(channels.take("c0", 1), [frame(2)]);
    // The newer socket takes the channel; what waited for the older is lost.
    assert_eq!(channels.attach("c0", 8), [3]);
    assert!(channels.parting(7).is_some() && channels.parting(8).is_none());
    assert!(channels.detach("c0", 7).is_empty());
    assert_eq!(channels.get("c0").unwrap().socket, Some(8));
    assert!(channels.parting(7).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_removed_channel_tells_its_socket_and_leaves_it() {
    let mut channels = with(2);
    channels.set_topics("c0", vec![held("a"), held("b")]);
    channels.attach("c0", 7);
    assert_eq!(channels.offer("c0", frame(1), 9), Offered::Waiting);
    assert_eq!(channels.remove("c0", "gone", ["farewell".to_owned()]), [1]);
    assert!(channels.subscribed("a").is_empty() && channels.subscribed("b").is_empty());
    let parting = channels.parting(7).unwrap();
    assert_eq!(parting.frames.pop_front().unwrap().text, "farewell");
    assert!(channels.remove("c0", "gone", []).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_does_not_read_is_left_when_its_outbox_is_full() {
    let mut channels = with(1);
    channels.attach("c0", 7);
    assert_eq!(channels.offer("c0", frame(1), 1), Offered::Waiting);
    let lost = vec![1];
    assert_eq!(channels.offer("c0", frame(2), 1), Offered::Overrun { lost });
    assert!(channels.parting(7).is_some());
    assert_eq!(channels.get("c0").unwrap().socket, None);
}

#[tokio::test(start_paused = true)]
async fn a_life_ends_unless_it_is_extended() {
    let mut channels = with(2);
    let (now, wall) = times();
    let late = now + DAY;
    channels.extend("c1", DAY, (now + Duration::from_secs(1), wall));
    assert_eq!(channels.expired(late), ["c0".into()]);
    channels.end_life("c1", now);
    assert_eq!(channels.expired(now), ["c1".into()]);
}
