//! [`Meaning`]: what an answer says besides its events. The rules of loss and end are here.

use super::kept::Stage;
use super::wire::{Branch, Fields};
use crate::connectors::{Control, ProviderEvent};

/// What an answer is besides its events.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// Events were missed before it, and how that shows.
    pub(super) missed: Option<&'static str>,
    /// Its events are the present state.
    pub(super) snapshot: bool,
    /// The session is no more.
    pub(super) over: Option<Control>,
}

impl Meaning {
    /// Judges an answer by where the session stood before it; nothing where there is no session.
    pub(super) fn of(
        stage: Option<Stage>,
        events: &[ProviderEvent],
        branch: Option<Branch>,
    ) -> Self {
        let Some(stage) = stage else {
            return Self::default();
        };
        let starts = events.iter().any(|e| e.topic == "AgentSessionStart");
        let dropped = branch == Some(Branch::Missed);
        let missed = match stage {
            Stage::Rejoined => Some("SESSION_REPLACED"),
            Stage::Joined | Stage::Told | Stage::Live if dropped => Some("ICBRANCHVALUE_3"),
            Stage::Live if starts => Some("SESSION_ID_STALE"),
            Stage::Joined | Stage::Told | Stage::Live => None,
        };
        let renewed = starts && stage != Stage::Joined;
        Self {
            missed,
            // Without any event it would say that nothing is left.
            snapshot: renewed || dropped && !events.is_empty(),
            over: over(events, branch),
        }
    }
}

impl Stage {
    /// The stage after an answer, with events or without.
    pub(super) fn after(self, events: bool) -> Self {
        match self {
            _ if events => Self::Live,
            Self::Rejoined => Self::Told,
            Self::Joined | Self::Told | Self::Live => self,
        }
    }
}

/// How an answer ends the session. A start after an end, as they stood, is a new beginning.
fn over(events: &[ProviderEvent], branch: Option<Branch>) -> Option<Control> {
    let ended = |reason: &str| {
        let reason = reason.to_owned();
        Some(Control::Ended { reason })
    };
    let mut turns = events.iter().rev();
    let last = turns.find_map(|event| match event.topic.as_str() {
        "AgentSessionStart" => Some(None),
        "RemoteAgentSessionEnd" => Some(ended("REMOTE_AGENT_SESSION_END")),
        "AgentSessionEnd" if !failed(event) => Some(ended("AGENT_SESSION_END")),
        _ => None,
    });
    match branch {
        Some(Branch::Ended) => ended("ICBRANCHVALUE_4"),
        Some(Branch::Invalid) => Some(Control::SubscriptionLost {
            reason: "ICBRANCHVALUE_5".to_owned(),
        }),
        Some(Branch::Missed) | None => last.flatten(),
    }
}

/// An end that was asked for and did not come about.
fn failed(end: &ProviderEvent) -> bool {
    let fields = std::str::from_utf8(&end.raw).ok().and_then(Fields::read);
    fields.and_then(|fields| fields.flag("Success")) == Some(false)
}
