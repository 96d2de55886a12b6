//! The wire of `Subscribe`: responses are stored bytes behind a head and before a short tail.
//!
//! Field 1 of `SubscribeResponse` is the list of events, so the encodings of single events, one
//! after the other, are the encoding of the list. Nothing is encoded per reader but fields 2 to 8,
//! and of what many readers get, not even those.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use smallvec::SmallVec;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};

use super::response;
use super::status::RequestError;
use crate::feed::{Delivery, Part};
use crate::proto::v1;

/// What tonic allocates for a request up front.
const FIRST_BUFFER: usize = 512;
/// A frame of less costs more than the copy that saves it.
const WORTH_A_FRAME: usize = 12 << 10;
/// What precedes a message: whether it is compressed, and its length.
const HEAD: usize = 5;

/// A response as the bytes of a few frames.
pub(super) type Frames = SmallVec<[Bytes; 3]>;

/// Encodes a response.
pub(super) fn frames(delivery: Delivery) -> Frames {
    match delivery.encoded_once(whole) {
        Some(bytes) => Frames::from_iter([bytes]),
        None if delivery.elements.len() < WORTH_A_FRAME => Frames::from_iter([whole(&delivery)]),
        None => pieces(delivery),
    }
}

fn whole(delivery: &Delivery) -> Bytes {
    let tail = response::tail(delivery);
    let len = delivery.elements.len() + tail.len();
    let mut out = BytesMut::with_capacity(HEAD + len);
    put_head(len, &mut out);
    delivery.elements.write(&mut out);
    out.put_slice(&tail);
    out.freeze()
}

/// Large parts as they are, what stands between them as copies.
fn pieces(delivery: Delivery) -> Frames {
    let tail = response::tail(&delivery);
    let mut frames = Frames::new();
    let mut copied = BytesMut::with_capacity(HEAD);
    put_head(delivery.elements.len() + tail.len(), &mut copied);
    for part in delivery.elements.parts() {
        match part {
            Part::Stored(bytes) if bytes.len() >= WORTH_A_FRAME => {
                if !copied.is_empty() {
                    frames.push(copied.split().freeze());
                }
                frames.push(bytes.clone());
            }
            part => {
                copied.reserve(part.len());
                part.write(&mut copied);
            }
        }
    }
    copied.put_slice(&tail);
    frames.push(copied.freeze());
    frames
}

fn put_head(len: usize, out: &mut BytesMut) {
    out.put_u8(0);
    // A response is far below 4 GiB, see `feed::MOST_MESSAGE_BYTES`.
    out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
}

/// Decodes `SubscribeRequest`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestDecoder;

impl Decoder for RequestDecoder {
    type Item = v1::SubscribeRequest;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let decoded = v1::SubscribeRequest::decode(&mut *src);
        // What is left of a message that does not decode must not be taken for the next one.
        src.advance(src.remaining());
        decoded.map(Some).map_err(|error| {
            Status::from(RequestError::Invalid {
                field: "request",
                problem: error.to_string(),
            })
        })
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(FIRST_BUFFER, FIRST_BUFFER)
    }
}
