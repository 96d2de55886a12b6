//! A model of the journal, readers that come, go and resume at random, and one validator per
//! guarantee over all that they saw, on a real socket.

use super::*;
use crate::domain::Sequence;
use crate::feed::RingBounds;
use crate::feed::tests::validate::{Wanted, Written, validate, validate_resumable};
use crate::feed::tests::{draft, scale, session_fact};

const READERS: usize = 6;
const ROUNDS: u32 = 400;

/// One reader with everything it ever saw, one list per stream.
struct Reader {
    client: EventServiceClient<Channel>,
    request: v1::SubscribeRequest,
    stream: Option<Streaming<v1::SubscribeResponse>>,
    history: Vec<Vec<Seen>>,
    errors: Vec<String>,
}

/// A selection for each reader, and the same in plain words.
fn selection(index: usize) -> (Option<v1::EventFilter>, Option<v1::Shard>) {
    let types = v1::EventFilter {
        types: vec!["ccaas.conversation.u*".to_owned()],
        excluded_types: vec!["*".to_owned(); index / 5],
        ..Default::default()
    };
    let session = v1::EventFilter {
        sessions: vec!["sessions/s0".to_owned()],
        ..Default::default()
    };
    match index {
        1 | 5 => (Some(types), None),
        2 => (Some(session), None),
        3 => (None, Some(v1::Shard { index: 1, count: 3 })),
        _ => (None, None),
    }
}

fn wanted(index: usize, event: &v1::Event) -> bool {
    let fact = matches!(event.data, Some(v1::event::Data::SessionEvent(_)));
    match index {
        1 => fact || event.r#type.starts_with("ccaas.conversation.u"),
        2 => event.session == "sessions/s0",
        3 => {
            let key = [&event.ordering_key, &event.subject, &event.session]
                .into_iter()
                .find(|key| !key.is_empty())
                .unwrap();
            fact || xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % 3 == 1
        }
        5 => fact,
        _ => true,
    }
}

impl Reader {
    fn through(&self) -> Option<u64> {
        self.history
            .iter()
            .flatten()
            .last()
            .map(|seen| seen.through)
    }

    /// Opens or resumes; after a refusal under FAIL it decides to resume at the earliest.
    async fn open(&mut self, end: Option<End>) {
        let start = self.through().map_or_else(earliest, after);
        let request = v1::SubscribeRequest {
            start,
            end,
            ..self.request.clone()
        };
        match within(self.client.subscribe(request)).await {
            Ok(response) => {
                self.stream = Some(response.into_inner());
                self.history.push(Vec::new());
            }
            Err(status) => self.refused(&status),
        }
    }

    fn refused(&mut self, status: &Status) {
        let details = status.get_error_details();
        let reason = details.error_info().unwrap().reason.clone();
        assert!(
            ["POSITION_TRIMMED", "JOURNAL_CORRUPTED"].contains(&reason.as_str()),
            "{status:?}"
        );
        self.errors.push(reason);
        self.stream = None;
        self.request.unavailable_policy = v1::UnavailablePolicy::ResumeAtEarliest.into();
    }

    /// Takes responses until it is through with what is written, at most `count`.
    async fn read(&mut self, latest: u64, count: u64) {
        for _ in 0..count {
            if self
                .history
                .last()
                .and_then(|s| s.last())
                .is_some_and(|s| s.through >= latest)
            {
                return;
            }
            let Some(stream) = &mut self.stream else {
                return;
            };
            match within(stream.message()).await {
                Ok(Some(response)) => self.history.last_mut().unwrap().push(seen(response)),
                Ok(None) => self.stream = None,
                Err(status) => self.refused(&status),
            }
        }
    }
}

async fn readers(edge: &Edge) -> Vec<Reader> {
    let mut readers = Vec::new();
    for index in 0..READERS {
        let (filter, shard) = selection(index);
        let policy = match index % 3 {
            0 => v1::UnavailablePolicy::Fail,
            1 => v1::UnavailablePolicy::ResumeAtEarliest,
            _ => v1::UnavailablePolicy::ResumeAtLatest,
        };
        readers.push(Reader {
            client: edge.events().await,
            request: v1::SubscribeRequest {
                filter,
                shard,
                unavailable_policy: policy.into(),
                batching: Some(v1::Batching {
                    max_events: 1 + 7 * index as u32,
                    ..Default::default()
                }),
                ..Default::default()
            },
            stream: None,
            history: Vec::new(),
            errors: Vec::new(),
        });
    }
    readers
}

/// A batch that ends with a session fact, so that every reader is told of it at once.
fn batch(first: u64, count: u64) -> Vec<v1::Event> {
    let last = first + count;
    (first..last)
        .map(draft)
        .chain([session_fact(last)])
        .collect()
}

async fn run(seed: u64) -> (Vec<Reader>, Written) {
    let ring = RingBounds {
        bytes: 1 << 20,
        events: 24,
    };
    let edge = edge_with(
        FeedConfig {
            ring,
            ..FeedConfig::default()
        },
        100,
    )
    .await;
    let mut readers = readers(&edge).await;
    let rng = Rng::from_seed(seed);
    for round in 0..ROUNDS {
        let latest = edge.bench.feed.info().latest.get();
        let reader = &mut readers[usize::try_from(rng.below(READERS as u64)).unwrap()];
        match rng.below(20) {
            0..=5 => edge.bench.append(batch(latest + 1, rng.below(30))).await,
            6..=8 => reader.stream = None,
            9..=13 if reader.stream.is_none() => reader.open(None).await,
            14 if round % 4 == 0 => {
                let keep = rng.below(120);
                let to = Sequence::new(latest.saturating_sub(keep).max(1));
                if edge.bench.feed.info().earliest < to {
                    edge.bench.journal.trim(to);
                }
            }
            15 if round % 8 == 0 && latest > 20 => {
                let first = Sequence::new(latest - rng.below(20));
                edge.bench.journal.damage(first, first.plus(rng.below(5)));
            }
            _ => reader.read(latest, 1 + rng.below(40)).await,
        }
    }
    let latest = edge.bench.feed.info().latest.get();
    for reader in &mut readers {
        while reader.through().is_none_or(|through| through < latest) {
            reader.open(Some(End::UntilCaughtUp(true))).await;
            reader.read(latest, u64::MAX).await;
        }
    }
    let events = edge.bench.journal.events();
    (
        readers,
        events.into_iter().map(|e| (e.sequence, e)).collect(),
    )
}

#[tokio::test]
async fn no_reader_is_ever_told_anything_that_is_not_so() {
    let mut told = Vec::new();
    for seed in 0..u64::from(6 * scale()) {
        let (readers, written) = run(seed).await;
        for (index, reader) in readers.iter().enumerate() {
            let wanted: Wanted<'_> = &|event| wanted(index, event);
            for stream in &reader.history {
                validate(stream, &written, wanted);
            }
            let spoke: Vec<_> = reader.history.iter().filter(|s| !s.is_empty()).collect();
            for pair in spoke.windows(2) {
                validate_resumable(pair[0], pair[1]);
            }
            told.extend(reader.errors.iter().cloned());
            let news = reader
                .history
                .iter()
                .flatten()
                .filter_map(|s| s.news.as_ref());
            told.extend(news.map(|news| match news {
                News::Gap { cause, .. } => format!("{cause:?}"),
                other => format!("{other:?}"),
            }));
        }
    }
    // A run in which nothing happened proves nothing.
    for fact in [
        "Trimmed",
        "Corrupted",
        "CaughtUp",
        "FellBehind",
        "POSITION_TRIMMED",
    ] {
        assert!(told.iter().any(|t| t == fact), "never seen: {fact}");
    }
}
