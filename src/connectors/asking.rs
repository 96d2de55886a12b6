//! Conversations over REST beside the connections: the traits [`Recoverer`] and [`Plan`]. Both are pure.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use super::{Call, Connector, ProviderEvent, Seen, Unreadable};
use crate::auth::AccessToken;
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// A time in which events may have been lost (U18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossWindow {
    /// When the last question or poll left that was answered before it, and a moment earlier.
    pub start: WallTime,
    /// When every topic was confirmed again.
    pub end: WallTime,
}

/// The next step of a conversation over REST.
#[derive(Debug)]
pub enum Step<T> {
    /// This request; its answer goes back to whoever asked for it.
    Call(Box<Call>),
    /// The end, and what came of it.
    Done(T),
}

/// What REST could say about a loss window (U18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Every event of it, or that there was none: the gap is closed.
    Everything,
    /// The present state: the gap is confirmed with reason `SNAPSHOT`.
    PresentState,
    /// Nothing: the gap is confirmed.
    Nothing,
}

/// What one answer about a loss window held.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// In the order in which they are to be journaled.
    pub events: Vec<ProviderEvent>,
    /// Scopes of [`super::Tracked`] that are listed in full, now that this answer is in.
    pub complete: Vec<String>,
    /// Messages of ours that the answer showed to have arrived (U36).
    pub seen: Vec<Seen>,
}

/// Asks REST about the loss window of one family. Pure; one is made for each window.
pub trait Recoverer: Send + fmt::Debug {
    /// Whether live events of the family wait while it asks, so that a present state comes before
    /// what changed it.
    fn holds(&self) -> bool;

    /// What to do next. Asked again after each answer, and after a pause when a call failed.
    fn next(&mut self, token: &AccessToken) -> Step<Found>;

    /// Reads the answer (a status of success) to the last call. `wall` stamps states that carry no
    /// time of their own.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn answer(&mut self, answer: &HttpResponse, wall: WallTime) -> Result<Recovered, Unreadable>;

    /// The last call was refused for good (not throttled, not a failure of the network): whether
    /// there is another way. `false` ends with [`Found::Nothing`].
    fn refused(&mut self, _status: StatusCode) -> bool {
        false
    }
}

/// Finds out, over REST, what a session is to subscribe to: names become ids, families their
/// members, and many topics several connectors. Pure.
pub trait Plan: Send + fmt::Debug {
    /// What to do next. Asked again after each answer; and when a call failed, after a pause or with
    /// another token: then it gives the same call.
    fn next(&mut self, token: &AccessToken) -> Step<Vec<Arc<dyn Connector>>>;

    /// Reads the answer (a status of success) to the last call.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable>;

    /// The last call was refused with this status: whether the plan goes on without it. What could
    /// not be resolved is then reported by the connectors as rejected topics.
    fn refused(&mut self, _status: StatusCode) -> bool {
        false
    }
}
