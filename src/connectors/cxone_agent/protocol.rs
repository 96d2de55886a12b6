//! [`AgentLink`]: discovers where the session lives, enters it, and polls it by its newest id.
//!
//! Tokens live for an hour, refresh tokens for two; no rate limit of these calls is published, and one
//! chained poll at a time keeps far below any. The platform holds a poll for up to 60 s.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use url::Url;

use super::claims::Claims;
use super::connector::{Inner, get, post, signed};
use super::kept::{Kept, Session, Stage};
use super::meaning::Meaning;
use super::wire::{Answer, Branch, CONTACTS, Fields, poll_answer, session_answer, sign};
use super::{below, discovery};
use crate::auth::AccessToken;
use crate::connectors::{
    AgentSettings, Batch, Call, Control, Handshake, Keep, Link, Opaque, ProviderEvent, Resume,
    Setup, Snapshot, Station, Unreadable,
};
use crate::net::{Frame, HttpResponse};
use crate::runtime::MonoTime;

/// The version of the Agent API that the vendor's client speaks.
const API: [&str; 4] = ["InContactAPI", "services", "v23.0", "agent-sessions"];

/// One connection: a chain of polls on one session.
#[derive(Debug)]
pub(super) struct AgentLink {
    of: Arc<Inner>,
    phase: Phase,
    /// Whose session it is: by the settings, by the session itself, or by the token.
    agent: Option<Arc<str>>,
    /// The agent that the token's user is.
    own: Option<Arc<str>>,
    /// A session stood before this one.
    stood: bool,
    news: News,
}

#[derive(Debug)]
enum Phase {
    /// Asks where the sessions of the tenant live.
    Discovering,
    /// Asks for a session.
    Entering { base: Url, entry: AgentSettings },
    /// There is none to join.
    Absent,
    /// Reads it.
    Open(Session),
    /// It has ended or is lost.
    Over,
}

/// What there is to keep that no batch has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Nothing: from the first batch on, the cursor goes with the events.
    Nothing,
    /// A session was entered.
    Entered,
    /// It is no more.
    Gone,
}

impl AgentLink {
    pub(super) fn new(of: Arc<Inner>, opaque: Option<&Opaque>) -> Self {
        let kept = opaque.and_then(|text| Kept::read(text, &of.purpose));
        let stood = kept.is_some();
        let (session, agent) = kept.map_or((None, None), |kept| (kept.session, kept.agent));
        // Allowed domains may have changed since.
        let session = session.filter(|session| of.addresses.check(&session.base).is_ok());
        Self {
            agent: of.joined_agent().or(agent),
            phase: session.map_or(Phase::Discovering, Phase::Open),
            own: None,
            stood,
            news: News::Nothing,
            of,
        }
    }

    fn opaque(&self) -> Opaque {
        let session = match &self.phase {
            Phase::Open(session) => Some(session),
            Phase::Discovering | Phase::Entering { .. } | Phase::Absent | Phase::Over => None,
        };
        Kept::write(session, self.agent.as_ref(), &self.of.purpose)
    }

    /// Takes in a new id, what the session says of its agent, and what the answer means.
    fn take(&mut self, answer: Answer, branch: Option<Branch>) -> Batch {
        let Answer {
            session,
            mut events,
        } = answer;
        let mut batch = Batch::empty();
        let before = self.stage();
        let meaning = Meaning::of(before, &events, branch);
        // The vendor's client moves it to the front too: what follows rests on it.
        events.sort_by_key(|event| event.topic != "AgentSessionStart");
        self.learn_agent(&events);
        sign(&mut events, self.agent.as_ref());
        if let Phase::Open(open) = &mut self.phase {
            open.stage = open.stage.after(!events.is_empty());
            if let Some(id) = session.clone() {
                open.id = id;
            }
        }
        if meaning.snapshot {
            let whole = events.iter().all(|event| event.malformed.is_none());
            let complete = if whole {
                vec![CONTACTS.to_owned()]
            } else {
                Vec::new()
            };
            batch.snapshot = Some(Snapshot { complete });
        }
        if let Some(reason) = meaning.missed {
            let reason = reason.to_owned();
            batch.controls.push(Control::Missed { reason });
        }
        let over = meaning.over.is_some();
        if let Some(control) = meaning.over {
            batch.controls.push(control);
            self.phase = Phase::Over;
        }
        if session.is_some() || over || before != self.stage() {
            batch.opaque = Some(self.opaque());
            self.news = News::Nothing;
        }
        batch.events = events;
        batch
    }

    fn stage(&self) -> Option<Stage> {
        match &self.phase {
            Phase::Open(session) => Some(session.stage),
            Phase::Discovering | Phase::Entering { .. } | Phase::Absent | Phase::Over => None,
        }
    }

    /// A session that was started, or joined by its owner, names its agent itself.
    fn learn_agent(&mut self, events: &[ProviderEvent]) {
        let start = events.first().filter(|e| e.topic == "AgentSessionStart");
        let (Some(start), None) = (start, self.of.joined_agent()) else {
            return;
        };
        let fields = std::str::from_utf8(&start.raw).ok().and_then(Fields::read);
        if let Some(id) = fields.as_ref().and_then(|fields| fields.text("AgentId")) {
            self.agent = Some(id.as_ref().into());
        }
    }

    fn enter(&self, base: &Url, entry: &AgentSettings, token: &AccessToken) -> Call {
        let sessions = below(base, API);
        match entry {
            AgentSettings::Join { agent_id } => {
                let body = json!({ "asAgentId": agent_id });
                post(below(&sessions, ["join"]), token, &body)
            }
            AgentSettings::Start { station } => {
                let body = match station {
                    Station::Id(id) => json!({ "stationId": id }),
                    Station::Phone(phone) => json!({ "stationPhoneNumber": phone }),
                };
                post(sessions, token, &body)
            }
        }
    }
}

impl Link for AgentLink {
    fn setup(&mut self, token: &AccessToken) -> Setup {
        match &self.phase {
            Phase::Discovering => {
                let claims = Claims::of(token);
                self.own = claims.agent.map(Arc::from);
                let url = discovery::address(&self.of.endpoint, claims.tenant.as_deref());
                Setup::Call(Box::new(get(url)))
            }
            Phase::Entering { base, entry } => {
                Setup::Call(Box::new(self.enter(base, entry, token)))
            }
            Phase::Absent => Setup::Yield {
                reason: "NO_AGENT_SESSION".to_owned(),
            },
            Phase::Open(_) | Phase::Over => Setup::Ready,
        }
    }

    fn setup_answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        match &self.phase {
            Phase::Discovering => {
                self.phase = Phase::Entering {
                    base: discovery::base(&answer.body, &self.of.addresses)?,
                    entry: self.of.agent.clone(),
                };
            }
            Phase::Entering { base, .. } => {
                let id = session_answer(&answer.body)?;
                let first = !self.stood;
                let stage = if first {
                    Stage::Joined
                } else {
                    Stage::Rejoined
                };
                let base = base.clone();
                self.phase = Phase::Open(Session { base, id, stage });
                self.agent = self.agent.take().or_else(|| self.own.clone());
                self.news = News::Entered;
            }
            Phase::Absent | Phase::Open(_) | Phase::Over => {}
        }
        Ok(())
    }

    /// No discovery: the endpoint is the API itself. Nothing to join: the agent is not signed in. A
    /// session of the same user stands: it is joined.
    fn setup_refused(&mut self, answer: &HttpResponse) -> bool {
        match (&self.phase, answer.status.as_u16()) {
            (Phase::Discovering, 404 | 410) => {
                self.phase = Phase::Entering {
                    base: self.of.endpoint.clone(),
                    entry: self.of.agent.clone(),
                };
                true
            }
            (Phase::Entering { entry, base }, status @ (404 | 409)) => {
                match (entry, &self.own, status) {
                    (AgentSettings::Join { .. }, ..) => self.phase = Phase::Absent,
                    (AgentSettings::Start { .. }, Some(own), 409) => {
                        let agent_id = own.as_ref().to_owned();
                        let (base, entry) = (base.clone(), AgentSettings::Join { agent_id });
                        self.phase = Phase::Entering { base, entry };
                    }
                    (AgentSettings::Start { .. }, ..) => return false,
                }
                true
            }
            _ => false,
        }
    }

    fn over(&mut self, status: Option<StatusCode>) {
        let gone = status.is_some_and(|status| matches!(status.as_u16(), 404 | 409 | 410));
        if gone && matches!(self.phase, Phase::Open(_)) {
            self.phase = Phase::Over;
            self.news = News::Gone;
        }
    }

    /// A session that was entered is kept before its first answer, so that a crash does not enter
    /// another; that one stood is kept when it is gone, so that the next begins with a loss window.
    fn keep(&self) -> Keep {
        match self.news {
            News::Nothing => Keep::Unchanged,
            News::Entered | News::Gone => Keep::This(self.opaque()),
        }
    }

    fn handshake(&self, _token: &AccessToken) -> Option<Handshake> {
        None
    }

    fn opened(&mut self, _resume: Resume<'_>) -> Vec<Frame> {
        Vec::new()
    }

    fn poll(&mut self, _resume: Resume<'_>, token: &AccessToken) -> Option<Call> {
        let Phase::Open(session) = &self.phase else {
            return None;
        };
        let id = session.id.expose().as_str();
        let mut url = below(&below(&session.base, API), [id, "get-next-event"]);
        let hold = self.of.hold.to_string();
        url.query_pairs_mut().append_pair("timeout", &hold);
        Some(signed(url, token))
    }

    fn read_frame(&mut self, _now: MonoTime, _frame: &Bytes) -> Result<Batch, Unreadable> {
        Err(Unreadable {
            what: "frame",
            reason: "the platform has no such connection".to_owned(),
        })
    }

    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable> {
        let branch = Branch::of(&answer.headers);
        let nothing = matches!(
            answer.status,
            StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT
        );
        let found = match (nothing, answer.body.trim_ascii().is_empty()) {
            (true, _) => Answer::default(),
            // Anybody can answer with nothing; the header is the platform's.
            (false, true) if branch.is_none() => return Ok(Batch::default()),
            (false, true) => Answer::default(),
            (false, false) => poll_answer(&answer.body)?,
        };
        Ok(self.take(found, branch))
    }
}
