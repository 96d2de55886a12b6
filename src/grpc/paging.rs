//! Pages of things that have names and an order. Pure.

use super::status::RequestError;

const DEFAULT_SIZE: usize = 100;
const LARGEST: usize = 1_000;

/// The page after `token`, and the token of the page after that; empty on the last one.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = (String, T)>,
    size: i32,
    token: &str,
) -> Result<(Vec<T>, String), RequestError> {
    let size = match usize::try_from(size) {
        Ok(0) => DEFAULT_SIZE,
        Ok(size) => size.min(LARGEST),
        Err(_) => {
            return Err(RequestError::Invalid {
                field: "page_size",
                problem: format!("{size} is below 0"),
            });
        }
    };
    let after = match token.split_at_checked(1) {
        None if token.is_empty() => "",
        Some(("~", name)) if !name.is_empty() => name,
        _ => {
            return Err(RequestError::Invalid {
                field: "page_token",
                problem: "this is not a token that a list call returned".to_owned(),
            });
        }
    };
    let mut page = Vec::new();
    let mut last = String::new();
    for (name, item) in items
        .into_iter()
        .filter(|(name, _)| name.as_str() > after)
        .take(size + 1)
    {
        if page.len() == size {
            return Ok((page, format!("~{last}")));
        }
        last = name;
        page.push(item);
    }
    Ok((page, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_overlap_or_hole() {
        let names: Vec<String> = (0..25).map(|n| format!("n{n:02}")).collect();
        for size in [1, 7, 24, 25, 26] {
            let mut token = String::new();
            let mut seen = Vec::new();
            loop {
                let items = names.iter().map(|n| (n.clone(), n.clone()));
                let (page, next) = page(items, size, &token).unwrap();
                assert!(page.len() <= size as usize);
                seen.extend(page);
                token = next;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, names, "pages of {size}");
        }
    }

    #[test]
    fn a_wrong_size_or_token_is_refused() {
        let none = || std::iter::empty::<(String, ())>();
        assert!(page(none(), -1, "").is_err());
        assert!(page(none(), 0, "n07").is_err());
        assert!(page(none(), 0, "~").is_err());
        assert!(page(none(), 0, "ä").is_err());
        assert_eq!(page(none(), 0, "~gone").unwrap(), (vec![], String::new()));
    }
}
