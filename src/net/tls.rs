//! Turns [`TlsConfig`] into what rustls needs: ring, the system's roots and the operator's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::config::TlsConfig;

/// The TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// `ca_file` cannot be read.
    #[error("read tls.ca_file '{}'", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `ca_file` is not PEM, or a certificate in it is malformed.
    #[error("read certificates in tls.ca_file '{}'", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `ca_file` holds no certificate.
    #[error("tls.ca_file '{}' holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Neither the system nor `ca_file` gives a certificate authority to trust.
    #[error("load the system's certificate authorities")]
    Roots(#[source] rustls::Error),
    /// The client cannot be built with these settings.
    #[error("build the http client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A rustls configuration with its own provider, so that a program that embeds the library need
/// not install one. `may_lack_roots`: on a machine without any certificate authority every
/// certificate is refused, not the configuration; right where only plaintext is expected.
pub(super) fn client_config(
    config: &TlsConfig,
    may_lack_roots: bool,
) -> Result<ClientConfig, TlsConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = match &config.ca_file {
        Some(path) => read_certificates(path)?,
        None => Vec::new(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsConfigError::Roots)?;
    let builder = match Verifier::new_with_extra_roots(extra, provider) {
        Ok(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier)),
        Err(_) if may_lack_roots => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(TlsConfigError::Roots(error)),
    };
    let mut tls = builder.with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let malformed = |source: Box<dyn std::error::Error + Send + Sync>| TlsConfigError::Malformed {
        path: path.to_owned(),
        source,
    };
    let pem = std::fs::read(path).map_err(|source| TlsConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(error.into()))?;
    if certificates.is_empty() {
        return Err(TlsConfigError::Empty {
            path: path.to_owned(),
        });
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| malformed(error.into()))?;
    }
    Ok(certificates)
}
