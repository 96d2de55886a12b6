//! [`SendQuota`]: how much each principal may send in a minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::grpc::limits::Bucket;
use crate::runtime::MonoTime;

/// Principals that are remembered; a configuration names fewer.
const REMEMBERED: usize = 512;

/// What each principal has sent of late.
#[derive(Debug, Default)]
pub(super) struct SendQuota(Mutex<Sent>);

#[derive(Debug, Default)]
struct Sent {
    /// None: as much as anybody likes.
    per_minute: Option<u32>,
    by_principal: HashMap<Arc<str>, Bucket>,
}

/// A principal has sent as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) per_minute: u32,
    pub(super) retry_delay: Duration,
}

impl SendQuota {
    /// From now on so many in a minute; everybody begins anew where that is another number.
    pub(super) fn set(&self, per_minute: u32) {
        let mut sent = self.0.lock();
        if sent.per_minute.replace(per_minute) != Some(per_minute) {
            sent.by_principal.clear();
        }
    }

    /// A principal sends something.
    pub(super) fn take(&self, principal: &Arc<str>, now: MonoTime) -> Result<(), Spent> {
        self.0.lock().take(principal, now)
    }
}

impl Sent {
    fn take(&mut self, principal: &Arc<str>, now: MonoTime) -> Result<(), Spent> {
        let Some(per_minute) = self.per_minute else {
            return Ok(());
        };
        if !self.by_principal.contains_key(principal) {
            self.make_room(now);
        }
        let new = || Bucket::of_a_minute(per_minute, now);
        let bucket = self.by_principal.entry(Arc::clone(principal));
        let bucket = bucket.or_insert_with(new);
        match bucket.take(now) {
            true => Ok(()),
            false => Err(Spent {
                per_minute,
                retry_delay: bucket.wait(now),
            }),
        }
    }

    /// Forgets whoever has all of its quota, else whoever will have it first.
    fn make_room(&mut self, now: MonoTime) {
        if self.by_principal.len() < REMEMBERED {
            return;
        }
        self.by_principal.retain(|_, bucket| !bucket.is_whole(now));
        if self.by_principal.len() < REMEMBERED {
            return;
        }
        let buckets = self.by_principal.iter();
        let first = buckets.min_by_key(|(_, bucket)| bucket.whole_at());
        if let Some(principal) = first.map(|(principal, _)| Arc::clone(principal)) {
            self.by_principal.remove(&principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(per_minute: u32) -> SendQuota {
        let quota = SendQuota::default();
        quota.set(per_minute);
        quota
    }

    fn sent(quota: &SendQuota, principal: &str, now: MonoTime) -> usize {
        let principal = Arc::from(principal);
        let sends = (0..1_000).filter(|_| quota.take(&principal, now).is_ok());
        sends.count()
    }

    #[tokio::test(start_paused = true)]
    async fn each_principal_has_a_minute_of_its_own() {
        let (quota, start) = (quota(30), MonoTime::now());
        assert_eq!(sent(&quota, "a", start), 30);
        assert_eq!(sent(&quota, "b", start), 30);
        let spent = quota.take(&Arc::from("a"), start).unwrap_err();
        let delay = Duration::from_secs(2);
        assert_eq!(spent.per_minute, 30);
        assert_eq!(spent.retry_delay, delay);
        assert_eq!(sent(&quota, "a", start + delay), 1);
        assert_eq!(sent(&quota, "a", start + Duration::from_secs(600)), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn another_quota_counts_at_once_and_the_same_changes_nothing() {
        let (quota, start) = (quota(30), MonoTime::now());
        assert_eq!(sent(&quota, "a", start), 30);
        quota.set(30);
        assert_eq!(sent(&quota, "a", start), 0);
        quota.set(7);
        assert_eq!(sent(&quota, "a", start), 7);
    }

    #[test]
    fn without_a_quota_nobody_is_counted() {
        let quota = SendQuota::default();
        assert_eq!(sent(&quota, "a", MonoTime::now()), 1_000);
        assert!(quota.0.lock().by_principal.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_principals_are_remembered_and_those_who_sent_most_are_not_forgotten() {
        let (quota, start) = (quota(5), MonoTime::now());
        assert_eq!(sent(&quota, "sends", start), 5);
        for number in 0..2 * REMEMBERED {
            let principal = Arc::from(format!("principal-{number}"));
            quota.take(&principal, start).unwrap();
        }
        assert_eq!(quota.0.lock().by_principal.len(), REMEMBERED);
        assert_eq!(sent(&quota, "sends", start), 0);
        let later = start + Duration::from_secs(60);
        assert_eq!(sent(&quota, "new", later), 5);
        assert_eq!(quota.0.lock().by_principal.len(), 1);
    }
}
