//! [`Authority`]: a certificate authority of a test, with the certificates that it gives out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::{write_private, write_secret};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate as a file.
    pub(crate) fn file(&self, files: &Path, name: &str) -> PathBuf {
        write_secret(files, name, &self.pem())
    }

    /// A certificate for a client and its key, as files of these names.
    pub(crate) fn client(&self, files: &Path, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["tieline.test".to_owned()]).unwrap();
        let signed = params.signed_by(&pair, &self.0).unwrap();
        (
            write_secret(files, certificate, &signed.pem()),
            write_secret(files, key, &pair.serialize_pem()),
        )
    }

    /// A certificate for a listener on loopback and its key, as files of these names.
    pub(crate) fn server(&self, files: &Path, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        self.write(
            files,
            CertificateParams::new(names).unwrap(),
            certificate,
            key,
        )
    }

    /// A certificate for a caller of this name (a URI) that runs out then, in seconds since 1970.
    pub(crate) fn caller(&self, files: &Path, uri: &str, until: u64) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(until);
        let name = uri.rsplit('/').next().unwrap();
        self.write(
            files,
            params,
            &format!("{name}.pem"),
            &format!("{name}.key"),
        )
    }

    fn write(
        &self,
        files: &Path,
        params: CertificateParams,
        certificate: &str,
        key: &str,
    ) -> (PathBuf, PathBuf) {
        let pair = KeyPair::generate().unwrap();
        let signed = params.signed_by(&pair, &self.0).unwrap();
        (
            write_private(files, certificate, &signed.pem()),
            write_private(files, key, &pair.serialize_pem()),
        )
    }

    /// Accepts TLS with a certificate for loopback.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
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
}
