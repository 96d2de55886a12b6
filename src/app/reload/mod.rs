//! [`Reloader`]: applies another configuration to the sidecar that runs.

mod settling;
mod watch;

use tokio::sync::{mpsc, oneshot};

use super::Host;
use super::guests::{GuestDesk, TemplateError};
use super::sessions::{Desk, SessionError};
use crate::config::{Config, Difference};
use crate::feed::Registry;
use crate::grpc::Callers;
use crate::runtime::{Drain, TaskFailure, TaskKind};

pub(super) use self::settling::{Settling, Stamp};
pub(super) use self::watch::{Watch, stamp};

/// One configuration at a time; whoever brings it waits.
const MOST_ASKED: usize = 1;

/// Why a configuration without mistakes cannot be applied all the same. What ran before still does.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A session cannot be made from its settings.
    #[error("sessions")]
    Session(#[from] SessionError),
    /// Guests' sessions cannot be made of a template.
    #[error("session_templates")]
    Template(#[from] TemplateError),
    /// Everything ends.
    #[error("the process ends")]
    Ending,
}

type Applied = Result<Difference, ReloadError>;

struct Ask {
    config: Box<Config>,
    answer: oneshot::Sender<Applied>,
}

/// Applies other configurations. Clones share it.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<Ask>);

impl Reloads {
    /// Applies what differs from what runs, whole or not at all; completes when it is applied.
    /// Sessions that do not differ notice nothing.
    ///
    /// # Errors
    /// [`ReloadError`].
    pub async fn apply(&self, config: Config) -> Result<Difference, ReloadError> {
        let (answer, answered) = oneshot::channel();
        let config = Box::new(config);
        let asked = self.0.send(Ask { config, answer }).await;
        asked.map_err(|_| ReloadError::Ending)?;
        answered.await.unwrap_or(Err(ReloadError::Ending))
    }
}

/// Applies what it is told.
pub(super) struct Reloader<H: Host> {
    running: Config,
    sessions: Desk<H>,
    guests: GuestDesk<H>,
    registry: Registry,
    callers: Callers,
    asks: mpsc::Receiver<Ask>,
}

impl<H: Host> Reloader<H> {
    /// Of a sidecar that runs by `running`.
    pub(super) fn new(
        running: Config,
        sessions: Desk<H>,
        guests: GuestDesk<H>,
        (registry, callers): (Registry, Callers),
    ) -> (Reloads, Self) {
        let (asks, asked) = mpsc::channel(MOST_ASKED);
        let reloader = Self {
            running,
            sessions,
            guests,
            registry,
            callers,
            asks: asked,
        };
        (Reloads(asks), reloader)
    }

    /// Applies what it is told until the drain begins, and waits for the end of what it began.
    ///
    /// # Errors
    /// The failure of a part that must not fail.
    pub(super) async fn run(mut self, drain: Drain) -> anyhow::Result<()> {
        while !drain.is_draining() {
            tokio::select! {
                biased;
                () = drain.draining() => {}
                Some(failure) = self.sessions.next_failure() => grave(failure)?,
                Some(failure) = self.guests.next_failure() => grave(failure)?,
                Some(Ask { config, answer }) = self.asks.recv() => {
                    let applied = self.apply(&config).await;
                    // Whoever asked may have left.
                    drop(answer.send(applied));
                }
            }
        }
        while let Some(failure) = self.sessions.next_failure().await {
            grave(failure)?;
        }
        while let Some(failure) = self.guests.next_failure().await {
            grave(failure)?;
        }
        Ok(())
    }

    async fn apply(&mut self, config: &Config) -> Applied {
        let difference = Difference::between(&self.running, config);
        if difference.is_empty() {
            return Ok(difference);
        }
        let sessions = self.sessions.make(&difference)?;
        let templates = self.guests.make(&difference)?;
        self.sessions.apply(&difference, sessions).await;
        self.guests.apply(&difference, templates).await;
        let limits = &difference.next.listen.limits;
        self.registry.set_limit(limits.subscribers);
        self.registry.set_limit_of_each(limits.per_principal);
        self.callers.limit_sends(limits.sends_per_minute);
        if let Some(auth) = &difference.next.listen.auth {
            self.callers.permit(&auth.permissions);
        }
        self.running = difference.next.clone();
        Ok(difference)
    }
}

/// Ends the process for what must not fail.
fn grave(failure: TaskFailure) -> anyhow::Result<()> {
    if failure.kind == TaskKind::Critical {
        return Err(failure.into());
    }
    tracing::warn!(task = failure.name, error = %failure, "Task ended");
    Ok(())
}
