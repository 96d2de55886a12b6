//! [`State`]: everything that the platform knows, what comes about with time, and what strikes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bell::Bell;
use super::config::{GuestConfig, GuestDialect};
use super::fault::{GuestFault, GuestFaultName as Name};
use super::guest::{Due, Guest, OnItsWay};
use super::outbox::Outbox;
use super::pace::Pace;
use super::record::{AgentMessage, GuestCounters, GuestMessage, GuestRequest};
use super::web_messaging::Desk;
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::fault::{FaultTable, Occasions};
use crate::sandbox::platform::{Answer, ClientCredentials, Log, Throttle, Tokens, UpgradeAnswer};

/// Requests that are remembered.
const REMEMBERED: usize = 100_000;
/// Messages on their way at once.
const MOST_ON_THEIR_WAY: usize = 100_000;

/// Everything that the platform knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: GuestConfig,
    pub(crate) faults: FaultTable<GuestFault>,
    pub(crate) counters: GuestCounters,
    pub(crate) tokens: Tokens,
    pub(crate) client: ClientCredentials,
    pub(crate) record: Log<GuestMessage>,
    pub(crate) said: Log<AgentMessage>,
    pub(crate) requests: Log<GuestRequest>,
    pub(crate) connections: BTreeSet<u64>,
    pub(super) guests: BTreeMap<String, Guest>,
    pub(super) outboxes: BTreeMap<u64, Outbox>,
    /// JWTs and attachments.
    pub(super) desk: Desk,
    on_their_way: BTreeMap<u64, OnItsWay>,
    /// By time, then in the order in which they were set.
    timers: BTreeMap<(MonoTime, u64), Due>,
    /// Numbers for timers and what is on its way.
    serial: u64,
    /// Rung when an earlier timer was set.
    pub(super) time: Bell,
    /// Every socket is to look again.
    stirred: bool,
    taken_in_a_second: Pace,
    seen_in_a_second: Pace,
    pub(super) rng: Rng,
}

impl State {
    pub(crate) fn new(config: GuestConfig, rng: &Rng) -> Self {
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
        Self {
            faults: FaultTable::default(),
            counters: GuestCounters::default(),
            tokens,
            client,
            record: Log::new(config.record_capacity),
            said: Log::new(config.record_capacity),
            requests: Log::new(REMEMBERED),
            connections: BTreeSet::new(),
            guests: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            desk: Desk::default(),
            on_their_way: BTreeMap::new(),
            timers: BTreeMap::new(),
            serial: 0,
            time: Bell::default(),
            stirred: false,
            taken_in_a_second: Pace::default(),
            seen_in_a_second: Pace::default(),
            rng: rng.fork("platform"),
            config,
        }
    }

    /// Whether a fault strikes on this occasion.
    pub(super) fn strike(&mut self, name: Name) -> Option<GuestFault> {
        let fault = self.faults.strike(name, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], once for each rule and bearer of `seen`.
    pub(super) fn strike_once(
        &mut self,
        name: Name,
        seen: &mut Occasions<Name>,
    ) -> Option<GuestFault> {
        let fault = self.faults.strike_once(name, seen, self.rng.unit());
        self.told(name, fault)
    }

    fn told(&self, name: Name, fault: Option<GuestFault>) -> Option<GuestFault> {
        if fault.is_some() {
            tracing::info!(fault = %name, struck = self.faults.struck(name), "Fault struck");
        }
        fault
    }

    /// How late an answer or a frame is.
    pub(crate) fn latency(&mut self) -> Duration {
        match self.strike(Name::Latency) {
            Some(GuestFault::Latency { delay, jitter }) => {
                delay.0 + jitter.0.mul_f64(self.rng.unit())
            }
            _ => Duration::ZERO,
        }
    }

    /// A random UUID (RFC 9562 version 4).
    pub(super) fn uuid(&self) -> String {
        let (high, low) = (self.rng.bits(), self.rng.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// Every socket looks again when it is asked to: faults have changed.
    pub(crate) fn stir(&mut self) {
        self.stirred = true;
    }

    /// Wakes every socket if that was asked for.
    pub(crate) fn wake_if_stirred(&mut self) {
        if std::mem::take(&mut self.stirred) {
            self.outboxes.values().for_each(|outbox| outbox.bell.ring());
            self.time.ring();
        }
    }

    /// Sets a timer.
    pub(super) fn at(&mut self, time: MonoTime, due: Due) {
        self.serial += 1;
        let key = (time, self.serial);
        let sooner = self
            .timers
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        self.timers.insert(key, due);
        if sooner {
            self.time.ring();
        }
    }

    /// What is due comes about; when to look again.
    pub(crate) fn advance(&mut self, (now, wall): (MonoTime, WallTime)) -> Option<MonoTime> {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Due::Arrival(number) => self.arrive_late(number, (now, wall)),
                Due::Saying(session, saying) => {
                    self.say(&session, saying, (now, wall));
                }
                Due::Release(session) => self.release(&session, now),
                Due::End(session) => self.end_if_over(&session, now),
            }
        }
        self.timers.first_key_value().map(|((time, _), _)| *time)
    }

    /// A message goes on its way: the number by which it arrives. `None` where too many are.
    pub(super) fn send_on_its_way(&mut self, message: OnItsWay) -> Option<u64> {
        if self.on_their_way.len() >= MOST_ON_THEIR_WAY {
            return None;
        }
        self.serial += 1;
        self.on_their_way.insert(self.serial, message);
        Some(self.serial)
    }

    pub(super) fn take_off_its_way(&mut self, number: u64) -> Option<OnItsWay> {
        self.on_their_way.remove(&number)
    }

    fn end_if_over(&mut self, session: &str, now: MonoTime) {
        let Some(guest) = self.guests.get(session).filter(|guest| !guest.expired) else {
            return;
        };
        match guest.until.0 <= now {
            true => {
                self.expire(session, now);
            }
            // It was prolonged.
            false => {
                let again = guest.until.0;
                self.at(again, Due::End(session.to_owned()));
            }
        }
    }

    /// A handshake, before the dialect looks at it: `None` where nothing is against it.
    pub(crate) fn at_the_door(&mut self, now: MonoTime) -> Option<UpgradeAnswer> {
        self.counters.handshakes += 1;
        let within = self.seen_in_a_second.count(now) as u64;
        let most = &mut self.counters.handshakes_per_second_most;
        *most = within.max(*most);
        if self.strike(Name::Swallow101).is_some() {
            return Some(UpgradeAnswer::Swallow);
        }
        if let Some(GuestFault::StripUpgrade { status }) = self.strike(Name::StripUpgrade) {
            return Some(refused(status, "upgrade is not supported here", None));
        }
        if let Some(limit) = self.config.handshakes_per_second
            && let Err(wait) = self.taken_in_a_second.take(limit, now)
        {
            self.counters.handshakes_throttled += 1;
            let seconds = wait.as_secs().max(1).to_string();
            return Some(refused(429, "too many connections", Some(seconds)));
        }
        match self.strike(Name::RefuseHandshake) {
            Some(GuestFault::RefuseHandshake {
                status,
                retry_after,
            }) => Some(refused(status, "not permitted", retry_after)),
            _ => None,
        }
    }

    /// Whether this is a platform of web messaging.
    pub(super) fn is_web_messaging(&self) -> bool {
        self.config.dialect == GuestDialect::WebMessaging
    }
}

pub(super) fn refused(status: u16, message: &str, retry_after: Option<String>) -> UpgradeAnswer {
    UpgradeAnswer::Plain(error(status, message, retry_after).into())
}

/// An answer in the words that the platform has for errors.
pub(super) fn error(status: u16, message: &str, retry_after: Option<String>) -> Answer {
    let code = crate::sandbox::platform::code(status);
    Answer {
        retry_after,
        ..Answer::error(status, code, message)
    }
}
