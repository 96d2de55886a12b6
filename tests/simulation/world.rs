//! [`run`]: one simulated life of everything: a platform, the sidecar, its readers, and what goes wrong
//! between them. Everything follows from the seed.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use serde_json::json;
use tieline::config::Config;
use tieline::journal::SimulatedDisk;
use tieline::runtime::{MonoTime, Rng};
use tokio::runtime::{Builder, RngSeed};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use crate::clocks::Clocks;
use crate::host::DiskTakes;
use crate::invariants::{Aftermath, Choosy, comes_back};
use crate::late::read_all;
use crate::manners::Manners;
use crate::mood::Mood;
use crate::network::{Network, Place};
use crate::platform::{self, Found, Judge, Platform};
use crate::reader::{Habit, Phase, Reader};
use crate::sidecar::{ADDRESS, Ground, Sidecar};
use crate::trace::Trace;
use crate::trouble::{Strikes, Trouble};

/// Events that a run issues at least.
pub(crate) const EVENTS: u64 = 1_000;
/// And so long at most.
const STORM: Duration = Duration::from_secs(240);
/// Healing may take as long as the slowest retry of a suspended session, and then some.
const HEALING: Duration = Duration::from_secs(1_500);
/// A session that has healed is well again within this, whatever happens on a good day.
const WELL_WITHIN: Duration = Duration::from_secs(35);
/// The time that an orderly end may take, and a moment.
const DRAINING: Duration = Duration::from_secs(12);
const LOOK: Duration = Duration::from_millis(50);

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) trace: (u64, u64),
    pub(crate) issued: u64,
    /// What the first reader has.
    pub(crate) found: Option<Found>,
    pub(crate) lives: u64,
    pub(crate) simulated: Duration,
    pub(crate) strikes: Strikes,
    /// What is wrong, if anything is.
    pub(crate) violation: Option<String>,
    /// What happened, one line each, where it was to be kept.
    pub(crate) story: Vec<String>,
}

/// Runs the world of one seed, on this thread.
pub(crate) fn run(seed: u64, keep: bool) -> Report {
    run_in(Mood::Any, seed, keep)
}

/// The same where some troubles are likelier than others.
pub(crate) fn run_in(mood: Mood, seed: u64, keep: bool) -> Report {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .rng_seed(RngSeed::from_bytes(&seed.to_le_bytes()))
        .build()
        .expect("a runtime needs nothing from the machine");
    let report = LocalSet::new().block_on(&runtime, live(mood, seed, keep));
    runtime.shutdown_background();
    report
}

struct World {
    platform: Box<dyn Platform>,
    network: Network,
    disk: SimulatedDisk,
    disk_takes: DiskTakes,
    clocks: Clocks,
    /// The process may die until then of what has struck it.
    shaky_until: Cell<MonoTime>,
    /// It has seen until then, at the latest, that its clock was set back.
    set_back_until: Cell<MonoTime>,
    /// Likewise that it was set at all.
    set_until: Cell<MonoTime>,
    sidecar: RefCell<Sidecar>,
    strikes: RefCell<Strikes>,
    trace: Trace,
    /// What each reader has.
    oracles: Vec<Arc<Mutex<Box<dyn Judge>>>>,
    mood: Mood,
    manners: Manners,
}

async fn live(mood: Mood, seed: u64, keep: bool) -> Report {
    let began = MonoTime::now();
    let rng = Rng::from_seed(seed);
    let trace = Trace::new(keep);
    let secrets = tempfile::tempdir().expect("a directory for two files");
    let mut world = World::new(mood, &rng, &trace, secrets.path());
    let (phase, phases) = watch::channel(Phase::Stormy);
    let mut readers = JoinSet::new();
    let habits = [
        Habit::Steady,
        Habit::Stalls,
        Habit::Reconnects,
        Habit::Forgets,
    ];
    for (name, habit) in habits.into_iter().enumerate() {
        let oracle = Arc::new(Mutex::new(world.platform.oracle()));
        world.oracles.push(Arc::clone(&oracle));
        let rng = rng.fork(&format!("reader {name}"));
        let address = Sidecar::address(&world.network);
        let who = (name as u64, habit);
        let reader = Reader::new(who, address, oracle, rng, trace.clone());
        readers.spawn(reader.run(phases.clone()));
    }
    let choosy = Choosy::begin(&Sidecar::address(&world.network), &rng, &phases);
    let mut violation = None;
    let storm = rng.fork("storm");
    tokio::select! {
        biased;
        () = world.storm(&storm) => {}
        () = world.keep() => {}
    }
    world.calm();
    phase.send_replace(Phase::Calm);
    let healed = tokio::select! {
        biased;
        healed = world.heals() => healed,
        () = world.keep() => false,
    };
    let aftermath = async { healed.then_some(world.afterwards(&rng).await) };
    let after = tokio::select! {
        biased;
        after = aftermath => after,
        () = world.keep() => None,
    };
    let drained = healed && world.drains().await;
    phase.send_replace(Phase::Over);
    let mut done: Vec<Reader> = Vec::new();
    while let Some(reader) = readers.join_next().await {
        match reader {
            Ok(reader) => done.push(reader),
            Err(error) => violation = Some(format!("a reader panicked: {error}")),
        }
    }
    let founds = world.judge();
    for (reader, found) in done.iter().zip(&founds) {
        let found = reader.broken.clone().or_else(|| found.violation.clone());
        violation = violation.or(found);
        *world
            .strikes
            .borrow_mut()
            .entry("reader: habits")
            .or_default() += reader.did;
    }
    if let [first, others @ ..] = done.as_slice() {
        for other in others {
            let differs = first.differs(other);
            let differs = differs.map(|at| format!("two readers got different events {at}"));
            violation = violation.or(differs);
        }
    }
    let found = choosy.judge(after.as_ref()).await;
    let told = done.iter().find_map(|reader| reader.broken.clone());
    // Several requests of such a session may be under way when their token is refused.
    let manners = world.manners.broken();
    let manners = manners.filter(|_| world.platform.has_numbers());
    let told = told.or(manners).or(found);
    let told = told.or(after.as_ref().and_then(|after| after.judge(&done)));
    let sidecar = world.sidecar.borrow();
    // What is wrong in itself tells more than what came of it.
    if told.is_some() {
        violation = told;
    } else if !healed {
        violation = Some(format!("not healed: {founds:?}; {}", sidecar.describe()));
    }
    if healed && !drained {
        violation.get_or_insert_with(|| format!("not drained: {}", sidecar.describe()));
    }
    let mut strikes = world.strikes.borrow().clone();
    for (name, count) in world.platform.struck() {
        *strikes.entry(name).or_default() += count;
    }
    *strikes.entry("process: started").or_default() += sidecar.lives();
    Report {
        seed,
        trace: trace.sum(),
        issued: world.platform.issued(),
        found: founds.into_iter().next(),
        lives: sidecar.lives(),
        simulated: began.elapsed(),
        strikes,
        violation,
        story: trace.kept(),
    }
}

impl World {
    fn new(mood: Mood, rng: &Rng, trace: &Trace, secrets: &Path) -> Self {
        let clocks = Clocks::new();
        let network = Network::new(rng.fork("network"), trace.clone());
        let platform = platform::of(mood, rng, &network);
        let disk = SimulatedDisk::new(rng.fork("disk").seed());
        let disk_takes = Arc::new(Mutex::new(FAST));
        let manners = Manners::default();
        let sidecar = Sidecar::new(Ground {
            manners: manners.clone(),
            network: network.clone(),
            disk: disk.clone(),
            disk_takes: Arc::clone(&disk_takes),
            config: settings(mood, rng, &*platform, secrets),
            clock: clocks.sidecar().clone(),
            rng: rng.fork("sidecar"),
            trace: trace.clone(),
        });
        // Readers may come before the sidecar is there.
        drop(network.listen(ADDRESS, Place::Sidecar, None));
        Self {
            platform,
            network,
            disk,
            disk_takes,
            clocks,
            shaky_until: Cell::new(MonoTime::now()),
            set_back_until: Cell::new(MonoTime::now()),
            set_until: Cell::new(MonoTime::now()),
            sidecar: RefCell::new(sidecar),
            strikes: RefCell::default(),
            trace: trace.clone(),
            oracles: Vec::new(),
            mood,
            manners,
        }
    }

    /// Keeps the sidecar running until there is no use in going on.
    async fn keep(&self) {
        // A reader that gave up has let go of its oracle.
        let gave_up = |oracle: &Arc<_>| Arc::strong_count(oracle) == 1;
        let rude = || self.platform.has_numbers() && self.manners.broken().is_some();
        while !rude() && !self.oracles.iter().any(gave_up) {
            self.sidecar.borrow_mut().look_after();
            sleep(LOOK).await;
        }
    }

    /// Lets things go wrong until enough was issued.
    async fn storm(&self, rng: &Rng) {
        let pause = [400, 1_500, 5_000][below(rng, 3)];
        let mut troubles = FuturesUnordered::new();
        let end = MonoTime::now() + STORM;
        while self.platform.issued() < EVENTS && MonoTime::now() < end {
            let next = Duration::from_millis(rng.below(2 * pause));
            let wait = sleep(next);
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    biased;
                    () = &mut wait => break,
                    Some(()) = troubles.next(), if !troubles.is_empty() => {}
                }
            }
            let (trouble, lasts) = self.mood.draw(rng);
            self.trace.note(trouble.name(), 0, lasts.as_millis() as u64);
            troubles.push(self.strike(rng, trouble, lasts));
        }
    }

    /// What the oracles make of it, in the order of the readers.
    fn judge(&self) -> Vec<Found> {
        let each = self.oracles.iter();
        each.map(|oracle| self.platform.judge(&**oracle.lock(), &self.clocks))
            .collect()
    }

    /// Whether a reader, and so the sidecar, has everything.
    fn is_caught_up(&self) -> bool {
        let issued = self.platform.issued();
        let founds = self.judge();
        let mut has = founds.iter().map(|f| f.delivered + f.on_record);
        has.any(|has| has >= issued)
    }

    fn count(&self, trouble: &Trouble) {
        let mut strikes = self.strikes.borrow_mut();
        *strikes.entry(trouble.name()).or_default() += 1;
    }

    async fn strike(&self, rng: &Rng, trouble: Trouble, lasts: Duration) {
        let net = &self.network;
        let sidecar = &self.sidecar;
        // What strikes a sidecar that is not there does not strike.
        let up = sidecar.borrow().is_up();
        match &trouble {
            Trouble::Platform(rule) => {
                let name = self
                    .platform
                    .strike(rule, rng, lasts, &|| self.is_caught_up());
                self.trace.note(name, 0, 0);
                return;
            }
            trouble if trouble.may_end_process() && !(up && self.may_end()) => return,
            Trouble::Clock(by) if !self.may_set_clock(*by) => return,
            _ => self.count(&trouble),
        }
        if trouble.may_end_process() {
            self.shaky_until.set(MonoTime::now() + lasts + SEEN_WITHIN);
        }
        match trouble {
            Trouble::Platform(_) => {}
            Trouble::Partition(a, b) => {
                net.change(a, b, |w| w.held = true);
                net.change(b, a, |w| w.held = true);
                sleep(lasts).await;
                net.change(a, b, |w| w.held = false);
                net.change(b, a, |w| w.held = false);
            }
            Trouble::OneWay(a, b) => {
                net.change(a, b, |w| w.held = true);
                sleep(lasts).await;
                net.change(a, b, |w| w.held = false);
            }
            Trouble::NoAnswer(a, b) => {
                net.change(a, b, |w| w.silent = true);
                sleep(lasts).await;
                net.change(a, b, |w| w.silent = false);
            }
            Trouble::Slow(a, b, most) => {
                net.change(a, b, |w| w.latency = (most / 4, most));
                sleep(lasts).await;
                let fair = crate::network::Weather::FAIR.latency;
                net.change(a, b, |w| w.latency = fair);
            }
            Trouble::Thin(a, b) => {
                net.change(a, b, |w| w.thin = true);
                sleep(lasts).await;
                net.change(a, b, |w| w.thin = false);
            }
            Trouble::Narrow(a, b, rate) => {
                net.change(a, b, |w| w.bytes_per_second = Some(rate));
                sleep(lasts).await;
                net.change(a, b, |w| w.bytes_per_second = None);
            }
            Trouble::Reset(a, b) => {
                net.reset(a, b);
            }
            Trouble::SlowDisk(most) => {
                *self.disk_takes.lock() = (most / 4, most);
                sleep(lasts).await;
                *self.disk_takes.lock() = FAST;
            }
            Trouble::FullDisk(left) => {
                self.disk.set_capacity(self.disk.used() + left);
                sleep(lasts).await;
                self.disk.set_capacity(ENDLESS);
            }
            Trouble::FailedOperation(nth, kind) => self.disk.fail_at(nth, kind),
            Trouble::PowerCut => sidecar.borrow_mut().cut_power(),
            Trouble::Kill => sidecar.borrow_mut().kill(),
            Trouble::KillInOperation(nth) => self.disk.die_at(nth),
            Trouble::Drain => sidecar.borrow_mut().drain(),
            Trouble::KillInDrain(after) => {
                sidecar.borrow_mut().drain();
                sleep(after).await;
                sidecar.borrow_mut().kill();
            }
            Trouble::Clock(by) => self.clocks.set_by(by),
        }
    }

    /// Where losses are told by times of the sidecar's clock, a sidecar sees it set, and lives to write
    /// down that it was set back: nobody can tell what a clock showed that nobody looked at.
    fn may_set_clock(&self, by: i64) -> bool {
        let now = MonoTime::now();
        if self.platform.has_numbers() {
            return true;
        }
        if now < self.set_until.get() {
            return false;
        }
        if by < 0 {
            let sidecar = self.sidecar.borrow();
            let writes = sidecar.is_up() && !sidecar.is_poisoned() && !self.disk.is_armed();
            if !writes || now < self.shaky_until.get() {
                return false;
            }
            self.set_back_until.set(now + SEEN_WITHIN);
        }
        self.set_until.set(now + SEEN_WITHIN);
        true
    }

    fn may_end(&self) -> bool {
        MonoTime::now() >= self.set_back_until.get()
    }

    /// Everything that went wrong is over.
    fn calm(&self) {
        self.network.clear();
        self.disk.set_capacity(ENDLESS);
        self.disk.disarm();
        *self.disk_takes.lock() = FAST;
        self.platform.calm();
        self.trace.note("calm", 0, 0);
    }

    /// Whether the sidecar ends in order when it is told to.
    async fn drains(&self) -> bool {
        self.sidecar.borrow_mut().drain();
        let deadline = MonoTime::now() + DRAINING;
        while MonoTime::now() < deadline {
            if let Some(in_order) = self.sidecar.borrow_mut().ended() {
                return in_order;
            }
            sleep(LOOK).await;
        }
        false
    }

    /// What is to be true once everything has healed.
    async fn afterwards(&self, rng: &Rng) -> Aftermath {
        // A token that ends takes its connection with it now and then.
        let deadline = MonoTime::now() + WELL_WITHIN;
        let mut trouble = self.sidecar.borrow().trouble();
        while trouble.is_some() && MonoTime::now() < deadline {
            sleep(LOOK).await;
            trouble = self.sidecar.borrow().trouble();
        }
        let all = read_all(Sidecar::address(&self.network), rng).await;
        let mut broken = all.broken.clone();
        // Where nothing is numbered, what is cut has its loss window, and a companion its own time.
        if self.platform.has_numbers() {
            let caught_up = || self.judge().iter().all(|found| found.violation.is_none());
            let cut = comes_back(&*self.platform, &self.network, caught_up).await;
            broken = trouble.or(broken).or(cut);
        }
        Aftermath { all, broken }
    }

    /// Whether everything issued reaches every reader, and what is issued afterwards too.
    async fn heals(&self) -> bool {
        let deadline = MonoTime::now() + HEALING;
        let mut before = self.judge();
        while MonoTime::now() < deadline {
            // Nobody can know of a hole at the end before something comes behind it.
            self.platform.set_rate(5.0);
            sleep(Duration::from_secs(2)).await;
            self.platform.set_rate(0.0);
            sleep(Duration::from_secs(45)).await;
            let now = self.judge();
            let arrives = |(before, now): (&Found, &Found)| {
                now.violation.is_none()
                    && now.on_record == before.on_record
                    && now.delivered > before.delivered
            };
            if before.iter().zip(&now).all(arrives) {
                return true;
            }
            before = now;
        }
        false
    }
}

/// A sidecar sees within this that its clock was set back, and has written it down.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
const FAST: (Duration, Duration) = (Duration::from_micros(100), Duration::from_micros(900));
const ENDLESS: u64 = 1 << 40;

fn below(rng: &Rng, bound: u64) -> usize {
    usize::try_from(rng.below(bound)).unwrap_or_default()
}

fn settings(mood: Mood, rng: &Rng, platform: &dyn Platform, secrets: &Path) -> Config {
    let failback = ["5s", "60s"][below(rng, 2)];
    let key = secrets.join("state-key");
    std::fs::write(&key, "5e".repeat(32)).expect("a file can be written");
    let mut session = json!({
        "name": "contact-centre",
        "endpoint": format!("http://{}/", platform::ADDRESS), "allow_plaintext": true,
        "timing": { "failback_interval": failback },
    });
    let mut own = platform.session(secrets);
    if let (Some(transport), Some(own)) = (mood.transport(), own.as_object_mut()) {
        own.insert("transport".to_owned(), transport.into());
    }
    let keys = session.as_object_mut().zip(own.as_object());
    let (session, own) = keys.expect("two objects");
    session.extend(own.clone());
    let config = json!({
        "listen": { "grpc": [ADDRESS], "health": "", "admin": [] },
        "state_key_file": key,
        "journals": [{
            "name": "default", "path": "/simulated",
            "retention": { "max_bytes": "32MiB", "hard_max_bytes": "48MiB", "min_free_bytes": "0B" },
        }],
        "sessions": [session],
    });
    serde_json::from_value(config).expect("a sound configuration")
}
