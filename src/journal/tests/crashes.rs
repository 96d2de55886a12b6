//! The process dies at every operation of a fixed script, with and without the power; then recovery
//! dies at every operation of its own.

use super::kit::{KEEP_ALL, Rig, Shape, events, limits};
use crate::journal::AppendError;
use crate::journal::retention::Retention;
use crate::testing::scale;

const KEEP_LITTLE: Retention = Retention {
    max_bytes: Some(14_000),
    ..KEEP_ALL
};

/// Appends of every form, rolls by size and by age, a spare file, trims that carry ids.
fn script(rig: &mut Rig) -> Result<(), AppendError> {
    rig.append(&[events(&[10]), events(&[700, 20])])?;
    rig.append(&[Shape {
        events: vec![30],
        state: vec![(1, true), (2, true)],
    }])?;
    rig.append(&[events(&[]), events(&[1_500])])?;
    rig.prepare_spare();
    rig.append(&[events(&[1_200]), events(&[5, 5, 5])])?;
    rig.append(&[Shape {
        events: vec![600, 600],
        state: vec![(1, false), (3, true)],
    }])?;
    rig.append(&[events(&[3_000])])?;
    rig.pass(11);
    rig.append(&[events(&[100]), events(&[100])])?;
    rig.pass(1);
    for _ in 0..4 {
        rig.append(&[events(&[900, 900])])?;
    }
    rig.pass(1);
    rig.append(&[events(&[50])])?;
    rig.close();
    Ok(())
}

fn rig(seed: u64) -> Rig {
    Rig::new(seed, limits(4_096), KEEP_LITTLE)
}

fn operations(seed: u64) -> usize {
    let mut rig = rig(seed);
    rig.check_reopened();
    let before = rig.disk.operations().len();
    script(&mut rig).unwrap();
    let operations = rig.disk.operations().len() - before;
    rig.open().unwrap();
    rig.check_reopened();
    assert!(rig.earliest().get() > 3, "the script trims");
    operations
}

/// The script, cut short at its `nth` operation.
fn cut_short(seed: u64, nth: usize, power: bool) -> Rig {
    let mut rig = rig(seed);
    rig.check_reopened();
    rig.disk.die_at(nth);
    // It may die in the middle of upkeep, which says nothing.
    script(&mut rig).ok();
    rig.writer = None;
    if power {
        rig.disk.cut_power();
    }
    rig
}

#[test]
fn a_death_at_any_operation_loses_nothing() {
    let operations = operations(0);
    assert!(operations > 60, "{operations}");
    for nth in 0..operations {
        for seed in 0..12 * u64::from(scale()) {
            let mut rig = cut_short(seed, nth, seed > 0);
            rig.open().unwrap();
            rig.check_reopened();
            rig.append(&[events(&[10])]).unwrap();
            rig.check();
        }
    }
}

#[test]
fn a_death_at_any_operation_of_recovery_changes_nothing() {
    let operations = operations(0);
    for nth in 0..operations {
        let seed = nth as u64;
        for die_at in 0.. {
            let mut rig = cut_short(seed, nth, nth % 2 == 0);
            if rig.open_and_die(Some(die_at)).is_ok() {
                assert!(die_at > 1, "recovery writes and syncs");
                break;
            }
            rig.disk.cut_power();
            if die_at % 2 == 0 {
                assert!(rig.open_and_die(Some(die_at / 2)).is_err());
                rig.disk.cut_power();
            }
            rig.open().unwrap();
            rig.check_reopened();
        }
    }
}

#[test]
fn a_crash_while_a_journal_is_made_leaves_none_or_an_empty_one() {
    for nth in 0..12 {
        for seed in 0..20 {
            let mut rig = Rig::closed(
                crate::journal::storage::simulated::SimulatedDisk::new(seed),
                limits(4_096),
                KEEP_ALL,
            );
            rig.open_and_die(Some(nth)).ok();
            rig.writer = None;
            rig.disk.cut_power();
            rig.open().unwrap();
            rig.check_reopened();
            rig.append(&[events(&[10])]).unwrap();
            rig.check();
        }
    }
}
