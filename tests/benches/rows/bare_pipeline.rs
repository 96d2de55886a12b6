//! The bare pipeline: frames off a WebSocket, the envelope read, an event encoded, written, synced
//! and streamed. No session, no order, no gaps, no duplicates, no index, no history.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use serde::Deserialize;
use serde_json::value::RawValue;
use tieline::domain::WallTime;
use tieline::proto::v1;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;

use super::append::Recycled;
use super::bare_stream::{BareServer, Chunk};
use super::single_threaded;
use crate::machine::SERVER;
use crate::source::{Source, Upstream};

/// Frames that make one message, if so many are there.
const FRAMES: usize = 64;
/// Messages that wait for the disk, and for the reader.
const WAITING: usize = 64;
/// Bytes that are synced together.
const BATCH: usize = 1 << 20;

/// Who reads just now.
type Reader = Arc<Mutex<Option<mpsc::Sender<Result<Chunk, tonic::Status>>>>>;

/// Runs on three threads: one reads and encodes, one writes, one serves.
pub(crate) struct BarePipeline {
    pub(crate) server: BareServer,
    pub(crate) upstream: Upstream,
    _source: Source,
}

impl BarePipeline {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let source = Source::start()?;
        let address = source.address;
        let file = Recycled::create(folder, "pipeline")?;
        let reader = Reader::default();
        let (encoded, to_write) = sync_channel(WAITING);
        let named = || std::thread::Builder::new().name(SERVER.to_owned());
        named().spawn(move || {
            single_threaded()
                .and_then(|runtime| runtime.block_on(receive(address, &encoded)))
                .ok()
        })?;
        let readers = Arc::clone(&reader);
        named().spawn(move || write(file, &to_write, &readers).ok())?;
        let server = BareServer::start(move || {
            let (sender, receiver) = mpsc::channel(WAITING);
            let opened = v1::SubscribeResponse::default().encode_to_vec();
            sender.try_send(Ok(Chunk::Ready(opened.into()))).ok();
            *reader.lock() = Some(sender);
            Box::pin(ReceiverStream::new(receiver))
        })?;
        Ok(Self {
            upstream: source.upstream()?,
            server,
            _source: source,
        })
    }
}

async fn receive(
    address: std::net::SocketAddr,
    encoded: &SyncSender<Vec<u8>>,
) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let url = format!("ws://{address}/");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    socket.send(Message::text("{}")).await?;
    let mut ready = socket.ready_chunks(FRAMES);
    let mut sequence = 0;
    while let Some(frames) = ready.next().await {
        let mut bytes = Vec::with_capacity(frames.len() * 1024);
        for frame in frames {
            if let Message::Text(text) = frame? {
                encode(text.as_str(), &mut sequence, &mut bytes)?;
            }
        }
        if !bytes.is_empty() {
            encoded.send(bytes)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event_type: Option<&'a str>,
    sequence: u64,
    #[serde(borrow)]
    timestamp: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Appends the element of one event: what Tieline stores, but for the normal form.
fn encode(text: &str, sequence: &mut u64, out: &mut Vec<u8>) -> anyhow::Result<()> {
    let envelope: Envelope<'_> = serde_json::from_str(text)?;
    let (Some(kind), Some(_)) = (envelope.event_type, envelope.data) else {
        // The confirmation of the subscription.
        return Ok(());
    };
    *sequence += 1;
    let mut event = Vec::with_capacity(text.len() + 256);
    let time = envelope.timestamp.and_then(WallTime::parse_rfc3339);
    let mut field = |tag: u32, bytes: &[u8]| {
        encode_key(tag, WireType::LengthDelimited, &mut event);
        encode_varint(bytes.len() as u64, &mut event);
        event.extend_from_slice(bytes);
    };
    field(2, format!("1:{}:0", envelope.sequence).as_bytes());
    field(3, b"//genesys-events/127.0.0.1/bench");
    field(4, kind.as_bytes());
    field(5, b"agents/agent-00");
    let time = time.map(|time| time.to_proto().encode_to_vec());
    field(6, time.as_deref().unwrap_or_default());
    field(7, time.as_deref().unwrap_or_default());
    field(8, b"agents/agent-00");
    field(9, b"sessions/bench");
    field(11, kind.as_bytes());
    field(14, b"application/json");
    field(16, text.as_bytes());
    encode_key(1, WireType::Varint, &mut event);
    encode_varint(*sequence, &mut event);
    encode_key(18, WireType::Varint, &mut event);
    encode_varint(envelope.sequence, &mut event);
    encode_key(1, WireType::LengthDelimited, out);
    encode_varint(event.len() as u64, out);
    out.extend_from_slice(&event);
    Ok(())
}

/// Writes what waits with one sync, then hands it to the reader.
fn write(mut file: Recycled, encoded: &Receiver<Vec<u8>>, reader: &Reader) -> anyhow::Result<()> {
    loop {
        let mut chunks = vec![encoded.recv()?];
        let mut bytes = 0;
        while bytes < BATCH
            && let Ok(chunk) = encoded.try_recv()
        {
            bytes += chunk.len();
            chunks.push(chunk);
        }
        file.append(&chunks.concat())?;
        let Some(sender) = reader.lock().clone() else {
            continue;
        };
        for chunk in chunks {
            // Nobody may read any more.
            sender
                .blocking_send(Ok(Chunk::Ready(Bytes::from(chunk))))
                .ok();
        }
    }
}
