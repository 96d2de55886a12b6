//! Mistakes made on purpose, each of which the simulation must find: a check that finds nothing proves
//! nothing before it has been seen to find something.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tieline::runtime::{Mistake, MonoTime};

use crate::mood::Mood;
use crate::world::{Report, run_in};

/// A mistake is found within so many seeds.
const SEEDS: u64 = 200;

/// Every mistake, and the mood in which it shows soon.
const MISTAKES: [(Mistake, Mood); 36] = [
    (Mistake::VisibleBeforeSynced, Mood::PowerCuts),
    (Mistake::SyncTriedAgain, Mood::FailedSyncs),
    (Mistake::NameNotSynced, Mood::PowerCuts),
    (Mistake::SnapshotWithoutState, Mood::Crashes),
    (Mistake::TornCommitAccepted, Mood::Tears),
    (Mistake::NoSpaceWaitsByTheClock, Mood::FullDisksAndClocks),
    (Mistake::DuplicateAccepted, Mood::Disorder),
    (Mistake::HoleNotNoticed, Mood::Disorder),
    (Mistake::RenumberingNotNoticed, Mood::Renumbering),
    (Mistake::GapWithoutRecord, Mood::Disorder),
    (Mistake::GapInMemoryAlone, Mood::DisorderAndCrashes),
    (Mistake::FilledOutOfOrder, Mood::Disorder),
    (Mistake::RestOfABatchDropped, Mood::Disorder),
    (Mistake::PositionPastWhatIsHeld, Mood::HolesAndCrashes),
    (Mistake::PositionNotInTheCommit, Mood::Crashes),
    (Mistake::PositionBeforeItsEvents, Mood::Crashes),
    (Mistake::PositionForgotten, Mood::Crashes),
    (Mistake::RefusedCommitForgotten, Mood::FullDisks),
    (Mistake::RejectedTokenKept, Mood::Unauthorized),
    (Mistake::RejectedTokenUsedAgain, Mood::Unauthorized),
    (Mistake::TokenAskedAtOnce, Mood::Unauthorized),
    (Mistake::RetryAfterIgnored, Mood::Throttled),
    (Mistake::BackOffDoesNotWait, Mood::Outages),
    (Mistake::BackOffNotReset, Mood::Outages),
    (Mistake::EmptyAnswersPolledAtOnce, Mood::Emptiness),
    (Mistake::SuspendedForGood, Mood::Forbidden),
    (Mistake::DegradedForGood, Mood::Throttled),
    (Mistake::MalformedEventDropped, Mood::Malformed),
    (Mistake::UntypedEventTakenForABatch, Mood::Malformed),
    (Mistake::HandoffLosesABatch, Mood::Any),
    (Mistake::LaggardSkipsToTheTail, Mood::Any),
    (Mistake::KeysOfANeighbour, Mood::Any),
    (Mistake::BookmarkAhead, Mood::Any),
    (Mistake::HeartbeatClaimsTheEnd, Mood::Any),
    (Mistake::ResumesAtThePosition, Mood::Any),
    (Mistake::FilterDropsGaps, Mood::Any),
];

/// Seeds tried until a mistake was found, and what was found.
fn hunt(mistake: Mistake, mood: Mood) -> Option<(u64, Report)> {
    let _planted = mistake.plant();
    let mut tried = (1..=SEEDS).map(|seed| (seed, run_in(mood, seed, false)));
    tried.find(|(_, report)| report.violation.is_some())
}

/// What became of each mistake.
struct Outcome {
    mistake: Mistake,
    said: String,
    fine: bool,
}

fn try_out((mistake, mood): (Mistake, Mood)) -> Outcome {
    let began = MonoTime::now();
    let found = hunt(mistake, mood);
    let took = began.elapsed().as_secs_f32();
    let (said, fine) = match &found {
        Some((seed, report)) => {
            let violation = report.violation.clone().unwrap_or_default();
            // The control: it is the mistake that was found, and nothing else.
            let control = run_in(mood, *seed, false).violation;
            let fine = control.is_none();
            let but = control
                .map(|c| format!(" BUT WITHOUT IT: {c}"))
                .unwrap_or_default();
            (format!("seed {seed}, {took:.1} s: {violation}{but}"), fine)
        }
        None => (format!("not found in {SEEDS} seeds, {took:.1} s"), false),
    };
    Outcome {
        mistake,
        said,
        fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those named in `TIELINE_SIMULATION_MISTAKES`, else all.
    fn asked() -> Vec<(Mistake, Mood)> {
        let named = std::env::var("TIELINE_SIMULATION_MISTAKES").unwrap_or_default();
        let named: Vec<&str> = named.split(',').filter(|name| !name.is_empty()).collect();
        let wanted =
            |mistake: Mistake| named.is_empty() || named.contains(&format!("{mistake:?}").as_str());
        MISTAKES.into_iter().filter(|(m, _)| wanted(*m)).collect()
    }

    #[test]
    fn every_planted_mistake_is_found() {
        let asked = asked();
        let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(one) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = try_out(*one);
                        println!("{:?}: {}", outcome.mistake, outcome.said);
                        outcomes.lock().push(outcome);
                    }
                });
            }
        });
        let outcomes = outcomes.into_inner();
        let missed: Vec<_> = outcomes
            .iter()
            .filter(|o| !o.fine)
            .map(|o| o.mistake)
            .collect();
        println!(
            "{} of {} mistakes found",
            outcomes.len() - missed.len(),
            outcomes.len()
        );
        assert!(missed.is_empty(), "not found, or not alone: {missed:?}");
    }
}
