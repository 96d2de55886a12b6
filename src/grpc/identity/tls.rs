//! [`TlsKeys`]: TLS of the listeners, from files that may change while they listen.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate;
use super::config::ListenTlsConfig;
use super::files::{FileError, Holds, read};
use super::principal::Shown;
use super::trust::Trust;
use crate::runtime::Counter;

const CERTIFICATE: &str = "listen.tls.cert_file";
const KEY: &str = "listen.tls.key_file";
const CLIENT_CA: &str = "listen.tls.client_ca_file";
/// How long a peer may take to agree on TLS, and to say its first word.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What is spoken over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// gRPC: HTTP/2 alone.
    Grpc,
    /// The console or gRPC-Web, and gRPC: HTTP/2 and HTTP/1.1, for a browser may know no other.
    Http,
}

/// The certificate of the listeners and whom they trust. Clones share it.
#[derive(Debug, Clone)]
pub struct TlsKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: ListenTlsConfig,
    current: RwLock<Current>,
    trust: Trust,
    handshakes: Handshakes,
}

#[derive(Debug, Clone)]
struct Current {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

/// What speaks TLS; what it has read already is in it.
pub(super) type Secured = BufReader<TlsStream<TcpStream>>;

/// What became of handshakes since the start.
#[derive(Debug, Default)]
pub struct Handshakes {
    /// Those that ended well.
    pub done: Counter,
    /// Those that did not, or took too long.
    pub failed: Counter,
}

impl TlsKeys {
    /// Reads the files.
    ///
    /// # Errors
    /// [`FileError`], which names the file.
    pub fn load(files: &ListenTlsConfig) -> Result<Self, FileError> {
        let (current, verifier) = current(files)?;
        Ok(Self(Arc::new(Inner {
            files: files.clone(),
            current: RwLock::new(current),
            trust: Trust::new(verifier),
            handshakes: Handshakes::default(),
        })))
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = &self.0.files;
        let own = [Some(&files.cert_file), Some(&files.key_file)];
        let all = own.into_iter().chain([files.client_ca_file.as_ref()]);
        all.flatten().cloned().collect()
    }

    /// Reads the files again: new connections get what they hold now, and those end whose certificate is
    /// not trusted any more. Where they are of no use, what counted before still does.
    ///
    /// # Errors
    /// [`FileError`], which names the file.
    pub fn read_again(&self) -> Result<(), FileError> {
        let (current, verifier) = current(&self.0.files)?;
        *self.0.current.write() = current;
        // In this order: whoever agreed by what was before is judged when it stands.
        self.0.trust.change(verifier);
        Ok(())
    }

    /// What became of handshakes.
    #[must_use]
    pub fn handshakes(&self) -> &Handshakes {
        &self.0.handshakes
    }

    /// Agrees on TLS with a peer that then speaks, all within five seconds; also what it showed of itself.
    ///
    /// # Errors
    /// Why that failed.
    pub async fn agree(&self, stream: TcpStream, spoken: Spoken) -> io::Result<(Secured, Shown)> {
        let current = self.0.current.read().clone();
        let config = match spoken {
            Spoken::Grpc => current.grpc,
            Spoken::Http => current.http,
        };
        let agreed = timeout(HANDSHAKE, agree(stream, config)).await;
        let agreed = agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let handshakes = self.handshakes();
        match &agreed {
            Ok(_) => handshakes.done.one(),
            Err(_) => handshakes.failed.one(),
        }
        let stream = agreed?;
        let certificates = stream.get_ref().get_ref().1.peer_certificates();
        let shown = certificates.and_then(|chain| {
            let own = chain.first()?;
            Some(certificate::shown(own, self.0.trust.stands(chain)))
        });
        let shown = shown.unwrap_or_default();
        Ok((stream, shown))
    }
}

/// A peer that says nothing is not kept.
async fn agree(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Secured> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let mut stream = BufReader::new(stream);
    match stream.fill_buf().await?.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(stream),
    }
}

type Verifier = Option<Arc<dyn ClientCertVerifier>>;

fn current(files: &ListenTlsConfig) -> Result<(Current, Verifier), FileError> {
    let (config, verifier) = server_config(files)?;
    let current = Current {
        grpc: speaking(&config, &["h2"]),
        http: speaking(&config, &["h2", "http/1.1"]),
    };
    Ok((current, verifier))
}

fn speaking(config: &ServerConfig, protocols: &[&str]) -> Arc<ServerConfig> {
    let mut config = config.clone();
    let names = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = names.collect();
    Arc::new(config)
}

fn server_config(files: &ListenTlsConfig) -> Result<(ServerConfig, Verifier), FileError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |key, path: &Path, error: &dyn std::error::Error| {
        FileError::content(key, path, error.to_string())
    };
    let chain = certificates(CERTIFICATE, &files.cert_file)?;
    let pem = read(KEY, &files.key_file, Holds::Secrets)?;
    let key =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(KEY, &files.key_file, &error))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(CERTIFICATE, &files.cert_file, &error))?;
    let verifier: Verifier = match &files.client_ca_file {
        None => None,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(CLIENT_CA, path)? {
                let added = roots.add(authority);
                added.map_err(|error| wrong(CLIENT_CA, path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = verifier.build();
            Some(verifier.map_err(|error| wrong(CLIENT_CA, path, &error))?)
        }
    };
    let builder = match &verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
    };
    // What is wrong now is that the two do not belong together, or their kind.
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| wrong(KEY, &files.key_file, &error))?;
    // Connections last: to remember them is not worth a credential that outlives its file.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((config, verifier))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let pem = read(key, path, Holds::Public)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates =
        certificates.map_err(|error| FileError::content(key, path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(FileError::content(key, path, "holds no certificate"));
    }
    Ok(certificates)
}
