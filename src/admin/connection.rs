//! One connection of an operator: HTTP/1.1 or HTTP/2, everything bounded.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// The most a request's head may take; probes send some 200 B, browsers a few KiB.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// How long a request's head may take to arrive, and an idle connection may stay.
pub(super) const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// Serves `routes` on a connection, for at most `lasts`.
pub(super) async fn serve<S>(stream: S, routes: Router, lasts: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(16)
        .keep_alive_interval(HEADER_DEADLINE)
        .keep_alive_timeout(HEADER_DEADLINE);
    let service = TowerToHyperService::new(routes);
    let serving = server.serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(lasts, serving).await {
        tracing::debug!(error, "Connection of an operator ended");
    }
}
