//! Helpers for tests and benches.

mod log;
mod memory_journal;

pub use log::Log;
pub use memory_journal::MemoryJournal;

/// Where this crate stands.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How many times the usual number of cases a long test runs: `TIELINE_TEST_SCALE`, else 1.
#[must_use]
pub fn scale() -> u32 {
    let scale = std::env::var("TIELINE_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse().ok());
    scale.unwrap_or(1).max(1)
}
