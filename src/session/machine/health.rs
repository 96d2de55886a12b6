//! What a session makes of health requests, and of what heartbeats and pings took (U27, U28).

use std::sync::Arc;
use std::time::Duration;

use super::Machine;
use super::facts::Fact;
use super::io::{Action, Actions, At};
use super::quality::Change;
use super::socket::Ping;
use super::state::{State, StateName};
use crate::connectors::Condition;
use crate::proto::v1::session_event::Kind;
use crate::runtime::MonoTime;
use crate::session::health::{Checked, HealthReport};

impl Machine {
    /// A session that receives takes part in the health requests of its endpoint; another has
    /// nothing to compare them with.
    pub(super) fn mind_health(&mut self, out: &mut Actions) {
        let state = self.state.name();
        let live = matches!(state, StateName::LiveWebSocket | StateName::LiveLongPoll);
        let wanted = live.then_some(&self.connector);
        let asked = self.health_asked.as_ref();
        if wanted.map(Arc::as_ptr) == asked.map(Arc::as_ptr) {
            return;
        }
        if asked.is_some() {
            out.push(Action::DropHealth);
        }
        self.health_asked = wanted.cloned();
        out.extend(self.health_asked.clone().map(Action::AskHealth));
    }

    pub(super) fn health_came(&mut self, at: At, report: &HealthReport, out: &mut Actions) {
        self.health_asked = None;
        match report.checked {
            Checked::Answered(took) => {
                self.health_is_good();
                self.sample(at, Some(took));
            }
            Checked::Failed => {
                self.sample(at, None);
                self.health_failed(at, report.failures, out);
            }
        }
    }

    /// Something came back, so many after it left. What came while we did not read was not late
    /// because of the platform.
    pub(super) fn round_trip(&mut self, at: At, sent: MonoTime) {
        if self.stalled.is_none_or(|stalled| stalled < sent) {
            let took = at.now.saturating_duration_since(sent);
            self.sample(at, Some(took));
        }
    }

    /// Takes a sample: what it took, or that there was no answer.
    pub(super) fn sample(&mut self, at: At, took: Option<Duration>) {
        let Some(change) = self.quality.sample(took) else {
            return;
        };
        let (kind, reason) = match change {
            Change::Degraded(why) => (Kind::Degraded, why),
            Change::Recovered => (Kind::Recovered, String::new()),
        };
        let slow = (kind == Kind::Degraded).then_some(reason.as_str());
        self.standing.slow(slow);
        self.stats.quality(self.session.as_str(), slow);
        let fact = Fact::new(kind).reason(&reason);
        let fact = match self.last_transport {
            Some(transport) => fact.transport(transport),
            None => fact,
        };
        self.fact(at, fact);
        self.condition_changed(at);
    }

    /// How often a WebSocket is pinged: twice as often while the path is bad.
    pub(super) fn ping_pause(&self) -> Duration {
        let pause = self.timing.websocket_ping.0;
        let pause = match self.quality.is_degraded() {
            true => pause / 2,
            false => pause,
        };
        self.jittered(pause).max(pause.mul_f64(0.75))
    }

    pub(super) fn condition(&self) -> Condition {
        match self.quality.is_degraded() {
            true => Condition::Degraded,
            false => Condition::Stable,
        }
    }

    fn condition_changed(&mut self, at: At) {
        let (condition, pause) = (self.condition(), self.ping_pause());
        match &mut self.state {
            State::Live(live) => {
                for socket in live.iter_mut() {
                    socket.link.condition(at.now, condition);
                    if let Ping::Due(due) = &mut socket.ping {
                        *due = (*due).min(at.now + pause);
                    }
                }
            }
            State::Polling(polling) if polling.confirmed => {
                polling.link.condition(at.now, condition);
            }
            _ => {}
        }
    }
}
