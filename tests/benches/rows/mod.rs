//! The rows, in the order of the design's targets.

mod append;
mod bare_pipeline;
pub(crate) mod bare_stream;
mod fan_out;
mod guests;
mod ingest;
mod latency;
mod memory;
mod parse;
mod pulled;
mod recovery;
mod replay;
mod sessions;
mod stored;
mod swallowed;
mod telemetry;

use std::path::Path;

use crate::harness::Row;

/// Every row; `folder` is on the disk that is measured, `peers` asks for other programs too.
pub(crate) fn all(folder: &Path, peers: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(ingest::rows(folder, peers));
    rows.extend(latency::rows(folder, peers));
    rows.extend(replay::rows(folder, peers));
    rows.extend(pulled::rows(folder));
    rows.extend(fan_out::rows(folder));
    rows.extend(append::rows(folder, peers));
    rows.extend(recovery::rows(folder));
    rows.extend(parse::rows());
    rows.extend(swallowed::rows(folder));
    rows.extend(telemetry::rows(folder));
    rows.extend(sessions::rows(folder));
    rows.extend(memory::rows(folder));
    rows.extend(guests::rows(folder));
    rows.extend(stored::rows(folder));
    rows
}

/// A runtime for a client, or for a server that is to have one core.
pub(crate) fn single_threaded() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
