//! The flags by which a command and a server know each other.

use std::path::PathBuf;

use clap::Args;

use crate::client::{Address, Credentials, Target};

/// Where credentials stand.
#[derive(Debug, Args)]
pub(super) struct CredentialArgs {
    /// Authorities that the server's certificate may be of, as PEM; else those of the system. Makes the
    /// connection one of TLS, as https:// does.
    #[arg(
        long,
        value_name = "FILE",
        env = "TIELINE_TLS_CA",
        help_heading = "Credentials"
    )]
    tls_ca: Option<PathBuf>,
    /// The caller's certificate, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "TIELINE_TLS_CERT",
        requires = "tls_key",
        help_heading = "Credentials"
    )]
    tls_cert: Option<PathBuf>,
    /// Its private key, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "TIELINE_TLS_KEY",
        requires = "tls_cert",
        help_heading = "Credentials"
    )]
    tls_key: Option<PathBuf>,
    /// The bearer token; read again at each call.
    #[arg(
        long,
        value_name = "FILE",
        env = "TIELINE_TOKEN_FILE",
        help_heading = "Credentials"
    )]
    token_file: Option<PathBuf>,
}

impl CredentialArgs {
    /// A server at this address.
    pub(super) fn target(&self, address: &Address) -> Target {
        Target {
            address: address.clone(),
            credentials: Credentials {
                ca_file: self.tls_ca.clone(),
                cert_file: self.tls_cert.clone(),
                key_file: self.tls_key.clone(),
                token_file: self.token_file.clone(),
            },
        }
    }
}
