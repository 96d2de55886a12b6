//! [`Resuming`]: runs a [`Machine`] over real connections.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};
use tonic::codec::Streaming;

use super::{
    Address, Calls, Decision, Failure, GapChoice, Machine, ResumeError, Target, Unavailable,
};
use crate::proto::v1;
use crate::runtime::Rng;
use v1::event_service_client::EventServiceClient;
use v1::subscription_service_client::SubscriptionServiceClient;

/// What a resuming subscription yields.
#[derive(Debug)]
pub enum Item {
    /// A response; [`Resuming::position`] stands behind it already.
    Response(v1::SubscribeResponse),
    /// The connection ended and will be tried again: for people, nothing is lost.
    Interrupted(Interruption),
}

/// An attempt that ended and will be followed by another.
#[derive(Debug, Clone, PartialEq)]
pub struct Interruption {
    /// How the attempt ended.
    pub cause: Failure,
    /// When the next begins.
    pub retry_after: Duration,
    /// Attempts that failed in a row.
    pub failures: u32,
}

type OnGap = Box<dyn FnMut(&Unavailable) -> GapChoice + Send>;
type Opened = (Streaming<v1::SubscribeResponse>, Calls);
type Opening = dyn Future<Output = Result<Opened, Failure>> + Send;

/// A subscription that survives restarts, drains and broken networks.
pub struct Resuming {
    target: Target,
    machine: Machine,
    on_gap: OnGap,
    rng: Rng,
    phase: Phase,
    /// The newest connection; commits go over it, also once its stream has ended.
    channel: Option<Calls>,
}

enum Phase {
    Waiting(Pin<Box<Sleep>>),
    Opening(Pin<Box<Opening>>),
    Reading {
        stream: Box<Streaming<v1::SubscribeResponse>>,
        silent_at: Instant,
    },
    Done,
}

impl Resuming {
    /// Subscribes at `address`. `on_gap` decides what follows when the position is gone: a pod that
    /// moves with an empty volume loses it on an ordinary day. Connects at the first
    /// [`Resuming::next`], in the runtime that calls it.
    ///
    /// # Errors
    /// When the request names no start.
    pub fn new(
        address: Address,
        request: v1::SubscribeRequest,
        on_gap: impl FnMut(&Unavailable) -> GapChoice + Send + 'static,
        rng: Rng,
    ) -> Result<Self, ResumeError> {
        Self::at(address.into(), request, on_gap, rng)
    }

    /// The same with credentials. Those in files are read anew at each attempt; where they are no
    /// longer good, it is tried again for half a minute.
    ///
    /// # Errors
    /// When the request names no start.
    pub fn at(
        target: Target,
        request: v1::SubscribeRequest,
        on_gap: impl FnMut(&Unavailable) -> GapChoice + Send + 'static,
        rng: Rng,
    ) -> Result<Self, ResumeError> {
        let mut machine = Machine::new(request)?;
        let phase = opening(&target, &mut machine);
        Ok(Self {
            target,
            machine,
            on_gap: Box::new(on_gap),
            rng,
            phase,
            channel: None,
        })
    }

    /// Commits everything up to `position` to the managed cursor that the request starts at, and
    /// answers once that is durable: with what is kept, which may be further.
    ///
    /// Where the connection is gone, what it was to commit comes again with the next one; where the
    /// lease is another's ([`Failure::Refused`] with `LEASE_FENCED`), stop.
    ///
    /// # Errors
    /// [`ResumeError::NoCursor`], or [`ResumeError::Commit`] with how the call ended.
    pub async fn commit(&mut self, position: v1::Position) -> Result<v1::Position, ResumeError> {
        let request = self.machine.commit_request(position);
        let request = request.ok_or(ResumeError::NoCursor)?;
        let failed = |failure| Err(ResumeError::Commit(failure));
        let Some(channel) = self.channel.clone() else {
            return failed(Failure::Broken("nothing was opened yet".to_owned()));
        };
        let mut client = SubscriptionServiceClient::new(channel);
        let limit = self.machine.silence_limit();
        match timeout(limit, client.commit_subscription(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().committed.unwrap_or_default()),
            Ok(Err(status)) => failed(Failure::from_status(&status)),
            Err(_) => failed(Failure::Silent(limit)),
        }
    }

    /// What lies behind the reader: store it once the last response has been handled.
    #[must_use]
    pub fn position(&self) -> Option<&v1::Position> {
        self.machine.position()
    }

    /// The next response or interruption; `None` once the requested end was reached, or after an
    /// error. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Item, ResumeError>> {
        loop {
            let ended = match &mut self.phase {
                Phase::Done => return None,
                Phase::Waiting(delay) => {
                    delay.await;
                    self.phase = opening(&self.target, &mut self.machine);
                    continue;
                }
                Phase::Opening(opening) => match opening.await {
                    Ok((stream, channel)) => {
                        self.channel = Some(channel);
                        self.read_on(Box::new(stream));
                        continue;
                    }
                    Err(failure) => failure,
                },
                Phase::Reading { stream, silent_at } => {
                    match timeout_at(*silent_at, stream.message()).await {
                        Ok(Ok(Some(response))) => return Some(self.accept(response)),
                        Ok(Ok(None)) => Failure::Ended,
                        Ok(Err(status)) => Failure::from_status(&status),
                        Err(_) => Failure::Silent(self.machine.silence_limit()),
                    }
                }
            };
            if let Some(item) = self.ended(ended) {
                return item;
            }
        }
    }

    fn read_on(&mut self, stream: Box<Streaming<v1::SubscribeResponse>>) {
        let silent_at = Instant::now() + self.machine.silence_limit();
        self.phase = Phase::Reading { stream, silent_at };
    }

    fn accept(&mut self, response: v1::SubscribeResponse) -> Result<Item, ResumeError> {
        if let Err(violation) = self.machine.accept(&response) {
            self.phase = Phase::Done;
            return Err(violation.into());
        }
        let limit = self.machine.silence_limit();
        if let Phase::Reading { silent_at, .. } = &mut self.phase {
            *silent_at = Instant::now() + limit;
        }
        Ok(Item::Response(response))
    }

    /// Enters the next phase; `Some` is what to yield, `Some(None)` the end.
    #[expect(
        clippy::option_option,
        reason = "the outer level says whether anything is yielded"
    )]
    fn ended(&mut self, failure: Failure) -> Option<Option<Result<Item, ResumeError>>> {
        let mut decision = self.machine.ended(failure.clone(), self.rng.unit());
        if let Decision::AskAboutGap(gap) = decision {
            let choice = (self.on_gap)(&gap);
            decision = self.machine.resolve_gap(gap, choice, self.rng.unit());
        }
        match decision {
            Decision::Retry(retry_after) => {
                self.phase = Phase::Waiting(Box::pin(sleep(retry_after)));
                let failures = self.machine.failures();
                let interruption = Interruption {
                    cause: failure,
                    retry_after,
                    failures,
                };
                Some(Some(Ok(Item::Interrupted(interruption))))
            }
            Decision::Finished => {
                self.phase = Phase::Done;
                Some(None)
            }
            Decision::Stop(error) => {
                self.phase = Phase::Done;
                Some(Some(Err(error)))
            }
            Decision::AskAboutGap(_) => None,
        }
    }
}

/// A new connection for each attempt: one that went silent may be dead without knowing it.
fn opening(target: &Target, machine: &mut Machine) -> Phase {
    let request = machine.request();
    let limit = machine.silence_limit();
    let target = target.clone();
    Phase::Opening(Box::pin(async move {
        let channel = target
            .channel()
            .map_err(|error| Failure::Broken(error.to_string()))?;
        let mut client = EventServiceClient::new(channel.clone());
        match timeout(limit, client.subscribe(request)).await {
            Ok(Ok(response)) => Ok((response.into_inner(), channel)),
            Ok(Err(status)) => Err(Failure::from_status(&status)),
            Err(_) => Err(Failure::Silent(limit)),
        }
    }))
}

impl fmt::Debug for Resuming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resuming")
            .field("target", &self.target)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}
