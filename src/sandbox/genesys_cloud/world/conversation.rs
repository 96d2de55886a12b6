//! [`Conversation`]: a customer, a queue and the agents it went to, step by step. Pure.

use std::sync::Arc;

use super::timeline::Timeline;
use super::words::{Media, Stage};
use crate::domain::WallTime;

/// A conversation and everything it was.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) id: Arc<str>,
    pub(crate) media: Media,
    /// Index of the queue.
    pub(crate) queue: usize,
    /// Who calls or writes.
    pub(crate) address: String,
    pub(crate) line: Timeline<Arc<Scene>>,
}

/// A conversation at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) customer: Party,
    /// The queue as a participant.
    pub(crate) acd: Party,
    pub(crate) agents: Vec<Party>,
    pub(crate) ended: Option<WallTime>,
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) id: Arc<str>,
    /// Of its one communication.
    pub(crate) session: Arc<str>,
    /// Index of the user, where it is an agent.
    pub(crate) user: Option<usize>,
    pub(crate) started: WallTime,
    pub(crate) connected: Option<WallTime>,
    /// The communication is over.
    pub(crate) disconnected: Option<WallTime>,
    pub(crate) disconnect: &'static str,
    /// Notes are written from here,
    pub(crate) acw_start: Option<WallTime>,
    /// to here.
    pub(crate) acw_end: Option<WallTime>,
}

/// A step that a conversation cannot take from where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Impossible {
    pub(crate) from: Stage,
    pub(crate) to: Stage,
}

/// Where an alerting agent comes from: the identifiers of a new participant.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) id: Arc<str>,
    pub(crate) session: Arc<str>,
}

impl Party {
    pub(crate) fn new(fresh: Fresh, user: Option<usize>, at: WallTime) -> Self {
        Self {
            id: fresh.id,
            session: fresh.session,
            user,
            started: at,
            connected: None,
            disconnected: None,
            disconnect: "client",
            acw_start: None,
            acw_end: None,
        }
    }

    fn leave(&mut self, at: WallTime, how: &'static str) {
        if self.disconnected.is_none() {
            self.disconnected = Some(at);
            self.disconnect = how;
        }
    }

    /// When nothing of it is left to come.
    pub(crate) fn ended(&self) -> Option<WallTime> {
        match self.acw_start {
            Some(_) => self.acw_end,
            None => self.disconnected,
        }
    }
}

impl Scene {
    /// A customer waits.
    pub(crate) fn queued(customer: Fresh, acd: Fresh, at: WallTime) -> Self {
        let connected = |fresh| Party {
            connected: Some(at),
            ..Party::new(fresh, None, at)
        };
        Self {
            stage: Stage::Queued,
            customer: connected(customer),
            acd: connected(acd),
            agents: Vec::new(),
            ended: None,
        }
    }

    /// The agent it rings at, or who has it.
    pub(crate) fn agent(&self) -> Option<&Party> {
        self.agents.last().filter(|agent| agent.ended().is_none())
    }

    fn agent_mut(&mut self) -> Option<&mut Party> {
        self.agents
            .last_mut()
            .filter(|agent| agent.ended().is_none())
    }

    /// Everybody in it.
    pub(crate) fn parties(&self) -> impl Iterator<Item = &Party> {
        [&self.customer, &self.acd].into_iter().chain(&self.agents)
    }

    /// What it is after a step. `alerted` is who it rings at, for a step to [`Stage::Alerting`].
    pub(crate) fn step(
        &self,
        to: Stage,
        alerted: Option<(usize, Fresh)>,
        at: WallTime,
    ) -> Result<Self, Impossible> {
        let mut next = self.clone();
        next.stage = to;
        match (self.stage, to) {
            (Stage::Queued, Stage::Alerting) => {
                let (user, fresh) = alerted.ok_or(Impossible {
                    from: self.stage,
                    to,
                })?;
                next.agents.push(Party::new(fresh, Some(user), at));
            }
            (Stage::Alerting, Stage::Queued) => {
                if let Some(agent) = next.agent_mut() {
                    agent.leave(at, "system");
                }
            }
            (Stage::Alerting, Stage::Connected) => {
                next.acd.leave(at, "transfer");
                if let Some(agent) = next.agent_mut() {
                    agent.connected = Some(at);
                }
            }
            (Stage::Connected, Stage::WrapUp) => {
                next.customer.leave(at, "client");
                if let Some(agent) = next.agent_mut() {
                    agent.leave(at, "peer");
                    agent.acw_start = Some(at);
                }
            }
            (from, Stage::Ended) if from != Stage::Ended => {
                next.ended = Some(at);
                next.customer.leave(at, "client");
                next.acd.leave(at, "peer");
                if let Some(agent) = next.agents.last_mut() {
                    agent.leave(at, "peer");
                    agent.acw_end = agent.acw_start.and(agent.acw_end.or(Some(at)));
                }
            }
            (from, to) => return Err(Impossible { from, to }),
        }
        Ok(next)
    }
}

impl Conversation {
    pub(crate) fn present(&self) -> &Arc<Scene> {
        &self.line.present().1
    }

    /// What it was; `None` before it began.
    pub(crate) fn at(&self, time: WallTime) -> Option<&Arc<Scene>> {
        (self.started() <= time).then(|| &self.line.at(time).1)
    }

    pub(crate) fn started(&self) -> WallTime {
        self.present().customer.started
    }

    pub(crate) fn is_open(&self) -> bool {
        self.present().ended.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &str) -> Fresh {
        Fresh {
            id: name.into(),
            session: format!("{name}-session").into(),
        }
    }

    fn at(seconds: u64) -> WallTime {
        WallTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_conversation_goes_from_its_queue_to_an_agent_and_ends_after_the_notes() {
        let queued = Scene::queued(fresh("customer"), fresh("acd"), at(1));
        let alerting = queued
            .step(Stage::Alerting, Some((3, fresh("a"))), at(2))
            .unwrap();
        assert_eq!(alerting.agent().unwrap().user, Some(3));
        let back = alerting.step(Stage::Queued, None, at(3)).unwrap();
        assert!(back.agent().is_none() && back.acd.ended().is_none());
        let again = back
            .step(Stage::Alerting, Some((4, fresh("b"))), at(4))
            .unwrap();
        let connected = again.step(Stage::Connected, None, at(5)).unwrap();
        assert_eq!(connected.acd.ended(), Some(at(5)));
        let notes = connected.step(Stage::WrapUp, None, at(6)).unwrap();
        assert_eq!(notes.customer.ended(), Some(at(6)));
        assert!(notes.agent().unwrap().ended().is_none());
        let over = notes.step(Stage::Ended, None, at(7)).unwrap();
        assert!(over.parties().all(|party| party.ended().is_some()));
        assert_eq!(over.agents.last().unwrap().ended(), Some(at(7)));
        assert_eq!(over.ended, Some(at(7)));
    }

    #[test]
    fn steps_that_make_no_sense_are_refused() {
        let queued = Scene::queued(fresh("customer"), fresh("acd"), at(1));
        for to in [
            Stage::Queued,
            Stage::Alerting,
            Stage::Connected,
            Stage::WrapUp,
        ] {
            let refused = queued.step(to, None, at(2)).unwrap_err();
            assert_eq!(
                refused,
                Impossible {
                    from: Stage::Queued,
                    to
                }
            );
        }
        let abandoned = queued.step(Stage::Ended, None, at(2)).unwrap();
        assert!(abandoned.step(Stage::Ended, None, at(3)).is_err());
    }
}
