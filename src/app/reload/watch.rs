//! [`Watch`]: reads the configuration again when its file changes or a SIGHUP arrives.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use xxhash_rust::xxh3::xxh3_64;

use super::settling::{Settling, Stamp};
use super::{ReloadError, Reloads};
use crate::app::Life;
use crate::config::{self, Difference, Findings, Loaded, Sources};
use crate::runtime::{Clock, Drain, Hangups, ReloadOutcome, ReloadReport, ReloadStatus, offload};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the configuration again.
#[derive(Debug)]
pub(in crate::app) struct Watch {
    pub(in crate::app) sources: Sources,
    pub(in crate::app) reloads: Reloads,
    pub(in crate::app) status: ReloadStatus,
    pub(in crate::app) life: Arc<Life>,
    pub(in crate::app) clock: Clock,
}

/// What was said last, so that it is said once.
#[derive(Debug, Default)]
struct Said {
    refused: Option<u64>,
    restart: Vec<String>,
}

impl Watch {
    /// Looks until the drain begins.
    pub(in crate::app) async fn run(self, mut hangups: Hangups, drain: Drain) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settling = Settling::default();
        let mut said = Said::default();
        loop {
            let asked = tokio::select! {
                biased;
                () = drain.draining() => return,
                () = hangups.next() => true,
                _ = look.tick() => false,
            };
            let Some(stamp) = self.stamp().await else {
                continue;
            };
            if asked {
                tracing::info!(signal = "SIGHUP", "Asked to read the configuration again");
                settling.is_read(stamp);
            } else if !settling.look(stamp) {
                continue;
            }
            self.reload(&mut said).await;
        }
    }

    /// A volume that hangs must not hold a thread that others need.
    async fn stamp(&self) -> Option<Stamp> {
        let file = self.sources.file.clone();
        offload(move || stamp(&file)).await.ok()
    }

    async fn reload(&self, said: &mut Said) {
        let sources = self.sources.clone();
        let Ok(loaded) = offload(move || config::load(&sources)).await else {
            return;
        };
        let Loaded { config, warnings } = match loaded {
            Ok(loaded) => loaded,
            Err(findings) => return self.refused(&findings, said),
        };
        let hash = config.hash();
        match self.reloads.apply(config).await {
            Ok(difference) => {
                self.status.counts(&hash);
                self.applied(&difference, &warnings, said);
            }
            Err(ReloadError::Ending) => {}
            Err(error) => self.inapplicable(error, said),
        }
    }

    /// Says everything that is wrong, as `tieline check` does, once.
    fn refused(&self, findings: &Findings, said: &mut Said) {
        let problem = findings.to_string();
        if self.is_new(&problem, said) {
            findings.log();
            self.say_refused(problem);
        }
    }

    fn inapplicable(&self, error: ReloadError, said: &mut Said) {
        let error = anyhow::Error::from(error);
        let problem = format!("{error:#}");
        if self.is_new(&problem, said) {
            tracing::error!(problem, "Configuration");
            self.say_refused(problem);
        }
    }

    fn is_new(&self, problem: &str, said: &mut Said) -> bool {
        let hash = xxh3_64(problem.as_bytes());
        said.refused.replace(hash) != Some(hash)
    }

    fn say_refused(&self, problem: String) {
        self.life.reloaded(false);
        tracing::error!(
            file = %self.sources.file.display(),
            "Configuration refused: what counted before still does"
        );
        self.status.report(ReloadReport {
            time: self.clock.wall(),
            outcome: ReloadOutcome::Refused,
            added: 0,
            removed: 0,
            changed: 0,
            unchanged: 0,
            restart: Vec::new(),
            problem,
        });
    }

    fn applied(&self, difference: &Difference, warnings: &Findings, said: &mut Said) {
        let mended = said.refused.take().is_some();
        let restart = difference.restart != said.restart;
        if difference.is_empty() && !mended && !restart {
            return;
        }
        warnings.log();
        for changed in &difference.changed {
            tracing::info!(session = %changed.session, keys = ?changed.keys, "Session changed");
        }
        for session in &difference.added {
            tracing::info!(%session, "Session added");
        }
        for session in &difference.removed {
            tracing::info!(%session, "Session removed");
        }
        for key in difference.restart.iter().filter(|_| restart) {
            tracing::warn!(key, "Needs a restart: what counted before still does");
        }
        difference.restart.clone_into(&mut said.restart);
        tracing::info!(
            added = difference.added.len(),
            removed = difference.removed.len(),
            changed = difference.changed.len(),
            unchanged = difference.unchanged,
            templates = difference.templates.len(),
            limits = ?difference.limits,
            "Configuration read again"
        );
        self.life.reloaded(true);
        self.status.report(ReloadReport {
            time: self.clock.wall(),
            outcome: match difference.is_empty() {
                true => ReloadOutcome::Unchanged,
                false => ReloadOutcome::Applied,
            },
            added: difference.added.len(),
            removed: difference.removed.len(),
            changed: difference.changed.len(),
            unchanged: difference.unchanged,
            restart: difference.restart.clone(),
            problem: String::new(),
        });
    }
}

/// What tells this state of the file from others.
pub(in crate::app) fn stamp(path: &Path) -> Stamp {
    let Ok(facts) = std::fs::metadata(path) else {
        return Stamp::Missing;
    };
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stamp::File {
        device: facts.dev(),
        inode: facts.ino(),
        size: facts.size(),
        modified: nanos(facts.mtime(), facts.mtime_nsec()),
        changed: nanos(facts.ctime(), facts.ctime_nsec()),
    }
}
