//! Requests that are answered by a body.

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::routes::Asked;
use super::{base, deliver, file};
use crate::sandbox::guests::record::GuestOperation as Operation;
use crate::sandbox::guests::server::Core;
use crate::sandbox::guests::web_messaging::Upload;
use crate::sandbox::platform::{Answer, TokenRequest};
use crate::sandbox::server::{Body, ResetOnPurpose, bearer, header, read};

const LARGEST_BODY: usize = 64 << 10;
/// A little more than the largest attachment, so that the platform can say that it is too large.
const LARGEST_UPLOAD: usize = 11 << 20;

pub(super) async fn respond(
    core: &Arc<Core>,
    connection: u64,
    request: Request<Incoming>,
    asked: Asked,
) -> Result<Response<Body>, ResetOnPurpose> {
    let (head, body) = request.into_parts();
    let largest = match asked.operation {
        Operation::Attachment => LARGEST_UPLOAD,
        _ => LARGEST_BODY,
    };
    let body = match read(body, largest).await {
        Ok(body) => body,
        Err(unread) => return deliver(core, Answer::from(unread).into(), None).await,
    };
    let authorization = header(&head.headers, AUTHORIZATION);
    let token = bearer(authorization.as_deref());
    let query = head.uri.query().unwrap_or_default();
    let id = asked.id.as_deref().unwrap_or_default();
    let now = core.times();
    let mut owed = None;
    let delayed = match asked.operation {
        Operation::Deployment => core.with(|state| state.deployment(id)).into(),
        Operation::History => core.with(|state| state.messages(token.as_deref(), query, now)),
        Operation::Attachment if head.method == Method::GET => {
            let signature = signature(query);
            let (id, signature) = (id, signature.as_str());
            match core.with(|state| state.file(Upload { id, signature })) {
                Some((kind, bytes)) => return Ok(file(&kind, bytes)),
                None => Answer::error(404, "not.found", "no such file").into(),
            }
        }
        Operation::Attachment => {
            let signature = signature(query);
            let (id, signature) = (id, signature.as_str());
            core.with(|state| {
                let base = base(state, &head.headers);
                state.put_attachment(Upload { id, signature }, Bytes::clone(&body), now, &base)
            })
            .into()
        }
        Operation::Token => {
            let request = TokenRequest {
                authorization: authorization.as_deref(),
                form: &body,
            };
            core.with(|state| state.answer_token(request, now.0))
        }
        Operation::Guest => core
            .with(|state| state.new_guest(token.as_deref(), &body, now))
            .into(),
        Operation::Message => {
            let (delayed, number) = core
                .with(|state| state.new_message((connection, id), token.as_deref(), &body, now));
            owed = number;
            delayed
        }
        Operation::Handshake | Operation::Other => {
            let path = head.uri.path();
            Answer::error(404, "not.found", &format!("{} {path}", head.method)).into()
        }
    };
    deliver(core, delayed, owed).await
}

fn signature(query: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == "signature");
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
