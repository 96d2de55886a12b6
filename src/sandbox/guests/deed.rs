//! [`Deed`]: what can be done to a session from outside. Pure.

use super::agent::Saying;
use super::record::SessionStatus;
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// What can be done to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The agent says something, with choices where there are any.
    Say {
        /// What.
        text: String,
        /// Quick replies that are offered.
        choices: Vec<String>,
    },
    /// The agent ends the conversation: it can only be read from then on.
    End,
    /// The session is over.
    Expire,
    /// The conversation is cleared, and another begins.
    Clear,
    /// The platform knows nothing of the session any more; its sockets stay open.
    Forget,
    /// Every socket of it is told that another took its place.
    Supersede,
}

/// A session that the platform does not know, or that is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no session '{session}', or it is over")]
pub struct UnknownSession {
    /// The token, or the instance of a chat.
    pub session: String,
}

impl State {
    pub(super) fn act(
        &mut self,
        session: &str,
        deed: &Deed,
        now: (MonoTime, WallTime),
    ) -> Result<(), UnknownSession> {
        let done = match deed {
            Deed::Say { text, choices } => {
                let saying = match choices.is_empty() {
                    true => Saying::Text(text.clone()),
                    false => Saying::Choices(text.clone(), choices.clone()),
                };
                self.say(session, saying, now).is_some()
            }
            Deed::End => self.say(session, Saying::End, now).is_some(),
            Deed::Expire => self.expire(session, now.0),
            Deed::Clear => self.clear(session, now),
            Deed::Forget => self.forget(session),
            Deed::Supersede => {
                let sockets = self.sockets_of(session);
                for socket in &sockets {
                    self.supersede(*socket, now.0);
                }
                !sockets.is_empty()
            }
        };
        match done {
            true => Ok(()),
            false => Err(UnknownSession {
                session: session.to_owned(),
            }),
        }
    }

    /// The same to every session; to how many it was done.
    pub(super) fn act_on_all(&mut self, deed: &Deed, now: (MonoTime, WallTime)) -> usize {
        let all: Vec<_> = self.guests.keys().cloned().collect();
        let done = all.iter().filter(|id| self.act(id, deed, now).is_ok());
        done.count()
    }

    /// Sessions after one, by their ids.
    pub(super) fn session_page(&self, after: &str, limit: usize) -> Vec<SessionStatus> {
        use std::ops::Bound::{Excluded, Unbounded};
        let range = (Excluded(after.to_owned()), Unbounded);
        let guests = self.guests.range(range).take(limit);
        guests.map(|(_, guest)| guest.status()).collect()
    }

    pub(super) fn session_count(&self) -> usize {
        self.guests.len()
    }

    pub(super) fn socket_count(&self) -> usize {
        self.outboxes.len()
    }

    /// Every JWT issued so far stops being valid.
    pub(super) fn expire_jwts(&mut self) {
        self.desk.expire_jwts();
    }

    /// When something is to be looked at on a socket.
    pub(super) fn listen(&self, connection: u64) -> Option<tokio::sync::watch::Receiver<u64>> {
        let outbox = self.outboxes.get(&connection)?;
        Some(outbox.bell.listen())
    }
}
