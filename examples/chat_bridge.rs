//! A guest in the terminal: what is typed goes to the contact centre, what its agent says is printed.
//!
//! ```text
//! tieline sandbox --platform genesys-web-messaging --reply script
//! cargo run --example chat_bridge
//! ```
//!
//! It starts a sidecar of its own; `--sidecar 127.0.0.1:7443` uses one that runs, whose configuration
//! has a session template. `Ctrl-D` closes the session.

#![expect(clippy::print_stdout, reason = "it speaks to a person")]

use std::collections::HashMap;

use anyhow::{Context, Result};
use clap::Parser;
use tieline::app::{App, Stop};
use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::config::{Sources, load_text};
use tieline::connectors::platforms;
use tieline::proto::v1;
use tieline::runtime::{Clock, Rng};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use v1::event::Data;
use v1::messaging_service_client::MessagingServiceClient;
use v1::session_service_client::SessionServiceClient;

/// Chat with a contact centre from the terminal.
#[derive(Debug, Parser)]
struct Args {
    /// A sidecar that runs already; one is started where it is not given
    #[arg(long)]
    sidecar: Option<String>,
    /// The platform that a sidecar of our own connects to
    #[arg(long, default_value = "ws://127.0.0.1:7480")]
    platform: String,
    /// The platform's web deployment
    #[arg(long, default_value = "6f0f0c0e-8a9c-4b8e-9d5e-2f4b6c1d7e90")]
    deployment: String,
    /// The session template to use
    #[arg(long, default_value = "webchat")]
    template: String,
    /// Who the agent is told we are
    #[arg(long, default_value = "Guest")]
    name: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let journal = std::env::temp_dir().join(format!("chat-bridge-{}", std::process::id()));
    let own = match &args.sidecar {
        Some(_) => None,
        None => Some(sidecar(&args, &journal).await?),
    };
    let serves = own.as_ref().and_then(|app| app.addresses().first());
    let address = args.sidecar.as_ref().or(serves);
    let address = address.context("nothing serves")?.parse()?;
    let (stop, stopped) = mpsc::channel(1);
    let mut running = JoinSet::new();
    if let Some(app) = own {
        running.spawn(app.run_until(stopped));
    }
    let talked = talk(&args, address).await;
    if !running.is_empty() {
        stop.send(Stop::Drain).await?;
        running.join_next().await;
        std::fs::remove_dir_all(&journal)
            .with_context(|| format!("remove {}", journal.display()))?;
    }
    talked
}

/// A sidecar within this process. An application that is deployed has it beside it instead.
async fn sidecar(args: &Args, journal: &std::path::Path) -> Result<App> {
    let text = format!(
        "listen: {{ grpc: ['127.0.0.1:0'], health: '', admin: [] }}\n\
         journals: [{{ name: default, path: '{}' }}]\n\
         session_templates:\n  - name: {}\n    platform: genesys-web-messaging\n    \
         endpoint: {}\n    deployment_id: {}\n",
        journal.display(),
        args.template,
        args.platform,
        args.deployment
    );
    let sources = Sources {
        file: "chat_bridge.yaml".into(),
        variables: std::collections::BTreeMap::new(),
        flags: Vec::new(),
        platforms: platforms(),
    };
    let loaded = load_text(&text, &sources).map_err(|findings| anyhow::anyhow!("{findings}"))?;
    let app = App::start(loaded.config, Clock::system(), Rng::from_entropy()).await;
    app.context("start a sidecar")
}

async fn talk(args: &Args, address: Address) -> Result<()> {
    let channel = address.channel()?;
    let mut sessions = SessionServiceClient::new(channel.clone());
    let mut messages = MessagingServiceClient::new(channel);
    let created = sessions
        .create_session(v1::CreateSessionRequest {
            template: format!("sessionTemplates/{}", args.template),
            session_id: String::new(),
            guest_attributes: HashMap::from([("name".to_owned(), args.name.clone())]),
        })
        .await
        .context("open a session; does the sidecar have this template?")?;
    let session = created.into_inner().session.unwrap_or_default().name;
    println!("{session} is open; type, and end with Ctrl-D");

    let mut printing = JoinSet::new();
    printing.spawn(print(address, session.clone()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if !line.trim().is_empty() {
            send(&mut messages, &session, line).await;
        }
    }
    printing.abort_all();
    let close = v1::CloseSessionRequest { name: session };
    sessions
        .close_session(close)
        .await
        .context("close the session")?;
    println!("closed");
    Ok(())
}

/// Sends a line and says what became of it.
async fn send(messages: &mut MessagingServiceClient<Channel>, session: &str, text: String) {
    let content = v1::outbound_message::Content::Text(v1::TextContent { text });
    let bits = Rng::from_entropy().secret_bits().unwrap_or_default();
    let request = v1::SendMessageRequest {
        parent: session.to_owned(),
        message: Some(v1::OutboundMessage {
            content: Some(content),
            ..Default::default()
        }),
        // The same id again, after a failure, never sends twice.
        request_id: tieline::domain::uuid(bits),
        wait_for: v1::SendStage::Acknowledged.into(),
        ..Default::default()
    };
    match messages.send_message(request).await {
        Ok(sent) => {
            let message = sent.into_inner().message.unwrap_or_default();
            let state = message.state().as_str_name();
            let state = state.trim_start_matches("OUTBOUND_MESSAGE_STATE_");
            println!("  ({} {})", state.to_lowercase(), message.reason);
        }
        Err(status) => println!("  (not sent: {})", status.message()),
    }
}

/// Prints what the agent says, and what happens to the session; resumes for as long as it takes.
async fn print(address: Address, session: String) -> Result<()> {
    let request = v1::SubscribeRequest {
        start: Some(v1::subscribe_request::Start::Preset(
            v1::StartPreset::Earliest.into(),
        )),
        filter: Some(v1::EventFilter {
            sessions: vec![session],
            ..Default::default()
        }),
        ..Default::default()
    };
    let on_gap = |_: &_| GapChoice::Earliest;
    let mut events = Resuming::new(address, request, on_gap, Rng::from_entropy())?;
    while let Some(item) = events.next().await {
        let Item::Response(response) = item? else {
            continue;
        };
        for event in response.events {
            match event.data {
                Some(Data::MessageEvent(said)) if said.direction() == v1::Direction::Outbound => {
                    println!("agent: {}", said.text);
                }
                Some(Data::SessionEvent(fact)) => {
                    let kind = fact.kind().as_str_name().trim_start_matches("KIND_");
                    println!("  [{} {}]", kind.to_lowercase(), fact.reason);
                }
                _ => {}
            }
        }
    }
    Ok(())
}
