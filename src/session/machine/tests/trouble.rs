//! What platforms, networks and token endpoints answer when they do not do what they were asked.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;

use super::rig::Rig;
use crate::auth::TokenProblem;
use crate::net::{HandshakeFailure, HttpFailure};
use crate::session::machine::Input;

/// An answer that does not do.
#[derive(Debug, Clone)]
pub(super) enum Bad {
    Status(u16),
    Fails(HttpFailure),
    /// A body that nobody can read, or no WebSocket.
    Garbled,
}

pub(super) fn bad() -> impl Strategy<Value = Bad> {
    let fails = vec![
        HttpFailure::Timeout(Duration::from_secs(10)),
        HttpFailure::Connect("refused".to_owned()),
        HttpFailure::ProxyRefused,
        HttpFailure::Tls("unknown issuer".to_owned()),
        HttpFailure::Reset("peer".to_owned()),
        HttpFailure::Truncated { received: 7 },
        HttpFailure::TooLarge { limit: 7 },
        HttpFailure::RedirectRefused("http://elsewhere.test".to_owned()),
    ];
    prop_oneof![
        6 => prop::sample::select(vec![400, 401, 403, 404, 408, 410, 429, 500, 502, 503])
            .prop_map(Bad::Status),
        3 => prop::sample::select(fails).prop_map(Bad::Fails),
        1 => Just(Bad::Garbled),
    ]
}

pub(super) fn no_token() -> impl Strategy<Value = TokenProblem> {
    let reason = |reason: &str| reason.to_owned();
    prop::sample::select(vec![
        TokenProblem::Unavailable {
            reason: reason("503"),
        },
        TokenProblem::Refused {
            reason: reason("invalid_client"),
        },
        TokenProblem::ProxyRefused {
            reason: reason("407"),
        },
    ])
}

impl Rig {
    /// Answers a request so.
    pub(super) fn refuse(&mut self, call: u64, bad: Bad) {
        match bad {
            Bad::Status(status) => self.answer_to(call, status, &[("retry-after", "2")], ""),
            Bad::Fails(failure) => {
                let result = Err(failure);
                self.input(Input::Answer { call, result });
            }
            Bad::Garbled => self.answer_to(call, 200, &[], "rubbish:"),
        }
    }

    /// Answers a handshake so.
    pub(super) fn refuse_handshake(&mut self, generation: u64, bad: Bad) {
        let failure = match bad {
            Bad::Status(status) => HandshakeFailure::Status {
                status: StatusCode::from_u16(status).unwrap(),
                headers: Box::default(),
                body: Bytes::new(),
            },
            Bad::Fails(failure) => HandshakeFailure::Http(failure),
            Bad::Garbled => HandshakeFailure::NotWebSocket("no Upgrade".to_owned()),
        };
        let result = Err(failure);
        self.input(Input::Dialled { generation, result });
    }
}
