//! [`History`]: asks for the pages of the conversation that a loss window touches (5.8).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::connector::Inner;
use super::message::{Body, Side};
use super::pass::Reader;
use super::wire;
use crate::auth::AccessToken;
use crate::connectors::{
    Call, Found, LossWindow, ProviderEvent, Recovered, Recoverer, Seen, Step, Unreadable,
};
use crate::domain::WallTime;
use crate::net::HttpResponse;

/// As the mobile client asks.
const PAGE: usize = 25;
/// The platform's clock and ours differ: what it dated this much earlier may have been missed too.
const MARGIN: Duration = Duration::from_secs(60);
/// A window that no so many pages reach is not closed.
const MOST_PAGES: u32 = 40;
/// Nor one whose messages are larger together.
const MOST_BYTES: usize = 16 << 20;

/// The history of one loss window.
#[derive(Debug)]
pub(super) struct History {
    of: Arc<Inner>,
    /// While it stands, the JWT is kept fresh.
    _reader: Reader,
    from: WallTime,
    page: u32,
    /// The number of the JWT that was shown last.
    shown: u64,
    bytes: usize,
    events: Vec<ProviderEvent>,
    seen: Vec<Seen>,
    found: Option<Found>,
}

impl History {
    pub(super) fn new(of: Arc<Inner>, window: &LossWindow) -> Self {
        Self {
            _reader: of.pass.reader(),
            from: window.start.minus(MARGIN),
            page: 1,
            shown: 0,
            bytes: 0,
            events: Vec::new(),
            seen: Vec::new(),
            found: None,
            of,
        }
    }

    /// Takes a record; whether it is older than what could have been missed.
    fn take(&mut self, record: Result<Body, String>, raw: Bytes) -> bool {
        self.bytes += raw.len();
        let body = match record {
            Ok(body) => body,
            Err(problem) => {
                self.events.push(wire::malformed(raw, problem));
                return false;
            }
        };
        let own = body.side() == Some(Side::Inbound) && body.is_message();
        if let (true, Some(id)) = (own, body.id()) {
            self.seen.push(Seen {
                provider_id: id.to_owned(),
                id: body.own_id().map(str::to_owned),
                content: body.content(),
                time: body.time(),
            });
        }
        let old = body.time().is_some_and(|time| time < self.from);
        if !old {
            self.events.push(wire::event(&body, raw));
        }
        old
    }

    /// Everything that was read, in the order of time; the platform lists the newest first.
    fn told(&mut self) -> Recovered {
        let mut events = std::mem::take(&mut self.events);
        events.reverse();
        events.sort_by_key(|event| event.time);
        let mut seen = std::mem::take(&mut self.seen);
        seen.reverse();
        seen.sort_by_key(|seen| seen.time);
        Recovered {
            events,
            seen,
            ..Recovered::default()
        }
    }
}

impl Recoverer for History {
    /// Messages are told apart by their ids, so nothing has to wait.
    fn holds(&self) -> bool {
        false
    }

    fn next(&mut self, _token: &AccessToken) -> Step<Found> {
        if let Some(found) = self.found {
            return Step::Done(found);
        }
        let Some(jwt) = self.of.pass.get() else {
            return Step::Done(Found::Nothing);
        };
        self.shown = jwt.number;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ORIGIN, self.of.origin.clone());
        let bearer = zeroize::Zeroizing::new(format!("bearer {}", jwt.text.expose()));
        // One that no header can hold is left out: the platform answers 401.
        if let Ok(mut value) = HeaderValue::from_str(&bearer) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Step::Call(Box::new(Call {
            method: Method::GET,
            url: self.of.page(self.page, PAGE),
            headers,
            body: Bytes::new(),
        }))
    }

    fn answer(&mut self, answer: &HttpResponse, _wall: WallTime) -> Result<Recovered, Unreadable> {
        let page = wire::page(&answer.body, self.page, PAGE)?;
        let mut reached = page.is_last;
        for (record, raw) in page.records {
            reached |= self.take(record, raw);
        }
        if !reached && self.page < MOST_PAGES && self.bytes <= MOST_BYTES {
            self.page += 1;
            return Ok(Recovered::default());
        }
        self.found = Some(match reached {
            true => Found::Everything,
            false => Found::Nothing,
        });
        Ok(self.told())
    }

    /// A JWT that came meanwhile may be accepted.
    fn refused(&mut self, status: StatusCode) -> bool {
        let newer = self
            .of
            .pass
            .get()
            .is_some_and(|jwt| jwt.number > self.shown);
        newer && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}
