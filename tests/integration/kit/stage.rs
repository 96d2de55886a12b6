//! [`Stage`]: a simulated platform and a sidecar that reads it.

use std::time::Duration;

use tieline::config::Config;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::fault::{FaultName, FaultRule};
use tieline::sandbox::{
    Counters, ElapsedHold, Emission, RequestKind, Sandbox, SandboxConfig, Verdict,
};
use tieline::session::TransportChoice;
use tokio::time::Instant;

use super::{PATIENCE, Reader, Sidecar, millis};

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) sidecar: Sidecar,
}

/// A platform whose holds are as short as a hold may be.
pub(crate) fn quick() -> SandboxConfig {
    SandboxConfig {
        hold_min: millis(1_100),
        hold_max: millis(1_400),
        elapsed: ElapsedHold::Either,
        ..SandboxConfig::default()
    }
}

impl Stage {
    /// A platform and a sidecar that may use this transport.
    pub(crate) async fn over(transport: TransportChoice) -> Self {
        Self::with(quick(), |config| config.sessions[0].transport = transport).await
    }

    pub(crate) async fn with(platform: SandboxConfig, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::troubled(platform, [], adjust).await
    }

    /// Like [`Stage::with`]; the faults are in force before the sidecar starts.
    pub(crate) async fn troubled<const N: usize>(
        platform: SandboxConfig,
        faults: [FaultRule; N],
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let sandbox = Sandbox::start(platform, Clock::system(), Rng::from_seed(11));
        let sandbox = sandbox.await.unwrap();
        for fault in faults {
            sandbox.faults().set(fault).unwrap();
        }
        let sidecar = Sidecar::start(&sandbox, adjust).await;
        Self { sandbox, sidecar }
    }

    /// A reader from the first event on.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(&self.sidecar, "reader")
    }

    /// Issues events of the story.
    pub(crate) fn emit(&self, count: u64) -> u64 {
        self.sandbox.emit(&Emission::story(count)).unwrap()
    }

    pub(crate) fn set(&self, rule: impl Into<FaultRule>) {
        self.sandbox.faults().set(rule).unwrap();
    }

    /// Waits until something is true of the platform.
    pub(crate) async fn platform(&self, what: &str, test: impl Fn(&Sandbox) -> bool) {
        let came = self.sandbox.wait_until(PATIENCE, test).await;
        let (session, counters) = (self.sidecar.session(), self.sandbox.counters());
        assert!(came, "waited in vain for {what}; {session:?}, {counters:?}");
    }

    /// Waits until a fault has struck so often.
    pub(crate) async fn struck(&self, name: FaultName, times: u64) {
        self.platform(name.as_str(), |sandbox| {
            sandbox.faults().struck(name) >= times
        })
        .await;
    }

    /// Begins to count requests.
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            began: Instant::now(),
            before: self.sandbox.counters(),
        }
    }

    /// How every test ends: without faults the session is well, later events arrive, and the reader
    /// has what was issued, once and in order, or a record of what is missing.
    pub(crate) async fn settle(&self, reader: &mut Reader) -> Verdict {
        self.sandbox.faults().clear_all();
        self.sidecar.active().await;
        self.emit(5);
        reader.catch_up(&self.sandbox).await;
        let verdict = reader.verdict(&self.sandbox).await;
        assert!(verdict.is_clean(), "{verdict}; facts {:?}", reader.facts);
        self.sidecar.active().await;
        verdict
    }
}

/// Requests since a moment.
pub(crate) struct Pace {
    began: Instant,
    before: Counters,
}

impl Pace {
    /// Nothing was asked more often than so many times a second, a few at the start aside.
    pub(crate) fn is_calm(&self, sandbox: &Sandbox, per_second: f64) {
        let now = sandbox.counters();
        let seconds = self.began.elapsed().as_secs_f64();
        let most = 12.0 + per_second * seconds;
        for (kind, count) in &now.requests {
            let asked = count.arrived - self.before.arrived(*kind);
            assert!(
                (asked as f64) <= most,
                "{asked} {kind:?} in {seconds:.1} s is a hot loop"
            );
        }
        let connections = now.connections_accepted - self.before.connections_accepted;
        assert!(
            (connections as f64) <= 2.0 * most,
            "{connections} connections in {seconds:.1} s"
        );
    }

    /// How many requests of a kind came since.
    pub(crate) fn asked(&self, sandbox: &Sandbox, kind: RequestKind) -> u64 {
        sandbox.counters().arrived(kind) - self.before.arrived(kind)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
