//! [`Lane`]: one channel of a session. Most sessions have one; a session that needs several has them
//! side by side.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::connectors::Connector;
use crate::domain::SessionName;
use crate::runtime::{Backoff, Clock, DrainTrigger, MonoTime};
use crate::session::DriverError;

/// A driver that ran this long before it failed starts its back-off anew.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

/// One channel of a session.
#[derive(Debug)]
pub(super) struct Lane {
    /// What it is called in logs.
    pub(super) label: String,
    /// Where its state stands in the journal: as stable as its index is.
    pub(super) prefix: String,
    /// What it subscribes to; its driver is told when that changes.
    pub(super) connector: watch::Sender<Arc<dyn Connector>>,
    pub(super) reconnect: Arc<Notify>,
    phase: Phase,
    backoff: Backoff,
    started: MonoTime,
    has_run: bool,
}

#[derive(Debug)]
enum Phase {
    Running(DrainTrigger),
    /// It failed, and runs again after a while.
    Waiting,
    /// Its driver ended for good.
    Over,
    /// It is not wanted any more and still ends politely; then it may be wanted again.
    Retiring(Option<Arc<dyn Connector>>),
}

/// What follows from the end of a driver.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Its channel stays as it is.
    Nothing,
    /// It cannot run, and says so.
    Refused,
    /// It runs again after this.
    Restart(Duration),
    /// Its channel is gone.
    Gone,
}

impl Lane {
    /// Not running yet.
    pub(super) fn new(session: &SessionName, index: usize, connector: Arc<dyn Connector>) -> Self {
        let resource = session.resource();
        Self {
            label: format!("{resource}/{index}"),
            prefix: match index {
                0 => format!("{resource}/"),
                _ => format!("{resource}.{index}/"),
            },
            connector: watch::Sender::new(connector),
            reconnect: Arc::default(),
            phase: Phase::Waiting,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
            started: MonoTime::now(),
            has_run: false,
        }
    }

    /// Whether it waits to be run.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Whether its driver ended for good.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether its driver ran before.
    pub(super) fn has_run(&self) -> bool {
        self.has_run
    }

    /// Its driver runs.
    pub(super) fn running(&mut self, trigger: DrainTrigger, clock: &Clock) {
        self.started = clock.now();
        self.phase = Phase::Running(trigger);
        self.has_run = true;
    }

    /// It is wanted, with this; false where it is still about to end.
    pub(super) fn want(&mut self, connector: Arc<dyn Connector>) -> bool {
        if let Phase::Retiring(next) = &mut self.phase {
            *next = Some(connector);
            return false;
        }
        self.connector.send_replace(connector);
        true
    }

    /// It is not wanted any more; true where nothing of it is left.
    pub(super) fn retire(&mut self) -> bool {
        match &mut self.phase {
            Phase::Running(trigger) => {
                trigger.drain();
                self.phase = Phase::Retiring(None);
                false
            }
            Phase::Waiting | Phase::Over => true,
            Phase::Retiring(next) => {
                *next = None;
                false
            }
        }
    }

    /// Its driver ended. `unit` is a random number in [0, 1).
    pub(super) fn ended(&mut self, ended: &Result<(), Failed>, clock: &Clock, unit: f64) -> After {
        if let Err(error) = ended {
            tracing::error!(session = %self.label, %error, "Session failed");
        }
        if let Phase::Retiring(next) = &mut self.phase {
            let Some(next) = next.take() else {
                return After::Gone;
            };
            self.connector.send_replace(next);
            self.phase = Phase::Waiting;
            self.backoff.reset();
            return After::Restart(Duration::ZERO);
        }
        match ended {
            Ok(()) => {
                self.phase = Phase::Over;
                After::Nothing
            }
            Err(Failed::Driver(DriverError::State(_))) => {
                self.phase = Phase::Over;
                After::Refused
            }
            Err(Failed::Panicked) => {
                self.phase = Phase::Waiting;
                if clock.now().saturating_duration_since(self.started) >= PROVEN_AFTER {
                    self.backoff.reset();
                }
                After::Restart(self.backoff.next_delay(unit))
            }
        }
    }
}

/// How a driver failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("it panicked")]
    Panicked,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::Identity;
    use crate::runtime::drain;
    use crate::session::machine::tests::fake::Fake;

    fn connector() -> Arc<dyn Connector> {
        Fake::new(Identity::Ids).shared()
    }

    fn running() -> (Lane, crate::runtime::Drain) {
        let session = SessionName::new("cc").unwrap();
        let mut lane = Lane::new(&session, 0, connector());
        let (trigger, drained) = drain();
        lane.running(trigger, &Clock::system());
        (lane, drained)
    }

    #[test]
    fn one_that_is_wanted_again_before_it_has_left_runs_again_at_once() {
        let (mut lane, drained) = running();
        assert!(!lane.retire(), "it leaves politely");
        assert!(drained.is_draining());
        assert!(!lane.want(connector()), "it has not left yet");
        let after = lane.ended(&Ok(()), &Clock::system(), 0.5);
        assert_eq!(after, After::Restart(Duration::ZERO));
        assert!(lane.is_waiting() && lane.has_run());
    }

    #[test]
    fn one_that_is_not_wanted_after_all_is_gone_when_it_has_left() {
        let (mut lane, _drained) = running();
        lane.retire();
        lane.want(connector());
        assert!(!lane.retire());
        let after = lane.ended(&Ok(()), &Clock::system(), 0.5);
        assert_eq!(after, After::Gone);
    }

    #[test]
    fn one_that_ended_for_good_leaves_nothing_to_wait_for() {
        let (mut lane, _drained) = running();
        let after = lane.ended(&Ok(()), &Clock::system(), 0.5);
        assert_eq!(after, After::Nothing);
        assert!(lane.is_over() && lane.retire());
    }

    #[test]
    fn one_that_panics_runs_again_later_and_later() {
        let (mut lane, _drained) = running();
        let mut pauses = Vec::new();
        for _ in 0..3 {
            match lane.ended(&Err(Failed::Panicked), &Clock::system(), 1.0) {
                After::Restart(pause) => pauses.push(pause),
                other => panic!("{other:?}"),
            }
            let (trigger, _) = drain();
            lane.running(trigger, &Clock::system());
        }
        assert!(pauses.is_sorted() && pauses[0] < pauses[2], "{pauses:?}");
    }
}
