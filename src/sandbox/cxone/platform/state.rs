//! [`State`]: everything the platform knows. Pure: it is told the time, and seeded.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::agent::{Agent, AgentPresent, Tenant};
use super::answer::Answer;
use super::flat::{Flat, TypeKey};
use super::ledger::{Fact, FactFate, Ledger};
use super::record::{Cursor, CxoneCounters, CxoneRequest, CxoneRequestKind};
use super::session::{Pushed, Queued, Session};
use super::tokens::{CxoneCredentials, Tokens};
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::Outcome;
use crate::sandbox::cxone::CxoneConfig;
use crate::sandbox::cxone::fault::{CxoneFault, CxoneFaultName};
use crate::sandbox::fault::{FaultTable, Occasions};
use crate::sandbox::platform::{Digest, Log};

const FIRST_SESSION: u64 = 58_070_815;

/// The platform.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: CxoneConfig,
    pub(crate) faults: FaultTable<CxoneFault>,
    pub(crate) tokens: Tokens,
    pub(crate) counters: CxoneCounters,
    /// Connections that are open.
    pub(crate) connections: u64,
    /// Where the platform is reached.
    pub(super) base: String,
    pub(super) tenant: Arc<Tenant>,
    pub(super) agents: Vec<Agent>,
    pub(super) sessions: BTreeMap<u64, Session>,
    /// The session that goes on, of each agent that has one.
    pub(super) open: BTreeMap<usize, u64>,
    /// Which session an id belongs to.
    pub(super) ids: HashMap<Arc<str>, u64>,
    pub(super) next_session: u64,
    pub(super) next_contact: u64,
    pub(super) ledger: Ledger,
    requests: Log<CxoneRequest>,
    pub(super) rng: Rng,
}

impl State {
    pub(crate) fn new(
        config: CxoneConfig,
        base: &str,
        now: (MonoTime, WallTime),
        rng: &Rng,
    ) -> Self {
        let own = rng.fork("tenant");
        let tenant = Arc::new(Tenant::new(&own));
        let agents: Vec<_> = (0..config.agents)
            .map(|place| Agent::new(place, now.1, &own))
            .collect();
        let tokens = Tokens::new(&config, Arc::clone(&tenant), base, &agents, rng);
        let mut state = Self {
            faults: FaultTable::default(),
            tokens,
            counters: CxoneCounters::default(),
            connections: 0,
            base: base.to_owned(),
            tenant,
            sessions: BTreeMap::new(),
            open: BTreeMap::new(),
            ids: HashMap::new(),
            next_session: FIRST_SESSION,
            next_contact: 91_000_000_001,
            ledger: Ledger::new(config.ledger_capacity),
            requests: Log::new(config.ledger_capacity),
            rng: rng.fork("world"),
            agents,
            config,
        };
        if state.config.signed_in {
            (0..state.agents.len()).for_each(|agent| drop(state.sign_in(agent, now)));
        }
        state
    }

    pub(crate) fn credentials(&self) -> &[CxoneCredentials] {
        self.tokens.credentials()
    }

    /// Index of the agent with an id.
    pub(super) fn find_agent(&self, id: &str) -> Option<usize> {
        self.agents.iter().position(|agent| agent.id == id)
    }

    /// Issues an event to an agent's session, after those that faults put before it; its number.
    pub(super) fn issue(&mut self, agent: usize, event: &Flat, now: WallTime) -> Option<u64> {
        self.issue_named(agent, event, None, now)
    }

    /// Like [`State::issue`]; `name` is that of a `CustomEvent`.
    pub(super) fn issue_named(
        &mut self,
        agent: usize,
        event: &Flat,
        name: Option<String>,
        now: WallTime,
    ) -> Option<u64> {
        self.issue_before(agent, now);
        let key = match self.strike(CxoneFaultName::LowerCaseType) {
            Some(_) => TypeKey::LowerCase,
            None => TypeKey::Usual,
        };
        self.put(agent, event.kind(), &event.body(key), name, now)
    }

    /// Issues a body as it is; `name` is that of a `CustomEvent`.
    pub(super) fn put(
        &mut self,
        agent: usize,
        kind: &str,
        body: &str,
        name: Option<String>,
        now: WallTime,
    ) -> Option<u64> {
        let number = *self.open.get(&agent)?;
        let id = &self.agents.get(agent)?.id;
        let fact = self.ledger.issue(Fact {
            number: 0,
            agent: id.as_str().into(),
            session: number,
            event_type: kind.into(),
            bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            sha256: Digest::of(body.as_bytes()),
            issued_at: now,
            fate: FactFate::Queued,
        });
        let capacity = self.config.queue_capacity;
        let body = body.into();
        let pushed = self
            .sessions
            .get_mut(&number)?
            .push(Queued { fact, name, body }, capacity);
        match pushed {
            Pushed::Kept => {}
            Pushed::Overwrote(old) => self.ledger.settle(&[old], FactFate::Coalesced(fact)),
            Pushed::Overflowed(queued) => self.drop_facts(&queued),
        }
        Some(fact)
    }

    /// How every agent stands.
    pub(crate) fn present(&self) -> Vec<AgentPresent> {
        let agents = self.agents.iter().enumerate();
        agents
            .map(|(place, agent)| agent.present(self.open.contains_key(&place)))
            .collect()
    }

    pub(crate) fn facts(&self, after: u64, limit: usize) -> Vec<Fact> {
        self.ledger.facts(after, limit)
    }

    pub(crate) fn answers(&self, after: u64, limit: usize) -> Vec<super::ledger::PollAnswer> {
        self.ledger.answers(after, limit)
    }

    pub(crate) fn head(&self) -> u64 {
        self.ledger.head()
    }

    /// Facts and answers that are no longer kept.
    pub(crate) fn forgotten(&self) -> (u64, u64) {
        self.ledger.dropped()
    }

    /// Whether a fault strikes on this occasion.
    pub(crate) fn strike(&mut self, name: CxoneFaultName) -> Option<CxoneFault> {
        let fault = self.faults.strike(name, self.rng.unit());
        self.told(name, fault)
    }

    /// Like [`State::strike`], once for each rule and bearer of `seen`.
    pub(super) fn strike_once(
        &mut self,
        name: CxoneFaultName,
        seen: &mut Occasions<CxoneFaultName>,
    ) -> Option<CxoneFault> {
        let fault = self.faults.strike_once(name, seen, self.rng.unit());
        self.told(name, fault)
    }

    fn told(&self, name: CxoneFaultName, fault: Option<CxoneFault>) -> Option<CxoneFault> {
        if fault.is_some() {
            tracing::info!(fault = %name, struck = self.faults.struck(name), "Fault struck");
        }
        fault
    }

    /// How late an answer is.
    pub(crate) fn latency(&mut self) -> Duration {
        match self.strike(CxoneFaultName::Latency) {
            Some(CxoneFault::Latency { delay, jitter }) => {
                delay.0 + jitter.0.mul_f64(self.rng.unit())
            }
            _ => Duration::ZERO,
        }
    }

    /// The access key behind a bearer.
    pub(super) fn authenticate(
        &self,
        bearer: Option<&str>,
        now: MonoTime,
    ) -> Result<usize, Answer> {
        let description = match bearer {
            None => "Missing access token",
            Some(token) => match self.tokens.check(token, now) {
                Some(access) => return Ok(access.key),
                None => "Invalid or expired access token",
            },
        };
        Err(Answer::refused(401, description))
    }

    /// Remembers a request; its number.
    pub(crate) fn enter(&mut self, connection: u64, kind: CxoneRequestKind, at: WallTime) -> u64 {
        self.counters.arrive(kind);
        self.requests.enter(|entry| CxoneRequest {
            entry,
            at,
            connection,
            kind,
            cursor: None,
            timeout: None,
            outcome: None,
        })
    }

    pub(super) fn asked(&mut self, entry: u64, cursor: Cursor, timeout: u8) {
        if let Some(request) = self.requests.get_mut(entry) {
            request.cursor = Some(cursor);
            request.timeout = Some(timeout);
        }
    }

    pub(crate) fn close(&mut self, entry: u64, kind: CxoneRequestKind, outcome: Outcome) {
        self.counters.end(kind, outcome);
        if let Some(request) = self.requests.get_mut(entry) {
            request.outcome = Some(outcome);
        }
    }

    pub(crate) fn requests(&self, after: u64, limit: usize) -> Vec<CxoneRequest> {
        self.requests.after(after, limit)
    }
}
