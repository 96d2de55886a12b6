//! The rows, in the order of the design's targets.

mod append;
mod bare_pipeline;
pub(crate) mod bare_stream;
mod fan_out;
mod guests;
mod ingest;
mod latency;
mod memory;
mod replay;

use std::path::Path;

use crate::harness::Row;

/// Every row; `folder` is on the disk that is measured.
pub(crate) fn all(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(append::rows(folder));
    rows.extend(replay::rows(folder));
    rows.extend(latency::rows(folder));
    rows.extend(ingest::rows(folder));
    rows.extend(fan_out::rows(folder));
    rows.extend(memory::rows(folder));
    rows.extend(guests::rows(folder));
    rows
}

/// A runtime for a client, or for a server that is to have one core.
pub(crate) fn single_threaded() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
