//! Turns [`TlsConfig`] into what rustls needs: ring, the system's roots and the operator's, and who
//! we are where the platform wants to know.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use xxhash_rust::xxh3::Xxh3;
use zeroize::Zeroizing;

use super::config::TlsConfig;
use super::trust::Trust;

/// The bundles of all public authorities together are a quarter of it.
const LONGEST_FILE: u64 = 1 << 20;

/// TLS sessions that are resumed, eight of each host: a platform has few, and room for them is taken
/// at once.
const REMEMBERED: usize = 8 * 4;

/// The TLS settings cannot be used. Names the key and the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("read tls.{key} '{}'", path.display())]
    Read {
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM, or what it holds is malformed.
    #[error("read tls.{key} '{}'", path.display())]
    Malformed {
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file holds no certificate.
    #[error("tls.{key} '{}' holds no certificate", path.display())]
    Empty {
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("tls.{given} is given without tls.{missing}")]
    Half {
        /// The key that is there.
        given: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error("use tls.client_cert_file with tls.client_key_file")]
    Identity(#[source] rustls::Error),
    /// Neither the system nor `ca_file` gives a certificate authority to trust.
    #[error("load the system's certificate authorities")]
    Roots(#[source] rustls::Error),
}

/// What the files of a [`TlsConfig`] hold.
pub(super) struct TlsFiles {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl TlsFiles {
    pub(super) fn read(config: &TlsConfig) -> Result<Self, TlsConfigError> {
        let ca = config.ca_file.as_deref();
        let half = |given, missing| Err(TlsConfigError::Half { given, missing });
        let identity = match (&config.client_cert_file, &config.client_key_file) {
            (Some(certificate), Some(key)) => Some((
                read_file(CERTIFICATE, certificate)?,
                Zeroizing::new(read_file(KEY, key)?),
            )),
            (Some(_), None) => return half(CERTIFICATE, KEY),
            (None, Some(_)) => return half(KEY, CERTIFICATE),
            (None, None) => None,
        };
        Ok(Self {
            ca: ca.map(|path| read_file(CA, path)).transpose()?,
            identity,
        })
    }

    /// Goes into a number that changes when one of the files does.
    pub(super) fn hash(&self, into: &mut Xxh3) {
        let (certificate, key) = match &self.identity {
            Some((certificate, key)) => (Some(certificate.as_slice()), Some(key.as_slice())),
            None => (None, None),
        };
        for file in [self.ca.as_deref(), certificate, key] {
            let file = file.unwrap_or_default();
            into.update(&file.len().to_le_bytes());
            into.update(file);
        }
    }
}

const CA: &str = "ca_file";
const CERTIFICATE: &str = "client_cert_file";
const KEY: &str = "client_key_file";

/// A rustls configuration with its own provider, so that a program that embeds the library need
/// not install one. `may_lack_roots`: on a machine without any certificate authority every
/// certificate is refused, not the configuration; right where only plaintext is expected.
pub(super) fn client_config(
    config: &TlsConfig,
    files: &TlsFiles,
    trust: &Trust,
    may_lack_roots: bool,
) -> Result<ClientConfig, TlsConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = match (&files.ca, &config.ca_file) {
        (Some(pem), Some(path)) => authorities(pem, path)?,
        _ => Vec::new(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsConfigError::Roots)?;
    let builder = match trust.verifier(extra) {
        Ok(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(verifier),
        Err(_) if may_lack_roots => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(TlsConfigError::Roots(error)),
    };
    let mut tls = match identity(config, files)? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(TlsConfigError::Identity)?,
        None => builder.with_no_client_auth(),
    };
    tls.resumption = Resumption::in_memory_sessions(REMEMBERED);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(config: &TlsConfig, files: &TlsFiles) -> Result<Option<Identity>, TlsConfigError> {
    let (Some((certificate, key)), Some(certificate_path), Some(key_path)) = (
        &files.identity,
        &config.client_cert_file,
        &config.client_key_file,
    ) else {
        return Ok(None);
    };
    let chain = certificates(CERTIFICATE, certificate, certificate_path)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| malformed(KEY, key_path, error.into()))?;
    Ok(Some((chain, key)))
}

fn authorities(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let certificates = certificates(CA, pem, path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| malformed(CA, path, error.into()))?;
    }
    Ok(certificates)
}

fn certificates(
    key: &'static str,
    pem: &[u8],
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(key, path, error.into()))?;
    if certificates.is_empty() {
        return Err(TlsConfigError::Empty {
            key,
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

fn malformed(
    key: &'static str,
    path: &Path,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> TlsConfigError {
    TlsConfigError::Malformed {
        key,
        path: path.to_owned(),
        source,
    }
}

fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsConfigError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes));
    let read = read.and_then(|length| match u64::try_from(length) {
        Ok(..=LONGEST_FILE) => Ok(()),
        _ => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
    });
    read.map_err(|source| TlsConfigError::Read {
        key,
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}
