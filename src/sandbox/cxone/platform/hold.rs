//! [`Hold`]: one poll from its arrival to its answer. Pure: the shell in `server/poll.rs` waits as
//! it is told.
//!
//! A poll that is held with the present id, while another poll with it is answered, holds an old id
//! from then on and is answered as one: two pollers on one session fight.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Branch, Reply};
use super::flat::TypeKey;
use super::ledger::{AnswerCause, FactFate, PollAnswer};
use super::record::Cursor;
use super::rest::parameter;
use super::session::{Queued, Unconfirmed};
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::cxone::fault::{CxoneFault, CxoneFaultName};
use crate::sandbox::fault::Occasions;
use crate::sandbox::platform::{Cut, Digest, LOGIN_PAGE};

/// The longest hold, in seconds.
const LONGEST: u8 = 60;

/// A poll as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollRequest<'a> {
    /// The number it is remembered by.
    pub(crate) entry: u64,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) session_id: &'a str,
    pub(crate) query: &'a str,
}

#[derive(Debug)]
pub(crate) struct Hold {
    bearer: Option<String>,
    id: String,
    since: MonoTime,
    until: MonoTime,
    seen: Occasions<CxoneFaultName>,
}

/// What happens next with a poll.
#[derive(Debug)]
pub(crate) enum HoldTurn {
    Reply(Reply),
    /// Nothing moves any more on its connection.
    Freeze,
    /// Held until something changes, at most until then.
    Wait(MonoTime),
}

impl Hold {
    /// Takes a poll in, or refuses it.
    pub(crate) fn begin(
        state: &mut State,
        request: PollRequest<'_>,
        now: MonoTime,
    ) -> Result<Self, Answer> {
        state.authenticate(request.bearer, now)?;
        let timeout = parameter(request.query, "timeout").and_then(|text| text.parse::<u8>().ok());
        let Some(timeout) = timeout.filter(|seconds| *seconds <= LONGEST) else {
            let answer = Answer::refused(400, "timeout lies between 0 and 60");
            return Err(state.branched(answer, Branch::InvalidTimeout));
        };
        let hold = Duration::from_secs(timeout.into());
        let (number, cursor) = state.locate(request.session_id);
        state.asked(request.entry, cursor, timeout);
        if let Some(number) = number {
            state.polled(number, request.session_id, now + hold);
        }
        Ok(Self {
            bearer: request.bearer.map(str::to_owned),
            id: request.session_id.to_owned(),
            since: now,
            until: now + hold,
            seen: Occasions::default(),
        })
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, now: MonoTime, wall: WallTime) -> HoldTurn {
        let mut wake = vec![self.until];
        if state.config.expiry_ends_holds {
            let token = self.bearer.as_deref().unwrap_or_default();
            match state.tokens.check(token, now) {
                Some(access) => wake.push(access.until),
                None => {
                    let answer = Answer::refused(401, "Invalid or expired access token");
                    return HoldTurn::Reply(answer.into());
                }
            }
        }
        if let Some(turn) = self.broken(state, now, wall, &mut wake) {
            return turn;
        }
        let (number, cursor) = state.locate(&self.id);
        let Some(number) = number else {
            return HoldTurn::Reply(state.session_unknown().into());
        };
        let reply = match cursor {
            Cursor::Unknown => state.session_unknown().into(),
            Cursor::Ended => state.session_over().into(),
            Cursor::Old => match state.last_answer(number, &self.id) {
                Some(answer) => state.finish(answer),
                None => state.answer_poll(number, Some(AnswerCause::OldId), wall),
            },
            Cursor::Current if state.has_news(number) => state.answer_poll(number, None, wall),
            Cursor::Current if self.until <= now => {
                let answer = Answer::empty(304).described("No new events");
                state.branched(answer, Branch::NoEvents).into()
            }
            Cursor::Current => {
                return HoldTurn::Wait(wake.into_iter().min().unwrap_or(self.until));
            }
        };
        HoldTurn::Reply(reply)
    }

    /// Faults that answer in the platform's place, or change how the session stands.
    fn broken(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wall: WallTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<HoldTurn> {
        let names = [
            CxoneFaultName::Freeze,
            CxoneFaultName::PollStatus,
            CxoneFaultName::PollResetInHold,
            CxoneFaultName::NotJson,
            CxoneFaultName::Empty200AtOnce,
            CxoneFaultName::ForgetSession,
            CxoneFaultName::EndSession,
            CxoneFaultName::StaleSession,
        ];
        for name in names {
            let due = match state.faults.may_strike(name) {
                None => continue,
                Some(
                    CxoneFault::PollStatus { after, .. } | CxoneFault::PollResetInHold { after },
                ) => self.since + after.0,
                Some(_) => now,
            };
            if due > now {
                wake.push(due);
            } else if let Some(fault) = state.strike_once(name, &mut self.seen)
                && let Some(turn) = self.carry_out(state, fault, wall)
            {
                return Some(turn);
            }
        }
        None
    }

    fn carry_out(&self, state: &mut State, fault: CxoneFault, wall: WallTime) -> Option<HoldTurn> {
        let number = state.locate(&self.id).0;
        let reply = match fault {
            CxoneFault::Freeze {} => return Some(HoldTurn::Freeze),
            CxoneFault::PollStatus {
                status,
                retry_after,
                ..
            } => {
                let answer = match status {
                    204 | 304 => Answer::empty(status),
                    _ => Answer::refused(status, "The gateway answers"),
                };
                match retry_after {
                    Some(value) => answer.with("Retry-After", value).into(),
                    None => answer.into(),
                }
            }
            CxoneFault::PollResetInHold { .. } => Reply::Reset,
            CxoneFault::NotJson {} => Answer::html(200, LOGIN_PAGE).into(),
            CxoneFault::Empty200AtOnce { batch: true } => {
                state.answer_poll(number?, Some(AnswerCause::Nothing), wall)
            }
            CxoneFault::Empty200AtOnce { batch: false } => Answer::empty(200).into(),
            CxoneFault::StaleSession {} => {
                state.answer_poll(number?, Some(AnswerCause::OldId), wall)
            }
            CxoneFault::EndSession { announced } => {
                state.end_session(number?, announced, wall);
                return None;
            }
            CxoneFault::ForgetSession {} => {
                let number = number?;
                state.end_session(number, false, wall);
                state.forget(number);
                return None;
            }
            _ => return None,
        };
        Some(HoldTurn::Reply(reply))
    }
}

impl State {
    /// A poll has come, to be held so long: with the present id it shows that the last answer
    /// arrived.
    fn polled(&mut self, number: u64, id: &str, until: MonoTime) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        session.polled_until = until;
        if *session.current() == *id
            && let Some(last) = session.unconfirmed.take()
        {
            self.ledger.confirm(last.number);
        }
    }

    fn has_news(&self, number: u64) -> bool {
        self.sessions
            .get(&number)
            .is_some_and(super::session::Session::has_news)
    }

    /// The last answer once more, where it answered this id and nobody has shown that it arrived.
    fn last_answer(&self, number: u64, id: &str) -> Option<Answer> {
        let last = self.sessions.get(&number)?.unconfirmed.as_ref()?;
        if !self.config.replay_last || *last.asked != *id {
            return None;
        }
        let answer = Answer::json(200, &last.body);
        Some(self.branched(answer, last.branch))
    }

    /// Answers with a new id. `cause` is given where it is not simply what waits.
    fn answer_poll(&mut self, number: u64, cause: Option<AnswerCause>, wall: WallTime) -> Reply {
        let Some(session) = self.sessions.get_mut(&number) else {
            return self.session_unknown().into();
        };
        let agent = session.agent;
        let asked = session.current();
        let cause = cause.or(session.renew).unwrap_or(AnswerCause::NewEvents);
        let (mut queued, mut replaced) = (Vec::new(), Vec::new());
        if cause != AnswerCause::Nothing {
            session.renew = None;
            queued = session.take();
        }
        if cause.is_snapshot() {
            replaced = queued.drain(..).map(|queued| queued.fact).collect();
            let last = session.unconfirmed.take();
            replaced.extend(last.into_iter().flat_map(|last| last.facts));
        }
        let items = match cause.is_snapshot() {
            true => self.snapshot(agent, number),
            false => Vec::new(),
        };
        let id = self.advance(number);
        let body = written(&id, &items, &queued);
        let facts: Vec<_> = queued.iter().map(|queued| queued.fact).collect();
        self.counters.facts_sent += facts.len() as u64;
        self.counters.snapshots_sent += u64::from(cause.is_snapshot());
        let answer = self.ledger.answer(PollAnswer {
            number: 0,
            agent: self.agents.get(agent).map_or("", |own| &own.id).into(),
            session: number,
            at: wall,
            cause,
            facts: facts.clone(),
            items: items
                .iter()
                .map(|item| Digest::of(item.as_bytes()))
                .collect(),
            head: self.ledger.head(),
            confirmed: false,
        });
        self.ledger.settle(&replaced, FactFate::Replaced(answer));
        let branch = match cause {
            AnswerCause::OldId | AnswerCause::Overflow => Branch::EventMissed,
            _ => Branch::NewEvents,
        };
        if let Some(session) = self.sessions.get_mut(&number) {
            session.unconfirmed = Some(Unconfirmed {
                number: answer,
                facts,
                asked,
                body: body.as_str().into(),
                branch,
            });
        }
        let answer = self.branched(Answer::json(200, body), branch);
        self.finish(answer)
    }

    /// What is: the session, the agent, its contacts.
    fn snapshot(&mut self, agent: usize, number: u64) -> Vec<String> {
        let Some(own) = self.agents.get(agent) else {
            return Vec::new();
        };
        let contacts = own.contacts.values().map(|contact| contact.event(false));
        let mut items: Vec<_> = [own.session_event(&self.tenant, number), own.state_event()]
            .into_iter()
            .chain(contacts)
            .collect();
        if self.strike(CxoneFaultName::SessionStartLast).is_some() {
            items.rotate_left(1);
        }
        let mut bodies = items.iter().map(|item| item.body(TypeKey::Usual));
        bodies.by_ref().collect()
    }

    /// What becomes of a good answer on its way.
    fn finish(&mut self, mut answer: Answer) -> Reply {
        if self.strike(CxoneFaultName::LostAnswer).is_some() {
            return Reply::Reset;
        }
        if let Some(CxoneFault::TruncatedBody { cut_connection }) =
            self.strike(CxoneFaultName::TruncatedBody)
        {
            answer.cut = match cut_connection {
                true => Cut::Connection,
                false => Cut::Text,
            };
        }
        if let Some(CxoneFault::SlowAnswer { delay }) = self.strike(CxoneFaultName::SlowAnswer) {
            answer.delay = delay.0;
        }
        answer.into()
    }
}

/// The body of a good answer.
fn written(id: &Arc<str>, items: &[String], queued: &[Queued]) -> String {
    let bodies = items.iter().map(String::as_str);
    let bodies: Vec<_> = bodies
        .chain(queued.iter().map(|queued| &*queued.body))
        .collect();
    format!(
        "{{\"sessionId\":\"{id}\",\"events\":[{}]}}",
        bodies.join(",")
    )
}
