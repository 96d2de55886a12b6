//! The `tieline` command.

use std::process::ExitCode;

use tieline::app::Process;

fn main() -> ExitCode {
    tieline::cli::main(&Process)
}
