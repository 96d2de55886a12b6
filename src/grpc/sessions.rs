//! `SessionService` over the board where sessions post their state.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::identity::Gate;
use super::limits::ConnectionStats;
use super::messaging::{attributes, session_journal, spend};
use super::paging;
use super::status::{Of, RequestError, Resource};
use super::watch::SessionWatch;
use crate::domain::{JournalName, SessionName, TemplateName, uuid};
use crate::proto::v1;
use crate::runtime::{Clock, Drain, Rng};
use crate::session::{CloseProblem, CreateProblem, Guests, SessionBoard};
use v1::session_service_server::SessionService;

/// The service.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) stats: Arc<ConnectionStats>,
    pub(super) guests: Guests,
    pub(super) board: SessionBoard,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) drain: Drain,
}

impl Sessions {
    /// For a name that nobody chose: it need not be a secret.
    fn any_bits(&self) -> u128 {
        u128::from(self.rng.bits()) << 64 | u128::from(self.rng.bits())
    }

    fn find(&self, gate: &Gate, name: &str) -> Result<v1::Session, RequestError> {
        let state = SessionName::from_resource(name)
            .and_then(|known| self.board.watch().borrow().get(&known).cloned())
            .map(|post| post.state.as_ref().clone());
        let journal = state.as_ref().and_then(journal_of);
        gate.pass_to(journal.as_ref(), name)?;
        state.ok_or_else(|| not_found(name))
    }
}

fn journal_of(state: &v1::Session) -> Option<JournalName> {
    JournalName::from_resource(&state.journal)
}

/// Whether a call may be told of a session.
pub(super) fn lets(gate: &Gate, state: &v1::Session) -> bool {
    let journal = journal_of(state);
    journal.is_some_and(|journal| gate.lets(journal.as_str()))
}

fn not_found(name: &str) -> RequestError {
    RequestError::NotFound {
        resource: Resource::Session,
        name: name.to_owned(),
    }
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let session = Some(self.find(&gate, &request.get_ref().name)?);
        Ok(Response::new(v1::GetSessionResponse { session }))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref();
        let posts = self.board.posts();
        let all = posts
            .iter()
            .filter(|(_, post)| lets(&gate, &post.state))
            .map(|(name, post)| (name.to_string(), &post.state));
        let (states, next_page_token) = paging::page(all, asked.page_size, &asked.page_token)?;
        Ok(Response::new(v1::ListSessionsResponse {
            sessions: states.into_iter().map(|s| s.as_ref().clone()).collect(),
            next_page_token,
        }))
    }

    type WatchSessionsStream = SessionWatch;

    async fn watch_sessions(
        &self,
        request: Request<v1::WatchSessionsRequest>,
    ) -> Result<Response<SessionWatch>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref().heartbeat_interval.as_ref();
        Ok(Response::new(SessionWatch::new(
            &self.board,
            gate,
            asked,
            self.clock.clone(),
            &self.rng,
            &self.drain,
        )))
    }

    async fn reconnect_session(
        &self,
        request: Request<v1::ReconnectSessionRequest>,
    ) -> Result<Response<v1::ReconnectSessionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let name = &request.get_ref().name;
        self.find(&gate, name)?;
        let state = SessionName::from_resource(name)
            .and_then(|known| self.board.reconnect(&known))
            .ok_or_else(|| not_found(name))?;
        Ok(Response::new(v1::ReconnectSessionResponse {
            session: Some(state.as_ref().clone()),
        }))
    }

    async fn create_session(
        &self,
        request: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.into_inner();
        let no_template = || RequestError::NotFound {
            resource: Resource::Template,
            name: asked.template.clone(),
        };
        let template = TemplateName::from_resource(&asked.template);
        let journal = template.as_ref();
        let journal = journal.and_then(|name| self.guests.journal_of_template(name));
        gate.pass_to(journal.as_ref(), &asked.template)?;
        let template = template.ok_or_else(no_template)?;
        let name = match asked.session_id.as_str() {
            "" => SessionName::new(&uuid(self.any_bits())),
            given => SessionName::new(given),
        };
        let name = name.map_err(|wrong| RequestError::Invalid {
            field: "session_id",
            problem: wrong.to_string(),
        })?;
        let attributes = attributes("guest_attributes", asked.guest_attributes)?;
        let resource = name.resource();
        // One that stands already would be shown.
        if let Some(journal) = session_journal(&self.guests, &self.board, &name) {
            gate.pass_to(Some(&journal), &resource)?;
        }
        spend(&gate, &self.stats)?;
        let created = self.guests.create(template, name, attributes).await;
        let session = created.map_err(|problem| {
            let of = match &problem {
                CreateProblem::NoTemplate | CreateProblem::Settings { .. } => &asked.template,
                _ => &resource,
            };
            Of(of).create(&problem)
        })?;
        gate.has_detail(|| session.name.clone());
        if !lets(&gate, &session) {
            gate.pass_to(None, &resource)?;
        }
        Ok(Response::new(v1::CreateSessionResponse {
            session: Some(session),
        }))
    }

    async fn close_session(
        &self,
        request: Request<v1::CloseSessionRequest>,
    ) -> Result<Response<v1::CloseSessionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let name = request.into_inner().name;
        let session = SessionName::from_resource(&name);
        let journal = session.as_ref();
        let journal = journal.and_then(|s| session_journal(&self.guests, &self.board, s));
        gate.pass_to(journal.as_ref(), &name)?;
        gate.has_detail(|| name.clone());
        let session = session.ok_or_else(|| not_found(&name))?;
        match self.guests.close(session).await {
            Ok(()) => Ok(Response::new(v1::CloseSessionResponse {})),
            Err(CloseProblem::NotFound) => {
                let session = self.find(&gate, &name)?;
                Err(RequestError::SessionConfigured { name: session.name }.into())
            }
            Err(problem) => Err(Of(&name).close(&problem)),
        }
    }
}
