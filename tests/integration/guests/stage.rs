//! [`Chat`]: a platform for guests, a sidecar with a template for it, and clients of the API.

use std::sync::Arc;

use serde_json::{Value, json};
use tieline::domain::uuid;
use tieline::proto::v1;
use tieline::runtime::{Clock, Rng};
use tieline::sandbox::fault::FaultRule;
use tieline::sandbox::guests::fault::GuestFault;
use tieline::sandbox::guests::{GuestConfig, GuestDialect, GuestPlatform};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use v1::messaging_service_client::MessagingServiceClient;
use v1::outbound_message::Content;
use v1::session::State;
use v1::session_service_client::SessionServiceClient;

use crate::kit::{PATIENCE, Sidecar, keep_secret, write_secret};

pub(super) const TEMPLATE: &str = "sessionTemplates/chat";
pub(super) const GUEST: &str = "guest-1";

/// A platform with a sidecar.
pub(super) struct Chat {
    pub(super) platform: GuestPlatform,
    pub(super) sidecar: Sidecar,
    pub(super) sessions: SessionServiceClient<Channel>,
    pub(super) messaging: MessagingServiceClient<Channel>,
    ids: Rng,
}

/// Runs a test on each platform that has guests.
pub(super) async fn on_both(test: impl AsyncFn(GuestDialect)) {
    tokio::join!(
        Box::pin(test(GuestDialect::WebMessaging)),
        Box::pin(test(GuestDialect::Webchat))
    );
}

impl Chat {
    pub(super) async fn new(dialect: GuestDialect) -> Self {
        let config = GuestConfig {
            messages_per_second: 100,
            ..GuestConfig::new(dialect)
        };
        Self::with(config, |_| ()).await
    }

    /// With a platform and a sidecar of other settings.
    pub(super) async fn with(config: GuestConfig, change: impl FnOnce(&mut Value)) -> Self {
        let platform = GuestPlatform::start(config, Clock::system(), Rng::from_seed(11)).await;
        let platform = platform.unwrap();
        let sidecar = sidecar(&platform, change).await;
        Self::of(platform, sidecar)
    }

    fn of(platform: GuestPlatform, sidecar: Sidecar) -> Self {
        let channel = sidecar.address().channel().unwrap();
        Self {
            platform,
            sidecar,
            sessions: SessionServiceClient::new(channel.clone()),
            messaging: MessagingServiceClient::new(channel),
            ids: Rng::from_entropy(),
        }
    }

    /// With a guest that is connected.
    pub(super) async fn with_guest(dialect: GuestDialect) -> Self {
        let mut chat = Self::new(dialect).await;
        chat.create(GUEST).await.unwrap();
        chat.active().await;
        chat
    }

    /// Ends the sidecar in order, has something done meanwhile, and starts it again.
    pub(super) async fn restart(self, meanwhile: impl FnOnce(&GuestPlatform)) -> Self {
        let Self {
            platform, sidecar, ..
        } = self;
        let (config, files) = sidecar.again();
        sidecar.drain().await;
        meanwhile(&platform);
        Self::of(platform, Sidecar::open(config, files).await)
    }

    pub(super) async fn create(&mut self, id: &str) -> Result<v1::Session, Status> {
        let request = v1::CreateSessionRequest {
            template: TEMPLATE.to_owned(),
            session_id: id.to_owned(),
            guest_attributes: [
                ("firstName".to_owned(), "Ada".to_owned()),
                ("lastName".to_owned(), "Guest".to_owned()),
                ("email".to_owned(), "ada@example.test".to_owned()),
            ]
            .into(),
        };
        let created = self.sessions.create_session(request).await?;
        Ok(created.into_inner().session.unwrap())
    }

    pub(super) async fn close(&mut self, id: &str) -> Result<(), Status> {
        let name = format!("sessions/{id}");
        let request = v1::CloseSessionRequest { name };
        self.sessions.close_session(request).await.map(drop)
    }

    pub(super) async fn active(&self) {
        self.until("active", |s| s.state() == State::Active).await;
        // Whoever knows it can go on with the session.
        for session in self.platform.sessions() {
            keep_secret(&session.session);
        }
    }

    pub(super) async fn until(
        &self,
        what: &str,
        test: impl Fn(&v1::Session) -> bool,
    ) -> v1::Session {
        self.sidecar.until_of(GUEST, what, test).await
    }

    /// A request that sends a text under an id that was never used.
    pub(super) fn text(&self, text: &str) -> v1::SendMessageRequest {
        let text = text.to_owned();
        v1::SendMessageRequest {
            parent: format!("sessions/{GUEST}"),
            message: Some(v1::OutboundMessage {
                content: Some(Content::Text(v1::TextContent { text })),
                ..Default::default()
            }),
            request_id: uuid(self.ids.secret_bits().unwrap()),
            ..Default::default()
        }
    }

    pub(super) async fn send(
        &mut self,
        request: v1::SendMessageRequest,
    ) -> Result<v1::SendMessageResponse, Status> {
        let sending = self.messaging.send_message(request);
        let sent = timeout(PATIENCE, sending).await.expect("an answer");
        sent.map(tonic::Response::into_inner)
    }

    /// Asks again with the same id, as it is told to, until the platform has it.
    pub(super) async fn until_taken(
        &mut self,
        request: v1::SendMessageRequest,
    ) -> v1::OutboundMessage {
        let mut again = tokio::time::interval(crate::kit::millis(50));
        let asking = async {
            loop {
                again.tick().await;
                if let Ok(sent) = self.send(request.clone()).await {
                    return sent.message.unwrap();
                }
            }
        };
        timeout(PATIENCE, asking).await.expect("it is taken")
    }

    /// Sends a text and waits until the platform has it.
    pub(super) async fn say(&mut self, text: &str) -> v1::OutboundMessage {
        let request = v1::SendMessageRequest {
            wait_for: v1::SendStage::Acknowledged.into(),
            ..self.text(text)
        };
        self.send(request).await.unwrap().message.unwrap()
    }

    pub(super) async fn get(&mut self, name: &str) -> v1::OutboundMessage {
        let name = name.to_owned();
        let request = v1::GetOutboundMessageRequest { name };
        let got = self.messaging.get_outbound_message(request).await.unwrap();
        got.into_inner().message.unwrap()
    }

    /// Gets it until nothing of it is on its way any more.
    pub(super) async fn until_over(&mut self, name: &str) -> v1::OutboundMessage {
        let mut again = tokio::time::interval(crate::kit::millis(50));
        let getting = async {
            loop {
                again.tick().await;
                let message = self.get(name).await;
                match message.state() {
                    v1::OutboundMessageState::Accepted | v1::OutboundMessageState::Sent => {}
                    _ => return message,
                }
            }
        };
        timeout(PATIENCE, getting).await.expect("its end")
    }

    pub(super) async fn cancel(&mut self, name: &str) -> Result<v1::OutboundMessage, Status> {
        let name = name.to_owned();
        let request = v1::CancelOutboundMessageRequest { name };
        let cancelled = self.messaging.cancel_outbound_message(request).await?;
        Ok(cancelled.into_inner().message.unwrap())
    }

    fn set(&self, fault: GuestFault) {
        self.platform.faults().set(FaultRule::from(fault)).unwrap();
    }

    /// Takes the platform away, until its faults are cleared.
    pub(super) async fn cut_off(&self) {
        self.set(GuestFault::PlatformDown {});
        let down = |s: &v1::Session| s.state() == State::Reconnecting;
        self.until("reconnecting", down).await;
    }

    /// The token, or instance, of the one guest.
    pub(super) fn token(&self) -> String {
        self.platform.sessions()[0].session.clone()
    }

    /// What the platform took, in its order.
    pub(super) fn taken(&self) -> Vec<String> {
        let record = self.platform.record().entries();
        record.into_iter().filter_map(|m| m.text).collect()
    }
}

/// The reason that a status gives.
pub(super) fn reason(status: &Status, code: Code) -> String {
    assert_eq!(status.code(), code, "{status:?}");
    status
        .get_error_details()
        .error_info()
        .unwrap()
        .reason
        .clone()
}

async fn sidecar(platform: &GuestPlatform, change: impl FnOnce(&mut Value)) -> Sidecar {
    let files = Arc::new(tempfile::tempdir().unwrap());
    let mut template = json!({
        "name": "chat",
        "platform": platform.config().dialect.platform(),
        "endpoint": platform.endpoint(),
        "timing": { "backoff": { "base": "100ms", "cap": "800ms" } },
    });
    match platform.config().dialect {
        GuestDialect::WebMessaging => {
            template["deployment_id"] = json!(platform.config().deployment_id);
        }
        GuestDialect::Webchat => {
            let client = platform.client_credentials();
            template["auth"] = json!({
                "grant": "client_credentials",
                "client_id_file": write_secret(files.path(), "client-id", &client.id),
                "client_secret_file": write_secret(files.path(), "client-secret", &client.secret),
            });
        }
    }
    let mut config = json!({
        "listen": { "grpc": ["127.0.0.1:0"], "health": "127.0.0.1:0", "admin": [] },
        "journals": [{
            "name": "default",
            "path": files.path().join("journal"),
            "retention": { "min_free_bytes": "1MiB" },
        }],
        "state_key_file": write_secret(files.path(), "state-key", &"5e".repeat(32)),
        "drain_timeout": "5s",
        "max_dynamic_sessions": 2,
        "session_templates": [template],
    });
    change(&mut config);
    let config = serde_json::from_value(config).unwrap();
    Sidecar::open(config, files).await
}
