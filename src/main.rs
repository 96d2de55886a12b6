//! The `tieline` command.

use std::process::ExitCode;

use tieline::app::Process;
use tikv_jemallocator::Jemalloc;

/// Gives back to the system what a burst took, as .cargo/config.toml tells it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tieline::cli::main(&Process)
}
