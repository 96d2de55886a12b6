//! Disks that refuse: an error at every operation of the script, above all at every sync, a full disk
//! at every write. A write that fails has been done in part.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use super::kit::{KEEP_ALL, Rig, draft, events, limits, options};
use super::play::{Host, Stopped, Told, judge, play};
use super::script::Script;
use crate::journal::storage::Storage;
use crate::journal::storage::simulated::{Operation, SimulatedDisk};
use crate::journal::{AppendError, Commit, FileJournal, Health, Journal as _, Lane, OpenError};

/// A disk on which one operation of the script fails.
struct Faulty {
    disk: SimulatedDisk,
    kind: ErrorKind,
    nth: usize,
    /// Operations of the processes before this one.
    before: usize,
    struck: Option<Operation>,
}

impl Faulty {
    fn new(nth: usize, kind: ErrorKind) -> Self {
        Self {
            disk: SimulatedDisk::new(nth as u64),
            kind,
            nth,
            before: 0,
            struck: None,
        }
    }

    /// The process has ended.
    fn ended(&mut self) {
        let done = self.disk.operations();
        let own = self.nth.checked_sub(self.before);
        self.struck = self.struck.or(own.and_then(|nth| done.get(nth).copied()));
        self.before += done.len();
    }
}

impl Host for Faulty {
    fn process(&mut self) -> Arc<dyn Storage> {
        self.ended();
        let process = self.disk.process();
        if let Some(nth) = self.nth.checked_sub(self.before) {
            self.disk.fail_at(nth, self.kind);
        }
        process
    }

    fn told(&mut self, _: &Told) {}

    fn operations(&self) -> usize {
        self.before + self.disk.operations().len()
    }
}

/// What became of faults, by operation.
#[derive(Debug, Default)]
struct Outcomes {
    struck: BTreeMap<Operation, usize>,
    not_opened: usize,
    read_only: usize,
    /// Refused for a while, or nothing that anybody waits for.
    survived: usize,
}

/// All operations of the script, in their order.
async fn operations(script: &Script) -> Vec<Operation> {
    let disk = SimulatedDisk::new(1);
    let mut host = Recording(disk, Vec::new());
    play(script, &mut Told::default(), &mut host).await.unwrap();
    host.process();
    host.1
}

/// A disk without faults, and what was done to it by processes that have ended.
struct Recording(SimulatedDisk, Vec<Operation>);

impl Host for Recording {
    fn process(&mut self) -> Arc<dyn Storage> {
        self.1.append(&mut self.0.operations());
        self.0.process()
    }

    fn told(&mut self, _: &Told) {}

    fn operations(&self) -> usize {
        self.1.len() + self.0.operations().len()
    }
}

/// Lets each operation of the script fail that may fail so, one in each run, and judges what is there
/// afterwards. Each must have been hit.
async fn fail_each(kind: ErrorKind, may_fail: impl Fn(Operation) -> bool) -> Outcomes {
    let script = Script::of(0);
    let all = operations(&script).await;
    let mut outcomes = Outcomes::default();
    for (nth, operation) in all
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, o)| may_fail(*o))
    {
        let what = format!("{kind}: operation {nth}, {operation:?}");
        let mut host = Faulty::new(nth, kind);
        let mut told = Told {
            ids_may_be_lost: kind == ErrorKind::StorageFull,
            ..Told::default()
        };
        match play(&script, &mut told, &mut host).await {
            Ok(()) => outcomes.survived += 1,
            Err(Stopped::NotOpened(error)) => {
                assert!(matches!(error, OpenError::Io { .. }), "{what}: {error}");
                outcomes.not_opened += 1;
            }
            Err(Stopped::ReadOnly) => {
                outcomes.read_only += 1;
                let beyond = host.operations() - nth;
                assert!(beyond <= 2, "{what} was repeated");
            }
            Err(Stopped::Wrong(error)) => panic!("{what}: {error:#}"),
        }
        host.ended();
        assert_eq!(host.struck, Some(operation), "{what}");
        *outcomes.struck.entry(operation).or_default() += 1;
        // The page cache stays, or it does not; and what a restart shows must stand as well.
        for power in [nth % 2 == 0, true] {
            if power {
                host.disk.cut_power();
            }
            let judged = judge(&script, host.disk.process(), &mut told, false).await;
            judged.unwrap_or_else(|error| panic!("{what}, power {power}: {error:#}"));
        }
    }
    let mut counted = BTreeMap::new();
    for operation in all.into_iter().filter(|o| may_fail(*o)) {
        *counted.entry(operation).or_insert(0) += 1;
    }
    assert_eq!(outcomes.struck, counted, "each was hit");
    println!("{kind}: {outcomes:?}");
    outcomes
}

#[tokio::test(start_paused = true)]
async fn an_error_at_any_operation_poisons_or_harms_nothing() {
    let outcomes = fail_each(ErrorKind::Other, |_| true).await;
    assert_eq!(outcomes.struck.len(), 8, "operations of every kind");
    assert!(outcomes.not_opened > 20, "in recovery");
    assert!(outcomes.read_only > 100, "while it is written");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_any_operation_refuses_a_commit_and_takes_it_later() {
    let outcomes = fail_each(ErrorKind::StorageFull, Operation::takes_space).await;
    assert_eq!(
        outcomes.struck.len(),
        3,
        "files are made, grown and written"
    );
    assert_eq!(outcomes.read_only, 0);
    assert!(outcomes.survived > 60);
}

fn rig(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, limits(4_096), KEEP_ALL);
    rig.check_reopened();
    rig
}

#[test]
fn a_refused_commit_is_not_found_after_a_crash() {
    for seed in 0..40 {
        let mut rig = rig(seed);
        rig.append(&[events(&[100])]).unwrap();
        // The disk takes the whole write or a part of it, says that it is full, and the process dies.
        rig.disk.fail_at(0, ErrorKind::StorageFull);
        rig.append(&[events(&[200]), events(&[800])]).unwrap_err();
        rig.writer = None;
        if seed % 2 == 0 {
            rig.disk.cut_power();
        }
        rig.open().unwrap();
        assert_eq!(rig.latest().get(), 1);
        rig.check_reopened();
    }
}

#[test]
fn a_disk_that_stays_full_serves_readers_and_takes_appends_when_there_is_room() {
    let mut rig = rig(3);
    rig.append(&[events(&[500])]).unwrap();
    rig.disk.set_capacity(rig.disk.used() + 1_000);
    let mut refused = 0;
    for _ in 0..30 {
        if rig.append(&[events(&[900])]).is_err() {
            refused += 1;
        }
        rig.pass(2);
        rig.check();
    }
    assert!(refused > 20);
    assert!(!rig.shared().durable_end().writable);
    rig.disk.set_capacity(1 << 30);
    rig.pass(6);
    assert!(rig.shared().durable_end().writable);
    rig.append(&[events(&[900])]).unwrap();
    rig.check();
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_a_journal_from_writing_again() {
    let mut rig = rig(5);
    rig.pass(3_600);
    rig.append(&[events(&[500])]).unwrap();
    rig.disk.set_capacity(rig.disk.used());
    while rig.append(&[events(&[900])]).is_ok() {}
    rig.disk.set_capacity(1 << 30);
    rig.pass_with_clock_set_back(6);
    assert!(rig.shared().durable_end().writable);
}

#[test]
fn an_active_segment_that_disappears_poisons_instead_of_losing() {
    let mut rig = rig(4);
    rig.append(&[events(&[500])]).unwrap();
    let name = rig.shared().catalog.all().last().unwrap().name();
    rig.disk.forget(&name);
    rig.pass(5);
    assert!(matches!(
        *rig.shared().health.read(),
        Health::Poisoned { .. }
    ));
}

#[tokio::test]
async fn what_follows_a_refused_commit_of_its_lane_is_refused_with_it() {
    let disk = SimulatedDisk::new(1);
    let options = options(limits(64 << 10), KEEP_ALL);
    let journal = FileJournal::open_on(disk.process(), options).unwrap();
    let lane = Lane::default();
    let in_turn = |number: u64| {
        let commit = Arc::new(Commit {
            events: vec![draft(number, 10)],
            state: Vec::new(),
        });
        journal.append_in_turn(commit, lane.turn(number))
    };
    in_turn(0).await.unwrap();
    disk.fail_at(0, ErrorKind::StorageFull);
    let refused = tokio::join!(in_turn(1), in_turn(2));
    assert!(
        matches!(refused.0, Err(AppendError::NoSpace { .. })),
        "{refused:?}"
    );
    assert!(refused.1.is_err(), "{refused:?}");
    // Whether or not there is room, it does not go before the one that it follows.
    let early = in_turn(2).await;
    assert!(matches!(early, Err(AppendError::OutOfTurn)), "{early:?}");
}
