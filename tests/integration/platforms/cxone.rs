//! Agent sessions of CXone: the session id as cursor, snapshots, ends.

use serde_json::json;
use tieline::proto::v1;
use tieline::runtime::HumanDuration;
use tieline::sandbox::cxone::fault::CxoneFault;
use tieline::sandbox::cxone::{Change, CxoneAgent, CxoneConfig, CxoneOracle, CxoneVerdict};
use tieline::sandbox::fault::FaultRule;
use tokio::time::Instant;
use v1::session::State;
use v1::session_event::Kind;

use super::stage::{of_cxone, sidecar, tenant};
use crate::kit::{PATIENCE, Sidecar, Witness};

const NAME: &str = "agent";

fn one_agent() -> CxoneConfig {
    CxoneConfig {
        agents: 1,
        token_requests_per_minute: None,
        ..CxoneConfig::default()
    }
}

async fn one(tenant: &CxoneAgent) -> Sidecar {
    let sidecar = sidecar(|files| vec![of_cxone(files, tenant, NAME, json!({}))]).await;
    active(&sidecar).await;
    sidecar
}

async fn active(sidecar: &Sidecar) {
    sidecar
        .until_of(NAME, "active", |s| s.state() == State::Active)
        .await;
}

fn set(tenant: &CxoneAgent, fault: CxoneFault) {
    let rule = FaultRule::<CxoneFault>::from(fault).times(1);
    tenant.faults().set(rule).unwrap();
}

fn judged(tenant: &CxoneAgent, witness: &Witness) -> CxoneVerdict {
    let mut oracle = CxoneOracle::new();
    oracle.take(&witness.events);
    oracle.judge(&tenant.record())
}

/// Reads until nothing is missing, what is folded is what is, and every gap has its end.
async fn settled(tenant: &CxoneAgent, witness: &mut Witness) -> CxoneVerdict {
    let until = Instant::now() + PATIENCE;
    loop {
        let verdict = judged(tenant, witness);
        let well = verdict.lost == 0 && verdict.differing == 0 && witness.has_closed_gaps();
        if well || Instant::now() > until {
            let CxoneVerdict {
                lost,
                doubled,
                disordered,
                invented,
                differing,
                ..
            } = &verdict;
            let violations = (*lost, *doubled, *disordered, *invented, *differing);
            assert_eq!(violations, (0, 0, 0, 0, 0), "{verdict:?}");
            assert!(witness.has_closed_gaps(), "gaps stay open");
            return verdict;
        }
        drop(tokio::time::timeout(PATIENCE, witness.next()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_read_from_discovery_to_normal_forms() {
    let tenant = tenant(one_agent()).await;
    let sidecar = one(&tenant).await;
    let mut witness = Witness::new(&sidecar);
    tenant.tell(150);
    let verdict = settled(&tenant, &mut witness).await;
    assert!(
        verdict.delivered > 100 && verdict.on_record == 0,
        "{verdict:?}"
    );
    for form in [
        "ccaas.agent.state_changed.v1",
        "ccaas.conversation.updated.v1",
    ] {
        let seen = witness.events.iter().any(|event| event.r#type == form);
        assert!(seen, "no {form}");
    }
    assert_eq!(
        witness.told(Kind::GapSuspected),
        Vec::<&v1::SessionEvent>::new()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_id_brings_a_snapshot_that_is_marked_and_reconciled() {
    let tenant = tenant(one_agent()).await;
    let sidecar = one(&tenant).await;
    let mut witness = Witness::new(&sidecar);
    for _ in 0..8 {
        tenant.tell(20);
        settled(&tenant, &mut witness).await;
        set(&tenant, CxoneFault::StaleSession {});
        tenant.tell(20);
        settled(&tenant, &mut witness).await;
    }
    let confirmed = witness.told(Kind::GapConfirmed);
    assert!(!confirmed.is_empty());
    assert!(
        confirmed.iter().all(|fact| fact.reason == "SNAPSHOT"),
        "{confirmed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_behind_the_stored_id() {
    let tenant = tenant(one_agent()).await;
    let mut sidecar = one(&tenant).await;
    let mut witness = Witness::new(&sidecar);
    for _ in 0..3 {
        tenant.tell(30);
        settled(&tenant, &mut witness).await;
        sidecar = sidecar.restart(|_| ()).await;
        witness.move_to(&sidecar);
        tenant.tell(30);
        active(&sidecar).await;
    }
    settled(&tenant, &mut witness).await;
    assert_eq!(
        tenant.sessions().len(),
        1,
        "one session of the agent all along"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_break_repeat_nothing_and_lose_nothing_unsaid() {
    let tenant = tenant(one_agent()).await;
    let sidecar = one(&tenant).await;
    tenant.set_rate(40.0);
    let mut witness = Witness::new(&sidecar);
    let faults = || {
        [
            CxoneFault::PollResetInHold {
                after: HumanDuration::from_secs(0),
            },
            CxoneFault::LostAnswer {},
            CxoneFault::TruncatedBody {
                cut_connection: true,
            },
            CxoneFault::NotJson {},
            CxoneFault::PollStatus {
                status: 503,
                retry_after: None,
                after: HumanDuration::from_secs(0),
            },
            CxoneFault::ExpireTokensNow {},
        ]
    };
    for fault in faults().into_iter().chain(faults()) {
        let polls = tenant.answers(0, usize::MAX).len();
        set(&tenant, fault);
        let more = |tenant: &CxoneAgent| tenant.answers(0, usize::MAX).len() > polls + 2;
        assert!(tenant.wait_until(PATIENCE, more).await, "polls stopped");
    }
    tenant.set_rate(0.0);
    let verdict = settled(&tenant, &mut witness).await;
    assert!(verdict.delivered > 50, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_who_signs_out_ends_the_session_and_says_so() {
    let tenant = tenant(one_agent()).await;
    let sidecar = one(&tenant).await;
    let agent = tenant.agents().remove(0);
    let mut witness = Witness::new(&sidecar);
    tenant.tell(10);
    tenant.change(&agent, Change::SignOut {}).unwrap();
    let session = sidecar
        .until_of(NAME, "suspended", |s| s.state() == State::Suspended)
        .await;
    assert!(
        session.reason.contains("AGENT_SESSION_END") || session.reason.contains("ENDED"),
        "{session:?}"
    );
    witness
        .until("the end is on record", |w| {
            !w.told(Kind::Expired).is_empty()
        })
        .await;
}
