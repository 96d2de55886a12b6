//! One validator per guarantee of the contract, over what one reader saw.

use std::collections::{BTreeMap, BTreeSet};

use crate::feed::Cause;
use crate::proto::v1;

/// One response as a reader saw it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) events: Vec<v1::Event>,
    pub(crate) through: u64,
    pub(crate) latest: u64,
    pub(crate) news: Option<News>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    Opened {
        epoch: String,
        start: u64,
    },
    CaughtUp,
    FellBehind,
    Gap {
        cause: Cause,
        range: Option<(u64, u64)>,
    },
    Closing,
}

/// What was really written, by sequence.
pub(crate) type Written = BTreeMap<u64, v1::Event>;

pub(crate) type Wanted<'a> = &'a dyn Fn(&v1::Event) -> bool;

fn sequences(seen: &[Seen]) -> impl Iterator<Item = u64> + '_ {
    seen.iter()
        .flat_map(|s| s.events.iter().map(|e| e.sequence))
}

fn gaps(seen: &[Seen]) -> Vec<(u64, u64)> {
    seen.iter()
        .filter_map(|s| match s.news {
            Some(News::Gap { range, .. }) => range,
            _ => None,
        })
        .collect()
}

/// Runs all of them on one stream.
pub(crate) fn validate(seen: &[Seen], written: &Written, wanted: Wanted<'_>) {
    validate_form(seen);
    validate_ordered(seen);
    validate_unique(seen);
    validate_bookmarkable(seen, written);
    validate_filter(seen, written, wanted);
    validate_reliable(seen, written, wanted);
}

/// `opened` first and only there; notices that stand alone do; nothing follows `closing`.
pub(crate) fn validate_form(seen: &[Seen]) {
    for (index, response) in seen.iter().enumerate() {
        let opened = matches!(response.news, Some(News::Opened { .. }));
        assert_eq!(opened, index == 0, "opened is first and only there");
        if let Some(News::Gap { .. } | News::FellBehind | News::Closing) = response.news {
            assert!(response.events.is_empty(), "{response:?} has events");
        }
        let last = index + 1 == seen.len();
        assert!(last || response.news != Some(News::Closing));
    }
    let edges: Vec<_> = seen
        .iter()
        .filter_map(|s| match s.news {
            Some(News::CaughtUp) => Some(true),
            Some(News::FellBehind) => Some(false),
            _ => None,
        })
        .collect();
    for (index, at_edge) in edges.iter().enumerate() {
        assert_eq!(
            *at_edge,
            index % 2 == 0,
            "caught up and fell behind alternate"
        );
    }
}

/// Guarantee 1.
pub(crate) fn validate_ordered(seen: &[Seen]) {
    let all: Vec<_> = sequences(seen).collect();
    assert!(all.windows(2).all(|w| w[0] < w[1]), "order: {all:?}");
}

/// Guarantee 3.
pub(crate) fn validate_unique(seen: &[Seen]) {
    let mut known = BTreeSet::new();
    for sequence in sequences(seen) {
        assert!(known.insert(sequence), "{sequence} twice");
    }
    for (first, last) in gaps(seen) {
        let both = known.range(first..=last).next();
        assert_eq!(both, None, "delivered and in a gap");
    }
}

/// Guarantee 7: never decreases, never beyond the durable end, covers its events and no later one.
pub(crate) fn validate_bookmarkable(seen: &[Seen], written: &Written) {
    let end = written.keys().next_back().copied().unwrap_or(0);
    let mut before = 0;
    for (index, response) in seen.iter().enumerate() {
        assert!(
            response.through >= before,
            "bookmark went back: {response:?}"
        );
        assert!(response.through <= response.latest && response.latest <= end);
        for event in &response.events {
            assert!(event.sequence <= response.through, "bookmark behind");
            assert!(index > 0 && event.sequence > before, "bookmark was ahead");
        }
        before = response.through;
    }
}

/// Every delivered event was written so, and was wanted.
pub(crate) fn validate_filter(seen: &[Seen], written: &Written, wanted: Wanted<'_>) {
    for event in seen.iter().flat_map(|s| &s.events) {
        assert_eq!(Some(event), written.get(&event.sequence), "altered");
        assert!(wanted(event), "{} was not wanted", event.sequence);
    }
}

/// Guarantees 2 and 5: between the start and the last bookmark everything wanted was delivered or
/// is in a gap, and gaps follow each other and the bookmark without a hole.
pub(crate) fn validate_reliable(seen: &[Seen], written: &Written, wanted: Wanted<'_>) {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        return;
    };
    let delivered: BTreeSet<_> = sequences(seen).collect();
    let gaps = gaps(seen);
    for (sequence, event) in written.range(first.through + 1..=last.through.max(first.through + 1))
    {
        if *sequence > last.through {
            break;
        }
        let explained = delivered.contains(sequence)
            || !wanted(event)
            || gaps.iter().any(|(f, l)| (f..=l).contains(&sequence));
        assert!(explained, "{sequence} is missing without a word");
    }
    for pair in seen.windows(2) {
        if let Some(News::Gap {
            range: Some((f, l)),
            ..
        }) = pair[1].news
        {
            assert!(f > pair[0].through, "a gap begins after the bookmark");
            assert_eq!(l, pair[1].through, "a gap ends with its own bookmark");
        }
    }
}

/// Guarantee 6: a stream that was opened after the bookmark of another goes on exactly there.
pub(crate) fn validate_resumable(before: &[Seen], resumed: &[Seen]) {
    let (Some(last), Some(first)) = (before.last(), resumed.first()) else {
        return;
    };
    assert_eq!(last.through, first.through, "resumed elsewhere");
    let delivered: BTreeSet<_> = sequences(before).collect();
    assert!(sequences(resumed).all(|s| !delivered.contains(&s)));
}
