//! The whole sidecar in a simulated world: sessions, tokens, journal, feed and gRPC edge against a
//! simulated platform and readers, over a simulated network and disk, in simulated time.
//!
//! The oracle is one sentence: every event that the platform issued is delivered exactly once and in
//! order to each reader, or covered by a gap record; none is invented; and once faults stop,
//! everything heals and drains. A seed decides everything: `TIELINE_SIMULATION_SEED=7 cargo test
//! --test simulation one_seed -- --nocapture` repeats one.

#[cfg(test)]
mod clocks;
#[cfg(test)]
mod filtered;
#[cfg(test)]
mod host;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod late;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod mood;
#[cfg(test)]
mod network;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod process;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod sidecar;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::RangeInclusive;
    use std::sync::mpsc;
    use std::time::Duration;

    use tieline::testing::scale;

    use super::mood::Mood;
    use super::trouble::{OURS, Strikes};
    use super::world::{Report, run, run_in};

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        for seed in 1..=4 {
            let (one, other) = (run(seed, true), run(seed, true));
            let parts = one.story.iter().zip(&other.story).position(|(a, b)| a != b);
            if let Some(at) = parts {
                panic!(
                    "seed {seed} parts at note {at}:\n{:#?}\n{:#?}",
                    &one.story[at.saturating_sub(5)..(at + 3).min(one.story.len())],
                    &other.story[at.saturating_sub(5)..(at + 3).min(other.story.len())],
                );
            }
            assert_eq!(one, other, "seed {seed}");
        }
    }

    /// In this time some seed has ended, however busy the machine is.
    const STUCK: Duration = Duration::from_secs(120);

    /// How many seeds are tried: `TIELINE_SIMULATION_SEEDS`, else 250 times the scale.
    fn seeds() -> u64 {
        let asked = std::env::var("TIELINE_SIMULATION_SEEDS");
        let asked = asked.ok().map(|text| text.parse().expect("a number"));
        asked.unwrap_or_else(|| 250 * u64::from(scale()))
    }

    /// The command that repeats a seed.
    fn again(seed: u64) -> String {
        format!(
            "repeat it with: TIELINE_SIMULATION_SEED={seed} cargo test --test simulation one_seed -- --nocapture"
        )
    }

    /// Runs each seed, as many at once as there are cores, and takes the reports as they come.
    fn for_each_seed(mut seeds: RangeInclusive<u64>, mut take: impl FnMut(Report)) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (ended, ends) = mpsc::channel();
        let mut running = BTreeSet::new();
        loop {
            while running.len() < threads
                && let Some(seed) = seeds.next()
            {
                let ended = ended.clone();
                running.insert(seed);
                let of_its_own = std::thread::Builder::new().name(format!("seed {seed}"));
                let runs = of_its_own.spawn(move || {
                    // Nobody waits any more where another seed is stuck.
                    let _gone = ended.send(run_in(mood(), seed, false)).is_err();
                });
                runs.expect("a thread");
            }
            if running.is_empty() {
                return;
            }
            match ends.recv_timeout(STUCK) {
                Ok(report) => {
                    running.remove(&report.seed);
                    take(report);
                }
                Err(_) => {
                    let seeds: Vec<_> = running.iter().map(|seed| again(*seed)).collect();
                    panic!(
                        "nothing ended within {STUCK:?}: stuck, or a panic:\n{}",
                        seeds.join("\n")
                    );
                }
            }
        }
    }

    /// What the worlds are likely to be troubled by: `TIELINE_SIMULATION_MOOD`, else anything.
    fn mood() -> Mood {
        let asked = std::env::var("TIELINE_SIMULATION_MOOD");
        let mood = asked.map_or(Some(Mood::Any), |name| Mood::named(&name));
        mood.expect("the name of a mood")
    }

    #[test]
    fn every_event_is_delivered_once_or_on_record_whatever_goes_wrong() {
        let seeds = seeds();
        let (mut strikes, mut issued, mut failed) = (Strikes::new(), 0, Vec::new());
        for_each_seed(1..=seeds, |report| {
            for (name, count) in &report.strikes {
                *strikes.entry(name).or_default() += count;
            }
            issued += report.issued;
            failed.extend(report.violation.is_some().then_some(report));
        });
        println!("{seeds} seeds, {issued} events issued; strikes: {strikes:#?}");
        for report in &failed {
            println!(
                "seed {}: {}",
                report.seed,
                report.violation.as_deref().unwrap_or_default()
            );
            println!("  {}", again(report.seed));
        }
        assert!(
            failed.is_empty(),
            "{} of {seeds} seeds failed",
            failed.len()
        );
        // A kind of trouble that never struck was not tested; in few worlds the rarest need not.
        let missing: Vec<_> = OURS
            .into_iter()
            .filter(|name| !strikes.contains_key(name))
            .collect();
        let idle: Vec<_> = strikes.iter().filter(|(_, count)| **count == 0).collect();
        assert!(
            seeds < 1_000 || mood() != Mood::Any || missing.is_empty() && idle.is_empty(),
            "never struck: {missing:?} {idle:?}"
        );
    }

    #[test]
    fn one_seed() {
        if std::env::var_os("RUST_LOG").is_some() {
            tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .init();
        }
        let seed = std::env::var("TIELINE_SIMULATION_SEED");
        let seed = seed.map_or(Ok(0), |text| text.parse());
        let report = run_in(mood(), seed.expect("a number"), true);
        let struck = report.strikes.iter().filter(|(_, count)| **count > 0);
        println!("{:?}", struck.collect::<Vec<_>>());
        println!(
            "seed {}, trace {:x?}: {} issued, {:?}, {} lives, {:?}",
            report.seed, report.trace, report.issued, report.found, report.lives, report.simulated
        );
        assert_eq!(report.violation, None);
    }
}
