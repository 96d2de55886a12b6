//! What is said to callers that are not known or not allowed. Nothing of it tells what is there.

use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::status;
use crate::grpc::identity::CredentialError;

pub(super) fn of_credentials(error: CredentialError) -> Status {
    let metadata = [("problem", error.word().to_owned())];
    let (reason, message) = (reason(error), error.to_string());
    status(
        Code::Unauthenticated,
        reason,
        message,
        metadata,
        ErrorDetails::new(),
    )
}

/// Whoever has a credential may get a better one and come back; whoever has none must be given one.
pub(super) const fn reason(error: CredentialError) -> &'static str {
    match error {
        CredentialError::Missing | CredentialError::NotBearer => "CREDENTIALS_MISSING",
        CredentialError::Unknown
        | CredentialError::Untrusted(_)
        | CredentialError::Expired
        | CredentialError::Disowned => "CREDENTIALS_EXPIRED",
    }
}

pub(super) fn not_served() -> Status {
    Status::unimplemented("there is no such method")
}
