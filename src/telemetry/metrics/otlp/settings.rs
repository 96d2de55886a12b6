//! [`Settings`]: what the standard variables say about figures, and what of it cannot be used. Pure.

use std::time::Duration;

use url::Url;

use crate::telemetry::Signal;
use crate::telemetry::collector::{BadValue, Get, Protocol, TlsFiles, Variables};

const PATH: &str = "v1/metrics";

/// Where figures go, and how often.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Url,
    pub(super) protocol: Protocol,
    pub(super) tls: TlsFiles,
    pub(super) headers: Vec<(String, String)>,
    pub(super) every: Duration,
    /// Of one request.
    pub(super) timeout: Duration,
    pub(super) resource: Vec<(String, String)>,
}

impl Settings {
    /// Reads the variables; `None` where no figures are to be sent.
    pub(super) fn read(get: Get<'_>) -> (Option<Self>, Vec<BadValue>) {
        let mut variables = Variables::of(Signal::Metrics, get);
        let settings = Self::of(&mut variables);
        (settings, variables.bad_ones())
    }

    fn of(variables: &mut Variables<'_>) -> Option<Self> {
        // Scrapes are answered in any case.
        if !variables.is_wanted(&["none", "prometheus"]) {
            return None;
        }
        let protocol = variables.protocol();
        Some(Self {
            endpoint: variables.endpoint(protocol, PATH)?,
            protocol,
            tls: variables.tls(),
            headers: variables.headers(),
            every: variables.millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
            timeout: variables.timeout(),
            resource: variables.resource(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Option<Settings>, Vec<BadValue>) {
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
    fn what_is_for_metrics_goes_before_what_is_for_all() {
        let (settings, bad) = read(&[
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2000"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/all.pem"),
            ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/own.pem"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20x, a=b",
            ),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=p,service.name=y"),
            ("OTEL_SERVICE_NAME", "x"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(bad, []);
        assert_eq!(settings.protocol, Protocol::Http);
        assert_eq!(settings.timeout, Duration::from_secs(2));
        assert_eq!(settings.every, Duration::from_millis(500));
        assert_eq!(settings.tls.ca, Some("/own.pem".into()));
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
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ] {
            let (_, bad) = read(&[(key, value), on]);
            assert_eq!(bad.len(), 1, "{key}={value}: {bad:?}");
            assert_eq!((bad[0].key.as_str(), bad[0].value.as_str()), (key, value));
        }
        let (_, bad) = read(&[on, ("OTEL_EXPORTER_OTLP_HEADERS", "secret")]);
        assert_eq!(bad[0].value, "");
    }
}
