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
use crate::client::Address;

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Thousands of sessions fit.
const LARGEST: usize = 64 << 20;
const PATH: &str = "/admin/v1/status";

/// The status of the process at `address`; else why it cannot be had.
pub(super) async fn status(address: &Address) -> Result<Status, String> {
    let answer = match timeout(DEADLINE, ask(address)).await {
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

async fn ask(address: &Address) -> Result<Bytes, String> {
    let io = |error: std::io::Error| error.to_string();
    match address {
        Address::Tcp(authority) => {
            let stream = TcpStream::connect(authority).await.map_err(io)?;
            get(stream, authority).await
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(io)?;
            get(stream, "localhost").await
        }
        #[cfg(any(test, feature = "testing"))]
        Address::Simulated(simulated) => {
            let stream = simulated.dial().await.map_err(io)?;
            get(stream, "localhost").await
        }
    }
}

async fn get<S>(stream: S, host: &str) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = Request::get(PATH).header(header::HOST, host);
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
