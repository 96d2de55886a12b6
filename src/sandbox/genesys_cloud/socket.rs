//! [`Socket`]: the platform's side of one notification socket, turn by turn. Pure: a shell carries
//! out what a turn says.

use std::sync::Arc;

use super::channels::{self, HEARTBEAT, Outgoing};
use super::fault::{GenesysFault, GenesysFaultName as Name};
use super::ledger::DueFate;
use super::rest::{Answer, Refusal, UpgradeAnswer, code};
use super::state::State;
use crate::runtime::MonoTime;
use crate::sandbox::fault::Occasions;
use crate::sandbox::platform::Turn;

/// Frames sent in one turn: what a client says gets its turn in between.
const SENT_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Socket {
    connection: u64,
    pub(super) channel: Arc<str>,
    since: MonoTime,
    next_beat: MonoTime,
    seen: Occasions<Name>,
    frozen: bool,
    /// Pings are not answered.
    deaf: bool,
    /// Heartbeats do not come.
    mute: bool,
    /// The latency of the next frames has been waited for.
    delayed: bool,
    /// When a close that was announced comes.
    closing: Option<MonoTime>,
    /// Facts in frames that are being written, and how often each.
    flying: Vec<(u64, DueFate)>,
}

impl State {
    /// `GET /channels/{id}` with `Upgrade`: no token, the id is the credential.
    pub(crate) fn answer_upgrade(
        &mut self,
        channel: &str,
        correlation: &str,
        now: MonoTime,
    ) -> UpgradeAnswer {
        if self.strike(Name::Swallow101).is_some() {
            return UpgradeAnswer::Swallow;
        }
        if let Some(GenesysFault::StripUpgrade { status }) = self.strike(Name::StripUpgrade) {
            return UpgradeAnswer::Plain(Answer::empty(status));
        }
        self.end_lives(now);
        if self.channels.get(channel).is_none() {
            let refusal = Refusal::not_found("channel");
            return UpgradeAnswer::Plain(refusal.into_answer(correlation));
        }
        if let Some(GenesysFault::RefuseHandshake { status }) = self.strike(Name::RefuseHandshake) {
            let refusal = Refusal::new(status, code(status), "The channel cannot be used.");
            return UpgradeAnswer::Plain(refusal.into_answer(correlation));
        }
        UpgradeAnswer::Switch
    }
}

impl Socket {
    /// Takes a channel; an older socket of it is left.
    pub(crate) fn open(
        connection: u64,
        channel: Arc<str>,
        state: &mut State,
        now: MonoTime,
    ) -> Self {
        state.counters.sockets_opened += 1;
        let lost = state.channels.attach(&channel, connection);
        state.cut(&channel, lost);
        Self {
            connection,
            channel,
            since: now,
            next_beat: now + state.config.heartbeat,
            seen: Occasions::default(),
            frozen: false,
            deaf: false,
            mute: false,
            delayed: false,
            closing: None,
            flying: Vec::new(),
        }
    }

    /// The connection is over.
    pub(crate) fn close(&mut self, state: &mut State) {
        let flying = std::mem::take(&mut self.flying);
        let cut = flying.into_iter().map(|(fact, _)| fact).collect();
        state.cut(&self.channel, cut);
        let lost = state.channels.detach(&self.channel, self.connection);
        state.cut(&self.channel, lost);
    }

    /// The frames of the last turn are on the wire.
    pub(crate) fn sent(&mut self, state: &mut State) {
        for (fact, fate) in self.flying.drain(..) {
            state.ledger.settle(fact, &self.channel, fate);
        }
    }

    /// What happens now.
    pub(crate) fn turn(&mut self, state: &mut State, now: MonoTime) -> Turn {
        let mut wake = Vec::new();
        if let Some(turn) = self.breaks(state, now, &mut wake) {
            return turn;
        }
        let parting = state.channels.parting(self.connection).map(|parting| {
            let frames = parting.frames.drain(..).map(|frame| frame.text);
            (frames.collect::<Vec<_>>(), parting.reason)
        });
        if let Some((frames, reason)) = parting {
            return match frames.is_empty() {
                false => Turn::Send(frames),
                true => leave(state.config.parting_code, reason),
            };
        }
        let attached = state.channels.get(&self.channel);
        if attached.is_none_or(|channel| channel.socket != Some(self.connection)) {
            // Its channel went while the handshake was on its way.
            return leave(state.config.parting_code, "no longer subscribed");
        }
        if let Some(turn) = self.announce(state, now, &mut wake) {
            return turn;
        }
        if let Some(turn) = self.mail(state) {
            return turn;
        }
        if self.next_beat <= now {
            self.next_beat = now + state.config.heartbeat;
            if !self.is_mute(state) {
                state.counters.heartbeats_sent += 1;
                return Turn::Send(vec![HEARTBEAT.to_owned()]);
            }
        }
        wake.push(self.next_beat);
        Turn::Wait(wake.into_iter().min())
    }

    fn is_mute(&mut self, state: &mut State) -> bool {
        if state.faults.in_force(Name::DropHeartbeats).is_none() {
            self.mute = false;
        } else if state
            .strike_once(Name::DropHeartbeats, &mut self.seen)
            .is_some()
        {
            self.mute = true;
        }
        self.mute
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
                    GenesysFault::WebsocketReset { after, .. }
                    | GenesysFault::WebsocketClose { after, .. },
                ) => after.0,
                _ => continue,
            };
            let due = self.since + after;
            if due > now {
                wake.push(due);
                continue;
            }
            match state.strike_once(name, &mut self.seen) {
                Some(GenesysFault::WebsocketReset { mid_frame, .. }) => {
                    let half_of = mid_frame.then(|| HEARTBEAT.to_owned());
                    return Some(Turn::Reset { half_of });
                }
                Some(GenesysFault::WebsocketClose { code: 1006, .. }) => return Some(Turn::Hangup),
                Some(GenesysFault::WebsocketClose { code, reason, .. }) => {
                    return Some(Turn::Close { code, reason });
                }
                _ => {}
            }
        }
        None
    }

    /// A planned close: told first, done when the notice is over.
    fn announce(
        &mut self,
        state: &mut State,
        now: MonoTime,
        wake: &mut Vec<MonoTime>,
    ) -> Option<Turn> {
        if let Some(due) = self.closing {
            wake.push(due);
            return (due <= now).then(|| leave(1001, "socket closing"));
        }
        let after = match state.faults.may_strike(Name::SocketClosing)? {
            GenesysFault::SocketClosing { after, .. } => after.0,
            _ => return None,
        };
        let due = self.since + after;
        if due > now {
            wake.push(due);
            return None;
        }
        match state.strike_once(Name::SocketClosing, &mut self.seen)? {
            GenesysFault::SocketClosing { notice, .. } => {
                let notice = notice.map_or(state.config.closing_notice, |notice| notice.0);
                self.closing = Some(now + notice);
                let id = state.identifier();
                let text = channels::closing(&self.channel, notice.as_secs(), &id);
                Some(Turn::Send(vec![text]))
            }
            _ => None,
        }
    }

    /// Events and answers that wait.
    fn mail(&mut self, state: &mut State) -> Option<Turn> {
        if !state.channels.has_mail(&self.channel) {
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
        let mail = state.channels.take(&self.channel, SENT_AT_ONCE);
        let mut frames = Vec::with_capacity(mail.len());
        for outgoing in mail {
            self.write(state, outgoing, &mut frames);
        }
        // Everything may have been lost on the way.
        Some(Turn::Send(frames))
    }

    fn write(&mut self, state: &mut State, outgoing: Outgoing, frames: &mut Vec<String>) {
        let Outgoing { text, fact } = outgoing;
        let Some(fact) = fact else {
            frames.push(text);
            return;
        };
        if state.strike(Name::DropEvent).is_some() {
            let fault = Name::DropEvent;
            return state
                .ledger
                .settle(fact, &self.channel, DueFate::Lost { fault });
        }
        if let Some(GenesysFault::MalformedFrame { form }) = state.strike(Name::MalformedFrame) {
            let fault = Name::MalformedFrame;
            self.flying.push((fact, DueFate::Lost { fault }));
            frames.push(channels::malformed(&text, form));
            return;
        }
        let mut copies = 1;
        if state.strike(Name::Duplicate).is_some() {
            copies = 2;
            frames.push(text.clone());
        }
        state.counters.events_sent += u64::from(copies);
        self.flying.push((fact, DueFate::Sent { copies }));
        frames.push(text);
    }
}

fn leave(code: u16, reason: &str) -> Turn {
    match code {
        1006 => Turn::Hangup,
        code => Turn::Close {
            code,
            reason: reason.to_owned(),
        },
    }
}
