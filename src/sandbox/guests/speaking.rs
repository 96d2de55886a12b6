//! What the agent and the platform do to sessions: say, end, expire, clear, forget, supersede. Pure.

use super::agent::{self, Saying};
use super::fault::{GuestFault, GuestFaultName as Name};
use super::guest::{Due, Guest, Utterance};
use super::outbox::{Meaning, Parcel};
use super::pace::Pace;
use super::record::AgentMessage;
use super::state::State;
use super::{web_messaging, webchat};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// An ended conversation's close code and reason (webchat).
const CONVERSATION_ENDED: (u16, &str) = (1001, "The conversation is ended");
const SESSION_EXPIRED: (u16, &str) = (4401, "session expired");
pub(super) const SUPERSEDED: (u16, &str) = (1000, "another connection took its place");

impl State {
    /// A guest comes for the first time, or begins anew.
    pub(super) fn begin(&mut self, id: &str, secret: &str, (now, wall): (MonoTime, WallTime)) {
        self.make_room();
        self.counters.sessions_begun += 1;
        let until = now + self.config.session_duration;
        let guest = Guest {
            id: id.to_owned(),
            secret: secret.to_owned(),
            conversation: self.uuid(),
            read_only: false,
            expired: false,
            until: (until, wall.plus(self.config.session_duration)),
            sockets: Vec::new(),
            pace: Pace::default(),
            history: std::collections::VecDeque::new(),
            greeted: false,
            held: None,
            after_history: Vec::new(),
        };
        self.guests.insert(id.to_owned(), guest);
        self.at(until, Due::End(id.to_owned()));
    }

    /// Forgets a session without a socket, where there are too many.
    fn make_room(&mut self) {
        if self.guests.len() < self.config.max_sessions {
            return;
        }
        let idle = self
            .guests
            .values()
            .filter(|guest| guest.sockets.is_empty());
        let oldest = idle.min_by_key(|guest| guest.until.0);
        if let Some(id) = oldest.map(|guest| guest.id.clone()) {
            self.guests.remove(&id);
        }
    }

    /// A new conversation in the same session: the agent sees nothing of the old one.
    pub(super) fn begin_anew(&mut self, session: &str, now: (MonoTime, WallTime)) {
        let conversation = self.uuid();
        if let Some(guest) = self.guests.get_mut(session) {
            guest.conversation = conversation;
            guest.read_only = false;
            guest.history.clear();
            guest.greeted = false;
            guest.held = None;
        }
        self.counters.sessions_begun += 1;
        self.prolong(session, now);
    }

    /// A session lives on; that of a webchat for as long as it was said to.
    pub(super) fn prolong(&mut self, session: &str, (now, wall): (MonoTime, WallTime)) {
        let duration = self.config.session_duration;
        let sliding = self.is_web_messaging();
        if let Some(guest) = self.guests.get_mut(session).filter(|_| sliding) {
            guest.until = (now + duration, wall.plus(duration));
        }
    }

    /// A socket belongs to a session from now on; the oldest makes way where there are too many.
    pub(super) fn attach(&mut self, connection: u64, session: &str, now: MonoTime) {
        self.detach(connection);
        let most = self.config.sockets_per_session;
        let (Some(outbox), Some(guest)) = (
            self.outboxes.get_mut(&connection),
            self.guests.get_mut(session),
        ) else {
            return;
        };
        outbox.session = Some(session.to_owned());
        guest.sockets.push(connection);
        let too_many = guest.sockets.len().saturating_sub(most);
        let oldest: Vec<_> = guest.sockets.iter().take(too_many).copied().collect();
        for socket in oldest {
            self.counters.sockets_superseded += 1;
            self.supersede(socket, now);
        }
    }

    /// A socket is told that another took its place, and closed.
    pub(super) fn supersede(&mut self, connection: u64, now: MonoTime) {
        if self.is_web_messaging() {
            self.tell(connection, web_messaging::connection_closed(), now);
        }
        self.part(connection, SUPERSEDED.0, SUPERSEDED.1);
    }

    /// The agent greets a guest that joins.
    pub(super) fn welcome(&mut self, session: &str, now: MonoTime) {
        let reply = self.config.reply;
        let Some(guest) = self.guests.get_mut(session) else {
            return;
        };
        if std::mem::replace(&mut guest.greeted, true) {
            return;
        }
        for saying in agent::welcome(reply) {
            let due = now + self.config.reply_delay;
            self.at(due, Due::Saying(session.to_owned(), saying));
        }
    }

    /// The agent says something, unless the session or its conversation is over: the number of it.
    pub(super) fn say(
        &mut self,
        session: &str,
        saying: Saying,
        (now, wall): (MonoTime, WallTime),
    ) -> Option<u64> {
        let id = self.uuid();
        let kept = self.config.history;
        let guest = self.guests.get_mut(session)?;
        if guest.expired || guest.read_only {
            return None;
        }
        let ends = saying == Saying::End;
        let (text, choices) = match saying {
            Saying::Text(text) => (Some(text), Vec::new()),
            Saying::Choices(text, choices) => (Some(text), choices),
            Saying::End => (None, Vec::new()),
        };
        guest.read_only = ends;
        let utterance = Utterance {
            id: id.clone(),
            at: wall,
            shown: now,
            inbound: false,
            request_id: None,
            text: text.clone(),
            content: Vec::new(),
            choices,
            ends,
        };
        guest.keep(utterance.clone(), kept);
        let conversation = guest.conversation.clone();
        let number = self.said.enter(|number| AgentMessage {
            number,
            at: wall,
            session: session.to_owned(),
            conversation,
            provider_id: id,
            text: text.unwrap_or_default(),
            pushed: Vec::new(),
            received: false,
        });
        self.deliver(session, number, utterance, now);
        if ends && !self.is_web_messaging() {
            self.part_all(session, CONVERSATION_ENDED);
        }
        Some(number)
    }

    /// Delivers what the agent said, as the faults will have it.
    fn deliver(&mut self, session: &str, number: u64, utterance: Utterance, now: MonoTime) {
        if self.strike(Name::LostPush).is_some() {
            return;
        }
        let holds = self.guests.get(session).is_some_and(|g| g.held.is_some());
        if !holds
            && !utterance.ends
            && let Some(GuestFault::Reorder { within }) = self.strike(Name::Reorder)
        {
            if let Some(guest) = self.guests.get_mut(session) {
                guest.held = Some((number, utterance));
            }
            self.at(now + within.0, Due::Release(session.to_owned()));
            return;
        }
        self.push(session, number, &utterance, now);
        self.release(session, now);
    }

    /// What was held back goes out.
    pub(super) fn release(&mut self, session: &str, now: MonoTime) {
        let guest = self.guests.get_mut(session);
        if let Some((number, utterance)) = guest.and_then(|guest| guest.held.take()) {
            self.push(session, number, &utterance, now);
        }
    }

    /// Puts a message of the agent into the outbox of every socket of a session.
    fn push(&mut self, session: &str, number: u64, utterance: &Utterance, now: MonoTime) {
        let text = match self.is_web_messaging() {
            true => Some(web_messaging::outbound(utterance)),
            false => webchat::outbound(utterance),
        };
        let guest = self.guests.get(session);
        let sockets = guest.map_or_else(Vec::new, |guest| guest.sockets.clone());
        let Some(text) = text.filter(|_| !sockets.is_empty()) else {
            return;
        };
        let broken = match self.strike(Name::MalformedFrame) {
            Some(GuestFault::MalformedFrame { form }) => Some(web_messaging::broken(form)),
            _ => None,
        };
        let copies = match self.strike(Name::Duplicate) {
            Some(_) => 2,
            None => 1,
        };
        for socket in sockets {
            if let Some(broken) = &broken {
                self.tell(socket, broken.clone(), now);
            }
            for _ in 0..copies {
                let meaning = Meaning::Agent(number);
                let text = text.clone();
                self.post(
                    socket,
                    Parcel {
                        due: now,
                        text,
                        meaning,
                    },
                );
            }
        }
    }

    /// A session is over; whether it was not yet.
    pub(super) fn expire(&mut self, session: &str, now: MonoTime) -> bool {
        let Some(guest) = self.guests.get_mut(session).filter(|guest| !guest.expired) else {
            return false;
        };
        guest.expired = true;
        self.counters.sessions_expired += 1;
        if self.is_web_messaging() {
            let sockets = self.sockets_of(session);
            for socket in sockets {
                self.tell(socket, web_messaging::session_expired(), now);
            }
        } else {
            self.part_all(session, SESSION_EXPIRED);
        }
        true
    }

    /// A conversation is cleared; whether there was one.
    pub(super) fn clear(&mut self, session: &str, now: (MonoTime, WallTime)) -> bool {
        if !self.guests.contains_key(session) {
            return false;
        }
        self.begin_anew(session, now);
        if self.is_web_messaging() {
            for socket in self.sockets_of(session) {
                self.tell(socket, web_messaging::session_cleared(), now.0);
            }
        }
        true
    }

    /// The platform knows nothing of a session any more; whether it did. Its sockets stay open.
    pub(super) fn forget(&mut self, session: &str) -> bool {
        for socket in self.sockets_of(session) {
            self.detach(socket);
        }
        self.guests.remove(session).is_some()
    }

    pub(super) fn sockets_of(&self, session: &str) -> Vec<u64> {
        let guest = self.guests.get(session);
        guest.map_or_else(Vec::new, |guest| guest.sockets.clone())
    }

    fn part_all(&mut self, session: &str, (code, reason): (u16, &str)) {
        for socket in self.sockets_of(session) {
            self.part(socket, code, reason);
        }
    }

    /// The agent says something to somebody who has a socket.
    pub(crate) fn chatter(&mut self, now: (MonoTime, WallTime)) {
        let open: Vec<_> = self
            .outboxes
            .values()
            .filter_map(|o| o.session.clone())
            .collect();
        let place = usize::try_from(self.rng.below(open.len() as u64)).unwrap_or_default();
        if let Some(session) = open.get(place) {
            let text = format!("Message {} of the agent.", self.said.entered() + 1);
            self.say(session, Saying::Text(text), now);
        }
    }
}
