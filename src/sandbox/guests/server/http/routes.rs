//! Which path means what, in which dialect. Pure.

use http::Method;

use crate::sandbox::guests::config::GuestDialect;
use crate::sandbox::guests::record::GuestOperation as Operation;

/// What a request asks for, and of which thing.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) operation: Operation,
    pub(super) id: Option<String>,
}

pub(super) fn route(dialect: GuestDialect, method: &Method, path: &str) -> Asked {
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let get = method == Method::GET;
    let (operation, id) = match (dialect, method.as_str(), &parts[..]) {
        (GuestDialect::WebMessaging, _, ["v1"]) if get => (Operation::Handshake, None),
        (
            GuestDialect::WebMessaging,
            _,
            ["webdeployments", "v1", "deployments", id, "config.json"],
        ) if get => (Operation::Deployment, Some(*id)),
        (GuestDialect::WebMessaging, _, ["api", "v2", "webmessaging", "messages"]) if get => {
            (Operation::History, None)
        }
        (GuestDialect::WebMessaging, "GET" | "PUT", ["attachments", id]) => {
            (Operation::Attachment, Some(*id))
        }
        (GuestDialect::Webchat, "POST", ["oauth", "token"] | ["api", "v2", "oauth", "token"]) => {
            (Operation::Token, None)
        }
        (GuestDialect::Webchat, "POST", ["api", "v2", "webchat", "guests"]) => {
            (Operation::Guest, None)
        }
        (GuestDialect::Webchat, _, ["api", "v2", "webchat", "instances", id, "websocket"])
            if get =>
        {
            (Operation::Handshake, Some(*id))
        }
        (GuestDialect::Webchat, "POST", ["api", "v2", "webchat", "instances", id, "messages"]) => {
            (Operation::Message, Some(*id))
        }
        _ => (Operation::Other, None),
    };
    let id = id.map(|id| {
        let decoded = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
        decoded.into_owned()
    });
    Asked { operation, id }
}
