//! [`Settings`]: what the standard variables say about traces, and what of it cannot be used. Pure.

use std::time::Duration;

use url::Url;

use super::sampling::{Root, Sampler};
use crate::telemetry::Signal;
use crate::telemetry::collector::{BadValue, Get, Protocol, TlsFiles, Variables};

const PATH: &str = "v1/traces";

/// How traces are made and where they go.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) resource: Vec<(String, String)>,
    pub(super) sampler: Sampler,
    pub(super) most_links: usize,
    pub(super) takes_context: bool,
    pub(super) pace: Pace,
    pub(super) endpoint: Url,
    pub(super) protocol: Protocol,
    /// Of one request.
    pub(super) request_timeout: Duration,
    pub(super) tls: TlsFiles,
}

/// How spans leave: the batch processor's variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) queue: usize,
    pub(super) batch: usize,
    pub(super) delay: Duration,
    pub(super) timeout: Duration,
}

impl Settings {
    /// Reads the variables; `None` where no traces are wanted.
    pub(super) fn read(get: Get<'_>) -> (Option<Self>, Vec<BadValue>) {
        let mut variables = Variables::of(Signal::Traces, get);
        let settings = Self::of(&mut variables);
        (settings, variables.bad_ones())
    }

    fn of(variables: &mut Variables<'_>) -> Option<Self> {
        if !variables.is_wanted(&["none"]) {
            return None;
        }
        let protocol = variables.protocol();
        let queue = variables.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1);
        Some(Self {
            endpoint: variables.endpoint(protocol, PATH)?,
            resource: variables.resource(),
            sampler: sampler(variables),
            most_links: variables.number("OTEL_SPAN_LINK_COUNT_LIMIT", 128, 0),
            takes_context: takes_context(variables),
            pace: Pace {
                queue,
                batch: variables
                    .number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1)
                    .min(queue),
                delay: variables.millis("OTEL_BSP_SCHEDULE_DELAY", 5_000),
                timeout: variables.millis("OTEL_BSP_EXPORT_TIMEOUT", 30_000),
            },
            protocol,
            // The exporter reads it as well, and passes over in silence what is wrong.
            request_timeout: variables.timeout(),
            tls: variables.tls(),
        })
    }

    /// Named so among its likes, where the environment does not name it.
    pub(super) fn named_instance(mut self, name: String) -> Self {
        const KEY: &str = "service.instance.id";
        if self.resource.iter().all(|(key, _)| key != KEY) {
            self.resource.push((KEY.to_owned(), name));
        }
        self
    }
}

fn sampler(variables: &mut Variables<'_>) -> Sampler {
    const KEY: &str = "OTEL_TRACES_SAMPLER";
    let name = variables.get(KEY).unwrap_or_default();
    let (parent_based, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (name.is_empty(), name.as_str()),
    };
    let root = match root {
        "" | "always_on" => Root::Always,
        "always_off" => Root::Never,
        "traceidratio" => ratio(variables),
        _ => {
            let hint = "write always_on, always_off or traceidratio, with or without parentbased_ \
                        before it; parentbased_always_on holds";
            variables.bad(KEY, name, hint);
            return Sampler {
                root: Root::Always,
                parent_based: true,
            };
        }
    };
    Sampler { root, parent_based }
}

fn ratio(variables: &mut Variables<'_>) -> Root {
    const KEY: &str = "OTEL_TRACES_SAMPLER_ARG";
    let Some(value) = variables.get(KEY) else {
        return Root::Always;
    };
    match value.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Root::ratio(part),
        _ => {
            variables.bad(KEY, value, "write a number from 0 to 1; 1 holds");
            Root::Always
        }
    }
}

fn takes_context(variables: &mut Variables<'_>) -> bool {
    const KEY: &str = "OTEL_PROPAGATORS";
    let Some(value) = variables.get(KEY) else {
        return true;
    };
    let mut names: Vec<&str> = value.split(',').map(str::trim).collect();
    names.retain(|name| !matches!(*name, "tracecontext" | "baggage" | "none"));
    let unknown = names.join(",");
    if !unknown.is_empty() {
        variables.bad(
            KEY,
            unknown,
            "write tracecontext or none; others are left out",
        );
    }
    value.split(',').any(|name| name.trim() == "tracecontext")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");

    fn read(variables: &[(&str, &str)]) -> (Option<Settings>, Vec<BadValue>) {
        let get = |key: &str| {
            let found = variables.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&get)
    }

    #[test]
    fn traces_are_off_until_somebody_says_where_they_go() {
        let wanted = |variables: &[(&str, &str)]| {
            let (settings, bad) = read(variables);
            assert_eq!(bad, []);
            settings.is_some()
        };
        assert!(!wanted(&[]));
        assert!(!wanted(&[("OTEL_SERVICE_NAME", "x")]));
        assert!(wanted(&[AT]));
        assert!(wanted(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://x"
        )]));
        assert!(wanted(&[("OTEL_TRACES_EXPORTER", "otlp")]));
        assert!(!wanted(&[AT, ("OTEL_TRACES_EXPORTER", "none")]));
        assert!(!wanted(&[AT, ("OTEL_SDK_DISABLED", "True")]));
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
    }

    #[test]
    fn every_standard_variable_has_its_meaning() {
        let (settings, bad) = read(&[
            AT,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=a, k8s.pod.name=p%2C1",
            ),
            ("OTEL_SERVICE_NAME", "b"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "3"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("OTEL_PROPAGATORS", "baggage"),
        ]);
        assert_eq!(bad, []);
        let settings = settings.unwrap();
        assert_eq!(settings.protocol, Protocol::Grpc);
        assert_eq!(settings.tls.ca, Some("/ca.pem".into()));
        let value = |key: &str| {
            let found = settings.resource.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("service.name"), Some("b"));
        assert_eq!(value("k8s.pod.name"), Some("p,1"));
        assert_eq!(settings.sampler.root, Root::Ratio(1 << 62));
        assert!(!settings.sampler.parent_based);
        assert_eq!(settings.most_links, 3);
        assert_eq!((settings.pace.queue, settings.pace.batch), (10, 10));
        assert_eq!(settings.pace.delay, Duration::from_millis(200));
        assert!(!settings.takes_context);
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_and_changes_nothing_else() {
        let wrong = [
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_RESOURCE_ATTRIBUTES", "nothing"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
            ("OTEL_PROPAGATORS", "tracecontext,b3"),
        ];
        let (settings, bad) = read(&[wrong.as_slice(), &[AT]].concat());
        let mut named: Vec<&str> = bad.iter().map(|bad| bad.key.as_str()).collect();
        let mut expected = wrong.map(|(key, _)| key);
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected);
        let (plain, _) = read(&[AT]);
        assert_eq!(settings, plain);
        let (none, bad) = read(&[AT, ("OTEL_TRACES_EXPORTER", "zipkin")]);
        assert_eq!((none, bad.len()), (None, 1));
    }
}
