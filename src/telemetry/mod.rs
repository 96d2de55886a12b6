//! Sets up what the process says about itself: log lines for people on a terminal, JSON elsewhere; and
//! [`traces`].
//!
//! Lines leave through [`LineWriter`], a bounded queue with a thread behind it, so that a reader of
//! the log that stalls costs lines (which are counted) and never stalls the data path.

mod collector;
mod level;
mod lines;
pub mod metrics;
mod repeats;
mod stats;
pub mod traces;

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

pub use collector::Outcomes;
pub use level::LogLevel;
pub use lines::{Flush, LineWriter};
pub use stats::{Signal, TelemetryStats, stats};

use crate::runtime::Clock;
use repeats::Repeats;

/// The target of the audit log's lines, to turn it on and to send it elsewhere.
pub const AUDIT: &str = "tieline::audit";

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
    /// Where the audit log goes.
    pub audit: AuditLog,
}

/// Where the lines of [`AUDIT`] go. Of a stream of their own they are JSON, whatever the filter says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuditLog {
    /// To the log, where its filter lets them through.
    #[default]
    WithTheRest,
    /// Nowhere.
    Nowhere,
    /// To standard error.
    Stderr,
    /// To the end of a file.
    File(PathBuf),
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
    /// The audit log cannot be opened.
    #[error("open the audit log '{}'; name a file in a folder that is there, stderr or none", path.display())]
    Audit {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
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
pub fn init(options: &LogOptions) -> Result<LogFlush, InitError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match options.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let (writer, flush) =
        LineWriter::start(std::io::stderr(), LINES_WAITING, json).map_err(InitError::Thread)?;
    let (audit, audit_flush) = match audit_file(&options.audit)? {
        Some(file) => {
            let (audit, flush) =
                LineWriter::start(file, LINES_WAITING, true).map_err(InitError::Thread)?;
            (Some(audit), Some(flush))
        }
        None if options.audit == AuditLog::Stderr => (Some(writer.clone()), None),
        None => (None, None),
    };
    let colour = terminal && colour_wanted();
    let shape = Shape { json, colour };
    let (log, level) = log(options, shape, writer, audit)?;
    log.try_init().map_err(|_| InitError::Twice)?;
    level.keep_for_process();
    Ok(LogFlush {
        _log: flush,
        _audit: audit_flush,
    })
}

/// Waits, for a bounded time, until what was logged is written: when dropped.
#[derive(Debug)]
#[must_use = "the last lines are lost when this is dropped early"]
pub struct LogFlush {
    _log: Flush,
    _audit: Option<Flush>,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    json: bool,
    colour: bool,
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// A log to `writer`, and the audit log to `audit` where it has a stream of its own.
fn log(
    options: &LogOptions,
    shape: Shape,
    writer: LineWriter,
    audit: Option<LineWriter>,
) -> Result<(impl Subscriber + Send + Sync + use<>, LogLevel), InitError> {
    let (wanted, handle) = reload::Layer::new(filter(&options.filter)?);
    let repeats = Repeats::new(Clock::system(), writer.held_back());
    let is_audit = |metadata: &Metadata<'_>| metadata.target() == AUDIT;
    let in_log = options.audit == AuditLog::WithTheRest;
    let here = filter_fn(move |metadata| in_log || !is_audit(metadata))
        .with_max_level_hint(LevelFilter::TRACE);
    let wanted = wanted.and(here);
    // Not a filter of the layer: one that answers for an event and not for its place breaks those after it.
    let writer = writer.with_filter(move |metadata| repeats.lets_through(metadata));
    let json = || {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
    };
    let lines: BoxedLayer = if shape.json {
        json().with_writer(writer).with_filter(wanted).boxed()
    } else {
        let lines = fmt::layer().with_ansi(shape.colour).with_writer(writer);
        lines.with_filter(wanted).boxed()
    };
    let audit = audit.map(|audit| -> BoxedLayer {
        let lines = json().with_writer(audit);
        let only = filter_fn(is_audit).with_max_level_hint(LevelFilter::DEBUG);
        lines.with_filter(only).boxed()
    });
    let layers: Vec<BoxedLayer> = std::iter::once(lines).chain(audit).collect();
    let level = LogLevel::new(handle, &options.filter);
    Ok((tracing_subscriber::registry().with(layers), level))
}

/// Lines are added to what a file holds, so that it can be moved away and emptied by others.
fn audit_file(audit: &AuditLog) -> Result<Option<File>, InitError> {
    let AuditLog::File(path) = audit else {
        return Ok(None);
    };
    let opened = File::options().create(true).append(true).open(path);
    opened.map(Some).map_err(|source| InitError::Audit {
        path: path.clone(),
        source,
    })
}

/// Whether the environment lets a terminal be coloured (`NO_COLOR`, `TERM=dumb`).
#[must_use]
pub fn colour_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
