//! [`Server`]: every service of the gRPC listener, on any number of sockets at once.
//!
//! Layers, outermost first: the door for browsers → gRPC-Web → places for calls → trace context and
//! span → metrics → panic to INTERNAL → caller identity → service. What any peer may do stands in
//! [`super::limits`].

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, ServiceExt};

use super::calls::{CallStats, CountCalls, Counted};
use super::events::{Events, Journals};
use super::health::Health;
use super::identity::{Callers, Identified, Identify};
use super::limits::{
    Admit, Admitted, ConnectionStats, Cut, FIRST_WORDS, Hall, Metered, ServerLimits, Stay, Verdict,
    patient,
};
use super::listener::{Accepted, Listener};
use super::messaging::Messaging;
use super::outbox::{Outbox, Turns};
use super::panic::{CatchPanic, Caught};
use super::peer::Peer;
use super::sessions::Sessions;
use super::subscribe::EventRoutes;
use super::subscriptions::Subscriptions;
use super::traced::{Trace, Traced};
use super::web::{Door, Guarded};
use crate::feed::Feed;
use crate::proto::v1::messaging_service_server::MessagingServiceServer;
use crate::proto::v1::session_service_server::SessionServiceServer;
use crate::proto::v1::subscription_service_server::SubscriptionServiceServer;
use crate::runtime::{Clock, Drain, Rng};
use crate::session::{Guests, SessionBoard};
use crate::telemetry::traces::Tracer;

/// Heartbeats are messages; pings find peers that are gone. They wait behind buffered data, and a
/// slow link is not a dead one, hence the long patience.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(60);
/// How long ended streams may take to reach their peers, and their readers to commit what they got.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Likewise, of a connection whose certificate is not trusted any more.
const FAREWELL: Duration = Duration::from_millis(250);
/// Pause after a failed accept, which is a lack of descriptors more often than not.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a peer may send at once; requests are small.
const WINDOW: u32 = 1 << 20;
const FRAME: u32 = 64 << 10;
const HEADERS: u32 = 16 << 10;
pub(super) const REQUEST: usize = 1 << 20;
/// What may wait for a slow peer on one stream, besides the response at hand.
const SEND_BUFFER: usize = 64 << 10;
/// Resets that a peer may cause faster than they are handled (rapid reset).
const PENDING_RESETS: usize = 20;
/// Resets of ours that a peer may cause by its mistakes, on one connection.
const LOCAL_RESETS: usize = 128;
/// What may wait of one connection of HTTP/1.1.
const OLD_BUFFER: usize = 64 << 10;

/// Who calls from afar, besides who is bound by [`ServerLimits`].
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Origins whose pages may call by gRPC-Web, as browsers write them; none: no browser is served.
    pub origins: Vec<String>,
    /// Names besides those of loopback under which a browser may call.
    pub hosts: Vec<String>,
    /// Proxies that are believed when they say for whom they call.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// What a server serves.
#[derive(Debug)]
pub struct ServerParts {
    /// The journals. They share one [`Registry`](crate::feed::Registry).
    pub feeds: Vec<Feed>,
    /// The sessions.
    pub sessions: SessionBoard,
    /// Those that `CreateSession` opens.
    pub guests: Guests,
    /// Health, shared with other listeners.
    pub health: Health,
    /// Time.
    pub clock: Clock,
    /// Chance: jitter of delays.
    pub rng: Rng,
    /// Told when the process is about to leave: health says so while streams still run.
    pub announce: Drain,
    /// Told when calls are to end; the feeds' own.
    pub drain: Drain,
    /// Bounds.
    pub limits: ServerLimits,
    /// Browsers and proxies.
    pub reach: Reach,
    /// What records calls and deliveries.
    pub tracer: Tracer,
    /// Who may call.
    pub callers: Callers,
}

/// What answers calls.
type Calls = Traced<Counted<Caught<Identified<Routes>>>>;
/// What answers those of one connection.
type Served = Guarded<GrpcWebService<Admitted<Calls>>>;

/// The gRPC edge, ready to serve.
#[derive(Debug)]
pub struct Server {
    routes: Routes,
    calls: Arc<CallStats>,
    feeds: Vec<Feed>,
    sessions: SessionBoard,
    health: Health,
    announce: Drain,
    drain: Drain,
    hall: Hall,
    door: Door,
    trusted_proxies: Arc<[ipnet::IpNet]>,
    tracer: Tracer,
    callers: Callers,
}

/// Why a server cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("register reflection: {0}")]
pub struct ServerError(#[from] tonic_reflection::server::Error);

impl Server {
    /// Puts the services together.
    ///
    /// # Errors
    /// When the compiled-in descriptor set is damaged.
    pub fn new(parts: ServerParts) -> Result<Self, ServerError> {
        let journals = Journals::new(parts.feeds.iter().cloned());
        let hall = Hall::new(parts.limits, parts.rng.fork("callers"));
        let Reach {
            origins,
            hosts,
            trusted_proxies,
        } = parts.reach;
        let events = Events {
            journals: journals.clone(),
        };
        let subscriptions = Subscriptions { journals };
        let messaging = Messaging {
            stats: Arc::clone(hall.stats()),
            guests: parts.guests.clone(),
            board: parts.sessions.clone(),
            clock: parts.clock.clone(),
        };
        let sessions = Sessions {
            stats: Arc::clone(hall.stats()),
            guests: parts.guests,
            board: parts.sessions.clone(),
            clock: parts.clock,
            rng: parts.rng,
            drain: parts.drain.clone(),
        };
        let routes = Routes::new(EventRoutes::new(events, parts.tracer.clone()))
            .add_service(SessionServiceServer::new(sessions).max_decoding_message_size(REQUEST))
            .add_service(MessagingServiceServer::new(messaging).max_decoding_message_size(REQUEST))
            .add_service(
                SubscriptionServiceServer::new(subscriptions).max_decoding_message_size(REQUEST),
            )
            .add_service(parts.health.service())
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .prepare();
        Ok(Self {
            routes,
            calls: Arc::new(CallStats::of(crate::proto::DESCRIPTOR_SET)),
            feeds: parts.feeds,
            sessions: parts.sessions,
            health: parts.health,
            announce: parts.announce,
            drain: parts.drain,
            door: Door::new(&origins, &hosts, hall.stats()),
            hall,
            trusted_proxies: trusted_proxies.into(),
            tracer: parts.tracer,
            callers: parts.callers,
        })
    }

    /// What becomes of connections.
    #[must_use]
    pub fn connections(&self) -> Arc<ConnectionStats> {
        Arc::clone(self.hall.stats())
    }

    /// What becomes of its calls.
    #[must_use]
    pub fn calls(&self) -> Arc<CallStats> {
        Arc::clone(&self.calls)
    }

    /// Serves on all listeners until the drain is over: streams are ended by the feeds, and calls
    /// are taken meanwhile, for a moment longer where readers have yet to commit what they got; then connections are closed, after a second by force. Keeps the
    /// health in step. Cancel-safe: dropping it closes every connection.
    pub async fn serve(self, listeners: Vec<Listener>) {
        // Completes when nothing is said to serve any more, which is before the last stream ends.
        let health = self.health.clone().follow(
            self.feeds.clone(),
            self.sessions.clone(),
            self.announce.clone(),
        );
        let closing = CancellationToken::new();
        let mut connections = JoinSet::new();
        let accepting = accept_all(&listeners, &self.hall, |accepted| {
            while connections.try_join_next().is_some() {}
            let peer = Peer::of(&accepted).believed(&self.trusted_proxies);
            let Some(stay) = self.hall.enter(peer.whence(), peer.is_proxy()) else {
                return;
            };
            let calls = Identify(self.callers.clone()).layer(self.routes.clone());
            let calls = CatchPanic.layer(calls);
            let calls = CountCalls(self.calls()).layer(calls);
            let calls = Trace(self.tracer.clone()).layer(calls);
            let calls = Admit(Arc::clone(&stay)).layer(calls);
            let served = self.door.layer(GrpcWebLayer::new().layer(calls));
            let caller = Connected {
                peer,
                stay,
                served,
                closing: closing.clone(),
                limits: *self.hall.limits(),
                speaks_old: self.door.is_open(),
                stats: self.connections(),
            };
            connections.spawn(connection(accepted, caller));
        });
        tokio::select! {
            biased;
            () = async { tokio::join!(health, drained(&self.drain, &self.feeds)); } => {}
            () = accepting => {}
        }
        // From here on nothing new is accepted; sockets in the file system disappear.
        drop(listeners);
        closing.cancel();
        let goodbye = async { while connections.join_next().await.is_some() {} };
        if timeout(LAST_WORDS, goodbye).await.is_err() {
            tracing::debug!(left = connections.len(), "Connections cut");
        }
        connections.shutdown().await;
    }
}

/// Only what is served is listed.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("tieline.v1.EventService")
        .with_service_name("tieline.v1.MessagingService")
        .with_service_name("tieline.v1.SessionService")
        .with_service_name("tieline.v1.SubscriptionService")
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection")
}

/// Completes when draining has begun, no stream is left, and readers have committed what they got or
/// have had their moment for it; or there is no time left.
async fn drained(drain: &Drain, feeds: &[Feed]) {
    drain.draining().await;
    let Some(registry) = feeds.first().map(Feed::registry) else {
        return;
    };
    let mut open = registry.open_streams();
    let done = async {
        // An error means that the registry is gone, and its streams with it.
        open.wait_for(|count| *count == 0).await.ok();
        let committed = join_all(feeds.iter().map(Feed::cursors_settled));
        if timeout(LAST_WORDS, committed).await.is_err() {
            tracing::debug!("Some readers did not commit what they got");
        }
    };
    tokio::select! {
        biased;
        () = drain.forced() => {}
        () = done => {}
    }
}

/// Accepts on every listener in turn, for ever.
async fn accept_all(listeners: &[Listener], hall: &Hall, mut take: impl FnMut(Accepted)) {
    let mut first = 0;
    loop {
        let accepted = poll_fn(|cx| {
            // Whoever was served last is asked last, so that no socket starves another.
            let (before, after) = listeners.split_at(first);
            for (index, listener) in after.iter().chain(before).enumerate() {
                if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                    first = (first + index + 1) % listeners.len().max(1);
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await;
        match accepted {
            Ok(accepted) => take(accepted),
            Err(error) => {
                tracing::warn!(%error, "Accepting a connection failed");
                hall.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection that has a place, and what answers it.
struct Connected {
    peer: Peer,
    stay: Arc<Stay>,
    served: Served,
    closing: CancellationToken,
    limits: ServerLimits,
    /// HTTP/1.1 as well.
    speaks_old: bool,
    stats: Arc<ConnectionStats>,
}

async fn connection(accepted: Accepted, mut caller: Connected) {
    match accepted {
        Accepted::Tcp(stream) => serve_http(stream, caller).await,
        // It has a deadline of its own.
        Accepted::Tls(stream, keys, spoken) => match keys.agree(stream, spoken).await {
            Ok((stream, shown)) => {
                caller.peer = caller.peer.that_shows(shown);
                serve_http(stream, caller).await;
            }
            Err(error) => {
                tracing::debug!(%error, peer = caller.peer.name, "No TLS with a peer");
            }
        },
        Accepted::Unix(stream) => serve_http(stream, caller).await,
        #[cfg(any(test, feature = "testing"))]
        Accepted::Simulated(stream) => serve_http(stream, caller).await,
    }
}

fn builder(limits: &ServerLimits, speaks_old: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if !speaks_old {
        builder = builder.http2_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(FIRST_WORDS)
        .max_buf_size(OLD_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_PATIENCE)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEADERS)
        .max_concurrent_streams(limits.streams_per_connection)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

async fn serve_http<S>(stream: S, caller: Connected)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Connected { peer, stay, .. } = &caller;
    let (calling, stats) = (peer.clone(), Arc::clone(&caller.stats));
    let service =
        caller
            .served
            .clone()
            .map_request(move |request: http::Request<hyper::body::Incoming>| {
                let mut request = patient(request, &stats);
                let calling = calling.calling(request.headers());
                request.extensions_mut().insert(calling);
                request
            });
    let outbox = Outbox::new(Metered::new(stream, Arc::clone(stay)));
    let socket = TokioIo::new(outbox.clone());
    let builder = builder(&caller.limits, caller.speaks_old);
    let connection = builder.serve_connection(socket, TowerToHyperService::new(service));
    let mut turns = Turns::new(connection, outbox);
    let mut is_asked = false;
    let ended = loop {
        tokio::select! {
            ended = &mut turns => break ended,
            () = peer.connection.cancelled() => return,
            verdict = stay.over(), if !is_asked => match verdict {
                Verdict::Cut => return,
                Verdict::Asked => {
                    is_asked = true;
                    turns.connection().graceful_shutdown();
                }
            },
            () = peer.shown.disowned() => {
                stay.cut(Cut::Certificate);
                turns.connection().graceful_shutdown();
                match timeout(FAREWELL, turns).await {
                    Ok(ended) => break ended,
                    Err(_) => return,
                }
            }
            () = caller.closing.cancelled() => {
                turns.connection().graceful_shutdown();
                break turns.await;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "Connection ended");
        if broke_the_protocol(&*error) {
            stay.cut(Cut::Protocol);
        }
    }
}

/// Whether a connection ended for what its peer sent, and not because the peer went away.
fn broke_the_protocol(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let of_frames = causes.find_map(|cause| cause.downcast_ref::<h2::Error>());
    of_frames.is_some_and(|error| error.is_library())
}
