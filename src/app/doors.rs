//! [`Doors`]: who may come in at the listeners. Their files are read again when they change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use xxhash_rust::xxh3::xxh3_64;

use super::reload::{Settling, Stamp, stamp};
use crate::config::Config;
use crate::grpc::{Callers, FileError, Listener, Spoken, TlsKeys};
use crate::runtime::{Clock, Counter, Drain, offload};

/// How often the files are looked at: what is taken out of one counts no longer than a second.
const LOOK: Duration = Duration::from_millis(300);

/// Who may come in. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    callers: Callers,
    tls: Option<TlsKeys>,
    /// What the addresses of gRPC speak.
    grpc: Spoken,
    stats: Arc<DoorStats>,
}

/// How often files were read again.
#[derive(Debug, Default)]
pub(super) struct DoorStats {
    pub(super) tls: Reads,
    pub(super) tokens: Reads,
    pub(super) keys: Reads,
}

/// Likewise, of one kind.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) applied: Counter,
    pub(super) refused: Counter,
}

/// What files are for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Tls,
    Tokens,
    Keys,
}

/// Files that count together.
struct Followed {
    files: Vec<PathBuf>,
    kind: Kind,
    settling: Settling<Vec<Stamp>>,
    again: Arc<dyn Fn() -> Result<(), FileError> + Send + Sync>,
    begun: bool,
    /// What was said last, so that it is said once.
    said: Option<u64>,
}

impl Doors {
    /// Reads the files that `listen` names.
    pub(super) fn open(config: &Config, clock: &Clock) -> Result<Self, FileError> {
        let listen = &config.listen;
        let tls = listen.tls.as_ref().map(TlsKeys::load).transpose()?;
        let callers = match &listen.auth {
            None => Callers::anyone(),
            Some(auth) => {
                let journals = config.journals.iter().map(|journal| journal.name.clone());
                Callers::load(auth, journals.collect(), clock.clone())?
            }
        };
        callers.limit_sends(listen.limits.sends_per_minute);
        let grpc = match listen.allowed_origins.is_empty() {
            true => Spoken::Grpc,
            false => Spoken::Http,
        };
        Ok(Self {
            callers,
            tls,
            grpc,
            stats: Arc::default(),
        })
    }

    pub(super) fn callers(&self) -> &Callers {
        &self.callers
    }

    pub(super) fn tls(&self) -> Option<&TlsKeys> {
        self.tls.as_ref()
    }

    pub(super) fn stats(&self) -> &DoorStats {
        &self.stats
    }

    /// TLS on every address of gRPC that is not a file.
    pub(super) fn of_grpc(&self, listener: Listener) -> Listener {
        match &self.tls {
            Some(keys) => listener.with_tls(keys, self.grpc),
            None => listener,
        }
    }

    /// TLS where others reach the console; on this machine it is opened as it always was.
    pub(super) fn of_admin(&self, listener: Listener) -> Listener {
        match &self.tls {
            Some(keys) if !is_local(&listener) => listener.with_tls(keys, Spoken::Http),
            _ => listener,
        }
    }

    /// Reads the files again when they change, until the drain is forced.
    pub(super) async fn follow(self, drain: Drain) {
        let mut followed = self.followed();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = drain.forced() => return,
                _ = look.tick() => {}
            }
            for files in &mut followed {
                files.look(&self.stats).await;
            }
        }
    }

    fn followed(&self) -> Vec<Followed> {
        let mut all = Vec::new();
        if let Some(tls) = self.tls.clone() {
            let files = tls.files();
            all.push(Followed::new(files, Kind::Tls, move || tls.read_again()));
        }
        if let Some(file) = self.callers.tokens_file() {
            let (files, callers) = (vec![file.to_owned()], self.callers.clone());
            let again = move || callers.read_tokens_again();
            all.push(Followed::new(files, Kind::Tokens, again));
        }
        if let Some(file) = self.callers.keys_file() {
            let (files, callers) = (vec![file.to_owned()], self.callers.clone());
            let again = move || callers.read_keys_again();
            all.push(Followed::new(files, Kind::Keys, again));
        }
        all
    }
}

/// Whether only this machine reaches a listener.
pub(super) fn is_local(listener: &Listener) -> bool {
    let address = listener.tcp_address();
    address.is_none_or(|address| address.ip().to_canonical().is_loopback())
}

impl DoorStats {
    fn of(&self, kind: Kind) -> &Reads {
        match kind {
            Kind::Tls => &self.tls,
            Kind::Tokens => &self.tokens,
            Kind::Keys => &self.keys,
        }
    }
}

impl Followed {
    fn new(
        files: Vec<PathBuf>,
        kind: Kind,
        again: impl Fn() -> Result<(), FileError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            files,
            kind,
            settling: Settling::default(),
            again: Arc::new(again),
            begun: false,
            said: None,
        }
    }

    async fn look(&mut self, stats: &DoorStats) {
        let files = self.files.clone();
        // A volume that hangs must not hold a thread that others need.
        let look = move || files.iter().map(|file| stamp(file)).collect::<Vec<_>>();
        let Ok(now) = offload(look).await else {
            return;
        };
        if !self.settling.look(now) {
            return;
        }
        let again = Arc::clone(&self.again);
        let Ok(read) = offload(move || again()).await else {
            return;
        };
        // What changed while the process started is read once more without a word.
        let begun = std::mem::replace(&mut self.begun, true);
        match read {
            Ok(()) if !begun => {}
            Ok(()) => {
                self.said = None;
                stats.of(self.kind).applied.one();
                tracing::info!(files = ?self.files, "Read again: it counts from now on");
            }
            Err(error) => {
                stats.of(self.kind).refused.one();
                self.refused(error);
            }
        }
    }

    /// Said once for each thing that is wrong.
    fn refused(&mut self, error: FileError) {
        let problem = format!("{:#}", anyhow::Error::from(error));
        let hash = xxh3_64(problem.as_bytes());
        if self.said.replace(hash) != Some(hash) {
            tracing::error!(problem, "Refused: what counted before still does");
        }
    }
}
