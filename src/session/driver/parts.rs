//! [`DriverParts`]: what the driver of one session, or of one channel of it, needs of the world.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::auth::{Sealer, TokenSource};
use crate::connectors::Connector;
use crate::journal::Journal;
use crate::net::HttpClient;
use crate::proto::v1;
use crate::runtime::{Clock, Rng};
use crate::session::health::HealthDesk;
use crate::session::machine::Endpoint;
use crate::session::ordering::SharedIds;
use crate::session::outbound::OutboundSettings;
use crate::session::vitals::Vitals;
use crate::session::{SessionConfig, SessionStats};
use crate::telemetry::traces::Tracer;

/// What a driver needs of the world.
pub(in crate::session) struct DriverParts<C: HttpClient> {
    pub(in crate::session) config: SessionConfig,
    /// Replaced when what the session subscribes to is found to have changed.
    pub(in crate::session) connector: watch::Receiver<Arc<dyn Connector>>,
    /// Where else the same can be had.
    pub(in crate::session) alternatives: Vec<Endpoint>,
    /// Where the health of endpoints is known.
    pub(in crate::session) health: HealthDesk,
    /// Where its state stands in the journal.
    pub(in crate::session) prefix: String,
    pub(in crate::session) http: Arc<C>,
    pub(in crate::session) tokens: Arc<dyn TokenSource>,
    pub(in crate::session) journal: Arc<dyn Journal>,
    pub(in crate::session) clock: Clock,
    pub(in crate::session) rng: Rng,
    pub(in crate::session) stats: Arc<SessionStats>,
    pub(in crate::session) reconnect: Arc<Notify>,
    pub(in crate::session) posts: Posts,
    /// Seals what of its state acts as a credential.
    pub(in crate::session) sealer: Option<Arc<Sealer>>,
    /// How it sends, where it does.
    pub(in crate::session) outbound: Option<OutboundSettings>,
    /// The journal's recent ids, for platforms that name their events.
    pub(in crate::session) recent_ids: SharedIds,
    /// What records the traces of its events.
    pub(in crate::session) tracer: Tracer,
}

/// Where a driver posts its state.
pub(in crate::session) type Posts = Arc<dyn Fn(v1::Session, Vitals) + Send + Sync>;
