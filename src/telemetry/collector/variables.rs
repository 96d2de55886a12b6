//! [`Variables`]: the standard variables as one signal reads them: its own form first, then the general
//! one. Pure.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use super::TlsFiles;
use crate::telemetry::Signal;

const SERVICE: &str = "tieline";

/// Where variables come from.
pub(in crate::telemetry) type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is spoken with the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) enum Protocol {
    Grpc,
    Http,
}

/// A variable that cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telemetry) struct BadValue {
    pub(in crate::telemetry) key: String,
    /// Empty where it may be a secret.
    pub(in crate::telemetry) value: String,
    pub(in crate::telemetry) hint: &'static str,
}

/// Reads variables, and keeps those that cannot be used.
pub(in crate::telemetry) struct Variables<'a> {
    get: Get<'a>,
    signal: Signal,
    bad: Vec<BadValue>,
}

impl Protocol {
    /// As the variable has it.
    pub(in crate::telemetry) fn word(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

impl BadValue {
    /// Says it to whoever set it.
    pub(in crate::telemetry) fn log(&self) {
        let Self { key, value, hint } = self;
        tracing::warn!(key, value, hint, "Variable cannot be used");
    }
}

impl<'a> Variables<'a> {
    /// As this signal reads them.
    pub(in crate::telemetry) fn of(signal: Signal, get: Get<'a>) -> Self {
        Self {
            get,
            signal,
            bad: Vec::new(),
        }
    }

    /// Those that could not be used.
    pub(in crate::telemetry) fn bad_ones(self) -> Vec<BadValue> {
        self.bad
    }

    /// An empty value is none.
    pub(in crate::telemetry) fn get(&self, key: &str) -> Option<String> {
        let value = (self.get)(key)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    pub(in crate::telemetry) fn bad(&mut self, key: &str, value: String, hint: &'static str) {
        self.bad.push(BadValue {
            key: key.to_owned(),
            value,
            hint,
        });
    }

    /// The signal's form of a variable of the exporter, else the general one, with its name.
    pub(in crate::telemetry) fn of_exporter(&self, what: &str) -> Option<(String, String)> {
        let signal = self.signal.prefix();
        let keys = [
            format!("OTEL_EXPORTER_OTLP_{signal}_{what}"),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ];
        keys.into_iter()
            .find_map(|key| self.get(&key).map(|value| (key, value)))
    }

    /// The standard's default is a collector on this machine; where there is none, that is an error with
    /// every batch. So it takes an address, or the exporter by name; `others` are names that ask for
    /// nothing.
    pub(in crate::telemetry) fn is_wanted(&mut self, others: &[&str]) -> bool {
        if self.is_true("OTEL_SDK_DISABLED") {
            return false;
        }
        let key = format!("OTEL_{}_EXPORTER", self.signal.prefix());
        match self.get(&key) {
            None => self.of_exporter("ENDPOINT").is_some(),
            Some(value) if value == "otlp" => true,
            Some(value) if others.contains(&value.as_str()) => false,
            Some(value) => {
                self.bad(
                    &key,
                    value,
                    "write otlp or none; nothing is sent until then",
                );
                false
            }
        }
    }

    fn is_true(&mut self, key: &str) -> bool {
        match self.get(key) {
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if !value.eq_ignore_ascii_case("false") => {
                self.bad(key, value, "write true or false; taken as false");
                false
            }
            _ => false,
        }
    }

    pub(in crate::telemetry) fn number(
        &mut self,
        key: &str,
        default: usize,
        least: usize,
    ) -> usize {
        let Some(value) = self.get(key) else {
            return default;
        };
        match value.parse() {
            Ok(number) if number >= least => number,
            _ => {
                self.bad(key, value, "write a whole number; the default holds");
                default
            }
        }
    }

    pub(in crate::telemetry) fn millis(&mut self, key: &str, default: u64) -> Duration {
        let default = usize::try_from(default).unwrap_or(usize::MAX);
        Duration::from_millis(self.number(key, default, 1) as u64)
    }

    /// Of one request.
    pub(in crate::telemetry) fn timeout(&mut self) -> Duration {
        const DEFAULT: u64 = 10_000;
        match self.of_exporter("TIMEOUT") {
            Some((key, _)) => self.millis(&key, DEFAULT),
            None => Duration::from_millis(DEFAULT),
        }
    }

    pub(in crate::telemetry) fn protocol(&mut self) -> Protocol {
        let Some((key, value)) = self.of_exporter("PROTOCOL") else {
            return Protocol::Http;
        };
        let known = [Protocol::Grpc, Protocol::Http];
        known
            .into_iter()
            .find(|protocol| protocol.word() == value)
            .unwrap_or_else(|| {
                let hint = "write grpc or http/protobuf, which holds until then";
                self.bad(&key, value, hint);
                Protocol::Http
            })
    }

    /// The collector's address: the one that is given for this signal alone as it is, the general one
    /// with `path` where that is spoken over HTTP. Without a scheme, gRPC goes by TLS unless told
    /// otherwise.
    pub(in crate::telemetry) fn endpoint(&mut self, protocol: Protocol, path: &str) -> Option<Url> {
        let default = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::Http => "http://localhost:4318",
        };
        let given = self.of_exporter("ENDPOINT");
        let (key, value) = given.unwrap_or_else(|| (String::new(), default.to_owned()));
        let is_own = key.contains(self.signal.prefix());
        let scheme = match (value.contains("://"), protocol) {
            (true, _) | (_, Protocol::Http) => "",
            (false, Protocol::Grpc) if self.is_insecure() => "http://",
            (false, Protocol::Grpc) => "https://",
        };
        let url = Url::parse(&format!("{scheme}{value}")).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(mut url) = url else {
            self.bad(
                &key,
                value,
                "write http://host:port or https://host:port; nothing is sent until then",
            );
            return None;
        };
        if protocol == Protocol::Http && !is_own {
            let path = format!("{}/{path}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Some(url)
    }

    fn is_insecure(&self) -> bool {
        let given = self.of_exporter("INSECURE");
        given.is_some_and(|(_, is)| is.eq_ignore_ascii_case("true"))
    }

    pub(in crate::telemetry) fn tls(&self) -> TlsFiles {
        let file = |what| self.of_exporter(what).map(|(_, path)| path.into());
        TlsFiles {
            ca: file("CERTIFICATE"),
            certificate: file("CLIENT_CERTIFICATE"),
            key: file("CLIENT_KEY"),
        }
    }

    /// What is sent with every request. A value that cannot be read is not repeated, for it may be a
    /// secret.
    pub(in crate::telemetry) fn headers(&mut self) -> Vec<(String, String)> {
        let Some((key, list)) = self.of_exporter("HEADERS") else {
            return Vec::new();
        };
        let pairs: Vec<_> = entries(&list).map(pair).collect();
        if pairs.iter().any(Option::is_none) {
            self.bad(&key, String::new(), "write key=value, with commas between");
        }
        pairs.into_iter().flatten().collect()
    }

    /// Who sends it.
    pub(in crate::telemetry) fn resource(&mut self) -> Vec<(String, String)> {
        const KEY: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut all = vec![
            ("service.name".to_owned(), SERVICE.to_owned()),
            (
                "service.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let given = self.get(KEY).unwrap_or_default();
        for entry in entries(&given) {
            match pair(entry) {
                Some((key, value)) => put(&mut all, key, value),
                None => {
                    let hint = "write key=value, with commas between";
                    self.bad(KEY, entry.to_owned(), hint);
                }
            }
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            put(&mut all, "service.name".to_owned(), name);
        }
        all
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|entry| !entry.trim().is_empty())
}

fn pair(entry: &str) -> Option<(String, String)> {
    let (key, value) = entry.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let key = key.trim().to_owned();
    (!key.is_empty()).then(|| (key, value.into_owned()))
}

fn put(all: &mut Vec<(String, String)>, key: String, value: String) {
    match all.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => all.push((key, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(variables: &[(&str, &str)]) -> (Option<String>, Vec<BadValue>) {
        let get = |key: &str| {
            let found = variables.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut variables = Variables::of(Signal::Metrics, &get);
        let protocol = variables.protocol();
        let url = variables.endpoint(protocol, "v1/metrics");
        (url.map(String::from), variables.bad_ones())
    }

    const GRPC: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const OWN: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

    #[test]
    fn the_address_of_one_signal_is_taken_as_it_is_and_the_general_one_gets_its_path() {
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
        for (variables, url) in [
            (vec![], "http://localhost:4318/v1/metrics"),
            (vec![GRPC], "http://localhost:4317/"),
            (vec![(ALL, "http://c:4318")], "http://c:4318/v1/metrics"),
            (vec![(ALL, "http://c/x/")], "http://c/x/v1/metrics"),
            (vec![(OWN, "http://c/own")], "http://c/own"),
            (vec![GRPC, (ALL, "https://c:4317")], "https://c:4317/"),
            (vec![GRPC, (ALL, "c:4317")], "https://c:4317/"),
            (vec![GRPC, (ALL, "c:4317"), insecure], "http://c:4317/"),
        ] {
            assert_eq!(endpoint(&variables), (Some(url.to_owned()), vec![]));
        }
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for value in ["collector:4318", "ftp://c", "http://"] {
            let (url, bad) = endpoint(&[(ALL, value)]);
            assert_eq!((url, bad.len()), (None, 1), "{value}");
            assert_eq!((bad[0].key.as_str(), bad[0].value.as_str()), (ALL, value));
        }
    }
}
