//! Frames of a notification socket, as the platform writes them. Pure.

use serde_json::{Value, json};

use crate::sandbox::genesys_cloud::fault::BadFrame;

/// Comes by itself, every so often.
pub(crate) const HEARTBEAT: &str =
    r#"{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}"#;
/// The answer to `{"message":"ping"}`.
pub(crate) const PONG: &str = r#"{"topicName":"channel.metadata","eventBody":{"message":"pong"}}"#;

/// A message of the platform itself, which nobody subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTopic {
    NoLongerSubscribed,
    TokenRevoked,
}

/// An event; `body` stands in it as it is, `correlation` is of this delivery.
pub(crate) fn event(topic: &str, body: &str, correlation: &str) -> String {
    let topic = json!(topic);
    format!(
        r#"{{"topicName":{topic},"version":"2","eventBody":{body},"metadata":{{"CorrelationId":"{correlation}"}}}}"#
    )
}

/// A message that ends a channel.
pub(crate) fn system(what: SystemTopic, channel: &str, client: &str, correlation: &str) -> String {
    let (name, kind, reason) = match what {
        SystemTopic::NoLongerSubscribed => (
            "no_longer_subscribed",
            "no_longer_subscribed",
            "another_channel_subscribed",
        ),
        SystemTopic::TokenRevoked => ("token_revoked", "token_revoked", "user_tokens_revoked"),
    };
    let body = json!({
        "channelId": channel, "systemTopicType": kind, "reason": reason,
        "correlationId": correlation, "oauthClientId": client,
    });
    let topic = format!("v2.system.{name}.{channel}");
    event(&topic, &body.to_string(), correlation)
}

/// This socket will be closed on purpose.
pub(crate) fn closing(channel: &str, seconds: u64, correlation: &str) -> String {
    let body = json!({
        "channelId": channel,
        "message": format!("This socket will be closed in about {seconds} seconds. Please reconnect."),
    });
    event("v2.system.socket_closing", &body.to_string(), correlation)
}

/// The topics of this channel changed.
pub(crate) fn updated(channel: &str, client: &str, correlation: &str) -> String {
    let body = json!({
        "channelId": channel, "systemTopicType": "subscription_changed",
        "correlationId": correlation, "oauthClientId": client,
    });
    event("v2.subscription.updated", &body.to_string(), correlation)
}

/// An answer to what was asked on the socket; `result` is a string.
pub(crate) fn reply(result: u16, word: &str, message: Option<&str>, correlation: &Value) -> String {
    let mut body = json!({ "result": result.to_string() });
    if let Some(body) = body.as_object_mut() {
        if !word.is_empty() {
            body.insert("status".to_owned(), word.into());
        }
        if let Some(message) = message {
            body.insert("message".to_owned(), message.into());
        }
        if !correlation.is_null() {
            body.insert("correlationId".to_owned(), correlation.clone());
        }
    }
    body.to_string()
}

/// What is sent instead of a good frame.
pub(crate) fn malformed(frame: &str, form: BadFrame) -> String {
    match form {
        BadFrame::Truncated => frame.chars().take(frame.chars().count() / 2).collect(),
        BadFrame::Text => "upstream connect error or disconnect/reset before headers".to_owned(),
        BadFrame::NoTopic => r#"{"version":"2","metadata":{}}"#.to_owned(),
        BadFrame::Nul => "\0".to_owned(),
    }
}
