//! Numbers: duplicates, holes, catch-up, gap records, restarts.

use super::rig::{EMPTY, Rig, batch, event};
use crate::connectors::{Capabilities, Connector};
use crate::proto::v1::event::Origin;
use crate::proto::v1::session_event::Kind;
use crate::session::machine::{Input, StateName};

pub(super) fn ids(rig: &Rig) -> Vec<String> {
    rig.platform_events().map(|e| e.id.clone()).collect()
}

#[test]
fn u15_the_position_survives_a_crash_with_the_events_it_covers() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1, 2]));
    rig.auto_append = false;
    rig.frame(&batch(&[3]));
    rig.frame(&batch(&[4]));
    rig.commit_one();
    rig.auto_append = true;
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 3, "4 was on its way and is not covered");
    rig.frame(&batch(&[4, 5]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4, 5]);
}

#[test]
fn u15_an_empty_batch_may_advance_the_cursor_alone() {
    let mut rig = Rig::on_long_poll();
    rig.poll(200, r#"{"sequence":50,"events":[]}"#);
    assert_eq!(rig.asked_after(), 50);
    let events = rig.journal.events.len();
    rig.crash();
    rig.refused_dial(400);
    assert_eq!(rig.asked_after(), 50, "committed without an event");
    rig.poll(200, &batch(&[51]));
    assert_eq!(rig.numbers(), [51]);
    assert!(!rig.kinds().contains(&"gap_suspected".to_owned()));
    assert!(rig.journal.events.len() <= events + 2);
}

#[test]
fn u15_an_event_without_a_number_has_its_batchs() {
    let mut rig = Rig::on_websocket();
    rig.frame(r#"{"sequence":1,"events":[{"eventType":"a"},{"eventType":"b"}]}"#);
    rig.frame(r#"{"eventType":"a","sequence":2}"#);
    assert_eq!(rig.numbers(), [1, 1, 2]);
    assert_eq!(ids(&rig), ["0:1:0", "0:1:1", "0:2:0"]);
}

#[test]
fn u16_repeated_numbers_are_dropped_as_a_whole_and_counted() {
    let mut rig = Rig::on_websocket();
    rig.frame(r#"{"sequence":1,"events":[{"eventType":"a"},{"eventType":"b"}]}"#);
    rig.frame(r#"{"sequence":1,"events":[{"eventType":"a"},{"eventType":"b"}]}"#);
    rig.frame(&batch(&[2]));
    rig.frame(&batch(&[1, 2]));
    assert_eq!(rig.numbers(), [1, 1, 2]);
    assert_eq!(rig.stats.snapshot().duplicates, 4);
}

#[test]
fn u16_an_event_that_stands_twice_in_its_batch_is_one_event() {
    for mut rig in [Rig::on_websocket(), Rig::on_long_poll()] {
        let body = batch(&[1, 2, 2, 3, 1]);
        match rig.state() {
            StateName::LiveWebSocket => rig.frame(&body),
            _ => rig.poll(200, &body),
        }
        assert_eq!(rig.numbers(), [1, 2, 3]);
        assert_eq!(rig.stats.snapshot().duplicates, 2);
    }
    // Two that differ are two facts, whatever the platform thought.
    let mut rig = Rig::on_websocket();
    rig.frame(r#"{"sequence":1,"events":[{"eventType":"a","sequence":1},{"eventType":"b","sequence":1}]}"#);
    assert_eq!(rig.numbers(), [1, 1]);
}

#[test]
fn u17_a_hole_is_suspected_filled_from_history_and_closed() {
    for over_websocket in [true, false] {
        let mut rig = if over_websocket {
            Rig::on_websocket()
        } else {
            Rig::on_long_poll()
        };
        let bring = |rig: &mut Rig, body: &str| {
            if over_websocket {
                rig.frame(body)
            } else {
                rig.poll(200, body)
            }
        };
        bring(&mut rig, &batch(&[1]));
        bring(&mut rig, &batch(&[5]));
        assert_eq!(rig.numbers(), [1], "later events are held");
        let suspected = rig.last_fact(Kind::GapSuspected);
        let missing = (
            suspected.first_missing_provider_sequence,
            suspected.last_missing_provider_sequence,
        );
        assert_eq!(missing, (2, 4));
        let (_, target, _) = rig.last_call("/history");
        assert!(
            target.ends_with("after=1&channels=a%2Cb&through=4"),
            "{target}"
        );
        if !over_websocket {
            assert_eq!(rig.asked_after(), 5, "polls ask after the highest received");
        }
        bring(&mut rig, &batch(&[6]));
        rig.history(200, &batch(&[2, 3, 4]));
        assert_eq!(rig.numbers(), [1, 2, 3, 4, 5, 6]);
        let backfill = |n| {
            rig.platform_events()
                .nth(n)
                .map(|e| e.origin() == Origin::Backfill)
        };
        assert_eq!(
            (0..6).map(|n| backfill(n).unwrap()).collect::<Vec<_>>(),
            [false, true, true, true, false, false]
        );
        let closed = rig.last_fact(Kind::GapClosed);
        let at = rig
            .journal
            .events
            .iter()
            .find(|e| e.r#type == "tieline.session.gap_suspected.v1");
        assert_eq!(closed.gap_sequence, at.unwrap().sequence);
        assert_eq!(rig.stats.snapshot().backfilled, 3);
        assert!(
            rig.journal.state.keys().all(|k| !k.contains("/gaps/")),
            "nothing stays open"
        );
    }
}

#[test]
fn u17_what_live_frames_bring_late_fills_as_well() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    rig.frame(&batch(&[3]));
    rig.frame(&batch(&[2]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert_eq!(rig.kinds(), ["connected", "gap_suspected", "gap_closed"]);
    assert!(rig.platform_events().all(|e| e.origin() == Origin::Live));
}

/// The same platform, but for its loose order.
#[derive(Debug)]
struct Loose(std::sync::Arc<dyn Connector>, Capabilities);

impl Connector for Loose {
    fn platform(&self) -> crate::domain::Platform {
        self.0.platform()
    }
    fn source(&self) -> &str {
        self.0.source()
    }
    fn topics(&self) -> &[String] {
        self.0.topics()
    }
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }
    fn addresses(&self) -> &crate::net::UrlPolicy {
        self.0.addresses()
    }
    fn probe(&self) -> Option<crate::connectors::Handshake> {
        self.0.probe()
    }
    fn link(&self, opening: crate::connectors::Opening<'_>) -> Box<dyn crate::connectors::Link> {
        self.0.link(opening)
    }
    fn catch_up(
        &self,
        range: crate::connectors::NumberRange,
        token: &crate::auth::AccessToken,
    ) -> Option<crate::connectors::Call> {
        self.0.catch_up(range, token)
    }
    fn read_catch_up(
        &self,
        answer: &crate::net::HttpResponse,
    ) -> Result<crate::connectors::Batch, crate::connectors::Unreadable> {
        self.0.read_catch_up(answer)
    }
    fn health(&self, token: &crate::auth::AccessToken) -> Option<crate::connectors::Call> {
        self.0.health(token)
    }
    fn normalize(&self, event: &crate::connectors::ProviderEvent) -> crate::proto::v1::Event {
        self.0.normalize(event)
    }
}

#[test]
fn u17_where_order_is_loose_a_hole_is_a_gap_after_a_quarter_of_a_second() {
    let inner = super::rig::genesys();
    let mut capabilities = inner.capabilities().clone();
    capabilities.loose_order = std::time::Duration::from_millis(250);
    let connector = std::sync::Arc::new(Loose(inner, capabilities));
    let mut rig = Rig::with(connector, crate::session::TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[3]));
    rig.millis(200);
    rig.frame(&batch(&[2]));
    rig.millis(400);
    assert_eq!(
        (rig.kinds().len(), rig.numbers()),
        (1, vec![1, 2, 3]),
        "mere disorder"
    );
    rig.frame(&batch(&[5]));
    rig.millis(249);
    assert_eq!(rig.kinds().len(), 1);
    rig.millis(1);
    assert_eq!(rig.kinds().last().unwrap(), "gap_suspected");
    rig.history(200, &batch(&[4]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4, 5]);
}

#[test]
fn u17_history_that_is_gone_confirms_at_once() {
    for status in [404, 410] {
        let mut rig = Rig::on_websocket();
        rig.frame(&batch(&[1]));
        rig.frame(&batch(&[5, 6]));
        rig.history(status, "");
        let confirmed = rig.last_fact(Kind::GapConfirmed);
        let missing = (
            confirmed.first_missing_provider_sequence,
            confirmed.last_missing_provider_sequence,
        );
        assert_eq!(
            (missing, confirmed.reason.as_str()),
            ((2, 4), "HISTORY_GONE")
        );
        assert_eq!(rig.numbers(), [1, 5, 6]);
        let order: Vec<_> = rig
            .journal
            .events
            .iter()
            .rev()
            .take(3)
            .map(|e| e.provider_sequence)
            .collect();
        assert_eq!(
            order,
            [6, 5, 0],
            "the record stands before what follows the gap"
        );
    }
}

#[test]
fn u17_a_history_that_has_nothing_yet_is_asked_until_the_deadline() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    let mut asked = 0;
    let end = rig.now + std::time::Duration::from_secs(10);
    while rig.machine.gap_deadline().is_some() && rig.now < end {
        let waiting = rig.machine.catch_up_call().is_some();
        if waiting {
            asked += 1;
            rig.history(200, EMPTY);
        }
        rig.millis(100);
    }
    assert!(
        (8..=21).contains(&asked),
        "{asked} questions in ten seconds"
    );
    assert_eq!(rig.numbers(), [1, 4]);
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "NOT_FILLED");
    assert_eq!(rig.requests() - asked, 2, "nothing is asked afterwards");
}

#[test]
fn u17_part_of_a_gap_is_filled_and_the_rest_confirmed() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[10]));
    rig.history(200, &batch(&[4, 5]));
    rig.history(410, "");
    let runs: Vec<_> = rig
        .facts()
        .into_iter()
        .filter(|f| f.kind() == Kind::GapConfirmed)
        .map(|f| {
            (
                f.first_missing_provider_sequence,
                f.last_missing_provider_sequence,
            )
        })
        .collect();
    assert_eq!(runs, [(2, 3), (6, 9)]);
    assert_eq!(rig.numbers(), [1, 4, 5, 10]);
}

#[test]
fn u17_an_event_after_its_gap_was_confirmed_is_backfill_and_names_the_gap() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    rig.history(404, "");
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(&batch(&[3]));
    rig.frame(&batch(&[3]));
    rig.frame(&batch(&[5]));
    assert_eq!(rig.numbers(), [1, 4, 3, 5]);
    let late = rig.platform_events().nth(2).unwrap();
    let suspected = rig
        .journal
        .events
        .iter()
        .find(|e| e.r#type == "tieline.session.gap_suspected.v1");
    assert_eq!(late.origin(), Origin::Backfill);
    assert_eq!(
        late.attributes["gapsequence"],
        suspected.unwrap().sequence.to_string()
    );
}

#[test]
fn u17_an_open_gap_goes_on_after_a_crash_and_is_not_found_again() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert_eq!(
        rig.asked_after(),
        1,
        "held events were lost, the position was not"
    );
    let status_gap = rig
        .journal
        .state
        .keys()
        .filter(|k| k.contains("/gaps/"))
        .count();
    assert_eq!(status_gap, 1);
    rig.frame(&batch(&[4]));
    let suspected = rig
        .kinds()
        .into_iter()
        .filter(|k| k == "gap_suspected")
        .count();
    assert_eq!(suspected, 1);
    assert!(rig.machine.status().open_gap_sequence > 0);
    rig.history(200, &batch(&[2, 3]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4]);
    assert_eq!(rig.kinds().last().unwrap(), "gap_closed");
    assert_eq!(rig.machine.status().open_gap_sequence, 0);
}

#[test]
fn u17_the_deadline_stands_still_while_the_session_is_down() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    rig.frame(&batch(&[4]));
    rig.reset();
    for _ in 0..5 {
        if rig.state() == StateName::Waiting {
            rig.until_request(31);
        }
        rig.refused_dial(503);
        let failure = crate::net::HttpFailure::Connect("refused".to_owned());
        rig.poll_fails(failure);
    }
    assert!(!rig.kinds().contains(&"gap_confirmed".to_owned()));
    rig.until_request(31);
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    assert_eq!(rig.asked_after(), 1);
    rig.frame(&batch(&[2, 3, 4, 5]));
    assert_eq!(rig.numbers(), [1, 2, 3, 4, 5]);
}

#[test]
fn u17_a_full_buffer_ends_the_wait_early() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    for start in 0..11 {
        let numbers: Vec<_> = (0..1_000).map(|n| 3 + start * 1_000 + n).collect();
        rig.frame(&batch(&numbers));
    }
    assert_eq!(rig.last_fact(Kind::GapConfirmed).reason, "BUFFER_FULL");
    assert_eq!(rig.numbers().len(), 11_001);
}

/// A batch of other events under these numbers.
pub(super) fn renewed(numbers: &[u64]) -> String {
    batch(numbers).replace(r#""eventType":"a""#, r#""eventType":"new""#)
}

#[test]
fn u19_numbers_that_begin_again_at_1_end_in_a_record_and_a_new_numbering() {
    for over_websocket in [true, false] {
        let mut rig = if over_websocket {
            Rig::on_websocket()
        } else {
            Rig::on_long_poll()
        };
        let bring = |rig: &mut Rig, body: &str| {
            if over_websocket {
                rig.frame(body)
            } else {
                rig.poll(200, body)
            }
        };
        let old: Vec<_> = (1..=50).collect();
        bring(&mut rig, &batch(&old));
        bring(&mut rig, &renewed(&[1]));
        rig.secs(11);
        bring(&mut rig, &renewed(&[2]));
        let (_, target, _) = rig.last_call("/history");
        assert!(
            target.contains("after=49") && target.ends_with("through=50"),
            "{target}"
        );
        rig.history(404, "");
        assert_eq!(
            rig.last_fact(Kind::GapConfirmed).reason,
            "NUMBERING_RESTARTED"
        );
        assert_eq!(rig.stats.snapshot().restarts, 1);
        if over_websocket {
            rig.until_request(3);
            rig.dialled(Ok(()));
        }
        assert_eq!(rig.asked_after(), 0, "its new numbers, from the first on");
        bring(&mut rig, &renewed(&[1, 2, 3]));
        assert_eq!(ids(&rig)[50..], ["1:1:0", "1:2:0", "1:3:0"]);
        rig.crash();
        if over_websocket {
            rig.dialled(Ok(()));
            rig.dialled(Ok(()));
        } else {
            rig.refused_dial(400);
        }
        assert_eq!(rig.asked_after(), 3);
    }
}

#[test]
fn u19_an_empty_answer_below_the_cursor_is_a_sign_too() {
    let mut rig = Rig::on_long_poll();
    let old: Vec<_> = (1..=50).collect();
    rig.poll(200, &batch(&old));
    rig.secs(25);
    rig.poll(200, r#"{"sequence":3,"events":[]}"#);
    assert_eq!(rig.asked_after(), 50);
    rig.secs(25);
    rig.poll(200, r#"{"sequence":3,"events":[]}"#);
    rig.history(200, EMPTY);
    assert_eq!(rig.stats.snapshot().restarts, 1);
    assert_eq!(rig.asked_after(), 0);
}

#[test]
fn u19_holes_of_the_old_numbering_are_told_when_the_new_one_begins() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&(1..=50).collect::<Vec<_>>()));
    rig.frame(&renewed(&[1]));
    rig.secs(11);
    rig.frame(&renewed(&[2]));
    let (verify, ..) = rig.last_call("/history");
    rig.frame(&batch(&[53]));
    rig.answer_to(verify, 410, &[], "");
    assert_eq!(
        rig.numbers().last(),
        Some(&53),
        "what was held is not dropped"
    );
    let told: Vec<_> = rig
        .facts()
        .into_iter()
        .filter(|f| f.kind() == Kind::GapConfirmed)
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (
            told[0].first_missing_provider_sequence,
            told[0].last_missing_provider_sequence
        ),
        (51, 52)
    );
    assert!(rig.journal.state.keys().all(|k| !k.contains("/gaps/")));
}

#[test]
fn u19_a_platform_that_still_has_our_last_number_only_repeats_itself() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1, 2, 3]));
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(&batch(&[1]));
    rig.secs(11);
    rig.frame(&batch(&[2]));
    rig.history(200, &batch(&[3]));
    rig.frame(&batch(&[4]));
    assert_eq!(
        (rig.numbers(), rig.stats.snapshot().restarts),
        (vec![1, 2, 3, 4], 0)
    );
}

#[test]
fn u19_repeated_events_are_no_sign_of_a_new_numbering() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1, 2, 3]));
    for _ in 0..5 {
        rig.frame(&batch(&[1, 2]));
        rig.secs(8);
    }
    assert_eq!(
        (rig.numbers(), rig.stats.snapshot().restarts),
        (vec![1, 2, 3], 0)
    );
}

#[test]
fn u20_a_malformed_event_neither_stops_nor_skips_its_batch() {
    for over_websocket in [true, false] {
        let mut rig = if over_websocket {
            Rig::on_websocket()
        } else {
            Rig::on_long_poll()
        };
        let body = format!(
            r#"{{"sequence":3,"events":[{},{{"eventType":5,"sequence":2}},{}]}}"#,
            event(1),
            event(3)
        );
        if over_websocket {
            rig.frame(&body)
        } else {
            rig.poll(200, &body)
        }
        assert_eq!(rig.numbers(), [1, 2, 3]);
        let bad = rig.platform_events().nth(1).unwrap();
        assert_eq!(bad.r#type, "ccaas.unmapped.v1");
        assert_eq!(bad.attributes["parseerror"], "it has no type");
        assert_eq!(bad.raw_data, r#"{"eventType":5,"sequence":2}"#);
        assert_eq!(rig.stats.snapshot().malformed, 1);
    }
}

#[test]
fn events_carry_session_origin_and_the_platforms_number() {
    let mut rig = Rig::on_websocket();
    rig.frame(&batch(&[1]));
    let event = rig.platform_events().next().unwrap();
    assert_eq!(event.session, "sessions/cc");
    assert_eq!(event.source, "//genesys-events/api.example.test/cc");
    assert_eq!((event.origin(), event.provider_sequence), (Origin::Live, 1));
    let fact = rig
        .journal
        .events
        .iter()
        .find(|e| e.origin() == Origin::Sidecar)
        .unwrap();
    assert_eq!(
        (fact.subject.as_str(), fact.ordering_key.as_str()),
        ("sessions/cc", "sessions/cc")
    );
    let mut seen = std::collections::HashSet::new();
    assert!(
        rig.journal
            .events
            .iter()
            .all(|e| seen.insert((&e.source, &e.id))),
        "ids are unique"
    );
}

#[test]
fn facts_of_two_lives_have_different_ids() {
    let mut rig = Rig::on_websocket();
    rig.secs(1);
    rig.seed -= 1;
    rig.crash();
    rig.dialled(Ok(()));
    rig.dialled(Ok(()));
    rig.frame(EMPTY);
    let ids: Vec<_> = rig.journal.events.iter().map(|e| e.id.clone()).collect();
    assert_eq!(rig.kinds(), ["connected", "connected"]);
    assert_ne!(ids[0], ids[1]);
    rig.input(Input::Drain);
}
