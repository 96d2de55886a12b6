//! [`House`]: a sidecar with two journals that knows its callers, and clients that call it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tieline::client::{Address, Calls, Credentials, Target};
use tieline::config::Config;
use tieline::domain::JournalName;
use tieline::proto::v1;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;
use v1::event_service_client::EventServiceClient;

use crate::kit::{Authority, PATIENCE, Stage, get, keep_secret, quick, write_private};

pub(super) const READER: &str = "token-of-the-reader-0001";
pub(super) const WRITER: &str = "token-of-the-writer-0002";
pub(super) const ADMIN: &str = "token-of-the-admin-00003";
pub(super) const STRANGER: &str = "token-of-somebody-else-4";
pub(super) const TOKENS: &str = "tokens";

/// A sidecar that knows its callers. The journal `default` has events, `other` has none.
pub(super) struct House {
    pub(super) stage: Stage,
}

/// The lines of the file of tokens.
pub(super) fn lines(of: &[(&str, &str)]) -> String {
    let lines = of.iter().map(|(name, token)| format!("{name} {token}\n"));
    lines.collect()
}

pub(super) fn everybody() -> String {
    lines(&[("reader", READER), ("writer", WRITER), ("admin", ADMIN)])
}

/// `listen.auth` with these permissions.
pub(super) fn auth(files: &Path, permissions: Value) -> Value {
    json!({ "tokens_file": files.join(TOKENS), "permissions": permissions })
}

pub(super) fn permissions() -> Value {
    json!([
        { "principal": "reader", "journals": ["default"], "allow": ["read"] },
        { "principal": "writer", "journals": ["default", "other"], "allow": ["read", "commit", "send"] },
        { "principal": "admin", "journals": ["default", "other"], "allow": ["read", "commit", "send", "admin"] },
    ])
}

/// The folder of a sidecar's files.
pub(super) fn files(config: &Config) -> PathBuf {
    config.journals[0].path.parent().unwrap().to_owned()
}

impl House {
    /// With tokens, over plain TCP and a socket.
    pub(super) async fn with_tokens() -> Self {
        Self::with(|_, _, _| ()).await
    }

    /// `adjust` has the last word on the configuration, with the folder of its files and an authority.
    pub(super) async fn with(adjust: impl FnOnce(&mut Config, &Path, &Authority)) -> Self {
        let authority = Authority::new();
        [READER, WRITER, ADMIN, STRANGER]
            .into_iter()
            .for_each(keep_secret);
        let stage = Stage::with(quick(), |config| {
            let files = files(config);
            write_private(&files, TOKENS, &everybody());
            let mut other = config.journals[0].clone();
            other.name = JournalName::new("other").unwrap();
            other.path = files.join("other");
            config.journals.push(other);
            config.sessions[0].journal = Some(JournalName::new("default").unwrap());
            let socket = format!("unix:{}", files.join("grpc.sock").display());
            config.listen.grpc.push(socket);
            config.listen.auth = serde_json::from_value(auth(&files, permissions())).unwrap();
            adjust(config, &files, &authority);
        })
        .await;
        stage.sidecar.active().await;
        stage.emit(10);
        Self { stage }
    }

    pub(super) fn files(&self) -> &Path {
        self.stage.sidecar.files()
    }

    pub(super) fn address(&self) -> Address {
        self.stage.sidecar.address()
    }

    pub(super) fn socket(&self) -> Address {
        let socket = format!("unix:{}", self.files().join("grpc.sock").display());
        socket.parse().unwrap()
    }

    /// Credentials with this token, in a file of its own.
    pub(super) fn token(&self, token: &str) -> Credentials {
        keep_secret(token);
        let name = format!(
            "own-{}",
            token.len() + token.bytes().map(usize::from).sum::<usize>()
        );
        Credentials {
            token_file: Some(write_private(self.files(), &name, token)),
            ..Credentials::default()
        }
    }

    pub(super) fn calls(&self, credentials: Credentials) -> Calls {
        let address = self.address();
        Target {
            address,
            credentials,
        }
        .channel()
        .unwrap()
    }

    pub(super) fn events(&self, credentials: Credentials) -> EventServiceClient<Calls> {
        EventServiceClient::new(self.calls(credentials))
    }

    /// A stream of a journal from its first event on, once it is open.
    pub(super) async fn stream(
        &self,
        credentials: Credentials,
        journal: &str,
    ) -> Result<Streaming<v1::SubscribeResponse>, Status> {
        subscribe(self.events(credentials), journal).await
    }

    /// Waits until a figure has this value.
    pub(super) async fn figure(&self, line: &str) {
        let url = self.stage.sidecar.health_url("/metrics");
        let look = async { while !get(&url).await.1.lines().any(|found| found == line) {} };
        assert!(
            timeout(PATIENCE, look).await.is_ok(),
            "waited in vain for {line}"
        );
    }
}

pub(super) async fn subscribe(
    mut events: EventServiceClient<Calls>,
    journal: &str,
) -> Result<Streaming<v1::SubscribeResponse>, Status> {
    let request = v1::SubscribeRequest {
        journal: journal.to_owned(),
        start: Some(v1::subscribe_request::Start::Preset(
            v1::StartPreset::Earliest.into(),
        )),
        ..v1::SubscribeRequest::default()
    };
    let opened = timeout(PATIENCE, events.subscribe(request)).await.unwrap();
    let mut stream = opened?.into_inner();
    let first = timeout(PATIENCE, stream.message()).await.unwrap()?;
    assert!(first.is_some());
    Ok(stream)
}

/// How a stream ends, and when.
pub(super) async fn end(mut stream: Streaming<v1::SubscribeResponse>) -> (Status, Instant) {
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ends with OK"),
                Err(status) => return (status, Instant::now()),
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("it ends")
}

/// Fails where a stream has ended.
pub(super) async fn goes_on(stream: &mut Streaming<v1::SubscribeResponse>) {
    // A heartbeat comes at the latest.
    let next = timeout(PATIENCE, stream.message()).await.unwrap();
    assert!(next.unwrap().is_some());
}

#[track_caller]
pub(super) fn is(status: &Status, code: Code, reason: &str) {
    let details = status.get_error_details();
    let info = details.error_info();
    let given = info.map(|info| (info.domain.as_str(), info.reason.as_str()));
    assert_eq!(
        (status.code(), given),
        (code, Some(("tieline", reason))),
        "{status:?}"
    );
}

/// What takes longer than a second is late; a test does not fail for a machine that is busy.
#[track_caller]
pub(super) fn soon(began: Instant, ended: Instant) {
    let took = ended.saturating_duration_since(began);
    assert!(took < Duration::from_secs(3), "after {took:?}");
}
