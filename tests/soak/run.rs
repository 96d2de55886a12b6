//! Runs a soak: faults, samples and readers side by side, then peace, then the judgement.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use parking_lot::Mutex;
use tieline::runtime::MonoTime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::Asked;
use crate::figures::{Percentiles, Sample, look};
use crate::place::{KINDS, Place};
use crate::readers::{Got, Manner};
use crate::report::{self, Judged};
use crate::trouble::{Deck, clear, resume, struck};

const FAULT_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Within which everything has to arrive once nothing goes wrong any more.
const SETTLES: Duration = Duration::from_secs(120);
const BETWEEN_JUDGEMENTS: Duration = Duration::from_secs(1);
const CONNECTS: Duration = Duration::from_secs(60);

/// Readers of each journal: one that stays, and of the first one that comes and goes.
const READERS: [(usize, bool); 4] = [(0, false), (0, true), (1, false), (2, false)];

/// Everything that a soak has found out.
pub(crate) struct Found {
    pub(crate) length: Duration,
    pub(crate) samples: Vec<Sample>,
    pub(crate) deck: Deck,
    pub(crate) struck: BTreeMap<String, u64>,
    /// Sessions that a person would have been called for, by reason.
    pub(crate) suspended: BTreeMap<String, u64>,
    pub(crate) readers: Vec<Judged>,
    /// Of the first and of the last quarter.
    pub(crate) latencies: [Percentiles; 2],
}

/// Soaks, prints what was found, and returns what is wrong with it.
pub(crate) async fn soak(asked: &Asked) -> Result<Vec<String>> {
    println!(
        "a soak of {:?}, {} events a second, seed {}",
        asked.length,
        asked.rate,
        asked.rng.seed()
    );
    let folder = tempfile::tempdir()?;
    let place = Place::start(folder.path(), asked).await?;
    let ended = soak_in(&place, asked).await;
    let found = ended.with_context(|| place.last_words())?;
    place.process.end().await?;
    report::print(&found);
    let mut complaints = report::complaints(&found);
    complaints.extend(verified(folder.path()).await?);
    if !complaints.is_empty() {
        println!("log and journals are kept in {}", folder.keep().display());
    }
    Ok(complaints)
}

async fn soak_in(place: &Place, asked: &Asked) -> Result<Found> {
    let connects = tokio::time::timeout(CONNECTS, place.begin(asked.rate));
    connects.await.context("sessions connect")??;
    let began = MonoTime::now();
    let mut reading = JoinSet::new();
    let mut readers = Vec::new();
    for (index, (of, dies)) in READERS.into_iter().enumerate() {
        let got = Got::new(place.platforms[of].judge());
        let manner = Manner {
            address: place.address.clone(),
            journal: KINDS[of].1,
            dies,
            rng: asked.rng.fork(&format!("reader {index}")),
        };
        reading.spawn(manner.read(Arc::clone(&got), began));
        readers.push((of, got));
    }
    let mut deck = Deck::new(asked.rng.fork("deck"), &asked.only);
    let mut suspended = BTreeMap::new();
    let samples = tokio::select! {
        wrong = reading.join_next() => return Err(ended_early(wrong)),
        wrong = befall(place, &mut deck, &mut suspended, asked) => return Err(wrong.err().unwrap_or_else(|| anyhow!("no more faults"))),
        samples = sample(place.process.id(), began, asked.length) => samples?,
    };
    let length = began.elapsed();
    // A process that is paused by the last fault must go on.
    resume(place).await?;
    for platform in &place.platforms {
        platform.set_rate(0.0);
    }
    let struck = struck(place);
    clear(place);
    place.reconnect_suspended().await?;
    let judged = tokio::select! {
        wrong = reading.join_next() => return Err(ended_early(wrong)),
        judged = settled(place, &readers) => judged,
    };
    let latencies = [0, 3].map(|nth| {
        let (from, to) = report::quarter(length, nth);
        readers[0].1.lock().latencies.within(from, to)
    });
    Ok(Found {
        length,
        samples,
        deck,
        struck,
        suspended,
        readers: judged,
        latencies,
    })
}

fn ended_early<T: std::fmt::Debug>(how: T) -> anyhow::Error {
    anyhow!("a reader ended: {how:?}")
}

/// A fault every few seconds, for ever. A session that is suspended is helped up before the next.
async fn befall(
    place: &Place,
    deck: &mut Deck,
    suspended: &mut BTreeMap<String, u64>,
    asked: &Asked,
) -> Result<()> {
    let rng = asked.rng.fork("faults");
    let mut ticks = interval(FAULT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for reason in place.reconnect_suspended().await? {
            *suspended.entry(reason).or_insert(0) += 1;
        }
        let trouble = deck
            .deal()
            .context("nothing that goes wrong has that name")?;
        trouble.befall(place, &rng).await?;
    }
}

async fn sample(process: u32, began: MonoTime, length: Duration) -> Result<Vec<Sample>> {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut samples = Vec::new();
    while began.elapsed() < length {
        ticks.tick().await;
        let sample = look(process, began.elapsed());
        samples.push(sample.context("the sidecar is gone")?);
    }
    if samples.is_empty() {
        bail!("too short to look even once");
    }
    Ok(samples)
}

/// The judgements once nothing is missing and every gap has its end, or those there are when that takes
/// too long.
async fn settled(place: &Place, readers: &[(usize, Arc<Mutex<Got>>)]) -> Vec<Judged> {
    let until = MonoTime::now() + SETTLES;
    loop {
        let judge = |(of, got): &(usize, Arc<Mutex<Got>>)| {
            let got = got.lock();
            Judged::of(*of, &got, place.platforms[*of].judgement(&got.judge))
        };
        let judged: Vec<_> = readers.iter().map(judge).collect();
        let well = judged.iter().all(Judged::is_well);
        if well || MonoTime::now() > until {
            return judged;
        }
        sleep(BETWEEN_JUDGEMENTS).await;
    }
}

/// What `tieline journal verify` has to say against the journals.
async fn verified(folder: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for (_, name) in KINDS {
        let journal = folder.join(name).join("journal");
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tieline"));
        command.args(["journal", "verify"]).arg(&journal);
        let output = command.output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            complaints.push(format!("journal {name}: {}: {said}", output.status));
        }
    }
    Ok(complaints)
}
