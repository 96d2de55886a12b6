//! [`Row`]: one session behind one middlebox, from its start to the oracle's verdict.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tieline::proto::v1::{self, Transport, session_event};
use tokio::time::{Instant, timeout};

use crate::boxes::{Foreign, SQUID_PASSWORD, SQUID_USER};
use crate::meddler::{Meddler, Meddling};
use crate::platform::{Judgement, Kind, Platform};
use crate::process::Process;
use crate::sidecar::Sidecar;

/// How long a fault lasts, and what always stands is looked at.
const LASTS: Duration = Duration::from_secs(7);
/// Events at once.
const BURST: u64 = 30;
/// How much longer a silence lasts at most where a fault has yet to strike, and how often is looked.
const STRIKES: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(100);
/// What is missing after the fault comes within this, or never.
const SETTLES: Duration = Duration::from_secs(40);

/// What stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    Foreign(Foreign),
    /// squid, named by the environment instead of the session.
    SquidOfEnvironment,
    /// From the beginning, or once the session is well.
    Meddling {
        what: Meddling,
        late: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) between: Between,
    pub(crate) name: &'static str,
    pub(crate) platform: Kind,
    /// As a session's `transport` says it.
    pub(crate) transport: &'static str,
    /// What results, while the fault lasts; none where nothing gets through.
    pub(crate) results: Option<Transport>,
    /// Events a second.
    pub(crate) rate: f64,
    /// Nothing is told for so long, so that the wire is idle.
    pub(crate) quiet: Option<Duration>,
    /// How often a WebSocket is pinged, in milliseconds.
    pub(crate) ping: u64,
    /// The longest silence of a reader while events are told.
    pub(crate) silence: Duration,
}

/// What came of it.
pub(crate) struct Came {
    pub(crate) transport: Transport,
    pub(crate) silence: Duration,
    pub(crate) disconnected: usize,
    pub(crate) windows: usize,
    pub(crate) judgement: Judgement,
}

/// What stands, until the row is over.
struct Standing {
    meddler: Option<Meddler>,
    process: Option<Process>,
    environment: Vec<(&'static str, String)>,
}

impl Row {
    /// The program that it needs.
    pub(crate) fn program(&self) -> Option<&'static str> {
        match self.between {
            Between::Foreign(foreign) => Some(foreign.program()),
            Between::SquidOfEnvironment => Some("squid"),
            Between::Meddling { .. } => None,
        }
    }

    fn by_tunnel(&self) -> bool {
        self.program() == Some("squid")
    }

    pub(crate) async fn run(&self, folder: &Path) -> Result<Came> {
        let ca = folder.join("ca.pem");
        let platform = self.platform.start(self.by_tunnel().then(|| ca.clone()));
        let platform = platform.await?;
        let mut session = self.session(&platform, folder)?;
        let standing = self.stand(&platform, folder, &mut session).await?;
        let sidecar = Sidecar::start(folder, &session, &standing.environment).await?;
        let came = self.judged(&platform, &standing, sidecar).await;
        if let Some(process) = standing.process {
            process.end().await?;
        }
        came
    }

    fn session(&self, platform: &Platform, folder: &Path) -> Result<Value> {
        let mut session = platform.session(folder)?;
        let own = json!({
            "name": "cc",
            "platform": self.platform.name(),
            "transport": self.transport,
            "rate_limit": { "per_minute": 1_000_000 },
            "timing": {
                "failback_interval": "2s",
                "poll_timeout": "4s",
                "websocket_ping": format!("{}ms", self.ping),
                "pong_timeout": format!("{}ms", (self.ping / 2).min(10_000)),
                "backoff": { "base": "200ms", "cap": "1s" },
            },
        });
        let session_keys = session.as_object_mut().context("an object")?;
        session_keys.extend(own.as_object().cloned().context("an object")?);
        Ok(session)
    }

    /// Puts the middlebox before the platform, and the session behind it.
    async fn stand(
        &self,
        platform: &Platform,
        folder: &Path,
        session: &mut Value,
    ) -> Result<Standing> {
        let port = platform.port()?;
        let mut standing = Standing {
            meddler: None,
            process: None,
            environment: Vec::new(),
        };
        let foreign = match self.between {
            Between::Meddling { what, late } => {
                let meddler = Meddler::before(port).await?;
                if !late {
                    meddler.set(what);
                }
                session["endpoint"] = json!(format!("http://{}", meddler.address));
                standing.meddler = Some(meddler);
                return Ok(standing);
            }
            Between::Foreign(foreign) => foreign,
            Between::SquidOfEnvironment => Foreign::Squid { credentials: true },
        };
        let (process, at) = foreign.start(folder, port).await?;
        standing.process = Some(process);
        if !self.by_tunnel() {
            session["endpoint"] = json!(format!("http://127.0.0.1:{at}"));
            return Ok(standing);
        }
        // A name that nobody but the proxy finds.
        session["endpoint"] = json!(format!("https://sandbox.invalid:{port}"));
        session["tls"] = json!({ "ca_file": folder.join("ca.pem") });
        let address = format!("http://127.0.0.1:{at}");
        if self.between == Between::SquidOfEnvironment {
            let with = address.replacen("//", "//tieline:a%20password%3A%20100%25%20%40squid@", 1);
            standing.environment.push(("HTTPS_PROXY", with));
            return Ok(standing);
        }
        let mut proxy = json!({ "url": address });
        if foreign == (Foreign::Squid { credentials: true }) {
            let file = folder.join("proxy-password");
            std::fs::write(&file, SQUID_PASSWORD)?;
            proxy = json!({ "url": address, "username": SQUID_USER, "password_file": file });
        }
        session["proxy"] = proxy;
        Ok(standing)
    }

    async fn judged(
        &self,
        platform: &Platform,
        standing: &Standing,
        mut sidecar: Sidecar,
    ) -> Result<Came> {
        if self.platform != Kind::Events {
            // Without numbers nothing is promised of what happened before the first connection.
            let connected = |session: &v1::Session| session.transport() != Transport::Unspecified;
            Self::looked_at(&mut sidecar, connected).await?;
        }
        platform.emit(3)?;
        platform.set_rate(self.rate);
        let mut since = Instant::now();
        let mut silence = Duration::ZERO;
        if let (Between::Meddling { what, late: true }, Some(meddler)) =
            (self.between, &standing.meddler)
        {
            let first = timeout(SETTLES, sidecar.read_one()).await;
            first.context("nothing comes before the fault")??;
            sidecar.read_for(Duration::from_secs(3), since).await?;
            meddler.set(what);
            since = Instant::now();
        }
        if let Some(quiet) = self.quiet {
            let half = LASTS / 2;
            silence = silence.max(sidecar.read_for(half, since).await?);
            platform.set_rate(0.0);
            sidecar.read_for(quiet, since).await?;
            let until = Instant::now() + STRIKES;
            while self.awaits_strike(standing) && Instant::now() < until {
                sidecar.read_for(STEP, since).await?;
            }
            platform.set_rate(self.rate);
            since = Instant::now();
            silence = silence.max(sidecar.read_for(half, since).await?);
        } else {
            silence = silence.max(sidecar.read_for(LASTS / 2, since).await?);
            if self.rate > 1.0 {
                // Answers that are long enough to be cut.
                platform.emit(BURST)?;
            }
            silence = silence.max(sidecar.read_for(LASTS / 2, since).await?);
        }
        // Where connections break again and again it may be between two of them.
        let wanted = |session: &v1::Session| self.results.is_none_or(|r| session.transport() == r);
        let session = Self::looked_at(&mut sidecar, wanted).await?;
        if let (Some(meddler), Between::Meddling { what, .. }) = (&standing.meddler, self.between) {
            let spared = what.is_about_upgrade() && self.transport == "long_poll";
            let prevented = self.prevents(what);
            let struck = meddler.struck();
            ensure!(spared || prevented || struck > 0, "the fault was never met");
            ensure!(!prevented || struck == 0, "pings did not prevent it");
            meddler.set(Meddling::Nothing);
        }
        platform.set_rate(0.0);
        let (again, judgement) = self.settled(platform, &mut sidecar).await?;
        if self.results.is_none() {
            silence = LASTS + again;
        }
        let came = Came {
            transport: session.transport(),
            silence,
            disconnected: sidecar.told(session_event::Kind::Disconnected),
            windows: sidecar.told(session_event::Kind::GapConfirmed),
            judgement,
        };
        self.holds(&came, &session, &sidecar)?;
        sidecar.end().await?;
        Ok(came)
    }

    /// Whether pings come too often for the fault to strike.
    fn prevents(&self, what: Meddling) -> bool {
        let ping = Duration::from_millis(self.ping);
        what.idle().is_some_and(|after| ping < after)
    }

    /// Whether the silence has yet to last long enough for the fault: a ping, or an answer that was
    /// under way, may have fallen into the middle of it.
    fn awaits_strike(&self, standing: &Standing) -> bool {
        let (Between::Meddling { what, .. }, Some(meddler)) = (self.between, &standing.meddler)
        else {
            return false;
        };
        what.idle().is_some() && !self.prevents(what) && meddler.struck() == 0
    }

    /// The session once something is true of it, or as it is when that takes too long.
    async fn looked_at(
        sidecar: &mut Sidecar,
        test: impl Fn(&v1::Session) -> bool,
    ) -> Result<v1::Session> {
        let until = Instant::now() + LASTS;
        loop {
            let session = sidecar.session().await?;
            if test(&session) || Instant::now() > until {
                return Ok(session);
            }
            let pause = Duration::from_millis(100);
            sidecar.read_for(pause, Instant::now()).await?;
        }
    }

    /// Reads until nothing is missing; also how long the first event took.
    async fn settled(
        &self,
        platform: &Platform,
        sidecar: &mut Sidecar,
    ) -> Result<(Duration, Judgement)> {
        let (began, until) = (Instant::now(), Instant::now() + SETTLES);
        platform.emit(5)?;
        let mut first = None;
        loop {
            let read = tokio::time::timeout(Duration::from_secs(1), sidecar.next()).await;
            if matches!(read, Ok(Ok(true))) {
                first.get_or_insert_with(|| began.elapsed());
            }
            let mut judge = platform.judge();
            judge.take(&sidecar.epoch, &sidecar.events);
            let judgement = platform.judgement(&judge);
            let well = judgement.lost == 0 && judgement.other == 0 && sidecar.has_closed_gaps();
            // Something has to come after the fault, unless all was there before it ended.
            if well && (first.is_some() || read.is_err()) || Instant::now() > until {
                return Ok((first.unwrap_or_default(), judgement));
            }
        }
    }

    fn holds(&self, came: &Came, session: &v1::Session, sidecar: &Sidecar) -> Result<()> {
        let judgement = &came.judgement;
        ensure!(
            judgement.delivered > 0,
            "nothing was delivered: {session:?}"
        );
        let violation = judgement.first_violation.as_deref().unwrap_or_default();
        ensure!(judgement.lost == 0, "{} lost: {violation}", judgement.lost);
        ensure!(judgement.other == 0, "a promise was broken: {violation}");
        ensure!(sidecar.has_closed_gaps(), "a gap stays open");
        if self.platform == Kind::Events {
            let on_record = judgement.on_record;
            ensure!(
                on_record == 0,
                "{on_record} missing on record, though it is numbered"
            );
        }
        if let Some(expected) = self.results {
            ensure!(
                session.transport() == expected,
                "it is on {:?}, {:?}: {}",
                session.transport(),
                session.state(),
                session.reason
            );
        }
        let silence = came.silence;
        ensure!(silence <= self.silence, "{silence:.1?} without an event");
        Ok(())
    }
}
