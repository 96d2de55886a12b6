//! A [`Sheet`] as a request of OTLP 1.x (`opentelemetry/proto/collector/metrics/v1`), with the fields
//! that are used here.

use prost::{Message, Oneof};

use crate::telemetry::metrics::{Family, Kind, Point, Sheet, Value};

/// Counted since the process began.
const CUMULATIVE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(string, optional, tag = "1")]
    pub(super) text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
    #[prost(string, tag = "3")]
    pub(super) unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    pub(super) data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Numbers),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Numbers {
    #[prost(message, repeated, tag = "1")]
    pub(super) points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sum {
    #[prost(message, repeated, tag = "1")]
    pub(super) points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    pub(super) temporality: i32,
    #[prost(bool, tag = "3")]
    pub(super) is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(message, repeated, tag = "1")]
    pub(super) points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    pub(super) temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    pub(super) since: u64,
    #[prost(fixed64, tag = "3")]
    pub(super) at: u64,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(super) value: Option<Number>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Number {
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(sfixed64, tag = "6")]
    Whole(i64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistogramPoint {
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    pub(super) since: u64,
    #[prost(fixed64, tag = "3")]
    pub(super) at: u64,
    #[prost(fixed64, tag = "4")]
    pub(super) count: u64,
    #[prost(double, optional, tag = "5")]
    pub(super) sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    pub(super) counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    pub(super) bounds: Vec<f64>,
}

/// Between which moments was counted, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) since: u64,
    pub(super) at: u64,
}

pub(super) fn key_value(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            text: Some(value.to_owned()),
        }),
    }
}

/// Everything of a sheet in one request.
pub(super) fn request(sheet: &Sheet, resource: &[(String, String)], span: Span) -> Request {
    let attributes = resource.iter();
    let attributes = attributes.map(|(key, value)| key_value(key, value));
    let metrics = sheet.families();
    let metrics = metrics.map(|(family, points)| metric(family, points, span));
    Request {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.collect(),
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(Scope {
                    name: "tieline".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                }),
                metrics: metrics.collect(),
            }],
        }],
    }
}

fn metric(family: &Family, points: &[Point], span: Span) -> Metric {
    // `_total` is how Prometheus writes what here is a sum.
    let name = family.name.strip_suffix("_total").unwrap_or(family.name);
    let numbers = || points.iter().filter_map(|p| number(p, span)).collect();
    let data = match family.kind {
        Kind::Counter => Data::Sum(Sum {
            points: numbers(),
            temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Kind::Gauge | Kind::Info => Data::Gauge(Numbers { points: numbers() }),
        Kind::Histogram => Data::Histogram(Histogram {
            points: points.iter().filter_map(|p| tally(p, span)).collect(),
            temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: name.to_owned(),
        description: family.help.to_owned(),
        unit: unit(name).to_owned(),
        data: Some(data),
    }
}

/// As UCUM writes it.
fn unit(name: &str) -> &'static str {
    match name.rsplit_once('_') {
        Some((_, "seconds")) => "s",
        Some((_, "bytes")) => "By",
        _ => "1",
    }
}

fn attributes(point: &Point) -> Vec<KeyValue> {
    let labels = point.labels.iter();
    labels.map(|(name, value)| key_value(name, value)).collect()
}

fn number(point: &Point, span: Span) -> Option<NumberPoint> {
    let value = match &point.value {
        Value::Whole(value) => Number::Whole(i64::try_from(*value).unwrap_or(i64::MAX)),
        Value::Real(value) => Number::Real(*value),
        Value::Tally(_) => return None,
    };
    Some(NumberPoint {
        attributes: attributes(point),
        since: span.since,
        at: span.at,
        value: Some(value),
    })
}

fn tally(point: &Point, span: Span) -> Option<HistogramPoint> {
    let Value::Tally(tally) = &point.value else {
        return None;
    };
    Some(HistogramPoint {
        attributes: attributes(point),
        since: span.since,
        at: span.at,
        count: tally.count(),
        sum: Some(tally.sum()),
        counts: tally.counts().to_vec(),
        bounds: tally.bounds().collect(),
    })
}
