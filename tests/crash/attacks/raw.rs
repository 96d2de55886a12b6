//! [`Raw`]: one side of an HTTP/2 connection, written by hand, so that it may be wrong.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use bytes::{BufMut, BytesMut};
use prost::Message as _;
use tieline::proto::v1;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::timeout;
use v1::subscribe_request::Start;

use crate::child::BOUND;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
/// The setting of what a stream may be sent at once.
pub(super) const INITIAL_WINDOW: u16 = 4;

pub(super) const SUBSCRIBE: &str = "/tieline.v1.EventService/Subscribe";

pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

pub(super) struct Raw {
    pub(super) ear: Ear,
    pub(super) mouth: Mouth,
}

/// What comes from the server.
pub(super) struct Ear(ReadHalf<Box<dyn Socket>>);

/// What goes to it.
pub(super) struct Mouth(WriteHalf<Box<dyn Socket>>);

#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Raw {
    pub(super) fn over(socket: impl Socket + 'static) -> Self {
        let socket: Box<dyn Socket> = Box::new(socket);
        let (ear, mouth) = tokio::io::split(socket);
        Self {
            ear: Ear(ear),
            mouth: Mouth(mouth),
        }
    }

    /// Connects from an address of loopback.
    pub(super) async fn from(own: [u8; 4], server: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_nodelay(true)?;
        socket.bind((IpAddr::from(own), 0).into())?;
        let connecting = timeout(BOUND, socket.connect(server)).await;
        connecting.expect("it is accepted").map(Self::over)
    }

    pub(super) async fn tcp(server: SocketAddr) -> Self {
        Self::from([127, 0, 0, 1], server).await.unwrap()
    }

    pub(super) async fn unix(path: &Path) -> Self {
        Self::over(UnixStream::connect(path).await.unwrap())
    }

    /// Says what a client says at first, with these settings.
    pub(super) async fn hello(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.mouth.write(PREFACE).await?;
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.put_u16(*name);
            payload.put_u32(*value);
        }
        self.mouth.frame(SETTINGS, 0, 0, &payload).await
    }

    /// Begins a `Subscribe` on a stream and says all of it.
    pub(super) async fn subscribe(&mut self, stream: u32) -> io::Result<()> {
        self.mouth.subscribe(stream).await
    }
}

impl Mouth {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = timeout(BOUND, self.0.write_all(bytes)).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    pub(super) async fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        self.write(&frame(kind, flags, stream, payload)).await
    }

    pub(super) async fn subscribe(&mut self, stream: u32) -> io::Result<()> {
        let mut bytes = frame(HEADERS, END_HEADERS, stream, &call(SUBSCRIBE));
        bytes.extend(frame(DATA, END_STREAM, stream, &from_the_beginning()));
        self.write(&bytes).await
    }
}

impl Ear {
    /// The next frame; `None` once the connection has ended.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let reading = timeout(BOUND, async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            let mut payload = vec![0; len];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind,
                flags,
                stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
                payload,
            })
        });
        reading.await.expect("a frame or an end")
    }

    /// The next frame of this kind.
    pub(super) async fn hear(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Waits for the end; the code that was given for it.
    pub(super) async fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = frame.payload.get(4..8).map(|code| {
                    let code: [u8; 4] = code.try_into().unwrap();
                    u32::from_be_bytes(code)
                });
            }
        }
        code
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::with_capacity(9 + payload.len());
    frame.put_uint(payload.len() as u64, 3);
    frame.put_u8(kind);
    frame.put_u8(flags);
    frame.put_u32(stream);
    frame.put_slice(payload);
    frame.to_vec()
}

/// A header, literally.
pub(super) fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        integer(text.len(), 7, 0, &mut block);
        block.extend_from_slice(text);
    }
    block
}

/// An integer as header blocks have it, behind some bits of a byte.
pub(super) fn integer(value: usize, bits: u8, first: u8, block: &mut Vec<u8>) {
    let most = (1_usize << bits) - 1;
    if value < most {
        block.push(first | u8::try_from(value).unwrap());
        return;
    }
    block.push(first | u8::try_from(most).unwrap());
    let mut rest = value - most;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

pub(super) fn block(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    headers
        .iter()
        .flat_map(|(name, value)| header(name, value))
        .collect()
}

/// The headers of a call.
pub(super) fn call(path: &str) -> Vec<u8> {
    block(&[
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.as_bytes()),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ])
}

/// A message as gRPC frames it.
pub(super) fn message(bytes: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.put_u32(u32::try_from(bytes.len()).unwrap());
    framed.extend_from_slice(bytes);
    framed
}

/// The request of a `Subscribe`.
pub(super) fn from_the_beginning() -> Vec<u8> {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        ..Default::default()
    };
    message(&request.encode_to_vec())
}

/// Opens a window by so much.
pub(super) fn window(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}
