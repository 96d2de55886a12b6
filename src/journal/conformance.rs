//! What every [`Journal`] must do, as one suite that runs against any of them.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    AppendError, Batch, Commit, CommitSink, Committed, Erasure, GapCause, Item, Journal, Lane,
    Page, ReadError, StateDelta, View, id_hash,
};
use crate::domain::{Sequence, WallTime};
use crate::proto::v1;

/// Runs the suite; `make` gives a new, empty journal each time, whose retention keeps everything.
pub(crate) async fn run<F, J>(make: F)
where
    F: Fn() -> J,
    J: Future<Output = Arc<dyn Journal>>,
{
    an_empty_journal_has_an_end(&*make().await).await;
    numbers_are_contiguous_and_visible_when_told(&*make().await).await;
    what_is_read_is_what_was_written(&*make().await).await;
    pages_are_bounded_and_contiguous(&*make().await).await;
    state_goes_with_its_events(&*make().await).await;
    sinks_see_everything_once_and_in_order(make().await).await;
    times_are_found(&*make().await).await;
    appends_of_many_callers_do_not_mix(make().await).await;
    commits_of_a_lane_keep_their_order(make().await).await;
    ids_are_remembered_in_order(&*make().await).await;
    what_is_erased_is_a_gap_for_everybody(&*make().await).await;
}

fn draft(n: usize) -> v1::Event {
    v1::Event {
        id: format!("id-{n}"),
        source: "//conformance".to_owned(),
        subject: "x".repeat(n % 50),
        raw_data: Bytes::from(vec![u8::try_from(n % 251).unwrap_or(0); n % 700]),
        data: Some(v1::event::Data::AgentStateEvent(v1::AgentStateEvent {
            agent_id: format!("agent-{n}"),
            ..Default::default()
        })),
        sequence: 999,
        ..Default::default()
    }
}

async fn append(journal: &dyn Journal, drafts: std::ops::Range<usize>) -> Committed {
    let commit = Commit {
        events: drafts.map(draft).collect(),
        state: Vec::new(),
    };
    journal
        .append(commit)
        .await
        .expect("the journal is writable")
}

async fn read_all(journal: &dyn Journal, after: Sequence, max_bytes: usize) -> Vec<v1::Event> {
    let mut events = Vec::new();
    let mut at = after;
    loop {
        let Page { items, through, .. } = journal.read(at, max_bytes).await.expect("readable");
        if items.is_empty() {
            assert_eq!(through, at, "an empty page moves nothing");
            return events;
        }
        for item in items {
            let Item::Event(entry) = item else {
                panic!("nothing is damaged: {item:?}");
            };
            at = at.next();
            assert_eq!(entry.sequence, at);
            events.push(entry.decode().expect("an event"));
        }
        assert_eq!(through, at);
    }
}

async fn an_empty_journal_has_an_end(journal: &dyn Journal) {
    let end = *journal.durable_end().borrow();
    assert_eq!(
        (end.latest, end.earliest),
        (Sequence::ZERO, Sequence::new(1))
    );
    assert!(end.writable);
    assert!(
        journal
            .read(Sequence::ZERO, 1)
            .await
            .expect("readable")
            .items
            .is_empty()
    );
    let beyond = journal.read(Sequence::new(1), 1).await;
    assert!(matches!(beyond, Err(ReadError::NotWritten { .. })));
    assert_eq!(
        journal
            .seek_time(WallTime::default())
            .await
            .expect("readable"),
        Sequence::ZERO
    );
    assert_eq!(
        (journal.info().earliest_time, journal.info().latest_time),
        (None, None)
    );
}

async fn numbers_are_contiguous_and_visible_when_told(journal: &dyn Journal) {
    let mut next = 1;
    let mut floor = WallTime::default();
    for count in [1_usize, 3, 0, 7, 1] {
        let committed = append(journal, 0..count).await;
        assert_eq!(committed.first.get(), next);
        next += count as u64;
        assert_eq!(committed.last.get() + 1, next);
        assert!(committed.record_time >= floor);
        floor = committed.record_time;
        let end = *journal.durable_end().borrow();
        assert_eq!(end.latest, committed.last);
        assert_eq!(journal.info().latest, committed.last);
    }
}

async fn what_is_read_is_what_was_written(journal: &dyn Journal) {
    let committed = append(journal, 0..40).await;
    for (n, event) in read_all(journal, Sequence::ZERO, 1 << 20)
        .await
        .into_iter()
        .enumerate()
    {
        let expected = v1::Event {
            sequence: n as u64 + 1,
            record_time: Some(committed.record_time.to_proto()),
            ..draft(n)
        };
        assert_eq!(event, expected);
    }
    let page = journal.read(Sequence::new(5), 1).await.expect("readable");
    let Some(Item::Event(entry)) = page.items.first() else {
        panic!("an event: {page:?}");
    };
    assert_eq!(entry.id_hash, id_hash("//conformance", "id-5"));
    let mut bytes = Vec::new();
    entry.view(View::Attributes).write(&mut bytes);
    assert!(bytes.len() < entry.element.len());
}

async fn pages_are_bounded_and_contiguous(journal: &dyn Journal) {
    for at in 0..20 {
        append(journal, at * 10..at * 10 + 10).await;
    }
    for max_bytes in [0, 1, 1_000, 10_000] {
        assert_eq!(
            read_all(journal, Sequence::ZERO, max_bytes).await.len(),
            200
        );
        let page = journal
            .read(Sequence::new(7), max_bytes)
            .await
            .expect("readable");
        let sizes = page.items.iter().skip(1).map(|item| match item {
            Item::Event(entry) => entry.element.len(),
            Item::Gap { .. } => 0,
        });
        assert!(sizes.sum::<usize>() <= max_bytes);
    }
    for after in (0..=200).rev() {
        let left = read_all(journal, Sequence::new(after), 5_000).await.len() as u64;
        assert_eq!(left, 200 - after);
    }
}

async fn state_goes_with_its_events(journal: &dyn Journal) {
    let delta = |key: &str, value: Option<&'static str>, event| StateDelta {
        key: key.to_owned(),
        value: value.map(Bytes::from),
        event,
    };
    let commit = |count: usize, state| Commit {
        events: (0..count).map(draft).collect(),
        state,
    };
    let first = vec![
        delta("a/1", Some("x"), Some(1)),
        delta("b", Some("y"), None),
    ];
    journal.append(commit(3, first)).await.expect("writable");
    let second = vec![delta("a/2", Some("z"), None), delta("b", None, None)];
    let committed = journal.append(commit(0, second)).await.expect("writable");
    assert_eq!(
        (committed.first.get(), committed.last.get()),
        (4, 3),
        "state burns no number"
    );
    let found: Vec<_> = journal
        .state("")
        .into_iter()
        .map(|e| (e.key, e.sequence.get()))
        .collect();
    assert_eq!(found, [("a/1".to_owned(), 2), ("a/2".to_owned(), 0)]);
    assert_eq!(journal.state("a/").len(), 2);
    assert_eq!(
        journal.state("a/1").first().map(|e| e.value.clone()),
        Some(Bytes::from("x"))
    );
    assert!(journal.state("b").is_empty());
}

#[derive(Debug)]
struct Recorder {
    journal: std::sync::Weak<dyn Journal>,
    seen: Mutex<Vec<Sequence>>,
}

impl CommitSink for Recorder {
    fn committed(&self, batch: &Batch) {
        if let Some(journal) = self.journal.upgrade() {
            let end = journal.durable_end().borrow().latest;
            assert!(
                batch.entries.iter().all(|e| e.sequence > end),
                "told before the sink"
            );
        }
        let elements: usize = batch.entries.iter().map(|e| e.element.len()).sum();
        assert!(batch.buffer >= elements, "they lie within it");
        self.seen
            .lock()
            .extend(batch.entries.iter().map(|entry| entry.sequence));
    }
}

async fn sinks_see_everything_once_and_in_order(journal: Arc<dyn Journal>) {
    append(&*journal, 0..3).await;
    let recorder = Arc::new(Recorder {
        journal: Arc::downgrade(&journal),
        seen: Mutex::default(),
    });
    assert_eq!(journal.attach(recorder.clone()), Sequence::new(3));
    for at in 0..10 {
        append(&*journal, 0..at).await;
    }
    let expected: Vec<_> = (4..=48).map(Sequence::new).collect();
    assert_eq!(*recorder.seen.lock(), expected);
}

async fn times_are_found(journal: &dyn Journal) {
    let mut commits = Vec::new();
    for _ in 0..10 {
        commits.push(append(journal, 0..3).await);
    }
    for commit in &commits {
        let time = commit.record_time;
        let before = commits
            .iter()
            .filter(|c| c.record_time < time)
            .map(|c| c.last)
            .max();
        let found = journal.seek_time(time).await.expect("readable");
        assert_eq!(found, before.unwrap_or(Sequence::ZERO));
    }
    let future = journal
        .seek_time(WallTime::from_nanos(u64::MAX))
        .await
        .expect("readable");
    assert_eq!(future, Sequence::new(30));
}

async fn appends_of_many_callers_do_not_mix(journal: Arc<dyn Journal>) {
    let caller = |caller: usize| {
        let journal = journal.clone();
        async move {
            let mut last = Sequence::ZERO;
            for at in 0..20 {
                let from = caller * 1_000 + at * 3;
                let committed = append(&*journal, from..from + 3).await;
                assert!(
                    committed.first > last,
                    "commits of one caller keep their order"
                );
                last = committed.last;
            }
        }
    };
    futures_util::future::join_all((0..8).map(caller)).await;
    let events = read_all(&*journal, Sequence::ZERO, 1 << 20).await;
    assert_eq!(events.len(), 8 * 20 * 3);
    let number = |event: &v1::Event| event.id.trim_start_matches("id-").parse::<usize>();
    for commit in events.chunks(3) {
        let numbers: Vec<_> = commit
            .iter()
            .filter_map(|event| number(event).ok())
            .collect();
        assert!(
            numbers
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a + 1 == *b))
        );
    }
}

async fn commits_of_a_lane_keep_their_order(journal: Arc<dyn Journal>) {
    let lane = Lane::default();
    let in_turn = |number: u64, count: usize| {
        let commit = Arc::new(Commit {
            events: (0..count).map(draft).collect(),
            state: Vec::new(),
        });
        journal.append_in_turn(commit, lane.turn(number))
    };
    let early = in_turn(1, 2).await;
    assert!(matches!(early, Err(AppendError::OutOfTurn)), "{early:?}");
    // Nobody waits for anybody's answer.
    let answers = futures_util::future::join_all((0..20).map(|number| in_turn(number, 3))).await;
    for (number, answer) in (0_u64..).zip(answers) {
        assert_eq!(answer.expect("in turn").first.get(), 1 + 3 * number);
    }
    let again = in_turn(19, 1).await;
    assert!(matches!(again, Err(AppendError::OutOfTurn)), "{again:?}");
    assert_eq!(in_turn(20, 1).await.expect("in turn").first.get(), 61);
    assert_eq!(append(&*journal, 0..1).await.first.get(), 62, "without one");
}

async fn ids_are_remembered_in_order(journal: &dyn Journal) {
    append(journal, 0..5).await;
    append(journal, 5..9).await;
    let expected: Vec<_> = (0..9)
        .map(|n| id_hash("//conformance", &format!("id-{n}")))
        .collect();
    assert_eq!(journal.recent_ids(), expected);
}

async fn what_is_erased_is_a_gap_for_everybody(journal: &dyn Journal) {
    append(journal, 0..30).await;
    let key = |key: &str, value: &'static [u8]| StateDelta {
        key: key.to_owned(),
        value: Some(Bytes::from_static(value)),
        event: Some(0),
    };
    let commit = Commit {
        events: vec![draft(30)],
        state: vec![key("a/goes", b"Ada"), key("a/stays", b"7")],
    };
    journal
        .append(commit)
        .await
        .expect("the journal is writable");
    let (ids, before) = (journal.recent_ids(), *journal.durable_end().borrow());
    let gone = [4, 5, 6, 10, 29, 30, 31];
    let erasure = Erasure {
        events: gone.into_iter().map(Sequence::new).collect(),
        state: vec!["a/goes".to_owned()],
    };
    for _ in 0..2 {
        let erased = journal.erase(erasure.clone()).await;
        erased.expect("the journal is writable");
        let keys: Vec<_> = journal.state("a/").into_iter().map(|e| e.key).collect();
        assert_eq!(keys, ["a/stays"]);
        for max_bytes in [1, 700, 1 << 20] {
            let (mut at, mut gaps) = (Sequence::ZERO, Vec::new());
            while at < before.latest {
                let page = journal.read(at, max_bytes).await.expect("readable");
                for item in page.items {
                    let (first, last) = match item {
                        Item::Event(entry) => {
                            let event = entry.decode().expect("an event");
                            assert_eq!(event.id, format!("id-{}", entry.sequence.get() - 1));
                            (entry.sequence, entry.sequence)
                        }
                        Item::Gap {
                            cause, first, last, ..
                        } => {
                            assert_eq!(cause, GapCause::Erased);
                            gaps.extend(first.get()..=last.get());
                            (first, last)
                        }
                    };
                    assert_eq!(first, at.next());
                    at = last;
                }
                assert_eq!(page.through, at);
            }
            assert_eq!(gaps, gone);
        }
    }
    let end = *journal.durable_end().borrow();
    assert_eq!((end.latest, journal.recent_ids()), (before.latest, ids));
    assert!(end.erasures > before.erasures);
    append(journal, 31..40).await;
}
