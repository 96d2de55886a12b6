//! [`Proxy`]: a forward proxy that keeps a book. CONNECT makes a tunnel to this machine, whatever
//! name was asked for; any other request is passed on as it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::PATIENCE;

/// What the proxy does with a request that brings the right credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    Open,
    /// Answers with this status.
    Refuses(u16),
    /// Takes the request and never answers.
    Stalls,
}

/// What it saw.
#[derive(Clone, Default)]
pub(crate) struct Book {
    /// The target of each tunnel that stood.
    pub(crate) tunnels: Vec<String>,
    /// The target of each request that was passed on.
    pub(crate) passed_on: Vec<String>,
    /// Requests without the right credentials.
    pub(crate) refused: u64,
    /// Requests in all.
    pub(crate) asked: u64,
}

struct Shared {
    book: watch::Sender<Book>,
    /// The value of `Proxy-Authorization` that is right.
    wanted: Mutex<Option<String>>,
    conduct: Mutex<Conduct>,
    /// Rises when every connection is to be cut.
    cuts: watch::Sender<u64>,
}

/// Runs until dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        Self::over(None).await
    }

    /// One that is reached by `https://`.
    pub(crate) async fn over(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            book: watch::Sender::default(),
            wanted: Mutex::new(None),
            conduct: Mutex::new(Conduct::Open),
            cuts: watch::Sender::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut tasks = JoinSet::new();
        let own = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&own), tls.clone());
                connections.spawn(async move {
                    let mut cuts = shared.cuts.subscribe();
                    tokio::select! {
                        _ = cuts.changed() => {}
                        () = accepted(&shared, stream, tls) => {}
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            scheme,
            shared,
            _tasks: tasks,
        }
    }

    /// The `proxy` of a session; `more` adds to it.
    pub(crate) fn config(&self, more: Value) -> Value {
        let mut config = json!({ "url": format!("{}://{}", self.scheme, self.address) });
        let more = more.as_object().cloned().unwrap_or_default();
        config.as_object_mut().unwrap().extend(more);
        config
    }

    /// From now on nobody else gets through.
    pub(crate) fn wants(&self, user: &str, password: &str) {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        *self.shared.wanted.lock() = Some(format!("Basic {pair}"));
    }

    pub(crate) fn conducts(&self, conduct: Conduct) {
        *self.shared.conduct.lock() = conduct;
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn book(&self) -> Book {
        self.shared.book.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked(&self, times: u64) {
        let mut book = self.shared.book.subscribe();
        let asked = timeout(PATIENCE, book.wait_for(|book| book.asked >= times)).await;
        assert!(asked.is_ok(), "asked {} times", self.book().asked);
    }

    /// A platform on this machine under a name that only a proxy finds.
    pub(crate) fn hidden(endpoint: &Url) -> Url {
        let mut hidden = endpoint.clone();
        hidden.set_host(Some("sandbox.invalid")).unwrap();
        hidden
    }
}

async fn accepted(shared: &Shared, stream: TcpStream, tls: Option<TlsAcceptor>) {
    match tls {
        None => serve(shared, stream).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(shared, stream).await;
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(shared: &Shared, mut stream: S) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap().to_owned());
    shared.book.send_modify(|book| book.asked += 1);
    let conduct = *shared.conduct.lock();
    let status = match conduct {
        _ if !is_welcome(shared, &text) => {
            shared.book.send_modify(|book| book.refused += 1);
            407
        }
        Conduct::Refuses(status) => status,
        Conduct::Stalls => return std::future::pending().await,
        Conduct::Open => 200,
    };
    if status != 200 {
        let answer =
            format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        drop(stream.write_all(answer.as_bytes()).await);
        return;
    }
    let tunnel = method == "CONNECT";
    let authority = match tunnel {
        true => target.clone(),
        false => Url::parse(&target).unwrap().authority().to_owned(),
    };
    let port: u16 = authority.rsplit(':').next().unwrap().parse().unwrap();
    let host = match authority.starts_with('[') {
        true => IpAddr::V6(Ipv6Addr::LOCALHOST),
        false => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let Ok(mut platform) = TcpStream::connect((host, port)).await else {
        drop(
            stream
                .write_all(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
                .await,
        );
        return;
    };
    let forwarded = match tunnel {
        true => {
            shared.book.send_modify(|book| book.tunnels.push(authority));
            stream
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await
        }
        false => {
            shared
                .book
                .send_modify(|book| book.passed_on.push(authority));
            platform.write_all(&head).await
        }
    };
    if forwarded.is_ok() {
        drop(copy_bidirectional(&mut stream, &mut platform).await);
    }
}

fn is_welcome(shared: &Shared, head: &str) -> bool {
    let wanted = shared.wanted.lock();
    let Some(wanted) = wanted.as_ref() else {
        return true;
    };
    head.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == wanted
        })
    })
}
