//! [`Hall`]: the shell of [`Places`]: gives a connection its [`Stay`], and tells those that have to go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::ServerLimits;
use super::places::{Places, Whence};
use super::stats::{CallRefused, ConnectionStats, Cut};
use super::stay::Stay;
use crate::runtime::{MonoTime, Rng};

/// Everybody who is connected. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Hall(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: ServerLimits,
    places: Mutex<Places>,
    /// How each connection is told to make room.
    told: Mutex<HashMap<u64, CancellationToken>>,
    stats: Arc<ConnectionStats>,
    rng: Rng,
}

/// A call's place, given up when this is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Seat {
    hall: Hall,
    connection: u64,
    whence: Whence,
}

/// Why a call has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) struct Crowded {
    pub(in crate::grpc) limit: usize,
    pub(in crate::grpc) retry_delay: Duration,
}

impl Hall {
    pub(in crate::grpc) fn new(limits: ServerLimits, rng: Rng) -> Self {
        Self(Arc::new(Inner {
            limits,
            places: Mutex::new(Places::new(limits)),
            told: Mutex::default(),
            stats: Arc::default(),
            rng,
        }))
    }

    pub(in crate::grpc) fn limits(&self) -> &ServerLimits {
        &self.0.limits
    }

    pub(in crate::grpc) fn stats(&self) -> &Arc<ConnectionStats> {
        &self.0.stats
    }

    /// Gives a new connection a place, if there is one for it.
    pub(in crate::grpc) fn enter(
        &self,
        whence: Whence,
        stands_for_many: bool,
    ) -> Option<Arc<Stay>> {
        let now = MonoTime::now();
        let mut places = self.0.places.lock();
        let entered = match places.enter(whence, stands_for_many, now) {
            Ok(entered) => entered,
            Err(reason) => {
                self.0.stats.refused.one(reason);
                return None;
            }
        };
        self.0.stats.accepted.one();
        self.0.stats.open.set(places.open() as u64);
        let told = CancellationToken::new();
        // Before anybody else may ask it to make room.
        self.0.told.lock().insert(entered.id, told.clone());
        drop(places);
        self.tell(entered.instead_of);
        let jitter = 0.9 + 0.2 * self.0.rng.unit();
        let age = self.0.limits.max_connection_age;
        let leaves_at = age.map(|age| now + age.mul_f64(jitter));
        Some(Arc::new(Stay::new(
            self.clone(),
            entered.id,
            told,
            leaves_at,
        )))
    }

    /// Something is short: whoever has had no call for longest goes.
    pub(in crate::grpc) fn make_room(&self) {
        let idle = self.0.places.lock().make_room();
        self.tell(idle);
    }

    fn tell(&self, connection: Option<u64>) {
        let told = connection.and_then(|id| self.0.told.lock().get(&id).cloned());
        if let Some(told) = told {
            self.0.stats.cut(Cut::MadeRoom);
            told.cancel();
        }
    }

    pub(super) fn leave(&self, id: u64) {
        let mut places = self.0.places.lock();
        places.leave(id, MonoTime::now());
        self.0.stats.open.set(places.open() as u64);
        drop(places);
        self.0.told.lock().remove(&id);
    }

    pub(super) fn idle_since(&self, id: u64) -> Option<MonoTime> {
        self.0.places.lock().idle_since(id)
    }

    pub(super) fn call(&self, connection: u64, whence: Whence) -> Result<Seat, Crowded> {
        let called = self
            .0
            .places
            .lock()
            .call(connection, whence, MonoTime::now());
        match called {
            Ok(()) => Ok(Seat {
                hall: self.clone(),
                connection,
                whence,
            }),
            Err(limit) => {
                self.0.stats.call_refused(CallRefused::PeerStreams);
                let retry_delay = Duration::from_secs(1).mul_f64(1.0 + 4.0 * self.0.rng.unit());
                Err(Crowded { limit, retry_delay })
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut places = self.hall.0.places.lock();
        places.called(self.connection, self.whence, MonoTime::now());
    }
}
