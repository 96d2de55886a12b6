//! The history, and the JWT that opens it.

use super::*;

#[tokio::test]
async fn what_the_agent_said_while_nobody_listened_stands_in_the_history_alone() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    socket.close(None).await.unwrap();
    visit.until(|sandbox| sandbox.sockets() == 0).await;
    visit.sandbox.say(TOKEN, "Are you there?").unwrap();
    let (mut socket, _) = visit.join(TOKEN).await;
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    assert_eq!(visit.texts(&jwt).await, ["Are you there?"]);
    assert_eq!(visit.sandbox.said()[0].pushed, []);
    visit.sandbox.say(TOKEN, "Now you are.").unwrap();
    assert_eq!(next(&mut socket).await["body"]["text"], "Now you are.");
}

#[tokio::test]
async fn pages_come_newest_first_and_keep_no_tracing_id() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    for number in 0..7 {
        say(&mut socket, TOKEN, "t", &number.to_string()).await;
        next(&mut socket).await;
    }
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    let page = visit.history(&jwt, "?pageSize=3&pageNumber=3").await.json();
    assert_eq!(page["entities"].as_array().unwrap().len(), 1);
    assert_eq!(page["entities"][0]["text"], "0");
    assert_eq!((&page["total"], &page["pageCount"]), (&json!(7), &json!(3)));
    let first = visit.history(&jwt, "?pageSize=3").await.json();
    assert_eq!(first["entities"][0]["text"], "6");
    assert_eq!(first["entities"][0]["direction"], "Inbound");
    assert!(!first.to_string().contains("tracingId"));
    assert_eq!(visit.history(&jwt, "?pageSize=101").await.status, 400);
    assert_eq!(visit.history(&jwt, "?pageNumber=0").await.status, 400);
}

#[tokio::test]
async fn a_jwt_opens_the_history_of_its_session_until_it_expires() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let (mut other, _) = visit.join(OTHER).await;
    say(&mut other, OTHER, "t", "mine").await;
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    assert_eq!(visit.texts(&jwt).await, [""; 0]);
    assert_eq!(visit.history("another", "").await.status, 401);
    let url = visit.url("api/v2/webmessaging/messages");
    assert_eq!(read(visit.http.get(url)).await.status, 401);
    visit.set(GuestFault::ExpireJwtsNow {});
    assert_eq!(visit.history(&jwt, "").await.status, 401);
    let short = Visit::new(GuestConfig {
        jwt_lifetime: Duration::from_nanos(1),
        ..messaging()
    })
    .await;
    let (mut socket, _) = short.join(TOKEN).await;
    let jwt = short.jwt(&mut socket, TOKEN).await;
    assert_eq!(short.history(&jwt, "").await.status, 401);
}

#[tokio::test]
async fn the_history_may_be_down_late_or_cut_short() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    for (status, retry_after) in [(500, None), (429, Some("7".to_owned()))] {
        let fault = GuestFault::HistoryDown {
            status,
            retry_after: retry_after.clone(),
        };
        visit.set(fault.times(1));
        let got = visit.history(&jwt, "").await;
        assert_eq!((got.status, got.retry_after), (status, retry_after));
    }
    visit.set(GuestFault::TruncatedBody {}.times(1));
    let request = visit.http.get(visit.url("api/v2/webmessaging/messages"));
    let answer = request.bearer_auth(&jwt).send().await.unwrap();
    assert!(answer.text().await.is_err(), "the body ends in the middle");
    let delay = HumanDuration::from_secs(3600);
    visit.set(GuestFault::HistoryLate { delay }.times(1));
    say(&mut socket, TOKEN, "1", "taken").await;
    next(&mut socket).await;
    say(&mut socket, TOKEN, "2", "shown").await;
    next(&mut socket).await;
    assert_eq!(visit.texts(&jwt).await, ["shown"]);
    assert_eq!(visit.sandbox.record().taken(), 2);
    visit.set(GuestFault::RefuseJwt { code: 401 }.times(1));
    ask(
        &mut socket,
        &json!({ "action": "getJwt", "token": TOKEN, "tracingId": "j" }),
    )
    .await;
    assert_eq!(error(&mut socket).await, (401, Some("j".to_owned())));
}
