//! A backend for traces: takes them over OTLP/gRPC, and serves them as Jaeger does, to programs and to
//! people. Prints where, and runs until its standard input ends.

use std::io::Write as _;

use otlp_embedded::{Config, State, TraceServiceImpl, TraceServiceServer, ui_app};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

const KEPT: Config = Config {
    max_length: 100_000,
    max_memory_usage: 128 << 20,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = State::new(KEPT);
    let otlp = TcpListener::bind("127.0.0.1:0").await?;
    let page = TcpListener::bind("127.0.0.1:0").await?;
    println!("otlp http://{}", otlp.local_addr()?);
    println!("page http://{}", page.local_addr()?);
    std::io::stdout().flush()?;
    let service = TraceServiceServer::new(TraceServiceImpl::new(state.clone()));
    let taking = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(otlp));
    let serving = axum::serve(page, ui_app(state, "/"));
    let mut left = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        taken = taking => Ok(taken?),
        served = serving => Ok(served?),
        ended = input.read_to_end(&mut left) => ended.map(|_| ()).map_err(Into::into),
    }
}
