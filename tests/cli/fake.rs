//! A server that plays a script for each `Subscribe`, and can die and come back on the same port.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use tieline::proto::v1;
use tokio::net::{TcpSocket, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use v1::event_service_server::{EventService, EventServiceServer};
use v1::session_service_server::{SessionService, SessionServiceServer};
use v1::subscribe_response::Notice;

/// The epoch of the fake journal.
pub(crate) const EPOCH: &str = "00c0ffee00c0ffee";

/// What the server does next on a stream.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a script is a handful of acts")]
pub(crate) enum Act {
    Send(v1::SubscribeResponse),
    End(Status),
    /// Says nothing more, and keeps the stream.
    Silence,
}

/// What is shared by every incarnation of the server.
#[derive(Debug, Default)]
struct Shared {
    scripts: Mutex<VecDeque<Vec<Act>>>,
    requests: Mutex<Vec<v1::SubscribeRequest>>,
}

/// A server that plays one script for each `Subscribe`; without one left, it is silent.
pub(crate) struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Bound and never listening: nobody else is given the port while the server is dead.
    _reservation: TcpSocket,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Fake {
    pub(crate) fn start(scripts: Vec<Vec<Act>>) -> Self {
        let shared = Arc::new(Shared::default());
        shared.scripts.lock().extend(scripts);
        let reservation = reusable(([127, 0, 0, 1], 0).into());
        let address = reservation.local_addr().expect("it is bound");
        let runtime = Some(serve(&shared, address));
        Self {
            shared,
            address,
            _reservation: reservation,
            runtime,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Every `Subscribe` so far.
    pub(crate) fn requests(&self) -> Vec<v1::SubscribeRequest> {
        self.shared.requests.lock().clone()
    }

    /// Drops every connection and the listener at once.
    pub(crate) fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, because a runtime may not be waited for inside another.
            let gone = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            gone.join().expect("it dies");
        }
    }

    /// Comes back on the same port.
    pub(crate) fn come_back(&mut self) {
        self.die();
        self.runtime = Some(serve(&self.shared, self.address));
    }

    /// Serves the same scripts on a Unix socket too.
    pub(crate) fn listen_on(&self, path: &Path) {
        let runtime = self.runtime.as_ref().expect("it lives");
        let router = router(&self.shared);
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(path).expect("the socket binds")
        };
        runtime.spawn(router.serve_with_incoming(UnixListenerStream::new(listener)));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.die();
    }
}

fn router(shared: &Arc<Shared>) -> tonic::transport::server::Router {
    let service = Service(Arc::clone(shared));
    let (health, checks) = tonic_health::server::health_reporter();
    drop(health);
    Server::builder()
        .add_service(EventServiceServer::new(service.clone()))
        .add_service(SessionServiceServer::new(service))
        .add_service(checks)
}

/// In a runtime of its own, so that its death takes every connection with it.
fn serve(shared: &Arc<Shared>, address: SocketAddr) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let incoming = {
        let _inside = runtime.enter();
        TcpListenerStream::new(reusable(address).listen(64).expect("it listens"))
    };
    runtime.spawn(router(shared).serve_with_incoming(incoming));
    runtime
}

fn reusable(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("it can be shared");
    socket.set_reuseport(true).expect("it can be shared");
    socket.bind(address).expect("the port is ours");
    socket
}

#[derive(Debug, Clone)]
struct Service(Arc<Shared>);

type Responses = Pin<Box<dyn Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl EventService for Service {
    type SubscribeStream = Responses;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Responses>, Status> {
        self.0.requests.lock().push(request.into_inner());
        let mut script = self
            .0
            .scripts
            .lock()
            .pop_front()
            .unwrap_or_else(|| vec![Act::Silence]);
        // Refused before the stream begins, as a server refuses a position.
        if let Some(Act::End(status)) = script.first() {
            return Err(status.clone());
        }
        let silent = matches!(script.last(), Some(Act::Silence));
        script.retain(|act| !matches!(act, Act::Silence));
        let acts = stream::iter(script).map(|act| match act {
            Act::Send(response) => Ok(response),
            Act::End(status) => Err(status),
            Act::Silence => Ok(v1::SubscribeResponse::default()),
        });
        let responses: Responses = if silent {
            Box::pin(acts.chain(stream::pending()))
        } else {
            Box::pin(acts)
        };
        Ok(Response::new(responses))
    }

    async fn read_events(
        &self,
        _: Request<v1::ReadEventsRequest>,
    ) -> Result<Response<v1::ReadEventsResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn get_event(
        &self,
        _: Request<v1::GetEventRequest>,
    ) -> Result<Response<v1::GetEventResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn get_journal(
        &self,
        _: Request<v1::GetJournalRequest>,
    ) -> Result<Response<v1::GetJournalResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn list_journals(
        &self,
        request: Request<v1::ListJournalsRequest>,
    ) -> Result<Response<v1::ListJournalsResponse>, Status> {
        // Two pages, so that a caller who reads one misses something.
        let (name, next_page_token) = match request.into_inner().page_token.as_str() {
            "" => ("journals/default", "second".to_owned()),
            _ => ("journals/other", String::new()),
        };
        let journal = v1::Journal {
            name: name.into(),
            epoch: EPOCH.into(),
            earliest_sequence: 1,
            latest_sequence: 4711,
            size_bytes: 3 << 20,
            ..Default::default()
        };
        Ok(Response::new(v1::ListJournalsResponse {
            journals: vec![journal],
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl SessionService for Service {
    type WatchSessionsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchSessionsResponse, Status>> + Send>>;

    async fn list_sessions(
        &self,
        _: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let session = v1::Session {
            name: "sessions/queue-stats".into(),
            journal: "journals/default".into(),
            state: v1::session::State::Suspended.into(),
            transport: v1::Transport::LongPoll.into(),
            reason: "INVALID_CLIENT".into(),
            ..Default::default()
        };
        let sessions = vec![session];
        Ok(Response::new(v1::ListSessionsResponse {
            sessions,
            ..Default::default()
        }))
    }

    async fn get_session(
        &self,
        _: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn watch_sessions(
        &self,
        _: Request<v1::WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn reconnect_session(
        &self,
        _: Request<v1::ReconnectSessionRequest>,
    ) -> Result<Response<v1::ReconnectSessionResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn create_session(
        &self,
        _: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn close_session(
        &self,
        _: Request<v1::CloseSessionRequest>,
    ) -> Result<Response<v1::CloseSessionResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }
}

/// `Opened` of [`EPOCH`], with the shortest heartbeat there is.
pub(crate) fn opened(after: u64) -> Act {
    opened_in(EPOCH, after)
}

pub(crate) fn opened_in(epoch: &str, after: u64) -> Act {
    let opened = v1::Opened {
        journal: "journals/default".into(),
        epoch: epoch.into(),
        start: Some(v1::Position {
            epoch: epoch.into(),
            sequence: after,
        }),
        earliest_sequence: 1,
        latest_sequence: after,
        heartbeat_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..Default::default()
    };
    notice(after, Notice::Opened(opened))
}

pub(crate) fn notice(through_sequence: u64, notice: Notice) -> Act {
    Act::Send(v1::SubscribeResponse {
        through_sequence,
        latest_sequence: through_sequence,
        notice: Some(notice),
        ..Default::default()
    })
}

/// Events of these numbers in one response.
pub(crate) fn events(range: std::ops::RangeInclusive<u64>) -> Act {
    let through_sequence = *range.end();
    let event = |sequence| v1::Event {
        sequence,
        r#type: "ccaas.queue.statistics.updated.v1".into(),
        subject: format!("queues/q{sequence}"),
        raw_data: format!("{{\"n\":{sequence}}}").into(),
        ..Default::default()
    };
    Act::Send(v1::SubscribeResponse {
        events: range.map(event).collect(),
        through_sequence,
        latest_sequence: through_sequence,
        ..Default::default()
    })
}

pub(crate) fn end_reached(through: u64) -> Act {
    let reason = v1::closing::Reason::EndReached.into();
    notice(
        through,
        Notice::Closing(v1::Closing {
            reason,
            retry_delay: None,
        }),
    )
}

/// An error of ours, with a delay if there is one.
pub(crate) fn error(code: Code, reason: &str, retry: Option<Duration>) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, "tieline", HashMap::new());
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    Status::with_error_details(code, format!("told so: {reason}"), details)
}
