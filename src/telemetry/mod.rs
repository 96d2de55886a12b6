//! Sets up what the process says about itself: log lines for people on a terminal, JSON elsewhere.
//!
//! Lines leave through [`LineWriter`], a bounded queue with a thread behind it, so that a reader of
//! the log that stalls costs lines (which are counted) and never stalls the data path.

mod lines;
pub mod metrics;
mod stats;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use lines::{Flush, LineWriter};
pub use stats::{Signal, TelemetryStats, stats};

/// Lines that may wait for the terminal or the pipe; at some 300 B each this is about 1 MiB.
const LINES_WAITING: usize = 4096;

/// The WebSocket library writes whole frames at the level of traces; customers' words stay out of
/// logs whatever the filter says.
const NO_PAYLOADS: &str = "tungstenite=off";

/// How the log is to be set up.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// What is logged: directives as of `RUST_LOG`, such as `info` or `tieline=debug`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// [`LogFormat::Human`] on a terminal, [`LogFormat::Json`] elsewhere.
    #[default]
    Auto,
    /// A line for people, coloured on a terminal.
    Human,
    /// One JSON object per line.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not understood.
    #[error("'{filter}' is not a log filter ({source}); write it as info, or tieline=debug,warn")]
    Filter {
        /// The filter as it was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is a log already.
    #[error("a log is already set up in this process")]
    Twice,
    /// The writing thread could not be started.
    #[error("start the thread that writes the log")]
    Thread(#[source] std::io::Error),
}

/// What these directives let through; never what holds customers' words.
///
/// # Errors
/// [`InitError::Filter`].
pub fn filter(directives: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(directives)
        .and_then(|filter| Ok(filter.add_directive(NO_PAYLOADS.parse()?)))
        .map_err(|source| InitError::Filter {
            filter: directives.to_owned(),
            source,
        })
}

/// Sets the log of the process up, on standard error. Keep the result until the very end: dropping
/// it waits, for a bounded time, until what was logged is written.
///
/// # Errors
/// [`InitError`].
pub fn init(options: &LogOptions) -> Result<Flush, InitError> {
    let filter = filter(&options.filter)?;
    let terminal = std::io::stderr().is_terminal();
    let json = match options.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let (writer, flush) =
        LineWriter::start(std::io::stderr(), LINES_WAITING, json).map_err(InitError::Thread)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let installed = if json {
        lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .finish()
            .try_init()
    } else {
        lines
            .with_ansi(terminal && colour_wanted())
            .finish()
            .try_init()
    };
    installed.map_err(|_| InitError::Twice)?;
    Ok(flush)
}

/// Whether the environment lets a terminal be coloured (`NO_COLOR`, `TERM=dumb`).
#[must_use]
pub fn colour_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
