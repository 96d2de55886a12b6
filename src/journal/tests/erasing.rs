//! Random erasures in random histories, against a model; and what else an erasure must keep to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::kit::{KEEP_ALL, draft, limits, options};
use crate::domain::Sequence;
use crate::journal::storage::Storage;
use crate::journal::storage::simulated::SimulatedDisk;
use crate::journal::{Commit, Erasure, FileJournal, GapCause, Item, Journal};
use crate::proto::v1;
use crate::testing::scale;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<usize>),
    /// These parts of what there is.
    Erase(BTreeSet<u8>),
    /// Another process goes on.
    Reopen {
        in_order: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(prop_oneof![0..80_usize, 500..1_500_usize], 1..12).prop_map(Step::Append),
        3 => proptest::collection::btree_set(any::<u8>(), 1..20).prop_map(Step::Erase),
        1 => any::<bool>().prop_map(|in_order| Step::Reopen { in_order }),
    ]
}

#[derive(Default)]
struct Model {
    events: Vec<v1::Event>,
    erased: BTreeSet<u64>,
}

impl Model {
    async fn check(&self, journal: &FileJournal, max_bytes: usize) {
        let latest = Sequence::new(self.events.len() as u64);
        assert_eq!(journal.info().latest, latest);
        let mut at = Sequence::ZERO;
        while at < latest {
            for item in journal.read(at, max_bytes).await.unwrap().items {
                match item {
                    Item::Event(entry) => {
                        at = at.next();
                        let mut event = entry.decode().unwrap();
                        assert_eq!(event.sequence, at.get());
                        assert!(!self.erased.contains(&at.get()), "{at} was erased");
                        (event.sequence, event.record_time) = (0, None);
                        assert_eq!(event, self.events[usize::try_from(at.get() - 1).unwrap()]);
                    }
                    Item::Gap {
                        cause, first, last, ..
                    } => {
                        assert_eq!((cause, first), (GapCause::Erased, at.next()));
                        let mut all = first.get()..=last.get();
                        assert!(all.all(|n| self.erased.contains(&n)), "{first} to {last}");
                        at = last;
                    }
                }
            }
        }
    }
}

/// Lives of one journal, each as long as the process that has it open.
async fn play(steps: &[Step]) {
    let disk = SimulatedDisk::new(7);
    let mut model = Model::default();
    let mut lives = steps.split_inclusive(|step| matches!(step, Step::Reopen { .. }));
    for life in lives.by_ref().chain([&[][..]]) {
        let opened = open(disk.process());
        let (journal, writing) = opened;
        let living = async {
            model.check(&journal, 700).await;
            for step in life {
                match step {
                    Step::Append(sizes) => {
                        let first = model.events.len() as u64 + 1;
                        let drafts = (first..).zip(sizes).map(|(id, size)| draft(id, *size));
                        let events: Vec<_> = drafts.collect();
                        model.events.extend(events.clone());
                        let state = Vec::new();
                        journal.append(Commit { events, state }).await.unwrap();
                    }
                    Step::Erase(parts) => {
                        let count = model.events.len() as u64;
                        let named = parts.iter().map(|part| 1 + count * u64::from(*part) / 256);
                        let named: BTreeSet<_> = named.filter(|n| *n <= count).collect();
                        let events = named.iter().copied().map(Sequence::new).collect();
                        model.erased.extend(named);
                        let state = Vec::new();
                        journal.erase(Erasure { events, state }).await.unwrap();
                        assert!(journal.state("").is_empty());
                    }
                    Step::Reopen { in_order: true } => journal.close().await,
                    Step::Reopen { in_order: false } => {}
                }
                model.check(&journal, 5_000).await;
            }
        };
        tokio::select! {
            biased;
            () = living => {}
            () = writing => {}
        }
    }
}

fn open(storage: Arc<dyn Storage>) -> (FileJournal, impl Future<Output = ()>) {
    let options = options(limits(4_096), KEEP_ALL);
    FileJournal::open_as_task(storage, options, || Duration::ZERO).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60 * scale(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_erasures_in_any_history_take_what_they_name_and_nothing_else(
        steps in vec(step(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(&steps));
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_knows_no_erasures_does_not_open_a_journal_that_has_some() {
    let disk = SimulatedDisk::new(1);
    let (journal, writing) = open(disk.process());
    let version = || disk.contents("meta")[8];
    let life = async {
        let commit = Commit {
            events: vec![draft(1, 40)],
            state: Vec::new(),
        };
        journal.append(commit).await.unwrap();
        assert_eq!(version(), 1);
        let erasure = Erasure {
            events: [Sequence::new(1)].into_iter().collect(),
            state: Vec::new(),
        };
        journal.erase(erasure).await.unwrap();
        assert_eq!(version(), 2);
    };
    tokio::select! {
        biased;
        () = life => {}
        () = writing => unreachable!("it is open"),
    }
    drop(journal);
    let (journal, _writing) = open(disk.process());
    assert_eq!(journal.info().latest, Sequence::new(1));
}
