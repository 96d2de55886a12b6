//! genesys-analytics: a first batch on connect, then events alone or in arrays, then long silences.

use super::{Heard, Speech};
use crate::domain::WallTime;
use crate::sandbox::platform::{Draft, decimals, quoted};

#[derive(Debug)]
pub(super) struct Analytics;

impl Speech for Analytics {
    fn socket_path(&self) -> &'static str {
        "/api/v2/analytics/realtime/events"
    }

    fn token_path(&self) -> &'static str {
        "/oauth/token"
    }

    fn has_first_batch(&self) -> bool {
        true
    }

    fn hear(&self, _: &[u8]) -> Heard {
        Heard::Strange
    }

    fn event(&self, _number: u64, draft: &Draft, now: WallTime) -> (String, String) {
        let (name, now, data) = (&draft.channel, decimals(now), &draft.data);
        let event = format!(
            "{{\"eventType\":{},\"timestamp\":\"{now}\",\"data\":{data}}}",
            quoted(name)
        );
        (name.to_string(), event)
    }

    fn frames(&self, events: Vec<String>) -> Vec<String> {
        // What is no JSON would spoil an array for all that is in it.
        let (events, mut alone): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| event.starts_with(['{', '"']));
        match events.as_slice() {
            [] => {}
            [one] => alone.push(one.clone()),
            several => alone.push(format!("[{}]", several.join(","))),
        }
        alone
    }
}
