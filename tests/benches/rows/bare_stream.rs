//! A bare tonic server stream of ready bytes, and the clients that every stream is measured with.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tieline::proto::v1;
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::single_threaded;
use crate::machine::SERVER;

/// A client window that does not stand in the way; the server's default batch fits many times.
const WINDOW: u32 = 8 << 20;

/// The path that both the bare server and Tieline answer.
const PATH: &str = "/tieline.v1.EventService/Subscribe";

pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

/// One message.
#[derive(Debug, Clone)]
pub(crate) enum Chunk {
    /// Encoded already.
    Ready(Bytes),
    /// Encoded for each reader anew.
    Fresh(Arc<v1::SubscribeResponse>),
}

/// A server on a thread of its own, with a core of its own where there are two; ends when dropped.
pub(crate) struct BareServer {
    pub(crate) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl BareServer {
    /// Serves `open()` to every caller.
    pub(crate) fn start(open: impl Fn() -> Chunks + Send + Sync + 'static) -> anyhow::Result<Self> {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let service = Service(Arc::new(open));
        let serve = move || {
            drop(single_threaded().and_then(|runtime| {
                runtime.block_on(async {
                    // Without it, a small message waits 40 ms for the acknowledgement of the last.
                    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())
                        .map_err(|error| anyhow::anyhow!(error))?
                        .with_nodelay(Some(true));
                    bound.send(incoming.local_addr()?)?;
                    let stopped = async { drop(stopped.await) };
                    let server = Server::builder().add_service(service);
                    // Readers that are still there do not keep it.
                    tokio::select! {
                        served = server.serve_with_incoming(incoming) => Ok(served?),
                        () = stopped => Ok(()),
                    }
                })
            }));
        };
        let thread = std::thread::Builder::new().name(SERVER.to_owned());
        let thread = thread.spawn(serve)?;
        Ok(Self {
            address: address.recv()?,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A client's connection; `address` is `http://…` or `unix:…`.
pub(crate) async fn connect(address: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(address.to_owned())?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .tcp_nodelay(true);
    Ok(endpoint.connect().await?)
}

/// Opens a stream and returns its messages as bytes.
pub(crate) async fn subscribe(
    channel: Channel,
    request: impl Into<Bytes>,
) -> anyhow::Result<Streaming<Bytes>> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let path = http::uri::PathAndQuery::from_static(PATH);
    let opened = client.server_streaming(Request::new(Chunk::Ready(request.into())), path, Ready);
    Ok(opened.await?.into_inner())
}

/// Opens a stream and hands out its bytes to its end, without even looking for messages.
pub(crate) async fn read_bytes(
    address: SocketAddr,
    request: Vec<u8>,
    mut each: impl FnMut(&[u8]),
) -> anyhow::Result<()> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    let mut message = vec![0];
    message.extend(u32::try_from(request.len())?.to_be_bytes());
    message.extend(request);
    let request = http::Request::post(format!("http://{address}{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message.into()))?;
    let read = async {
        let mut body = client.send_request(request).await?.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            each(frame.data_ref().map_or(&[], Bytes::as_ref));
            if let Some(trailers) = frame.trailers_ref() {
                let status = trailers.get("grpc-status");
                anyhow::ensure!(status.is_some_and(|s| s == "0"), "ended with {status:?}");
            }
        }
        Ok(())
    };
    tokio::select! {
        biased;
        read = read => read,
        ended = connection => Err(anyhow::anyhow!("the connection ended: {ended:?}")),
    }
}

#[derive(Clone)]
struct Service(Arc<dyn Fn() -> Chunks + Send + Sync>);

impl NamedService for Service {
    const NAME: &'static str = "tieline.v1.EventService";
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let opener = Opener(self.0.clone());
        Box::pin(async move { Ok(Grpc::new(Ready).server_streaming(opener, request).await) })
    }
}

struct Opener(Arc<dyn Fn() -> Chunks + Send + Sync>);

impl ServerStreamingService<Bytes> for Opener {
    type Response = Chunk;
    type ResponseStream = Chunks;
    type Future = std::future::Ready<Result<Response<Chunks>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new((self.0)())))
    }
}

/// The codec of both sides: writes [`Chunk`]s and leaves what it reads encoded.
#[derive(Clone, Copy, Default)]
struct Ready;

impl Codec for Ready {
    type Encode = Chunk;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Ready {
    type Item = Chunk;
    type Error = Status;

    fn encode(&mut self, item: Chunk, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {
            Chunk::Ready(bytes) => into.put_slice(&bytes),
            Chunk::Fresh(message) => message
                .encode(into)
                .map_err(|error| Status::internal(error.to_string()))?,
        }
        Ok(())
    }
}

impl Decoder for Ready {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// The same chunk so many times.
pub(crate) fn repeated(chunk: Bytes, times: usize) -> Chunks {
    let chunks = std::iter::repeat_with(move || Chunk::Ready(chunk.clone()));
    Box::pin(tokio_stream::iter(chunks.take(times)).map(Ok))
}
