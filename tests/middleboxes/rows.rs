//! The table: which middlebox stands before which platform, and what has to result.

use std::time::Duration;

use tieline::proto::v1::Transport::{self, LongPoll, Websocket};

use crate::boxes::Foreign;
use crate::meddler::Meddling;
use crate::platform::Kind::{self, Agent, Events, Notifications};
use crate::row::{Between, Row};

/// Events a second, unless a row is about slowness.
const RATE: f64 = 20.0;
/// The default of a session: too seldom for an idle limit of a second or two.
const SELDOM: u64 = 20_000;
const OFTEN: u64 = 800;
/// A WebSocket that hangs costs the deadline of its handshake, 4 s, and no more than a second beside.
const HANGS: Duration = Duration::from_secs(6);
const BREAKS: Duration = Duration::from_secs(6);
/// Silence on the wire, in rows that are about it.
const QUIET: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_millis(1_200);

const fn nginx(timeout: u32, upgrade: bool) -> Between {
    Between::Foreign(Foreign::Nginx { timeout, upgrade })
}

const fn haproxy(timeout: u32, option: &'static str) -> Between {
    Between::Foreign(Foreign::Haproxy { timeout, option })
}

const fn squid(credentials: bool) -> Between {
    Between::Foreign(Foreign::Squid { credentials })
}

const fn always(what: Meddling) -> Between {
    Between::Meddling { what, late: false }
}

const fn later(what: Meddling) -> Between {
    Between::Meddling { what, late: true }
}

const fn row(
    name: &'static str,
    between: Between,
    platform: Kind,
    transport: &'static str,
    results: Option<Transport>,
) -> Row {
    Row {
        between,
        name,
        platform,
        transport,
        results,
        rate: RATE,
        quiet: None,
        ping: OFTEN,
        silence: BREAKS,
    }
}

/// A behaviour over both transports of the numbered platform.
fn both(name: &'static str, between: Between, resulting: Transport) -> [Row; 2] {
    // Where no WebSocket gets through, that is for the session to find out.
    let first = if resulting == LongPoll {
        "auto"
    } else {
        "websocket"
    };
    [
        row(name, between, Events, first, Some(resulting)),
        row(name, between, Events, "long_poll", Some(LongPoll)),
    ]
}

fn quiet(rows: [Row; 2], ping: u64) -> [Row; 2] {
    rows.map(|row| Row {
        quiet: Some(QUIET),
        ping,
        ..row
    })
}

fn hanging(rows: [Row; 2]) -> [Row; 2] {
    rows.map(|row| Row {
        silence: HANGS,
        ..row
    })
}

fn slow(rows: [Row; 2]) -> [Row; 2] {
    rows.map(|row| Row {
        rate: 1.0,
        ping: 4_000,
        silence: Duration::from_secs(20),
        ..row
    })
}

pub(crate) fn all() -> Vec<Row> {
    let numbered = [
        both("nginx, Upgrade passed on", nginx(60, true), Websocket),
        both("nginx, Upgrade not passed on", nginx(60, false), LongPoll),
        quiet(
            both(
                "nginx, proxy_read_timeout 2s, pings",
                nginx(2, true),
                Websocket,
            ),
            OFTEN,
        ),
        quiet(
            both(
                "nginx, proxy_read_timeout 1s, no pings",
                nginx(1, true),
                Websocket,
            ),
            SELDOM,
        ),
        quiet(
            both(
                "HAProxy, timeout tunnel 2s, pings",
                haproxy(2, ""),
                Websocket,
            ),
            OFTEN,
        ),
        quiet(
            both(
                "HAProxy, timeout tunnel 1s, no pings",
                haproxy(1, ""),
                Websocket,
            ),
            SELDOM,
        ),
        both(
            "HAProxy, http-server-close",
            haproxy(60, "option http-server-close"),
            Websocket,
        ),
        both(
            "HAProxy, httpclose",
            haproxy(60, "option httpclose"),
            Websocket,
        ),
        both("squid, CONNECT", squid(false), Websocket),
        both("squid, CONNECT with credentials", squid(true), Websocket),
        both(
            "squid, of HTTPS_PROXY",
            Between::SquidOfEnvironment,
            Websocket,
        ),
        both("strips Upgrade", always(Meddling::StripsUpgrade), LongPoll),
        both(
            "strips Upgrade, later",
            later(Meddling::StripsUpgrade),
            LongPoll,
        ),
        hanging(both(
            "swallows the 101",
            always(Meddling::Swallows101),
            LongPoll,
        )),
        hanging(both(
            "swallows the 101, later",
            later(Meddling::Swallows101),
            LongPoll,
        )),
        quiet(
            both(
                "resets idle connections",
                always(Meddling::KillsIdle(IDLE)),
                Websocket,
            ),
            SELDOM,
        ),
        quiet(
            both(
                "forgets idle connections",
                always(Meddling::ForgetsIdle(IDLE)),
                Websocket,
            ),
            2_400,
        ),
        quiet(
            both(
                "answers 408 in the hold",
                later(Meddling::AnswersInHold(408)),
                LongPoll,
            ),
            OFTEN,
        ),
        quiet(
            both(
                "answers 502 in the hold",
                later(Meddling::AnswersInHold(502)),
                LongPoll,
            ),
            OFTEN,
        ),
        both("truncates", later(Meddling::Truncates), Websocket),
        slow(both(
            "throttles to 1 KB/s",
            always(Meddling::Throttles(1024)),
            Websocket,
        )),
        both("resets in the middle", later(Meddling::Resets), Websocket),
    ];
    let mut rows: Vec<Row> = real_figures().into();
    rows.extend(numbered.into_iter().flatten());
    rows.extend(unnumbered());
    rows
}

/// As long as such limits are, with a session's default of 20 s between pings.
fn real_figures() -> [Row; 2] {
    let kills = always(Meddling::KillsIdle(Duration::from_secs(30)));
    let name = "resets what is idle for 30 s, default pings";
    [(Events, "websocket"), (Notifications, "auto")].map(|(platform, transport)| Row {
        quiet: Some(Duration::from_secs(36)),
        ping: SELDOM,
        ..row(name, kills, platform, transport, Some(Websocket))
    })
}

/// Platforms without numbers, each over its one transport.
fn unnumbered() -> Vec<Row> {
    let socket = |name, between| row(name, between, Notifications, "auto", Some(Websocket));
    let poll = |name, between| row(name, between, Agent, "auto", Some(LongPoll));
    let idle = Meddling::ForgetsIdle(IDLE);
    let swallows = later(Meddling::Swallows101);
    let mut rows = vec![
        socket("nginx, Upgrade passed on", nginx(60, true)),
        socket("HAProxy, timeout tunnel 2s, pings", haproxy(2, "")),
        socket("squid, CONNECT with credentials", squid(true)),
        Row {
            // Nothing else to fall back on: it goes on when the fault ends.
            silence: Duration::from_secs(20),
            ..row(
                "swallows the 101, later",
                swallows,
                Notifications,
                "auto",
                None,
            )
        },
        socket("truncates", later(Meddling::Truncates)),
        socket("resets in the middle", later(Meddling::Resets)),
        poll("nginx, Upgrade not passed on", nginx(60, false)),
        poll(
            "HAProxy, http-server-close",
            haproxy(60, "option http-server-close"),
        ),
        poll("squid, CONNECT with credentials", squid(true)),
        poll("truncates", later(Meddling::Truncates)),
        poll("resets in the middle", later(Meddling::Resets)),
    ];
    for mut row in [
        socket("forgets idle connections", always(idle)),
        poll("forgets idle connections", always(idle)),
        poll(
            "answers 408 in the hold",
            later(Meddling::AnswersInHold(408)),
        ),
        poll(
            "answers 502 in the hold",
            later(Meddling::AnswersInHold(502)),
        ),
    ] {
        row.quiet = Some(QUIET);
        row.ping = 2_400;
        rows.push(row);
    }
    rows
}
