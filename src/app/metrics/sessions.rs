//! Figures of sessions: each configured one by its name, guests' sessions together by their template.

use std::collections::BTreeMap;

use super::family::families;
use super::timestamp;
use crate::auth::{TokenProblem, TokenStatus};
use crate::domain::TemplateName;
use crate::net::NetSnapshot;
use crate::proto::v1;
use crate::proto::v1::session::State;
use crate::runtime::{Counts, WallTime};
use crate::session::{Guests, SessionBoard, SessionMeasures, SessionStats, StatsSnapshot};
use crate::telemetry::metrics::Sheet;

families! {
    BACKFILLED: Counter "tieline_session_backfilled_events_total" ["session", "template"] "Events fetched from the platform's history, or late for their gap";
    BACKFILLS: Counter "tieline_session_backfills_total" ["session", "template", "outcome"] "Loss windows that the platform's history was asked about, by what it told";
    BACKFILLS_STARTED: Counter "tieline_session_backfills_started_total" ["session", "template"] "Loss windows that the platform's history was begun to be asked about";
    CLOSES: Counter "tieline_session_closes_total" ["session", "template", "class"] "WebSockets that ended, by class of close code";
    CONNECTED: Gauge "tieline_session_connected_timestamp_seconds" ["session"] "When the connection in use was made; absent while there is none";
    DECODE: Counter "tieline_session_decode_failures_total" ["session", "template", "what"] "Events kept raw because they could not be read, and answers discarded because they were no batch";
    DEGRADED: Counter "tieline_session_degradations_total" ["session", "template"] "Times round trip or loss crossed its limit";
    DELAY: Histogram "tieline_session_ingest_delay_seconds" ["session", "template"] "From the time that the platform gives an event until it was durable; backfilled ones do not count";
    DUPLICATES: Counter "tieline_session_duplicate_events_total" ["session", "template"] "Repeated events dropped";
    ENDPOINTS: Counter "tieline_session_endpoint_changes_total" ["session", "template"] "Times another endpoint was taken";
    EVENTS: Counter "tieline_session_events_total" ["session", "template"] "Events of the platform handed to the journal";
    GAPS: Counter "tieline_session_gaps_total" ["session", "template", "cause"] "Gaps suspected: events that may be missing";
    GAPS_CLOSED: Counter "tieline_session_gaps_closed_total" ["session", "template"] "Gaps of which every event was fetched";
    GAPS_CONFIRMED: Counter "tieline_session_gaps_confirmed_total" ["session", "template"] "Gaps that stay: events that are lost";
    GAPS_OPEN: Gauge "tieline_session_gaps_open" ["session", "template"] "Gaps that are neither closed nor confirmed";
    GUESTS: Gauge "tieline_session_guests" ["template", "state"] "Guests' sessions, by state";
    HANDSHAKES: Counter "tieline_net_handshakes_total" ["session", "template", "outcome"] "WebSocket handshakes tried";
    HANDSHAKE: Histogram "tieline_net_handshake_seconds" ["session", "template"] "How long handshakes that succeeded took";
    INFO: Info "tieline_session_info" ["session", "platform", "journal"] "The platform of a session, and where it writes";
    LAST_CLOSE: Gauge "tieline_session_last_close_code" ["session"] "Close code of the WebSocket that ended last; 1006 where it broke, 0 before the first";
    LOSS: Gauge "tieline_session_loss_ratio" ["session"] "Share of the last hundred health samples that had no answer";
    LOST: Counter "tieline_session_connections_lost_total" ["session", "template"] "Connections lost while another of the session went on";
    OUTBOUND: Counter "tieline_outbound_messages_total" ["session", "template", "state"] "Messages that came to a final state";
    OVERSIZE: Counter "tieline_session_oversize_events_total" ["session", "template"] "Events larger than what the journal takes";
    POLLS: Counter "tieline_net_polls_total" ["session", "template", "outcome"] "Long polls";
    POLL: Histogram "tieline_net_poll_seconds" ["session", "template"] "How long polls that were answered took, the platform's waiting for events included";
    READING: Counter "tieline_session_reading_stops_total" ["session", "template"] "Times nothing was read for a second or longer, because the journal was slow or full";
    RECEIVED: Gauge "tieline_session_last_receive_timestamp_seconds" ["session"] "When anything last came from the platform";
    RECONNECTS: Counter "tieline_session_reconnects_total" ["session", "template"] "Connections made after one was lost";
    REFRESHES: Counter "tieline_auth_refreshes_total" ["session", "template"] "Tokens obtained";
    REFRESH_FAILURES: Counter "tieline_auth_refresh_failures_total" ["session", "template", "reason"] "Attempts to obtain a token that failed";
    RENUMBERED: Counter "tieline_session_renumberings_total" ["session", "template"] "Times the platform's numbering began anew";
    REQUESTS: Counter "tieline_net_requests_total" ["session", "template", "outcome"] "Requests other than polls";
    REQUEST: Histogram "tieline_net_request_seconds" ["session", "template"] "How long requests that succeeded took";
    REVIEW: Gauge "tieline_session_review_required" ["session"] "1 where answers of the platform arrived late enough to look into";
    ROUND_TRIP: Gauge "tieline_session_round_trip_seconds" ["session"] "Average way to the platform and back; absent before it is known";
    STATE: Gauge "tieline_session_state" ["session", "state"] "1 for the state that the session is in";
    TOKEN_EXPIRES: Gauge "tieline_auth_token_expiry_timestamp_seconds" ["session", "template"] "When the newest token expires";
    TOKEN_FAILING: Gauge "tieline_auth_failing" ["session", "template", "reason"] "1 while the latest attempt to obtain a token has failed";
    TOKEN_OBTAINED: Gauge "tieline_auth_token_obtained_timestamp_seconds" ["session", "template"] "When the newest token was obtained";
    TOPICS: Gauge "tieline_session_topics" ["session"] "Topics subscribed to";
    TRANSPORT: Gauge "tieline_session_transport" ["session", "transport"] "1 for the transport in use; 0 for both while there is none";
    TRANSPORTS: Counter "tieline_session_transport_changes_total" ["session", "template"] "Changes between WebSocket and long polling";
    UNHEALTHY: Counter "tieline_session_unhealthy_paths_total" ["session", "template"] "Times the path was given up because its health requests had no answer";
    UNTRACKED: Counter "tieline_session_untracked_total" ["session", "template"] "Things that stand and could not be kept, for there were too many";
    WAITING: Gauge "tieline_outbound_waiting" ["session", "template"] "Messages that wait to be sent";
}

pub(super) fn put(sheet: &mut Sheet, board: &SessionBoard, guests: &Guests) {
    let mut by_template: BTreeMap<TemplateName, [u64; State::ALL.len()]> = BTreeMap::new();
    for (template, stats) in guests.stats() {
        put_counts(sheet, &["", template.as_str()], &stats);
        by_template.insert(template, [0; State::ALL.len()]);
    }
    for (name, post) in board.posts() {
        match &post.owner.template {
            None => {
                put_state(sheet, name.as_str(), &post.state);
                put_counts(sheet, &[name.as_str(), ""], &post.owner.stats);
                let last = post.owner.stats.measures().last_close;
                sheet.put(&LAST_CLOSE, &[name.as_str()], last);
            }
            Some(template) => {
                let counts = by_template.entry(template.clone()).or_default();
                let state = post.state.state();
                let place = State::ALL.iter().position(|known| *known == state);
                if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
        }
    }
    for (template, counts) in &by_template {
        let words = State::ALL.iter().map(|state| state.word());
        let counts = words.zip(counts.iter().copied()).collect();
        sheet.put_each(&GUESTS, &[template.as_str()], &counts);
    }
}

/// What a session shows of itself.
fn put_state(sheet: &mut Sheet, name: &str, state: &v1::Session) {
    let session = &[name][..];
    let journal = state.journal.strip_prefix("journals/");
    let journal = journal.unwrap_or(&state.journal);
    sheet.put(&INFO, &[name, &state.provider, journal], 1);
    let now = state.state();
    let states = State::ALL.map(|known| (known.word(), u64::from(known == now)));
    sheet.put_each(&STATE, session, &states.into());
    let by = state.transport();
    let transports = [v1::Transport::Websocket, v1::Transport::LongPoll];
    let transports = transports.map(|known| (known.word(), u64::from(known == by)));
    sheet.put_each(&TRANSPORT, session, &transports.into());
    sheet.put(&TOPICS, session, u64::from(state.topic_count));
    sheet.put(&REVIEW, session, state.review_required);
    sheet.put(&LOSS, session, state.loss_ratio);
    let round_trip = state.round_trip.as_ref();
    if let Some(way) = round_trip.and_then(|way| std::time::Duration::try_from(*way).ok()) {
        sheet.put(&ROUND_TRIP, session, way.as_secs_f64());
    }
    let time = |time: Option<&prost_types::Timestamp>| time.and_then(WallTime::from_proto);
    if let Some(connected) = time(state.connect_time.as_ref())
        && by != v1::Transport::Unspecified
    {
        sheet.put(&CONNECTED, session, timestamp(connected));
    }
    if let Some(received) = time(state.last_receive_time.as_ref()) {
        sheet.put(&RECEIVED, session, timestamp(received));
    }
}

fn put_counts(sheet: &mut Sheet, whose: &[&str], stats: &SessionStats) {
    put_counters(sheet, whose, &stats.snapshot());
    put_measures(sheet, whose, &stats.measures());
    if let Some(net) = stats.net() {
        put_net(sheet, whose, &net);
    }
    if let Some(tokens) = stats.tokens() {
        put_tokens(sheet, whose, &tokens);
    }
}

fn put_counters(sheet: &mut Sheet, whose: &[&str], seen: &StatsSnapshot) {
    for (family, value) in [
        (&BACKFILLED, seen.backfilled),
        (&BACKFILLS_STARTED, seen.recoveries_begun),
        (&DEGRADED, seen.degradations),
        (&DUPLICATES, seen.duplicates),
        (&ENDPOINTS, seen.endpoint_changes),
        (&EVENTS, seen.events),
        (&GAPS_CLOSED, seen.gaps_closed),
        (&GAPS_CONFIRMED, seen.gaps_confirmed),
        (&GAPS_OPEN, seen.gaps_open),
        (&LOST, seen.connections_lost),
        (&OVERSIZE, seen.oversize),
        (&READING, seen.reading_stops),
        (&RECONNECTS, seen.reconnects),
        (&RENUMBERED, seen.restarts),
        (&TRANSPORTS, seen.transport_changes),
        (&UNHEALTHY, seen.unhealthy_paths),
        (&UNTRACKED, seen.untracked),
        (&WAITING, seen.outbound_waiting),
    ] {
        sheet.put(family, whose, value);
    }
    let failures = vec![("event", seen.malformed), ("answer", seen.unreadable)];
    sheet.put_each(&DECODE, whose, &failures);
    let messages = vec![
        ("acknowledged", seen.outbound_acknowledged),
        ("failed", seen.outbound_failed),
        ("unknown", seen.outbound_unknown),
    ];
    sheet.put_each(&OUTBOUND, whose, &messages);
}

fn put_measures(sheet: &mut Sheet, whose: &[&str], seen: &SessionMeasures) {
    sheet.put_each(&GAPS, whose, &seen.gaps);
    sheet.put_each(&BACKFILLS, whose, &seen.histories);
    sheet.put_each(&CLOSES, whose, &seen.closes);
    sheet.put(&DELAY, whose, seen.ingest_delay.clone());
}

fn put_net(sheet: &mut Sheet, whose: &[&str], seen: &NetSnapshot) {
    sheet.put_each(&HANDSHAKES, whose, &seen.handshakes);
    sheet.put_each(&POLLS, whose, &seen.polls);
    sheet.put_each(&REQUESTS, whose, &seen.requests);
    sheet.put(&HANDSHAKE, whose, seen.handshake_took.clone());
    sheet.put(&POLL, whose, seen.poll_took.clone());
    sheet.put(&REQUEST, whose, seen.request_took.clone());
}

fn put_tokens(sheet: &mut Sheet, whose: &[&str], seen: &TokenStatus) {
    sheet.put(&REFRESHES, whose, seen.refreshes);
    let failures: Counts = vec![("refused", seen.refused), ("unavailable", seen.unavailable)];
    sheet.put_each(&REFRESH_FAILURES, whose, &failures);
    let unavailable = matches!(&seen.problem, Some(TokenProblem::Unavailable { .. }));
    let refused = seen.problem.is_some() && !unavailable;
    let failing: Counts = vec![
        ("refused", refused.into()),
        ("unavailable", unavailable.into()),
    ];
    sheet.put_each(&TOKEN_FAILING, whose, &failing);
    if let Some(expires) = seen.expires_at {
        sheet.put(&TOKEN_EXPIRES, whose, timestamp(expires));
    }
    if let Some(obtained) = seen.obtained_at {
        sheet.put(&TOKEN_OBTAINED, whose, timestamp(obtained));
    }
}
