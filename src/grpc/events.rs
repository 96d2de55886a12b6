//! `EventService`: read, get and list, and what [`super::subscribe`] opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost::Message;
use tonic::{Request, Response, Status};

use super::convert;
use super::event_service::event_service_server::EventService;
use super::identity::{Gate, Right};
use super::paging;
use super::peer::Peer;
use super::response;
use super::status::{CallError, RequestError, Resource};
use crate::domain::{JournalName, Sequence, SubscriptionName};
use crate::feed::{Feed, FeedError, Origin, Registry, Subscriber};
use crate::proto::v1;

/// The journals that are served, by name.
#[derive(Debug, Clone)]
pub(super) struct Journals(Arc<BTreeMap<JournalName, Feed>>);

impl Journals {
    pub(super) fn new(feeds: impl IntoIterator<Item = Feed>) -> Self {
        let by_name = feeds.into_iter().map(|feed| (feed.name().clone(), feed));
        Self(Arc::new(by_name.collect()))
    }

    /// The named journal; where the name is empty, the only one there is for this caller. What a caller
    /// may not do is said before anything is looked for.
    pub(super) fn find(&self, gate: &Gate, name: &str) -> Result<&Feed, RequestError> {
        let found = if name.is_empty() {
            let mut all = self.all(gate);
            match (all.next(), all.next()) {
                (Some(only), None) => Some(only),
                (Some(_), Some(_)) => return Err(RequestError::JournalRequired),
                (None, _) => {
                    gate.pass("")?;
                    None
                }
            }
        } else {
            gate.pass(name)?;
            JournalName::from_resource(name).and_then(|name| self.0.get(&name))
        };
        let found = found.ok_or_else(|| RequestError::NotFound {
            resource: Resource::Journal,
            name: name.to_owned(),
        })?;
        gate.is_about(found.name());
        Ok(found)
    }

    /// All that the caller may see, by name.
    pub(super) fn all(&self, gate: &Gate) -> impl Iterator<Item = &Feed> {
        let all = self.0.values();
        all.filter(move |feed| gate.lets(feed.name().as_str()))
    }

    /// Where every stream is registered.
    pub(super) fn registry(&self) -> Option<&Registry> {
        self.0.values().next().map(Feed::registry)
    }

    /// The journal that keeps a managed cursor.
    pub(super) fn keeper(
        &self,
        gate: &Gate,
        name: &SubscriptionName,
    ) -> Result<&Feed, RequestError> {
        let keeps = |feed: &&Feed| feed.cursor(name).is_some();
        let keeper = self.0.values().find(keeps);
        gate.pass_to(keeper.map(Feed::name), &name.resource())?;
        keeper.ok_or_else(|| convert::no_cursor(&name.resource()))
    }

    /// Likewise; it must be the journal of this name, where that is not empty. To read by it is to take
    /// it over, which whoever may not commit may not do.
    fn keeper_in(
        &self,
        gate: &Gate,
        journal: &str,
        name: &SubscriptionName,
    ) -> Result<&Feed, RequestError> {
        let keeper = self.keeper(gate, name)?;
        gate.pass_with(Right::Commit, &keeper.name().resource())?;
        if !journal.is_empty() && self.find(gate, journal)?.name() != keeper.name() {
            return Err(RequestError::Invalid {
                field: "journal",
                problem: format!("{} is of {}", name.resource(), keeper.name().resource()),
            });
        }
        Ok(keeper)
    }

    /// The journal and sequence of `journals/{journal}/events/{sequence}`.
    fn find_event(&self, gate: &Gate, name: &str) -> Result<(&Feed, Sequence), RequestError> {
        let not_found = || RequestError::NotFound {
            resource: Resource::Event,
            name: name.to_owned(),
        };
        let (journal, sequence) = name.split_once("/events/").ok_or_else(not_found)?;
        let feed = self.find(gate, journal)?;
        let number: u64 = sequence.parse().map_err(|_| not_found())?;
        if number.to_string() == sequence {
            Ok((feed, Sequence::new(number)))
        } else {
            Err(not_found())
        }
    }
}

/// The service. Clones share the journals.
#[derive(Debug, Clone)]
pub(super) struct Events {
    pub(super) journals: Journals,
}

impl Events {
    pub(super) async fn open(
        &self,
        request: v1::SubscribeRequest,
        peer: Option<Peer>,
        gate: &Gate,
    ) -> Result<Subscriber, CallError> {
        let (journal, plan) = convert::subscribe_plan(request, peer, gate)?;
        let feed = match &plan.start {
            Origin::Place(_) => self.journals.find(gate, &journal)?,
            Origin::Cursor(name) => self.journals.keeper_in(gate, &journal, name)?,
        };
        gate.has_detail(|| format!("{:?}", plan.start));
        Ok(feed.subscribe(plan).await?)
    }

    async fn read(&self, gate: &Gate, request: v1::ReadEventsRequest) -> Result<Bytes, CallError> {
        let (journal, plan) = convert::read_plan(request)?;
        let feed = self.journals.find(gate, &journal)?;
        gate.has_detail(|| format!("{:?}", plan.start));
        let reading = feed.read(&plan).await?;
        let rest = v1::ReadEventsResponse {
            events: Vec::new(),
            through: Some(response::position(reading.epoch, reading.through)),
            earliest_sequence: reading.earliest.get(),
            latest_sequence: reading.latest.get(),
            gaps: reading.gaps.into_iter().map(response::gap).collect(),
        };
        // Events are field 1 here as well, so the stored bytes are the encoding of the list.
        let mut bytes = BytesMut::with_capacity(reading.elements.len() + rest.encoded_len());
        reading.elements.write(&mut bytes);
        bytes.extend_from_slice(&rest.encode_to_vec());
        Ok(bytes.freeze())
    }

    async fn get(&self, gate: &Gate, request: v1::GetEventRequest) -> Result<v1::Event, CallError> {
        let (feed, sequence) = self.journals.find_event(gate, &request.name)?;
        gate.has_detail(|| sequence.to_string());
        let view = convert::view(request.view)?;
        let entry = match feed.event(sequence).await {
            Err(FeedError::EventNotFound { .. }) => {
                return Err(CallError::Request(RequestError::NotFound {
                    resource: Resource::Event,
                    name: request.name,
                }));
            }
            other => other?,
        };
        let mut element = BytesMut::new();
        entry.view(view).write(&mut element);
        let mut events = decode::<v1::ReadEventsResponse>(element.freeze())?.events;
        events
            .pop()
            .ok_or(CallError::Internal("a stored event is empty"))
    }
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, CallError> {
    M::decode(bytes).map_err(|_| CallError::Internal("stored bytes do not decode"))
}

#[tonic::async_trait]
impl EventService for Events {
    async fn read_events(
        &self,
        request: Request<v1::ReadEventsRequest>,
    ) -> Result<Response<v1::ReadEventsResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let bytes = self.read(&gate, request.into_inner()).await?;
        Ok(Response::new(decode(bytes)?))
    }

    async fn get_event(
        &self,
        request: Request<v1::GetEventRequest>,
    ) -> Result<Response<v1::GetEventResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let event = self.get(&gate, request.into_inner()).await?;
        Ok(Response::new(v1::GetEventResponse { event: Some(event) }))
    }

    async fn get_journal(
        &self,
        request: Request<v1::GetJournalRequest>,
    ) -> Result<Response<v1::GetJournalResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let info = self.journals.find(&gate, &request.get_ref().name)?.info();
        let journal = Some(response::journal(&info));
        Ok(Response::new(v1::GetJournalResponse { journal }))
    }

    async fn list_journals(
        &self,
        request: Request<v1::ListJournalsRequest>,
    ) -> Result<Response<v1::ListJournalsResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref();
        let all = self.journals.all(&gate);
        let all = all.map(|feed| (feed.name().to_string(), feed));
        let (feeds, next_page_token) = paging::page(all, asked.page_size, &asked.page_token)?;
        Ok(Response::new(v1::ListJournalsResponse {
            journals: feeds
                .iter()
                .map(|feed| response::journal(&feed.info()))
                .collect(),
            next_page_token,
        }))
    }
}
