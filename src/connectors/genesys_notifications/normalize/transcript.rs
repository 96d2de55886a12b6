//! Transcripts: one utterance, alone in its frame or taken out of a group.

use std::time::Duration;

use serde::Deserialize;

use super::lenient::{Moment, word};
use super::{Body, Normal, body, required};
use crate::connectors::genesys_notifications::topics::Topic;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::proto::v1::event::Data;
use crate::proto::v1::participant::Role;

const UTTERANCE: &str = "ccaas.transcript.utterance.v1";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Message {
    session_start_time_ms: Moment,
    transcripts: Option<Vec<Transcript>>,
    #[serde(flatten)]
    alone: Transcript,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Transcript {
    utterance_id: Option<String>,
    is_final: Option<bool>,
    channel: Option<String>,
    alternatives: Option<Vec<Alternative>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Alternative {
    confidence: Option<f64>,
    offset_ms: Option<u64>,
    duration_ms: Option<u64>,
    transcript: Option<String>,
    decorated_transcript: Option<String>,
}

/// How far into its session an utterance begins.
pub(super) fn offset(utterance: &[u8]) -> Option<Duration> {
    let read: Transcript = serde_json::from_slice(utterance).ok()?;
    let first = read.alternatives?.into_iter().next()?;
    first.offset_ms.map(Duration::from_millis)
}

/// `begun` is when an utterance taken out of a group began.
pub(super) fn transcript(
    topic: &Topic<'_>,
    json: Body<'_>,
    begun: Option<WallTime>,
) -> Result<Option<Normal>, String> {
    let read: Message = body(json)?;
    let grouped = read.transcripts.is_none();
    let first = match read.transcripts {
        Some(transcripts) => transcripts.into_iter().next(),
        None => Some(read.alone),
    };
    let first = first.filter(|f| f.utterance_id.is_some() || f.alternatives.is_some());
    // The session's beginning, end and signs of life carry no utterance.
    let Some(utterance) = first else {
        return Ok(None);
    };
    let alternatives = utterance.alternatives.unwrap_or_default();
    let said = alternatives.into_iter().next().unwrap_or_default();
    let session = read.session_start_time_ms.0;
    let offset = said.offset_ms.map(Duration::from_millis);
    let start = match session.zip(offset) {
        Some((session, offset)) => Some(session.plus(offset)),
        None => begun.filter(|_| grouped),
    };
    let end = start.zip(said.duration_ms);
    let conversation_id = required(None, topic, "conversation id")?;
    let channel = utterance.channel.unwrap_or_default();
    Ok(Some(Normal {
        kind: UTTERANCE,
        subject: format!("conversations/{conversation_id}"),
        data: Data::TranscriptEvent(v1::TranscriptEvent {
            conversation_id,
            utterance_id: utterance.utterance_id.unwrap_or_default(),
            speaker_role: speaker(&channel).into(),
            text: said
                .decorated_transcript
                .or(said.transcript)
                .unwrap_or_default(),
            r#final: utterance.is_final.unwrap_or_default(),
            confidence: said.confidence.unwrap_or_default(),
            start_time: start.map(WallTime::to_proto),
            end_time: end.map(|(start, ms)| start.plus(Duration::from_millis(ms)).to_proto()),
        }),
    }))
}

/// The platform records two sides of a call: ours and the other.
fn speaker(channel: &str) -> Role {
    match word(channel).as_str() {
        "EXTERNAL" => Role::Customer,
        "INTERNAL" => Role::Agent,
        _ => Role::Unspecified,
    }
}
