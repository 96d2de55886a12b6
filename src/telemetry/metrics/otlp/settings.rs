//! [`Settings`]: what the standard variables say about figures, and what of it cannot be used. Pure.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

const SERVICE: &str = "tieline";
const PATH: &str = "v1/metrics";

/// Where figures go, and how often.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Url,
    pub(super) protocol: Protocol,
    pub(super) headers: Vec<(String, String)>,
    pub(super) every: Duration,
    /// Of one request.
    pub(super) timeout: Duration,
    pub(super) resource: Vec<(String, String)>,
}

/// What is spoken with the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

impl Settings {
    /// Reads the variables: `None` where no figures are to be sent, and a line for each value that
    /// cannot be used.
    pub(super) fn read(get: &dyn Fn(&str) -> Option<String>) -> (Option<Self>, Vec<String>) {
        let mut reader = Reader {
            get,
            problems: Vec::new(),
        };
        let settings = reader.settings();
        (settings, reader.problems)
    }
}

struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// An empty value is none.
    fn get(&self, key: &str) -> Option<String> {
        let value = (self.get)(key)?.trim().to_owned();
        Some(value).filter(|value| !value.is_empty())
    }

    /// The form for metrics, else the general one, with its name.
    fn of_exporter(&self, what: &str) -> Option<(String, String)> {
        let keys = [
            format!("OTEL_EXPORTER_OTLP_METRICS_{what}"),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ];
        keys.into_iter()
            .find_map(|key| self.get(&key).map(|value| (key, value)))
    }

    fn settings(&mut self) -> Option<Settings> {
        let off = self.get("OTEL_SDK_DISABLED");
        if off.is_some_and(|off| off.eq_ignore_ascii_case("true")) || !self.is_wanted() {
            return None;
        }
        let protocol = self.protocol()?;
        Some(Settings {
            endpoint: self.endpoint(protocol)?,
            protocol,
            headers: self.headers(),
            every: self.millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
            timeout: match self.of_exporter("TIMEOUT") {
                Some((key, _)) => self.millis(&key, 10_000),
                None => Duration::from_secs(10),
            },
            resource: self.resource(),
        })
    }

    fn is_wanted(&mut self) -> bool {
        const KEY: &str = "OTEL_METRICS_EXPORTER";
        match self.get(KEY).as_deref() {
            None => self.of_exporter("ENDPOINT").is_some(),
            Some("otlp") => true,
            // Scrapes are answered in any case.
            Some("none" | "prometheus") => false,
            Some(other) => {
                self.problems
                    .push(format!("{KEY}='{other}': write otlp or none"));
                false
            }
        }
    }

    fn protocol(&mut self) -> Option<Protocol> {
        match self.of_exporter("PROTOCOL") {
            None => Some(Protocol::Grpc),
            Some((key, value)) => match value.as_str() {
                "grpc" => Some(Protocol::Grpc),
                "http/protobuf" => Some(Protocol::Http),
                _ => {
                    self.problems
                        .push(format!("{key}='{value}': write grpc or http/protobuf"));
                    None
                }
            },
        }
    }

    fn endpoint(&mut self, protocol: Protocol) -> Option<Url> {
        let default = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::Http => "http://localhost:4318",
        };
        let found = self.of_exporter("ENDPOINT");
        let (key, value) = found.unwrap_or_else(|| (String::new(), default.to_owned()));
        let Ok(mut url) = Url::parse(&value) else {
            self.problems
                .push(format!("{key}='{value}': write http://host:port"));
            return None;
        };
        // The address for metrics alone is taken as it is.
        if protocol == Protocol::Http && !key.contains("_METRICS_") {
            let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        if protocol == Protocol::Grpc && url.scheme() == "https" {
            let hint = "figures go over TLS with http/protobuf alone";
            self.problems.push(format!("{key}='{value}': {hint}"));
            return None;
        }
        Some(url)
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        match self.of_exporter("HEADERS") {
            Some((key, value)) => self.pairs(&key, &value),
            None => Vec::new(),
        }
    }

    /// What such a list holds; a value that cannot be read is not repeated, for it may be a secret.
    fn pairs(&mut self, key: &str, list: &str) -> Vec<(String, String)> {
        let entries = list.split(',').filter(|entry| !entry.trim().is_empty());
        let decode = |entry: &str| {
            let (name, value) = entry.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name = name.trim().to_owned();
            (!name.is_empty()).then(|| (name, value.into_owned()))
        };
        let all: Vec<_> = entries.map(decode).collect();
        if all.iter().any(Option::is_none) {
            let problem = "write key=value, with commas between";
            self.problems.push(format!("{key}: {problem}"));
        }
        all.into_iter().flatten().collect()
    }

    fn millis(&mut self, key: &str, default: u64) -> Duration {
        let given = self.get(key);
        let read = given.as_deref().map(|text| text.parse().unwrap_or(0));
        if read == Some(0) {
            let given = given.unwrap_or_default();
            self.problems
                .push(format!("{key}='{given}': write milliseconds"));
        }
        Duration::from_millis(read.filter(|read| *read > 0).unwrap_or(default))
    }

    fn resource(&mut self) -> Vec<(String, String)> {
        const KEY: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut all = vec![
            ("service.name".to_owned(), SERVICE.to_owned()),
            ("service.version".to_owned(), version),
        ];
        let given = self.get(KEY).unwrap_or_default();
        let name = self.get("OTEL_SERVICE_NAME");
        let name = name.map(|name| ("service.name".to_owned(), name));
        for (key, value) in self.pairs(KEY, &given).into_iter().chain(name) {
            all.retain(|(known, _)| *known != key);
            all.push((key, value));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Option<Settings>, Vec<String>) {
        let get = |key: &str| {
            let found = variables.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&get)
    }

    #[test]
    fn nothing_is_sent_unless_it_is_asked_for() {
        assert_eq!(read(&[]), (None, vec![]));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        assert!(read(&[endpoint]).0.is_some());
        assert!(read(&[("OTEL_METRICS_EXPORTER", "otlp")]).0.is_some());
        for (key, value) in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
        ] {
            assert_eq!(read(&[endpoint, (key, value)]), (None, vec![]), "{key}");
        }
    }

    #[test]
    fn the_address_for_metrics_is_taken_as_it_is_and_the_general_one_gets_its_path() {
        let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        for (key, value, url) in [
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://c:4318",
                "http://c:4318/v1/metrics",
            ),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://c/x/",
                "http://c/x/v1/metrics",
            ),
            (
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                "http://c/own",
                "http://c/own",
            ),
        ] {
            let (settings, problems) = read(&[http, (key, value)]);
            assert_eq!(settings.unwrap().endpoint.as_str(), url, "{problems:?}");
        }
    }

    #[test]
    fn what_is_for_metrics_goes_before_what_is_for_all() {
        let (settings, problems) = read(&[
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2000"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20x, a=b",
            ),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=p,service.name=y"),
            ("OTEL_SERVICE_NAME", "x"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.protocol, Protocol::Grpc);
        assert_eq!(settings.timeout, Duration::from_secs(2));
        assert_eq!(settings.every, Duration::from_millis(500));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            settings.headers,
            [pair("authorization", "Bearer x"), pair("a", "b")]
        );
        assert!(settings.resource.contains(&pair("service.name", "x")));
        assert!(settings.resource.contains(&pair("k8s.pod.name", "p")));
        assert_eq!(settings.resource.len(), 3);
    }

    #[test]
    fn what_cannot_be_used_is_named_and_no_header_is_repeated() {
        let on = ("OTEL_METRICS_EXPORTER", "otlp");
        for (key, value) in [
            ("OTEL_METRICS_EXPORTER", "console"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4317"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ] {
            let (_, problems) = read(&[(key, value), on]);
            assert_eq!(problems.len(), 1, "{key}={value}: {problems:?}");
            assert!(problems[0].contains(key) && problems[0].contains(value));
        }
        let (_, problems) = read(&[on, ("OTEL_EXPORTER_OTLP_HEADERS", "secret")]);
        assert!(!problems[0].contains("secret"), "{problems:?}");
    }
}
