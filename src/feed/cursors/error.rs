//! Why a call about a managed cursor was refused, or a stream that reads by one was ended.

use std::time::Duration;

use crate::domain::SubscriptionName;

/// Why a call about a managed cursor was refused, or a stream that reads by one was ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// There is none of this name, or no more.
    #[error("there is no subscription '{name}'")]
    NotFound {
        /// The name.
        name: SubscriptionName,
    },
    /// There is one of this name, in this journal or in another.
    #[error("there is a subscription '{name}' already")]
    Exists {
        /// The name.
        name: SubscriptionName,
    },
    /// A journal keeps no more of them.
    #[error("the journal keeps {limit} subscriptions, which is the limit")]
    Quota {
        /// The limit.
        limit: usize,
    },
    /// It is not as it was when the caller saw it.
    #[error("subscription '{name}' has changed: its etag is {etag}")]
    Changed {
        /// The name.
        name: SubscriptionName,
        /// Its present etag.
        etag: String,
    },
    /// The lease is not the present one: a newer stream was opened, or the cursor was moved by hand.
    #[error("subscription '{name}' is at lease {lease}: an earlier one may not commit any more")]
    Fenced {
        /// The name.
        name: SubscriptionName,
        /// The present lease.
        lease: u64,
    },
    /// A newer stream reads by this cursor.
    #[error("a newer stream took subscription '{name}' over")]
    TakenOver {
        /// The name.
        name: SubscriptionName,
    },
    /// The journal takes no appends, so nothing about its cursors can be kept.
    #[error("subscription '{name}': {reason}")]
    ReadOnly {
        /// The name.
        name: SubscriptionName,
        /// What the journal says.
        reason: String,
        /// When to try again.
        retry_delay: Duration,
    },
}
