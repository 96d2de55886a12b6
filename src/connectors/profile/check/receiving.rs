//! Checks of the ways to receive: WebSocket, heartbeat, long poll.

use std::time::Duration;

use super::{ANY_CONNECTION, ANY_TIME, CONDITIONS, Check, LONGEST, SHORTEST};
use crate::connectors::profile::heart;
use crate::connectors::profile::model::{HeartbeatShape, LongPollShape, WebSocketShape};
use crate::connectors::profile::template::{BEATING, OPENING, POLLING, SUBSCRIBING};
use crate::runtime::HumanDuration;

impl Check {
    pub(super) fn websocket(&mut self, shape: &WebSocketShape) {
        self.at("path", |c| c.is_path(&shape.path));
        self.query(&shape.query, OPENING);
        if let Some(template) = &shape.subscribe {
            self.at("subscribe", |c| c.template(&template.0, SUBSCRIBING));
        }
        if let Some(heartbeat) = &shape.heartbeat {
            self.at("heartbeat", |c| c.heartbeat(heartbeat));
        }
    }

    fn heartbeat(&mut self, shape: &HeartbeatShape) {
        let before = self.found.len();
        self.at("frame", |c| c.template(&shape.frame.0, BEATING));
        self.at("interval", |c| {
            let own = shape.interval;
            for (key, given) in [
                ("stable", Some(own.stable)),
                ("degraded", own.degraded),
                ("reconnecting", own.reconnecting),
            ] {
                if let Some(given) = given {
                    c.at(key, |c| c.within(given, SHORTEST, LONGEST));
                }
            }
        });
        for (key, given) in [
            ("minimum", shape.minimum),
            ("maximum", shape.maximum),
            ("answer_within", Some(shape.answer_within)),
            ("silent_after", shape.silent_after),
        ] {
            if let Some(given) = given {
                self.at(key, |c| c.within(given, SHORTEST, LONGEST));
            }
        }
        if let (Some(least), Some(most)) = (shape.minimum, shape.maximum)
            && least > most
        {
            let message = format!("must not be longer than maximum, {most}");
            self.at("minimum", |c| {
                c.wrong(message, "lower it, or raise maximum")
            });
        }
        let longest = CONDITIONS.map(|condition| shape.interval(condition));
        let longest = longest.into_iter().max().unwrap_or(Duration::ZERO);
        if shape.silent_after.is_some_and(|after| after.0 <= longest) {
            let message = format!(
                "must be longer than the longest interval, {}",
                HumanDuration(longest)
            );
            let hint = "an answer can only come after a heartbeat: allow for two of them";
            self.at("silent_after", |c| c.wrong(message, hint));
        }
        self.at("requires", |c| {
            for pointer in shape.requires.keys() {
                c.at(pointer, |c| c.is_pointer(pointer));
            }
        });
        // What is wrong already would only be said twice.
        if self.found.len() == before {
            let mut frames = CONDITIONS
                .into_iter()
                .map(|condition| heart::frame(shape, ANY_CONNECTION, condition, ANY_TIME));
            if let Some(problem) = frames.find_map(|frame| heart::objection(shape, &frame)) {
                let hint = "let the frame hold what requires asks for, and no more than max_size";
                self.at("frame", |c| c.wrong(problem, hint));
            }
        }
    }

    pub(super) fn long_poll(&mut self, shape: &LongPollShape) {
        if !matches!(shape.method.as_str(), "GET" | "POST") {
            self.at("method", |c| {
                c.wrong("must be GET or POST", "write it in capitals")
            });
        }
        self.at("path", |c| c.is_path(&shape.path));
        self.query(&shape.query, POLLING);
        if let Some(body) = &shape.body {
            self.at("body", |c| c.template(&body.0, POLLING));
            if shape.method == "GET" {
                let hint = "remove it, or poll with POST";
                self.at("body", |c| c.wrong("cannot be sent with GET", hint));
            }
        }
    }
}
