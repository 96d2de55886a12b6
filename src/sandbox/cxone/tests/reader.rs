//! A plain reader, and what the oracle says of it: of one that keeps the promise, and of those that
//! break it in one way each.

use super::notes::Notes;
use super::*;
use crate::proto::v1;
use v1::event::{Data, Origin};
use v1::session_event::Kind;

/// A client that records every window in which it may have missed something.
struct Reader<'a> {
    visit: &'a Visit,
    notes: Notes,
}

impl<'a> Reader<'a> {
    async fn join(visit: &'a Visit, agent: &str) -> Self {
        let body = json!({ "asAgentId": agent });
        let id = visit.post("agent-sessions/join", body).await.id();
        let mut reader = Self {
            visit,
            notes: Notes::new(agent, id, Clock::system().wall()),
        };
        reader.turn().await;
        reader
    }

    /// One poll and what follows from its answer.
    async fn turn(&mut self) {
        let id = self.notes.ask(Clock::system().wall());
        if let Ok(got) = self.visit.hold(&id, 0).await {
            let now = Clock::system().wall();
            let branch = got.branch.as_deref();
            self.notes.hear(got.status, branch, &got.body, now);
        }
    }

    fn verdict(&self) -> CxoneVerdict {
        self.judge(&self.notes.got)
    }

    fn judge(&self, got: &[v1::Event]) -> CxoneVerdict {
        let mut oracle = CxoneOracle::new();
        oracle.take(got);
        oracle.judge(&self.visit.tenant.record())
    }
}

fn set_kind(event: &mut v1::Event, kind: Kind) {
    if let Some(Data::SessionEvent(fact)) = &mut event.data {
        fact.set_kind(kind);
    }
}

fn one_agent() -> CxoneConfig {
    CxoneConfig {
        agents: 1,
        ..CxoneConfig::default()
    }
}

#[tokio::test]
async fn whoever_keeps_the_promise_under_every_fault_is_clean() {
    let visit = Visit::new(one_agent()).await;
    visit.tenant.tell(50);
    let mut reader = Reader::join(&visit, &visit.agent()).await;
    let faults = [
        CxoneFault::PollStatus {
            status: 502,
            retry_after: None,
            after: HumanDuration::from_secs(0),
        },
        CxoneFault::LostAnswer {},
        CxoneFault::TruncatedBody {
            cut_connection: false,
        },
        CxoneFault::TruncatedBody {
            cut_connection: true,
        },
        CxoneFault::NotJson {},
        CxoneFault::Empty200AtOnce { batch: true },
        CxoneFault::Empty200AtOnce { batch: false },
        CxoneFault::StaleSession {},
        CxoneFault::PollResetInHold {
            after: HumanDuration::from_secs(0),
        },
        CxoneFault::SessionStartLast {},
        CxoneFault::UnknownType {},
        CxoneFault::LowerCaseType {},
    ];
    for round in 0..8 {
        for fault in faults.clone() {
            visit.set(fault.times(1));
            visit.tenant.tell(round % 5 + 1);
            reader.turn().await;
            reader.turn().await;
        }
    }
    visit.tenant.faults().clear_all();
    for _ in 0..2 {
        reader.turn().await;
    }
    let verdict = reader.verdict();
    assert!(verdict.is_clean(), "{verdict}");
    assert!(verdict.on_record > 0 && verdict.coalesced > 0, "{verdict}");
    assert!(
        verdict.delivered > verdict.on_record && verdict.snapshot_items > 0,
        "{verdict}"
    );
}

#[tokio::test]
async fn each_way_to_break_the_promise_is_seen() {
    let visit = Visit::new(one_agent()).await;
    let mut reader = Reader::join(&visit, &visit.agent()).await;
    visit.tenant.tell(200);
    reader.turn().await;
    // The answer is lost, and then there is a gap and a snapshot.
    visit.tenant.tell(20);
    visit.set(CxoneFault::LostAnswer {}.times(1));
    reader.turn().await;
    reader.turn().await;
    visit.tenant.tell(20);
    reader.turn().await;
    let got = reader.notes.got.clone();
    assert!(reader.verdict().is_clean(), "{}", reader.verdict());
    let spoilt = |spoil: fn(&mut Vec<v1::Event>)| {
        let mut got = got.clone();
        spoil(&mut got);
        reader.judge(&got)
    };
    // The join's snapshot is two items; what follows is live, and different from event to event.
    let found = spoilt(|got| drop(got.remove(4)));
    assert!(found.lost == 1, "{found}");
    let found = spoilt(|got| got.insert(5, got[4].clone()));
    assert!(found.doubled + found.lost == 1, "{found}");
    let found = spoilt(|got| got.swap(4, 12));
    assert!(found.disordered > 0, "{found}");
    let found = spoilt(|got| got[4].raw_data = b"{}"[..].into());
    assert!(found.invented == 1 && found.lost == 1, "{found}");
    let found = spoilt(|got| got.retain(|event| event.origin() != Origin::Sidecar));
    assert!(found.lost > 0, "{found}");
    let mut got = reader.notes.got.clone();
    let at = got
        .iter()
        .position(|event| event.origin() == Origin::Sidecar)
        .unwrap();
    let mut suspected = got[at].clone();
    suspected.sequence = 7;
    set_kind(&mut suspected, Kind::GapSuspected);
    let confirmed = v1::SessionEvent {
        kind: Kind::GapConfirmed.into(),
        gap_sequence: 7,
        ..Default::default()
    };
    got[at].data = Some(Data::SessionEvent(confirmed));
    got.insert(0, suspected);
    assert!(reader.judge(&got).is_clean(), "{}", reader.judge(&got));
    let found = spoilt(|got| {
        for event in got {
            event.subject = "agents/other".to_owned();
        }
    });
    assert!(found.differing == 1, "{found}");
}

#[tokio::test]
async fn two_sessions_that_fight_lose_nothing_without_a_record() {
    let visit = Visit::new(one_agent()).await;
    let mut one = Reader::join(&visit, &visit.agent()).await;
    let mut other = Reader::join(&visit, &visit.agent()).await;
    for _ in 0..20 {
        visit.tenant.tell(3);
        one.turn().await;
        other.turn().await;
    }
    one.turn().await;
    let verdict = one.verdict();
    assert!(verdict.is_clean() && verdict.on_record > 0, "{verdict}");
}
