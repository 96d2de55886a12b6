//! The configuration read again while sessions run: who differs is ended and begun, nobody else
//! notices.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tieline::config::Config;
use tieline::domain::SessionName;
use tieline::proto::v1;
use tieline::runtime::{Clock, HumanDuration, ReloadOutcome, ReloadReport, Rng};
use tieline::sandbox::{Emission, RequestKind, Sandbox};
use tieline::session::TransportChoice::{LongPoll, Websocket};
use tokio::time::timeout;
use v1::session::State;

use crate::kit::{PATIENCE, SESSION, Sidecar, Stage, Witness, quick, write_secret};

const OTHER: &str = "other";

/// Two sessions, each on a platform of its own.
struct Pair {
    stage: Stage,
    other: Sandbox,
}

fn name(text: &str) -> SessionName {
    SessionName::new(text).unwrap()
}

impl Pair {
    async fn start() -> Self {
        let other = Sandbox::start(quick(), Clock::system(), Rng::from_seed(12));
        let other = other.await.unwrap();
        let stage = Stage::with(quick(), |config| {
            config.sessions[0].transport = Websocket;
            let files = config.journals[0].path.parent().unwrap().to_owned();
            let mut second = config.sessions[0].clone();
            second.name = name(OTHER);
            second.endpoint = other.endpoint();
            let client = other.client_credentials();
            second.auth.client_id_file = Some(write_secret(&files, "other-id", &client.id));
            let secret = write_secret(&files, "other-secret", &client.secret);
            second.auth.client_secret_file = Some(secret);
            config.sessions.push(second);
        })
        .await;
        let pair = Self { stage, other };
        pair.are_active().await;
        pair
    }

    async fn are_active(&self) {
        self.stage.sidecar.active().await;
        let active = |s: &v1::Session| s.state() == State::Active;
        self.stage.sidecar.until_of(OTHER, "active", active).await;
    }

    fn emit(&self, count: u64) {
        self.stage.emit(count);
        self.other.emit(&Emission::story(count)).unwrap();
    }

    fn witness(&self, session: &str) -> Witness {
        let filter = v1::EventFilter {
            sessions: vec![name(session).resource()],
            ..v1::EventFilter::default()
        };
        Witness::of(&self.stage.sidecar, filter)
    }

    /// Everything that both platforms issued arrived once and in order.
    async fn is_whole(&self) {
        for (session, sandbox) in [(SESSION, &self.stage.sandbox), (OTHER, &self.other)] {
            let mut witness = self.witness(session);
            let issued: Vec<_> = sandbox
                .ledger()
                .entries()
                .iter()
                .map(|e| e.number)
                .collect();
            let numbers = |witness: &Witness| {
                let events = witness.events.iter();
                let of_platform = events.filter(|e| e.provider_sequence > 0);
                of_platform.map(|e| e.provider_sequence).collect::<Vec<_>>()
            };
            let last = issued.last().copied();
            witness
                .until("the last number", |w| numbers(w).last().copied() >= last)
                .await;
            assert_eq!(numbers(&witness), issued, "{session}");
        }
    }
}

fn handshakes(sandbox: &Sandbox) -> u64 {
    sandbox.counters().arrived(RequestKind::Websocket)
}

/// Writes a configuration as an operator's tooling does: whole or not at all.
fn write_config(file: &Path, config: &Config) {
    let mut value = serde_json::to_value(config).unwrap();
    prune(&mut value);
    write_text(file, &value.to_string());
}

fn write_text(file: &Path, text: &str) {
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

/// What is not set is left out.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(prune);
        }
        Value::Array(values) => values.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Waits until a reading of the configuration was like this.
async fn read_again(sidecar: &Sidecar, test: impl Fn(&ReloadReport) -> bool) -> ReloadReport {
    let mut states = sidecar.reload_status().watch();
    let wait = states.wait_for(|state| state.last.as_ref().is_some_and(&test));
    let state = timeout(PATIENCE, wait).await;
    state
        .expect("it is read again")
        .unwrap()
        .last
        .clone()
        .unwrap()
}

fn is(outcome: ReloadOutcome) -> impl Fn(&ReloadReport) -> bool {
    move |report| report.outcome == outcome
}

#[tokio::test]
async fn a_changed_session_is_begun_anew_and_the_other_keeps_its_socket() {
    let pair = Pair::start().await;
    pair.emit(20);
    pair.stage.sandbox.set_rate(100.0);
    pair.other.set_rate(100.0);
    let (mut config, _files) = pair.stage.sidecar.again();
    let before = (handshakes(&pair.stage.sandbox), handshakes(&pair.other));
    config.sessions[1].timing.websocket_ping = HumanDuration::from_secs(21);
    let found = pair.stage.sidecar.reload(config).await.unwrap();
    assert_eq!(found.changed.len(), 1);
    assert_eq!(found.changed[0].keys, ["timing.websocket_ping"]);
    assert_eq!(found.unchanged, 1);
    pair.are_active().await;
    assert!(handshakes(&pair.other) > before.1, "it connected anew");
    let closes = pair.other.counters().closes_received;
    assert_eq!(closes.get(&1000), Some(&1), "it left politely: {closes:?}");
    pair.stage.sandbox.set_rate(0.0);
    pair.other.set_rate(0.0);
    pair.emit(5);
    pair.is_whole().await;
    let counters = pair.stage.sandbox.counters();
    assert_eq!(handshakes(&pair.stage.sandbox), before.0);
    assert!(counters.closes_received.is_empty());
}

#[tokio::test]
async fn a_session_that_is_removed_leaves_politely_and_goes_on_where_it_was_when_it_is_back() {
    let pair = Pair::start().await;
    pair.emit(10);
    pair.is_whole().await;
    let (whole, _files) = pair.stage.sidecar.again();
    let mut config = whole.clone();
    config.sessions.pop();
    let found = pair.stage.sidecar.reload(config.clone()).await.unwrap();
    assert_eq!(found.removed, [name(OTHER)]);
    assert!(pair.stage.sidecar.board().state(&name(OTHER)).is_none());
    assert_eq!(pair.other.counters().closes_received.get(&1000), Some(&1));
    let again = pair.stage.sidecar.reload(config).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    pair.emit(10);
    let found = pair.stage.sidecar.reload(whole).await.unwrap();
    assert_eq!(found.added, [name(OTHER)]);
    pair.are_active().await;
    pair.is_whole().await;
}

#[tokio::test]
async fn a_rate_limit_is_changed_without_a_new_connection_and_a_transport_with_one() {
    let stage = Stage::over(Websocket).await;
    stage.sidecar.active_on(v1::Transport::Websocket).await;
    let before = handshakes(&stage.sandbox);
    let (mut config, _files) = stage.sidecar.again();
    config.sessions[0].rate_limit.per_minute = 100;
    let found = stage.sidecar.reload(config.clone()).await.unwrap();
    assert!(!found.changed[0].restarts());
    assert_eq!(handshakes(&stage.sandbox), before);
    assert!(stage.sandbox.counters().closes_received.is_empty());
    config.sessions[0].transport = LongPoll;
    stage.sidecar.reload(config).await.unwrap();
    stage.sidecar.active_on(v1::Transport::LongPoll).await;
    stage.settle(&mut stage.reader()).await;
}

#[tokio::test]
async fn a_session_that_cannot_be_made_leaves_everything_as_it_is() {
    let pair = Pair::start().await;
    let before = (handshakes(&pair.stage.sandbox), handshakes(&pair.other));
    let (mut config, files) = pair.stage.sidecar.again();
    config.sessions[0].timing.websocket_ping = HumanDuration::from_secs(21);
    config.sessions[1].tls.ca_file = Some(files.path().join("nowhere"));
    pair.stage.sidecar.reload(config).await.unwrap_err();
    pair.emit(5);
    pair.is_whole().await;
    assert_eq!(handshakes(&pair.stage.sandbox), before.0);
    assert_eq!(handshakes(&pair.other), before.1);
}

/// A stage that follows its file, which is written already.
async fn following(file: impl FnOnce(&Path) -> PathBuf) -> (Stage, Config, PathBuf) {
    let mut stage = Stage::over(Websocket).await;
    let (config, _) = stage.sidecar.again();
    let file = file(stage.sidecar.files());
    write_config(&file, &config);
    stage.sidecar.follow(&file);
    stage.sidecar.active().await;
    (stage, config, file)
}

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_one_and_a_good_one_after_it_is_applied() {
    let (stage, mut config, file) = following(|files| files.join("tieline.yaml")).await;
    let before = handshakes(&stage.sandbox);
    config.sessions[0].timing.websocket_ping = HumanDuration::from_secs(21);
    write_text(
        &file,
        "sessions:\n  - name: contact-centre\n    chanels: [x]\n",
    );
    let refused = read_again(&stage.sidecar, is(ReloadOutcome::Refused)).await;
    for part in ["tieline.yaml:3:", "sessions[0].chanels", "mend: "] {
        assert!(refused.problem.contains(part), "{}", refused.problem);
    }
    stage.sidecar.active().await;
    assert_eq!(handshakes(&stage.sandbox), before);
    write_config(&file, &config);
    let applied = read_again(&stage.sidecar, is(ReloadOutcome::Applied)).await;
    assert_eq!((applied.changed, applied.unchanged), (1, 0));
    let state = stage.sidecar.reload_status().state();
    assert_eq!((state.applied, state.refused), (1, 1), "said once");
    assert_eq!(state.config_hash.len(), 16);
    stage.settle(&mut stage.reader()).await;
    assert_eq!(handshakes(&stage.sandbox), before + 1);
}

#[tokio::test]
async fn the_swap_of_a_directory_behind_a_link_is_noticed_and_what_needs_a_restart_is_named() {
    // As Kubernetes mounts a ConfigMap: tieline.yaml -> ..data/tieline.yaml, ..data -> ..1.
    let (stage, mut config, file) = following(|files| {
        std::fs::create_dir(files.join("..1")).unwrap();
        std::os::unix::fs::symlink("..1", files.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/tieline.yaml", files.join("tieline.yaml")).unwrap();
        files.join("..data/tieline.yaml")
    })
    .await;
    let files = file.parent().unwrap().parent().unwrap();
    config.sessions[0].timing.websocket_ping = HumanDuration::from_secs(21);
    config.drain_timeout = HumanDuration::from_secs(3);
    std::fs::create_dir(files.join("..2")).unwrap();
    write_config(&files.join("..2/tieline.yaml"), &config);
    std::os::unix::fs::symlink("..2", files.join("..data_tmp")).unwrap();
    std::fs::rename(files.join("..data_tmp"), files.join("..data")).unwrap();
    let applied = read_again(&stage.sidecar, is(ReloadOutcome::Applied)).await;
    assert_eq!(applied.changed, 1);
    assert_eq!(applied.restart, ["drain_timeout"]);
    stage.settle(&mut stage.reader()).await;
}
