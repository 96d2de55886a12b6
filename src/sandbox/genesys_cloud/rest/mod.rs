//! The API: every request against the state, as a function. Pure.

mod account;
mod answer;
mod conversations;
mod details;
mod notifications;
mod page;
mod people;
mod queues;
mod route;
mod workforce;

use std::time::Duration;

pub(crate) use answer::{Answer, Delayed, Refusal, UpgradeAnswer, code};
pub(crate) use page::Query;
pub use route::Operation;
pub(crate) use route::route;
use serde::de::DeserializeOwned;

use super::fault::{GenesysFault, GenesysFaultName};
use super::state::State;
use super::tokens::Access;
use super::world::PRESENT;
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) operation: Operation,
    /// The ids in its path.
    pub(crate) ids: &'a [String],
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) body: &'a [u8],
    /// Where the client reached us, as far as it said so.
    pub(crate) base: &'a str,
    /// What stands in `ININ-Correlation-Id`.
    pub(crate) correlation: &'a str,
    pub(crate) now: MonoTime,
    pub(crate) wall: WallTime,
}

/// A good answer, or why there is none.
pub(crate) type Rest = Result<Answer, Refusal>;

impl Ask<'_> {
    /// The first id in the path.
    fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|error| Refusal::bad(format!("The request body is not valid: {error}")))
    }
}

impl State {
    /// Answers a request.
    pub(crate) fn answer(&mut self, ask: &Ask<'_>) -> Delayed {
        if ask.operation == Operation::Token {
            return self.answer_token(ask);
        }
        let delay = match self.strike_under(GenesysFaultName::RestSlow, ask.path) {
            Some(GenesysFault::RestSlow { delay, .. }) => delay.0,
            _ => Duration::ZERO,
        };
        let (answered, retry_after) =
            match self.strike_under(GenesysFaultName::RestStatus, ask.path) {
                Some(GenesysFault::RestStatus {
                    status,
                    retry_after,
                    ..
                }) => (Err(Refusal::injected(status)), retry_after),
                _ => (self.serve(ask), None),
            };
        let mut answer = answered.unwrap_or_else(|refusal| refusal.into_answer(ask.correlation));
        answer.retry_after = retry_after.or(answer.retry_after);
        Delayed { answer, delay }
    }

    fn serve(&mut self, ask: &Ask<'_>) -> Rest {
        let per_minute = self.config.requests_per_minute;
        let access = self
            .tokens
            .admit(ask.bearer, ask.now)
            .map_err(|why| Refusal::unauthorized(why, per_minute))?;
        let needed = ask.operation.permissions();
        let mut granted = needed.iter().map(|one| self.tokens.may(access.client, one));
        if !needed.is_empty() && !granted.any(|may| may) {
            return Err(Refusal::missing(needed));
        }
        self.carry_out(ask, access)
    }

    fn carry_out(&mut self, ask: &Ask<'_>, access: Access) -> Rest {
        let seen = self.seen(ask.wall);
        match ask.operation {
            Operation::TokenInfo | Operation::TokenCheck | Operation::TokenRevocation => {
                Ok(self.own_token(ask, access))
            }
            Operation::MakeChannel => Ok(self.make_channel(ask, access)),
            Operation::ListChannels => self.list_channels(ask, access),
            Operation::CheckChannel => self.check_channel(ask, access),
            Operation::ListTopics => self.list_topics(ask, access),
            Operation::AddTopics => self.subscribe(ask, access, false),
            Operation::ReplaceTopics => self.subscribe(ask, access, true),
            Operation::RemoveTopics => self.remove_topics(ask, access),
            Operation::AvailableTopics => Ok(notifications::available(ask)),
            Operation::Users => people::users(&self.world, ask, seen),
            Operation::User => people::user(&self.world, ask, seen),
            Operation::Presence => people::presence(&self.world, ask, seen),
            Operation::PresenceBulk => people::presences(&self.world, ask, seen),
            Operation::RoutingStatus => people::routing_status(&self.world, ask, seen),
            Operation::UserState => people::account_state(&self.world, ask),
            Operation::Queues => queues::queues(&self.world, ask, seen),
            Operation::Queue => queues::queue(&self.world, ask, seen),
            Operation::QueueMembers => queues::members(&self.world, ask, seen),
            Operation::QueueObservations => queues::observations(&self.world, ask, seen),
            Operation::UserDetails => details::users(&self.world, ask, seen),
            Operation::ConversationDetails => details::conversations(&self.world, ask, seen),
            Operation::ConversationsById => conversations::details_by_id(&self.world, ask, seen),
            Operation::OneConversationDetails => conversations::details(&self.world, ask, seen),
            Operation::OwnConversations => Ok(conversations::own()),
            Operation::Conversation => conversations::conversation(&self.world, ask, seen),
            Operation::Adherence => workforce::adherence(&self.world, ask, seen),
            Operation::ManagementUnits => Ok(workforce::units(&self.world)),
            Operation::UnitAdherence => workforce::unit_adherence(&self.world, ask, seen),
            Operation::Organization => Ok(account::organization(&self.world)),
            Operation::Me => Err(account::nobody()),
            Operation::Token | Operation::Socket | Operation::Other => {
                Err(Refusal::not_found("resource"))
            }
        }
    }

    /// What the API shows is older than what events tell: the time that it shows.
    pub(crate) fn seen(&mut self, wall: WallTime) -> WallTime {
        let more = match self.strike(GenesysFaultName::SnapshotLag) {
            Some(GenesysFault::SnapshotLag { by }) => by.0,
            _ => Duration::ZERO,
        };
        let lag = self.config.snapshot_lag + more;
        // Without a lag nothing is hidden, not even what has the date of the next millisecond.
        if lag.is_zero() {
            PRESENT
        } else {
            wall.minus(lag)
        }
    }
}
