//! [`FaultKind`]: what every platform's set of faults has in common. Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::runtime::HumanDuration;

/// The faults that one simulated platform can have.
pub trait FaultKind:
    fmt::Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static
{
    /// Their names.
    type Name: FaultNames;

    /// Its name.
    fn name(&self) -> Self::Name;

    /// Every duration among its parameters.
    fn durations(&self) -> Vec<HumanDuration>;

    /// Which other parameter is out of range, if one is.
    fn problem(&self) -> Option<String>;
}

/// The names of a platform's faults.
pub trait FaultNames:
    fmt::Debug
    + fmt::Display
    + Copy
    + Ord
    + FromStr<Err = UnknownFault>
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Every name.
    fn all() -> &'static [Self];

    /// The name as it is written.
    fn text(self) -> &'static str;
}

/// A name that no fault has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a fault; faults are {known}")]
pub struct UnknownFault {
    name: String,
    known: String,
}

impl UnknownFault {
    /// `name` is none of `known`.
    #[must_use]
    pub fn among<N: FaultNames>(name: &str, known: &[N]) -> Self {
        let known: Vec<_> = known.iter().map(|name| name.text()).collect();
        Self {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}
