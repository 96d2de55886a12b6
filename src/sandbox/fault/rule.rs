//! [`FaultRule`]: a fault and how often, how long and how likely it strikes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fault, FaultKind};
use crate::runtime::HumanDuration;

/// No fault lasts or delays longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A fault and its limits. Without limits it strikes every time until it is cleared.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule<F = Fault> {
    /// What goes wrong.
    pub fault: F,
    /// How often, how long, how likely.
    pub limit: Limit,
}

/// How often, how long and how likely a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// At most so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Cleared after this long.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<HumanDuration>,
    /// Of the occasions, this share; 1 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// A fault that cannot be set as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("set fault '{name}': {problem}")]
pub struct InvalidFault {
    /// The fault's name, as far as it was given.
    pub name: String,
    /// What is wrong.
    pub problem: String,
}

impl<F: FaultKind> From<F> for FaultRule<F> {
    fn from(fault: F) -> Self {
        Self {
            fault,
            limit: Limit::default(),
        }
    }
}

impl<F: FaultKind> FaultRule<F> {
    /// In force until it is cleared or has struck `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.limit.count = Some(count);
        self
    }

    /// In force for this long.
    #[must_use]
    pub fn during(mut self, duration: Duration) -> Self {
        self.limit.duration = Some(HumanDuration(duration));
        self
    }

    /// Strikes by chance.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.limit.probability = Some(probability);
        self
    }

    /// The fault's name.
    #[must_use]
    pub fn name(&self) -> F::Name {
        self.fault.name()
    }

    /// Reads `{"fault": name, …parameters, "count", "for", "probability"}`.
    ///
    /// # Errors
    /// [`InvalidFault`] for an unknown name or key, and for a value out of range.
    pub fn from_json(mut object: Map<String, Value>) -> Result<Self, InvalidFault> {
        let name = match object.get("fault") {
            Some(Value::String(name)) => name.clone(),
            _ => String::new(),
        };
        let invalid = |problem: String| InvalidFault {
            name: name.clone(),
            problem,
        };
        name.parse::<F::Name>()
            .map_err(|unknown| invalid(unknown.to_string()))?;
        let limits: Map<String, Value> = ["count", "for", "probability"]
            .into_iter()
            .filter_map(|key| object.remove_entry(key))
            .collect();
        let read = |error: serde_json::Error| invalid(error.to_string());
        let rule = Self {
            fault: serde_json::from_value(Value::Object(object)).map_err(read)?,
            limit: serde_json::from_value(Value::Object(limits)).map_err(read)?,
        };
        rule.check()?;
        Ok(rule)
    }

    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`InvalidFault`] with the first that is not.
    pub fn check(&self) -> Result<(), InvalidFault> {
        self.problem().map_or(Ok(()), |problem| {
            let name = self.name().to_string();
            Err(InvalidFault { name, problem })
        })
    }

    /// Writes what [`FaultRule::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut all = serde_json::to_value(&self.fault).unwrap_or_default();
        let limit = serde_json::to_value(self.limit).unwrap_or_default();
        if let (Some(all), Value::Object(limit)) = (all.as_object_mut(), limit) {
            all.extend(limit);
        }
        all
    }

    /// What is out of range, if anything.
    fn problem(&self) -> Option<String> {
        if let Some(share) = self.limit.probability
            && !(0.0..=1.0).contains(&share)
        {
            return Some(format!("probability is {share}; it lies between 0 and 1"));
        }
        let longest = HumanDuration(LONGEST);
        if let Some(long) = self.durations().into_iter().find(|long| *long > longest) {
            return Some(format!("{long} is too long; at most {longest}"));
        }
        self.fault.problem()
    }

    fn durations(&self) -> Vec<HumanDuration> {
        let of_fault = self.fault.durations();
        self.limit.duration.into_iter().chain(of_fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultName;
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<FaultRule, InvalidFault> {
        FaultRule::from_json(value.as_object().unwrap().clone())
    }

    #[test]
    fn every_fault_can_be_set_by_its_name_alone_and_round_trips() {
        for name in FaultName::ALL {
            let rule = read(json!({ "fault": name.as_str() })).unwrap();
            assert_eq!(rule.name(), *name);
            assert_eq!(read(rule.to_json()).unwrap(), rule);
        }
    }

    #[test]
    fn parameters_and_limits_stand_beside_each_other() {
        let rule = read(json!({
            "fault": "poll_status", "status": 429, "retry_after": "7", "count": 2,
            "for": "10s", "probability": 0.5,
        }))
        .unwrap();
        let expected = Fault::PollStatus {
            status: 429,
            retry_after: Some("7".to_owned()),
            after: HumanDuration::from_secs(0),
        };
        assert_eq!(
            rule,
            expected
                .times(2)
                .during(Duration::from_secs(10))
                .with_probability(0.5)
        );
        assert_eq!(read(rule.to_json()).unwrap(), rule);
    }

    #[test]
    fn mistakes_are_refused_with_their_reason() {
        let cases = [
            (json!({ "fault": "gremlins" }), "is not a fault"),
            (json!({ "status": 200 }), "is not a fault"),
            (json!({ "fault": "skip", "histroy": true }), "histroy"),
            (json!({ "fault": "swallow_101", "x": 1 }), "x"),
            (
                json!({ "fault": "skip", "probability": 1.5 }),
                "between 0 and 1",
            ),
            (json!({ "fault": "late", "after": 0 }), "out of range"),
            (
                json!({ "fault": "strip_upgrade", "status": 99 }),
                "between 200",
            ),
            (
                json!({ "fault": "websocket_close", "code": 7 }),
                "between 1000",
            ),
            (json!({ "fault": "token_slow", "delay": "2d" }), "too long"),
            (
                json!({ "fault": "oversize_event", "size": "1GiB" }),
                "too large",
            ),
            (
                json!({ "fault": "poll_status", "retry_after": "a\nb" }),
                "header",
            ),
        ];
        for (value, expected) in cases {
            let problem = read(value.clone()).unwrap_err().to_string();
            assert!(problem.contains(expected), "{value}: {problem}");
        }
    }
}
