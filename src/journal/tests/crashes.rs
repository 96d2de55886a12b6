//! The power fails before every operation of a fixed script, and again while recovering: what was told
//! stands, whatever part of what was not synced has reached the disk.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};

use super::play::{Host, Told, begin, judge, play};
use super::script::Script;
use crate::journal::storage::Storage;
use crate::journal::storage::simulated::SimulatedDisk;
use crate::runtime::{Mistake, Rng};
use crate::testing::scale;

/// Crashes for each unit of the scale.
const CRASHES: usize = 12_500;
/// What is left of one moment is looked at so often.
const CRASHES_OF_A_MOMENT: u64 = 12;
/// More than recovery does, so that some come through.
const RECOVERY: u64 = 16;

/// A disk that remembers what it was before each operation, and what had been told by then.
struct Filmed {
    disk: SimulatedDisk,
    log: Vec<(usize, Told)>,
}

/// One moment of a script.
struct Moment {
    disk: SimulatedDisk,
    told: Told,
}

impl Host for Filmed {
    fn process(&mut self) -> Arc<dyn Storage> {
        self.disk.process()
    }

    fn told(&mut self, told: &Told) {
        self.log.push((self.disk.filmed(), told.clone()));
    }

    fn operations(&self) -> usize {
        self.disk.filmed()
    }
}

/// Every moment of the script: before each operation, and at its end.
async fn moments(script: &Script) -> Result<Vec<Moment>> {
    let mut host = Filmed {
        disk: SimulatedDisk::new(1),
        log: Vec::new(),
    };
    host.disk.film();
    let played = play(script, &mut Told::default(), &mut host).await;
    played.map_err(|stopped| anyhow!("nothing disturbs it, and yet: {stopped:?}"))?;
    let frames = host.disk.frames().into_iter().enumerate();
    let moments = frames.map(|(at, disk)| {
        let before = host.log.iter().take_while(|(frame, _)| *frame <= at);
        let told = before.last().map(|(_, told)| told.clone());
        let told = told.unwrap_or_default();
        Moment { disk, told }
    });
    Ok(moments.collect())
}

/// The power fails, or the process alone, then it may fail again during recovery, and once more behind
/// what was appended after that. How many crashes it was.
async fn crash(script: &Script, moment: &Moment, rng: &Rng) -> Result<usize> {
    let disk = moment.disk.fork(rng.bits());
    let mut told = moment.told.clone();
    let mut crashes = 1;
    if rng.below(8) > 0 {
        disk.cut_power();
    }
    while rng.below(2) == 0 {
        let process = disk.process();
        disk.die_at(usize::try_from(rng.below(RECOVERY))?);
        begin(process, &told);
        disk.cut_power();
        crashes += 1;
    }
    judge(script, disk.process(), &mut told, rng.below(2) == 0).await?;
    disk.cut_power();
    judge(script, disk.process(), &mut told, false).await?;
    Ok(crashes + 1)
}

#[tokio::test(start_paused = true)]
async fn thousands_of_power_cuts_lose_nothing_that_was_told() {
    let wanted = CRASHES * scale() as usize;
    let (mut crashes, mut moments_hit) = (0, 0);
    for variant in 0.. {
        let script = Script::of(variant);
        for (at, moment) in moments(&script).await.unwrap().iter().enumerate() {
            for seed in 0..CRASHES_OF_A_MOMENT {
                let seed = (variant << 40) | (at as u64) << 20 | seed;
                let crashed = crash(&script, moment, &Rng::from_seed(seed)).await;
                crashes += crashed
                    .with_context(|| format!("variant {variant}, moment {at}, seed {seed}"))
                    .unwrap();
            }
            moments_hit += 1;
        }
        if crashes >= wanted {
            break;
        }
    }
    println!("{crashes} crashes at {moments_hit} moments");
}

#[tokio::test(start_paused = true)]
async fn the_script_does_all_that_a_journal_does() {
    let script = Script::of(0);
    let moments = moments(&script).await.unwrap();
    let last = moments.last().unwrap();
    assert!(moments.len() > 200, "{} operations", moments.len());
    let opened = last.disk.fork(1);
    judge(&script, opened.process(), &mut last.told.clone(), true)
        .await
        .unwrap();
    let segments = |moment: &Moment| {
        let names = moment.disk.names().into_iter();
        names
            .filter(|name| name.ends_with(".seg"))
            .collect::<Vec<_>>()
    };
    let made: std::collections::BTreeSet<_> = moments.iter().flat_map(segments).collect();
    assert!(made.len() > 20, "{} segments", made.len());
    assert!(segments(last).len() < 6, "retention deletes");
    let has_spare = |moment: &&Moment| moment.disk.names().contains(&"spare".to_owned());
    assert!(moments.iter().filter(has_spare).count() > 5);
}

#[tokio::test(start_paused = true)]
async fn a_death_at_any_operation_of_recovery_changes_nothing() {
    let script = Script::of(0);
    for (at, moment) in moments(&script).await.unwrap().iter().enumerate() {
        let left = moment.disk.fork(at as u64);
        if at % 4 > 0 {
            left.cut_power();
        }
        for die_at in 0.. {
            let what = || format!("recovery from moment {at} dies at {die_at}");
            let disk = left.fork(die_at as u64);
            let process = disk.process();
            disk.die_at(die_at);
            begin(process, &moment.told);
            if !disk.is_dead() {
                assert!(die_at > 1, "recovery writes and syncs");
                break;
            }
            if die_at % 3 > 0 {
                disk.cut_power();
            }
            let mut told = moment.told.clone();
            let judged = judge(&script, disk.process(), &mut told, false).await;
            judged.with_context(what).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_journal_must_not_do_is_found() {
    for mistake in [
        Mistake::VisibleBeforeSynced,
        Mistake::NameNotSynced,
        Mistake::SnapshotWithoutState,
        Mistake::TornCommitAccepted,
    ] {
        let _planted = mistake.plant();
        let found = async {
            for variant in 0..2 {
                let script = Script::of(variant);
                for (at, moment) in moments(&script).await?.iter().enumerate() {
                    for seed in 0..4 {
                        crash(&script, moment, &Rng::from_seed(at as u64 * 4 + seed)).await?;
                    }
                }
            }
            bail!("nobody found it");
        };
        let found: Result<()> = found.await;
        let told = format!("{:#}", found.unwrap_err());
        assert!(!told.contains("nobody"), "{mistake:?}");
        println!("{mistake:?}: {told}");
    }
}
