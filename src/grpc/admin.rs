//! `AdminService`, for the admin listener alone: who reads, and who shall not any more.

use std::time::Duration;

use tokio::time::timeout;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::erase;
use super::events::Journals;
use super::health::Health;
use super::identity::{Callers, Gate, Identify};
use super::paging;
use super::server::{REQUEST, ServerError};
use super::status::{RequestError, Resource};
use crate::domain::{JournalName, Sequence};
use crate::feed::{Feed, Registry, StateName, SubscriberFacts};
use crate::proto::v1;
use crate::runtime::{Clock, MonoTime};
use v1::admin_service_server::{AdminService, AdminServiceServer};
use v1::subscriber::State;

/// How long a stream that was told to end may take to say so. One whose peer takes nothing cannot.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long its connection may take to be gone.
const CUT: Duration = Duration::from_secs(1);

/// What the admin listener serves over gRPC.
#[derive(Debug, Clone)]
pub struct AdminParts {
    /// The journals. They share one [`Registry`].
    pub feeds: Vec<Feed>,
    /// Health, shared with other listeners.
    pub health: Health,
    /// Time.
    pub clock: Clock,
    /// Who may call.
    pub callers: Callers,
}

/// Which calls a door lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Those that change nothing.
    Read,
    /// All of them.
    Change,
}

/// The gRPC services of the admin listener: `AdminService`, health, reflection.
///
/// # Errors
/// When the compiled-in descriptor set is damaged.
pub fn admin_routes(parts: &AdminParts, access: Access) -> Result<axum::Router, ServerError> {
    let admin = Admin {
        journals: Journals::new(parts.feeds.iter().cloned()),
        clock: parts.clock.clone(),
        access,
    };
    let routes = Routes::new(AdminServiceServer::new(admin).max_decoding_message_size(REQUEST))
        .add_service(parts.health.service())
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let routes = routes.prepare().into_axum_router();
    Ok(routes.layer(Identify(parts.callers.clone())))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("tieline.v1.AdminService")
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection")
}

struct Admin {
    journals: Journals,
    clock: Clock,
    access: Access,
}

impl Admin {
    fn may_change(&self, call: &'static str) -> Result<(), RequestError> {
        match self.access {
            Access::Change => Ok(()),
            Access::Read => Err(RequestError::SocketOnly { call }),
        }
    }

    /// The open streams of the journals that the caller may ask about.
    fn subscribers(&self, gate: &Gate) -> Vec<SubscriberFacts> {
        let registry = self.journals.registry();
        let all = registry.map_or_else(Vec::new, Registry::subscribers);
        let all = all.into_iter();
        all.filter(|facts| gate.lets(facts.journal.as_str()))
            .collect()
    }

    fn shown(&self, gate: &Gate, facts: &SubscriberFacts, now: MonoTime) -> v1::Subscriber {
        let latest = self.journals.all(gate).find(|f| *f.name() == facts.journal);
        let latest = latest.map_or(Sequence::ZERO, |feed| feed.durable_end().borrow().latest);
        let idle = now.saturating_duration_since(facts.last_progress);
        let state = match facts.state {
            _ if facts.blocked => State::Blocked,
            StateName::Replaying => State::Replaying,
            StateName::Live | StateName::Closing => State::Live,
        };
        v1::Subscriber {
            name: format!("{}/subscribers/{}", facts.journal.resource(), facts.id),
            client_id: facts.caller.client_id.clone(),
            principal: facts.caller.principal.clone(),
            peer: facts.caller.peer.clone(),
            state: state.into(),
            through_sequence: facts.through.get(),
            lag: latest.since(facts.through),
            filter: facts.caller.filter.clone(),
            connect_time: Some(facts.connect_time.to_proto()),
            last_progress_time: Some(self.clock.wall().minus(idle).to_proto()),
            sent_events: facts.sent_events,
            sent_bytes: facts.sent_bytes,
        }
    }
}

/// The journal and number of `journals/{journal}/subscribers/{subscriber}`.
fn subscriber(name: &str) -> Option<(JournalName, u64)> {
    let (journal, id) = name.split_once("/subscribers/")?;
    let number: u64 = id.parse().ok()?;
    let journal = JournalName::from_resource(journal)?;
    (number.to_string() == id).then_some((journal, number))
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn list_subscribers(
        &self,
        request: Request<v1::ListSubscribersRequest>,
    ) -> Result<Response<v1::ListSubscribersResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref();
        let only = match asked.parent.as_str() {
            "journals/-" => None,
            parent => Some(self.journals.find(&gate, parent)?.name().clone()),
        };
        let now = self.clock.now();
        let all = self.subscribers(&gate).into_iter();
        let all = all.filter(|facts| only.as_ref().is_none_or(|name| *name == facts.journal));
        // Numbers of one width, so that they have the order of names.
        let named = all.map(|facts| (format!("{:020}", facts.id), facts));
        let (page, next_page_token) = paging::page(named, asked.page_size, &asked.page_token)?;
        Ok(Response::new(v1::ListSubscribersResponse {
            subscribers: page
                .iter()
                .map(|facts| self.shown(&gate, facts, now))
                .collect(),
            next_page_token,
        }))
    }

    async fn disconnect_subscriber(
        &self,
        request: Request<v1::DisconnectSubscriberRequest>,
    ) -> Result<Response<v1::DisconnectSubscriberResponse>, Status> {
        self.may_change("DisconnectSubscriber")?;
        let gate = Gate::of(request.extensions())?;
        let name = &request.get_ref().name;
        let not_found = || RequestError::NotFound {
            resource: Resource::Subscriber,
            name: name.clone(),
        };
        let (journal, id) = subscriber(name).ok_or_else(not_found)?;
        gate.pass(&journal.resource())?;
        gate.has_detail(|| id.to_string());
        let registry = self.journals.registry().ok_or_else(not_found)?;
        let all = self.subscribers(&gate).into_iter();
        let caller = all.filter(|facts| facts.id == id).map(|facts| facts.caller);
        let caller = caller.last().ok_or_else(not_found)?;
        if !registry.dismiss(&journal, id) {
            return Err(not_found().into());
        }
        tracing::info!(subscriber = id, %journal, peer = caller.peer, by = gate.principal(), "Subscriber disconnected by an operator");
        if timeout(LAST_WORDS, registry.gone(id)).await.is_err()
            && let Some(connection) = &caller.connection
        {
            // Its peer takes nothing, not even the end: only the connection can be ended.
            connection.cancel();
            if timeout(CUT, registry.gone(id)).await.is_err() {
                tracing::warn!(subscriber = id, "Connection of a subscriber is slow to end");
            }
        }
        Ok(Response::new(v1::DisconnectSubscriberResponse {}))
    }

    async fn erase_events(
        &self,
        request: Request<v1::EraseEventsRequest>,
    ) -> Result<Response<v1::EraseEventsResponse>, Status> {
        self.may_change("EraseEvents")?;
        let gate = Gate::of(request.extensions())?;
        let erased_events = erase::erase(&self.journals, &gate, request.into_inner()).await?;
        Ok(Response::new(v1::EraseEventsResponse { erased_events }))
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
