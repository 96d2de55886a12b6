//! Answers to single requests: discovery, tokens, sessions, states, the time. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::{Answer, Branch};
use super::discovery;
use super::flat::ticks;
use super::ledger::AnswerCause;
use super::record::Cursor;
use super::state::State;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::cxone::fault::{CxoneFault, CxoneFaultName};
use crate::sandbox::platform::{Refusal, TokenRequest};

type Now = (MonoTime, WallTime);

impl State {
    /// `GET /.well-known/openid-configuration`.
    pub(crate) fn answer_openid(&mut self, host: Option<&str>) -> Answer {
        if let Some(down) = self.discovery_down() {
            return down;
        }
        let base = self.reached(host);
        Answer::json(200, discovery::openid(&self.services(&base)))
    }

    /// `GET /.well-known/cxone-configuration?tenantId=`.
    pub(crate) fn answer_configuration(&mut self, query: &str, host: Option<&str>) -> Answer {
        if let Some(down) = self.discovery_down() {
            return down;
        }
        match parameter(query, "tenantId") {
            None => Answer::refused(400, "tenantId is missing"),
            Some(tenant) if tenant != self.tenant.id => Answer::refused(404, "Tenant not found"),
            Some(_) => {
                let base = self.reached(host);
                let services = self.services(&base);
                Answer::json(200, discovery::cxone(&self.tenant, &base, &services))
            }
        }
    }

    fn discovery_down(&mut self) -> Option<Answer> {
        match self.strike(CxoneFaultName::DiscoveryDown) {
            Some(CxoneFault::DiscoveryDown { status }) => {
                Some(Answer::refused(status, "Discovery is not available"))
            }
            _ => None,
        }
    }

    /// The platform by the name that the client used, so that it is one it can reach.
    fn reached(&self, host: Option<&str>) -> String {
        match (host, self.base.split_once("://")) {
            (Some(host), Some((scheme, _))) => format!("{scheme}://{host}"),
            _ => self.base.clone(),
        }
    }

    /// The base of the services, as discovery tells it.
    fn services(&mut self, base: &str) -> String {
        match self.strike(CxoneFaultName::DiscoveryForeignHost) {
            Some(CxoneFault::DiscoveryForeignHost { host }) => host,
            _ => base.to_owned(),
        }
    }

    /// `GET /auth/jwks`.
    pub(crate) fn answer_keys(&self) -> Answer {
        Answer::json(200, self.tokens.key_set())
    }

    /// `POST /auth/token`.
    pub(crate) fn answer_token(&mut self, request: TokenRequest<'_>, now: Now) -> Answer {
        let delay = match self.strike(CxoneFaultName::TokenSlow) {
            Some(CxoneFault::TokenSlow { delay }) => delay.0,
            _ => Duration::ZERO,
        };
        if let Some(CxoneFault::TokenDown { status }) = self.strike(CxoneFaultName::TokenDown) {
            return Answer::refused(status, "The token service is down").after(delay);
        }
        let granted = match self.strike(CxoneFaultName::TokenError) {
            Some(CxoneFault::TokenError { error }) => Err(Refusal::injected(error)),
            _ => self.tokens.grant(request, now),
        };
        let answer = match granted {
            Ok(body) => Answer::json(200, body),
            Err(refusal) => {
                let answer = Answer::error(refusal.status, refusal.error, refusal.description);
                match refusal.retry_after {
                    Some(wait) => {
                        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                        answer.with("Retry-After", seconds.max(1).to_string())
                    }
                    None => answer,
                }
            }
        };
        answer.after(delay)
    }

    /// `POST …/token/whoami`.
    pub(crate) fn answer_who_am_i(&self, body: &[u8], now: MonoTime) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let who = body
            .get("token")
            .and_then(Value::as_str)
            .map(|token| self.tokens.who_am_i(token, now));
        match who {
            None => Answer::refused(400, "token is missing"),
            Some(None) => Answer::refused(401, "Invalid or expired access token"),
            Some(Some(who)) => Answer::json(200, who),
        }
    }

    /// `POST …/agent-sessions`: for the agent that the access key belongs to.
    pub(crate) fn answer_start(&mut self, bearer: Option<&str>, body: &[u8], now: Now) -> Answer {
        let agent = match self.authenticate(bearer, now.0) {
            Ok(agent) => agent,
            Err(refused) => return refused,
        };
        if let Some(refused) = self.session_refused() {
            return refused;
        }
        let station: Value = match serde_json::from_slice(body) {
            Ok(station) => station,
            Err(_) => return Answer::refused(400, "The body is not JSON"),
        };
        let given = |name: &str| match station.get(name)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let phone = given("stationPhoneNumber");
        let id = given("stationId").and_then(|id| id.parse().ok());
        if phone.is_none() && id.is_none() {
            return Answer::refused(400, "Either stationId or stationPhoneNumber is required");
        }
        if self.open.contains_key(&agent) {
            return Answer::refused(409, "The agent has a session already");
        }
        if let Some(own) = self.agents.get_mut(agent) {
            own.station = id.unwrap_or(own.station);
            own.phone = phone.unwrap_or_else(|| own.phone.clone());
        }
        let id = self.sign_in(agent, now);
        Answer::json(200, json!({ "sessionId": *id }))
    }

    /// `POST …/agent-sessions/join`.
    pub(crate) fn answer_join(&mut self, bearer: Option<&str>, body: &[u8], now: Now) -> Answer {
        let own = match self.authenticate(bearer, now.0) {
            Ok(agent) => agent,
            Err(refused) => return refused,
        };
        if let Some(refused) = self.session_refused() {
            return refused;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let agent = match body.get("asAgentId") {
            // Empty is the agent that the access key belongs to.
            Some(Value::String(id)) if id.is_empty() => Some(own),
            Some(Value::String(id)) => self.find_agent(id),
            Some(Value::Number(id)) => self.find_agent(&id.to_string()),
            _ => return Answer::refused(400, "asAgentId is required"),
        };
        let Some(agent) = agent else {
            return Answer::refused(404, "Agent not found");
        };
        let Some(number) = self.open.get(&agent).copied() else {
            return Answer::refused(404, "The agent has no session");
        };
        let id = self.advance(number);
        if let Some(session) = self.sessions.get_mut(&number) {
            session.renew = Some(AnswerCause::Joined);
            session.polled_until = session.polled_until.max(now.0);
        }
        Answer::json(200, json!({ "sessionId": *id }))
    }

    fn session_refused(&mut self) -> Option<Answer> {
        match self.strike(CxoneFaultName::SessionRefused) {
            Some(CxoneFault::SessionRefused { status }) => {
                Some(Answer::refused(status, "The session cannot be had"))
            }
            _ => None,
        }
    }

    /// `DELETE …/agent-sessions/{id}`.
    pub(crate) fn answer_end(&mut self, bearer: Option<&str>, id: &str, now: Now) -> Answer {
        if let Err(refused) = self.authenticate(bearer, now.0) {
            return refused;
        }
        match self.locate(id) {
            (Some(number), Cursor::Current | Cursor::Old) => {
                self.end_session(number, true, now.1);
                Answer::empty(202)
            }
            (_, Cursor::Ended) => self.session_over(),
            _ => self.session_unknown(),
        }
    }

    pub(super) fn session_over(&self) -> Answer {
        let answer = Answer::refused(409, "The agent session has ended");
        self.branched(answer, Branch::SessionEnded)
    }

    pub(super) fn session_unknown(&self) -> Answer {
        let answer = Answer::refused(404, "Invalid agent session");
        self.branched(answer, Branch::InvalidSession)
    }

    /// Puts the branch into the headers, where this platform does so.
    pub(super) fn branched(&self, answer: Answer, branch: Branch) -> Answer {
        match self.config.branch_value {
            true => answer.branch(branch),
            false => answer,
        }
    }

    /// `GET …/agents/states?updatedSince=`.
    pub(crate) fn answer_states(&self, bearer: Option<&str>, query: &str, now: Now) -> Answer {
        if let Err(refused) = self.authenticate(bearer, now.0) {
            return refused;
        }
        let since = match parameter(query, "updatedSince") {
            None => WallTime::default(),
            Some(text) => match WallTime::parse_rfc3339(&text) {
                Some(time) => time,
                None => return Answer::refused(400, "updatedSince is not a date and time"),
            },
        };
        let polled = ticks(now.1);
        let states: Vec<Value> = self
            .agents
            .iter()
            .enumerate()
            .filter(|(_, agent)| agent.updated >= since)
            .map(|(place, agent)| {
                let signed_in = self.open.contains_key(&place);
                let state = match signed_in {
                    true => agent.state.state.as_str(),
                    false => "LoggedOut",
                };
                let contact = agent.contacts.keys().next();
                json!({
                    "agentId": agent.id.parse::<u64>().unwrap_or_default(),
                    "userId": agent.user,
                    "firstName": agent.first,
                    "lastName": agent.last,
                    "teamId": agent.team,
                    "agentStateName": state,
                    "outStateDescription": agent.state.reason,
                    "isActive": signed_in,
                    "isOutbound": state == "OutboundContact",
                    "contactId": contact.and_then(|id| id.parse::<u64>().ok()),
                    "startDate": ticks(agent.since),
                    "lastUpdateTime": ticks(agent.updated),
                    "lastPollTime": polled,
                    "stationPhoneNumber": agent.phone,
                })
            })
            .collect();
        if states.is_empty() {
            return Answer::empty(304).described("No changes");
        }
        let unit = self.tenant.unit;
        Answer::json(
            200,
            json!({ "businessUnitId": unit, "lastPollTime": polled, "agentStates": states }),
        )
    }

    /// `GET …/server-time`.
    pub(crate) fn answer_time(&self, bearer: Option<&str>, now: Now) -> Answer {
        match self.authenticate(bearer, now.0) {
            Ok(_) => Answer::json(200, json!({ "ServerTime": ticks(now.1) })),
            Err(refused) => refused,
        }
    }
}

/// A parameter of a query; its name is written in any case.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.into_owned())
}
