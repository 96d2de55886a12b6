//! Where loss windows begin and end, whatever the network holds back and whoever sets the clock (U18).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::fake::{Fake, OWN_PING};
use super::rig::{Rig, Sent};
use super::unnumbered::{PLATFORM_LAG, back, on, raw, window};
use crate::connectors::Identity;
use crate::domain::WallTime;
use crate::net::Frame;
use crate::proto::v1::event::Data;
use crate::proto::v1::session_event::Kind;
use crate::session::TransportChoice;
use crate::session::machine::{Input, StateName};

fn pong(rig: &mut Rig, payload: &[u8]) {
    let (generation, ..) = rig.last_dial();
    let frame = Frame::Pong(Bytes::copy_from_slice(payload));
    rig.input(Input::Frame { generation, frame });
}

/// The questions on a connection since the last look, oldest first.
fn questions(rig: &mut Rig) -> Vec<Bytes> {
    let (generation, ..) = rig.last_dial();
    let sent = rig.sent().into_iter();
    let pings = sent.filter_map(|sent| match sent {
        Sent::Frame {
            generation: own,
            frame: Frame::Ping(payload),
        } if own == generation && !payload.is_empty() => Some(payload),
        _ => None,
    });
    pings.collect()
}

fn set_clock(rig: &mut Rig, seconds: i64) {
    let by = Duration::from_secs(seconds.unsigned_abs());
    rig.wall = match seconds < 0 {
        true => rig.wall.minus(by),
        false => rig.wall.plus(by),
    };
}

/// Every window on record.
fn windows(rig: &Rig) -> Vec<(WallTime, WallTime)> {
    let facts = rig
        .journal
        .events
        .iter()
        .filter_map(|event| match &event.data {
            Some(Data::SessionEvent(fact)) => Some(fact),
            _ => None,
        });
    let suspected = facts.filter(|fact| fact.kind() == Kind::GapSuspected);
    suspected.map(window).collect()
}

#[test]
fn u18_what_the_network_held_back_for_ten_seconds_lies_in_the_window() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(6);
    // From here on nothing comes through; two events are issued at once.
    let issued = rig.wall;
    rig.secs(10);
    rig.frame("ev:a:the first arrives");
    rig.reset();
    back(&mut rig);
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert!(start <= issued && issued <= end, "{start} {issued} {end}");
}

#[test]
fn u18_a_crash_while_the_network_holds_frames_back_has_them_in_its_window() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(6);
    let issued = rig.wall;
    for _ in 0..10 {
        rig.secs(1);
        rig.frame("beat");
    }
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert!(start <= issued && issued <= end);
}

#[test]
fn u18_a_connection_is_asked_every_five_seconds_answered_or_not() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.sent();
    for answered in [true, false] {
        for _ in 0..100 {
            rig.secs(5);
            rig.frame("beat");
            let asked = questions(&mut rig);
            assert_eq!(asked.len(), 1);
            if answered {
                pong(&mut rig, &asked[0]);
            }
        }
    }
    let mut rig = Rig::new();
    rig.input(Input::Start);
    rig.sent();
    rig.secs(60);
    let asked = questions(&mut rig);
    assert!(asked.is_empty(), "numbers tell what is missing");
}

#[test]
fn u18_a_pong_that_answers_no_question_proves_nothing() {
    let mut rig = on(Fake::new(Identity::Neither));
    let confirmed = rig.wall;
    rig.sent();
    rig.secs(10);
    for payload in [&b""[..], b"x", &[0; 8], &[0xff; 8], OWN_PING.as_bytes()] {
        pong(&mut rig, payload);
    }
    rig.reset();
    back(&mut rig);
    let (start, _) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!(start, confirmed.minus(PLATFORM_LAG));
}

#[test]
fn u18_where_a_platform_has_a_ping_of_its_own_the_edges_pong_proves_nothing() {
    let mut fake = Fake::new(Identity::Neither);
    fake.own_questions = true;
    let mut rig = on(fake);
    rig.sent();
    rig.secs(5);
    let asked = rig.wall;
    let own = rig.sent().into_iter().find_map(|sent| match sent {
        Sent::Frame {
            frame: Frame::Text(text),
            ..
        } => Some(String::from_utf8(text.to_vec()).unwrap()),
        _ => None,
    });
    let own = own.unwrap().replace("ask", "proof");
    rig.secs(17);
    pong(&mut rig, b"");
    pong(&mut rig, &2_u64.to_be_bytes());
    rig.frame(&own);
    rig.frame("proof:ff");
    rig.reset();
    back(&mut rig);
    let (start, _) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!(start, asked.minus(PLATFORM_LAG));
}

#[test]
fn u5_a_dead_connection_that_is_to_answer_for_another_is_found_dead_in_time() {
    for own_questions in [false, true] {
        let mut fake = Fake::new(Identity::Neither);
        fake.own_questions = own_questions;
        let mut rig = on(fake);
        let (old, ..) = rig.last_dial();
        rig.secs(1);
        rig.frame("closing");
        rig.dialled(Ok(()));
        rig.frame("ok");
        rig.secs(11);
        let dropped = |s: &Sent| matches!(s, Sent::Drop { generation } if *generation == old);
        assert!(rig.sent.iter().any(dropped), "{own_questions}");
        assert_eq!(rig.state(), StateName::LiveWebSocket);
        assert_eq!(windows(&rig).len(), 1);
    }
}

#[test]
fn u18_an_answer_is_one_to_every_older_question_and_to_no_newer_one() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.sent();
    rig.secs(5);
    let first = rig.wall;
    rig.secs(5);
    let second = rig.wall;
    rig.secs(6);
    let asked = questions(&mut rig);
    assert_eq!(asked.len(), 3);
    pong(&mut rig, &asked[1]);
    // Late, twice, and older than what is known.
    pong(&mut rig, &asked[1]);
    pong(&mut rig, &asked[0]);
    rig.reset();
    back(&mut rig);
    let (start, _) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!(start, second.minus(PLATFORM_LAG));
    assert!(first < second);
}

#[test]
fn u18_a_poll_covers_what_was_issued_before_it_was_sent() {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.long_poll = true;
    fake.capabilities.websocket = false;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    let answer = |rig: &mut Rig, body: &str| {
        let (call, ..) = rig.last_call("/next");
        rig.answer_to(call, 200, &[], body);
    };
    rig.secs(3);
    answer(&mut rig, "ev:a:1");
    let asked = rig.wall;
    rig.secs(12);
    answer(&mut rig, "ev:a:2");
    // At once, and with nothing: whoever says that need not know it.
    answer(&mut rig, "");
    rig.secs(2);
    rig.crash();
    rig.secs(2);
    answer(&mut rig, "ev:a:3");
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!((start, end), (asked.minus(PLATFORM_LAG), rig.wall));
}

#[test]
fn u18_an_empty_200_that_the_network_held_back_covers_nothing() {
    for (status, covers) in [(200, false), (204, true), (304, true)] {
        let mut fake = Fake::new(Identity::Neither);
        fake.capabilities.long_poll = true;
        fake.capabilities.websocket = false;
        fake.capabilities.resumes = true;
        let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
        rig.input(Input::Start);
        let first = rig.wall;
        rig.secs(2);
        let (call, ..) = rig.last_call("/next");
        rig.answer_to(call, 200, &[], "cursor:s1;ev:a:1");
        let asked = rig.wall;
        rig.secs(20);
        let (call, ..) = rig.last_call("/next");
        rig.answer_to(call, status, &[], "");
        rig.secs(2);
        let (call, ..) = rig.last_call("/next");
        rig.answer_to(call, 200, &[], "cursor:s2;missed;ev:a:2");
        let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
        let since = if covers { asked } else { first };
        assert_eq!(
            (start, end),
            (since.minus(PLATFORM_LAG), rig.wall),
            "{status}"
        );
    }
}

#[test]
fn u18_a_clock_that_is_set_back_stretches_the_window_over_all_that_it_showed() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(5);
    let (generation, ..) = rig.last_dial();
    rig.pong_of(generation);
    rig.secs(2);
    let most = rig.wall;
    set_clock(&mut rig, -3_600);
    // It may have been set as soon as the pong had come.
    let least = rig.wall.minus(Duration::from_secs(2));
    rig.frame("beat");
    rig.reset();
    back(&mut rig);
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!((start, end), (least.minus(PLATFORM_LAG), most));
    // Later windows have nothing to do with it.
    let mut lived = rig.wall;
    for _ in 0..3 {
        rig.secs(5);
        lived = rig.wall;
        let (generation, ..) = rig.last_dial();
        rig.pong_of(generation);
    }
    rig.reset();
    back(&mut rig);
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!((start, end), (lived.minus(PLATFORM_LAG), rig.wall));
}

#[test]
fn u18_a_clock_that_is_set_forward_leaves_the_windows_begin_where_it_was() {
    let mut rig = on(Fake::new(Identity::Neither));
    let lived = rig.wall;
    rig.secs(2);
    set_clock(&mut rig, 3_600);
    rig.reset();
    back(&mut rig);
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert_eq!((start, end), (lived.minus(PLATFORM_LAG), rig.wall));
}

#[test]
fn u18_a_clock_that_was_set_back_before_a_crash_is_known_after_it() {
    let mut rig = on(Fake::new(Identity::Neither));
    rig.secs(2);
    let most = rig.wall;
    set_clock(&mut rig, -3_600);
    let least = rig.wall;
    rig.frame("beat");
    rig.crash();
    rig.dialled(Ok(()));
    rig.frame("ok");
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert!(
        start <= least && most <= end,
        "{start} {least} {most} {end}"
    );
}

/// A session that polls, and that the platform has refused for now.
fn suspended() -> Rig {
    let mut fake = Fake::new(Identity::Neither);
    fake.capabilities.long_poll = true;
    fake.capabilities.websocket = false;
    fake.capabilities.resumes = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.secs(2);
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 200, &[], "cursor:s1;ev:a:1");
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 403, &[], "");
    assert_eq!(rig.state(), StateName::Suspended);
    rig
}

#[test]
fn u18_what_the_platform_says_was_missed_reaches_over_a_clock_set_back_meanwhile() {
    let mut rig = suspended();
    rig.secs(100);
    let most = rig.wall;
    set_clock(&mut rig, -3_600);
    let least = rig.wall;
    rig.input(Input::TokenRenewed { generation: 0 });
    rig.until_request(400);
    rig.secs(3);
    let (call, ..) = rig.last_call("/next");
    rig.answer_to(call, 200, &[], "cursor:s2;missed;ev:a:2");
    let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
    assert!(
        start <= least && most <= end,
        "{start} {least} {most} {end}"
    );
}

#[test]
fn u18_a_clock_that_is_set_back_without_a_connection_is_known_after_a_crash() {
    for begins in [false, true] {
        let mut rig = suspended();
        if begins {
            rig.crash();
            assert_eq!(rig.state(), StateName::Subscribing);
        }
        rig.secs(100);
        let most = rig.wall;
        set_clock(&mut rig, -60);
        let least = rig.wall;
        rig.secs(5);
        rig.crash();
        rig.secs(3);
        let (call, ..) = rig.last_call("/next");
        rig.answer_to(call, 200, &[], "cursor:s2;missed;ev:a:2");
        let (start, end) = window(&rig.last_fact(Kind::GapSuspected));
        assert!(
            start <= least && most <= end,
            "{begins}: {start} {least} {most} {end}"
        );
    }
}

#[test]
fn a_subscription_is_confirmed_by_the_answer_to_its_own_ping_alone() {
    let mut fake = Fake::new(Identity::Neither);
    fake.confirms_by_pong = true;
    let mut rig = Rig::with(fake.shared(), TransportChoice::Auto);
    rig.input(Input::Start);
    rig.dialled(Ok(()));
    pong(&mut rig, b"");
    pong(&mut rig, &1_u64.to_be_bytes());
    rig.frame("ev:a:1");
    assert_eq!(rig.state(), StateName::Subscribing);
    pong(&mut rig, OWN_PING.as_bytes());
    assert_eq!(rig.state(), StateName::LiveWebSocket);
    assert_eq!(raw(&rig), ["1"]);
}

/// What happens next on one connection.
#[derive(Debug, Clone)]
enum Step {
    Issue,
    Wait(u64),
    /// From the platform to us nothing, or everything that waited, comes through.
    Hold(bool),
    /// So many things that wait come through.
    Trickle(usize),
    Clock(i64),
    Reset,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Issue),
        4 => (1_u64..4_000).prop_map(Step::Wait),
        2 => any::<bool>().prop_map(Step::Hold),
        2 => (1_usize..5).prop_map(Step::Trickle),
        1 => (-4_000_i64..4_000).prop_map(Step::Clock),
        1 => Just(Step::Reset),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..120)
}

enum Sends {
    Event(String),
    Pong(Bytes),
}

/// A platform behind a network that keeps the order and holds back what it likes.
struct Behind {
    rig: Rig,
    way: VecDeque<Sends>,
    held: bool,
    issued: Vec<(String, WallTime)>,
}

impl Behind {
    /// The platform answers what it was asked, behind what it sent before.
    fn exchange(&mut self) {
        for payload in questions(&mut self.rig) {
            self.way.push_back(Sends::Pong(payload));
        }
        if !self.held {
            self.pass(usize::MAX);
        }
    }

    fn pass(&mut self, most: usize) {
        for _ in 0..most {
            match self.way.pop_front() {
                Some(Sends::Event(text)) => self.rig.frame(&format!("ev:a:{text}")),
                Some(Sends::Pong(payload)) => pong(&mut self.rig, &payload),
                None => return,
            }
        }
    }

    /// Whatever was under way is gone; the sidecar comes back.
    fn again(&mut self) {
        self.way.clear();
        for _ in 0..2_000 {
            if self.rig.state() == StateName::LiveWebSocket {
                break;
            }
            match self.rig.state() {
                StateName::Handshaking => self.rig.dialled(Ok(())),
                StateName::Subscribing => self.rig.frame("ok"),
                _ => self.rig.millis(100),
            }
        }
        assert_eq!(self.rig.state(), StateName::LiveWebSocket);
        self.rig.sent();
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Issue => {
                let text = self.issued.len().to_string();
                self.issued.push((text.clone(), self.rig.wall));
                self.way.push_back(Sends::Event(text));
            }
            // The platform answers when it is asked, not when somebody looks.
            Step::Wait(millis) => {
                for _ in 0..millis.div_ceil(100) {
                    self.rig.millis(100);
                    self.exchange();
                }
            }
            Step::Hold(held) => self.held = *held,
            Step::Trickle(most) => self.pass(*most),
            // Nobody can know of a clock that is set and not looked at.
            Step::Clock(seconds) => {
                set_clock(&mut self.rig, *seconds);
                self.rig.input(Input::TokenRenewed { generation: 0 });
            }
            Step::Reset => {
                self.rig.reset();
                self.again();
            }
            Step::Crash => {
                self.rig.crash();
                self.again();
            }
        }
        self.exchange();
        if self.rig.state() != StateName::LiveWebSocket {
            self.again();
        }
    }
}

proptest! {
    #[test]
    fn u18_every_loss_lies_in_a_window(steps in steps()) {
        let mut behind = Behind {
            rig: on(Fake::new(Identity::Neither)),
            way: VecDeque::new(),
            held: false,
            issued: Vec::new(),
        };
        behind.rig.sent();
        for step in &steps {
            behind.step(step);
        }
        behind.held = false;
        behind.rig.reset();
        behind.again();
        let got = raw(&behind.rig);
        let windows = windows(&behind.rig);
        for (text, issued) in &behind.issued {
            let on_record = windows.iter().any(|(start, end)| start <= issued && issued <= end);
            prop_assert!(
                got.contains(text) || on_record,
                "event {} of {} is lost: {:?}", text, issued, windows
            );
        }
    }
}
