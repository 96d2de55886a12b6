//! The platform's decisions: what is issued, kept, delivered and refused. No socket, no task: the
//! files here are driven by the shells in `server`.

mod answer;
mod batch;
mod counters;
mod event;
mod frames;
mod hold;
mod issue;
mod ledger;
mod log;
mod pacer;
mod record;
mod requests;
mod socket;
mod state;
mod subscription;
mod throttle;
mod tokens;
mod words;
mod world;

pub(crate) use answer::{Answer, Bearer, Cut, Delayed, Reply, UpgradeAnswer, code};
pub(crate) use batch::{LOGIN_PAGE, error as error_body};
pub use counters::{Counters, Outcome, RequestCount, RequestKind};
pub(crate) use event::quoted;
pub(crate) use hold::{Hold, HoldTurn};
pub use issue::{Emission, InvalidEvent, OwnEvent, StoryEvents};
pub use ledger::{Digest, Fate, LedgerEntry, LedgerPage};
pub(crate) use log::Log;
pub(crate) use pacer::Pacer;
pub use record::{ConnectionStatus, Delivery, RequestEntry, SubscriptionStatus, Transport};
pub(crate) use requests::token_answer;
pub(crate) use socket::{Socket, Turn};
pub(crate) use state::{State, SubscriptionKey};
pub use subscription::UnknownPosition;
pub(crate) use throttle::Throttle;
pub use tokens::ClientCredentials;
pub(crate) use tokens::{Refusal, TokenRequest, Tokens, basic};
pub use words::EventsDialect;
pub(crate) use words::{Words, decimals};
pub(crate) use world::{Draft, World};
