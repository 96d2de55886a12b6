//! HTTP on a connection and what is read of a request, whatever the platform.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

const BODY_READ: Duration = Duration::from_secs(10);
const LARGEST_HEAD: usize = 64 << 10;
/// A request's head takes no longer, nor does a connection idle longer between requests.
const IDLE: Duration = Duration::from_secs(75);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Speaks HTTP on a connection until it ends or is upgraded.
pub(in crate::sandbox) async fn converse<IO, S>(io: IO, service: S)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming>,
    S::ResBody: 'static,
    S::Error: Into<BoxError>,
    <S::ResBody as hyper::body::Body>::Error: Into<BoxError>,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(LARGEST_HEAD);
    let connection = server.serve_connection(TokioIo::new(io), service);
    if let Err(error) = connection.with_upgrades().await {
        tracing::debug!(error = &error as &dyn std::error::Error, "Connection ended");
    }
}

/// A body that was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Unread {
    /// It is too large, or it broke off.
    TooLarge,
    TooSlow,
}

/// Reads a body of at most `largest` bytes.
pub(in crate::sandbox) async fn read(body: Incoming, largest: usize) -> Result<Bytes, Unread> {
    let body = Limited::new(body, largest).collect();
    match tokio::time::timeout(BODY_READ, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Unread::TooLarge),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// A header that is text.
pub(in crate::sandbox) fn header(
    headers: &http::HeaderMap,
    name: http::HeaderName,
) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// The token of an `Authorization` header.
pub(in crate::sandbox) fn bearer(authorization: Option<&str>) -> Option<String> {
    let (scheme, token) = authorization?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().to_owned())
}
