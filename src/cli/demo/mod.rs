//! `tieline demo`: a contact centre's bad day, and what a reader saw of it.

mod narrator;
mod reader;
mod stage;
mod story;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};

use self::narrator::Narrator;
use self::reader::{News, Reader};
use self::stage::{Setting, Stage};
use self::story::{Act, SCENES, Scene};
use self::summary::Summary;
use super::CommandError;
use crate::runtime::{EndSignals, HumanDuration, Rng};
use crate::sandbox::fault::{Fault, FaultName, FaultRule, Portion};

/// How long the reader may take to get the last event.
const SETTLING: Duration = Duration::from_secs(15);
const SHORTEST: Duration = Duration::from_secs(10);

/// Plays a contact centre's bad day on loopback and says what a reader saw.
///
/// One process holds a simulated platform, the sidecar and a subscriber. The network starts to strip
/// WebSocket, a token expires, events get lost, the reader is killed. Without --for the day is
/// repeated until Ctrl-C. Ends with 0 only if nothing was lost, doubled or out of order.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline demo --for 30s
  tieline demo --rate 500 --seed 7 --json

While it runs, another terminal can read along; the address is printed at the start:
  tieline tail --address 127.0.0.1:PORT --earliest")]
pub(super) struct DemoArgs {
    /// Play the day once, in this time, and end; 10s at least.
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<HumanDuration>,
    /// Events a second.
    #[arg(long, default_value_t = 25.0)]
    rate: f64,
    /// Repeat the day of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Print a line of JSON for each thing that happens.
    #[arg(long)]
    json: bool,
    /// Keep the journal in this directory, which must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Where to serve gRPC.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: String,
}

impl DemoArgs {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let length = self.duration.map_or(story::LENGTH, |duration| duration.0);
        if length < SHORTEST {
            return Err(CommandError::Setting(
                format!(
                    "--for {}: the day takes 10s at least",
                    HumanDuration(length)
                )
                .into(),
            ));
        }
        let signals = EndSignals::listen()?;
        let rng = self.seed.map_or_else(Rng::from_entropy, Rng::from_seed);
        let setting = Setting {
            rate: self.rate,
            listen: self.listen.clone(),
            journal: self.journal.clone(),
            length,
        };
        let failed = |error: anyhow::Error| CommandError::Failed(error.into());
        let stage = Stage::set(setting, &rng).await.map_err(failed)?;
        let mut narrator = Narrator::new(self.json);
        narrator.opens(&stage, rng.seed())?;
        let reader = Reader::new(stage.address.clone(), rng.fork("reader"));
        let mut day = Day {
            stage,
            reader,
            narrator,
            signals,
            rate: self.rate,
            length,
        };
        day.play(self.duration.is_none()).await.map_err(failed)?;
        day.end().await
    }
}

/// The demo while it runs.
struct Day {
    stage: Stage,
    reader: Reader,
    narrator: Narrator,
    signals: EndSignals,
    rate: f64,
    length: Duration,
}

impl Day {
    /// Plays the scenes; again and again, or once. Returns early when asked to end.
    async fn play(&mut self, again: bool) -> anyhow::Result<()> {
        loop {
            let began = Instant::now();
            for scene in SCENES {
                if !self.read_until(began + scene.begins(self.length)).await? {
                    return Ok(());
                }
                self.enact(scene)?;
            }
            if !self.settle().await? || !again {
                return Ok(());
            }
        }
    }

    fn enact(&mut self, scene: Scene) -> anyhow::Result<()> {
        self.narrator.scene(scene.told)?;
        let faults = self.stage.sandbox.faults();
        let set = |rule: FaultRule| faults.set(rule).map_err(anyhow::Error::from);
        match scene.act {
            Act::Open => {
                self.stage.sandbox.set_rate(self.rate);
                if !self.reader.is_alive() {
                    self.reader.subscribe()?;
                }
            }
            Act::StripUpgrade => {
                set(Fault::StripUpgrade { status: 200 }.into())?;
                let after = HumanDuration::from_millis(0);
                let reset = Fault::WebsocketReset {
                    after,
                    mid_frame: true,
                };
                set(FaultRule::from(reset).times(1))?;
            }
            Act::ExpireTokens => set(Fault::ExpireTokensNow {}.into())?,
            Act::LoseEvents => set(FaultRule::from(Fault::Skip { history: true }).times(3))?,
            Act::KillReader => {
                self.reader.kill();
                self.narrator.reader_killed(&self.reader.position())?;
            }
            Act::ResumeReader => self.reader.subscribe()?,
            Act::Repeat => {
                let repeat = Fault::Duplicate {
                    what: Portion::Batch,
                };
                set(FaultRule::from(repeat).times(5))?;
            }
            Act::RestoreUpgrade => {
                faults.clear(FaultName::StripUpgrade);
            }
            Act::Close => self.stage.sandbox.set_rate(0.0),
        }
        Ok(())
    }

    /// Reads and tells until a moment; whether nobody asked to end before.
    async fn read_until(&mut self, moment: Instant) -> anyhow::Result<bool> {
        loop {
            tokio::select! {
                biased;
                _ = self.signals.next() => return Ok(false),
                () = sleep_until(moment) => return Ok(true),
                news = self.reader.next() => self.tell(&news?)?,
            }
        }
    }

    /// Reads until everything that was issued has arrived, or nothing helps.
    async fn settle(&mut self) -> anyhow::Result<bool> {
        let until = Instant::now() + SETTLING;
        while self.reader.oracle.highest_number() < self.stage.sandbox.ledger().head() {
            tokio::select! {
                biased;
                _ = self.signals.next() => return Ok(false),
                () = sleep_until(until) => return Ok(true),
                news = self.reader.next() => self.tell(&news?)?,
            }
        }
        Ok(true)
    }

    fn tell(&mut self, news: &News) -> anyhow::Result<()> {
        match news {
            News::Events(events) => self.narrator.events(events)?,
            News::Interrupted(cause) => self.narrator.interrupted(cause)?,
        }
        Ok(())
    }

    async fn end(mut self) -> Result<ExitCode, CommandError> {
        self.stage.sandbox.set_rate(0.0);
        if !self.reader.is_alive() {
            let failed = |error: anyhow::Error| CommandError::Failed(error.into());
            self.reader.subscribe().map_err(failed)?;
        }
        self.settle()
            .await
            .map_err(|error| CommandError::Failed(error.into()))?;
        let verdict = self
            .reader
            .oracle
            .judge(&self.stage.sandbox.ledger().entries());
        let summary = Summary::new(
            verdict,
            self.stage.stats(),
            self.stage.sandbox.tokens_issued(),
            self.reader.resumes,
        );
        self.reader.kill();
        let in_order = self.stage.strike().await;
        self.narrator.summary(&summary)?;
        let good = in_order && summary.verdict.is_clean();
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
