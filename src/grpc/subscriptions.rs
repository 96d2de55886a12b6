//! `SubscriptionService` over the cursors that the journals keep.

use tonic::{Request, Response, Status};

use super::convert;
use super::events::Journals;
use super::identity::Gate;
use super::paging;
use super::response;
use super::status::{CallError, RequestError};
use crate::domain::SubscriptionName;
use crate::feed::{Cursor, Feed};
use crate::proto::v1;
use v1::subscription_service_server::SubscriptionService;

/// The service.
#[derive(Debug)]
pub(super) struct Subscriptions {
    pub(super) journals: Journals,
}

impl Subscriptions {
    /// A cursor's name and the journal that keeps it.
    fn find(&self, gate: &Gate, name: &str) -> Result<(SubscriptionName, &Feed), RequestError> {
        let known = convert::subscription_name(name)?;
        let feed = self.journals.keeper(gate, &known)?;
        Ok((known, feed))
    }

    async fn create(
        &self,
        gate: &Gate,
        asked: v1::CreateSubscriptionRequest,
    ) -> Result<v1::Subscription, CallError> {
        let name = SubscriptionName::new(&asked.subscription_id);
        let name = name.map_err(|wrong| RequestError::Invalid {
            field: "subscription_id",
            problem: wrong.to_string(),
        })?;
        let draft = asked.subscription.unwrap_or_default();
        let feed = self.journals.find(gate, &draft.journal)?;
        let start = convert::initial_start(asked.start, draft.committed)?;
        let bytes = draft.max_retained_bytes;
        let cursor = feed.create_cursor(name.clone(), start, bytes).await?;
        Ok(subscription(&name, &cursor, feed))
    }

    async fn seek(
        &self,
        gate: &Gate,
        asked: v1::SeekSubscriptionRequest,
    ) -> Result<v1::Subscription, CallError> {
        let (name, feed) = self.find(gate, &asked.name)?;
        let target = convert::seek_target(asked.target)?;
        let cursor = feed.seek_cursor(name.clone(), target).await?;
        Ok(subscription(&name, &cursor, feed))
    }

    async fn commit(
        &self,
        gate: &Gate,
        asked: v1::CommitSubscriptionRequest,
    ) -> Result<v1::Position, CallError> {
        let (name, feed) = self.find(gate, &asked.name)?;
        let to = convert::required_position(asked.position)?;
        let committed = feed.commit_cursor(name, asked.lease, to).await?;
        Ok(response::position(committed.epoch, committed.sequence))
    }
}

fn subscription(name: &SubscriptionName, cursor: &Cursor, feed: &Feed) -> v1::Subscription {
    response::subscription(name, cursor, &feed.info())
}

#[tonic::async_trait]
impl SubscriptionService for Subscriptions {
    async fn create_subscription(
        &self,
        request: Request<v1::CreateSubscriptionRequest>,
    ) -> Result<Response<v1::CreateSubscriptionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let subscription = Some(self.create(&gate, request.into_inner()).await?);
        let answer = v1::CreateSubscriptionResponse { subscription };
        Ok(Response::new(answer))
    }

    async fn get_subscription(
        &self,
        request: Request<v1::GetSubscriptionRequest>,
    ) -> Result<Response<v1::GetSubscriptionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = &request.get_ref().name;
        let (name, feed) = self.find(&gate, asked)?;
        // It may have gone since it was found.
        let cursor = feed
            .cursor(&name)
            .ok_or_else(|| convert::no_cursor(asked))?;
        let subscription = Some(subscription(&name, &cursor, feed));
        Ok(Response::new(v1::GetSubscriptionResponse { subscription }))
    }

    async fn list_subscriptions(
        &self,
        request: Request<v1::ListSubscriptionsRequest>,
    ) -> Result<Response<v1::ListSubscriptionsResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.get_ref();
        let of_feed = |feed: &Feed| {
            let info = feed.info();
            let all = feed.all_cursors().into_iter();
            all.map(|(name, cursor)| {
                let message = response::subscription(&name, &cursor, &info);
                (name.to_string(), message)
            })
            .collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.journals.all(&gate).flat_map(of_feed).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (subscriptions, next_page_token) =
            paging::page(all, asked.page_size, &asked.page_token)?;
        Ok(Response::new(v1::ListSubscriptionsResponse {
            subscriptions,
            next_page_token,
        }))
    }

    async fn delete_subscription(
        &self,
        request: Request<v1::DeleteSubscriptionRequest>,
    ) -> Result<Response<v1::DeleteSubscriptionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let asked = request.into_inner();
        let (name, feed) = self.find(&gate, &asked.name)?;
        let deleted = feed.delete_cursor(name, asked.etag).await;
        deleted.map_err(CallError::from)?;
        Ok(Response::new(v1::DeleteSubscriptionResponse {}))
    }

    async fn commit_subscription(
        &self,
        request: Request<v1::CommitSubscriptionRequest>,
    ) -> Result<Response<v1::CommitSubscriptionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let committed = Some(self.commit(&gate, request.into_inner()).await?);
        Ok(Response::new(v1::CommitSubscriptionResponse { committed }))
    }

    async fn seek_subscription(
        &self,
        request: Request<v1::SeekSubscriptionRequest>,
    ) -> Result<Response<v1::SeekSubscriptionResponse>, Status> {
        let gate = Gate::of(request.extensions())?;
        let subscription = Some(self.seek(&gate, request.into_inner()).await?);
        Ok(Response::new(v1::SeekSubscriptionResponse { subscription }))
    }
}
