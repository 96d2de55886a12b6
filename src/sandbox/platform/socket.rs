//! [`Socket`]: the platform's side of one WebSocket, turn by turn. Pure: the shell in
//! `server/websocket.rs` carries out what a turn says.

use std::time::Duration;

use super::answer::{Answer, Bearer, code};
use super::batch::{batch, error};
use super::counters::{Outcome, RequestKind};
use super::frames::frames;
use super::record::Transport;
use super::requests::SubscribeRequest;
use super::state::{State, SubscriptionKey};
use super::subscription::{Cursor, Reading};
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::OnExpiry;
use crate::sandbox::fault::{Fault, FaultName, Occasions, On};

const EXPIRED: u16 = 4401;
const FORBIDDEN: u16 = 4403;
const POLICY: u16 = 1008;

#[derive(Debug)]
pub(crate) struct Socket {
    connection: u64,
    bearer: Bearer,
    stage: Stage,
    seen: Occasions,
    /// Pings are not answered.
    dropping: bool,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has subscribed yet.
    Opened {
        until: MonoTime,
    },
    Live(Live),
}

#[derive(Debug)]
struct Live {
    key: SubscriptionKey,
    cursor: Cursor,
    since: MonoTime,
    next_ping: MonoTime,
    confirmed: bool,
    frozen: bool,
    /// The latency of the next batch has been waited for.
    delayed: bool,
}

/// What happens next on a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// These text frames are sent.
    Send(Vec<String>),
    Ping,
    Close {
        code: u16,
        reason: String,
    },
    /// An error is sent, then a close frame.
    Refuse {
        error: String,
        code: u16,
    },
    /// The connection is reset, after half of this frame.
    Reset {
        half_of: Option<String>,
    },
    /// The connection ends without a close frame.
    Hangup,
    /// Nothing moves any more.
    Freeze,
    /// Nothing is sent for so long.
    Delay(Duration),
    /// Nothing to do until something changes, at most until then.
    Wait(Option<MonoTime>),
}

impl Socket {
    pub(crate) fn new(connection: u64, bearer: Bearer, state: &State, now: MonoTime) -> Self {
        let until = now + state.config.subscribe_timeout;
        Self {
            connection,
            bearer,
            stage: Stage::Opened { until },
            seen: Occasions::default(),
            dropping: false,
        }
    }

    /// A text frame came from the client. `Some` is what it leads to at once.
    pub(crate) fn hear(
        &mut self,
        state: &mut State,
        text: &[u8],
        (now, wall): (MonoTime, WallTime),
    ) -> Option<Turn> {
        if matches!(self.stage, Stage::Live(_)) {
            // A subscription cannot be changed; the platform ignores what comes after it.
            return None;
        }
        let entry = state.arrive(self.connection, RequestKind::Subscribe, wall);
        let heard = self.subscribe(state, entry, text, now);
        let status = heard.as_ref().map_or_else(|(status, _)| *status, |_| 200);
        state.end(entry, RequestKind::Subscribe, Outcome::Status(status));
        match heard {
            Ok(live) => {
                state
                    .connections
                    .insert(self.connection, Transport::Websocket);
                self.stage = Stage::Live(live);
                None
            }
            Err((status, body)) => Some(Turn::Refuse {
                error: body,
                code: match status {
                    401 => EXPIRED,
                    403 => FORBIDDEN,
                    _ => POLICY,
                },
            }),
        }
    }

    fn subscribe(
        &self,
        state: &mut State,
        entry: u64,
        text: &[u8],
        now: MonoTime,
    ) -> Result<Live, (u16, String)> {
        let refused = |answer: Answer| (answer.status, answer.body);
        let client = state
            .authenticate(self.bearer.as_deref(), now)
            .map_err(refused)?;
        let request = SubscribeRequest::parse(text, false).map_err(refused)?;
        state.asked(entry, request.sequence);
        let key = state.key(client, &request.channels).map_err(refused)?;
        if let Some(Fault::FrameError { status }) = state.strike(FaultName::FrameError) {
            return Err((
                status,
                error(status, code(status), "the subscription was refused"),
            ));
        }
        let unknown = state.config.unknown_position;
        let known = state.subscribe(key.clone());
        let cursor = state
            .subscription(&key)
            .filter(|_| known)
            .map(|subscription| subscription.cursor(request.sequence, unknown))
            .ok_or_else(|| (400, error(400, "bad.request", "too many subscriptions")))?;
        Ok(Live {
            key,
            cursor,
            since: now,
            next_ping: now + state.config.ping_interval,
            confirmed: false,
            frozen: false,
            delayed: false,
        })
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, now: MonoTime, wall: WallTime) -> Turn {
        let live = match &mut self.stage {
            Stage::Opened { until } if *until <= now => {
                return Turn::Close {
                    code: POLICY,
                    reason: "no subscription".to_owned(),
                };
            }
            Stage::Opened { until } => {
                return Turn::Wait(Some(*until));
            }
            Stage::Live(live) => live,
        };
        let mut wake = Vec::new();
        if let Some(turn) = expiry(self.bearer.as_deref(), state, now, &mut wake) {
            return turn;
        }
        if let Some(turn) = live.breaks(state, &mut self.seen, now, &mut wake) {
            return turn;
        }
        if let Some(turn) = live.events(state, self.connection, wall) {
            return turn;
        }
        if live.next_ping <= now {
            live.next_ping = now + state.config.ping_interval;
            return Turn::Ping;
        }
        wake.push(live.next_ping);
        Turn::Wait(wake.into_iter().min())
    }

    /// Whether nothing is read: a ping that is not read is not answered.
    pub(crate) fn is_deaf(&mut self, state: &mut State) -> bool {
        let Stage::Live(live) = &self.stage else {
            return false;
        };
        if state.faults.in_force(FaultName::DropPongs).is_none() {
            self.dropping = false;
        } else if state
            .strike_once(FaultName::DropPongs, &mut self.seen)
            .is_some()
        {
            self.dropping = true;
        }
        self.dropping || live.frozen
    }
}

/// The end of a connection whose token is no longer good.
fn expiry(
    bearer: Option<&str>,
    state: &State,
    now: MonoTime,
    wake: &mut Vec<MonoTime>,
) -> Option<Turn> {
    if state.config.on_expiry == OnExpiry::Tolerate {
        return None;
    }
    match bearer.and_then(|token| state.access(token, now)) {
        Some(access) => {
            wake.push(access.until);
            None
        }
        None => Some(Turn::Close {
            code: EXPIRED,
            reason: "token expired".to_owned(),
        }),
    }
}

impl Live {
    /// Faults that end or stall the connection.
    fn breaks(
        &mut self,
        state: &mut State,
        seen: &mut Occasions,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        let frozen = match state.faults.in_force(FaultName::Freeze) {
            Some(Fault::Freeze { transport }) => transport.covers(On::Websocket),
            _ => false,
        };
        self.frozen &= frozen;
        if self.frozen {
            return Some(Turn::Wait(None));
        }
        if !self.confirmed {
            return None;
        }
        if frozen && state.strike_once(FaultName::Freeze, seen).is_some() {
            self.frozen = true;
            return Some(Turn::Freeze);
        }
        for name in [FaultName::WebsocketReset, FaultName::WebsocketClose] {
            let after = match state.faults.may_strike(name) {
                Some(Fault::WebsocketReset { after, .. } | Fault::WebsocketClose { after, .. }) => {
                    after.0
                }
                _ => continue,
            };
            let due = self.since + after;
            if due > now {
                wake.push(due);
                continue;
            }
            match state.strike_once(name, seen) {
                Some(Fault::WebsocketReset { mid_frame, .. }) => {
                    let half_of = mid_frame.then(|| batch(state.config.dialect.words(), &[], 0));
                    return Some(Turn::Reset { half_of });
                }
                Some(Fault::WebsocketClose { code: 1006, .. }) => return Some(Turn::Hangup),
                Some(Fault::WebsocketClose { code, reason, .. }) => {
                    return Some(Turn::Close { code, reason });
                }
                _ => {}
            }
        }
        None
    }

    /// The next batch, or the empty one that confirms the subscription.
    fn events(&mut self, state: &mut State, connection: u64, wall: WallTime) -> Option<Turn> {
        let reading = self.read(state)?;
        if reading.events.is_empty() && self.confirmed {
            self.cursor = reading.cursor;
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
        self.cursor = reading.cursor;
        if !self.confirmed {
            self.confirmed = true;
            state.counters.subscriptions_confirmed += 1;
        }
        Some(Turn::Send(frames(reading, state, connection, wall)))
    }

    fn read(&self, state: &State) -> Option<Reading> {
        let subscription = state.subscription(&self.key)?;
        Some(subscription.read(self.cursor, state.batch_limit()))
    }
}
