//! [`offload`]: work that blocks, where it does no harm.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, spawn_blocking};

/// Runs what blocks on a thread of its own. Where the runtime has but one thread, it runs in place:
/// there nothing else would go on meanwhile, and the order of things stays the same in each run.
///
/// # Errors
/// When the work panicked.
pub async fn offload<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => spawn_blocking(work).await,
    }
}
