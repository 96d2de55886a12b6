//! `tieline top`: what the console shows, in the terminal, live.

mod fetch;
mod frame;
mod keys;
mod terminal;

use std::time::Duration;

use clap::Args;
use tokio::time::{MissedTickBehavior, interval};

use self::frame::View;
use self::keys::{Key, Keys};
use self::terminal::Terminal;
use super::credential_args::CredentialArgs;
use super::{CommandError, Output};
use crate::admin::Status;
use crate::client::{Address, Target};
use crate::runtime::EndSignals;

/// Shows sessions, journals and readers as they change.
///
/// Keys: q ends, up and down (or k and j) choose a session, s changes the order. Without a terminal
/// one frame is printed, as with --once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline top
  tieline top --address unix:/run/tieline/admin.sock --once")]
pub(super) struct TopArgs {
    /// Where the console is served (listen.admin): host:port, https://host:port or unix:/path.
    #[arg(long, default_value = "127.0.0.1:7445", env = "TIELINE_ADMIN_ADDRESS")]
    address: Address,
    #[command(flatten)]
    credentials: CredentialArgs,
    /// Print one frame and end.
    #[arg(long)]
    once: bool,
}

impl TopArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match Terminal::open().filter(|_| !self.once) {
            Some(terminal) => self.live(terminal).await,
            None => self.print_once().await,
        }
    }

    fn target(&self) -> Target {
        self.credentials.target(&self.address)
    }

    async fn print_once(&self) -> Result<(), CommandError> {
        let status = fetch::status(&self.target()).await;
        let status = status.map_err(CommandError::failed)?;
        let mut out = Output::stdout();
        for line in frame::whole(&status, out.paint) {
            out.line(line)?;
        }
        Ok(out.flush()?)
    }

    async fn live(&self, terminal: Terminal) -> Result<(), CommandError> {
        let target = self.target();
        let mut signals = EndSignals::listen().map_err(|error| CommandError::Bug(error.into()))?;
        let mut resized = terminal::resizes().map_err(|error| CommandError::Bug(error.into()))?;
        let keys = Keys::read(std::io::stdin());
        let mut keys = keys.map_err(|error| CommandError::Bug(error.into()))?;
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut screen = Screen::default();
        loop {
            tokio::select! {
                key = keys.next() => match key {
                    Some(Key::Quit) | None => return Ok(()),
                    Some(key) => screen.press(key),
                },
                _ = resized.recv() => {}
                _ = signals.next() => return Ok(()),
                _ = ticks.tick() => screen.heard(fetch::status(&target).await),
            }
            screen.draw(&terminal)?;
        }
    }
}

/// What is on the terminal.
#[derive(Debug, Default)]
struct Screen {
    status: Option<Status>,
    view: View,
}

impl Screen {
    fn heard(&mut self, answer: Result<Status, String>) {
        match answer {
            Ok(status) => {
                self.status = Some(status);
                self.view.trouble = None;
            }
            // The last that was heard stays, marked as old.
            Err(problem) => self.view.trouble = Some(problem),
        }
    }

    fn press(&mut self, key: Key) {
        let sessions = self.status.as_ref().map_or(0, |s| s.sessions.len());
        match key {
            Key::Up => self.view.chosen = self.view.chosen.saturating_sub(1),
            Key::Down => self.view.chosen = (self.view.chosen + 1).min(sessions.saturating_sub(1)),
            Key::Sort => self.view.order = self.view.order.next(),
            Key::Quit | Key::Other => {}
        }
    }

    fn draw(&self, terminal: &Terminal) -> Result<(), CommandError> {
        let (columns, rows) = terminal.size();
        let lines = frame::fitting(
            self.status.as_ref(),
            &self.view,
            (columns, rows),
            terminal.paint(),
        );
        Ok(terminal.show(&lines)?)
    }
}
