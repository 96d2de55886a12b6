//! Connections that are cut around a message, and what the record says of it then.

use super::*;

const CUT: Receipt = Receipt::Cut;

fn cut_entry(id: &str) -> (String, String, Receipt) {
    ("x".to_owned(), id.to_owned(), CUT)
}

#[tokio::test]
async fn a_connection_is_cut_before_after_or_within() {
    for (fault, taken) in [
        (GuestFault::CutBeforeTaking {}, 0),
        (GuestFault::CutAfterTaking {}, 1),
        (GuestFault::CutInEcho {}, 1),
    ] {
        let visit = Visit::new(messaging()).await;
        let (mut socket, _) = visit.join(TOKEN).await;
        visit.set(fault.clone().times(1));
        say(&mut socket, TOKEN, "t", "x").await;
        breaks(&mut socket).await;
        let expected = vec![cut_entry("t"); taken];
        assert_eq!(visit.record(), expected, "{fault:?}");
        assert_eq!(visit.sandbox.faults().struck(fault.name()), 1);
        assert_eq!(visit.join(TOKEN).await.1["newSession"], false);
    }
}

#[tokio::test]
async fn a_message_may_arrive_when_its_connection_is_gone() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let fault = GuestFault::LateArrival {
        after: HumanDuration::from_secs(3600),
        after_history: true,
        echo: true,
    };
    visit.set(fault.times(1));
    say(&mut socket, TOKEN, "t", "x").await;
    breaks(&mut socket).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    assert_eq!(visit.record(), []);
    assert_eq!(visit.texts(&jwt).await, [""; 0], "it was not in there yet");
    assert_eq!(visit.texts(&jwt).await, ["x"], "and then it was");
    assert_eq!(next(&mut socket).await["tracingId"], "t", "a later echo");
    assert_eq!(visit.record(), [cut_entry("t")]);
    assert!(visit.sandbox.record().entries()[0].late);
}

#[tokio::test]
async fn a_message_may_arrive_by_itself_and_without_an_echo() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let fault = GuestFault::LateArrival {
        after: HumanDuration::from_millis(20),
        after_history: false,
        echo: false,
    };
    visit.set(fault.times(1));
    say(&mut socket, TOKEN, "t", "x").await;
    breaks(&mut socket).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.until(|sandbox| sandbox.record().taken() == 1).await;
    say(&mut socket, TOKEN, "u", "y").await;
    assert_eq!(next(&mut socket).await["tracingId"], "u");
}

#[tokio::test]
async fn echoes_may_be_late_or_lost() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let delay = HumanDuration::from_secs(3600);
    visit.set(GuestFault::LateEcho { delay }.times(1));
    say(&mut socket, TOKEN, "1", "late").await;
    say(&mut socket, TOKEN, "2", "prompt").await;
    assert_eq!(next(&mut socket).await["tracingId"], "2");
    visit.set(GuestFault::LostEcho {}.times(1));
    say(&mut socket, TOKEN, "3", "lost").await;
    say(&mut socket, TOKEN, "4", "prompt").await;
    assert_eq!(next(&mut socket).await["tracingId"], "4");
    visit
        .until(|sandbox| sandbox.record().entries()[3].receipt == Receipt::Written)
        .await;
    let receipts = || -> Vec<_> { visit.record().into_iter().map(|(_, _, r)| r).collect() };
    let lost = Receipt::Lost {
        fault: GuestFaultName::LostEcho,
    };
    let (waiting, written) = (Receipt::Waiting, Receipt::Written);
    assert_eq!(receipts(), [waiting, written, lost, written]);
    drop(socket);
    visit.until(|sandbox| sandbox.sockets() == 0).await;
    assert_eq!(receipts(), [Receipt::Cut, written, lost, written]);
}

#[tokio::test]
async fn errors_may_be_of_any_code_nameless_and_untrue() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let failing = |taken| GuestFault::MessageError { code: 5000, taken }.times(1);
    visit.set(failing(false));
    say(&mut socket, TOKEN, "1", "x").await;
    assert_eq!(error(&mut socket).await, (5000, Some("1".to_owned())));
    assert_eq!(visit.sandbox.record().taken(), 0);
    visit.set(failing(true));
    visit.set(GuestFault::NamelessErrors {}.times(2));
    say(&mut socket, TOKEN, "2", "x").await;
    assert_eq!(error(&mut socket).await, (5000, None));
    assert_eq!(visit.sandbox.record().taken(), 1);
    visit.set(GuestFault::Throttle { retry_after: 3 }.times(1));
    say(&mut socket, TOKEN, "3", "x").await;
    let answer = next(&mut socket).await;
    assert_eq!(
        (&answer["body"]["retryAfter"], &answer["tracingId"]),
        (&json!(3), &Value::Null)
    );
    visit
        .until(|sandbox| sandbox.counters().errors.get(&5000) == Some(&2))
        .await;
}

#[tokio::test]
async fn sessions_may_expire_be_refused_forgotten_and_superseded() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.set(GuestFault::ExpireSession {}.times(1));
    say(&mut socket, TOKEN, "t", "x").await;
    assert_eq!(next(&mut socket).await["class"], "SessionExpiredEvent");
    assert_eq!(error(&mut socket).await.0, 4006);
    visit.set(GuestFault::RefuseSession { code: 4007 }.times(1));
    let mut socket = visit.open().await;
    visit.configure(&mut socket, OTHER, false).await;
    assert_eq!(error(&mut socket).await.0, 4007);
    visit.configure(&mut socket, OTHER, false).await;
    next(&mut socket).await;
    visit.set(GuestFault::ForgetSession {}.times(1));
    assert_eq!(visit.join(OTHER).await.1["newSession"], true);
    let (mut socket, _) = visit.join(OTHER).await;
    visit.set(GuestFault::Supersede {
        after: HumanDuration::from_secs(0),
    });
    let (_, came) = closed(&mut socket).await;
    assert!(came[0].contains("ConnectionClosedEvent"));
    assert_eq!(visit.sandbox.record().taken(), 0);
}

#[tokio::test]
async fn health_may_stay_unanswered_while_messages_flow() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.set(GuestFault::DropHealth {}.times(1));
    let message = json!({ "type": "Text", "text": "ping" });
    let frame = json!({ "action": "echo", "token": TOKEN, "tracingId": "h", "message": message });
    ask(&mut socket, &frame).await;
    say(&mut socket, TOKEN, "t", "x").await;
    assert_eq!(next(&mut socket).await["tracingId"], "t");
}

#[tokio::test]
async fn handshakes_are_refused_stripped_and_swallowed() {
    let visit = Visit::new(messaging()).await;
    let path = visit.socket_path();
    for status in [403, 429, 502] {
        let retry_after = (status == 429).then(|| "9".to_owned());
        let fault = GuestFault::RefuseHandshake {
            status,
            retry_after: retry_after.clone(),
        };
        visit.set(fault.times(1));
        assert_eq!(refused(visit.dial(&path, &[]).await), (status, retry_after));
    }
    visit.set(GuestFault::StripUpgrade { status: 200 }.times(1));
    assert_eq!(refused(visit.dial(&path, &[]).await).0, 200);
    visit.set(GuestFault::Swallow101 {}.times(1));
    let mut hangs = Box::pin(visit.dial(&path, &[]));
    tokio::select! {
        opened = &mut hangs => panic!("{opened:?}"),
        () = visit.until(|s| s.faults().struck(GuestFaultName::Swallow101) == 1) => {}
    }
}

#[tokio::test]
async fn connections_end_stall_and_fall_silent() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let zero = HumanDuration::from_secs(0);
    let close = |code| GuestFault::WebsocketClose {
        code,
        reason: "x".to_owned(),
        after: zero,
    };
    visit.set(close(1001).times(1));
    assert_eq!(closed(&mut socket).await.0, 1001);
    let (mut socket, _) = visit.join(TOKEN).await;
    let reset = GuestFault::WebsocketReset {
        after: zero,
        mid_frame: true,
    };
    visit.set(reset.times(1));
    breaks(&mut socket).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.set(GuestFault::Silence {});
    say(&mut socket, TOKEN, "t", "x").await;
    visit.until(|sandbox| sandbox.record().taken() == 1).await;
    assert_eq!(visit.record()[0].2, Receipt::Waiting);
    visit.clear(GuestFaultName::Silence);
    assert_eq!(next(&mut socket).await["tracingId"], "t");
    visit.set(GuestFault::Freeze {});
    visit
        .until(|s| s.faults().struck(GuestFaultName::Freeze) == 1)
        .await;
    say(&mut socket, TOKEN, "u", "y").await;
    visit.clear(GuestFaultName::Freeze);
    assert_eq!(next(&mut socket).await["tracingId"], "u");
}
