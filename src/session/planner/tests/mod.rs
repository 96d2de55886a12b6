//! A plan that reads a list, page by page, and connectors to compare.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use crate::auth::AccessToken;
use crate::connectors::{self, Built, Call, Connector, Plan, Settings, Step, Unreadable};
use crate::domain::SessionName;
use crate::net::HttpResponse;

/// A connector that subscribes to these.
pub(in crate::session) fn connector(topics: &[&str]) -> Arc<dyn Connector> {
    let name = SessionName::new("cc").unwrap();
    let endpoint = Url::parse("https://api.example.test").unwrap();
    let settings = Settings {
        channels: topics.iter().map(|&topic| topic.to_owned()).collect(),
        ..Settings::new("genesys-events", name, endpoint)
    };
    match connectors::build(&settings) {
        Ok(Built::Ready(mut connectors)) => connectors.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Asks for pages of topics: `,` between topics, `|` between channels, `?` cannot be read.
#[derive(Debug, Clone)]
pub(in crate::session) struct Listing {
    pages: usize,
    page: usize,
    absorbed: Option<u16>,
    found: Vec<String>,
}

impl Listing {
    pub(in crate::session) fn of_pages(pages: usize) -> Self {
        Self {
            pages,
            page: 0,
            absorbed: None,
            found: Vec::new(),
        }
    }

    /// Goes on without a page that is refused with this.
    pub(in crate::session) fn absorbing(mut self, status: u16) -> Self {
        self.absorbed = Some(status);
        self
    }
}

impl Plan for Listing {
    fn next(&mut self, token: &AccessToken) -> Step<Vec<Arc<dyn Connector>>> {
        if self.page == self.pages {
            let found = self.found.join(",");
            let channels = found.split('|').filter(|channel| !channel.is_empty());
            let each = channels.map(|topics| connector(&topics.split(',').collect::<Vec<_>>()));
            return Step::Done(each.collect());
        }
        let url = format!("https://api.test/list?page={}", self.page);
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(token.value.expose()).unwrap();
        headers.insert("authorization", value);
        Step::Call(Box::new(Call {
            method: Method::GET,
            url: url.parse().unwrap(),
            headers,
            body: Bytes::new(),
        }))
    }

    fn answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable> {
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert!(!text.contains('!'), "planted");
        if text == "?" {
            return Err(Unreadable {
                what: "page",
                reason: "a question".to_owned(),
            });
        }
        self.page += 1;
        self.found.push(text.to_owned());
        Ok(())
    }

    fn refused(&mut self, status: StatusCode) -> bool {
        let absorbed = self.absorbed == Some(status.as_u16());
        self.page += usize::from(absorbed);
        absorbed
    }
}
