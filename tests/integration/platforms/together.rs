//! Two platforms in one journal.

use serde_json::json;
use tieline::proto::v1;
use tieline::sandbox::cxone::{Change as AgentChange, CxoneConfig};
use tieline::sandbox::genesys_cloud::{Change, SystemPresence};
use v1::agent_state_event::Availability;
use v1::event::Data;
use v1::session::State;

use super::stage::{cloud, of_cxone, of_genesys, quiet, sidecar, tenant};
use crate::kit::Witness;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_filter_sees_the_agents_of_both_platforms_in_one_form() {
    let cloud = cloud(quiet()).await;
    let tenant = tenant(CxoneConfig::default()).await;
    let sidecar = sidecar(|files| {
        let topics = json!({ "topics": [
            { "v2.users.{id}.presence": "all" },
            { "v2.routing.queues.{id}.conversations": "all" },
        ] });
        vec![
            of_genesys(files, &cloud, "genesys", topics),
            of_cxone(files, &tenant, "cxone", json!({})),
        ]
    })
    .await;
    for name in ["genesys", "cxone"] {
        sidecar
            .until_of(name, "active", |s| s.state() == State::Active)
            .await;
    }
    let user = cloud.world().users.keys().next().unwrap().clone();
    let agent = tenant.credentials().agent;
    let filter = v1::EventFilter {
        types: vec!["ccaas.agent.state_changed.v1".to_owned()],
        filter_sidecar_events: true,
        ..v1::EventFilter::default()
    };
    let mut witness = Witness::of(&sidecar, filter);
    for presence in [SystemPresence::OnQueue, SystemPresence::Break] {
        let user = user.clone();
        cloud.change(&Change::Presence { user, presence }).unwrap();
    }
    for state in ["Available", "Unavailable"] {
        let state = AgentChange::State {
            state: state.to_owned(),
            reason: String::new(),
            acw: false,
        };
        tenant.change(&agent, state).unwrap();
    }
    cloud.tell(20);
    let last = |witness: &Witness, session: &str| {
        let of = |e: &&v1::Event| e.session == format!("sessions/{session}");
        let id = if session == "genesys" { &user } else { &agent };
        let states = witness
            .events
            .iter()
            .filter(of)
            .filter_map(|e| match &e.data {
                Some(Data::AgentStateEvent(state)) if state.agent_id == *id => {
                    Some(state.availability())
                }
                _ => None,
            });
        states.collect::<Vec<_>>()
    };
    witness
        .until("both agents are away", |w| {
            ["genesys", "cxone"].into_iter().all(|session| {
                let states = last(w, session);
                states.contains(&Availability::Available) && states.contains(&Availability::Away)
            })
        })
        .await;
    let typed = |e: &v1::Event| {
        e.r#type == "ccaas.agent.state_changed.v1"
            && matches!(e.data, Some(Data::AgentStateEvent(_)))
            && e.subject.starts_with("agents/")
    };
    assert!(witness.events.iter().all(typed));
}
