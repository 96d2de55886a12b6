//! `tieline status`: sessions, journals and subscriptions as they are now.

use std::time::Duration;

use clap::Args;
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::credential_args::CredentialArgs;
use super::proto_json::ProtoJson;
use super::table::table;
use super::{CommandError, Output, Paint, printable};
use crate::client::{Address, Calls, Failure, Target};
use crate::domain::WallTime;
use crate::proto::v1;
use crate::runtime::Clock;
use v1::event_service_client::EventServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::subscription_service_client::SubscriptionServiceClient;

/// How long the server may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// A server that never stops giving pages is not one of ours.
const MOST_PAGES: usize = 1000;

/// Shows the state of sessions, journals and subscriptions.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline status
  tieline status --address unix:/run/tieline/tieline.sock --json | jq '.sessions[].state'")]
pub(super) struct StatusArgs {
    /// Where the server listens: host:port, https://host:port or unix:/path.
    #[arg(long, default_value = "127.0.0.1:7443", env = "TIELINE_ADDRESS")]
    address: Address,
    #[command(flatten)]
    credentials: CredentialArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let address = &self.address;
        let asked = tokio::time::timeout(DEADLINE, ask(&self.credentials.target(address))).await;
        let Answer {
            sessions,
            journals,
            subscriptions,
        } = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) => {
                let failure = Failure::from_status(&status);
                return Err(CommandError::failed(format!("{address}: {failure}")));
            }
            Err(_) => {
                return Err(CommandError::failed(format!(
                    "{address} did not answer in time"
                )));
            }
        };
        let mut out = Output::stdout();
        if self.json {
            let answer = json!({
                "sessions": all_json("Session", &sessions)?,
                "journals": all_json("Journal", &journals)?,
                "subscriptions": all_json("Subscription", &subscriptions)?,
            });
            out.line(format_args!("{answer:#}"))?;
        } else {
            let now = Clock::system().wall();
            out.line(session_table(out.paint, &sessions, now))?;
            out.line("")?;
            out.line(journal_table(out.paint, &journals))?;
            if !subscriptions.is_empty() {
                out.line("")?;
                out.line(subscription_table(out.paint, &subscriptions, now))?;
            }
        }
        Ok(out.flush()?)
    }
}

/// What a server says of itself.
struct Answer {
    sessions: Vec<v1::Session>,
    journals: Vec<v1::Journal>,
    subscriptions: Vec<v1::Subscription>,
}

async fn ask(target: &Target) -> Result<Answer, Status> {
    let channel = target
        .channel()
        .map_err(|error| Status::from_error(error.into()))?;
    Ok(Answer {
        sessions: sessions(channel.clone()).await?,
        journals: journals(channel.clone()).await?,
        subscriptions: subscriptions(channel).await?,
    })
}

async fn subscriptions(channel: Calls) -> Result<Vec<v1::Subscription>, Status> {
    let mut client = SubscriptionServiceClient::new(channel);
    pages(async |page_token| {
        let request = v1::ListSubscriptionsRequest {
            page_token,
            ..Default::default()
        };
        match client.list_subscriptions(request).await {
            Ok(page) => {
                let page = page.into_inner();
                Ok((page.subscriptions, page.next_page_token))
            }
            // A server from before there were any.
            Err(status) if status.code() == Code::Unimplemented => Ok((vec![], String::new())),
            Err(status) => Err(status),
        }
    })
    .await
}

async fn sessions(channel: Calls) -> Result<Vec<v1::Session>, Status> {
    let mut client = SessionServiceClient::new(channel);
    pages(async |page_token| {
        let request = v1::ListSessionsRequest {
            page_token,
            ..Default::default()
        };
        let page = client.list_sessions(request).await?.into_inner();
        Ok((page.sessions, page.next_page_token))
    })
    .await
}

async fn journals(channel: Calls) -> Result<Vec<v1::Journal>, Status> {
    let mut client = EventServiceClient::new(channel);
    pages(async |page_token| {
        let request = v1::ListJournalsRequest {
            page_token,
            ..Default::default()
        };
        let page = client.list_journals(request).await?.into_inner();
        Ok((page.journals, page.next_page_token))
    })
    .await
}

/// Everything of all pages; `ask` gets one, and the token of the next.
async fn pages<T>(
    mut ask: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>,
) -> Result<Vec<T>, Status> {
    let (mut all, mut token) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let (page, next) = ask(token).await?;
        all.extend(page);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    Ok(all)
}

fn all_json<M: Message>(name: &str, messages: &[M]) -> Result<Vec<Value>, CommandError> {
    let printer = ProtoJson::new().map_err(|error| CommandError::Bug(error.into()))?;
    let printed = messages.iter().map(|message| printer.print(name, message));
    printed
        .collect::<Result<_, _>>()
        .map_err(|error| CommandError::Failed(error.into()))
}

fn session_table(paint: Paint, sessions: &[v1::Session], now: WallTime) -> String {
    let headings = [
        "SESSION",
        "STATE",
        "TRANSPORT",
        "LAST EVENT",
        "RECONNECTS",
        "JOURNAL",
        "REASON",
    ];
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            vec![
                bare(&session.name),
                session.state().word().to_owned(),
                or_dash(session.transport().word()),
                ago(session.last_receive_time.as_ref(), now),
                session.reconnect_count.to_string(),
                bare(&session.journal),
                printable(&session.reason),
            ]
        })
        .collect();
    table(paint, &headings, &rows)
}

fn journal_table(paint: Paint, journals: &[v1::Journal]) -> String {
    let headings = ["JOURNAL", "EPOCH", "EARLIEST", "LATEST", "SIZE"];
    let rows: Vec<_> = journals
        .iter()
        .map(|journal| {
            vec![
                bare(&journal.name),
                printable(&journal.epoch),
                journal.earliest_sequence.to_string(),
                journal.latest_sequence.to_string(),
                size(journal.size_bytes),
            ]
        })
        .collect();
    table(paint, &headings, &rows)
}

fn subscription_table(paint: Paint, all: &[v1::Subscription], now: WallTime) -> String {
    let headings = [
        "SUBSCRIPTION",
        "JOURNAL",
        "COMMITTED",
        "WHEN",
        "LAG",
        "LEASE",
        "MAY RETAIN",
    ];
    let rows: Vec<_> = all
        .iter()
        .map(|subscription| {
            let committed = subscription.committed.as_ref();
            let committed = committed.map(|at| format!("{}/{}", at.epoch, at.sequence));
            vec![
                bare(&subscription.name),
                bare(&subscription.journal),
                printable(&committed.unwrap_or_default()),
                ago(subscription.commit_time.as_ref(), now),
                subscription.lag.to_string(),
                subscription.lease.to_string(),
                size(subscription.max_retained_bytes),
            ]
        })
        .collect();
    table(paint, &headings, &rows)
}

/// The name without its collection.
fn bare(resource: &str) -> String {
    printable(resource.rsplit('/').next().unwrap_or_default())
}

fn or_dash(word: &str) -> String {
    match word {
        "" => "-",
        word => word,
    }
    .to_owned()
}

fn ago(time: Option<&prost_types::Timestamp>, now: WallTime) -> String {
    let Some(time) = time.and_then(WallTime::from_proto) else {
        return "never".to_owned();
    };
    let seconds = now.since(time).as_secs();
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// Bytes in their unit.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let scaled = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", scaled(1 << 10)),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", scaled(1 << 20)),
        _ => format!("{:.1} GiB", scaled(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::session::State;

    #[test]
    fn a_session_is_one_line() {
        let now = WallTime::from_millis(1_000_000);
        let session = v1::Session {
            name: "sessions/queue-stats".into(),
            journal: "journals/default".into(),
            state: State::Active.into(),
            transport: v1::Transport::LongPoll.into(),
            last_receive_time: Some(now.minus(Duration::from_secs(130)).to_proto()),
            reconnect_count: 3,
            ..Default::default()
        };
        let lines = session_table(Paint::PLAIN, &[session], now);
        let words: Vec<_> = lines.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            words,
            [
                "queue-stats",
                "active",
                "long_poll",
                "2m",
                "ago",
                "3",
                "default"
            ]
        );
    }

    #[test]
    fn a_subscription_is_one_line() {
        let subscription = v1::Subscription {
            name: "subscriptions/crm".into(),
            journal: "journals/default".into(),
            committed: Some(v1::Position {
                epoch: "02052c8a46ce61b1".into(),
                sequence: 481,
            }),
            lag: 17,
            lease: 3,
            max_retained_bytes: 256 << 20,
            ..Default::default()
        };
        let lines = subscription_table(Paint::PLAIN, &[subscription], WallTime::default());
        let words: Vec<_> = lines.lines().nth(1).unwrap().split_whitespace().collect();
        let expected = "crm default 02052c8a46ce61b1/481 never 17 3 256.0 MiB";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn sizes_are_shown_in_their_unit() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }
}
