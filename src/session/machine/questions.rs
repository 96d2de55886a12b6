//! [`Questions`]: what a connection was asked whose answer comes behind everything that the platform
//! sent before it (U16, U18). Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use super::io::{At, Generation};
use super::socket::Socket;

/// Questions that wait for their answers; the oldest are forgotten, which proves less and never more.
const MOST_OPEN: usize = 64;

/// The questions of one connection that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: VecDeque<Question>,
    last: u64,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    name: u64,
    /// Whether the protocol's own ping asks it: then nothing but a pong answers it.
    by_ping: bool,
    /// When it left.
    pub(super) sent: At,
    /// Whether the connection brought everything until this one was confirmed, and later until it
    /// answered the last time.
    pub(super) about: Option<About>,
}

/// Which connection a question is about, as it stood then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    generation: Generation,
    round: u32,
}

impl About {
    /// As it stands now.
    pub(super) fn now(socket: &Socket) -> Self {
        Self {
            generation: socket.generation,
            round: socket.round,
        }
    }
}

impl Questions {
    /// What the next question is to be called.
    pub(super) fn next_name(&self) -> Bytes {
        Bytes::copy_from_slice(&(self.last + 1).to_be_bytes())
    }

    /// That question leaves, as a ping of the protocol or as one of the platform's own.
    pub(super) fn ask(&mut self, sent: At, about: Option<About>, by_ping: bool) {
        if self.open.len() >= MOST_OPEN {
            // One about another connection is waited for by that.
            let oldest = self.open.iter().position(|open| open.about.is_none());
            self.open.remove(oldest.unwrap_or_default());
        }
        self.last += 1;
        self.open.push_back(Question {
            name: self.last,
            by_ping,
            sent,
            about,
        });
    }

    /// An answer came: what it answers, the oldest first. A peer may answer the last of several
    /// pings alone (RFC 6455, 5.5.3), and what comes behind everything that was sent before a
    /// question comes behind what was sent before an older one. Nothing where it answers none.
    pub(super) fn answered(&mut self, name: &[u8], by_ping: bool) -> Vec<Question> {
        let own = |question: &Question| {
            question.by_ping == by_ping && question.name.to_be_bytes() == *name
        };
        match self.open.iter().position(own) {
            Some(index) => self.open.drain(..=index).collect(),
            None => Vec::new(),
        }
    }
}
