//! Collectors of the real binary: one behind TLS of a private authority, and those that never answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tieline::runtime::{MonoTime, Rng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;

use crate::child::{BOUND, run};
use crate::ending::{DRAIN_TIMEOUT, busy, stuck};
use crate::place::{Place, Settings};
use crate::readers::{Readers, Temper};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// What the last spans and figures may take beyond the drain.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Takes what it is sent by gRPC over TLS, until it is dropped.
struct Collector {
    port: u16,
    /// The certificate of its authority.
    ca: String,
    taken: mpsc::UnboundedReceiver<(String, Bytes)>,
    came: Vec<Bytes>,
    _serving: JoinSet<()>,
}

impl Collector {
    async fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (took, taken) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), took));
        Self {
            port,
            ca: authority.pem(),
            taken,
            came: Vec::new(),
            _serving: serving,
        }
    }

    /// Waits until these bytes came, in whatever came so far or in what comes.
    async fn gets_bytes(&mut self, wanted: &[u8]) {
        while !self.came.iter().any(|body| holds(body, wanted)) {
            let next = timeout(BOUND, self.taken.recv()).await;
            let (_, body) = next.expect("it is sent").unwrap();
            self.came.push(body);
        }
    }

    /// Waits until a request of each of these methods came that holds these words.
    async fn gets(&mut self, mut wanted: BTreeMap<&str, &str>) {
        while !wanted.is_empty() {
            let next = timeout(BOUND, self.taken.recv()).await;
            let (path, body) = next
                .unwrap_or_else(|_| panic!("waited in vain for {wanted:?}"))
                .unwrap();
            wanted.retain(|of, word| *of != path || !holds(&body, word.as_bytes()));
        }
    }
}

fn holds(body: &[u8], bytes: &[u8]) -> bool {
    body.windows(bytes.len()).any(|part| part == bytes)
}

async fn serve(
    listener: tokio::net::TcpListener,
    tls: TlsAcceptor,
    took: mpsc::UnboundedSender<(String, Bytes)>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, took) = (tls.clone(), took.clone());
        connections.spawn(async move {
            // Whoever gives up on the handshake is nobody.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| answer(request, took.clone()));
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            // Whoever is gone is gone.
            connection.await.ok();
        });
    }
}

/// An empty message: everything was taken.
async fn answer(
    request: Request<Incoming>,
    took: mpsc::UnboundedSender<(String, Bytes)>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send>, hyper::Error>
{
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    took.send((path, body)).ok();
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let body = message.with_trailers(async { Some(Ok(trailers)) });
    let kind = (http::header::CONTENT_TYPE, "application/grpc");
    Ok(Response::builder()
        .header(kind.0, kind.1)
        .body(body)
        .unwrap())
}

/// The sidecar's console, on a socket.
pub(crate) fn with_console(place: &Place) -> String {
    let admin = format!("unix:{}", place.path("admin").display());
    place.change(r#""admin":[]"#, &format!(r#""admin":["{admin}"]"#));
    admin
}

/// Looks at the console until it says so.
async fn until_told(admin: &str, words: &[String]) {
    let mut looks = interval(Duration::from_millis(100));
    let mut last = String::new();
    let told = async {
        while words.iter().any(|word| !last.contains(word)) {
            looks.tick().await;
            last = run(["top", "--once", "--address", admin]).await.stdout;
        }
    };
    let told = timeout(BOUND, told).await;
    assert!(told.is_ok(), "{words:?} in\n{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_and_figures_go_by_grpc_over_tls_and_operators_are_told() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    let admin = with_console(&place);
    let mut collector = Collector::start().await;
    let ca = place.path("collector-ca.pem");
    std::fs::write(&ca, &collector.ca).unwrap();
    let to = format!("https://127.0.0.1:{}", collector.port);
    let secret = format!("{to}/?key=hidden");
    let sidecar = place.sidecar_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &to),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &secret),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca.to_string_lossy()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ]);
    collector
        .gets(BTreeMap::from([
            (TRACES, "create journals/default"),
            (METRICS, "tieline_session_events"),
        ]))
        .await;
    let told = |how: &str| ["traces", "metrics"].map(|what| format!("{what} to {to} (grpc) {how}"));
    until_told(&admin, &told("arriving")).await;
    drop(collector);
    until_told(&admin, &told("failing, last failure at 20")).await;
    let page = run(["top", "--once", "--address", &admin]).await.stdout;
    assert!(!page.contains("hidden"), "{page}");
    sidecar.kill().await;

    // What is off is told as off, and why where it was wanted.
    let sidecar = place.sidecar_with(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &to),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
    ]);
    until_told(
        &admin,
        &["traces off: read /nowhere/ca.pem: ", "; metrics off"].map(str::to_owned),
    )
    .await;
    sidecar.kill().await;
}

/// What `/metrics` answers to a scraper that takes the newer text.
async fn scraped(health: &str) -> String {
    let ask = async {
        let mut stream = TcpStream::connect(health).await?;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: {health}\r\naccept: application/openmetrics-text\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    timeout(BOUND, ask).await.expect("an answer").unwrap()
}

/// The traces that the classes of a histogram name.
fn shown<'a>(text: &'a str, histogram: &str) -> Vec<&'a str> {
    let bucket = format!("{histogram}_bucket{{");
    let lines = text.lines().filter(|line| line.starts_with(&bucket));
    let named = lines.filter_map(|line| line.split_once(" # {trace_id=\""));
    named.filter_map(|(_, rest)| rest.get(..32)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latencies_name_spans_that_show_them_where_spans_are_recorded() {
    const HISTOGRAMS: [&str; 5] = [
        "tieline_session_ingest_delay_seconds",
        "tieline_journal_append_seconds",
        "tieline_journal_sync_seconds",
        "tieline_feed_delivery_delay_seconds",
        "tieline_grpc_call_seconds",
    ];
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    // Free once the listener is gone, also while the sidecar is down: nobody else is at that address.
    let address = |listener: TcpListener| listener.local_addr().unwrap();
    let health = address(TcpListener::bind("127.0.0.77:0").unwrap()).to_string();
    place.change(r#""health":"""#, &format!(r#""health":"{health}""#));
    let mut collector = Collector::start().await;
    let ca = place.path("collector-ca.pem");
    std::fs::write(&ca, &collector.ca).unwrap();
    let to = format!("https://127.0.0.1:{}", collector.port);
    let traced: &[(&str, &str)] = &[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &to),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca.to_string_lossy()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let address = place.address().to_string();
    for variables in [traced, &[]] {
        let mut sidecar = place.sidecar_with(variables);
        let mut readers = Readers::start(&place.address(), &[Temper::Plain], &rng);
        let since = readers.record.progress();
        readers.advance(&mut sidecar, since, 1_000).await;
        let status = run(["status", "--address", &address]).await;
        assert_eq!(status.code, Some(0), "{status:?}");
        let text = scraped(&health).await;
        for histogram in HISTOGRAMS {
            let found = shown(&text, histogram);
            assert_eq!(
                found.is_empty(),
                variables.is_empty(),
                "{histogram}\n{text}"
            );
            // A span that is named is one that the collector gets.
            if let Some(trace) = found.first() {
                let id: Vec<u8> = (0..32)
                    .step_by(2)
                    .map(|at| u8::from_str_radix(trace.get(at..at + 2).unwrap(), 16).unwrap())
                    .collect();
                collector.gets_bytes(&id).await;
            }
        }
        sidecar.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_silent_collectors_nor_a_reader_that_never_reads_hold_up_the_end() {
    let rng = Rng::from_entropy();
    let place = Place::new(busy(), Settings::default(), &rng).await;
    // They accept, as far as the system does that for them, and say nothing.
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [traces, metrics] = silent
        .each_ref()
        .map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    for protocol in ["grpc", "http/protobuf"] {
        let mut sidecar = place.sidecar_with(&[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &metrics),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ]);
        let _stuck = stuck(&place, &mut sidecar, &rng).await;
        let began = MonoTime::now();
        sidecar.terminate().await;
        let status = sidecar.gone(BOUND).await;
        let took = began.elapsed();
        assert!(status.success(), "{status}\n{}", sidecar.last_words());
        assert!(took < DRAIN_TIMEOUT + LAST_WORDS, "{protocol}: {took:?}");
        assert!(
            took >= DRAIN_TIMEOUT,
            "the reader was not waited for: {took:?}"
        );
    }
}
