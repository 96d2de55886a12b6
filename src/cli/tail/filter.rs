//! The grammar of `--filter`: `KEY=VALUE`.

use std::str::FromStr;

use super::resource;
use crate::proto::v1;

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Subject,
    Session,
    Ordering,
    ProviderType,
    ExcludeType,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text
            .split_once('=')
            .ok_or("write it as KEY=VALUE: type=ccaas.queue.*")?;
        let key = match key {
            "type" => Key::Type,
            "subject" => Key::Subject,
            "session" => Key::Session,
            "ordering-key" => Key::Ordering,
            "provider-type" => Key::ProviderType,
            "exclude-type" => Key::ExcludeType,
            _ => {
                return Err(format!(
                    "'{key}' is none of type, subject, session, ordering-key, provider-type, \
                     exclude-type"
                ));
            }
        };
        if value.is_empty() {
            return Err("the value is empty".to_owned());
        }
        let value = if key == Key::Session {
            resource("sessions", value)
        } else {
            value.to_owned()
        };
        Ok(Self { key, value })
    }
}

impl Filter {
    /// All of them as the API wants it; `None` where nothing is filtered.
    pub(super) fn all(
        filters: &[Self],
        expression: &str,
        filter_sidecar_events: bool,
    ) -> Option<v1::EventFilter> {
        if filters.is_empty() && expression.is_empty() {
            return None;
        }
        let mut all = v1::EventFilter {
            expression: expression.to_owned(),
            filter_sidecar_events,
            ..Default::default()
        };
        for filter in filters {
            let values = match filter.key {
                Key::Type => &mut all.types,
                Key::Subject => &mut all.subjects,
                Key::Session => &mut all.sessions,
                Key::Ordering => &mut all.ordering_keys,
                Key::ProviderType => &mut all.provider_types,
                Key::ExcludeType => &mut all.excluded_types,
            };
            values.push(filter.value.clone());
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_gather_by_key() {
        let filters: Vec<Filter> = ["type=a.*", "type=b", "session=x", "session=sessions/y"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let all = Filter::all(&filters, "id == ''", true).unwrap();
        assert_eq!(all.types, ["a.*", "b"]);
        assert_eq!(all.sessions, ["sessions/x", "sessions/y"]);
        assert_eq!(all.expression, "id == ''");
        assert!(all.filter_sidecar_events);
        assert_eq!(Filter::all(&[], "", true), None);
    }

    #[test]
    fn what_is_no_filter_says_how_to_write_one() {
        for (text, why) in [
            ("type", "KEY=VALUE"),
            ("tpye=x", "'tpye' is none of"),
            ("type=", "empty"),
        ] {
            assert!(text.parse::<Filter>().unwrap_err().contains(why));
        }
    }
}
