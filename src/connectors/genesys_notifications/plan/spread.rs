//! Which topic goes to which channel, so that a topic stays where it is when others come and go.
//!
//! Each topic has an order of preference among the channels, by hash (rendezvous), and takes the
//! first that has room; those with the highest hash choose first. One topic more or less then moves
//! few others. There are so many channels that each is planned nine tenths full, so their number
//! changes seldom; when it does, one of n topics moves.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Topics of one channel (2.5).
const MOST_TOPICS: usize = 1000;
/// Why a topic has no channel.
pub(super) const CHANNEL_LIMIT: &str = "CHANNEL_LIMIT";
/// How full channels are planned where there are several.
const PLANNED: usize = 900;

/// Topics by channel, at least one, and those beyond the limit.
pub(in super::super) fn spread(
    topics: Vec<String>,
    most: usize,
) -> (Vec<Vec<String>>, Vec<String>) {
    let mut topics = topics;
    topics.sort_unstable();
    if topics.len() <= MOST_TOPICS {
        return (vec![topics], Vec::new());
    }
    let count = topics.len().div_ceil(PLANNED).clamp(2, most.max(2));
    let mut channels = vec![Vec::new(); count];
    let mut beyond = Vec::new();
    let mut hashed: Vec<(u64, String)> = topics
        .into_iter()
        .map(|topic| (hash(&topic, u64::MAX), topic))
        .collect();
    hashed.sort_unstable();
    for (_, topic) in hashed {
        let mut preferred: Vec<(u64, usize)> = (0..count)
            .map(|channel| (hash(&topic, channel as u64), channel))
            .collect();
        preferred.sort_unstable();
        let open = preferred.into_iter().find_map(|(_, channel)| {
            let has_room = |c: &Vec<String>| c.len() < MOST_TOPICS;
            let c = channels.get(channel)?;
            has_room(c).then_some(channel)
        });
        match open.and_then(|channel| channels.get_mut(channel)) {
            Some(channel) => channel.push(topic),
            None => beyond.push(topic),
        }
    }
    for channel in &mut channels {
        channel.sort_unstable();
    }
    beyond.sort_unstable();
    (channels, beyond)
}

/// The same in every process and version: a change would move every topic.
fn hash(topic: &str, channel: u64) -> u64 {
    xxh3_64_with_seed(topic.as_bytes(), channel)
}
