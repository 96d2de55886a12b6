//! The codec of `Subscribe`: requests are decoded, responses are stored bytes and a short tail.
//!
//! Field 1 of `SubscribeResponse` is the list of events, so the encodings of single events, one
//! after the other, are the encoding of the list. Nothing is encoded per reader but fields 2 to 8.

use bytes::{Buf, BufMut};
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::status::RequestError;
use crate::feed::Elements;
use crate::proto::v1;

/// What tonic allocates for a stream up front; most wait for a heartbeat.
const FIRST_BUFFER: usize = 512;
/// Responses that are ready at once leave in frames of about this size.
const COALESCE: usize = 32 << 10;

/// One `SubscribeResponse` whose events are bytes of the journal.
#[derive(Debug)]
pub struct StoredResponse {
    elements: Elements,
    /// The encoding of everything but the events.
    tail: Vec<u8>,
}

impl StoredResponse {
    /// Joins events with the other fields; `rest.events` must be empty.
    pub(super) fn new(elements: Elements, rest: &v1::SubscribeResponse) -> Self {
        debug_assert!(rest.events.is_empty(), "events travel as stored bytes");
        Self {
            elements,
            tail: rest.encode_to_vec(),
        }
    }

    /// The length of its encoding.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len() + self.tail.len()
    }

    /// Whether its encoding is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends its encoding.
    pub fn write(&self, out: &mut impl BufMut) {
        self.elements.write(out);
        out.put_slice(&self.tail);
    }
}

/// Decodes `SubscribeRequest`, encodes [`StoredResponse`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SubscribeCodec;

/// Half of [`SubscribeCodec`].
#[derive(Debug, Clone, Copy, Default)]
pub struct StoredEncoder;

/// Half of [`SubscribeCodec`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestDecoder;

impl Codec for SubscribeCodec {
    type Encode = StoredResponse;
    type Decode = v1::SubscribeRequest;
    type Encoder = StoredEncoder;
    type Decoder = RequestDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        StoredEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder
    }
}

impl Encoder for StoredEncoder {
    type Item = StoredResponse;
    type Error = Status;

    fn encode(&mut self, item: StoredResponse, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(item.len());
        item.write(dst);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(FIRST_BUFFER, COALESCE)
    }
}

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
        BufferSettings::new(FIRST_BUFFER, COALESCE)
    }
}
