//! [`Socket`]: what is known of one open WebSocket.

use std::collections::BTreeSet;
use std::time::Duration;

use super::io::{At, Generation};
use crate::connectors::{Batch, Confirms, Control, Link};
use crate::runtime::MonoTime;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) generation: Generation,
    pub(super) link: Box<dyn Link>,
    /// Generation of the token it was opened with.
    pub(super) token: u64,
    /// Topics that are not confirmed yet.
    unconfirmed: BTreeSet<String>,
    pub(super) ping: Ping,
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
            unconfirmed: topics.iter().cloned().collect(),
            ping: Ping::Due(at.now + first_ping),
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

    /// A frame came: the connection lives. The way there and back, where it was the pong.
    pub(super) fn lives(
        &mut self,
        at: At,
        pong: bool,
        ping: Duration,
        patience: Duration,
    ) -> Option<Duration> {
        let Ping::Awaited { sent, dead_at } = &mut self.ping else {
            return None;
        };
        if pong {
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
        self.link
            .heartbeat_due()
            .map_or(ping, |beat| beat.min(ping))
    }
}
