//! Plays a [`Script`] through the contract of a journal, and judges what is there after any end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;

use super::kit::{START, limits, options};
use super::script::{Life, RETENTION, SEGMENT, Script, Step};
use crate::domain::{Epoch, Sequence, WallTime};
use crate::journal::storage::Storage;
use crate::journal::{AppendError, FileJournal, GapCause, Health, Item, Journal, OpenError};
use crate::runtime::{Clock, drain};

/// More than the delay after which a full disk is tried again.
const DELAY: Duration = Duration::from_secs(6);
/// One fault refuses one commit once.
const REFUSALS: usize = 2;
/// In which a journal that is read-only would have tried to write.
const QUIET: Duration = Duration::from_secs(60);

/// What a journal has told to somebody: none of it may ever become untrue.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) commits: usize,
    /// Erasures that were answered, or of which somebody has seen the effect.
    pub(super) erased: usize,
    /// Erasures that were asked for.
    pub(super) asked: usize,
    pub(super) earliest: u64,
    pub(super) epoch: Option<Epoch>,
    pub(super) now: WallTime,
    /// On a full disk room is more urgent than ids.
    pub(super) ids_may_be_lost: bool,
}

/// Where a script is played.
pub(super) trait Host {
    /// The disk, as a process sees it that starts now.
    fn process(&mut self) -> Arc<dyn Storage>;
    /// The journal has told something new.
    fn told(&mut self, told: &Told);
    /// How often anything was done to the disk.
    fn operations(&self) -> usize;
}

/// Why a script was not played to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    NotOpened(OpenError),
    /// Nothing more is taken.
    ReadOnly,
    /// It is not what it should be.
    Wrong(anyhow::Error),
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Self::Wrong(error)
    }
}

/// Plays all of it, as far as that goes.
pub(super) async fn play(
    script: &Script,
    told: &mut Told,
    host: &mut impl Host,
) -> Result<(), Stopped> {
    for life in &script.lives {
        live(script, life, told, host).await?;
    }
    Ok(())
}

async fn live(
    script: &Script,
    life: &Life,
    told: &mut Told,
    host: &mut impl Host,
) -> Result<(), Stopped> {
    let clock = told.clock();
    let (journal, writing) = open(host.process(), &clock).map_err(Stopped::NotOpened)?;
    check(script, &journal, told).await?;
    host.told(told);
    let (_trigger, drain) = drain();
    let scene = async {
        for step in &life.steps {
            match step {
                Step::Pass(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
                Step::Append(commits) => {
                    append(script, commits.clone().collect(), &journal, told, host).await?;
                }
                Step::Erase(number) => erase(script, *number, &journal, told, host).await?,
            }
            told.earliest = journal.info().earliest.get();
            told.now = clock.wall();
            host.told(told);
        }
        if life.closes {
            journal.close().await;
        }
        Ok(())
    };
    let stopped = tokio::select! {
        biased;
        stopped = scene => stopped,
        // It was closed.
        () = writing => Ok(()),
        () = journal.clone().maintain(drain) => Ok(()),
    };
    told.now = clock.wall();
    stopped
}

fn open(
    storage: Arc<dyn Storage>,
    clock: &Clock,
) -> Result<(FileJournal, impl Future<Output = ()>), OpenError> {
    let mut options = options(limits(SEGMENT), RETENTION);
    options.clock = clock.clone();
    FileJournal::open_as_task(storage, options, || Duration::ZERO)
}

/// Appends commits at once; those for which there is no room again, after the delay.
async fn append(
    script: &Script,
    mut wanted: Vec<usize>,
    journal: &FileJournal,
    told: &mut Told,
    host: &mut impl Host,
) -> Result<(), Stopped> {
    for _ in 0..=REFUSALS {
        let answers = wanted
            .iter()
            .map(|number| journal.append(script.commit(*number)));
        let answers = join_all(answers).await;
        let mut refused = Vec::new();
        for (number, answer) in wanted.into_iter().zip(answers) {
            match answer {
                Ok(committed) => {
                    let latest = script.holding(number + 1).latest;
                    let fits = committed.last.get() == latest && told.commits == number;
                    ensure_that(fits, "a commit has other numbers than it should")?;
                    told.commits = number + 1;
                }
                Err(AppendError::NoSpace { .. }) => refused.push(number),
                Err(AppendError::ReadOnly { .. }) => {
                    stays_read_only(script, number, journal, told, host).await?;
                    return Err(Stopped::ReadOnly);
                }
                Err(error) => return Err(Stopped::Wrong(error.into())),
            }
        }
        host.told(told);
        if refused.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(DELAY).await;
        wanted = refused;
    }
    Err(Stopped::Wrong(anyhow::anyhow!("refused again and again")))
}

/// Erases; where there is no room, again after the delay.
async fn erase(
    script: &Script,
    number: usize,
    journal: &FileJournal,
    told: &mut Told,
    host: &mut impl Host,
) -> Result<(), Stopped> {
    told.asked = number + 1;
    host.told(told);
    for _ in 0..=REFUSALS {
        match journal.erase(script.erasure(number).clone()).await {
            Ok(()) => {
                told.erased = number + 1;
                host.told(told);
                check(script, journal, told).await?;
                return Ok(());
            }
            Err(AppendError::NoSpace { .. }) => tokio::time::sleep(DELAY).await,
            Err(AppendError::ReadOnly { .. }) => {
                let next = told.commits;
                stays_read_only(script, next, journal, told, host).await?;
                return Err(Stopped::ReadOnly);
            }
            Err(error) => return Err(Stopped::Wrong(error.into())),
        }
    }
    Err(Stopped::Wrong(anyhow::anyhow!("refused again and again")))
}

fn ensure_that(holds: bool, what: &str) -> Result<()> {
    ensure!(holds, "{what}");
    Ok(())
}

/// After a failed write or sync: readers are served, and nothing is written any more.
async fn stays_read_only(
    script: &Script,
    number: usize,
    journal: &FileJournal,
    told: &mut Told,
    host: &impl Host,
) -> Result<()> {
    ensure!(matches!(journal.info().health, Health::Poisoned { .. }));
    ensure!(!journal.durable_end().borrow().writable);
    let before = host.operations();
    tokio::time::sleep(QUIET).await;
    let again = journal.append(script.commit(number)).await;
    ensure!(matches!(again, Err(AppendError::ReadOnly { .. })));
    ensure!(host.operations() == before, "read-only, and yet it writes");
    let answered = told.commits;
    check(script, journal, told).await?;
    ensure!(told.commits == answered, "visible, and never answered");
    Ok(())
}

/// What was told is there, unchanged, and beyond it whole commits that were being written.
async fn check(script: &Script, journal: &FileJournal, told: &mut Told) -> Result<()> {
    let info = journal.info();
    let epoch = *told.epoch.get_or_insert(info.epoch);
    ensure!(epoch == info.epoch, "nothing was lost, so the epoch stands");
    ensure!(info.earliest.get() >= told.earliest, "a trim is undone");
    told.earliest = info.earliest.get();
    let state = journal.state("");
    let asked = (0..told.asked).map(|number| script.erasure(number));
    let keys: Vec<_> = asked.flat_map(|e| e.state.iter().cloned()).collect();
    let is_there = |commits: &usize| {
        let holding = script.holding(*commits);
        holding.latest == info.latest.get() && holding.has(&state, &keys)
    };
    let most = script.most(told.commits);
    let found = (told.commits..=most).find(is_there);
    told.commits = found.with_context(|| {
        let (latest, told) = (info.latest, told.commits);
        format!("{told} commits were answered; there are {latest} events and {state:?}")
    })?;
    let ids = journal.recent_ids();
    let mut ids = ids.iter();
    let mut expected = script.id_hashes(info.latest.get()).iter();
    let remembered = expected.all(|id| ids.any(|found| found == id));
    ensure!(
        remembered || told.ids_may_be_lost,
        "a recent id is forgotten"
    );
    let erased = read_all(script, journal, info.earliest, info.latest).await?;
    let set = |key: &String| state.iter().any(|entry| entry.key == *key);
    judge_erased(script, told, (info.earliest, info.latest), &erased, set)
}

/// What was erased is erased for everybody and for ever, the erasure that was going on is so or has not
/// begun, and nothing else is.
fn judge_erased(
    script: &Script,
    told: &mut Told,
    (earliest, latest): (Sequence, Sequence),
    erased: &BTreeSet<Sequence>,
    is_set: impl Fn(&String) -> bool,
) -> Result<()> {
    let retained = |at: &Sequence| (earliest..=latest).contains(at);
    let named = |number: usize| {
        let all = (earliest.get()..=latest.get()).map(Sequence::new);
        all.filter(move |at| script.erasure(number).events.contains(*at))
    };
    let mut expected: BTreeSet<_> = (0..told.erased).flat_map(named).collect();
    for number in told.erased..told.asked {
        let fresh: Vec<_> = named(number).filter(|at| !expected.contains(at)).collect();
        let gone = fresh.iter().filter(|at| erased.contains(at)).count();
        ensure!(
            gone == 0 || gone == fresh.len(),
            "{gone} of {} events are erased",
            fresh.len()
        );
        if gone > 0 {
            told.erased = number + 1;
            expected.extend(fresh);
        }
    }
    let keys = (0..told.erased).flat_map(|number| &script.erasure(number).state);
    for key in keys {
        ensure!(!is_set(key), "{key} was erased and is set");
    }
    expected.retain(retained);
    ensure!(
        *erased == expected,
        "erased are {erased:?}, not {expected:?}"
    );
    Ok(())
}

async fn read_all(
    script: &Script,
    journal: &FileJournal,
    earliest: Sequence,
    latest: Sequence,
) -> Result<BTreeSet<Sequence>> {
    let mut erased = BTreeSet::new();
    let mut floor = WallTime::default();
    let mut at = earliest.previous();
    while at < latest {
        let page = journal.read(at, 8 << 10).await?;
        ensure!(!page.items.is_empty(), "a stuck reader at {at}");
        for item in page.items {
            let entry = match item {
                Item::Event(entry) => entry,
                Item::Gap {
                    cause: GapCause::Erased,
                    first,
                    last,
                    ..
                } => {
                    ensure!(first == at.next(), "a hole before {first}");
                    erased.extend((first.get()..=last.get()).map(Sequence::new));
                    at = last;
                    continue;
                }
                Item::Gap { .. } => anyhow::bail!("{item:?}"),
            };
            at = at.next();
            let mut read = entry.decode().context("it decodes")?;
            ensure!(read.sequence == at.get(), "{} at {at}", read.sequence);
            ensure!(entry.record_time >= floor, "time runs backwards at {at}");
            floor = entry.record_time;
            (read.sequence, read.record_time) = (0, None);
            ensure!(read == *script.event(at), "another event at {at}");
        }
    }
    Ok(erased)
}

/// A process opens what is there, and goes on with the next commit of the script.
pub(super) async fn judge(
    script: &Script,
    storage: Arc<dyn Storage>,
    told: &mut Told,
    closes: bool,
) -> Result<()> {
    let clock = told.clock();
    let (journal, writing) = open(storage, &clock)?;
    let work = async {
        check(script, &journal, told).await?;
        let number = told.commits;
        let committed = journal.append(script.commit(number)).await?;
        ensure!(committed.last.get() == script.holding(number + 1).latest);
        told.commits += 1;
        check(script, &journal, told).await?;
        if closes {
            journal.close().await;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        done = work => done,
        () = writing => Ok(()),
    }
}

/// A process begins to open what is there; how that ends is of no interest.
pub(super) fn begin(storage: Arc<dyn Storage>, told: &Told) {
    drop(open(storage, &told.clock()));
}

impl Told {
    fn clock(&self) -> Clock {
        Clock::anchored(self.now.max(START))
    }

    /// For another process.
    pub(super) fn to_line(&self) -> String {
        let epoch = self
            .epoch
            .map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
        let (commits, earliest, now) = (self.commits, self.earliest, self.now.as_nanos());
        let (erased, asked) = (self.erased, self.asked);
        format!("{commits} {earliest} {epoch} {now} {erased} {asked}")
    }

    /// What another process told.
    pub(super) fn from_line(line: &str) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let [commits, earliest, epoch, now, erased, asked] = words[..] else {
            panic!("{line}");
        };
        Self {
            commits: commits.parse().unwrap(),
            earliest: earliest.parse().unwrap(),
            epoch: epoch.parse().ok(),
            now: WallTime::from_nanos(now.parse().unwrap()),
            ids_may_be_lost: false,
            erased: erased.parse().unwrap(),
            asked: asked.parse().unwrap(),
        }
    }
}
