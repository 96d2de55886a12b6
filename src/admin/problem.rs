//! [`Problem`]: why a request at the admin listener is not answered with what it asked for.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::grpc::OperatorRefused;

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
    #[error(
        "what changes things is served on the unix: socket of listen.admin, or with a credential where listen.auth is given"
    )]
    SocketOnly,
    /// It is not known who asks.
    #[error("{0}")]
    Unknown(String),
    /// It is, and they may not.
    #[error("{0}")]
    Forbidden(String),
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
            Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::Site | Self::SocketOnly | Self::NoPayloads | Self::Forbidden(_) => {
                StatusCode::FORBIDDEN
            }
            Self::TooMany(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<OperatorRefused> for Problem {
    fn from(refused: OperatorRefused) -> Self {
        match refused {
            OperatorRefused::Unknown(why) => Self::Unknown(why),
            refused @ OperatorRefused::Forbidden(_) => Self::Forbidden(refused.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Self::Unknown(_) = self {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
