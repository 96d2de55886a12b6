//! [`Throttle`]: so many requests a minute, and how long to wait when there were more. Pure.

use std::time::Duration;

use crate::runtime::MonoTime;

#[derive(Debug)]
pub(crate) struct Throttle {
    per_minute: Option<u32>,
    spare: f64,
    filled_at: Option<MonoTime>,
}

impl Throttle {
    /// `None` lets everything pass.
    pub(crate) fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_minute,
            spare: per_minute.map_or(0.0, f64::from),
            filled_at: None,
        }
    }

    pub(crate) fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Lets one request pass, or says how long to wait.
    pub(crate) fn take(&mut self, now: MonoTime) -> Result<(), Duration> {
        let Some(per_minute) = self.per_minute.map(f64::from) else {
            return Ok(());
        };
        let elapsed = self.filled_at.map_or(Duration::ZERO, |at| now - at);
        self.filled_at = Some(now);
        let refill = elapsed.as_secs_f64() * per_minute / 60.0;
        self.spare = (self.spare + refill).min(per_minute);
        if self.spare >= 1.0 {
            self.spare -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.spare) * 60.0 / per_minute.max(f64::MIN_POSITIVE);
        Err(Duration::from_secs_f64(wait.min(3600.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lets_pass_what_the_minute_allows() {
        let start = MonoTime::now();
        let mut throttle = Throttle::new(Some(2));
        assert_eq!(throttle.take(start), Ok(()));
        assert_eq!(throttle.take(start), Ok(()));
        assert_eq!(throttle.take(start), Err(Duration::from_secs(30)));
        assert_eq!(throttle.take(start + Duration::from_secs(30)), Ok(()));
        assert!(Throttle::new(None).take(start).is_ok());
    }
}
