//! `tieline demo`: ends well, says so, and tells the same story for the same seed.

use std::path::Path;

use prost::Message as _;
use serde_json::Value;
use tieline::domain::{JournalName, Sequence};
use tieline::journal::{
    FileJournal, Item, Journal as _, JournalConfig, Options, RetentionConfig, StoreConfig,
};
use tieline::proto::v1;
use tieline::runtime::{Clock, Rng};
use v1::event::Origin;

use crate::child::run;

const PAGE: usize = 1 << 20;

#[tokio::test]
async fn the_demo_ends_well_and_its_seed_tells_its_story() {
    let files = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| files.path().join(name));
    let (a, b) = tokio::join!(play(&first), play(&second));
    let scenes = |of: &[Value]| -> Vec<_> {
        let scenes = of.iter().filter(|line| line["event"] == "scene");
        scenes.map(|line| line["text"].clone()).collect()
    };
    assert_eq!(scenes(&a), scenes(&b));
    assert_eq!(scenes(&a).len(), 9);

    let (first, second) = (story(&first).await, story(&second).await);
    // How many events the day had is a matter of the clock, which ones is not.
    let length = first.len().min(second.len());
    assert!(length > 150, "{length}");
    assert_eq!(first[..length], second[..length]);
}

/// Plays it; the lines it printed.
async fn play(journal: &Path) -> Vec<Value> {
    let journal = journal.to_str().unwrap();
    let demo = ["demo", "--for", "10s", "--seed", "7", "--json", "--journal"];
    let played = run(demo.into_iter().chain([journal])).await;
    assert_eq!(played.code, Some(0), "{}\n{}", played.stdout, played.stderr);
    assert_eq!(played.stderr, "");
    let lines = played.stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "summary");
    for none in [
        "lost",
        "doubled",
        "disordered",
        "invented",
        "altered",
        "jumps",
    ] {
        assert_eq!(last[none], 0, "{none}: {last}");
    }
    // The bad day happened, and this is what became of it.
    for some in [
        "gaps",
        "backfilled",
        "transport_changes",
        "token_refreshes",
        "reader_resumes",
    ] {
        assert!(last[some].as_u64() > Some(0), "{some}: {last}");
    }
    assert!(last["duplicates_dropped"].as_u64() > Some(0), "{last}");
    assert_eq!(last["issued"], last["delivered"], "{last}");
    lines
}

/// The platform's events as the journal holds them: number, type, subject.
async fn story(journal: &Path) -> Vec<(u64, String, String)> {
    let config = JournalConfig {
        name: JournalName::new("default").unwrap(),
        path: journal.to_owned(),
        store: StoreConfig::default(),
        retention: RetentionConfig::default(),
    };
    let journal = FileJournal::open(Options::new(&config, Clock::system(), Rng::from_seed(1)));
    let journal = journal.unwrap();
    let mut story = Vec::new();
    let mut after = Sequence::ZERO;
    loop {
        let page = journal.read(after, PAGE).await.unwrap();
        for item in &page.items {
            let Item::Event(entry) = item else {
                panic!("{item:?}");
            };
            let response = v1::SubscribeResponse::decode(&*entry.element).unwrap();
            let told = response
                .events
                .into_iter()
                .filter(|event| event.origin() != Origin::Sidecar);
            story.extend(told.map(|event| (event.provider_sequence, event.r#type, event.subject)));
        }
        if page.through == after {
            return story;
        }
        after = page.through;
    }
}
