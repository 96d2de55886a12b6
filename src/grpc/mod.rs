//! The gRPC edge: `tieline.v1`, health and reflection on TCP and Unix sockets.
//!
//! The edge checks requests, hands them to the feeds and the session board, and turns what comes
//! back into messages and statuses. It decides nothing about delivery.

mod admin;
mod body;
mod calls;
mod codec;
mod convert;
mod erase;
mod events;
mod forwarded;
mod health;
mod identity;
mod limits;
mod listener;
mod messaging;
mod outbox;
mod paging;
mod panic;
mod peer;
mod response;
mod sends;
mod server;
mod sessions;
mod status;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod traced;
mod watch;
mod web;

pub use self::admin::{Access, AdminParts, admin_routes};
pub use self::calls::{CallStats, MethodSnapshot};
pub use self::health::Health;
pub use self::identity::{
    Callers, FileError, Gate, Handshakes, Insecure, ListenAuthConfig, ListenTlsConfig,
    OperatorRefused, PermissionConfig, Right, Shown, Spoken, TlsKeys,
};
pub use self::limits::{ConnectionSnapshot, ConnectionStats, PeerLimits, ServerLimits};
pub use self::listener::{Accepted, BindError, Listener, SocketMode};
pub use self::peer::Peer;
pub use self::server::{Reach, Server, ServerError, ServerParts};
pub use self::status::DOMAIN;
pub use self::watch::SessionWatch;

/// Reads bytes as each of the requests that carry most, and checks what they ask for; for fuzzing.
#[cfg(any(test, feature = "testing"))]
pub fn read_requests(bytes: &[u8]) {
    use crate::proto::v1;
    use prost::Message;
    if let Ok(request) = v1::SubscribeRequest::decode(bytes) {
        drop(convert::subscribe_plan(request, None, &Gate::open()));
    }
    if let Ok(request) = v1::ReadEventsRequest::decode(bytes) {
        drop(convert::read_plan(request));
    }
    if let Ok(request) = v1::SeekSubscriptionRequest::decode(bytes) {
        drop(convert::subscription_name(&request.name));
        drop(convert::seek_target(request.target));
    }
}

/// The server of `EventService` without its `Subscribe`.
#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
mod event_service {
    include!(concat!(env!("OUT_DIR"), "/tieline.v1.EventService.rs"));
}
