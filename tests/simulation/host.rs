//! [`SimulatedHost`]: what the sidecar stands on in a simulation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tieline::app::{Host, StartError};
use tieline::grpc::{BindError, Listener};
use tieline::journal::{FileJournal, Options, SimulatedDisk};
use tieline::net::{ClientError, ProxyRoutes, SimulatedClient, TlsConfig, UrlPolicy};
use tieline::runtime::Rng;
use tokio::task::JoinSet;

use crate::manners::{Polite, Watch};
use crate::network::{Network, Place};
use crate::process::Process;

/// How long the disk takes for a turn of the writer: at least, and at most.
pub(crate) type DiskTakes = Arc<Mutex<(Duration, Duration)>>;

/// The machine of one process.
pub(crate) struct SimulatedHost {
    pub(crate) network: Network,
    pub(crate) disk: SimulatedDisk,
    pub(crate) disk_takes: DiskTakes,
    pub(crate) process: Arc<Process>,
    pub(crate) rng: Rng,
    /// The writers of journals; they end with the process.
    pub(crate) writers: Mutex<JoinSet<()>>,
    pub(crate) watch: Watch,
}

impl fmt::Debug for SimulatedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedHost")
    }
}

#[async_trait]
impl Host for SimulatedHost {
    type Http = Polite<SimulatedClient>;

    fn client(
        &self,
        policy: UrlPolicy,
        _: &TlsConfig,
        _: ProxyRoutes,
    ) -> Result<Self::Http, ClientError> {
        let (network, process) = (self.network.clone(), Arc::clone(&self.process));
        let client = SimulatedClient::new(policy, move |name| {
            let (network, process) = (network.clone(), Arc::clone(&process));
            let name = name.to_owned();
            Box::pin(async move { network.connect(Place::Sidecar, Some(process), &name).await })
        });
        Ok(self.watch.over(client))
    }

    async fn open_journal(&self, options: Options) -> Result<FileJournal, StartError> {
        let name = options.name.clone();
        let (takes, rng) = (Arc::clone(&self.disk_takes), self.rng.fork("disk"));
        let disk_takes = move || {
            let (least, most) = *takes.lock();
            let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
            least + Duration::from_micros(rng.below(spread.max(1)))
        };
        let opened = FileJournal::open_simulated(&self.disk, options, disk_takes);
        let (journal, writer) = opened.map_err(|source| StartError::Journal { name, source })?;
        self.writers.lock().spawn(writer);
        Ok(journal)
    }

    async fn listen(&self, address: &str) -> Result<Listener, BindError> {
        let process = Some(Arc::clone(&self.process));
        let incoming = self.network.listen(address, Place::Sidecar, process);
        Ok(Listener::simulated(address, incoming))
    }
}
