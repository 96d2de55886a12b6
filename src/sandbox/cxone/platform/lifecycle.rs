//! The life of sessions: how they begin and end, and which ids belong to them. Pure.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::agent::CxoneAgentState;
use super::flat::Flat;
use super::ledger::FactFate;
use super::record::{Cursor, SessionStatus};
use super::session::{Queued, Session};
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Sessions that are remembered, the ended ones included.
const MOST_SESSIONS: usize = 4_096;
/// Bytes of a session id, before they are written in Base64.
const ID_BYTES: usize = 40;

impl State {
    /// Begins a session of an agent that has none; its first id.
    pub(super) fn sign_in(&mut self, agent: usize, now: (MonoTime, WallTime)) -> Arc<str> {
        let number = self.next_session;
        self.next_session += 1;
        let id = self.fresh_id();
        if self.sessions.len() >= MOST_SESSIONS {
            let over = self.sessions.iter().find(|(_, session)| session.ended);
            if let Some(over) = over.map(|(number, _)| *number) {
                self.forget(over);
            }
        }
        let session = Session::new(agent, Arc::clone(&id), self.config.remembered_ids, now.0);
        self.sessions.insert(number, session);
        self.ids.insert(Arc::clone(&id), number);
        self.open.insert(agent, number);
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.set(CxoneAgentState::unavailable(""), now.1);
        }
        id
    }

    /// Ends a session and all contacts of its agent; `announced` has its pollers told in an event.
    pub(super) fn end_session(&mut self, number: u64, announced: bool, now: WallTime) {
        let Some(session) = self.sessions.get(&number).filter(|session| !session.ended) else {
            return;
        };
        let agent = session.agent;
        if announced {
            let end = Flat::new("AgentSessionEnd")
                .with("Message", "")
                .flag("Success", true);
            self.issue(agent, &end, now);
        }
        let dropped = self
            .sessions
            .get_mut(&number)
            .map_or(Vec::new(), |session| {
                session.ended = true;
                session.renew = None;
                match announced {
                    true => Vec::new(),
                    false => session.take(),
                }
            });
        self.drop_facts(&dropped);
        self.open.remove(&agent);
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.contacts.clear();
            agent.updated = now;
        }
    }

    /// Ends a session and forgets that it was.
    pub(super) fn forget(&mut self, number: u64) {
        if let Some(session) = self.sessions.remove(&number) {
            for id in session.ids() {
                self.ids.remove(id);
            }
        }
    }

    pub(super) fn drop_facts(&mut self, queued: &[Queued]) {
        let facts: Vec<_> = queued.iter().map(|queued| queued.fact).collect();
        self.ledger.settle(&facts, FactFate::Dropped);
    }

    /// Which session an id belongs to, and how it stands there.
    pub(super) fn locate(&self, id: &str) -> (Option<u64>, Cursor) {
        let session = self.ids.get(id).and_then(|number| {
            let session = self.sessions.get(number)?;
            Some((*number, session.cursor(id)))
        });
        session.map_or((None, Cursor::Unknown), |(number, cursor)| {
            (Some(number), cursor)
        })
    }

    /// Gives out another id of a session.
    pub(super) fn advance(&mut self, number: u64) -> Arc<str> {
        let id = self.fresh_id();
        if let Some(session) = self.sessions.get_mut(&number) {
            for forgotten in session.advance(Arc::clone(&id)) {
                self.ids.remove(&forgotten);
            }
            self.ids.insert(Arc::clone(&id), number);
        }
        id
    }

    fn fresh_id(&self) -> Arc<str> {
        let bytes: Vec<u8> = (0..ID_BYTES / 8)
            .flat_map(|_| self.rng.bits().to_be_bytes())
            .collect();
        URL_SAFE.encode(bytes).into()
    }

    /// Ends the sessions that nobody has polled for too long: whether any has ended, and when the
    /// next one will.
    pub(crate) fn end_idle(&mut self, now: (MonoTime, WallTime)) -> (bool, Option<MonoTime>) {
        let Some(timeout) = self.config.idle_timeout else {
            return (false, None);
        };
        let sessions = self.open.values().filter_map(|number| {
            let session = self.sessions.get(number)?;
            Some((session.polled_until + timeout, *number))
        });
        let mut due: Vec<_> = sessions.collect();
        due.sort_unstable();
        let idle = due.partition_point(|(at, _)| *at <= now.0);
        for (_, number) in due.iter().take(idle) {
            self.end_session(*number, false, now.1);
        }
        (idle > 0, due.get(idle).map(|(at, _)| *at))
    }

    pub(crate) fn session_status(&self) -> Vec<SessionStatus> {
        let status = |(number, session): (&u64, &Session)| {
            let agent = self.agents.get(session.agent)?;
            Some(SessionStatus {
                agent: agent.id.clone(),
                session: *number,
                open: !session.ended,
                queued: session.queued(),
                ids_issued: session.ids_issued,
            })
        };
        self.sessions.iter().filter_map(status).collect()
    }
}
