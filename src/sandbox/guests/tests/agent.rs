//! What the agent says by itself and when told to, and how it may arrive.

use super::*;

async fn heard(socket: &mut Ws) -> Value {
    let frame = next(socket).await;
    assert_eq!(frame["body"]["direction"], "Outbound", "{frame}");
    frame["body"].clone()
}

#[tokio::test]
async fn the_script_greets_answers_offers_choices_and_ends() {
    let visit = Visit::new(GuestConfig {
        reply: AgentReply::Script,
        ..messaging()
    })
    .await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let join = json!({
        "action": "onMessage", "token": TOKEN,
        "message": { "type": "Event", "events": [{ "eventType": "Presence", "presence": { "type": "Join" } }] },
    });
    ask(&mut socket, &join).await;
    next(&mut socket).await;
    assert!(
        heard(&mut socket).await["text"]
            .as_str()
            .unwrap()
            .starts_with("Hello")
    );
    say(&mut socket, TOKEN, "1", "Where is it?").await;
    next(&mut socket).await;
    assert_eq!(heard(&mut socket).await["text"], "You said: Where is it?");
    say(&mut socket, TOKEN, "2", "help").await;
    next(&mut socket).await;
    let offered = heard(&mut socket).await;
    assert_eq!(offered["type"], "Structured");
    assert_eq!(offered["content"][0]["contentType"], "QuickReply");
    let payload = offered["content"][0]["quickReply"]["payload"].clone();
    let chosen = json!([{
        "contentType": "ButtonResponse",
        "buttonResponse": { "type": "QuickReply", "text": payload, "payload": payload },
    }]);
    let frame = json!({
        "action": "onMessage", "token": TOKEN, "tracingId": "3",
        "message": { "type": "Structured", "text": payload, "content": chosen },
    });
    ask(&mut socket, &frame).await;
    assert_eq!(next(&mut socket).await["body"]["content"], chosen);
    heard(&mut socket).await;
    say(&mut socket, TOKEN, "4", "bye").await;
    next(&mut socket).await;
    assert_eq!(heard(&mut socket).await["text"], "Good bye.");
    assert_eq!(heard(&mut socket).await["type"], "Event");
    assert!(visit.sandbox.sessions()[0].read_only);
    assert_eq!(
        visit.sandbox.record().entries()[2].content,
        chosen.as_array().unwrap().clone()
    );
}

#[tokio::test]
async fn an_echoing_agent_says_what_it_was_told_after_it_thought() {
    let visit = Visit::new(GuestConfig {
        reply: AgentReply::Echo,
        reply_delay: Duration::from_millis(20),
        ..messaging()
    })
    .await;
    let (mut socket, _) = visit.join(TOKEN).await;
    say(&mut socket, TOKEN, "1", "echo").await;
    next(&mut socket).await;
    assert_eq!(heard(&mut socket).await["text"], "echo");
}

#[tokio::test]
async fn messages_of_the_agent_come_twice_out_of_order_broken_or_not_at_all() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let say = |text: &str| visit.sandbox.say(TOKEN, text).unwrap();
    visit.set(GuestFault::Duplicate {}.times(1));
    say("twice");
    let (one, two) = (heard(&mut socket).await, heard(&mut socket).await);
    assert_eq!(one, two);
    visit.set(
        GuestFault::Reorder {
            within: HumanDuration::from_secs(3600),
        }
        .times(1),
    );
    say("first");
    say("second");
    assert_eq!(heard(&mut socket).await["text"], "second");
    assert_eq!(heard(&mut socket).await["text"], "first");
    visit.set(
        GuestFault::Reorder {
            within: HumanDuration::from_millis(20),
        }
        .times(1),
    );
    say("late");
    assert_eq!(heard(&mut socket).await["text"], "late");
    visit.set(GuestFault::LostPush {}.times(1));
    say("lost");
    for form in ["not_json", "scalar", "wrong_types", "unknown_class"] {
        let form = serde_json::from_value(form.into()).unwrap();
        visit.set(GuestFault::MalformedFrame { form }.times(1));
        say("after something broken");
        text(&mut socket).await;
        assert_eq!(heard(&mut socket).await["text"], "after something broken");
    }
    let said = visit.sandbox.said();
    let pushed: Vec<u32> = said
        .iter()
        .map(|m| m.pushed.iter().map(|p| p.copies).sum())
        .collect();
    assert_eq!(pushed, [2, 1, 1, 1, 0, 1, 1, 1, 1]);
    let jwt = visit.jwt(&mut socket, TOKEN).await;
    assert!(visit.texts(&jwt).await.contains(&"lost".to_owned()));
}

#[tokio::test]
async fn the_agent_says_things_of_its_own_accord_at_a_rate() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    visit.sandbox.set_rate(100.0);
    for _ in 0..3 {
        heard(&mut socket).await;
    }
}
