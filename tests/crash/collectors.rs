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
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;

use crate::child::{BOUND, run};
use crate::ending::{DRAIN_TIMEOUT, busy, stuck};
use crate::place::{Place, Settings};

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
            _serving: serving,
        }
    }

    /// Waits until a request of each of these methods came that holds these words.
    async fn gets(&mut self, mut wanted: BTreeMap<&str, &str>) {
        while !wanted.is_empty() {
            let next = timeout(BOUND, self.taken.recv()).await;
            let (path, body) = next
                .unwrap_or_else(|_| panic!("waited in vain for {wanted:?}"))
                .unwrap();
            wanted.retain(|of, word| *of != path || !holds(&body, word));
        }
    }
}

fn holds(body: &[u8], word: &str) -> bool {
    body.windows(word.len()).any(|part| part == word.as_bytes())
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
            let stream = tls.accept(stream).await.unwrap();
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
) -> Result<
    Response<impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send>,
    hyper::Error,
> {
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
    Ok(Response::builder().header(kind.0, kind.1).body(body).unwrap())
}

/// The sidecar's console, on a socket.
fn with_console(place: &Place) -> String {
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
        assert!(took >= DRAIN_TIMEOUT, "the reader was not waited for: {took:?}");
    }
}
