//! Random histories: append, roll, trim, fail, crash at any operation with torn and lost writes, crash
//! again while recovering, and read from everywhere.

use std::io::ErrorKind;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::kit::{KEEP_ALL, Rig, Shape, limits};
use crate::domain::Sequence;
use crate::journal::retention::Retention;
use crate::journal::{AppendError, Health};
use crate::testing::scale;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Shape>),
    Pass(u64),
    Spare,
    Reopen,
    /// The process dies within so many operations; then the power may be cut, and recovery may die,
    /// too.
    Die {
        within: usize,
        power: bool,
        recovery: Vec<(usize, bool)>,
    },
    Fail(usize, ErrorKind),
    Fill,
    Read(u64, usize),
}

fn shape() -> impl Strategy<Value = Shape> {
    let size = prop_oneof![8 => 0..300_usize, 2 => 300..2_500_usize];
    (vec(size, 0..4), vec((0..4_u8, any::<bool>()), 0..3))
        .prop_map(|(events, state)| Shape { events, state })
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(ErrorKind::Other), Just(ErrorKind::StorageFull)];
    prop_oneof![
        12 => vec(shape(), 1..4).prop_map(Step::Append),
        3 => (0..40_u64).prop_map(Step::Pass),
        2 => Just(Step::Spare),
        1 => Just(Step::Reopen),
        4 => (0..14_usize, any::<bool>(), vec((0..12_usize, any::<bool>()), 0..3))
            .prop_map(|(within, power, recovery)| Step::Die { within, power, recovery }),
        2 => (0..8_usize, kind).prop_map(|(nth, kind)| Step::Fail(nth, kind)),
        1 => Just(Step::Fill),
        2 => (any::<u64>(), 1..5_000_usize).prop_map(|(at, bytes)| Step::Read(at, bytes)),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    let by_age = Retention {
        max_age: Some(Duration::from_secs(60)),
        ..KEEP_ALL
    };
    let by_size = Retention {
        max_bytes: Some(40_000),
        hard_max_bytes: Some(60_000),
        ..KEEP_ALL
    };
    prop_oneof![Just(KEEP_ALL), Just(by_age), Just(by_size)]
}

struct Run {
    rig: Rig,
    /// The armed death: whether the power goes, too, and where each try to recover dies.
    death: Option<(bool, Vec<(usize, bool)>)>,
    /// Something was made to fail: from then on a trim may be late.
    faulty: bool,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(shapes) => self.append(shapes),
            Step::Pass(seconds) => self.pass(*seconds),
            Step::Spare => self.rig.prepare_spare(),
            Step::Reopen => {
                self.rig.close();
                self.recover(self.death.is_some(), &[]);
            }
            Step::Die {
                within,
                power,
                recovery,
            } => {
                self.rig.disk.die_at(*within);
                self.death = Some((*power, recovery.clone()));
            }
            Step::Fail(nth, kind) => {
                self.rig.disk.fail_at(*nth, *kind);
                self.faulty = true;
                // On a full disk ids may be lost: room is more urgent.
                self.rig.ids_may_be_lost |= *kind == ErrorKind::StorageFull;
            }
            Step::Fill => {
                self.rig.disk.set_capacity(self.rig.disk.used() + 3_000);
                self.faulty = true;
                self.rig.ids_may_be_lost = true;
            }
            Step::Read(at, bytes) => {
                let end = self.rig.shared().durable_end();
                let from = end.earliest.previous().get();
                let after = from + at % (end.latest.get() - from + 1);
                if self.alive() {
                    self.rig.check_from(Sequence::new(after), *bytes);
                }
            }
        }
        self.bury();
    }

    fn alive(&self) -> bool {
        self.rig.shared().storage.list().is_ok()
    }

    fn append(&mut self, shapes: &[Shape]) {
        match self.rig.append(shapes) {
            Ok(()) => self.check_size(),
            Err(AppendError::ReadOnly { .. }) => {}
            Err(AppendError::NoSpace { .. }) => {
                self.rig.disk.set_capacity(1 << 40);
                self.pass(6);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn check_size(&self) {
        let shared = self.rig.shared();
        let segment = self.rig.options.limits.segment_bytes;
        if let (Some(max), false) = (shared.retention.hard_max_bytes, self.faulty) {
            assert!(shared.info().size_bytes <= max.max(3 * segment));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.rig.pass(seconds);
        let shared = self.rig.shared();
        let health = shared.health.read().clone();
        if !self.alive() || self.faulty || health != Health::Writable {
            return;
        }
        if let Some(max) = shared.retention.max_age {
            // The clock that a process starts with is ahead by what the test took to get there.
            let horizon = self.rig.now.minus(max).plus(Duration::from_secs(1));
            let kept = usize::try_from(self.rig.earliest().get() - 1).unwrap();
            let trimmed = self.rig.seen()[..kept].last();
            assert!(
                trimmed.is_none_or(|last| last.record_time < horizon),
                "trimmed too early"
            );
            let oldest = self.rig.seen().get(kept);
            let slack = Duration::from_secs(60);
            assert!(
                oldest.is_none_or(|e| e.record_time.plus(slack) >= horizon),
                "not trimmed"
            );
        }
    }

    /// If the process has died or is of no use any more, the next one takes over.
    fn bury(&mut self) {
        let died = !self.alive();
        let poisoned = matches!(*self.rig.shared().health.read(), Health::Poisoned { .. });
        if !died && !poisoned {
            return self.rig.check();
        }
        let (power, recovery) = self.death.take().unwrap_or_default();
        if !died {
            // What was visible is still served.
            self.rig.check();
        }
        self.recover(power, &recovery);
    }

    fn recover(&mut self, power: bool, recovery: &[(usize, bool)]) {
        self.death = None;
        if power {
            self.rig.disk.cut_power();
        }
        for (die_at, power) in recovery {
            if self.rig.open_and_die(Some(*die_at)).is_ok() {
                // It opened before it was to die, and dies later.
                self.rig.writer = None;
            }
            if *power {
                self.rig.disk.cut_power();
            }
        }
        self.rig.open().unwrap();
        self.rig.check_reopened();
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 1000 * scale(),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn no_history_loses_alters_renumbers_or_invents(
        seed: u64,
        retention in retention(),
        segment in prop_oneof![Just(2_048_u64), Just(8_192), Just(1 << 16)],
        steps in vec(step(), 1..60),
    ) {
        let mut run = Run { rig: Rig::new(seed, limits(segment), retention), death: None, faulty: false };
        run.rig.check_reopened();
        for step in &steps {
            run.step(step);
        }
        run.rig.close();
        run.recover(true, &[]);
    }
}
