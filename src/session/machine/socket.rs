//! [`Socket`]: what is known of one open WebSocket.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::early::Early;
use super::errands::Errand;
use super::io::{At, Generation};
use super::keeping::Place;
use super::questions::Questions;
use crate::connectors::{Batch, Confirms, Control, Link};
use crate::runtime::MonoTime;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) generation: Generation,
    pub(super) link: Box<dyn Link>,
    /// Generation of the token it was opened with.
    pub(super) token: u64,
    /// Its place in the session; `None` when a successor has taken it.
    pub(super) place: Option<Place>,
    /// Topics that are not confirmed yet.
    unconfirmed: BTreeSet<String>,
    /// Topics that the platform does not serve, and why.
    pub(super) rejected: BTreeMap<String, String>,
    /// When every topic was confirmed.
    pub(super) confirmed: Option<At>,
    /// When the last question left that it answered.
    pub(super) proven: Option<At>,
    pub(super) questions: Questions,
    /// When to ask whether everything came; `None` where nobody needs to know.
    pub(super) ask_at: Option<MonoTime>,
    /// Whether nothing was missed between the connections before it and its confirmation: one of
    /// them has shown life since.
    pub(super) joined: bool,
    /// Whether it has brought everything that the others had brought when it was asked.
    pub(super) compared: bool,
    /// How often it answered that.
    pub(super) round: u32,
    /// Whether nothing that it brought was taken for something that it was not.
    pub(super) settled: bool,
    /// What it brought before it was joined.
    pub(super) early: Early,
    /// A successor is wanted for it.
    pub(super) leaving: bool,
    pub(super) ping: Ping,
    pub(super) errand: Errand,
}

#[derive(Debug)]
pub(super) enum Ping {
    Due(MonoTime),
    /// Sent; any frame is a sign of life, only the pong measures the way.
    Awaited {
        sent: MonoTime,
        dead_at: MonoTime,
    },
}

/// Which ping a pong answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pong {
    /// A question that left then.
    To(MonoTime),
    /// None of those that are named.
    ToNothing,
}

impl Socket {
    pub(super) fn new(
        at: At,
        generation: Generation,
        link: Box<dyn Link>,
        token: u64,
        topics: &[String],
        first_ping: Duration,
    ) -> Self {
        Self {
            generation,
            link,
            token,
            place: None,
            unconfirmed: topics.iter().cloned().collect(),
            rejected: BTreeMap::new(),
            confirmed: None,
            proven: None,
            questions: Questions::default(),
            ask_at: None,
            joined: false,
            compared: false,
            round: 0,
            settled: false,
            early: Early::default(),
            leaving: false,
            ping: Ping::Due(at.now + first_ping),
            errand: Errand::default(),
        }
    }

    /// Whether a frame that confirms this leaves nothing to wait for.
    pub(super) fn confirm(&mut self, batch: &Batch) -> bool {
        match &batch.confirms {
            Confirms::Nothing => {}
            Confirms::All => self.unconfirmed.clear(),
            Confirms::Topics(topics) => {
                for topic in topics {
                    self.unconfirmed.remove(topic);
                }
            }
        }
        for control in &batch.controls {
            if let Control::TopicRejected { topic, .. } = control {
                self.unconfirmed.remove(topic);
            }
        }
        self.unconfirmed.is_empty()
    }

    /// A frame came: the connection lives. The way there and back, where it was the pong. A pong to a
    /// question that is older than the ping under way is none to that.
    pub(super) fn lives(
        &mut self,
        at: At,
        pong: Option<Pong>,
        ping: Duration,
        patience: Duration,
    ) -> Option<Duration> {
        let Ping::Awaited { sent, dead_at } = &mut self.ping else {
            return None;
        };
        let answers = match pong {
            Some(Pong::To(asked)) => asked >= *sent,
            Some(Pong::ToNothing) => true,
            None => false,
        };
        if answers {
            let way = at.now.saturating_duration_since(*sent);
            self.ping = Ping::Due(at.now + ping);
            return Some(way);
        }
        *dead_at = at.now + patience;
        None
    }

    /// When something must be done for it.
    pub(super) fn due(&self) -> MonoTime {
        let ping = match self.ping {
            Ping::Due(at) => at,
            Ping::Awaited { dead_at, .. } => dead_at,
        };
        let beat = self.link.heartbeat_due();
        let errand = self.errand_due();
        let others = beat.into_iter().chain(errand).chain(self.ask_at);
        others.fold(ping, MonoTime::min)
    }
}
