//! [`HealthDesk`]: one health request at a time for each endpoint of a credential, however many
//! sessions and channels want to know (U27). [`schedule`] decides whose turn it is; whoever's it is
//! sends the request, and everybody has the report.

mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use url::Url;

use self::schedule::{Schedule, Turn};
use crate::auth::TokenSource;
use crate::connectors::{Call, Connector};
use crate::net::{CallClass, HttpClient, HttpFailure, HttpRequest, HttpResponse, Left, Note};
use crate::runtime::{Clock, MonoTime, Rng};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What it says does not matter.
const MAX_BODY: usize = 64 << 10;

/// What one health request showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It was answered, after so long.
    Answered(Duration),
    /// It was not, or by something that stands in for the platform.
    Failed,
}

/// One report, the same for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// Rises with each report of an endpoint.
    pub serial: u64,
    /// What the newest request showed.
    pub checked: Checked,
    /// Requests in a row without an answer, this one included.
    pub failures: u32,
}

/// The health of every endpoint that sessions of one credential use. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct HealthDesk {
    /// By where the request goes.
    endpoints: Arc<Mutex<BTreeMap<String, Arc<Endpoint>>>>,
}

#[derive(Debug)]
struct Endpoint {
    schedule: Mutex<Schedule>,
    report: watch::Sender<Option<HealthReport>>,
}

/// What somebody who wants to know needs.
pub(super) struct Asking<C> {
    pub(super) session: String,
    pub(super) every: Duration,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) http: Arc<C>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl HealthDesk {
    /// The next report of the connector's endpoint after the one numbered `seen`; never, where the
    /// platform has nothing to ask. Cancel-safe: another takes the turn.
    pub(super) async fn next<C: HttpClient>(&self, asking: &Asking<C>, seen: u64) -> HealthReport {
        let mut seen = Some(seen).filter(|seen| *seen > 0);
        loop {
            let call = asking.call().await;
            let endpoint = self.endpoint(&call.url, asking);
            let mut reports = endpoint.report.subscribe();
            let newest = reports.borrow_and_update().as_ref().map_or(0, |r| r.serial);
            // Who joins is told what comes, not what was.
            let known = *seen.get_or_insert(newest);
            if let Some(report) = newer(&reports, known) {
                return report;
            }
            let turn = endpoint.schedule.lock().turn(asking.clock.now());
            let due = match turn {
                Turn::Yours => {
                    if let Some(report) = endpoint.ask(asking, call).await {
                        return report;
                    }
                    continue;
                }
                Turn::Later(due) => Some(due),
                Turn::Taken => None,
            };
            tokio::select! {
                () = until(due) => {}
                _changed = reports.changed() => {}
            }
            if let Some(report) = newer(&reports, known) {
                return report;
            }
        }
    }

    fn endpoint<C: HttpClient>(&self, url: &Url, asking: &Asking<C>) -> Arc<Endpoint> {
        let mut place = url.clone();
        place.set_query(None);
        let mut endpoints = self.endpoints.lock();
        let endpoint = endpoints.entry(place.into()).or_insert_with(|| {
            let first = asking.clock.now() + asking.every.mul_f64(asking.rng.unit());
            Arc::new(Endpoint {
                schedule: Mutex::new(Schedule::new(asking.every, first)),
                report: watch::Sender::new(None),
            })
        });
        endpoint.schedule.lock().at_least_every(asking.every);
        Arc::clone(endpoint)
    }
}

fn newer(reports: &watch::Receiver<Option<HealthReport>>, known: u64) -> Option<HealthReport> {
    let report = reports.borrow().clone();
    report.filter(|report| report.serial > known)
}

async fn until(due: Option<MonoTime>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl<C: HttpClient> Asking<C> {
    /// The request. Waits for a token, and for ever where the platform has nothing to ask, or asks
    /// where it must not.
    async fn call(&self) -> Call {
        loop {
            match self.tokens.token().await {
                Ok(token) => {
                    let call = self.connector.health(&token);
                    let allowed = |call: &Call| self.connector.addresses().check(&call.url).is_ok();
                    match call.filter(allowed) {
                        Some(call) => return call,
                        None => std::future::pending::<()>().await,
                    }
                }
                // The token source has its own pace.
                Err(_) => {
                    let pause = self.every.mul_f64(0.9 + 0.2 * self.rng.unit());
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn request(&self, call: Call, left: Left) -> HttpRequest {
        HttpRequest {
            method: call.method,
            url: call.url,
            headers: call.headers,
            body: call.body,
            timeout: TIMEOUT,
            max_body: MAX_BODY,
            class: CallClass::Health,
            note: Note {
                kind: "health",
                left,
                ..Note::default()
            },
        }
    }
}

impl Endpoint {
    /// Sends the request; nothing where it was held back and never left.
    async fn ask<C: HttpClient>(&self, asking: &Asking<C>, call: Call) -> Option<HealthReport> {
        let turn = TakenTurn {
            endpoint: self,
            clock: &asking.clock,
            unit: asking.rng.unit(),
        };
        let left = Left::wanted();
        let answer = asking
            .http
            .request(asking.request(call, left.clone()))
            .await;
        drop(turn);
        // What waited for the budget says nothing of the platform.
        let sent = left.at()?;
        let took = asking.clock.now().saturating_duration_since(sent);
        let checked = judge(&answer, took);
        if checked == Checked::Failed {
            let outcome = match &answer {
                Ok(answer) => answer.status.as_str().to_owned(),
                Err(failure) => failure.word().to_owned(),
            };
            tracing::debug!(session = %asking.session, outcome, "Health request failed");
        }
        let mut report = None;
        self.report.send_modify(|newest| {
            let (serial, failures) = newest.as_ref().map_or((0, 0), |r| (r.serial, r.failures));
            let failures = match checked {
                Checked::Answered(_) => 0,
                Checked::Failed => failures.saturating_add(1),
            };
            *newest = Some(HealthReport {
                serial: serial + 1,
                checked,
                failures,
            });
            report.clone_from(newest);
        });
        report
    }
}

/// The platform is there when it answers anything itself: that it has no such page for us, or wants
/// another token, is for others to mind. What a gateway says in its place is no answer.
fn judge(answer: &Result<HttpResponse, HttpFailure>, took: Duration) -> Checked {
    match answer {
        Ok(answer) if answer.status.is_server_error() || answer.status.as_u16() == 408 => {
            Checked::Failed
        }
        // A body that is too long or cut short is an answer all the same.
        Ok(_) | Err(HttpFailure::TooLarge { .. } | HttpFailure::Truncated { .. }) => {
            Checked::Answered(took)
        }
        Err(_) => Checked::Failed,
    }
}

/// The turn of whoever sends the request: given back however that ends.
struct TakenTurn<'a> {
    endpoint: &'a Endpoint,
    clock: &'a Clock,
    unit: f64,
}

impl Drop for TakenTurn<'_> {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.endpoint.schedule.lock().settled(now, self.unit);
        // Those who wait look when it is due next.
        self.endpoint.report.send_modify(|_| {});
    }
}
