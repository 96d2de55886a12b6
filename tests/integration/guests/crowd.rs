//! Many guests at once: their platform goes away and comes back, and is not overrun.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tieline::proto::v1;
use tieline::sandbox::guests::{GuestConfig, GuestPlatform};
use v1::session::State;

use super::stage::{Chat, on_both};
use crate::kit::PATIENCE;

const GUESTS: usize = 120;
/// What the platform takes in a second, and what the template keeps below: some have to wait for
/// longer than a handshake may take.
const TAKES: usize = 30;
const OURS: usize = 20;

#[tokio::test]
async fn guests_are_back_after_a_restart_of_their_platform_and_no_faster_than_it_takes_them() {
    on_both(async |dialect| {
        let config = GuestConfig {
            handshakes_per_second: Some(TAKES),
            ..GuestConfig::new(dialect)
        };
        let mut chat = Chat::with(config, |config| {
            config["max_dynamic_sessions"] = json!(GUESTS);
            let template = &mut config["session_templates"][0];
            template["connections_per_second"] = json!(OURS);
            template["rate_limit"] = json!({ "per_minute": 100_000 });
        })
        .await;
        let names: Vec<_> = (0..GUESTS).map(|guest| format!("guest-{guest}")).collect();
        for name in &names {
            chat.create(name).await.unwrap();
        }
        let all = |platform: &GuestPlatform| platform.sockets() == GUESTS;
        assert!(chat.platform.wait_until(PATIENCE, all).await);
        chat.platform.restart(Duration::from_millis(500));
        let gone = |platform: &GuestPlatform| platform.sockets() == 0;
        assert!(chat.platform.wait_until(PATIENCE, gone).await);
        assert!(chat.platform.wait_until(PATIENCE, all).await);
        let active = |s: &v1::Session| s.state() == State::Active;
        let each = names
            .iter()
            .map(|name| chat.sidecar.until_of(name, "active", active));
        join_all(each).await;
        let counters = chat.platform.counters();
        assert_eq!(counters.handshakes_throttled, 0);
        assert!(counters.handshakes >= 2 * GUESTS as u64);
    })
    .await;
}
