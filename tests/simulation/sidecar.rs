//! [`Sidecar`]: the sidecar through all its lives, as a kubelet keeps it: started again whenever it
//! is gone, and by a person when its journal is poisoned.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tieline::app::{App, Ended, StartError, Stop};
use tieline::config::Config;
use tieline::journal::{Health, Journal, SimulatedDisk};
use tieline::proto::v1::session::State;
use tieline::runtime::{Clock, MonoTime, Rng};
use tieline::session::SessionBoard;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::host::{DiskTakes, SimulatedHost};
use crate::manners::Manners;
use crate::network::{Network, Place};
use crate::process::Process;
use crate::trace::Trace;

/// Where it serves.
pub(crate) const ADDRESS: &str = "sidecar:7443";

/// What every life of it stands on.
pub(crate) struct Ground {
    pub(crate) network: Network,
    pub(crate) disk: SimulatedDisk,
    pub(crate) disk_takes: DiskTakes,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) manners: Manners,
}

pub(crate) struct Sidecar {
    ground: Ground,
    life: Option<Life>,
    lives: u64,
    start_at: MonoTime,
    poisoned_at: Option<MonoTime>,
    /// Why it could not start, or ended by itself.
    pub(crate) complaints: Vec<String>,
}

struct Life {
    process: Arc<Process>,
    running: JoinSet<Result<Ended, StartError>>,
    stop: mpsc::Sender<Stop>,
    shown: Arc<Mutex<Shown>>,
}

/// What can be seen of a life from outside.
#[derive(Default)]
struct Shown {
    journals: Vec<Arc<dyn Journal>>,
    board: Option<SessionBoard>,
}

impl Sidecar {
    pub(crate) fn new(ground: Ground) -> Self {
        Self {
            ground,
            life: None,
            lives: 0,
            start_at: MonoTime::now(),
            poisoned_at: None,
            complaints: Vec::new(),
        }
    }

    /// How often it was started.
    pub(crate) fn lives(&self) -> u64 {
        self.lives
    }

    pub(crate) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Whether its journal takes nothing more.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.life.as_ref().is_some_and(Life::is_poisoned)
    }

    /// Looks after it: to be called often.
    pub(crate) fn look_after(&mut self) {
        let now = MonoTime::now();
        if let Some(life) = &mut self.life {
            if let Some(ended) = life.running.try_join_next() {
                match ended {
                    Ok(Ok(Ended::Drained | Ended::Cut)) => {}
                    Ok(Ok(Ended::Failed(failure))) => {
                        self.complaints.push(format!("ended: {failure:?}"));
                    }
                    Ok(Err(error)) => {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        self.complaints.push(format!("start: {error}: {cause:?}"));
                    }
                    Err(error) => self.complaints.push(format!("panicked: {error}")),
                }
                if let Some(last) = self.complaints.last() {
                    self.ground.trace.note(last, 0, 0);
                }
                self.bury(false);
            } else if !life.process.is_alive() {
                self.bury(false);
            } else if life.is_poisoned() {
                // Somebody is paged, looks, and starts it again.
                let since = *self.poisoned_at.get_or_insert(now);
                if now - since > Duration::from_secs(3) {
                    self.kill();
                }
            }
        }
        if self.life.is_none() && now >= self.start_at {
            self.start();
        }
    }

    fn start(&mut self) {
        self.lives += 1;
        self.ground.trace.note("started", self.lives, 0);
        self.poisoned_at = None;
        let ground = &self.ground;
        let process = Arc::new(Process::new(ground.disk.clone()));
        // The disk forgets that a process died on it.
        let host = Arc::new(SimulatedHost {
            network: ground.network.clone(),
            disk: ground.disk.clone(),
            disk_takes: Arc::clone(&ground.disk_takes),
            process: Arc::clone(&process),
            rng: ground.rng.fork(&format!("host {}", self.lives)),
            writers: Mutex::default(),
            watch: ground.manners.watch(),
        });
        ground.disk.revive();
        let config = ground.config.clone();
        let clock = ground.clock.clone();
        let rng = ground.rng.fork(&format!("life {}", self.lives));
        let (stop, told) = mpsc::channel(2);
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let shows = Arc::clone(&shown);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let app = App::start_on(Arc::clone(&host), config, clock, rng).await?;
            *shows.lock() = Shown {
                journals: app.journals(),
                board: Some(app.board().clone()),
            };
            let ended = app.run_until(told).await;
            *shows.lock() = Shown::default();
            drop(host);
            Ok(ended)
        });
        self.life = Some(Life {
            process,
            running,
            stop,
            shown,
        });
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(life) = &self.life {
            life.process.kill();
            self.bury(false);
        }
    }

    /// The machine loses its power: what was not synced is gone or torn.
    pub(crate) fn cut_power(&mut self) {
        if let Some(life) = &self.life {
            life.process.kill();
            self.ground.disk.cut_power();
            self.bury(true);
        }
    }

    /// SIGTERM.
    pub(crate) fn drain(&mut self) {
        if let Some(life) = &self.life {
            // Full: it was told already.
            let _told = life.stop.try_send(Stop::Drain).is_ok();
        }
    }

    /// Whether it ended in order, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<bool> {
        let ended = self.life.as_mut()?.running.try_join_next()?;
        let in_order = matches!(ended, Ok(Ok(Ended::Drained)));
        if !in_order {
            self.complaints.push(format!("{ended:?}"));
        }
        Some(in_order)
    }

    fn bury(&mut self, silently: bool) {
        if let Some(life) = self.life.take() {
            self.ground
                .trace
                .note("gone", self.lives, u64::from(silently));
            life.process.kill();
            *life.shown.lock() = Shown::default();
            self.ground.network.abandon(&life.process, silently);
            let pause = 200 + self.ground.rng.below(2_800);
            self.start_at = MonoTime::now() + Duration::from_millis(pause);
        }
    }

    /// What its session is if it is not well.
    pub(crate) fn trouble(&self) -> Option<String> {
        let life = self.life.as_ref();
        let shown = life.map(|life| life.shown.lock());
        let board = shown.as_ref().and_then(|shown| shown.board.as_ref());
        let posts = board.map(SessionBoard::posts).unwrap_or_default();
        let mut unwell = posts
            .values()
            .filter(|post| post.state.state() != State::Active)
            // What it was like not long ago still counts (U28).
            .filter(|post| {
                !["LATENCY: ", "LOSS: "]
                    .iter()
                    .any(|of| post.state.reason.starts_with(of))
            });
        match posts.is_empty() {
            true => Some("no session is shown".to_owned()),
            false => unwell
                .next()
                .map(|post| format!("a session is not well: {:?}", post.state)),
        }
    }

    /// How it is, for whoever looks for a mistake.
    pub(crate) fn describe(&self) -> String {
        let Some(life) = &self.life else {
            return format!("the sidecar is down: {:?}", self.complaints);
        };
        let shown = life.shown.lock();
        let health: Vec<_> = shown.journals.iter().map(|j| j.info().health).collect();
        let posts = shown.board.as_ref().map(|board| {
            let posts = board.posts();
            let states = posts.values().map(|post| format!("{:?}", post.state));
            states.collect::<Vec<_>>()
        });
        format!("{health:?} {posts:?} {:?}", self.complaints)
    }

    /// Where readers find it.
    pub(crate) fn address(network: &Network) -> tieline::client::Address {
        let network = network.clone();
        let dial = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let network = network.clone();
            Box::pin(async move { network.connect(Place::Readers, None, ADDRESS).await })
        };
        tieline::client::Address::Simulated(tieline::client::SimulatedAddress::new(ADDRESS, dial))
    }
}

impl Life {
    fn is_poisoned(&self) -> bool {
        let shown = self.shown.lock();
        let mut journals = shown.journals.iter();
        journals.any(|journal| matches!(journal.info().health, Health::Poisoned { .. }))
    }
}
