//! [`NotificationsConnector`]: one channel's worth of topics, as the engine sees it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::protocol::ChannelLink;
use super::rest::Rest;
use super::topics::{Kind, Names, parse};
use super::{NAME, normalize, recover};
use crate::auth::AccessToken;
use crate::connectors::{
    Batch, COVERAGE_MARK, Call, Capabilities, Connector, Family, Handshake, Identity, Link,
    LossWindow, NumberRange, Opening, ProviderEvent, READ_BUFFER, Recoverer, Redundancy, Tracked,
    Unreadable, Verdict,
};
use crate::domain::Platform;
use crate::net::{HttpResponse, UrlPolicy};
use crate::proto::v1;

/// The pong that confirms comes at once, or the connection is useless.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// REST may lag behind the events by some seconds (4.1).
const REST_LAG: Duration = Duration::from_secs(5);

/// What every connector of a session shares.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) source: String,
    pub(super) rest: Rest,
    pub(super) addresses: UrlPolicy,
    pub(super) redundancy: Redundancy,
}

/// What a connector shares with its links and recoverers.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) rest: Rest,
    pub(super) topics: Vec<String>,
    pub(super) names: Names,
    /// What could not be subscribed to in the first place, with the reason.
    pub(super) unresolved: Vec<(String, String)>,
}

/// One channel's worth of topics.
#[derive(Debug)]
pub(super) struct NotificationsConnector {
    source: String,
    addresses: UrlPolicy,
    capabilities: Capabilities,
    shared: Arc<Shared>,
}

impl NotificationsConnector {
    pub(super) fn new(site: &Site, topics: Vec<String>, unresolved: Vec<(String, String)>) -> Self {
        Self {
            source: site.source.clone(),
            addresses: site.addresses.clone(),
            capabilities: capabilities(site.redundancy),
            shared: Arc::new(Shared {
                rest: site.rest.clone(),
                names: Names::new(&topics),
                topics,
                unresolved,
            }),
        }
    }
}

fn capabilities(redundancy: Redundancy) -> Capabilities {
    Capabilities {
        websocket: true,
        long_poll: false,
        identity: Identity::Neither,
        resumes: false,
        catch_up: false,
        overlap: true,
        loose_order: Duration::ZERO,
        confirm_within: CONFIRM_WITHIN,
        stop_on_clean_close: false,
        bound_to_token: true,
        rest_lag: REST_LAG,
        coverage_mark: COVERAGE_MARK,
        read_buffer: READ_BUFFER,
        connections: match redundancy {
            Redundancy::Single => 1,
            Redundancy::Double => 2,
        },
    }
}

impl Connector for NotificationsConnector {
    fn platform(&self) -> Platform {
        Platform::new(NAME)
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn topics(&self) -> &[String] {
        &self.shared.topics
    }

    fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = Vec::new();
        for name in self.shared.names.sorted() {
            let family = parse(name).kind.family();
            match families.iter_mut().find(|f| f.name == family) {
                Some(known) => known.topics.push(name.to_owned()),
                None => families.push(Family {
                    name: family,
                    topics: vec![name.to_owned()],
                }),
            }
        }
        families
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn addresses(&self) -> &UrlPolicy {
        &self.addresses
    }

    /// None: there is no other transport to choose, and the handshake itself carries no token.
    fn probe(&self) -> Option<Handshake> {
        None
    }

    fn link(&self, opening: Opening<'_>) -> Box<dyn Link> {
        Box::new(ChannelLink::new(Arc::clone(&self.shared), &opening))
    }

    fn catch_up(&self, _range: NumberRange, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn read_catch_up(&self, _answer: &HttpResponse) -> Result<Batch, Unreadable> {
        Err(Unreadable {
            what: "history",
            reason: "this platform numbers nothing".to_owned(),
        })
    }

    fn recover(&self, family: &str, window: &LossWindow) -> Option<Box<dyn Recoverer>> {
        recover::recoverer(&self.shared, family, window)
    }

    fn departed(&self, scope: &str, key: &str) -> Option<ProviderEvent> {
        let queue = scope.strip_prefix("queues/")?;
        let topic = format!("v2.routing.queues.{queue}.users");
        Some(ProviderEvent {
            topic: self.shared.names.spell(&topic).to_owned(),
            family: Kind::QueueMembers.family(),
            key: Some(format!("{queue}/{key}")),
            tracked: Some(Tracked {
                scope: scope.to_owned(),
                key: key.to_owned(),
                stands: false,
            }),
            ..ProviderEvent::default()
        })
    }

    /// None: heartbeats and pongs come through the channel itself, and a request every 15 s would
    /// take a tenth of the budget that snapshots need (3.1).
    fn health(&self, _token: &AccessToken) -> Option<Call> {
        None
    }

    fn handshake_verdict(&self, status: StatusCode) -> Option<Verdict> {
        // No token is shown at a handshake, so none of these is about it (2.4).
        matches!(status.as_u16(), 401 | 403 | 404).then_some(Verdict::Gone)
    }

    fn normalize(&self, event: &ProviderEvent) -> v1::Event {
        normalize::normalize(&self.source, event)
    }
}
