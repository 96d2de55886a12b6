//! [`EventsDialect`]: the words in which the machine of numbered events is spoken. Pure.

use crate::domain::WallTime;

/// The platforms that are one machine with different words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventsDialect {
    /// genesys-events.
    #[default]
    GenesysEvents,
    /// cxone-realtime.
    CxoneRealtime,
}

/// What things are called on the wire.
#[derive(Debug)]
pub(crate) struct Words {
    /// Of an event: its type, its number and its data. A batch's number is called like an event's.
    pub(crate) kind: &'static str,
    pub(crate) number: &'static str,
    pub(crate) data: &'static str,
    /// Whether some times are milliseconds since 1970 instead of text.
    numbered_times: bool,
    pub(crate) subscribe: &'static str,
    pub(crate) history: &'static str,
    pub(crate) health: &'static str,
    pub(crate) token: &'static str,
}

const GENESYS: Words = Words {
    kind: "eventType",
    number: "sequence",
    data: "data",
    numbered_times: false,
    subscribe: "/api/v2/events/subscribe",
    history: "/api/v2/events/history",
    health: "/api/v2/system/health",
    token: "/oauth/token",
};

const CXONE: Words = Words {
    kind: "event_type",
    number: "sequenceNumber",
    data: "payload",
    numbered_times: true,
    subscribe: "/realtime/v1/events/subscribe",
    history: "/realtime/v1/events/history",
    health: "/realtime/v1/health",
    token: "/auth/token",
};

impl EventsDialect {
    /// The platform's name in a configuration.
    #[must_use]
    pub const fn platform(self) -> &'static str {
        match self {
            Self::GenesysEvents => "genesys-events",
            Self::CxoneRealtime => "cxone-realtime",
        }
    }

    /// Path of the token endpoint.
    #[must_use]
    pub const fn token_path(self) -> &'static str {
        self.words().token
    }

    /// Path of subscriptions.
    #[must_use]
    pub const fn subscribe_path(self) -> &'static str {
        self.words().subscribe
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::GenesysEvents => &GENESYS,
            Self::CxoneRealtime => &CXONE,
        }
    }
}

impl Words {
    /// A time as JSON: text with three decimals, or in turn a number where the platform does so.
    pub(crate) fn time(&self, time: WallTime) -> String {
        let millis = time.as_millis();
        match self.numbered_times && millis.is_multiple_of(2) {
            true => millis.to_string(),
            false => format!("\"{}\"", decimals(time)),
        }
    }
}

/// RFC 3339 in UTC, with three decimals as the platforms write them.
pub(crate) fn decimals(time: WallTime) -> String {
    let text = WallTime::from_millis(time.as_millis()).to_string();
    let (date, fraction) = match text.trim_end_matches('Z').split_once('.') {
        Some((date, fraction)) => (date, fraction),
        None => (text.trim_end_matches('Z'), ""),
    };
    format!("{date}.{fraction:0<3}Z")
}
