//! A TCP server that runs a script for each connection, and the few bytes of HTTP and WebSocket
//! that scripts need. Written from the RFCs, not with the libraries that the client uses.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// Runs until dropped.
pub(super) struct Server {
    pub(super) url: Url,
    accepts: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Serves every connection with `script`.
    pub(super) async fn start<F, Running>(script: F) -> Self
    where
        F: Fn(TcpStream) -> Running + Send + 'static,
        Running: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepts);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                connections.spawn(script(stream));
            }
        });
        Self {
            url: Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap(),
            accepts,
            _tasks: tasks,
        }
    }

    /// Answers every request on every connection with `answer`, given the request's head.
    pub(super) async fn answering<F>(answer: F) -> Self
    where
        F: Fn(&str) -> String + Clone + Send + Sync + 'static,
    {
        Self::start(move |mut stream| {
            let answer = answer.clone();
            async move {
                while let Some((head, _)) = read_request(&mut stream).await {
                    stream.write_all(answer(&head).as_bytes()).await.unwrap();
                }
            }
        })
        .await
    }

    /// Connections accepted so far.
    pub(super) fn accepts(&self) -> usize {
        self.accepts.load(Ordering::SeqCst)
    }

    /// The server's address with a path.
    pub(super) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }
}

/// A whole answer with a body.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// Reads head and body of one request; `None` when the connection ends before one begins.
pub(super) async fn read_request<S>(stream: &mut S) -> Option<(String, Vec<u8>)>
where
    S: AsyncRead + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Some((head, body))
}

/// A header's value in a request's head.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// Waits until the peer has closed its side.
pub(super) async fn read_to_end<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    drop(stream.read_to_end(&mut rest).await);
}

/// The server's side of a good WebSocket handshake; returns the request's head.
pub(super) async fn accept_websocket<S>(stream: &mut S) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (head, _) = read_request(stream).await.unwrap();
    let answer = switching_protocols(&accept_for(&head));
    stream.write_all(answer.as_bytes()).await.unwrap();
    head
}

pub(super) fn switching_protocols(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// `Sec-WebSocket-Accept` for a request (RFC 6455 section 4.2.2).
pub(super) fn accept_for(head: &str) -> String {
    use base64::Engine;
    let key = header(head, "sec-websocket-key").unwrap();
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hash)
}

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;
/// The bit of a message's last frame.
pub(super) const FIN: u8 = 0x80;

/// An unmasked frame, as servers send them; `first` is flags and opcode.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(u8::try_from(length).unwrap()),
        length => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A close frame.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(
        FIN | CLOSE,
        &[&code.to_be_bytes(), reason.as_bytes()].concat(),
    )
}

/// Reads one frame of a client: opcode and payload. Panics where it is not final and masked.
pub(super) async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.unwrap();
    assert_eq!(first & 0xf0, FIN, "one frame, no extension bits");
    let second = stream.read_u8().await.unwrap();
    assert_eq!(second & 0x80, 0x80, "clients mask");
    let length = match second & 0x7f {
        126 => usize::from(stream.read_u16().await.unwrap()),
        127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.unwrap();
    for (index, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[index % 4];
    }
    (first & 0x0f, payload)
}
