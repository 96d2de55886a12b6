//! [`TlsFiles`]: what the standard variables name for TLS, as the clients of both protocols take it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

pub(in crate::telemetry) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// PEM files for the way to the collector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::telemetry) struct TlsFiles {
    pub(in crate::telemetry) ca: Option<PathBuf>,
    pub(in crate::telemetry) certificate: Option<PathBuf>,
    pub(in crate::telemetry) key: Option<PathBuf>,
}

impl TlsFiles {
    /// For gRPC.
    pub(in crate::telemetry) fn grpc(&self) -> Result<ClientTlsConfig, Problem> {
        let mut tls = ClientTlsConfig::new().with_enabled_roots();
        if let Some(ca) = &self.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }

    /// For HTTP.
    pub(in crate::telemetry) fn http(&self) -> Result<reqwest::ClientBuilder, Problem> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let extra = match &self.ca {
            Some(ca) => certificates(ca)?,
            None => Vec::new(),
        };
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        // A machine without authorities can still reach a collector in plaintext.
        let builder = match Verifier::new_with_extra_roots(extra, provider) {
            Ok(verifier) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier)),
            Err(_) => builder.with_root_certificates(rustls::RootCertStore::empty()),
        };
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder.with_client_auth_cert(
                certificates(certificate)?,
                PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|error| format!("read {}: {error}", key.display()))?,
            )?,
            _ => builder.with_no_client_auth(),
        };
        Ok(reqwest::Client::builder().tls_backend_preconfigured(tls))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let pem = read(path)?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("read {}: {error}", path.display()).into())
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|error| format!("read {}: {error}", path.display()).into())
}
