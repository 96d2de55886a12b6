//! The WebSocket opening handshake through reqwest, so that proxies, TLS roots and DNS are those of
//! every other request.

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::timeout_at;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::contract::{HandshakeFailure, HttpFailure, WebSocketRequest};
use super::failure;
use super::websocket::Socket;
use crate::runtime::MonoTime;

/// How much of a refusal's body is kept: enough for an error in JSON, not for an error page.
pub(super) const REFUSAL_LIMIT: usize = 16 * 1024;

/// Opens a WebSocket. The deadline covers everything from DNS to the 101, because a proxy that
/// swallows the 101 causes no error of any kind (U2).
pub(super) async fn open(
    client: &reqwest::Client,
    mut request: WebSocketRequest,
    deadline: MonoTime,
) -> Result<Socket, HandshakeFailure> {
    let too_late = |_| HandshakeFailure::Timeout(request.timeout);
    let key = generate_key();
    let offered = request.headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
    add_handshake_headers(&mut request.headers, &key)?;
    let sent = client.get(request.url).headers(request.headers).send();
    let response = timeout_at(deadline, sent)
        .await
        .map_err(too_late)?
        .map_err(|error| HandshakeFailure::Http(failure::before_head(&error)))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(response, deadline).await);
    }
    verify(response.headers(), &key, offered.as_ref()).map_err(HandshakeFailure::NotWebSocket)?;
    let upgraded = timeout_at(deadline, response.upgrade())
        .await
        .map_err(too_late)?
        .map_err(|error| HandshakeFailure::Http(failure::before_head(&error)))?;
    Ok(Socket::new(upgraded, request.max_message, request.read_buffer).await)
}

pub(super) fn add_handshake_headers(
    headers: &mut HeaderMap,
    key: &str,
) -> Result<(), HandshakeFailure> {
    let key = HeaderValue::from_str(key)
        .map_err(|error| HandshakeFailure::Http(HttpFailure::Connect(error.to_string())))?;
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, key);
    // No extension is offered, so that no decompression can blow up a frame.
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    Ok(())
}

/// The answer is known already: a body that breaks or stalls does not change it.
async fn refusal(mut response: reqwest::Response, deadline: MonoTime) -> HandshakeFailure {
    let mut body = BytesMut::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        let room = REFUSAL_LIMIT.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= REFUSAL_LIMIT {
            break;
        }
    }
    HandshakeFailure::Status {
        status: response.status(),
        headers: Box::new(std::mem::take(response.headers_mut())),
        body: Bytes::from(body),
    }
}

/// Whether a 101 is a WebSocket's (RFC 6455 section 4.1); the error names what is wrong.
pub(super) fn verify(
    headers: &HeaderMap,
    key: &str,
    offered: Option<&HeaderValue>,
) -> Result<(), String> {
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err("Upgrade is not websocket".to_owned());
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err("Connection is not upgrade".to_owned());
    }
    let accept = derive_accept_key(key.as_bytes());
    if headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes) != Some(accept.as_bytes()) {
        return Err("Sec-WebSocket-Accept does not match the key".to_owned());
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err("an extension that was not offered".to_owned());
    }
    match (headers.get(SEC_WEBSOCKET_PROTOCOL), offered) {
        (None, _) => Ok(()),
        (Some(chosen), Some(offered)) if tokens(offered).any(|one| chosen == one) => Ok(()),
        (Some(_), _) => Err("a sub-protocol that was not offered".to_owned()),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(tokens)
        .any(|one| one.eq_ignore_ascii_case(token))
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn check(lines: &[(&'static str, &'static str)], offered: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let offered = offered.map(HeaderValue::from_static);
        verify(&headers, KEY, offered.as_ref()).is_ok()
    }

    #[test]
    fn only_a_complete_handshake_is_a_websocket() {
        let upgrade = ("upgrade", "WebSocket");
        let connection = ("connection", "keep-alive, Upgrade");
        let accept = ("sec-websocket-accept", ACCEPT);
        let protocol = ("sec-websocket-protocol", "b");
        assert!(check(&[upgrade, connection, accept], None));
        assert!(check(
            &[upgrade, connection, accept, protocol],
            Some("a, b")
        ));
        for wrong in [
            &[connection, accept][..],
            &[upgrade, accept],
            &[upgrade, connection],
            &[("upgrade", "h2c"), connection, accept],
            &[upgrade, ("connection", "close"), accept],
            &[upgrade, connection, ("sec-websocket-accept", "AAAA")],
            &[upgrade, connection, accept, protocol],
            &[
                upgrade,
                connection,
                accept,
                ("sec-websocket-extensions", "permessage-deflate"),
            ],
        ] {
            assert!(!check(wrong, None), "{wrong:?}");
        }
        assert!(!check(
            &[upgrade, connection, accept, protocol],
            Some("a, bb")
        ));
    }
}
