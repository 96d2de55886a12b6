//! The life of a channel: set-up, reopening, eviction, renewal, silence.

use serde_json::json;

use super::*;
use crate::connectors::{Batch, Confirms, Control, Silent};
use crate::net::Frame;

const BEAT: &str =
    r#"{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}"#;
const EVICTED: &str = r#"{"topicName":"v2.system.no_longer_subscribed.x","eventBody":{"channelId":"streaming-3-abc","reason":"another_channel_subscribed"}}"#;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn fresh() -> (Arc<dyn Connector>, Box<dyn Link>) {
    let connector = connector(&[&presence_of(AGENT)]);
    let link = link_at(&*connector, None, false, noon());
    (connector, link)
}

fn read(link: &mut dyn Link, text: &str) -> Batch {
    link.read_frame(MonoTime::now(), &frame(text)).unwrap()
}

/// What a channel that was set up at noon leaves.
fn left(connector: &dyn Connector) -> Opaque {
    let mut link = link_at(connector, None, false, noon());
    set_up(&mut *link, &token());
    kept(&*link)
}

fn is_ready(link: &mut dyn Link) -> bool {
    matches!(link.setup(&token()), Setup::Ready)
}

#[test]
fn a_new_channel_is_created_subscribed_and_opened_without_a_credential() {
    let (_, mut link) = fresh();
    let create = call(link.setup(&token()));
    assert_eq!(line(&create), "POST /api/v2/notifications/channels");
    assert_eq!(create.headers["authorization"], "Bearer t0ken");
    assert!(create.headers["authorization"].is_sensitive());
    link.setup_answer(&answered(200, CREATED)).unwrap();
    let subscribe = call(link.setup(&token()));
    let path = "PUT /api/v2/notifications/channels/streaming-3-abc/subscriptions?ignoreErrors=true";
    assert_eq!(line(&subscribe), path);
    assert_eq!(body_of(&subscribe), json!([{ "id": presence_of(AGENT) }]));
    link.setup_answer(&answered(200, PERMITTED)).unwrap();
    assert!(is_ready(&mut *link));
    let handshake = link.handshake(&token()).unwrap();
    assert_eq!(handshake.url.as_str(), URI);
    assert!(handshake.headers.is_empty());
    let sent = link.opened(Resume::default());
    assert_eq!(
        sent,
        [Frame::Text(Bytes::from_static(br#"{"message":"ping"}"#))]
    );
}

#[test]
fn the_first_sign_of_life_confirms_every_topic() {
    let (_, mut link) = fresh();
    set_up(&mut *link, &token());
    assert_eq!(read(&mut *link, BEAT).confirms, Confirms::All);
    let system = r#"{"topicName":"v2.subscription.updated","eventBody":{}}"#;
    assert_eq!(read(&mut *link, system).confirms, Confirms::Nothing);
}

#[test]
fn refused_topics_are_told_once_with_what_they_miss() {
    let (_, mut link) = fresh();
    call(link.setup(&token()));
    link.setup_answer(&answered(200, CREATED)).unwrap();
    call(link.setup(&token()));
    let entities = json!({ "entities": [
        { "id": "v2.users.x?presence&routingStatus", "state": "Permitted" },
        { "id": "v2.users.x.routingStatus", "state": "Rejected", "rejectionReason": "no",
          "missingPermissions": ["routing:status:view", "b"] },
        { "id": "v2.bare", "state": "REJECTED" },
    ] });
    link.setup_answer(&answered(200, entities)).unwrap();
    let rejected = |topic: &str, reason: &str| Control::TopicRejected {
        topic: topic.to_owned(),
        reason: reason.to_owned(),
    };
    let expected = [
        rejected(
            "v2.users.x.routingStatus",
            "missing routing:status:view, b: no",
        ),
        rejected("v2.bare", "REJECTED"),
    ];
    assert_eq!(read(&mut *link, BEAT).controls, expected);
    assert!(read(&mut *link, BEAT).controls.is_empty());
}

#[test]
fn a_broken_connection_reopens_its_channel_and_is_told_refusals_again() {
    let (connector, mut link) = fresh();
    call(link.setup(&token()));
    link.setup_answer(&answered(200, CREATED)).unwrap();
    call(link.setup(&token()));
    let refused = json!({ "entities": [{ "id": "v2.a", "state": "Rejected" }] });
    link.setup_answer(&answered(200, refused)).unwrap();
    let kept = kept(&*link);
    assert!(matches!(link.keep(), Keep::Unchanged));
    link.over(None);
    assert!(matches!(link.keep(), Keep::Unchanged));
    let mut next = link_at(&*connector, Some(&kept), false, noon().plus(hours(0)));
    assert!(is_ready(&mut *next));
    assert_eq!(next.handshake(&token()).unwrap().url.as_str(), URI);
    assert_eq!(read(&mut *next, BEAT).controls.len(), 1);
}

#[test]
fn u5_a_connection_beside_another_makes_a_channel_of_its_own() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    let mut beside = link_at(&*connector, Some(&kept), true, noon());
    set_up(&mut *beside, &token());
}

#[test]
fn an_old_or_changed_subscription_is_sent_again_before_the_channel_is_opened() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    let later = noon().plus(hours(2));
    let mut aged = link_at(&*connector, Some(&kept), false, later);
    assert!(line(&call(aged.setup(&token()))).starts_with("PUT"));
    let other = super::connector(&[&presence_of(OTHER_AGENT)]);
    let mut changed = link_at(&*other, Some(&kept), false, noon());
    let put = call(changed.setup(&token()));
    assert_eq!(body_of(&put), json!([{ "id": presence_of(OTHER_AGENT) }]));
    changed.setup_answer(&answered(200, PERMITTED)).unwrap();
    assert!(is_ready(&mut *changed));
}

#[test]
fn a_channel_past_its_life_is_not_opened() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    for (age, path) in [(hours(22), "PUT"), (hours(24), "POST"), (hours(48), "POST")] {
        let mut link = link_at(&*connector, Some(&kept), false, noon().plus(age));
        let line = line(&call(link.setup(&token())));
        // The token of `left` ends after twenty hours, but it is the same that is shown.
        assert!(line.starts_with(path), "{age:?}: {line}");
    }
}

#[test]
fn a_channel_of_an_earlier_token_is_left_before_that_token_ends() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    let fresh = token_named("n3w");
    let mut link = link_at(&*connector, Some(&kept), false, noon().plus(hours(19)));
    assert!(line(&call(link.setup(&fresh))).starts_with("PUT"));
    link.setup_answer(&answered(200, PERMITTED)).unwrap();
    assert!(matches!(link.setup(&fresh), Setup::Ready));
    let now = MonoTime::now();
    let beat = frame(BEAT);
    let early = link
        .read_frame(now + Duration::from_secs(3_000), &beat)
        .unwrap();
    assert!(early.controls.is_empty());
    let due = link
        .read_frame(now + Duration::from_secs(3_580), &beat)
        .unwrap();
    assert_eq!(due.controls, [Control::Closing]);
    let again = link
        .read_frame(now + Duration::from_secs(3_590), &beat)
        .unwrap();
    assert!(again.controls.is_empty());
    let mut too_late = link_at(&*connector, Some(&kept), false, noon().plus(hours(20)));
    assert!(line(&call(too_late.setup(&fresh))).starts_with("POST"));
}

#[test]
fn an_old_channel_that_may_not_be_subscribed_is_forgotten() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    for status in [400, 403, 404] {
        let later = noon().plus(hours(2));
        let mut link = link_at(&*connector, Some(&kept), false, later);
        call(link.setup(&token()));
        assert!(link.setup_refused(&answered(status, "")), "{status}");
        assert!(matches!(link.keep(), Keep::Nothing));
        set_up(&mut *link, &token());
    }
    let mut link = link_at(&*connector, Some(&kept), false, noon().plus(hours(2)));
    call(link.setup(&token()));
    for status in [401, 429, 500] {
        assert!(!link.setup_refused(&answered(status, "")), "{status}");
    }
}

#[test]
fn a_new_channel_that_may_not_be_subscribed_is_kept_and_not_made_over_and_over() {
    let (connector, mut link) = fresh();
    call(link.setup(&token()));
    link.setup_answer(&answered(200, CREATED)).unwrap();
    call(link.setup(&token()));
    assert!(!link.setup_refused(&answered(400, "")));
    let kept = kept(&*link);
    let mut again = link_at(&*connector, Some(&kept), false, noon());
    assert!(line(&call(again.setup(&token()))).starts_with("PUT"));
    assert!(!again.setup_refused(&answered(400, "")));
}

#[test]
fn a_channel_pushed_out_counts_before_it_pushes_back() {
    let (connector, mut link) = fresh();
    set_up(&mut *link, &token());
    let batch = read(&mut *link, EVICTED);
    assert!(matches!(
        batch.controls[..],
        [Control::SubscriptionLost { .. }]
    ));
    let kept = kept(&*link);
    let listed = |n: usize| json!({ "entities": vec![json!({ "id": "hidden" }); n] });
    let asked = "GET /api/v2/notifications/channels?includechannels=oauthclient";

    let mut full = link_at(&*connector, Some(&kept), false, noon());
    assert_eq!(line(&call(full.setup(&token()))), asked);
    full.setup_answer(&answered(200, listed(20))).unwrap();
    let Setup::Yield { reason } = full.setup(&token()) else {
        panic!("it does not yield");
    };
    assert!(
        reason.starts_with("CHANNEL_LIMIT: 1 topics not covered"),
        "{reason}"
    );
    assert!(reason.contains(&presence_of(AGENT)), "{reason}");
    assert!(
        matches!(full.keep(), Keep::Unchanged),
        "it stays pushed out"
    );

    let mut room = link_at(&*connector, Some(&kept), true, noon());
    assert_eq!(line(&call(room.setup(&token()))), asked);
    room.setup_answer(&answered(200, listed(19))).unwrap();
    set_up(&mut *room, &token());
    let kept = super::kept(&*room);
    let mut next = link_at(&*connector, Some(&kept), false, noon());
    assert!(is_ready(&mut *next), "it is no longer pushed out");
}

#[test]
fn who_may_not_count_does_not_push_back() {
    let (connector, mut link) = fresh();
    set_up(&mut *link, &token());
    read(&mut *link, EVICTED);
    let kept = kept(&*link);
    let mut next = link_at(&*connector, Some(&kept), false, noon());
    call(next.setup(&token()));
    assert!(next.setup_refused(&answered(403, "")));
    assert!(matches!(next.setup(&token()), Setup::Yield { .. }));
}

#[test]
fn a_handshake_that_finds_no_channel_tells_age_from_eviction() {
    let (connector, _) = fresh();
    let kept = left(&*connector);
    let after = |later: Duration, status: u16| {
        let mut link = link_at(&*connector, Some(&kept), false, noon().plus(later));
        link.setup(&token());
        link.over(StatusCode::from_u16(status).ok());
        link.keep()
    };
    let minute = Duration::from_secs(60);
    for status in [401, 403, 404] {
        let Keep::This(kept) = after(minute, status) else {
            panic!("{status}: it was pushed out");
        };
        let mut next = link_at(&*connector, Some(&kept), false, noon());
        assert!(
            line(&call(next.setup(&token()))).starts_with("GET"),
            "{status}"
        );
    }
    // It stood without a socket for long, or came to its end.
    assert!(matches!(after(20 * minute, 404), Keep::Nothing));
    assert!(matches!(
        after(Duration::from_secs(23 * 3600 + 60), 404),
        Keep::Nothing
    ));
    assert!(matches!(after(minute, 503), Keep::Unchanged));
    assert!(matches!(after(minute, 429), Keep::Unchanged));
}

#[test]
fn signs_of_life_are_kept_now_and_then() {
    let (connector, mut link) = fresh();
    set_up(&mut *link, &token());
    kept(&*link);
    let now = MonoTime::now();
    let beat = frame(BEAT);
    link.read_frame(now + Duration::from_secs(30), &beat)
        .unwrap();
    assert!(matches!(link.keep(), Keep::Unchanged));
    link.read_frame(now + hours(1), &beat).unwrap();
    let kept = kept(&*link);
    let later = noon().plus(hours(1)).plus(Duration::from_secs(60));
    let mut next = link_at(&*connector, Some(&kept), false, later);
    next.setup(&token());
    next.over(Some(StatusCode::NOT_FOUND));
    assert!(
        matches!(next.keep(), Keep::This(_)),
        "alive a minute ago: pushed out"
    );
}

#[test]
fn the_platforms_words_about_the_channel() {
    let said = |text: &str| {
        let (_, mut link) = fresh();
        set_up(&mut *link, &token());
        kept(&*link);
        let batch = read(&mut *link, text);
        assert!(batch.events.is_empty(), "not events of topics");
        (batch.controls, link.keep())
    };
    let system =
        |topic: &str, body: &str| format!(r#"{{"topicName":"{topic}","eventBody":{body}}}"#);
    let (controls, _) = said(&system("v2.system.socket_closing", "{}"));
    assert_eq!(controls, [Control::Closing]);
    let (controls, keep) = said(&system("V2.System.Token_Revoked.x", "{}"));
    assert!(matches!(
        controls[..],
        [Control::Refused { status: 401, .. }]
    ));
    assert!(matches!(keep, Keep::Nothing));
    let of_another = r#"{"channelId":"streaming-9-zzz"}"#;
    for word in [
        "socket_closing",
        "no_longer_subscribed.x",
        "token_revoked.x",
    ] {
        let (controls, keep) = said(&system(&format!("v2.system.{word}"), of_another));
        assert!(controls.is_empty(), "{word} is about another channel");
        assert!(matches!(keep, Keep::Unchanged));
    }
    for ignored in ["v2.system.x.y", "v2.subscription.updated", "v2.system."] {
        assert!(said(&system(ignored, "null")).0.is_empty(), "{ignored}");
    }
}

#[test]
fn u33_errors_in_the_channel_mean_what_their_status_means() {
    let said = |text: &str| {
        let (_, mut link) = fresh();
        set_up(&mut *link, &token());
        read(&mut *link, text).controls
    };
    let gone = said(r#"{"result":"404","message":"channel expired"}"#);
    assert!(matches!(gone[..], [Control::SubscriptionLost { .. }]));
    for (text, expected) in [(r#""401""#, 401), ("403", 403), (r#""503""#, 503)] {
        let controls = said(&format!(
            r#"{{"result":{text},"status":"error","message":"no"}}"#
        ));
        let expected = Control::Refused {
            status: expected,
            reason: "no".to_owned(),
        };
        assert_eq!(controls, [expected]);
    }
    for fine in [
        r#"{"result":"200","status":"subscribed"}"#,
        r#"{"result":"400","status":"failure"}"#,
    ] {
        assert!(said(fine).is_empty(), "{fine}");
    }
}

#[test]
fn u26_silence_is_asked_about_and_then_believed() {
    let (_, mut link) = fresh();
    set_up(&mut *link, &token());
    let start = link.heartbeat_due().unwrap() - Duration::from_secs(40);
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    assert_eq!(link.heartbeat(at(39), noon()), Ok(Vec::new()));
    let asked = link.heartbeat(at(40), noon()).unwrap();
    assert_eq!(
        asked,
        [Frame::Text(Bytes::from_static(br#"{"message":"ping"}"#))]
    );
    assert_eq!(link.heartbeat_due(), Some(at(47)));
    assert_eq!(link.heartbeat(at(46), noon()), Ok(Vec::new()));
    let pong = frame(r#"{"topicName":"channel.metadata","eventBody":{"message":"pong"}}"#);
    link.read_frame(at(46), &pong).unwrap();
    assert_eq!(link.heartbeat_due(), Some(at(86)));
    link.heartbeat(at(86), noon()).unwrap();
    assert_eq!(link.heartbeat(at(93), noon()), Err(Silent));
}

#[test]
fn u18_a_pong_proves_what_its_ping_asked_and_a_heartbeat_proves_nothing() {
    const PONG: &str = r#"{"topicName":"channel.metadata","eventBody":{"message":"pong"}}"#;
    let (_, mut link) = fresh();
    set_up(&mut *link, &token());
    link.opened(Resume::default());
    let name = Bytes::from_static(b"1");
    let ping = Frame::Text(Bytes::from_static(br#"{"message":"ping"}"#));
    assert_eq!(
        link.ask(&name),
        ping,
        "not the protocol's: that is the edge's"
    );
    let mut said = |text: &str| read(&mut *link, text).controls;
    assert!(said(BEAT).is_empty());
    assert!(said(PONG).is_empty(), "of the first ping");
    assert_eq!(said(PONG), [Control::Proof { name }]);
    assert!(said(PONG).is_empty());
}

#[test]
fn u41_a_time_without_reading_is_not_silence() {
    let (_, mut link) = fresh();
    set_up(&mut *link, &token());
    let start = link.heartbeat_due().unwrap() - Duration::from_secs(40);
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    link.heartbeat(at(40), noon()).unwrap();
    assert_eq!(link.heartbeat(at(47), noon()), Err(Silent));
    link.unheard(at(47));
    assert_eq!(link.heartbeat_due(), Some(at(54)), "patience begins anew");
    assert_eq!(link.heartbeat(at(53), noon()), Ok(Vec::new()));
    assert_eq!(link.heartbeat(at(54), noon()), Err(Silent));
    let pong = frame(r#"{"topicName":"channel.metadata","eventBody":{"message":"pong"}}"#);
    link.read_frame(at(54), &pong).unwrap();
    link.unheard(at(60));
    assert_eq!(link.heartbeat_due(), Some(at(100)));
}

#[test]
fn a_channel_is_renewed_at_23_hours() {
    let (connector, mut link) = fresh();
    set_up(&mut *link, &token());
    kept(&*link);
    let due = link.errand_due().unwrap();
    let until = due.saturating_duration_since(MonoTime::now());
    assert!(until > hours(22) && until <= hours(23), "{until:?}");
    assert!(link.errand(due - hours(1), &token()).is_none());
    let put = link.errand(due, &token()).unwrap();
    assert!(line(&put).starts_with("PUT"));
    assert!(link.errand_due().is_none(), "one at a time");
    let refused = json!({ "entities": [{ "id": "v2.a", "state": "Rejected" }] });
    let batch = link
        .errand_answer(due, Some(&answered(200, &refused)))
        .unwrap();
    assert_eq!(batch.controls.len(), 1);
    assert!(link.errand_due().unwrap() >= due + hours(23) - Duration::from_secs(1));
    let kept = kept(&*link);
    let mut next = link_at(&*connector, Some(&kept), false, noon().plus(hours(40)));
    assert!(
        line(&call(next.setup(&token()))).starts_with("PUT"),
        "renewed 17 h ago"
    );
}

#[test]
fn a_renewal_that_fails_is_tried_again_or_ends_the_channel() {
    let (_, mut link) = fresh();
    set_up(&mut *link, &token());
    let due = link.errand_due().unwrap();
    for answer in [None, Some(answered(503, "")), Some(answered(401, ""))] {
        let due = link.errand_due().unwrap();
        link.errand(due, &token()).unwrap();
        let batch = link.errand_answer(due, answer.as_ref()).unwrap();
        assert!(batch.controls.is_empty());
        assert_eq!(link.errand_due(), Some(due + Duration::from_secs(300)));
    }
    link.errand(link.errand_due().unwrap(), &token()).unwrap();
    link.errand_answer(due, Some(&answered(200, "nonsense")))
        .unwrap_err();
    assert!(link.errand_due().is_some());
    link.errand(link.errand_due().unwrap(), &token()).unwrap();
    let batch = link.errand_answer(due, Some(&answered(404, ""))).unwrap();
    assert!(matches!(
        batch.controls[..],
        [Control::SubscriptionLost { .. }]
    ));
    assert!(matches!(link.keep(), Keep::Nothing), "it came to its end");
    assert!(link.errand_due().is_none());
}

#[test]
fn a_connector_without_topics_opens_a_channel_and_says_why() {
    let lost = vec![(
        "v2.users.Nobody.presence".to_owned(),
        "NOT_FOUND".to_owned(),
    )];
    let connector = NotificationsConnector::new(&site(), Vec::new(), lost);
    let mut link = link_at(&connector, None, false, noon());
    call(link.setup(&token()));
    link.setup_answer(&answered(200, CREATED)).unwrap();
    assert!(is_ready(&mut *link));
    assert_eq!(read(&mut *link, BEAT).controls.len(), 1);
    assert!(connector.families().is_empty());
    let due = link.errand_due().unwrap();
    assert!(link.errand(due, &token()).is_none());
    let kept = kept(&*link);
    let mut next = link_at(&connector, Some(&kept), false, noon());
    assert!(is_ready(&mut *next), "nothing is to be sent");
}

#[test]
fn u24_the_address_of_a_channel_is_never_printed() {
    let (connector, mut link) = fresh();
    set_up(&mut *link, &token());
    let kept = kept(&*link);
    let handshake = link.handshake(&token()).unwrap();
    let next = link_at(&*connector, Some(&kept), false, noon());
    let error = next_answer_error();
    let printed = format!("{link:?} {kept:?} {next:?} {connector:?} {error}");
    assert!(!printed.contains("streaming-3"), "{printed}");
    assert!(handshake.headers.is_empty());
}

fn next_answer_error() -> String {
    let (_, mut link) = fresh();
    call(link.setup(&token()));
    let wrong = CREATED.replace("wss://", "https://");
    link.setup_answer(&answered(200, wrong))
        .unwrap_err()
        .to_string()
}
