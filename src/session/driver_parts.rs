//! [`DriverParts`]: what the driver of one session, or of one channel of it, needs of the world.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::health::HealthDesk;
use super::machine::Endpoint;
use super::ordering::SharedIds;
use super::outbound::OutboundSettings;
use super::{SessionConfig, SessionStats};
use crate::auth::{Sealer, TokenSource};
use crate::connectors::Connector;
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::proto::v1;
use crate::runtime::{Clock, Rng};

/// What a driver needs of the world.
pub(super) struct DriverParts<C: HttpClient> {
    pub(super) config: SessionConfig,
    /// Replaced when what the session subscribes to is found to have changed.
    pub(super) connector: watch::Receiver<Arc<dyn Connector>>,
    /// Where else the same can be had.
    pub(super) alternatives: Vec<Endpoint>,
    /// Where the health of endpoints is known.
    pub(super) health: HealthDesk,
    /// Where its state stands in the journal.
    pub(super) prefix: String,
    pub(super) http: Arc<C>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) stats: Arc<SessionStats>,
    pub(super) reconnect: Arc<Notify>,
    pub(super) posts: Posts,
    /// Seals what of its state acts as a credential.
    pub(super) sealer: Option<Arc<Sealer>>,
    /// How it sends, where it does.
    pub(super) outbound: Option<OutboundSettings>,
    /// The journal's recent ids, for platforms that name their events.
    pub(super) recent_ids: SharedIds,
}

/// Where a driver posts its state.
pub(super) type Posts = Arc<dyn Fn(v1::Session) + Send + Sync>;
