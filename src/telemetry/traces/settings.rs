//! [`Settings`]: what the standard variables say about traces, and what of it cannot be used. Pure.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::sampling::{Root, Sampler};

const SERVICE: &str = "tieline";
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Where variables come from.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How traces are made and where they go.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) resource: Vec<(String, String)>,
    pub(super) sampler: Sampler,
    pub(super) most_links: usize,
    pub(super) takes_context: bool,
    pub(super) pace: Pace,
    pub(super) protocol: Protocol,
    /// Of one request.
    pub(super) request_timeout: Duration,
    /// Whether the collector is spoken to without TLS.
    pub(super) plaintext: bool,
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

/// What is spoken with the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

/// PEM files for the way to the collector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// A variable that cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadValue {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) hint: &'static str,
}

impl Settings {
    /// Reads the variables; `None` where no traces are wanted.
    pub(super) fn read(get: Variables<'_>) -> (Option<Self>, Vec<BadValue>) {
        let mut reader = Reader {
            get,
            bad: Vec::new(),
        };
        let settings = reader.settings();
        (settings, reader.bad)
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

struct Reader<'a> {
    get: Variables<'a>,
    bad: Vec<BadValue>,
}

impl Reader<'_> {
    /// An empty value is none.
    fn get(&self, key: &str) -> Option<String> {
        let value = (self.get)(key)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn bad(&mut self, key: &str, value: String, hint: &'static str) {
        self.bad.push(BadValue {
            key: key.to_owned(),
            value,
            hint,
        });
    }

    fn settings(&mut self) -> Option<Settings> {
        if self.is_true("OTEL_SDK_DISABLED") || !self.is_wanted() {
            return None;
        }
        let queue = self.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1);
        Some(Settings {
            resource: self.resource(),
            sampler: self.sampler(),
            most_links: self.number("OTEL_SPAN_LINK_COUNT_LIMIT", 128, 0),
            takes_context: self.takes_context(),
            pace: Pace {
                queue,
                batch: self
                    .number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1)
                    .min(queue),
                delay: self.millis("OTEL_BSP_SCHEDULE_DELAY", 5_000),
                timeout: self.millis("OTEL_BSP_EXPORT_TIMEOUT", 30_000),
            },
            protocol: self.protocol(),
            request_timeout: self.request_timeout(),
            plaintext: self.is_plaintext(),
            tls: TlsFiles {
                ca: self.file("CERTIFICATE"),
                certificate: self.file("CLIENT_CERTIFICATE"),
                key: self.file("CLIENT_KEY"),
            },
        })
    }

    /// The standard's default is a collector on this machine; where there is none, that is an error with
    /// every batch. So it takes an address, or the exporter by name.
    fn is_wanted(&mut self) -> bool {
        const KEY: &str = "OTEL_TRACES_EXPORTER";
        let has_address = ENDPOINTS.iter().any(|key| self.get(key).is_some());
        match self.get(KEY) {
            None => has_address,
            Some(value) if value == "otlp" => true,
            Some(value) if value == "none" => false,
            Some(value) => {
                self.bad(KEY, value, "write otlp or none; no traces until then");
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

    fn number(&mut self, key: &str, default: usize, least: usize) -> usize {
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

    fn millis(&mut self, key: &str, default: u64) -> Duration {
        let default = usize::try_from(default).unwrap_or(usize::MAX);
        Duration::from_millis(self.number(key, default, 1) as u64)
    }

    /// The exporter reads it as well, and passes over in silence what is wrong.
    fn request_timeout(&mut self) -> Duration {
        let general = self.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 1);
        let own = self.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", general, 1);
        Duration::from_millis(own as u64)
    }

    /// The form for traces, else the general one, with its name.
    fn of_exporter(&self, what: &str) -> Option<(String, String)> {
        let keys = [
            format!("OTEL_EXPORTER_OTLP_TRACES_{what}"),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ];
        keys.into_iter()
            .find_map(|key| self.get(&key).map(|value| (key, value)))
    }

    /// Where no address is given, the standard's is plain; one without a scheme is as it is told.
    fn is_plaintext(&self) -> bool {
        match self.of_exporter("ENDPOINT") {
            None => true,
            Some((_, address)) if address.contains("://") => address.starts_with("http://"),
            Some(_) => self
                .of_exporter("INSECURE")
                .is_some_and(|(_, is)| is == "true"),
        }
    }

    fn file(&self, what: &str) -> Option<PathBuf> {
        self.of_exporter(what).map(|(_, path)| path.into())
    }

    fn protocol(&mut self) -> Protocol {
        match self.of_exporter("PROTOCOL") {
            None => Protocol::Http,
            Some((_, value)) if value == "grpc" => Protocol::Grpc,
            Some((_, value)) if value == "http/protobuf" => Protocol::Http,
            Some((key, value)) => {
                self.bad(
                    &key,
                    value,
                    "write grpc or http/protobuf, which holds until then",
                );
                Protocol::Http
            }
        }
    }

    fn sampler(&mut self) -> Sampler {
        const KEY: &str = "OTEL_TRACES_SAMPLER";
        let name = self.get(KEY).unwrap_or_default();
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (name.is_empty(), name.as_str()),
        };
        let root = match root {
            "" | "always_on" => Root::Always,
            "always_off" => Root::Never,
            "traceidratio" => self.ratio(),
            _ => {
                let hint = "write always_on, always_off or traceidratio, with or without parentbased_ \
                            before it; parentbased_always_on holds";
                self.bad(KEY, name, hint);
                return Sampler {
                    root: Root::Always,
                    parent_based: true,
                };
            }
        };
        Sampler { root, parent_based }
    }

    fn ratio(&mut self) -> Root {
        const KEY: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(value) = self.get(KEY) else {
            return Root::Always;
        };
        match value.parse::<f64>() {
            Ok(part) if (0.0..=1.0).contains(&part) => Root::ratio(part),
            _ => {
                self.bad(KEY, value, "write a number from 0 to 1; 1 holds");
                Root::Always
            }
        }
    }

    fn takes_context(&mut self) -> bool {
        const KEY: &str = "OTEL_PROPAGATORS";
        let Some(value) = self.get(KEY) else {
            return true;
        };
        let mut names: Vec<&str> = value.split(',').map(str::trim).collect();
        names.retain(|name| !matches!(*name, "tracecontext" | "baggage" | "none"));
        let unknown = names.join(",");
        if !unknown.is_empty() {
            self.bad(
                KEY,
                unknown,
                "write tracecontext or none; others are left out",
            );
        }
        value.split(',').any(|name| name.trim() == "tracecontext")
    }

    fn resource(&mut self) -> Vec<(String, String)> {
        const KEY: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut all = vec![
            ("service.name".to_owned(), SERVICE.to_owned()),
            (
                "service.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let given = self.get(KEY).unwrap_or_default();
        for entry in given.split(',').filter(|entry| !entry.trim().is_empty()) {
            let decoded = entry.split_once('=').and_then(|(key, value)| {
                let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
                Some((key.trim().to_owned(), value.into_owned()))
            });
            match decoded.filter(|(key, _)| !key.is_empty()) {
                Some((key, value)) => put(&mut all, key, value),
                None => self.bad(
                    KEY,
                    entry.to_owned(),
                    "write key=value, with commas between",
                ),
            }
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            put(&mut all, "service.name".to_owned(), name);
        }
        all
    }
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
