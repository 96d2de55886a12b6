//! Query parameters, and lists page by page. Pure.

use serde_json::{Value, json};

use super::answer::Refusal;

/// Query parameters, decoded.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) size: usize,
    /// From 1.
    pub(crate) number: usize,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
        Self {
            pairs: pairs.collect(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        pairs
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// A list, however it is written: `id=a,b` or `id=a&id=b`.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        let values = self.pairs.iter().filter(|(name, _)| name == key);
        values
            .flat_map(|(_, value)| value.split(','))
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn has(&self, key: &str, value: &str) -> bool {
        self.list(key).iter().any(|part| part == value)
    }

    /// A page of at most `largest`; 25 where no size is asked for.
    pub(crate) fn page(&self, largest: usize) -> Result<Page, Refusal> {
        let number = |key: &str, default: usize| match self.get(key) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|number| *number >= 1)
                .ok_or_else(|| Refusal::bad(format!("{key} must be a positive number"))),
        };
        let page = Page {
            size: number("pageSize", 25)?,
            number: number("pageNumber", 1)?,
        };
        if page.size > largest {
            return Err(Refusal::bad(format!("pageSize must be at most {largest}")));
        }
        Ok(page)
    }

    /// The same request for another page.
    fn uri(&self, path: &str, page: Page) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        let kept = self.pairs.iter();
        for (key, value) in kept.filter(|(key, _)| key != "pageSize" && key != "pageNumber") {
            text.append_pair(key, value);
        }
        text.append_pair("pageSize", &page.size.to_string());
        text.append_pair("pageNumber", &page.number.to_string());
        format!("{path}?{}", text.finish())
    }
}

impl Page {
    /// The page of `all`.
    pub(crate) fn of<T>(self, all: impl Iterator<Item = T>) -> Vec<T> {
        let skip = self.size.saturating_mul(self.number - 1);
        all.skip(skip).take(self.size).collect()
    }

    /// A list as the platform answers it.
    pub(crate) fn listing(
        self,
        entities: Vec<Value>,
        total: usize,
        (path, query): (&str, &Query),
    ) -> Value {
        let count = total.div_ceil(self.size).max(1);
        let uri = |number| query.uri(path, Page { number, ..self });
        let mut body = self.links(entities, self.number < count, (path, query));
        if let Some(body) = body.as_object_mut() {
            body.insert("total".to_owned(), total.into());
            body.insert("pageCount".to_owned(), count.into());
            body.insert("lastUri".to_owned(), uri(count).into());
        }
        body
    }

    /// A list that does not say how long it is.
    pub(crate) fn links(
        self,
        entities: Vec<Value>,
        more: bool,
        (path, query): (&str, &Query),
    ) -> Value {
        let uri = |number| query.uri(path, Page { number, ..self });
        let mut body = json!({
            "entities": entities,
            "pageSize": self.size,
            "pageNumber": self.number,
            "firstUri": uri(1),
            "selfUri": uri(self.number),
        });
        if let Some(body) = body.as_object_mut() {
            if more {
                body.insert("nextUri".to_owned(), uri(self.number + 1).into());
            }
            if self.number > 1 {
                body.insert("previousUri".to_owned(), uri(self.number - 1).into());
            }
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_however_they_are_written() {
        let query = Query::parse("id=a,b&id=c&expand=presence&pageSize=2&pageNumber=2");
        assert_eq!(query.list("id"), ["a", "b", "c"]);
        assert!(query.has("expand", "presence") && !query.has("expand", "station"));
        let page = query.page(100).unwrap();
        assert_eq!(page.of(1..=3), [3]);
        let listing = page.listing(vec![json!(3)], 3, ("/x", &query));
        assert_eq!(
            (&listing["total"], &listing["pageCount"]),
            (&json!(3), &json!(2))
        );
        assert!(listing.get("nextUri").is_none());
        let previous = listing["previousUri"].as_str().unwrap();
        assert!(previous.starts_with("/x?id=a%2Cb&id=c") && previous.ends_with("pageNumber=1"));
    }

    #[test]
    fn pages_out_of_range_are_refused() {
        for wrong in ["pageSize=0", "pageSize=x", "pageNumber=0", "pageSize=101"] {
            assert!(Query::parse(wrong).page(100).is_err(), "{wrong}");
        }
        assert_eq!(
            Query::parse("").page(100).unwrap(),
            Page {
                size: 25,
                number: 1
            }
        );
    }
}
