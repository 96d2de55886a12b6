//! [`Figures`]: gathers what every module counts into one sheet, for scrapes and for collectors.
//!
//! A file here is one subject: its families and where their values come from. What has a label of its
//! own is configured (a session, a journal, a template) or one of few words; guests' sessions are told
//! together for each template, and readers for each journal.

mod calls;
mod connections;
mod doors;
mod family;
mod feeds;
mod journals;
mod machine;
mod process;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::doors::Doors;
use crate::feed::Feed;
use crate::grpc::{CallStats, ConnectionStats};
use crate::journal::FileJournal;
use crate::runtime::{Clock, Counter, Gauge, Readiness, WallTime};
use crate::session::{Guests, SessionBoard};
use crate::telemetry::metrics::{Family, Sheet, Source};

/// Where figures are read.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) board: SessionBoard,
    pub(super) guests: Guests,
    pub(super) journals: Vec<FileJournal>,
    pub(super) feeds: Vec<Feed>,
    pub(super) calls: Arc<CallStats>,
    pub(super) connections: Arc<ConnectionStats>,
    pub(super) readiness: Readiness,
    pub(super) life: Arc<Life>,
    pub(super) doors: Doors,
}

/// What happens to the sidecar as a whole.
#[derive(Debug)]
pub struct Life {
    clock: Clock,
    /// When it began to end, in nanoseconds; zero where it has not.
    draining: Gauge,
    reloads: Counter,
    reloads_refused: Counter,
    last_reload: Gauge,
}

impl Life {
    /// Of a sidecar that starts now. Its configuration was just read.
    pub(super) fn begins(clock: &Clock) -> Arc<Self> {
        let life = Self {
            clock: clock.clone(),
            draining: Gauge::new(),
            reloads: Counter::new(),
            reloads_refused: Counter::new(),
            last_reload: Gauge::new(),
        };
        life.last_reload.set(clock.wall().as_nanos());
        Arc::new(life)
    }

    /// The configuration was read again; whether it counts now.
    pub fn reloaded(&self, applied: bool) {
        match applied {
            true => {
                self.reloads.one();
                self.last_reload.set(self.clock.wall().as_nanos());
            }
            false => self.reloads_refused.one(),
        }
    }

    /// It begins to end.
    pub(super) fn drains(&self) {
        self.draining.set(self.clock.wall().as_nanos());
    }
}

impl Source for Figures {
    fn gather(&self) -> Sheet {
        let mut sheet = Sheet::default();
        sessions::put(&mut sheet, &self.board, &self.guests);
        for journal in &self.journals {
            journals::put(&mut sheet, &journal.stats());
        }
        for feed in &self.feeds {
            feeds::put(&mut sheet, feed.name().as_str(), &feed.stats());
        }
        calls::put(&mut sheet, &self.calls);
        doors::put(&mut sheet, &self.doors);
        connections::put(&mut sheet, &self.connections);
        process::put(&mut sheet, &self.life, self.readiness.is_ready());
        machine::put(&mut sheet);
        sheet
    }
}

/// Every family there is, by name.
#[must_use]
pub fn families() -> Vec<&'static Family> {
    let mut all: Vec<_> = [
        sessions::FAMILIES,
        journals::FAMILIES,
        feeds::FAMILIES,
        calls::FAMILIES,
        doors::FAMILIES,
        connections::FAMILIES,
        process::FAMILIES,
        machine::FAMILIES,
    ]
    .concat();
    all.sort_by_key(|family| family.name);
    all
}

/// A time as Prometheus has it.
fn timestamp(time: WallTime) -> f64 {
    crate::runtime::approximate(time.as_nanos()) / 1e9
}
