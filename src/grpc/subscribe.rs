//! `Subscribe`, by hand: its responses leave as shared bytes, which no codec could do without a copy
//! for each reader.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use hyper::body::{Body as HttpBody, Frame};
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codec::Streaming;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;

use super::codec::{Frames, RequestDecoder, frames};
use super::event_service::event_service_server::EventServiceServer;
use super::events::Events;
use super::identity::{Gate, Lease, Opened};
use super::peer::Peer;
use super::sends::Sends;
use super::server::REQUEST;
use super::status::{CallError, RequestError};
use crate::feed::{Delivery, Subscriber};
use crate::telemetry::traces::Tracer;

const PATH: &str = "/tieline.v1.EventService/Subscribe";
const ENCODING: &str = "grpc-encoding";

/// `EventService`: this method here, the others as they are generated.
#[derive(Debug, Clone)]
pub(super) struct EventRoutes {
    events: Events,
    tracer: Tracer,
    others: EventServiceServer<Events>,
}

impl EventRoutes {
    pub(super) fn new(events: Events, tracer: Tracer) -> Self {
        let others = EventServiceServer::new(events.clone()).max_decoding_message_size(REQUEST);
        Self {
            events,
            tracer,
            others,
        }
    }
}

impl NamedService for EventRoutes {
    const NAME: &'static str = "tieline.v1.EventService";
}

impl Service<http::Request<Body>> for EventRoutes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return self.others.call(request);
        }
        let events = self.events.clone();
        let sends = Sends::new(&self.tracer);
        Box::pin(async move {
            let opened = open(&events, request).await;
            Ok(opened.map_or_else(Status::into_http, |(subscriber, gate)| {
                response(subscriber, sends, &gate)
            }))
        })
    }
}

async fn open(events: &Events, request: http::Request<Body>) -> Result<(Subscriber, Gate), Status> {
    if let Some(encoding) = request.headers().get(ENCODING)
        && encoding != "identity"
    {
        return Err(Status::unimplemented("requests are not to be compressed"));
    }
    let peer = request.extensions().get::<Peer>().cloned();
    let gate = Gate::of(request.extensions())?;
    let body = request.into_body();
    let mut messages = Streaming::new_request(RequestDecoder, body, None, Some(REQUEST));
    let request = messages.message().await?;
    let request = request.ok_or_else(|| {
        Status::from(RequestError::Invalid {
            field: "request",
            problem: "there is none".to_owned(),
        })
    })?;
    let subscriber = events.open(request, peer, &gate).await?;
    Ok((subscriber, gate))
}

fn response(subscriber: Subscriber, sends: Sends, gate: &Gate) -> http::Response<Body> {
    let mut response = http::Response::new(Body::new(Responses {
        subscriber,
        lease: gate.lease(),
        audited: gate.open_stream(),
        sends,
        frames: Frames::new().into_iter(),
        is_over: false,
    }));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The responses of one call, and then its status.
struct Responses {
    subscriber: Subscriber,
    /// Completes when the caller may read no further.
    lease: Option<Lease>,
    audited: Opened,
    sends: Sends,
    /// The rest of a response.
    frames: smallvec::IntoIter<[Bytes; 3]>,
    is_over: bool,
}

impl Responses {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery, CallError>>> {
        if let Some(lease) = &mut self.lease
            && let Poll::Ready(end) = lease.as_mut().poll(cx)
        {
            self.lease = None;
            self.subscriber.cut();
            return Poll::Ready(Some(Err(end)));
        }
        let next = Pin::new(&mut self.subscriber).poll_next(cx);
        next.map(|next| next.map(|delivery| delivery.map_err(CallError::Feed)))
    }
}

impl HttpBody for Responses {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.frames.next() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            this.sends.end();
            if this.is_over {
                return Poll::Ready(None);
            }
            let status = match ready!(this.poll_next(cx)) {
                Some(Ok(delivery)) => {
                    if let Some(span) = this.sends.begin(&delivery) {
                        this.subscriber.show(&delivery, span);
                    }
                    this.frames = frames(delivery).into_iter();
                    continue;
                }
                Some(Err(error)) => error.into(),
                None => Status::new(Code::Ok, ""),
            };
            this.is_over = true;
            this.audited.ends(&status);
            let mut trailers = HeaderMap::new();
            // A status of ours always fits into headers; without it the client sees a broken stream.
            let written = status.add_header(&mut trailers);
            return Poll::Ready(written.is_ok().then(|| Ok(Frame::trailers(trailers))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && self.frames.len() == 0
    }
}
