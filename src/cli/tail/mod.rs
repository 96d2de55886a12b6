//! `tieline tail`: a subscription in the terminal that survives restarts of the server.

mod filter;
mod line;
mod start;

use clap::{Args, ValueEnum};

use super::credential_args::CredentialArgs;
use super::proto_json::ProtoJson;
use super::{CommandError, Output, print_error};
use crate::client::{Address, GapChoice, Interruption, Item, ResumeError, Resuming};
use crate::proto::v1;
use crate::runtime::{Clock, Rng};
use filter::Filter;
use start::StartArgs;
use v1::subscribe_request::End;

/// Subscribes to a journal and prints its events; survives restarts of the server by resuming.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline tail
  tieline tail default --earliest --until-caught-up --json | jq .type
  tieline tail --from-time 15m --filter type=ccaas.queue.* --filter session=queue-stats
  tieline tail --expression \"subject.startsWith('conversations/') && origin == 'BACKFILL'\"

Filters: --filter KEY=VALUE, with KEY one of type, subject, session, ordering-key,
provider-type and exclude-type. Values of one key are alternatives, different keys must
all match, and a trailing * makes a value a prefix. Facts about sessions (gaps, reconnects)
pass every filter but session; --filter-sidecar-events filters them like any event.
--expression adds a condition in CEL on the attributes of events.

Each line shows time (UTC), sequence, type, subject and the data in short. With --json each
line is an event in the JSON form of the contract, its rawData as the value it is.")]
pub(super) struct TailArgs {
    /// The journal; may be left out where there is only one.
    journal: Option<String>,
    /// Where the server listens: host:port, https://host:port or unix:/path.
    #[arg(long, default_value = "127.0.0.1:7443", env = "TIELINE_ADDRESS")]
    address: Address,
    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    start: StartArgs,
    /// Only events that match; may be given several times. See below.
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<Filter>,
    /// Only events of which this is true: a condition in CEL on their attributes.
    #[arg(
        long,
        value_name = "CEL",
        default_value = "",
        hide_default_value = true
    )]
    expression: String,
    /// Filter facts about sessions like any other event.
    #[arg(long)]
    filter_sidecar_events: bool,
    /// What of each event is sent.
    #[arg(long, value_enum, default_value = "full")]
    view: View,
    /// End once every event there is has been printed.
    #[arg(long)]
    until_caught_up: bool,
    /// Print each event as a line of JSON.
    #[arg(long)]
    json: bool,
    /// What to do when the position to resume from is gone.
    #[arg(long, value_enum, default_value = "stop")]
    on_gap: OnGap,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum View {
    Full,
    Normalized,
    Raw,
    Attributes,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnGap {
    Stop,
    Earliest,
    Latest,
}

impl TailArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let request = self.request();
        let choice = match self.on_gap {
            OnGap::Stop => GapChoice::Stop,
            OnGap::Earliest => GapChoice::Earliest,
            OnGap::Latest => GapChoice::Latest,
        };
        let printer = ProtoJson::new().map_err(|error| CommandError::Bug(error.into()))?;
        let mut events = Resuming::at(
            self.credentials.target(&self.address),
            request,
            move |_| choice,
            Rng::from_entropy(),
        )
        .map_err(|error| CommandError::Failed(error.into()))?;
        let mut out = Printer {
            out: Output::stdout(),
            json: self.json,
            printer,
            day: String::new(),
        };
        while let Some(item) = events.next().await {
            match item {
                Ok(Item::Response(response)) => out.response(&response)?,
                Ok(Item::Interrupted(interruption)) => out.interrupted(&interruption)?,
                Err(error) => {
                    out.out.flush()?;
                    return Err(ended(error, events.position()));
                }
            }
        }
        Ok(out.out.flush()?)
    }

    fn request(&self) -> v1::SubscribeRequest {
        let journal = self
            .journal
            .as_deref()
            .map(|name| resource("journals", name));
        let filter = Filter::all(&self.filters, &self.expression, self.filter_sidecar_events);
        v1::SubscribeRequest {
            journal: journal.unwrap_or_default(),
            start: Some(self.start.start(Clock::system().wall())),
            end: self.until_caught_up.then_some(End::UntilCaughtUp(true)),
            filter,
            view: match self.view {
                View::Full => v1::EventView::Full,
                View::Normalized => v1::EventView::Normalized,
                View::Raw => v1::EventView::Raw,
                View::Attributes => v1::EventView::Attributes,
            }
            .into(),
            client_id: "tieline-tail".to_owned(),
            ..Default::default()
        }
    }
}

/// A bare name becomes the name the API knows.
fn resource(collection: &str, name: &str) -> String {
    if name.starts_with(&format!("{collection}/")) {
        name.to_owned()
    } else {
        format!("{collection}/{name}")
    }
}

/// What ended it, and what to type to go on.
fn ended(error: ResumeError, position: Option<&v1::Position>) -> CommandError {
    match (&error, position) {
        (ResumeError::Gap(_), _) => CommandError::failed(format!(
            "{error}\n    mend: add --on-gap earliest or --on-gap latest to go on past the gap"
        )),
        (_, Some(position)) => CommandError::failed(format!(
            "{error}\n    to go on: tieline tail --after {}/{}",
            position.epoch, position.sequence
        )),
        _ => CommandError::Failed(error.into()),
    }
}

/// Prints what comes. With `--json` only events go to standard output.
#[derive(Debug)]
struct Printer {
    out: Output,
    json: bool,
    printer: ProtoJson,
    /// The day of the last line, which shows only the time.
    day: String,
}

impl Printer {
    fn response(&mut self, response: &v1::SubscribeResponse) -> Result<(), CommandError> {
        for event in &response.events {
            let json = self
                .printer
                .print("Event", event)
                .map_err(|error| CommandError::Failed(error.into()))?;
            if self.json {
                self.out.line(json)?;
            } else {
                let (day, line) = line::event(self.out.paint, event, &json);
                if day != self.day {
                    self.out
                        .line(self.out.paint.dim(format_args!("-- {day} --")))?;
                    self.day = day;
                }
                self.out.line(line)?;
            }
        }
        if let Some(text) = response.notice.as_ref().and_then(line::notice) {
            self.notice(&text)?;
        }
        Ok(self.out.flush()?)
    }

    fn interrupted(&mut self, interruption: &Interruption) -> Result<(), CommandError> {
        let Interruption {
            cause, retry_after, ..
        } = interruption;
        let text = format!(
            "{cause}; trying again in {:.1} s",
            retry_after.as_secs_f64()
        );
        self.notice(&text)?;
        Ok(self.out.flush()?)
    }

    /// Beside JSON, notices go to standard error.
    fn notice(&mut self, text: &str) -> Result<(), CommandError> {
        if self.json {
            print_error(&format!("-- {text}"));
        } else {
            self.out
                .line(self.out.paint.dim(format_args!("-- {text}")))?;
        }
        Ok(())
    }
}
