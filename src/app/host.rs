//! [`Host`]: what a sidecar stands on: network, disk and listeners. The machine, or a simulation of one.

use std::fmt;

use async_trait::async_trait;

use super::StartError;
use crate::grpc::{BindError, Listener, SocketMode};
use crate::journal::{FileJournal, Options};
use crate::net::{Client, ClientError, HttpClient, ProxyRoutes, TlsConfig, Trust, UrlPolicy};
use crate::runtime::offload;
use crate::telemetry::traces::Tracer;

/// What a sidecar stands on.
#[async_trait]
pub trait Host: Send + Sync + fmt::Debug + 'static {
    /// Its outgoing side of the network.
    type Http: HttpClient + 'static;

    /// A client that goes where the policy allows, by these ways.
    ///
    /// # Errors
    /// [`ClientError`].
    fn client(
        &self,
        policy: UrlPolicy,
        tls: &TlsConfig,
        routes: ProxyRoutes,
    ) -> Result<Self::Http, ClientError>;

    /// Opens a journal, or makes one where there is none.
    ///
    /// # Errors
    /// [`StartError::Journal`] or [`StartError::Panicked`].
    async fn open_journal(&self, options: Options) -> Result<FileJournal, StartError>;

    /// Listens on an address of the configuration.
    ///
    /// # Errors
    /// [`BindError`].
    async fn listen(&self, address: &str) -> Result<Listener, BindError>;

    /// What records traces; nothing where a host does not say.
    fn tracer(&self) -> Tracer {
        Tracer::off()
    }
}

/// The machine this runs on.
#[derive(Debug)]
pub(super) struct Machine {
    tracer: Tracer,
    trust: Trust,
}

impl Machine {
    pub(super) fn new(tracer: Tracer) -> Self {
        let trust = Trust::default();
        Self { tracer, trust }
    }
}

#[async_trait]
impl Host for Machine {
    type Http = Client;

    fn client(
        &self,
        policy: UrlPolicy,
        tls: &TlsConfig,
        routes: ProxyRoutes,
    ) -> Result<Client, ClientError> {
        Client::new(policy, tls, routes, &self.trust)
    }

    async fn open_journal(&self, options: Options) -> Result<FileJournal, StartError> {
        let name = options.name.clone();
        match offload(|| FileJournal::open(options)).await {
            Ok(Ok(journal)) => Ok(journal),
            Ok(Err(source)) => Err(StartError::Journal { name, source }),
            Err(_) => Err(StartError::Panicked { name }),
        }
    }

    async fn listen(&self, address: &str) -> Result<Listener, BindError> {
        Listener::bind(address, SocketMode::default()).await
    }

    fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }
}
