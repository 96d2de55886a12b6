//! [`Heart`]: when a connection's next heartbeat is due, what it says, and which one an
//! acknowledgement answers.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::model::HeartbeatShape;
use super::template::Values;
use crate::connectors::{Condition, Silent};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// Heartbeats that wait for their answers at once: more are lost.
const MOST_OPEN: usize = 32;

/// The heartbeat of one connection.
#[derive(Debug)]
pub(super) struct Heart {
    connection: String,
    condition: Condition,
    /// The last heartbeat, or else when the connection was first looked at: intervals count from
    /// there. `None` until then.
    since: Option<MonoTime>,
    /// The last frame of the platform.
    heard: MonoTime,
    /// When those were sent that are not answered yet, the oldest first.
    open: VecDeque<MonoTime>,
}

impl Heart {
    pub(super) fn new(connection: String, now: MonoTime) -> Self {
        Self {
            connection,
            condition: Condition::default(),
            since: None,
            heard: now,
            open: VecDeque::new(),
        }
    }

    pub(super) fn fares(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// A frame came, whatever it is.
    pub(super) fn hears(&mut self, now: MonoTime) {
        self.heard = self.heard.max(now);
    }

    /// Nobody listened until now: neither is that silence of the platform, nor do the answers that
    /// waited tell what a round trip took.
    pub(super) fn unheard(&mut self, now: MonoTime) {
        self.hears(now);
        self.open.clear();
    }

    /// An acknowledgement came: when the oldest open heartbeat was sent.
    pub(super) fn answered(&mut self, shape: &HeartbeatShape, now: MonoTime) -> Option<MonoTime> {
        self.give_up(shape, now);
        self.open.pop_front()
    }

    /// A lost answer must not make every later one look late by an interval.
    fn give_up(&mut self, shape: &HeartbeatShape, now: MonoTime) {
        let patience = shape.answer_within.0;
        while let Some(sent) = self.open.front()
            && (now.saturating_duration_since(*sent) > patience || self.open.len() > MOST_OPEN)
        {
            self.open.pop_front();
        }
    }

    /// When [`Heart::beat`] has something to do: at first at once, for intervals count from the
    /// moment at which the connection stands.
    pub(super) fn due(&self, shape: &HeartbeatShape) -> MonoTime {
        match self.since {
            None => self.heard,
            Some(since) => {
                let next = since + shape.spacing(self.condition);
                let silent = shape.silent_after.map(|after| self.heard + after.0);
                silent.map_or(next, |silent| silent.min(next))
            }
        }
    }

    /// Sends the heartbeat that is due, if one is. A frame that the platform would refuse is not
    /// sent: the checks of a profile have found it before.
    pub(super) fn beat(
        &mut self,
        shape: &HeartbeatShape,
        now: MonoTime,
        wall: WallTime,
    ) -> Result<Option<Bytes>, Silent> {
        let Some(since) = self.since else {
            self.since = Some(now);
            self.heard = now;
            return Ok(None);
        };
        let silence = now.saturating_duration_since(self.heard);
        if shape.silent_after.is_some_and(|after| silence >= after.0) {
            return Err(Silent);
        }
        if since + shape.spacing(self.condition) > now {
            return Ok(None);
        }
        self.since = Some(now);
        let frame = frame(shape, &self.connection, self.condition, wall.as_millis());
        if objection(shape, &frame).is_some() {
            return Ok(None);
        }
        self.give_up(shape, now);
        self.open.push_back(now);
        Ok(Some(frame.into()))
    }
}

/// The frame of a heartbeat.
pub(super) fn frame(
    shape: &HeartbeatShape,
    connection: &str,
    condition: Condition,
    now: u64,
) -> Vec<u8> {
    let values = Values {
        connection,
        now,
        condition,
        interval: millis(shape.interval(condition)),
        ..Values::default()
    };
    values.fill_sized(&shape.frame.0)
}

/// What the platform would hold against a frame.
pub(super) fn objection(shape: &HeartbeatShape, frame: &[u8]) -> Option<String> {
    if let Some(most) = shape.max_size.filter(|most| frame.len() as u64 > most.0) {
        return Some(format!(
            "has {} bytes; at most {most} are taken",
            frame.len()
        ));
    }
    if shape.requires.is_empty() {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(frame) else {
        return Some("is not JSON, and the platform wants to find something in it".to_owned());
    };
    shape.requires.iter().find_map(|(pointer, wanted)| {
        let fits = value
            .pointer(pointer)
            .is_some_and(|found| wanted.fits(found));
        (!fits).then(|| format!("has no {wanted:?} at {pointer}").to_lowercase())
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
