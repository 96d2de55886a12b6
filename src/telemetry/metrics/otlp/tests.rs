//! Against a collector on a real socket that keeps what it is sent, and against one that says nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use prost::Message as _;
use url::Url;

use super::message::{Data, Number, Request};
use super::*;
use crate::runtime::{Histogram, Scale};
use crate::telemetry::collector::{Protocol, TlsFiles};
use crate::telemetry::metrics::{Family, Kind, Sheet};

const BOUND: Duration = Duration::from_secs(20);

static EVENTS: Family = Family {
    name: "x_events_total",
    kind: Kind::Counter,
    labels: &["session"],
    help: "Events",
};
static TOOK: Family = Family {
    name: "x_took_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "Took",
};

#[derive(Debug)]
struct Fixed;

impl Source for Fixed {
    fn gather(&self) -> Sheet {
        let took = Histogram::new(Scale::LONG);
        took.took(Duration::from_secs(2));
        let mut sheet = Sheet::default();
        sheet.put(&EVENTS, &["cc"], 41);
        sheet.put(&TOOK, &[], took.snapshot());
        sheet
    }
}

fn settings(endpoint: &str, every: Duration) -> Settings {
    Settings {
        endpoint: Url::parse(endpoint).unwrap(),
        protocol: Protocol::Http,
        tls: TlsFiles::default(),
        headers: vec![("authorization".to_owned(), "Bearer x".to_owned())],
        every,
        timeout: Duration::from_secs(10),
        resource: vec![("service.name".to_owned(), "tieline".to_owned())],
    }
}

/// Takes requests on a thread of its own, until the process ends: each with its head in small letters.
fn collector() -> (String, Receiver<(String, Request)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (took, taken) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A request that was given up in its middle is none.
            if let Some(request) = stream.ok().and_then(take) {
                took.send(request).ok();
            }
        }
    });
    (format!("http://{address}/v1/metrics"), taken)
}

fn take(stream: TcpStream) -> Option<(String, Request)> {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.split_once("content-length: ")?.1;
    let length: usize = length.split_once("\r\n")?.0.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    (&stream).write_all(answer).ok()?;
    Some((head, Request::decode(body.as_slice()).unwrap()))
}

#[test]
fn figures_come_as_sums_gauges_and_histograms_and_once_more_at_the_end() {
    let (endpoint, taken) = collector();
    let every = Duration::from_millis(50);
    let export = Export::start(settings(&endpoint, every), Arc::new(Fixed), Clock::system());
    let (head, request) = taken.recv_timeout(BOUND).unwrap();
    assert!(head.starts_with("post /v1/metrics "), "{head}");
    assert!(head.contains("\r\nauthorization: bearer x\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/x-protobuf\r\n"),
        "{head}"
    );
    let told = &request.resource_metrics[0];
    let resource = &told.resource.as_ref().unwrap().attributes[0];
    assert_eq!(resource.key, "service.name");
    let metrics = &told.scope_metrics[0].metrics;
    let Some(Data::Sum(sum)) = &metrics[0].data else {
        panic!("{metrics:?}");
    };
    assert_eq!(metrics[0].name, "x_events");
    assert!(sum.is_monotonic && sum.temporality == 2);
    assert_eq!(sum.points[0].value, Some(Number::Whole(41)));
    assert_eq!(
        sum.points[0].attributes,
        [message::key_value("session", "cc")]
    );
    assert!(sum.points[0].since > 0 && sum.points[0].since <= sum.points[0].at);
    let Some(Data::Histogram(took)) = &metrics[1].data else {
        panic!("{metrics:?}");
    };
    assert_eq!((metrics[1].unit.as_str(), took.points[0].count), ("s", 1));
    assert_eq!(took.points[0].counts.len(), took.points[0].bounds.len() + 1);
    drop(export);

    let seldom = settings(&endpoint, Duration::from_secs(3_600));
    let export = Export::start(seldom, Arc::new(Fixed), Clock::system());
    while taken.try_recv().is_ok() {}
    drop(export);
    taken.recv_timeout(BOUND).unwrap();
}

#[test]
fn a_collector_that_says_nothing_is_counted_and_holds_no_end_up() {
    // It accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/metrics", silent.local_addr().unwrap());
    let failures = || stats().export_failures.snapshot()[1];
    let before = failures();
    let mut settings = settings(&endpoint, Duration::from_secs(3_600));
    settings.timeout = Duration::from_millis(100);
    let export = Export::start(settings, Arc::new(Fixed), Clock::system());
    let (done, ends) = channel();
    std::thread::spawn(move || {
        drop(export);
        done.send(()).unwrap();
    });
    ends.recv_timeout(BOUND).unwrap();
    let after = failures();
    assert_eq!((before.0, after.0), ("metrics", "metrics"));
    assert!(after.1 > before.1, "{before:?} {after:?}");
}
