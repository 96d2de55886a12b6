//! Guests: thousands of sessions of one process over TLS, what an idle one takes, and how soon all are
//! back after their platform was away.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use tieline::proto::v1;
use tieline::runtime::{Clock, MonoTime, Rng, raise_open_files};
use tieline::sandbox::guests::{GuestConfig, GuestDialect, GuestPlatform};
use tonic::transport::Channel;
use v1::session::State;
use v1::session_service_client::SessionServiceClient;

use super::memory::settle;
use crate::effort::Effort;
use crate::figure::Sample;
use crate::harness::{Bound, Contender, Row};
use crate::process::Process;
use crate::sidecar::settings;
use crate::source::Source;

/// What the platform takes in a second, and what the template keeps below.
const PLATFORM_RATE: usize = 300;
const OUR_RATE: u32 = 250;
/// `CreateSession` calls under way at once.
const AT_ONCE: usize = 64;
/// How long the platform is away when it restarts.
const DOWN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(180);
const MOST: &str = "most handshakes in a second";
const REFUSED: &str = "handshakes beyond the platform's 300 a second";
const BACK: &str = "all back after a restart of 2 s";

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let folder = folder.to_owned();
    let run = move |effort: &Effort| measure(&folder, effort.guests());
    let tieline = Contender::tieline("of 10 000 (quick: 500)", run)
        .goal("", Bound::Most(60_000.0))
        .goal(BACK, Bound::Most(60e6))
        .goal(REFUSED, Bound::Most(0.0));
    vec![Row::new("memory, per idle guest session with TLS", vec![tieline]).few(1)]
}

fn measure(folder: &Path, guests: usize) -> anyhow::Result<Sample> {
    let files = raise_open_files().unwrap_or(u64::MAX);
    let wanted = guests as u64 + 256;
    anyhow::ensure!(files >= wanted, "{wanted} open files are needed: ulimit -n");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(open_and_restart(folder, guests))
}

async fn open_and_restart(folder: &Path, guests: usize) -> anyhow::Result<Sample> {
    let authority = folder.join("authority.pem");
    let config = GuestConfig {
        tls_ca_out: Some(authority.clone()),
        handshakes_per_second: Some(PLATFORM_RATE),
        max_connections: 2 * guests,
        max_sessions: 2 * guests,
        ..GuestConfig::new(GuestDialect::WebMessaging)
    };
    let platform = GuestPlatform::start(config, Clock::system(), Rng::from_seed(1)).await?;
    let folder = folder.join("process");
    let mut config = settings(&folder, None, "")?;
    let more = json!({
        "max_dynamic_sessions": guests,
        "session_templates": [{
        "name": "chat",
        "platform": "genesys-web-messaging",
        "endpoint": platform.endpoint(),
        "deployment_id": platform.config().deployment_id,
        "connections_per_second": OUR_RATE,
        "tls": { "ca_file": authority },
    }],
    });
    if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
        config.extend(more.clone());
    }
    let mut process = Process::with(&folder, Source::start()?, config)?;
    let channel = process.connect().await?;
    let before = process.resident();
    open(&channel, guests).await?;
    all_connected(&platform, guests).await?;
    settle();
    anyhow::ensure!(
        active(&channel).await? == guests,
        "not every session is active"
    );
    let each = process.resident().saturating_sub(before) / guests as u64;
    platform.restart(DOWN);
    let restarted = MonoTime::now();
    let gone = platform.wait_until(DOWN, |p| p.sockets() == 0).await;
    anyhow::ensure!(gone, "the restart left connections");
    all_connected(&platform, guests).await?;
    let away = restarted.elapsed();
    let counters = platform.counters();
    Ok(Sample::bytes(each)
        .with_time(BACK, away)
        .with_count(REFUSED, counters.handshakes_throttled)
        .with_count(MOST, counters.handshakes_per_second_most))
}

/// Opens so many sessions.
async fn open(channel: &Channel, guests: usize) -> anyhow::Result<()> {
    let creating = futures_util::stream::iter(0..guests).map(|guest| {
        let mut sessions = SessionServiceClient::new(channel.clone());
        async move {
            let request = v1::CreateSessionRequest {
                template: "sessionTemplates/chat".to_owned(),
                session_id: format!("guest-{guest}"),
                ..Default::default()
            };
            sessions.create_session(request).await.map(drop)
        }
    });
    let mut created = creating.buffer_unordered(AT_ONCE);
    while let Some(created) = created.next().await {
        created?;
    }
    Ok(())
}

async fn all_connected(platform: &GuestPlatform, guests: usize) -> anyhow::Result<()> {
    let all = platform
        .wait_until(PATIENCE, |p| p.sockets() >= guests)
        .await;
    anyhow::ensure!(all, "{} of {guests} connected", platform.sockets());
    Ok(())
}

/// How many sessions say that they are active.
async fn active(channel: &Channel) -> anyhow::Result<usize> {
    let mut sessions = SessionServiceClient::new(channel.clone());
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let request = v1::ListSessionsRequest {
            page_token,
            ..Default::default()
        };
        let page = sessions.list_sessions(request).await?.into_inner();
        let active = page.sessions.iter().filter(|s| s.state() == State::Active);
        count += active.count();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(count);
        }
    }
}
