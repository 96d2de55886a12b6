//! [`Terminal`]: a terminal that hands over each key and shows whole screens. It is as it was before
//! when this is dropped.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Paint;
use crate::cli::output::Output;

/// A screen of its own without a cursor, and the way back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal of this process.
#[derive(Debug)]
pub(super) struct Terminal {
    before: Termios,
    paint: Paint,
}

impl Terminal {
    /// Takes the terminal over; `None` where there is none.
    pub(super) fn open() -> Option<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
        let terminal = Self {
            before,
            paint: Output::stdout().paint,
        };
        terminal.write(ENTER).ok()?;
        Some(terminal)
    }

    /// How it is coloured.
    pub(super) fn paint(&self) -> Paint {
        self.paint
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            _ => (80, 24),
        }
    }

    /// Shows these lines and nothing else.
    pub(super) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut screen = String::from("\x1b[H");
        for (index, line) in lines.iter().enumerate() {
            let next = if index == 0 { "" } else { "\r\n" };
            // Writing to a string cannot fail.
            let _always = write!(screen, "{next}{line}\x1b[K").is_ok();
        }
        screen.push_str("\x1b[J");
        self.write(&screen)
    }

    #[expect(clippy::unused_self, reason = "only who has the terminal writes to it")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _told = self.write(LEAVE).is_ok();
        let _restored = tcsetattr(io::stdin(), OptionalActions::Now, &self.before).is_ok();
    }
}

/// Tells when the terminal has another size.
pub(super) fn resizes() -> io::Result<Signal> {
    signal(SignalKind::window_change())
}
