//! What users write: configurations, and profiles of platforms of their own.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use tieline::config::{Loaded, Sources, load_text};
use tieline::connectors::{Built, Settings, build, platforms};

use crate::kit;

/// A configuration; whatever is wrong with it is found somewhere in it.
pub(super) fn configs(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(load(text));
    }
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    examples("```yaml\n")
}

/// A configuration with a profile, and behind a zero byte what the platform sends.
pub(super) fn profiles(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = parts.next().and_then(|text| std::str::from_utf8(text).ok());
    let Some(loaded) = text.and_then(load) else {
        return;
    };
    let wire = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    for session in &loaded.config.sessions {
        let Some(profile) = session.profile.clone() else {
            continue;
        };
        let settings = Settings {
            profile: Some(profile),
            channels: vec!["channel".to_owned()],
            ..kit::bare_settings("custom", kit::ENDPOINT)
        };
        let Ok(Built::Ready(connectors)) = build(&settings) else {
            continue;
        };
        for connector in connectors {
            let Ok(batch) = kit::read(&*connector, &wire) else {
                continue;
            };
            for event in &batch.events {
                assert_eq!(connector.normalize(event).raw_data, event.raw);
            }
        }
    }
}

pub(super) fn profile_seeds() -> Vec<Vec<u8>> {
    let mut seeds = examples("```yaml\n# acme.yaml\n");
    for seed in &mut seeds {
        seed.push(0);
        seed.extend_from_slice(br#"{"type":"call","events":[{"id":1,"seq":2}]}"#);
    }
    seeds
}

fn load(text: &str) -> Option<Loaded> {
    let sources = Sources {
        file: "fuzz.yaml".into(),
        variables: BTreeMap::new(),
        flags: Vec::new(),
        platforms: platforms(),
    };
    load_text(text, &sources).ok()
}

/// The blocks of the README that begin so.
fn examples(fence: &str) -> Vec<Vec<u8>> {
    let readme = Path::new(tieline::testing::ROOT).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme.split(fence).skip(1);
    blocks
        .filter_map(|block| block.split_once("```"))
        .map(|(block, _)| block.as_bytes().to_vec())
        .collect()
}
