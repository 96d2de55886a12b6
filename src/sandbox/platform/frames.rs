//! What a WebSocket sends for one reading of the log. Pure.

use super::batch::{LOGIN_PAGE, bare, batch};
use super::record::Transport;
use super::state::State;
use super::subscription::Reading;
use crate::domain::WallTime;
use crate::sandbox::fault::{Fault, FaultName, On, Portion};

/// The frames of one reading: one, unless a fault makes it more.
pub(super) fn frames(
    reading: Reading,
    state: &mut State,
    connection: u64,
    wall: WallTime,
) -> Vec<String> {
    let Reading {
        mut events,
        sequence,
        ..
    } = reading;
    let mut copies = 1;
    if !events.is_empty() {
        match state.strike(FaultName::Duplicate) {
            Some(Fault::Duplicate {
                what: Portion::Batch,
            }) => copies = 2,
            Some(_) => state.repeat_one(&mut events),
            None => {}
        }
    }
    let text = match events.as_slice() {
        [only] if state.chance() < state.config.bare_share => bare(only),
        _ => batch(state.config.dialect.words(), &events, sequence),
    };
    let mut frames = Vec::new();
    let html = match state.faults.may_strike(FaultName::NotJson) {
        Some(Fault::NotJson { transport }) => transport.covers(On::Websocket),
        _ => false,
    };
    if html && state.strike(FaultName::NotJson).is_some() {
        frames.push(LOGIN_PAGE.to_owned());
    }
    for _ in 0..copies {
        let kind = Transport::Websocket;
        state.delivered(connection, kind, wall, (&events, sequence), text.len());
        frames.push(text.clone());
    }
    frames
}
