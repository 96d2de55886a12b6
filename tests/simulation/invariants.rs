//! What is to be true beside the oracle's sentence: of readers that filter, and of a world that has
//! healed.

use std::time::Duration;

use tieline::client::Address;
use tieline::runtime::{MonoTime, Rng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::filtered::{Filtered, Wants};
use crate::late::Everything;
use crate::network::{Network, Place};
use crate::platform::Platform;
use crate::reader::{Phase, Reader};

/// A connection that is cut on a good day is back after one short delay.
const BACK_WITHIN: Duration = Duration::from_secs(8);

/// The readers that want only some events.
pub(crate) struct Choosy(JoinSet<Filtered>);

/// What was found after everything had healed.
pub(crate) struct Aftermath {
    pub(crate) all: Everything,
    pub(crate) broken: Option<String>,
}

impl Aftermath {
    /// What is wrong after everything had healed, compared with those who were there all the time.
    pub(crate) fn judge(&self, readers: &[Reader]) -> Option<String> {
        let mut readers = readers.iter();
        let differs = || readers.find_map(|reader| self.all.differs(reader.seen()));
        self.broken.clone().or_else(differs)
    }
}

impl Choosy {
    pub(crate) fn begin(address: &Address, rng: &Rng, phases: &watch::Receiver<Phase>) -> Self {
        let wants = [
            Wants::ProviderType("routing.agentEvent"),
            Wants::AllBut("ccaas.queue.statistics.v1"),
        ];
        let mut readers = JoinSet::new();
        for wants in wants {
            let rng = rng.fork(&format!("{wants:?}"));
            let reader = Filtered::new(wants, address.clone(), rng);
            readers.spawn(reader.run(phases.clone()));
        }
        Self(readers)
    }

    /// What is wrong with what they got, once all is over.
    pub(crate) async fn judge(mut self, after: Option<&Aftermath>) -> Option<String> {
        let all = after.map_or(&[][..], |after| &after.all.events);
        let mut found = Vec::new();
        while let Some(reader) = self.0.join_next().await {
            match reader {
                Ok(reader) => found.extend(reader.judge(all)),
                Err(error) => found.push(format!("a reader panicked: {error}")),
            }
        }
        found.into_iter().next()
    }
}

/// Cuts the connections to the platform: whatever happened before, they are soon back.
pub(crate) async fn comes_back(
    platform: &dyn Platform,
    network: &Network,
    caught_up: impl Fn() -> bool,
) -> Option<String> {
    network.reset(Place::Sidecar, Place::Platform);
    platform.set_rate(5.0);
    sleep(Duration::from_secs(2)).await;
    platform.set_rate(0.0);
    let deadline = MonoTime::now() + BACK_WITHIN;
    while !caught_up() {
        if MonoTime::now() > deadline {
            return Some("a connection that was cut did not come back in time".to_owned());
        }
        sleep(Duration::from_millis(100)).await;
    }
    None
}
