//! [`State`]: everything that the platform knows, and what it does with it. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::config::PushConfig;
use super::dialect::{Speech, speech};
use super::fault::{PushFault, PushFaultName as Name};
use super::record::{HeartbeatEntry, PushCounters, PushDue, PushFact, PushFate, PushRequest};
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::fault::{FaultTable, Malformation, Occasions};
use crate::sandbox::platform::{
    Answer, ClientCredentials, Delayed, Digest, Draft, LOGIN_PAGE, Log, Refusal, Throttle,
    TokenRequest, Tokens, UpgradeAnswer, World, code, token_answer,
};

/// Requests and heartbeats that are remembered.
const REMEMBERED: usize = 20_000;
/// Events that a later connection may be sent again, at most.
const RECENT: usize = 1000;

/// Everything that the platform knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: PushConfig,
    pub(super) speech: Box<dyn Speech>,
    pub(crate) faults: FaultTable<PushFault>,
    pub(crate) tokens: Tokens,
    pub(crate) client: ClientCredentials,
    pub(crate) counters: PushCounters,
    pub(crate) ledger: Log<PushFact>,
    pub(crate) requests: Log<PushRequest>,
    pub(crate) heartbeats: Log<HeartbeatEntry>,
    pub(crate) connections: BTreeSet<u64>,
    pub(super) outboxes: BTreeMap<u64, Outbox>,
    recent: VecDeque<(u64, String)>,
    world: World,
    pub(super) rng: Rng,
}

/// What waits on a socket that has subscribed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Facts and their JSON, the oldest first.
    pub(super) waiting: VecDeque<(u64, String)>,
    /// More waited than may.
    pub(super) overrun: bool,
}

impl State {
    pub(crate) fn new(config: PushConfig, rng: &Rng) -> Self {
        let speech = speech(&config.dialect);
        let secret = rng.fork("client");
        let client = ClientCredentials {
            id: "sandbox-client".to_owned(),
            secret: format!("sandbox-secret-{:016x}", secret.bits()),
            refresh_token: format!("sandbox-refresh-{:016x}", secret.bits()),
        };
        let tokens = Tokens::new(
            vec![client.clone()],
            config.token_lifetime,
            false,
            Throttle::new(config.token_requests_per_minute),
            rng.fork("tokens"),
        );
        let channels: Vec<_> = speech
            .channels()
            .iter()
            .map(|&name| name.to_owned())
            .collect();
        Self {
            world: World::new(&channels, config.payload, rng.fork("world")),
            faults: FaultTable::default(),
            tokens,
            client,
            counters: PushCounters::default(),
            ledger: Log::new(config.ledger_capacity),
            requests: Log::new(REMEMBERED),
            heartbeats: Log::new(REMEMBERED),
            connections: BTreeSet::new(),
            outboxes: BTreeMap::new(),
            recent: VecDeque::new(),
            rng: rng.fork("platform"),
            speech,
            config,
        }
    }

    /// Whether a fault strikes on this occasion.
    pub(super) fn strike(&mut self, name: Name) -> Option<PushFault> {
        let fault = self.faults.strike(name, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], once for each rule and bearer of `seen`.
    pub(super) fn strike_once(
        &mut self,
        name: Name,
        seen: &mut Occasions<Name>,
    ) -> Option<PushFault> {
        let fault = self.faults.strike_once(name, seen, self.rng.unit());
        self.told(name, fault)
    }

    fn told(&self, name: Name, fault: Option<PushFault>) -> Option<PushFault> {
        if fault.is_some() {
            tracing::info!(fault = %name, struck = self.faults.struck(name), "Fault struck");
        }
        fault
    }

    /// How late an answer or a frame is.
    pub(crate) fn latency(&mut self) -> Duration {
        match self.strike(Name::Latency) {
            Some(PushFault::Latency { delay, jitter }) => {
                delay.0 + jitter.0.mul_f64(self.rng.unit())
            }
            _ => Duration::ZERO,
        }
    }

    /// The next event of the story.
    pub(crate) fn tell_next(&mut self, now: WallTime) {
        if let Some(draft) = self.world.next(&now.to_string()) {
            let to: Vec<u64> = self.outboxes.keys().copied().collect();
            self.issue(&draft, &to, now);
        }
    }

    /// Tells an event to these sockets.
    fn issue(&mut self, draft: &Draft, to: &[u64], now: WallTime) {
        let number = self.ledger.entered() + 1;
        let (event_type, json) = match self.strike(Name::OversizeEvent) {
            Some(PushFault::OversizeEvent { size }) => {
                let filler = usize::try_from(size.0).unwrap_or_default();
                let data = format!("{{\"note\":\"{}\"}}", "x".repeat(filler));
                let channel = draft.channel.clone();
                self.speech.event(number, &Draft { channel, data }, now)
            }
            _ => self.speech.event(number, draft, now),
        };
        let json = match self.strike(Name::MalformedEvent) {
            Some(PushFault::MalformedEvent { form }) => malformed(form, number),
            _ if self.strike(Name::NotJson).is_some() => LOGIN_PAGE.to_owned(),
            _ => json,
        };
        let fate = match self.strike(Name::DropEvent) {
            Some(_) => PushFate::Lost {
                fault: Name::DropEvent,
            },
            None => PushFate::Waiting,
        };
        let due = to.iter().map(|&connection| PushDue { connection, fate });
        self.ledger.enter(|number| PushFact {
            number,
            at: now,
            event_type,
            sha256: Digest::of(json.as_bytes()),
            bytes: u32::try_from(json.len()).unwrap_or(u32::MAX),
            repeated: 0,
            due: due.collect(),
        });
        if fate != PushFate::Waiting {
            return;
        }
        for connection in to {
            let most = self.config.outbox;
            let Some(outbox) = self.outboxes.get_mut(connection) else {
                continue;
            };
            if outbox.waiting.len() < most {
                outbox.waiting.push_back((number, json.clone()));
            } else {
                outbox.overrun = true;
                self.settle(number, *connection, PushFate::Cut);
            }
        }
    }

    /// Something became of a fact on a socket.
    pub(super) fn settle(&mut self, number: u64, connection: u64, fate: PushFate) {
        let due = self.ledger.get_mut(number).map(|fact| fact.due.iter_mut());
        let mut due = due.into_iter().flatten();
        if let Some(due) = due.find(|due| due.connection == connection) {
            due.fate = fate;
        }
    }

    /// A fact is on the wire; a later connection may be sent it again.
    pub(super) fn sent(&mut self, number: u64, connection: u64, copies: u32, json: String) {
        self.counters.events_sent += u64::from(copies);
        self.settle(number, connection, PushFate::Sent { copies });
        if self.recent.back().is_none_or(|(last, _)| *last < number) {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back((number, json));
        }
    }

    /// A socket has subscribed: it is sent what happens from now on, and its first batch.
    pub(super) fn subscribe(&mut self, connection: u64, now: WallTime) -> Vec<String> {
        self.counters.sockets_subscribed += 1;
        let mut first: Vec<String> = self.speech.confirmation().into_iter().collect();
        if let Some(PushFault::RepeatOnConnect { events }) = self.strike(Name::RepeatOnConnect) {
            let skip = self.recent.len().saturating_sub(events as usize);
            let again: Vec<_> = self.recent.iter().skip(skip).cloned().collect();
            for (number, _) in &again {
                if let Some(fact) = self.ledger.get_mut(*number) {
                    fact.repeated += 1;
                }
            }
            let events = again.into_iter().map(|(_, json)| json).collect();
            first.extend(self.speech.frames(events));
        }
        self.outboxes.insert(connection, Outbox::default());
        if self.speech.has_first_batch() {
            for _ in 0..self.config.first_batch {
                if let Some(draft) = self.world.next(&now.to_string()) {
                    self.issue(&draft, &[connection], now);
                }
            }
        }
        first
    }

    /// A socket is over: what waited on it is not sent any more.
    pub(super) fn unsubscribe(&mut self, connection: u64) {
        let outbox = self.outboxes.remove(&connection).unwrap_or_default();
        for (number, _) in outbox.waiting {
            self.settle(number, connection, PushFate::Cut);
        }
    }

    /// The token endpoint.
    pub(crate) fn answer_token(&mut self, request: TokenRequest<'_>, now: MonoTime) -> Delayed {
        let delay = match self.strike(Name::TokenSlow) {
            Some(PushFault::TokenSlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        let answer = match self.strike(Name::TokenDown) {
            Some(PushFault::TokenDown { status }) => {
                Answer::error(status, code(status), "the token service is down")
            }
            _ => token_answer(match self.strike(Name::TokenError) {
                Some(PushFault::TokenError { error }) => Err(Refusal::injected(error)),
                _ => self.tokens.grant(request, now),
            }),
        };
        let reply = answer.into();
        Delayed { reply, delay }
    }

    /// A handshake.
    pub(crate) fn answer_upgrade(&mut self, token: Option<&str>, now: MonoTime) -> UpgradeAnswer {
        if self.strike(Name::Swallow101).is_some() {
            return UpgradeAnswer::Swallow;
        }
        let refused = |status: u16, message: &str| {
            UpgradeAnswer::Plain(Answer::error(status, code(status), message).into())
        };
        if let Some(PushFault::StripUpgrade { status }) = self.strike(Name::StripUpgrade) {
            return refused(status, "upgrade is not supported here");
        }
        if token
            .and_then(|token| self.tokens.check(token, now))
            .is_none()
        {
            return refused(401, "invalid or expired token");
        }
        match self.strike(Name::RefuseHandshake) {
            Some(PushFault::RefuseHandshake { status }) => refused(status, "not permitted"),
            _ => UpgradeAnswer::Switch,
        }
    }
}

/// JSON, but no event; each another, so that none is taken for another.
fn malformed(form: Malformation, number: u64) -> String {
    match form {
        Malformation::NoType => format!("{{\"lost\":{number},\"data\":{{}}}}"),
        Malformation::WrongTypes => {
            format!("{{\"type\":7,\"eventType\":false,\"timestamp\":[],\"data\":{number}}}")
        }
        Malformation::Scalar => format!("\"lost on its way: {number}\""),
    }
}
