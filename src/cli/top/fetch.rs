//! Asks the admin listener for its status.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::admin::{SCHEMA, Status};
use crate::client::{Address, Target, host};

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Thousands of sessions fit.
const LARGEST: usize = 64 << 20;
type Token = tonic::metadata::MetadataValue<tonic::metadata::Ascii>;

const PATH: &str = "/admin/v1/status";

/// The status of a process; else why it cannot be had.
pub(super) async fn status(target: &Target) -> Result<Status, String> {
    let address = &target.address;
    let answer = match timeout(DEADLINE, ask(target)).await {
        Ok(answer) => answer.map_err(|why| format!("{address}: {why}"))?,
        Err(_) => return Err(format!("{address} did not answer in time")),
    };
    let status: Status = serde_json::from_slice(&answer)
        .map_err(|_| format!("{address} is no admin listener of Tieline: name listen.admin"))?;
    if status.schema == SCHEMA {
        Ok(status)
    } else {
        Err(format!("{address} speaks {}, not {SCHEMA}", status.schema))
    }
}

async fn ask(target: &Target) -> Result<Bytes, String> {
    let io = |error: std::io::Error| error.to_string();
    let token = target.credentials.authorization().map_err(io)?;
    if let Some(authority) = target.secured() {
        let stream = TcpStream::connect(authority).await.map_err(io)?;
        let agreed = target
            .credentials
            .agree(stream, host(authority), b"http/1.1");
        return get(agreed.await.map_err(io)?, authority, token).await;
    }
    match &target.address {
        Address::Tcp(authority) | Address::Tls(authority) => {
            let stream = TcpStream::connect(authority).await.map_err(io)?;
            get(stream, authority, token).await
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(io)?;
            get(stream, "localhost", token).await
        }
        #[cfg(any(test, feature = "testing"))]
        Address::Simulated(simulated) => {
            let stream = simulated.dial().await.map_err(io)?;
            get(stream, "localhost", token).await
        }
    }
}

async fn get<S>(stream: S, host: &str, token: Option<Token>) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let mut request = Request::get(PATH).header(header::HOST, host);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token.as_encoded_bytes());
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let asked = async move {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body);
        Err(format!("{status}: {}", said.trim()))
    };
    // The connection ends with its only request; what it ended with the request says.
    let (answer, _) = tokio::join!(asked, connection);
    answer
}
