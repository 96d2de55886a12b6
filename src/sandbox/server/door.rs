//! The platform's listener: opens, closes and reopens it on the same port, and owns the tasks of
//! its connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
#[cfg(any(test, feature = "testing"))]
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::hub::{Hub, Simulated};
use super::link::{Link, Wire};
use crate::runtime::Connection;

const BACKLOG: u32 = 1024;
/// After an accept or a bind that failed.
const PAUSE: Duration = Duration::from_millis(50);
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Binds an address that may be bound again while old connections linger.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    reserve(address)?.listen(BACKLOG)
}

/// Holds the port without listening: connections are refused, and nobody else takes it.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// What is spoken on the platform's connections.
pub(in crate::sandbox) trait Dialect: Simulated + Sized {
    /// Speaks until the connection ends.
    fn converse<IO>(
        hub: &Arc<Hub<Self>>,
        link: &Arc<Link>,
        io: IO,
    ) -> impl Future<Output = ()> + Send
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
    /// Somebody else was faster; tried again.
    Lost,
}

/// Serves the platform until it is dropped.
pub(in crate::sandbox) async fn serve<S: Dialect>(
    hub: Arc<Hub<S>>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let mut ups = hub.ups();
    let mut connections = JoinSet::new();
    let mut door = Door::Open(listener);
    loop {
        let up = *ups.borrow_and_update();
        door = turn(door, up, address);
        tokio::select! {
            changed = ups.changed() => changed?,
            accepted = accept(&door, up) => if let Some(stream) = accepted
                && let Some(link) = hub.connect()
            {
                connections.spawn(connection(Arc::clone(&hub), link, stream, tls.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Connections that come from elsewhere than a listener.
#[cfg(any(test, feature = "testing"))]
pub type Arriving = mpsc::Receiver<Box<dyn Connection>>;

/// Serves connections that come from elsewhere, until no more can come. While the platform is down
/// they are reset.
#[cfg(any(test, feature = "testing"))]
pub(in crate::sandbox) async fn serve_incoming<S: Dialect>(
    hub: Arc<Hub<S>>,
    mut incoming: Arriving,
) -> anyhow::Result<()> {
    let ups = hub.ups();
    let mut connections = JoinSet::new();
    while let Some(mut stream) = incoming.recv().await {
        let up = *ups.borrow();
        match up.then(|| hub.connect()).flatten() {
            Some(link) => {
                connections.spawn(connection(Arc::clone(&hub), link, stream, None));
            }
            None => stream.reset_on_drop(),
        }
        while connections.try_join_next().is_some() {}
    }
    Ok(())
}

/// Opens or shuts the door.
fn turn(door: Door, up: bool, address: SocketAddr) -> Door {
    let turned = match (door, up) {
        (Door::Open(listener), false) => {
            drop(listener);
            reserve(address).map(Door::Shut)
        }
        (Door::Shut(socket), true) => socket.listen(BACKLOG).map(Door::Open),
        (Door::Lost, true) => bind(address).map(Door::Open),
        (door, _) => Ok(door),
    };
    turned.unwrap_or_else(|error| {
        tracing::warn!(%address, error = &error as &dyn std::error::Error, "Port is taken");
        Door::Lost
    })
}

/// The next connection; `None` when it is time to look at the door again. Cancel-safe.
async fn accept(door: &Door, up: bool) -> Option<TcpStream> {
    match door {
        Door::Open(listener) => match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error = &error as &dyn std::error::Error, "No-delay refused");
                }
                Some(stream)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Accept failed");
                tokio::time::sleep(PAUSE).await;
                None
            }
        },
        Door::Lost if up => {
            tokio::time::sleep(PAUSE).await;
            None
        }
        Door::Shut(_) | Door::Lost => std::future::pending().await,
    }
}

/// Takes a connection off the books, however its task ends.
struct Registered<'a, S: Simulated>(&'a Hub<S>, u64);

impl<S: Simulated> Drop for Registered<'_, S> {
    fn drop(&mut self) {
        self.0.disconnect(self.1);
    }
}

async fn connection<S: Dialect, C: Connection>(
    hub: Arc<Hub<S>>,
    link: Arc<Link>,
    stream: C,
    tls: Option<TlsAcceptor>,
) {
    let _registered = Registered(&*hub, link.id);
    let wire = Wire::new(stream, Arc::clone(&link));
    tokio::select! {
        biased;
        () = link.ended() => {}
        () = converse(&hub, &link, wire, tls) => {}
    }
}

async fn converse<S: Dialect, C: Connection>(
    hub: &Arc<Hub<S>>,
    link: &Arc<Link>,
    wire: Wire<C>,
    tls: Option<TlsAcceptor>,
) {
    let Some(tls) = tls else {
        return Box::pin(S::converse(hub, link, wire)).await;
    };
    match tokio::time::timeout(TLS_HANDSHAKE, tls.accept(wire)).await {
        Ok(Ok(stream)) => Box::pin(S::converse(hub, link, stream)).await,
        Ok(Err(error)) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "TLS handshake failed"
            );
        }
        Err(_) => tracing::debug!("TLS handshake timed out"),
    }
}
