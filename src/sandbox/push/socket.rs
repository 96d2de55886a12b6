//! [`Socket`]: the platform's side of one WebSocket, turn by turn. Pure: a shell carries out what a
//! turn says.

use std::collections::VecDeque;
use std::time::Duration;

use super::dialect::Heard;
use super::fault::{PushFault, PushFaultName as Name};
use super::record::HeartbeatEntry;
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::OnExpiry;
use crate::sandbox::fault::Occasions;
use crate::sandbox::platform::Turn;

const EXPIRED: u16 = 4401;
const POLICY: u16 = 1008;
/// How long a socket may take to say what it must say first.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(10);
/// Events sent in one turn: what a client says gets its turn in between.
const SENT_AT_ONCE: usize = 64;
/// Acknowledgements that wait, at most.
const MOST_OWED: usize = 1000;

#[derive(Debug)]
pub(crate) struct Socket {
    connection: u64,
    token: String,
    since: MonoTime,
    subscribed: bool,
    /// Frames that go before events: confirmations, repeated events.
    first: Vec<String>,
    /// When the next acknowledgements are due.
    owed: VecDeque<MonoTime>,
    /// The last heartbeat, or when the socket was opened.
    last_beat: MonoTime,
    beaten: bool,
    idle_after: Option<Duration>,
    seen: Occasions<Name>,
    frozen: bool,
    /// Pings are not answered.
    deaf: bool,
    /// The latency of the next frames has been waited for.
    delayed: bool,
    /// Facts in frames that are being written, with how often each and its JSON.
    flying: Vec<(u64, u32, String)>,
    /// A refusal that is due.
    refusal: Option<(String, u16)>,
}

impl Socket {
    pub(crate) fn open(
        connection: u64,
        token: String,
        state: &mut State,
        (now, wall): (MonoTime, WallTime),
    ) -> Self {
        state.counters.sockets_opened += 1;
        let (least, most) = state.config.idle;
        let spread = most.saturating_sub(least).mul_f64(state.rng.unit());
        let mut socket = Self {
            connection,
            token,
            since: now,
            subscribed: false,
            first: Vec::new(),
            owed: VecDeque::new(),
            last_beat: now,
            beaten: false,
            idle_after: state.speech.wants_heartbeats().then_some(least + spread),
            seen: Occasions::default(),
            frozen: false,
            deaf: false,
            delayed: false,
            flying: Vec::new(),
            refusal: None,
        };
        if !state.speech.wants_subscription() {
            socket.subscribe(state, wall);
        }
        socket
    }

    fn subscribe(&mut self, state: &mut State, wall: WallTime) {
        if let Some(PushFault::FrameError { status, code }) = state.strike(Name::FrameError) {
            let refusal = state.speech.refusal(status, "the subscription was refused");
            self.refusal = Some((refusal, code));
            return;
        }
        self.subscribed = true;
        self.first = state.subscribe(self.connection, wall);
    }

    /// The connection is over.
    pub(crate) fn close(&mut self, state: &mut State) {
        for (fact, _, _) in std::mem::take(&mut self.flying) {
            state.settle(fact, self.connection, super::record::PushFate::Cut);
        }
        state.unsubscribe(self.connection);
    }

    /// The frames of the last turn are on the wire.
    pub(crate) fn sent(&mut self, state: &mut State) {
        for (fact, copies, json) in self.flying.drain(..) {
            state.sent(fact, self.connection, copies, json);
        }
    }

    /// A text came.
    pub(crate) fn hear(&mut self, state: &mut State, text: &[u8], now: (MonoTime, WallTime)) {
        match state.speech.hear(text) {
            Heard::Subscription if self.subscribed || self.refusal.is_some() => {}
            Heard::Subscription => self.subscribe(state, now.1),
            Heard::Heartbeat(problem) => self.beat(state, text, problem, now),
            Heard::Refused(status, message) => {
                self.refusal = Some((state.speech.refusal(status, &message), POLICY));
            }
            Heard::Strange => state.counters.strange_texts += 1,
        }
    }

    fn beat(
        &mut self,
        state: &mut State,
        text: &[u8],
        problem: Option<String>,
        (now, wall): (MonoTime, WallTime),
    ) {
        let after = now.saturating_duration_since(self.last_beat);
        let least = state.config.heartbeat_minimum;
        let too_soon = self.beaten && after < least;
        let refused = problem
            .or_else(|| too_soon.then(|| format!("interval below {} ms", least.as_millis())))
            .or_else(|| {
                state
                    .strike(Name::RefuseHeartbeat)
                    .map(|_| "not now".to_owned())
            });
        state.counters.heartbeats += 1;
        (self.last_beat, self.beaten) = (now, true);
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        state.heartbeats.enter(|entry| HeartbeatEntry {
            entry,
            at: wall,
            connection: self.connection,
            bytes: text.len(),
            text: String::from_utf8_lossy(text).into_owned(),
            after_ms,
            refused: refused.clone(),
        });
        if let Some(problem) = refused {
            state.counters.heartbeats_refused += 1;
            self.refusal = Some((state.speech.refusal(400, &problem), POLICY));
            return;
        }
        if state.strike(Name::DropAcknowledgements).is_some() || self.owed.len() >= MOST_OWED {
            return;
        }
        let late = match state.strike(Name::LateAcknowledgements) {
            Some(PushFault::LateAcknowledgements { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        self.owed.push_back(now + late);
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, (now, wall): (MonoTime, WallTime)) -> Turn {
        let mut wake = Vec::new();
        if let Some(turn) = self.ends(state, now, &mut wake) {
            return turn;
        }
        if let Some(turn) = self.breaks(state, now, &mut wake) {
            return turn;
        }
        let silent = state.faults.in_force(Name::Silence).is_some();
        if silent {
            state.strike_once(Name::Silence, &mut self.seen);
        } else if let Some(turn) = self.speaks(state, (now, wall), &mut wake) {
            return turn;
        }
        Turn::Wait(wake.into_iter().min())
    }

    /// Whether nothing is read: a ping that is not read is not answered.
    pub(crate) fn is_deaf(&mut self, state: &mut State) -> bool {
        if state.faults.in_force(Name::DropPongs).is_none() {
            self.deaf = false;
        } else if state.strike_once(Name::DropPongs, &mut self.seen).is_some() {
            self.deaf = true;
        }
        self.deaf || self.frozen
    }

    /// Ends that the platform wants.
    fn ends(&mut self, state: &mut State, now: MonoTime, wake: &mut Vec<MonoTime>) -> Option<Turn> {
        if let Some((error, code)) = self.refusal.take() {
            return Some(Turn::Refuse { error, code });
        }
        let outbox = state.outboxes.get(&self.connection);
        if outbox.is_some_and(|outbox| outbox.overrun && outbox.waiting.is_empty()) {
            let reason = "too slow".to_owned();
            return Some(Turn::Close {
                code: POLICY,
                reason,
            });
        }
        if !self.subscribed {
            let due = self.since + SUBSCRIBE_WITHIN;
            if due <= now {
                let reason = "no subscription".to_owned();
                return Some(Turn::Close {
                    code: POLICY,
                    reason,
                });
            }
            wake.push(due);
        }
        if let Some(idle) = self.idle_after {
            let due = self.last_beat + idle;
            if due <= now {
                state.counters.sockets_idle += 1;
                return Some(Turn::Hangup);
            }
            wake.push(due);
        }
        if state.config.on_expiry == OnExpiry::Close {
            match state.tokens.check(&self.token, now) {
                Some(access) => wake.push(access.until),
                None => {
                    let reason = "token expired".to_owned();
                    return Some(Turn::Close {
                        code: EXPIRED,
                        reason,
                    });
                }
            }
        }
        None
    }

    /// Faults that end or stall the connection.
    fn breaks(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        let frozen = state.faults.in_force(Name::Freeze).is_some();
        self.frozen &= frozen;
        if self.frozen {
            return Some(Turn::Wait(None));
        }
        if frozen && state.strike_once(Name::Freeze, &mut self.seen).is_some() {
            self.frozen = true;
            return Some(Turn::Freeze);
        }
        for name in [Name::WebsocketReset, Name::WebsocketClose] {
            let after = match state.faults.may_strike(name) {
                Some(
                    PushFault::WebsocketReset { after, .. }
                    | PushFault::WebsocketClose { after, .. },
                ) => after.0,
                _ => continue,
            };
            let due = self.since + after;
            if due > now {
                wake.push(due);
                continue;
            }
            match state.strike_once(name, &mut self.seen) {
                Some(PushFault::WebsocketReset { mid_frame, .. }) => {
                    let half_of = mid_frame.then(|| "{\"type\":\"STREA".to_owned());
                    return Some(Turn::Reset { half_of });
                }
                Some(PushFault::WebsocketClose { code: 1006, .. }) => return Some(Turn::Hangup),
                Some(PushFault::WebsocketClose { code, reason, .. }) => {
                    return Some(Turn::Close { code, reason });
                }
                _ => {}
            }
        }
        None
    }

    /// What is to be said: first things, acknowledgements, events.
    fn speaks(
        &mut self,
        state: &mut State,
        (now, wall): (MonoTime, WallTime),
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        let owed = self.owed.iter().take_while(|due| **due <= now).count();
        let waiting = state.outboxes.get(&self.connection);
        let events = waiting.is_some_and(|outbox| !outbox.waiting.is_empty());
        if owed == 0 && !events && self.first.is_empty() {
            wake.extend(self.owed.front());
            return None;
        }
        if !self.delayed {
            let delay = state.latency();
            if !delay.is_zero() {
                self.delayed = true;
                return Some(Turn::Delay(delay));
            }
        }
        self.delayed = false;
        let mut frames = std::mem::take(&mut self.first);
        for _ in self.owed.drain(..owed) {
            state.counters.acknowledgements += 1;
            frames.extend(state.speech.acknowledgement(wall));
        }
        let outbox = state.outboxes.get_mut(&self.connection);
        let taken: Vec<_> = outbox.map_or_else(Vec::new, |outbox| {
            let most = outbox.waiting.len().min(SENT_AT_ONCE);
            outbox.waiting.drain(..most).collect()
        });
        let mut texts = Vec::with_capacity(taken.len());
        for (fact, json) in taken {
            let copies = if state.strike(Name::Duplicate).is_some() {
                2
            } else {
                1
            };
            texts.extend(std::iter::repeat_n(json.clone(), copies as usize));
            self.flying.push((fact, copies, json));
        }
        frames.extend(state.speech.frames(texts));
        Some(Turn::Send(frames))
    }
}
