//! Topics over channels: within the limits, and each where it was.

use std::collections::HashMap;

use super::super::plan::spread_for_tests as spread;
use super::{id, presence_of};

fn topics(count: usize) -> Vec<String> {
    (0..count).map(|n| presence_of(&id(n))).collect()
}

fn places(channels: &[Vec<String>]) -> HashMap<&str, usize> {
    let each = channels.iter().enumerate();
    each.flat_map(|(at, topics)| topics.iter().map(move |t| (t.as_str(), at)))
        .collect()
}

#[test]
fn up_to_a_thousand_topics_share_one_channel() {
    let (channels, beyond) = spread(topics(1000), 20);
    assert_eq!((channels.len(), channels[0].len()), (1, 1000));
    assert!(beyond.is_empty());
    assert_eq!(spread(Vec::new(), 20).0.len(), 1);
}

#[test]
fn no_channel_holds_more_than_a_thousand() {
    for (count, most) in [
        (1001, 20),
        (5_000, 20),
        (20_000, 20),
        (9_999, 10),
        (25_000, 20),
    ] {
        let (channels, beyond) = spread(topics(count), most);
        assert!(channels.len() <= most, "{count}");
        assert!(channels.iter().all(|c| c.len() <= 1000), "{count}");
        let placed: usize = channels.iter().map(Vec::len).sum();
        assert_eq!(placed, count.min(most * 1000), "{count}");
        assert_eq!(placed + beyond.len(), count);
    }
}

#[test]
fn the_order_in_which_topics_are_listed_changes_nothing() {
    let mut reversed = topics(3_000);
    reversed.reverse();
    assert_eq!(spread(reversed, 20), spread(topics(3_000), 20));
}

#[test]
fn a_topic_keeps_its_channel_when_others_come_and_go() {
    let before = spread(topics(4_000), 20).0;
    let before = places(&before);
    for count in [3_950, 4_001, 4_040] {
        let after = spread(topics(count), 20).0;
        let after = places(&after);
        let moved = after
            .iter()
            .filter(|(t, at)| before.get(*t).is_some_and(|b| b != *at));
        assert!(moved.count() <= 80, "{count}");
    }
}
