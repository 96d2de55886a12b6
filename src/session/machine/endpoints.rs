//! The endpoints of a session: where it goes when the path to one fails (U27).

use std::sync::Arc;
use std::time::Duration;

use super::io::{Actions, At};
use super::state::{State, Successor, limits};
use super::{Machine, Next};
use crate::connectors::Connector;
use crate::runtime::MonoTime;

/// Health requests without an answer, in a row, that make a path asymmetric while events flow.
const UNHEALTHY: u32 = 3;
/// How soon a path may be changed again where the change did not help; doubled each time.
const SHORTEST_PAUSE: Duration = Duration::from_secs(60);

/// The same subscription at another address.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its host, and its port where it has one of its own.
    pub host: String,
    /// The dialect there.
    pub connector: Arc<dyn Connector>,
}

/// The endpoints, in the order in which they are taken.
#[derive(Debug)]
pub(super) struct Endpoints {
    /// The first is the session's own; none where there is no choice.
    all: Vec<Endpoint>,
    current: usize,
    /// Failures in a row of the one in use.
    failures: u32,
    /// When the path may be changed again because of its health.
    not_before: Option<MonoTime>,
    pause: Duration,
    /// A change is under way beside a connection that works: a new path begins at the probe (U1).
    pub(super) moving: bool,
}

impl Endpoints {
    /// At the session's own, with what else there is.
    pub(super) fn new(own: &Arc<dyn Connector>, alternatives: Vec<Endpoint>) -> Self {
        let first = Endpoint {
            host: String::new(),
            connector: Arc::clone(own),
        };
        let all = match alternatives.is_empty() {
            true => Vec::new(),
            false => std::iter::once(first).chain(alternatives).collect(),
        };
        Self {
            all,
            current: 0,
            failures: 0,
            not_before: None,
            pause: SHORTEST_PAUSE,
            moving: false,
        }
    }

    /// The host in use, where it is not the session's own.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        let alternative = (self.current > 0).then(|| self.all.get(self.current));
        alternative.flatten().map(|endpoint| endpoint.host.as_str())
    }

    /// It works.
    pub(super) fn works(&mut self) {
        self.failures = 0;
    }
}

impl Machine {
    /// Goes on at another endpoint; false where there is none.
    fn take_endpoint(&mut self, index: usize) -> bool {
        let Some(endpoint) = self.endpoints.all.get(index) else {
            return false;
        };
        self.connector = Arc::clone(&endpoint.connector);
        tracing::warn!(session = %self.session, endpoint = %endpoint.host, "Endpoint changed");
        self.endpoints.current = index;
        self.endpoints.failures = 0;
        self.quality.forget();
        self.stats.endpoint_changed();
        true
    }

    /// Goes on at the next of them.
    fn next_endpoint(&mut self) -> bool {
        let count = self.endpoints.all.len();
        count > 0 && self.take_endpoint((self.endpoints.current + 1) % count)
    }

    /// The endpoint in use could not be reached, or did not serve us: after three times in a row the
    /// next one is taken. True where it was.
    pub(super) fn endpoint_failed(&mut self) -> bool {
        self.endpoints.failures += 1;
        self.endpoints.failures >= limits::IN_A_ROW && self.next_endpoint()
    }

    /// An operator asks for a new connection: from the beginning, and that is the session's own.
    pub(super) fn back_to_own_endpoint(&mut self) {
        if self.endpoints.current > 0 {
            self.take_endpoint(0);
        }
    }

    /// So many health requests in a row had no answer (U27). Events flow all the same, so the path is
    /// asymmetric: the next endpoint, else from the beginning. Where that does not help, ever more
    /// rarely.
    pub(super) fn health_failed(&mut self, at: At, failures: u32, out: &mut Actions) {
        let soon = self.endpoints.not_before.is_some_and(|due| at.now < due);
        if failures < UNHEALTHY || soon {
            return;
        }
        self.endpoints.not_before = Some(at.now + self.jittered(self.endpoints.pause));
        self.endpoints.pause = (self.endpoints.pause * 2).min(limits::LONGEST_FAILBACK);
        self.stats.path_changed(self.session.as_str());
        self.next_endpoint();
        self.endpoints.moving = true;
        self.move_over(at, Next::Negotiate, "HEALTH_FAILS", out);
    }

    /// A health request was answered.
    pub(super) fn health_is_good(&mut self) {
        self.endpoints.not_before = None;
        self.endpoints.pause = SHORTEST_PAUSE;
    }

    /// Connections by the connector of now take over from those that stand, where two may stand side
    /// by side; else break before make.
    pub(super) fn move_over(&mut self, at: At, next: Next, reason: &str, out: &mut Actions) {
        if let Successor::Trying(attempt) = std::mem::replace(&mut self.successor, Successor::None)
        {
            self.abandon(at, attempt, out);
        }
        match &self.state {
            State::Live(_) if self.connector.capabilities().overlap => {
                self.outdate(at, |_| true, out);
                self.refill(at, out);
            }
            State::Live(_) => {
                self.retire_all(at, out);
                self.wait(at, Duration::ZERO, next, reason, out);
            }
            State::Connecting(_) | State::Polling(_) | State::Sifting(_) => {
                self.leave(at, reason, out);
                self.begin(at, Next::Negotiate, out);
            }
            State::Suspended { until: Some(_), .. } => self.begin(at, Next::Negotiate, out),
            State::Suspended { until: None, .. }
            | State::Idle
            | State::Waiting { .. }
            | State::Draining { .. }
            | State::Ended => {}
        }
    }
}
