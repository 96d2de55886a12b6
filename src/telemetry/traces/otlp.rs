//! The exporter: OTLP over gRPC or HTTP, as the standard variables say, with the program's own TLS.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::settings::{Protocol, Settings, TlsFiles};

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Builds it; within a runtime, for connections are made by tasks of it.
pub(super) fn exporter(settings: &Settings) -> Result<SpanExporter, Problem> {
    let builder = SpanExporter::builder();
    let mut exporter = match settings.protocol {
        // What trusts nobody, for it found nobody to trust, can still be spoken to in plaintext.
        Protocol::Grpc if settings.plaintext => builder.with_tonic().build()?,
        Protocol::Grpc => builder
            .with_tonic()
            .with_tls_config(grpc_tls(&settings.tls)?)
            .build()?,
        Protocol::Http => builder
            .with_http()
            .with_http_client(http_client(settings)?)
            .build()?,
    };
    let attributes = settings.resource.iter();
    let attributes = attributes.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let resource = Resource::builder().with_attributes(attributes).build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

fn grpc_tls(files: &TlsFiles) -> Result<ClientTlsConfig, Problem> {
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    if let Some(ca) = &files.ca {
        tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
    }
    if let (Some(certificate), Some(key)) = (&files.certificate, &files.key) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

fn http_client(settings: &Settings) -> Result<reqwest::Client, Problem> {
    let files = &settings.tls;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = match &files.ca {
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
    let tls = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => builder.with_client_auth_cert(
            certificates(certificate)?,
            PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| format!("read {}: {error}", key.display()))?,
        )?,
        _ => builder.with_no_client_auth(),
    };
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(settings.request_timeout)
        .build()?)
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
