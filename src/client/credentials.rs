//! [`Credentials`]: by what a server is known to be the right one, and by what it knows who calls. All of
//! it stands in files that are read anew: those of TLS at each connection, the token at each call.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use zeroize::Zeroizing;

/// The bundles of all public authorities together are a quarter of it.
const LONGEST: u64 = 1 << 20;

/// Where credentials stand. None by default: plaintext, as nobody in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The authorities that a server's certificate may be of, as PEM; else those of the system.
    pub ca_file: Option<PathBuf>,
    /// The caller's certificate, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key_file: Option<PathBuf>,
    /// The bearer token.
    pub token_file: Option<PathBuf>,
}

impl Credentials {
    /// Whether they are for TLS, whatever the address says.
    #[must_use]
    pub fn want_tls(&self) -> bool {
        let files = [&self.ca_file, &self.cert_file, &self.key_file];
        files.into_iter().any(Option::is_some)
    }

    /// What a header says of the caller; `None` where there is nothing to say.
    ///
    /// # Errors
    /// When the file of the token cannot be read, or holds none.
    pub fn authorization(&self) -> io::Result<Option<MetadataValue<Ascii>>> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let text = read(path)?;
        let text = std::str::from_utf8(&text).map_err(|_| wrong(path, "is not UTF-8"))?;
        let header = Zeroizing::new(format!("Bearer {}", text.trim()));
        let mut value: MetadataValue<Ascii> =
            header.parse().map_err(|_| wrong(path, "holds no token"))?;
        value.set_sensitive(true);
        match text.trim().is_empty() {
            true => Err(wrong(path, "holds no token")),
            false => Ok(Some(value)),
        }
    }

    /// Agrees on TLS with a server of this name.
    ///
    /// # Errors
    /// When a file is of no use, or the server is another.
    pub async fn agree(
        &self,
        stream: TcpStream,
        host: &str,
        protocol: &[u8],
    ) -> io::Result<TlsStream<TcpStream>> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut config = self.config()?;
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await
    }

    fn config(&self) -> io::Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match &self.ca_file {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    let added = roots.add(authority);
                    added.map_err(|error| wrong(path, &error.to_string()))?;
                }
                builder.with_root_certificates(roots)
            }
            None => {
                let verifier = Verifier::new(provider).map_err(io::Error::other)?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        let pem = read(key)?;
        let secret = PrivateKeyDer::from_pem_slice(&pem);
        let secret = secret.map_err(|error| wrong(key, &error.to_string()))?;
        builder
            .with_client_auth_cert(chain, secret)
            .map_err(|error| wrong(key, &error.to_string()))
    }
}

/// Puts the token into each call.
impl Interceptor for Credentials {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        match self.authorization() {
            Ok(None) => {}
            Ok(Some(value)) => {
                request.metadata_mut().insert("authorization", value);
            }
            // It says whose file it is, and nothing of what is in it.
            Err(error) => return Err(Status::unauthenticated(error.to_string())),
        }
        Ok(request)
    }
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| wrong(path, &error.to_string()))?;
    match all.is_empty() {
        true => Err(wrong(path, "holds no certificate")),
        false => Ok(all),
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let failed = |error: io::Error| {
        let text = format!("read '{}': {error}", path.display());
        io::Error::new(error.kind(), text)
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn wrong(path: &Path, problem: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("'{}': {problem}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_at_each_call_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut credentials = Credentials {
            token_file: Some(path.clone()),
            ..Credentials::default()
        };
        assert!(!credentials.want_tls());
        let missing = credentials.call(tonic::Request::new(())).unwrap_err();
        assert!(missing.message().contains("token"), "{missing:?}");
        for token in ["first-token-of-all", "second-token-of-all\n"] {
            std::fs::write(&path, token).unwrap();
            let request = credentials.call(tonic::Request::new(())).unwrap();
            let given = request.metadata().get("authorization").unwrap();
            let expected = format!("Bearer {}", token.trim());
            assert_eq!(given.to_str().unwrap(), expected);
            assert!(!format!("{request:?}").contains("token-of-all"));
        }
        for nothing in ["", " \n", "a\u{7}b"] {
            std::fs::write(&path, nothing).unwrap();
            assert!(credentials.authorization().is_err(), "{nothing:?}");
        }
    }
}
