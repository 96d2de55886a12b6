//! [`Hold`]: one long poll from its arrival to its answer. Pure: the shell in `server/poll.rs`
//! waits as it is told.

use super::answer::{Answer, Bearer, Cut, Reply, code};
use super::batch::{LOGIN_PAGE, batch};
use super::record::Transport;
use super::requests::SubscribeRequest;
use super::state::{State, SubscriptionKey};
use super::subscription::{Cursor, Reading};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::ElapsedHold;
use crate::sandbox::fault::{Fault, FaultName, Occasions, On, Portion};

/// How many events a repeated batch has.
const REPEATED: usize = 5;

#[derive(Debug)]
pub(crate) struct Hold {
    connection: u64,
    bearer: Bearer,
    key: SubscriptionKey,
    cursor: Cursor,
    /// The number it was asked after.
    position: u64,
    since: MonoTime,
    until: MonoTime,
    seen: Occasions,
}

/// What happens next with a poll.
#[derive(Debug, PartialEq, Eq)]
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
        (connection, entry): (u64, u64),
        bearer: Bearer,
        body: &[u8],
        now: MonoTime,
    ) -> Result<Self, Answer> {
        let client = state.authenticate(bearer.as_deref(), now)?;
        let request = SubscribeRequest::parse(body, true)?;
        state.asked(entry, request.sequence);
        let key = state.key(client, &request.channels)?;
        let unknown = state.config.unknown_position;
        let known = state.subscribe(key.clone());
        let cursor = state
            .subscription(&key)
            .filter(|_| known)
            .map(|subscription| subscription.cursor(request.sequence, unknown))
            .ok_or_else(|| Answer::error(400, code(400), "too many subscriptions"))?;
        let (least, most) = (state.config.hold_min, state.config.hold_max);
        let spread = most.saturating_sub(least).mul_f64(state.chance());
        Ok(Self {
            connection,
            bearer,
            key,
            cursor,
            position: request.sequence,
            since: now,
            until: now + least + spread,
            seen: Occasions::default(),
        })
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, now: MonoTime, wall: WallTime) -> HoldTurn {
        let access = match state.authenticate(self.bearer.as_deref(), now) {
            Ok(_) => self
                .bearer
                .as_deref()
                .and_then(|token| state.access(token, now)),
            Err(refused) => return HoldTurn::Reply(refused.into()),
        };
        let mut wake = vec![self.until];
        wake.extend(access.map(|access| access.until));
        if let Some(turn) = self.breaks(state, now, &mut wake) {
            return turn;
        }
        let Some(subscription) = state.subscription(&self.key) else {
            return HoldTurn::Reply(Answer::error(404, code(404), "no such subscription").into());
        };
        let reading = subscription.read(self.cursor, state.batch_limit());
        if !reading.events.is_empty() {
            return HoldTurn::Reply(self.answer(state, reading, wall).into());
        }
        if self.until <= now {
            let empty = match state.config.elapsed {
                ElapsedHold::Either => state.chance() < 0.5,
                ElapsedHold::EmptyBatch => true,
                ElapsedHold::NoContent => false,
            };
            let answer = match empty {
                true => self.answer(state, reading, wall),
                false => Answer::empty(204),
            };
            return HoldTurn::Reply(answer.into());
        }
        HoldTurn::Wait(wake.into_iter().min().unwrap_or(self.until))
    }

    /// Faults that answer in the platform's place, or not at all.
    fn breaks(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<HoldTurn> {
        let names = [
            FaultName::Freeze,
            FaultName::PollStatus,
            FaultName::PollResetInHold,
            FaultName::Empty200AtOnce,
            FaultName::NotJson,
        ];
        for name in names {
            let due = match state.faults.may_strike(name) {
                None => continue,
                Some(Fault::PollStatus { after, .. } | Fault::PollResetInHold { after }) => {
                    self.since + after.0
                }
                Some(Fault::Freeze { transport } | Fault::NotJson { transport })
                    if !transport.covers(On::Poll) =>
                {
                    continue;
                }
                Some(_) => now,
            };
            if due > now {
                wake.push(due);
            } else if let Some(fault) = state.strike_once(name, &mut self.seen) {
                return Some(self.broken(state, fault));
            }
        }
        None
    }

    fn broken(&self, state: &State, fault: Fault) -> HoldTurn {
        let answer = match fault {
            Fault::Freeze { .. } => return HoldTurn::Freeze,
            Fault::PollStatus {
                status,
                retry_after,
                ..
            } => Answer {
                retry_after,
                ..match status {
                    204 => Answer::empty(status),
                    _ => Answer::error(status, code(status), "the gateway answers"),
                }
            },
            Fault::Empty200AtOnce { batch: true } => {
                // Whoever answers in the platform's place knows no number but the one it was asked.
                let subscription = state.subscription(&self.key);
                let delivered = subscription.map_or(0, |subscription| subscription.delivered());
                let sequence = self.position.min(delivered);
                Answer::json(200, batch(state.config.dialect.words(), &[], sequence))
            }
            Fault::Empty200AtOnce { batch: false } => Answer::empty(200),
            Fault::NotJson { .. } => Answer::html(200, LOGIN_PAGE),
            _ => return HoldTurn::Reply(Reply::Reset),
        };
        HoldTurn::Reply(answer.into())
    }

    /// A batch, as whole as the faults leave it.
    fn answer(&self, state: &mut State, reading: Reading, wall: WallTime) -> Answer {
        let Reading {
            mut events,
            sequence,
            ..
        } = reading;
        if !events.is_empty() {
            match state.strike(FaultName::Duplicate) {
                Some(Fault::Duplicate {
                    what: Portion::Batch,
                }) => {
                    let repeated = state
                        .subscription(&self.key)
                        .map(|subscription| subscription.before(self.cursor, REPEATED))
                        .unwrap_or_default();
                    events.splice(0..0, repeated);
                }
                Some(_) => state.repeat_one(&mut events),
                None => {}
            }
        }
        let mut answer = Answer::json(200, batch(state.config.dialect.words(), &events, sequence));
        if let Some(Fault::TruncatedBody { cut_connection }) =
            state.strike(FaultName::TruncatedBody)
        {
            answer.cut = match cut_connection {
                true => Cut::Connection,
                false => Cut::Text,
            };
            return answer;
        }
        let bytes = answer.body.len();
        state.delivered(
            self.connection,
            Transport::Poll,
            wall,
            (&events, sequence),
            bytes,
        );
        answer
    }
}
