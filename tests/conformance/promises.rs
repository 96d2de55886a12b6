//! What a connector says of itself must fit together.

use std::collections::BTreeSet;
use std::time::Duration;

use tieline::connectors::Identity;
use tieline::session::TimingConfig;

use crate::kit::{ENDPOINT, Subject, bare_settings, subjects};

#[test]
fn u6_there_is_a_way_to_receive() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        let can = connector.capabilities();
        assert!(can.websocket || can.long_poll, "{platform}");
        assert!((1..=2).contains(&can.connections), "{platform}");
        assert!(can.overlap || can.connections == 1, "{platform}");
        let numbered = matches!(can.identity, Identity::Numbers(_));
        assert!(numbered || !can.catch_up, "{platform}");
    }
}

#[test]
fn u18_each_topic_is_in_exactly_one_family() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        let families = connector.families();
        let names: BTreeSet<_> = families.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), families.len(), "{platform}");
        let mut topics: Vec<_> = families.into_iter().flat_map(|f| f.topics).collect();
        let mut own = connector.topics().to_vec();
        topics.sort();
        own.sort();
        assert_eq!(topics, own, "{platform}");
        assert!(!own.is_empty(), "{platform}");
    }
}

#[test]
fn u9_a_poll_is_held_for_less_than_it_is_waited_for() {
    const MARGIN: Duration = Duration::from_secs(5);
    let hold = bare_settings("any", ENDPOINT).hold;
    assert!(hold + MARGIN <= TimingConfig::default().poll_timeout.0);
}

#[test]
fn the_end_of_what_was_never_tracked_is_no_event() {
    for Subject {
        platform,
        connector,
    } in subjects()
    {
        assert!(
            connector.departed("no such scope", "x").is_none(),
            "{platform}"
        );
    }
}
