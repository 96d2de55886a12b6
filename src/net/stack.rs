//! [`Stack`]: the HTTP client as the files of the moment make it, and made anew when they change.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use url::Url;
use xxhash_rust::xxh3::Xxh3;

use super::config::TlsConfig;
use super::contract::{CallClass, HttpFailure};
use super::proxy::ProxyRoutes;
use super::tls::{TlsConfigError, TlsFiles, client_config};
use super::trust::Trust;
use crate::runtime::{MonoTime, SecretError};

/// To connect, with TLS and a proxy's tunnel: what takes longer is down. A name's addresses share it, so
/// that one that hangs leaves time for the next.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Idle connections are closed before a balancer's customary minute is over and loses our request.
const IDLE_LIMIT: Duration = Duration::from_secs(45);
/// Idle connections kept: one poll and one health request at a time, and one to spare.
const IDLE_CONNECTIONS: usize = 3;
/// A peer that acknowledges nothing for this long is gone.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(30);
/// Files are looked at no more often than this, and only when a request is about to leave.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A volume that hangs delays a request by this much; then it goes with what we have.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// A client's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The TLS settings.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    /// The proxy's password.
    #[error("read the password of the proxy")]
    ProxyPassword(#[from] SecretError),
    /// Refused by the HTTP client.
    #[error("build the http client")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a stack is made of, besides the content of its files.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tls: TlsConfig,
    pub(super) routes: ProxyRoutes,
    pub(super) trust: Trust,
    /// On a machine without certificate authorities.
    pub(super) may_lack_roots: bool,
    pub(super) connect_limit: Duration,
    /// Names that are not looked up, with their addresses.
    #[cfg(test)]
    pub(super) names: Vec<(String, Vec<std::net::SocketAddr>)>,
}

/// Two clients of one kind: requests share kept-alive connections; a WebSocket has its own, and so has
/// what is asked too rarely to find one open still.
pub(super) struct Stack {
    pooled: reqwest::Client,
    pub(super) single: reqwest::Client,
}

impl Stack {
    /// The client for requests of this class.
    pub(super) fn of(&self, class: CallClass) -> &reqwest::Client {
        match class {
            CallClass::Token => &self.single,
            CallClass::Subscription
            | CallClass::Send
            | CallClass::Backfill
            | CallClass::Health
            | CallClass::Poll => &self.pooled,
        }
    }
}

/// The stack of the moment.
pub(super) struct Stacks {
    plan: Arc<Plan>,
    state: Mutex<State>,
}

struct State {
    current: Arc<Stack>,
    fingerprint: u64,
    /// When the files were last looked at; `None` makes the next request look.
    looked: Option<MonoTime>,
    /// The latest attempt to read the files failed, and that was said.
    unreadable: bool,
}

/// What the files hold.
struct Content {
    tls: TlsFiles,
    routes: ProxyRoutes,
    fingerprint: u64,
}

impl Plan {
    fn has_files(&self) -> bool {
        let tls = &self.tls;
        self.routes.password().is_some()
            || [&tls.ca_file, &tls.client_cert_file, &tls.client_key_file]
                .into_iter()
                .any(Option::is_some)
    }

    fn read(&self) -> Result<Content, ClientError> {
        let tls = TlsFiles::read(&self.tls)?;
        let routes = self.routes.clone().read_password()?;
        let mut hash = Xxh3::new();
        tls.hash(&mut hash);
        if let Some(password) = routes.known_password() {
            hash.update(password.expose().as_bytes());
        }
        Ok(Content {
            tls,
            routes,
            fingerprint: hash.finish(),
        })
    }

    fn build(&self, content: Content) -> Result<Stack, ClientError> {
        let tls = client_config(&self.tls, &content.tls, &self.trust, self.may_lack_roots)?;
        let routes = Arc::new(content.routes);
        let build = |idle_connections| {
            let mut builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .user_agent(concat!("tieline/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(self.connect_limit)
                .tcp_user_timeout(UNACKNOWLEDGED_LIMIT)
                .pool_idle_timeout(IDLE_LIMIT)
                .pool_max_idle_per_host(idle_connections)
                .no_proxy();
            if !routes.is_direct() {
                let routes = Arc::clone(&routes);
                let proxy = move |url: &Url| routes.address_for(url);
                builder = builder.proxy(reqwest::Proxy::custom(proxy));
            }
            #[cfg(test)]
            for (name, addresses) in &self.names {
                builder = builder.resolve_to_addrs(name, addresses);
            }
            builder
                .build()
                .map_err(|error| ClientError::Build(error.without_url().into()))
        };
        Ok(Stack {
            pooled: build(IDLE_CONNECTIONS)?,
            single: build(0)?,
        })
    }
}

impl Stacks {
    pub(super) fn new(plan: Plan) -> Result<Self, ClientError> {
        let content = plan.read()?;
        let fingerprint = content.fingerprint;
        let state = State {
            current: Arc::new(plan.build(content)?),
            fingerprint,
            looked: Some(MonoTime::now()),
            unreadable: false,
        };
        Ok(Self {
            plan: Arc::new(plan),
            state: Mutex::new(state),
        })
    }

    /// Through which proxy an address is reached.
    pub(super) fn routes(&self) -> &ProxyRoutes {
        &self.plan.routes
    }

    /// The stack for a request that leaves now. Cancel-safe.
    pub(super) async fn current(&self) -> Arc<Stack> {
        if self.plan.has_files() && self.is_due() {
            let plan = Arc::clone(&self.plan);
            let look = spawn_blocking(move || plan.read());
            if let Ok(Ok(content)) = timeout(LOOK_LIMIT, look).await {
                self.take(content);
            }
        }
        Arc::clone(&self.state.lock().current)
    }

    fn is_due(&self) -> bool {
        let mut state = self.state.lock();
        let now = MonoTime::now();
        let recent = |looked| now.saturating_duration_since(looked) < LOOK_INTERVAL;
        let due = !state.looked.is_some_and(recent);
        if due {
            state.looked = Some(now);
        }
        due
    }

    /// What the files held was not accepted, perhaps because it has just been replaced. The stack to
    /// try instead of the one that was used, if there is another by now.
    pub(super) async fn instead_of(
        &self,
        used: &Arc<Stack>,
        failure: &HttpFailure,
    ) -> Option<Arc<Stack>> {
        if !matches!(failure, HttpFailure::ProxyRefused | HttpFailure::Tls(_)) {
            return None;
        }
        self.state.lock().looked = None;
        let now = self.current().await;
        (!Arc::ptr_eq(used, &now)).then_some(now)
    }

    /// Files that are half written or cannot be used change nothing; it is said once.
    fn take(&self, content: Result<Content, ClientError>) {
        let mut state = self.state.lock();
        let built = content.and_then(|content| {
            let fingerprint = content.fingerprint;
            if fingerprint == state.fingerprint {
                return Ok(None);
            }
            Ok(Some((self.plan.build(content)?, fingerprint)))
        });
        match built {
            Ok(None) => state.unreadable = false,
            Ok(Some((stack, fingerprint))) => {
                state.current = Arc::new(stack);
                state.fingerprint = fingerprint;
                state.unreadable = false;
                tracing::info!("Certificates or proxy password changed, used from now on");
            }
            Err(error) => {
                if !std::mem::replace(&mut state.unreadable, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "Changed files cannot be used, the old content is");
                }
            }
        }
    }
}
