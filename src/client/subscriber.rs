//! [`Subscriber`]: reads a journal and hands it on in batches, from where it left off, until told to end.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::time::SystemTime;

use super::{
    Address, Credentials, GapChoice, Interruption, Item, ResumeError, Resuming, Store, Target,
    Unavailable,
};
use crate::proto::v1;
use crate::runtime::Rng;
use v1::subscribe_response::Notice;

const DEFAULT_JOURNAL: &str = "journals/default";

/// Where to begin while no position is stored. There is no default: one would skip what another needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the earliest event that is retained.
    Earliest,
    /// With events recorded from now on.
    Latest,
    /// With the first event recorded at this time or later.
    Time(SystemTime),
    /// Behind a position that the handler stored with its own effect.
    After(v1::Position),
}

/// What a subscriber hands on at once.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Batch {
    /// In order. None where only the position is new: by a filter, or at the start.
    pub events: Vec<v1::Event>,
    /// A run of events that will not come, and why.
    pub gap: Option<v1::Gap>,
    /// What lies behind the reader once this is handled.
    pub position: v1::Position,
    /// How many events of the journal lie beyond that.
    pub lag: u64,
}

/// Why a subscriber ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriberError<E> {
    /// The subscription cannot go on.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The position cannot be loaded or saved.
    #[error("store: {0}")]
    Store(#[source] io::Error),
    /// The handler failed. Its batch comes again, for its position is not saved.
    #[error("handler: {0}")]
    Handler(E),
}

type OnGap = Box<dyn FnMut(&Unavailable) -> GapChoice + Send>;
type OnInterruption = Box<dyn FnMut(&Interruption) + Send>;

/// A reader of one journal that survives restarts of the server, and with a [`Store`] its own.
pub struct Subscriber {
    target: Target,
    request: v1::SubscribeRequest,
    start: Start,
    on_gap: OnGap,
    on_interruption: OnInterruption,
    store: Option<Box<dyn Store>>,
}

impl Subscriber {
    /// Reads `journals/default` at `address`. `start` counts while nothing is stored; `on_gap`
    /// decides what follows when the position is gone, as on the day a pod gets an empty volume.
    pub fn new(
        address: Address,
        start: Start,
        on_gap: impl FnMut(&Unavailable) -> GapChoice + Send + 'static,
    ) -> Self {
        Self {
            target: address.into(),
            request: v1::SubscribeRequest {
                journal: DEFAULT_JOURNAL.to_owned(),
                ..Default::default()
            },
            start,
            on_gap: Box::new(on_gap),
            on_interruption: Box::new(|_| {}),
            store: None,
        }
    }

    /// Shows who calls, and knows the server: by TLS, a client's certificate, a bearer token. What
    /// stands in files is read anew at each connection and call.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.target.credentials = credentials;
        self
    }

    /// Reads another journal: `journals/…`.
    #[must_use]
    pub fn journal(mut self, name: impl Into<String>) -> Self {
        self.request.journal = name.into();
        self
    }

    /// Asks for these events alone. The position still passes the others.
    #[must_use]
    pub fn filter(mut self, filter: v1::EventFilter) -> Self {
        self.request.filter = Some(filter);
        self
    }

    /// Sets whatever else a request has: view, shard, end, name of the subscriber. Start and policy
    /// are the subscriber's own.
    #[must_use]
    pub fn request(mut self, set: impl FnOnce(&mut v1::SubscribeRequest)) -> Self {
        set(&mut self.request);
        self
    }

    /// Loads the position from `store`, and saves it there behind each batch that was handled.
    /// Without one the handler stores [`Batch::position`], and passes it as [`Start::After`].
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// Is told when a connection ended and another follows: for a log, nothing is lost.
    #[must_use]
    pub fn on_interruption(mut self, told: impl FnMut(&Interruption) + Send + 'static) -> Self {
        self.on_interruption = Box::new(told);
        self
    }

    /// Hands each batch to `handler`, one at a time, until the end that the request names, an error
    /// of the handler or one that asking again does not mend.
    ///
    /// # Errors
    /// [`SubscriberError`].
    pub async fn run<E>(
        self,
        handler: impl AsyncFnMut(Batch) -> Result<(), E>,
    ) -> Result<(), SubscriberError<E>> {
        self.run_until(pending(), handler).await
    }

    /// The same, until `stop` too: what is being handled then is completed, and its position saved.
    ///
    /// # Errors
    /// [`SubscriberError`].
    pub async fn run_until<E>(
        mut self,
        stop: impl Future<Output = ()>,
        mut handler: impl AsyncFnMut(Batch) -> Result<(), E>,
    ) -> Result<(), SubscriberError<E>> {
        let mut handed = self.load().await.map_err(SubscriberError::Store)?;
        let mut request = self.request;
        request.start = Some(match &handed {
            Some(position) => Start::After(position.clone()).into_request(),
            None => self.start.into_request(),
        });
        #[cfg(feature = "traces")]
        let journal = request.journal.clone();
        let rng = Rng::from_entropy();
        let mut events = Resuming::at(self.target, request, self.on_gap, rng)?;
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                next = events.next() => next,
            };
            let response = match next {
                None => return Ok(()),
                Some(Ok(Item::Response(response))) => response,
                Some(Ok(Item::Interrupted(interruption))) => {
                    (self.on_interruption)(&interruption);
                    continue;
                }
                Some(Err(error)) => return Err(error.into()),
            };
            let Some(position) = events.position() else {
                continue;
            };
            let batch = Batch::of(response, position.clone());
            if batch.is_idle() && handed.as_ref() == Some(position) {
                continue;
            }
            #[cfg(feature = "traces")]
            let handled = traced(&journal, batch, &mut handler).await;
            #[cfg(not(feature = "traces"))]
            let handled = handler(batch).await;
            handled.map_err(SubscriberError::Handler)?;
            if let Some(store) = &mut self.store {
                let saved = store.save(position.clone()).await;
                saved.map_err(SubscriberError::Store)?;
            }
            handed = Some(position.clone());
        }
    }

    async fn load(&mut self) -> io::Result<Option<v1::Position>> {
        match &mut self.store {
            Some(store) => store.load().await,
            None => Ok(None),
        }
    }
}

/// Runs the handler within its span.
#[cfg(feature = "traces")]
async fn traced<E>(
    journal: &str,
    batch: Batch,
    handler: &mut impl AsyncFnMut(Batch) -> Result<(), E>,
) -> Result<(), E> {
    use opentelemetry::context::FutureExt as _;

    let Some(context) = super::process::begin(journal, &batch) else {
        return handler(batch).await;
    };
    let handled = handler(batch).with_context(context.clone()).await;
    if handled.is_err() {
        super::process::failed(&context);
    }
    handled
}

impl Start {
    fn into_request(self) -> v1::subscribe_request::Start {
        use v1::subscribe_request::Start as Request;
        match self {
            Self::Earliest => Request::Preset(v1::StartPreset::Earliest.into()),
            Self::Latest => Request::Preset(v1::StartPreset::Latest.into()),
            Self::Time(time) => Request::FromTime(time.into()),
            Self::After(position) => Request::After(position),
        }
    }
}

impl Batch {
    fn of(response: v1::SubscribeResponse, position: v1::Position) -> Self {
        Self {
            lag: response.latest_sequence.saturating_sub(position.sequence),
            events: response.events,
            gap: match response.notice {
                Some(Notice::Gap(gap)) => Some(gap),
                _ => None,
            },
            position,
        }
    }

    /// Whether nothing but its position can be new.
    fn is_idle(&self) -> bool {
        self.events.is_empty() && self.gap.is_none()
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("target", &self.target)
            .field("journal", &self.request.journal)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
