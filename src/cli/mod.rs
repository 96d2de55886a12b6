//! The commands: what can be typed after `tieline`, one file each.

mod application;
mod check;
mod completions;
mod config_args;
mod credential_args;
mod demo;
mod error;
mod health;
mod journal;
mod output;
mod proto_json;
mod run;
mod sandbox;
mod schema;
mod status;
mod table;
mod tail;
mod top;
mod version;

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::telemetry::{self, AuditLog, LogFormat, LogOptions};

pub use application::{Application, JournalAction, JournalReport};
pub use error::CommandError;
pub use output::{Output, Paint, printable, shortened};

/// One resumable gRPC stream of events from contact-centre platforms.
///
/// Tieline owns the upstream sessions of contact-centre platforms and gives every service beside it
/// one stream, Subscribe, that can be resumed from a sequence number.
#[derive(Debug, Parser)]
#[command(
    name = "tieline",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Example:\n  tieline check --config tieline.yaml && tieline run --config tieline.yaml"
)]
pub struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// What is logged to standard error: info, or tieline=debug,warn.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RUST_LOG",
        help_heading = "Log"
    )]
    log: Option<String>,
    /// How log lines look; auto is json unless standard error is a terminal.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        help_heading = "Log"
    )]
    log_format: LogFormatArg,
    /// Where the audit log of what is sent goes, as JSON: FILE, stderr or none; with the rest where it
    /// is not given, as far as --log lets it.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TIELINE_AUDIT_LOG",
        help_heading = "Log"
    )]
    audit_log: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatArg {
    Auto,
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Schema(schema::SchemaArgs),
    Sandbox(Box<sandbox::SandboxArgs>),
    Tail(tail::TailArgs),
    Status(status::StatusArgs),
    Top(top::TopArgs),
    Journal(journal::JournalArgs),
    Wait(health::WaitArgs),
    Healthcheck(health::HealthcheckArgs),
    Completions(completions::CompletionsArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// What is logged where nobody asked: a command that prints for a person says little beside it.
    fn default_filter(&self) -> &'static str {
        match self {
            Self::Run(_) => "info",
            Self::Demo(_) => "error",
            _ => "warn",
        }
    }

    async fn run(self, application: &dyn Application) -> Result<ExitCode, CommandError> {
        match self {
            Self::Demo(args) => return args.run().await,
            Self::Sandbox(args) => return args.run().await,
            Self::Run(args) => args.run(application).await,
            Self::Check(args) => args.run(),
            Self::Schema(args) => args.run(),
            Self::Tail(args) => args.run().await,
            Self::Status(args) => args.run().await,
            Self::Top(args) => args.run().await,
            Self::Journal(args) => args.run(application),
            Self::Wait(args) => args.run().await,
            Self::Healthcheck(args) => args.run().await,
            Self::Completions(args) => args.run(),
            Self::Version(args) => args.run(),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

/// The whole process: arguments, log, runtime, command, exit code.
pub fn main(application: &dyn Application) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, and end with 0; nobody is left to tell if this
            // cannot be printed.
            let _nobody_to_tell = error.print().is_ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = start_log(&cli).and_then(|flush| {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(cli, application)))
            .unwrap_or_else(|_| Err(CommandError::Bug("the command panicked".into())));
        drop(flush);
        outcome
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            if let Some(report) = error.report() {
                print_error(&report);
            }
            error.exit_code()
        }
    }
}

fn run(cli: Cli, application: &dyn Application) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(error.into()))?;
    let outcome = runtime.block_on(cli.command.run(application));
    // What still blocks (a name lookup, say) must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn start_log(cli: &Cli) -> Result<telemetry::LogFlush, CommandError> {
    let filter = cli.log.log.clone().filter(|filter| !filter.is_empty());
    let options = LogOptions {
        filter: filter.unwrap_or_else(|| cli.command.default_filter().to_owned()),
        format: match cli.log.log_format {
            LogFormatArg::Auto => LogFormat::Auto,
            LogFormatArg::Human => LogFormat::Human,
            LogFormatArg::Json => LogFormat::Json,
        },
        audit: match cli.log.audit_log.as_deref() {
            None | Some("") => AuditLog::WithTheRest,
            Some("none") => AuditLog::Nowhere,
            Some("stderr") => AuditLog::Stderr,
            Some(path) => AuditLog::File(path.into()),
        },
    };
    telemetry::init(&options).map_err(|error| CommandError::Setting(error.into()))
}

/// As many as the cgroup's quota gives, and two at least, so that one that is busy stops nobody.
fn worker_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2)
}

/// Standard error may be closed; then nobody is left to tell.
fn print_error(text: &str) {
    let _nobody_to_tell = writeln!(std::io::stderr(), "{text}").is_ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn every(command: &clap::Command, seen: &mut Vec<clap::Command>) {
        seen.push(command.clone());
        command.get_subcommands().for_each(|sub| every(sub, seen));
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        Cli::command().debug_assert();
        let mut commands = Vec::new();
        every(&Cli::command(), &mut commands);
        assert!(commands.len() > 12);
        for command in commands {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no description");
            let after = command
                .get_after_help()
                .or_else(|| command.get_after_long_help())
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(after.starts_with("Example"), "{name} has no example");
            assert!(
                after.contains(&format!("tieline {name}")) || after.contains(name),
                "{name}"
            );
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{name} {} has no help",
                    argument.get_id()
                );
            }
        }
    }
}
