//! Standard output: buffered, coloured only on a terminal.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use crate::telemetry::colour_wanted;

/// Standard output of a command.
#[derive(Debug)]
pub struct Output {
    out: BufWriter<Stdout>,
    /// How text is coloured.
    pub paint: Paint,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colour at all.
    pub const PLAIN: Self = Self { on: false };

    /// For what can be skipped.
    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// For what is looked for.
    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// For what is well.
    #[must_use]
    pub fn green(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// For what should be looked at.
    #[must_use]
    pub fn yellow(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// For what needs a person.
    #[must_use]
    pub fn red(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

impl Output {
    /// Standard output, coloured if it is a terminal that wants it.
    #[must_use]
    pub fn stdout() -> Self {
        let out = io::stdout();
        let on = out.is_terminal() && colour_wanted();
        Self {
            out: BufWriter::new(out),
            paint: Paint { on },
        }
    }

    /// Writes a line; it may wait for [`Output::flush`].
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes text that brings its own line ends, and flushes.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.flush()
    }

    /// Lets everything written so far be seen.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Makes text from elsewhere safe for a terminal: control characters cannot move its cursor.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Cuts text to at most `most` characters.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
