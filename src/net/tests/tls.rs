//! TLS: who is trusted, and what a failed handshake is called.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::server::{FIN, Server, TEXT, accept_websocket, answer, frame, read_request};
use super::{client_with, get, websocket};
use crate::net::{
    Client, ClientError, Frame, HandshakeFailure, HttpClient, HttpFailure, ProxyRoutes, TlsConfig,
    TlsConfigError, Trust, UrlPolicy, WebSocket,
};

/// A certificate authority of our own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn trusted_in(&self, directory: &TempDir) -> TlsConfig {
        file(directory, &self.0.pem())
    }

    /// Accepts TLS with a certificate for `name`.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A server with a certificate for `name` that answers requests and accepts WebSockets.
    async fn serve(&self, name: &str) -> Server {
        let acceptor = self.acceptor(name);
        Server::start(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                if name_of_path(&mut stream).await {
                    let text = frame(FIN | TEXT, b"over tls");
                    stream.write_all(&text).await.unwrap();
                    read_request(&mut stream).await;
                }
            }
        })
        .await
    }
}

/// Serves one request; true when it became a WebSocket.
async fn name_of_path<S>(stream: &mut S) -> bool
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut first = [0; 1];
    tokio::io::AsyncReadExt::read_exact(stream, &mut first)
        .await
        .unwrap();
    if first[0] == b'P' {
        read_request(stream).await;
        let answer = answer("200 OK", "", "over tls");
        stream.write_all(answer.as_bytes()).await.unwrap();
        return false;
    }
    accept_websocket(stream).await;
    true
}

fn file(directory: &TempDir, text: &str) -> TlsConfig {
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, text).unwrap();
    TlsConfig {
        ca_file: Some(path),
        ..TlsConfig::default()
    }
}

fn https(server: &Server) -> Url {
    server
        .url
        .as_str()
        .replacen("http", "https", 1)
        .parse()
        .unwrap()
}

async fn request(server: &Server, tls: &TlsConfig) -> Result<bytes::Bytes, HttpFailure> {
    let mut request = get(&https(server));
    request.method = http::Method::POST;
    let client = client_with(&https(server), &[], tls);
    client.request(request).await.map(|response| response.body)
}

#[tokio::test]
async fn a_private_authority_is_trusted_for_requests_and_websockets_alike() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new();
    let tls = authority.trusted_in(&directory);
    let server = authority.serve("127.0.0.1").await;
    assert_eq!(request(&server, &tls).await.unwrap(), "over tls");
    let client = client_with(&https(&server), &[], &tls);
    let url = https(&server)
        .as_str()
        .replacen("https", "wss", 1)
        .parse()
        .unwrap();
    let mut socket = client.websocket(websocket(&url)).await.unwrap();
    let received = socket.receive().await.unwrap();
    assert_eq!(received, Some(Frame::Text("over tls".into())));
}

#[tokio::test]
async fn nobody_else_is_trusted() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new();
    let server = authority.serve("127.0.0.1").await;
    let stranger = Authority::new().trusted_in(&directory);
    let outcome = request(&server, &stranger).await;
    assert!(matches!(outcome, Err(HttpFailure::Tls(_))), "{outcome:?}");
    let policy = UrlPolicy::new(&https(&server), &[], false).unwrap();
    match Client::new(
        policy,
        &TlsConfig::default(),
        ProxyRoutes::default(),
        &Trust::default(),
    ) {
        Ok(client) => {
            let outcome = client.websocket(websocket(&https(&server))).await;
            let failure = outcome.unwrap_err();
            assert!(
                matches!(failure, HandshakeFailure::Http(HttpFailure::Tls(_))),
                "{failure:?}"
            );
        }
        // A machine without any certificate authority.
        Err(error) => assert!(
            matches!(error, ClientError::Tls(TlsConfigError::Roots(_))),
            "{error:?}"
        ),
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new();
    let server = authority.serve("api.test").await;
    let outcome = request(&server, &authority.trusted_in(&directory)).await;
    assert!(matches!(outcome, Err(HttpFailure::Tls(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_a_tls_failure() {
    let directory = TempDir::new().unwrap();
    let tls = Authority::new().trusted_in(&directory);
    let plain = Server::start(|mut stream| async move {
        let answer = answer("400 Bad Request", "", "");
        stream.write_all(answer.as_bytes()).await.unwrap();
        super::server::read_to_end(&mut stream).await;
    })
    .await;
    let outcome = request(&plain, &tls).await;
    assert!(matches!(outcome, Err(HttpFailure::Tls(_))), "{outcome:?}");
    let closing = Server::start(|mut stream| async move {
        // Read the whole greeting, so that the end is an end and not a reset.
        let mut header = [0; 5];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut header)
            .await
            .unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut rest)
            .await
            .unwrap();
    })
    .await;
    let outcome = request(&closing, &tls).await;
    assert!(matches!(outcome, Err(HttpFailure::Tls(_))), "{outcome:?}");
}

#[test]
fn a_ca_file_that_will_not_do_is_named() {
    let directory = TempDir::new().unwrap();
    let endpoint: Url = "https://api.test".parse().unwrap();
    let build = |tls: &TlsConfig| {
        let policy = UrlPolicy::new(&endpoint, &[], false).unwrap();
        match Client::new(policy, tls, ProxyRoutes::default(), &Trust::default()).unwrap_err() {
            ClientError::Tls(error) => error,
            error => panic!("{error:?}"),
        }
    };
    let missing = TlsConfig {
        ca_file: Some(PathBuf::from("/nonexistent/ca.pem")),
        ..TlsConfig::default()
    };
    let error = build(&missing);
    assert_eq!(error.to_string(), "read tls.ca_file '/nonexistent/ca.pem'");
    let error = build(&file(&directory, "no certificate here"));
    assert!(matches!(error, TlsConfigError::Empty { .. }), "{error:?}");
    for text in [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
    ] {
        let error = build(&file(&directory, text));
        assert!(
            matches!(error, TlsConfigError::Malformed { .. }),
            "{text}: {error:?}"
        );
    }
}
