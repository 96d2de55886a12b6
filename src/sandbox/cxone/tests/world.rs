//! The world: contacts live and end, agents move, and the same seed tells the same story.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn each_kind_of_contact_lives_from_its_offer_to_its_end() {
    let visit = Visit::plain().await;
    let mut id = visit.live().await;
    let cases = [
        (ContactKind::Call, "CallContactEvent", "Incoming"),
        (ContactKind::OutboundCall, "CallContactEvent", "Dialing"),
        (ContactKind::Digital, "DigitalContactEvent", "Incoming"),
        (ContactKind::VoiceMail, "VoiceMailContactEvent", "Incoming"),
        (ContactKind::WorkItem, "WorkItemContactEvent", "Incoming"),
    ];
    for (kind, event_type, first) in cases {
        let contact = visit.change(Change::Offer { kind }).contact.unwrap();
        let step = |status: &str, ended| Change::Contact {
            contact: contact.clone(),
            status: status.to_owned(),
            ended,
        };
        visit.change(step("Active", false));
        let got = visit.poll(&id).await;
        id = got.id();
        assert_eq!(got.types(), [event_type, event_type]);
        let [offer, active] = &got.events()[..] else {
            panic!("two events");
        };
        assert_eq!(
            (&offer["Status"], &active["Status"]),
            (&first.into(), &"Active".into())
        );
        assert_eq!(offer["ContactID"], contact.as_str());
        assert_eq!(offer["StartTimeUTC"], active["StartTimeUTC"]);
        if kind != ContactKind::Digital {
            assert_eq!(active["FinalState"], "False");
        }
        assert_eq!(visit.tenant.present()[0].contacts.len(), 1);
        visit.change(step(kind.last_status(), true));
        let got = visit.poll(&id).await;
        id = got.id();
        assert_eq!(got.events()[0]["Status"], kind.last_status());
        assert_eq!(visit.tenant.present()[0].contacts, []);
    }
}

#[tokio::test]
async fn the_story_is_told_again_by_the_same_seed_and_uses_every_kind_of_event() {
    let mut stories = Vec::new();
    for seed in [1, 1, 2] {
        let rng = Rng::from_seed(seed);
        let clock = Clock::anchored(crate::domain::WallTime::from_millis(1_773_135_667_552));
        let config = CxoneConfig::default();
        let tenant = CxoneAgent::start(config, clock, rng).await.unwrap();
        tenant.tell(2_000);
        let types = tenant.facts(0, usize::MAX).into_iter();
        stories.push(
            types
                .map(|fact| (fact.agent, fact.event_type))
                .collect::<Vec<_>>(),
        );
        assert!(
            tenant
                .present()
                .iter()
                .all(|agent| agent.contacts.len() <= 3)
        );
    }
    assert_eq!(stories[0], stories[1]);
    assert_ne!(stories[0], stories[2]);
    let types: BTreeSet<_> = stories[0].iter().map(|(_, kind)| &**kind).collect();
    for kind in [
        "AgentState",
        "CallContactEvent",
        "CustomEvent",
        "DigitalContactEvent",
        "Mute",
        "VoiceMailContactEvent",
        "WorkItemContactEvent",
    ] {
        assert!(types.contains(kind), "{kind}");
    }
}

#[tokio::test]
async fn the_story_goes_on_at_its_rate() {
    let config = CxoneConfig {
        rate: 500.0,
        ..CxoneConfig::default()
    };
    let visit = Visit::new(config).await;
    visit.until(|tenant| tenant.facts(100, 1).len() == 1).await;
    visit.tenant.set_rate(0.0);
    visit.tenant.shutdown().await;
}
