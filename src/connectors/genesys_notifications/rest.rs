//! [`Rest`]: requests of the platform's REST interface, and the frames of its answers.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::auth::AccessToken;
use crate::connectors::{Call, Unreadable};

/// The largest page that every list of the platform gives.
pub(super) const PAGE: usize = 100;

/// Where the platform is.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    base: Url,
}

impl Rest {
    pub(super) fn new(base: Url) -> Self {
        Self { base }
    }

    /// `GET` of `path` below `api/v2`, each part of it encoded.
    pub(super) fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        token: &AccessToken,
    ) -> Box<Call> {
        self.call(Method::GET, path, query, None, token)
    }

    /// Any other request, with a JSON body or none.
    pub(super) fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: &AccessToken,
    ) -> Box<Call> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v2"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = headers(token);
        let body = body.map_or_else(Bytes::new, |body| {
            let json = HeaderValue::from_static("application/json");
            headers.insert(CONTENT_TYPE, json);
            body.to_string().into()
        });
        Box::new(Call {
            method,
            url,
            headers,
            body,
        })
    }
}

/// Bearer token and the type we speak. A token that no header can hold is left out: the platform
/// answers 401, and the credential is reported.
fn headers(token: &AccessToken) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.value.expose()));
    if let Ok(mut value) = HeaderValue::from_str(&bearer) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    #[serde(borrow, default)]
    entities: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    page_count: Option<u64>,
    #[serde(default)]
    pub(super) next_uri: Option<String>,
    /// Where a large answer is to be fetched instead.
    #[serde(default)]
    pub(super) download_url: Option<&'a RawValue>,
}

impl<'a> Page<'a> {
    pub(super) fn read(what: &'static str, body: &'a Bytes) -> Result<Self, Unreadable> {
        let page: Self = json(what, body)?;
        if page.entities.is_none() && page.download_url.is_none() {
            let reason = "it has no entities".to_owned();
            return Err(Unreadable { what, reason });
        }
        Ok(page)
    }

    pub(super) fn entities(&self) -> &[&'a RawValue] {
        self.entities.as_deref().unwrap_or_default()
    }

    /// Whether the page after the `number`-th holds more. Where the platform does not count its
    /// pages, a full one has a successor.
    pub(super) fn has_more(&self, number: u64) -> bool {
        match self.page_count {
            Some(count) => number < count && !self.entities().is_empty(),
            None => self.entities().len() >= PAGE,
        }
    }
}

/// What names an entity.
#[derive(Debug, Deserialize)]
pub(super) struct Entity {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

/// Reads JSON. The parser's own message may quote the text, so only its place is told.
pub(super) fn json<'a, T: Deserialize<'a>>(
    what: &'static str,
    body: &'a [u8],
) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| Unreadable {
        what,
        reason: place(&error),
    })
}

/// Where a text stopped being what was expected, without any of it.
pub(super) fn place(error: &serde_json::Error) -> String {
    let kind = error.classify();
    format!(
        "{kind:?} at line {} column {}",
        error.line(),
        error.column()
    )
}

/// The bytes of a value within the body it was read from.
pub(super) fn slice(body: &Bytes, value: &RawValue) -> Bytes {
    body.slice_ref(value.get().as_bytes())
}
