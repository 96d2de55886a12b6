//! [`Problem`]: why a request at the admin listener is not answered with what it asked for.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    /// It was meant for somebody else, or a name was made to point here.
    #[error(
        "this listener does not go by the name of the request's Host; name it in listen.admin_hosts"
    )]
    Host,
    /// It comes from a page of another site.
    #[error("requests of other sites are refused")]
    Site,
    /// It changes something.
    #[error("what changes things is served on the unix: socket of listen.admin alone")]
    SocketOnly,
    /// As many watch as may.
    #[error("{0} are watching already, which is the limit")]
    TooMany(usize),
    /// There is no such journal or session.
    #[error("there is no {0}")]
    NotFound(String),
    /// A parameter is not understood.
    #[error("{0}")]
    Invalid(String),
    /// It needs to be allowed first.
    #[error("payloads are shown where listen.admin_payloads is true")]
    NoPayloads,
    /// It is not there now.
    #[error("{0}")]
    Unavailable(String),
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Site | Self::SocketOnly | Self::NoPayloads => StatusCode::FORBIDDEN,
            Self::TooMany(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status(), format!("{self}\n")).into_response()
    }
}
