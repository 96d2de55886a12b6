//! The `tieline` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tieline::app::Process;

/// Gives back to the system more of what a burst took than the system's own does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tieline::cli::main(&Process)
}
