//! Addresses into listening sockets: `host:port` and `unix:/path`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::identity::{Spoken, TlsKeys};

const UNIX: &str = "unix:";
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Who may connect to a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SocketMode {
    /// The owner alone: 0600.
    #[default]
    Owner,
    /// The owner and the group: 0660.
    Group,
}

/// A listening socket. A Unix socket's file is removed when this is dropped.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, Option<(TlsKeys, Spoken)>),
    Unix(UnixListener, SocketFile),
    /// Connections that come from elsewhere, in a simulation.
    #[cfg(any(test, feature = "testing"))]
    Simulated(String, Incoming),
}

#[cfg(any(test, feature = "testing"))]
type Incoming =
    parking_lot::Mutex<tokio::sync::mpsc::Receiver<Box<dyn crate::runtime::Connection>>>;

/// An accepted connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Accepted {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over TCP, with TLS that is yet to be agreed on.
    Tls(TcpStream, TlsKeys, Spoken),
    /// Over a socket in the file system.
    Unix(UnixStream),
    /// In a simulation.
    #[cfg(any(test, feature = "testing"))]
    Simulated(Box<dyn crate::runtime::Connection>),
}

/// The file of a Unix socket that is ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: Option<u64>,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is neither `host:port` nor `unix:/path`.
    #[error("'{address}' is not an address; write host:port or unix:/path")]
    Address {
        /// As it was given.
        address: String,
    },
    /// Another process listens on the socket.
    #[error("bind {address}: another process listens there")]
    InUse {
        /// As it was given.
        address: String,
    },
    /// Something that is not a socket stands at the path.
    #[error("bind {address}: there is a file that is not a socket")]
    NotASocket {
        /// As it was given.
        address: String,
    },
    /// The operating system refused.
    #[error("bind {address}: {source}")]
    Io {
        /// As it was given.
        address: String,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Listens on `host:port` or `unix:/path`.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(address: &str, mode: SocketMode) -> Result<Self, BindError> {
        match address.strip_prefix(UNIX) {
            Some(path) if Path::new(path).is_absolute() => {
                bind_unix(address, Path::new(path), mode).await
            }
            Some(_) => Err(BindError::Address {
                address: address.to_owned(),
            }),
            None => bind_tcp(address).await,
        }
    }

    /// Takes connections that come from elsewhere, under a name.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn simulated(
        address: &str,
        incoming: tokio::sync::mpsc::Receiver<Box<dyn crate::runtime::Connection>>,
    ) -> Self {
        let incoming = parking_lot::Mutex::new(incoming);
        Self(Kind::Simulated(address.to_owned(), incoming))
    }

    /// The same with TLS, where it listens on TCP.
    #[must_use]
    pub fn with_tls(self, keys: &TlsKeys, spoken: Spoken) -> Self {
        match self.0 {
            Kind::Tcp(listener, _) => Self(Kind::Tcp(listener, Some((keys.clone(), spoken)))),
            other => Self(other),
        }
    }

    /// Where it listens: `host:port` with the port that was given, or `unix:/path`.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.0 {
            Kind::Tcp(listener, _) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| address.to_string()),
            Kind::Unix(_, file) => format!("{UNIX}{}", file.path.display()),
            #[cfg(any(test, feature = "testing"))]
            Kind::Simulated(address, _) => address.clone(),
        }
    }

    /// The socket address, of a TCP listener.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener, _) => listener.local_addr().ok(),
            Kind::Unix(..) => None,
            #[cfg(any(test, feature = "testing"))]
            Kind::Simulated(..) => None,
        }
    }

    /// Takes the next connection. Cancel-safe.
    ///
    /// # Errors
    /// What the operating system says, which is a lack of descriptors more often than not.
    pub async fn accept(&self) -> io::Result<Accepted> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.0 {
            Kind::Tcp(listener, tls) => listener.poll_accept(cx).map_ok(|(stream, _)| {
                // Heartbeats and single events must not wait for a full segment.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "No-delay was refused");
                }
                match tls {
                    Some((keys, spoken)) => Accepted::Tls(stream, keys.clone(), *spoken),
                    None => Accepted::Tcp(stream),
                }
            }),
            Kind::Unix(listener, _) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
            #[cfg(any(test, feature = "testing"))]
            Kind::Simulated(_, incoming) => match incoming.lock().poll_recv(cx) {
                Poll::Ready(Some(stream)) => Poll::Ready(Ok(Accepted::Simulated(stream))),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}

async fn bind_tcp(address: &str) -> Result<Listener, BindError> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        return Err(BindError::Address {
            address: address.to_owned(),
        });
    }
    let listener = TcpListener::bind(address).await;
    listener
        .map(|listener| Listener(Kind::Tcp(listener, None)))
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse {
                address: address.to_owned(),
            },
            _ => failed(address, source),
        })
}

/// The socket is made under a name of its own, given its mode, and only then listens and is moved
/// to its place: nobody can connect before the mode holds, and a stale file is replaced in one step.
async fn bind_unix(address: &str, path: &Path, mode: SocketMode) -> Result<Listener, BindError> {
    clear_the_way(address, path).await?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let io = |source| failed(address, source);
    if temporary.exists() {
        std::fs::remove_file(&temporary).map_err(io)?;
    }
    let listener = listen_unix(&temporary, mode)
        .and_then(|listener| std::fs::rename(&temporary, path).map(|()| listener))
        .map_err(|source| {
            // The error at hand says more than one about the leftover.
            std::fs::remove_file(&temporary).ok();
            failed(address, source)
        })?;
    let file = SocketFile {
        inode: inode(path),
        path: path.to_owned(),
    };
    Ok(Listener(Kind::Unix(listener, file)))
}

fn listen_unix(path: &Path, mode: SocketMode) -> io::Result<UnixListener> {
    let socket = tokio::net::UnixSocket::new_stream()?;
    socket.bind(path)?;
    let bits = match mode {
        SocketMode::Owner => 0o600,
        SocketMode::Group => 0o660,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits))?;
    socket.listen(BACKLOG)
}

/// A socket that nobody answers on is left over from a process that died.
async fn clear_the_way(address: &str, path: &Path) -> Result<(), BindError> {
    use std::os::unix::fs::FileTypeExt;
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(address, source)),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket {
            address: address.to_owned(),
        });
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(_) => Err(BindError::InUse {
            address: address.to_owned(),
        }),
        Err(source) => Err(failed(address, source)),
    }
}

fn failed(address: &str, source: io::Error) -> BindError {
    BindError::Io {
        address: address.to_owned(),
        source,
    }
}

fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path)
        .ok()
        .map(|found| found.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own socket there already.
        if self.inode.is_some() && self.inode == inode(&self.path) {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
