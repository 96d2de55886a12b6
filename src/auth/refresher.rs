//! [`Refresher`]: the IO around [`Schedule`], one for each credential.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::config::Grant;
use super::contract::{AccessToken, TokenProblem, TokenStatus, TokenVault};
use super::grant::{Granted, read_answer, token_request};
use super::metrics;
use super::renewal::Renewal;
use super::schedule::{Failure, PACE, Schedule};
use super::secrets::{Credentials, hash};
use super::settings::CredentialSettings;
use super::tokens::{Shared, State, Tokens};
use crate::net::{HttpClient, HttpFailure};
use crate::runtime::{Clock, Drain, MonoTime, Rng, Secret, offload};

/// Secrets, request and vault together: longer than the request's own deadline.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(20);
/// How often the secrets are looked at while the endpoint refuses those we have.
const SECRETS_INTERVAL: Duration = Duration::from_secs(5);

/// Obtains one credential's tokens, as long as [`Refresher::run`] runs.
pub struct Refresher<C> {
    settings: CredentialSettings,
    client: C,
    vault: Arc<dyn TokenVault>,
    clock: Clock,
    rng: Rng,
    shared: Arc<Shared>,
    status: watch::Sender<TokenStatus>,
    /// An answer whose rotated refresh token is not durable yet: neither is used before that.
    unsaved: Option<Unsaved>,
    /// What may be sent instead of a password.
    renewal: Option<Renewal>,
    /// The secrets as they were at the latest attempt.
    fingerprint: u64,
    /// Of the secrets when they were last looked at.
    seen: Option<u64>,
}

struct Issued {
    token: Secret<String>,
    lifetime: Duration,
    asked: MonoTime,
}

struct Unsaved {
    issued: Issued,
    refresh_token: Secret<String>,
    ancestor: u64,
}

impl<C: HttpClient> Refresher<C> {
    /// A refresher and its handle. `vault` keeps rotated refresh tokens; a grant without them never
    /// touches it.
    #[must_use]
    pub fn new(
        settings: CredentialSettings,
        client: C,
        vault: Arc<dyn TokenVault>,
        clock: Clock,
        rng: Rng,
    ) -> (Tokens, Self) {
        let (status, watched) = watch::channel(TokenStatus {
            generation: 0,
            expires_at: None,
            problem: None,
            refreshes: 0,
            changes: 0,
            obtained_at: None,
            refused: 0,
            unavailable: 0,
        });
        let shared = Arc::new(Shared {
            credential: settings.name.clone(),
            clock: clock.clone(),
            state: Mutex::new(State {
                schedule: Schedule::new(settings.refresh_before),
                token: None,
            }),
            asked: Notify::new(),
            status: watched,
        });
        let refresher = Self {
            settings,
            client,
            vault,
            clock,
            rng,
            shared: Arc::clone(&shared),
            status,
            unsaved: None,
            renewal: None,
            fingerprint: 0,
            seen: None,
        };
        (Tokens(shared), refresher)
    }

    /// Obtains tokens until the drain begins. An attempt under way is finished even then, because
    /// its answer may hold a rotated refresh token; only *force* cuts it short.
    pub async fn run(mut self, drain: Drain) {
        let mut look = interval(SECRETS_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (next, refused) = {
                let state = self.shared.state.lock();
                (state.schedule.next_attempt(), state.schedule.is_refused())
            };
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = drain.draining() => return,
                () = due => tokio::select! {
                    biased;
                    () = drain.forced() => return,
                    () = self.attempt() => {}
                },
                _ = look.tick(), if refused || self.settings.sources.on_the_way.is_some() => self.look_at_secrets().await,
                () = self.shared.asked.notified() => {}
            }
        }
    }

    async fn attempt(&mut self) {
        self.shared.state.lock().schedule.started(self.clock.now());
        let outcome = timeout(ATTEMPT_LIMIT, self.obtain())
            .await
            .unwrap_or_else(|_| Err(unavailable(format!("no outcome within {ATTEMPT_LIMIT:?}"))));
        match outcome {
            Ok(issued) => self.publish(issued),
            Err(failure) => self.report(failure),
        }
    }

    async fn obtain(&mut self) -> Result<Issued, Failure> {
        if let Some(issued) = self.save().await?
            && issued.asked + issued.lifetime > self.clock.now()
        {
            return Ok(issued);
        }
        let credentials = self.read_secrets().await?;
        if self.settings.grant == Grant::Password {
            return self.obtain_by_password(credentials).await;
        }
        let ancestor = credentials.refresh_token.as_ref().map_or(0, hash);
        let refresh_token = self.newest_refresh_token(&credentials, ancestor);
        let (granted, asked) = self.ask(&credentials, refresh_token.as_ref()).await?;
        drop(credentials);
        self.take(granted, asked, refresh_token, ancestor).await
    }

    /// By the refresh token of an earlier answer, where that is good, else by the password.
    async fn obtain_by_password(&mut self, credentials: Credentials) -> Result<Issued, Failure> {
        let renewal = self.renewal.as_ref();
        let usable = renewal.and_then(|r| r.usable(self.clock.now(), self.fingerprint));
        let renewed = match &usable {
            Some(token) => match self.ask(&credentials, Some(token)).await {
                Err(Failure::Refused { reason }) => {
                    metrics::renewal_refused(&self.settings.name, &reason);
                    sleep(PACE).await;
                    None
                }
                outcome => Some(outcome?),
            },
            None => None,
        };
        let (granted, asked) = match renewed {
            Some(renewed) => renewed,
            None => {
                self.renewal = None;
                self.ask(&credentials, None).await?
            }
        };
        let before = self.renewal.take();
        self.renewal = Renewal::after(before, granted.refresh_token, asked, self.fingerprint);
        Ok(Issued {
            token: granted.access_token,
            lifetime: granted.lifetime,
            asked,
        })
    }

    /// Asks the endpoint once; also when that was, for a token's life begins before its answer
    /// arrives.
    async fn ask(
        &self,
        credentials: &Credentials,
        refresh_token: Option<&Secret<String>>,
    ) -> Result<(Granted, MonoTime), Failure> {
        let request = token_request(
            &self.settings.token_url,
            self.settings.grant,
            self.settings.placement,
            credentials,
            refresh_token,
        )?;
        let asked = self.clock.now();
        let response = self
            .client
            .request(request)
            .await
            .map_err(|failure| unreached(&failure))?;
        Ok((read_answer(&response, self.clock.wall())?, asked))
    }

    /// A rotated refresh token is durable before anything of its answer is used (U22).
    async fn take(
        &mut self,
        granted: Granted,
        asked: MonoTime,
        used: Option<Secret<String>>,
        ancestor: u64,
    ) -> Result<Issued, Failure> {
        let issued = Issued {
            token: granted.access_token,
            lifetime: granted.lifetime,
            asked,
        };
        match (granted.refresh_token, used) {
            (Some(rotated), Some(used)) if rotated != used => {
                self.unsaved = Some(Unsaved {
                    issued,
                    refresh_token: rotated,
                    ancestor,
                });
                let saved = self.save().await?;
                saved.ok_or_else(|| unavailable("the answer was lost".to_owned()))
            }
            _ => Ok(issued),
        }
    }

    /// Keeps what is not durable yet and returns the answer it came with. Stays unsaved where that
    /// fails or is cut short.
    async fn save(&mut self) -> Result<Option<Issued>, Failure> {
        if let Some(unsaved) = &self.unsaved {
            self.vault
                .store(
                    &self.settings.name,
                    &unsaved.refresh_token,
                    unsaved.ancestor,
                )
                .await
                .map_err(|error| unavailable(error.to_string()))?;
        }
        Ok(self.unsaved.take().map(|unsaved| unsaved.issued))
    }

    /// The kept token while it descends from the configured one; a new one in the file wins.
    fn newest_refresh_token(
        &self,
        credentials: &Credentials,
        ancestor: u64,
    ) -> Option<Secret<String>> {
        let configured = credentials.refresh_token.as_ref()?;
        let kept = self.vault.load(&self.settings.name);
        let kept = kept.filter(|(_, descends_from)| *descends_from == ancestor);
        Some(kept.map_or_else(|| configured.clone(), |(token, _)| token))
    }

    async fn read_secrets(&mut self) -> Result<Credentials, Failure> {
        let sources = self.settings.sources.clone();
        // A volume that hangs must not hold a thread that others need.
        let read = offload(move || (sources.fingerprint(), sources.read())).await;
        let (fingerprint, credentials) =
            read.map_err(|_| unavailable("reading the secrets was cut short".to_owned()))?;
        self.fingerprint = fingerprint;
        credentials.map_err(|error| Failure::Refused {
            reason: error.to_string(),
        })
    }

    async fn look_at_secrets(&mut self) {
        let sources = self.settings.sources.clone();
        let look = offload(move || sources.fingerprint());
        let Ok(Ok(now)) = timeout(SECRETS_INTERVAL, look).await else {
            return;
        };
        if self.seen.replace(now).is_some_and(|seen| seen != now) {
            self.status.send_modify(|status| status.changes += 1);
        }
        if now != self.fingerprint && self.shared.state.lock().schedule.is_refused() {
            metrics::secrets_changed(&self.settings.name);
            let mut state = self.shared.state.lock();
            state.schedule.secrets_changed(self.clock.now());
        }
    }

    fn publish(&self, issued: Issued) {
        let Issued {
            token,
            lifetime,
            asked,
        } = issued;
        let mut state = self.shared.state.lock();
        let (generation, expires_at) = state.schedule.issued(asked, lifetime, self.rng.unit());
        state.token = Some(AccessToken {
            value: token,
            generation,
            expires_at,
        });
        drop(state);
        metrics::token_obtained(&self.settings.name, generation, lifetime);
        let left = expires_at.saturating_duration_since(self.clock.now());
        self.status.send_modify(|status| {
            status.generation = generation;
            status.expires_at = Some(self.clock.wall().plus(left));
            status.problem = None;
            status.refreshes += 1;
            status.obtained_at = Some(self.clock.wall());
        });
    }

    fn report(&self, failure: Failure) {
        let mut state = self.shared.state.lock();
        state
            .schedule
            .failed(self.clock.now(), failure, self.rng.unit());
        let problem = state.schedule.problem().cloned();
        drop(state);
        if let Some(problem) = &problem {
            metrics::attempt_failed(&self.settings.name, problem);
        }
        self.status.send_modify(|status| {
            match &problem {
                Some(TokenProblem::Refused { .. } | TokenProblem::ProxyRefused { .. }) => {
                    status.refused += 1;
                }
                Some(TokenProblem::Unavailable { .. }) => status.unavailable += 1,
                None => {}
            }
            status.problem = problem;
        });
    }
}

impl<C> fmt::Debug for Refresher<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher")
            .field("credential", &self.settings.name)
            .finish_non_exhaustive()
    }
}

/// The endpoint gave no answer.
fn unreached(failure: &HttpFailure) -> Failure {
    let reason = failure.to_string();
    match failure {
        HttpFailure::ProxyRefused => Failure::ProxyRefused { reason },
        _ => unavailable(reason),
    }
}

fn unavailable(reason: String) -> Failure {
    Failure::Unavailable {
        retry_after: None,
        reason,
    }
}
