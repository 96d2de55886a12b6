//! [`Readers`]: resuming readers of one sidecar, each with a temper of its own, judged at the end.

use std::sync::Arc;

use tieline::client::{Address, GapChoice, Item, Resuming};
use tieline::proto::v1;
use tieline::runtime::Rng;
use tieline::sandbox::{LedgerEntry, Oracle};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use v1::subscribe_request::{End, Start};
use v1::subscribe_response::Notice;

use crate::child::{BOUND, Child};
use crate::record::{Progress, Record, SELECTED};

/// How a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Everything, for as long as it takes.
    Plain,
    /// Everything, but it dies at random and resumes from the position that it stored.
    Dying,
    /// Some types, without raw data, and slowly when it has to catch up.
    Selective,
}

/// The reader that dies does so after one response in so many.
const RESPONSES_PER_LIFE: u64 = 25;
/// Above the rate of the platform, or it would never arrive.
const SLOW: u32 = 4_000;

/// Readers that run.
#[derive(Debug)]
pub(crate) struct Readers {
    pub(crate) record: Arc<Record>,
    tasks: JoinSet<Result<Judged, String>>,
    progress: watch::Receiver<Progress>,
    /// The sequence at which they end.
    end: watch::Sender<u64>,
}

/// What readers have read, up to one sequence at least.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) record: Arc<Record>,
    pub(crate) through: u64,
    readers: Vec<Judged>,
}

/// A reader that has read everything.
#[derive(Debug)]
struct Judged {
    temper: Temper,
    deaths: u64,
    interruptions: u64,
    oracle: Oracle,
    sequences: Vec<u64>,
}

struct Reader {
    address: Address,
    rng: Rng,
    record: Arc<Record>,
    position: Option<v1::Position>,
    judged: Judged,
}

impl Readers {
    /// Starts one reader of each of `tempers`.
    pub(crate) fn start(address: &Address, tempers: &[Temper], rng: &Rng) -> Self {
        let record = Arc::new(Record::new(tempers));
        let end = watch::Sender::new(u64::MAX);
        let mut tasks = JoinSet::new();
        for temper in tempers {
            let reader = Reader {
                address: address.clone(),
                rng: rng.fork(&format!("{temper:?}")),
                record: Arc::clone(&record),
                position: None,
                judged: Judged {
                    temper: *temper,
                    deaths: 0,
                    interruptions: 0,
                    oracle: Oracle::new(),
                    sequences: Vec::new(),
                },
            };
            tasks.spawn(reader.run(end.subscribe()));
        }
        Self {
            progress: record.watch(),
            record,
            tasks,
            end,
        }
    }

    /// Waits until they got so far, while the sidecar lives and no reader has a complaint.
    pub(crate) async fn until(
        &mut self,
        sidecar: &mut Child,
        what: &str,
        mut test: impl FnMut(&Progress) -> bool,
    ) -> Progress {
        let reached = tokio::select! {
            complaint = self.tasks.join_next() => panic!("a reader ended: {complaint:?}"),
            died = sidecar.died() => panic!("{died}"),
            reached = timeout(BOUND, self.progress.wait_for(&mut test)) => reached.map(|progress| *progress.unwrap()),
        };
        reached.unwrap_or_else(|_| {
            let (now, words) = (self.record.progress(), sidecar.last_words());
            panic!("not within {BOUND:?}: {what}; {now:?}\n{words}")
        })
    }

    /// Completes when a reader or the sidecar has ended, which neither should. Cancel-safe.
    pub(crate) async fn watch_for_complaints(&mut self, sidecar: &mut Child) -> String {
        tokio::select! {
            complaint = self.tasks.join_next() => format!("a reader ended: {complaint:?}"),
            died = sidecar.died() => died,
        }
    }

    /// Waits until a stream was opened on this sidecar and `count` events came to any reader.
    pub(crate) async fn advance(&mut self, sidecar: &mut Child, since: Progress, count: u64) {
        let opened = |now: &Progress| now.opened > since.opened;
        let then = self.until(sidecar, "a reader is served", opened).await;
        let advanced = |now: &Progress| now.taken > then.taken + count;
        self.until(sidecar, "readers advance", advanced).await;
    }

    /// Waits until the slowest is so close to the fastest.
    pub(crate) async fn close_up(&mut self, sidecar: &mut Child, most: u64) {
        let together = |now: &Progress| now.apart() <= most;
        self.until(sidecar, "the slowest reader comes closer", together)
            .await;
    }

    /// Waits until the plain reader has the platform's number `head` and all have what it has.
    pub(crate) async fn finish(mut self, sidecar: &mut Child, head: u64) -> Finish {
        let arrived = |now: &Progress| now.number >= head;
        let end = self.until(sidecar, "everything arrives", arrived).await;
        self.end.send_replace(end.latest);
        let mut readers = Vec::new();
        while let Some(ended) = timeout(BOUND, self.tasks.join_next())
            .await
            .expect("they end")
        {
            readers.push(
                ended
                    .unwrap()
                    .unwrap_or_else(|complaint| panic!("{complaint}")),
            );
        }
        Finish {
            record: self.record,
            through: end.latest,
            readers,
        }
    }
}

impl Finish {
    /// Compares what the readers got with what there was, and what there was with the ledger.
    pub(crate) fn assert_complete(&self, ledger: &[LedgerEntry]) {
        let sequences = self.record.sequences();
        let all = (1..=self.through).collect::<Vec<_>>();
        let seen = &sequences[..sequences.len().min(all.len())];
        assert!(seen == all, "{}", first_difference(seen, &all));
        for reader in &self.readers {
            reader.assert_complete(self, ledger);
        }
    }
}

impl Reader {
    async fn run(mut self, mut end: watch::Receiver<u64>) -> Result<Judged, String> {
        let mut stream = self.subscribe()?;
        loop {
            let through = self.position.as_ref().map_or(0, |at| at.sequence);
            let item = tokio::select! {
                biased;
                _ = end.wait_for(|end| *end <= through) => return Ok(self.judged),
                item = stream.next() => item.ok_or("the stream ended with OK")?,
            };
            let item = item.map_err(|error| format!("{:?}: {error}", self.judged.temper))?;
            match item {
                Item::Interrupted(_) => self.judged.interruptions += 1,
                Item::Response(response) => {
                    self.position = stream.position().cloned();
                    self.take(&response)?;
                }
            }
            if self.judged.temper == Temper::Dying && self.rng.below(RESPONSES_PER_LIFE) == 0 {
                self.judged.deaths += 1;
                stream = self.subscribe()?;
            }
        }
    }

    /// As a process would that has nothing but the position it stored.
    fn subscribe(&self) -> Result<Resuming, String> {
        let selective = self.judged.temper == Temper::Selective;
        let earliest = Start::Preset(v1::StartPreset::Earliest.into());
        let view = if selective {
            v1::EventView::Normalized
        } else {
            v1::EventView::Full
        };
        let request = v1::SubscribeRequest {
            start: Some(self.position.clone().map_or(earliest, Start::After)),
            view: view.into(),
            filter: selective.then(|| v1::EventFilter {
                types: vec![format!("{SELECTED}*")],
                ..Default::default()
            }),
            max_replay_events_per_second: if selective { SLOW } else { 0 },
            client_id: format!("{:?}", self.judged.temper).to_lowercase(),
            ..Default::default()
        };
        // A position that is gone is a failure here, not a choice.
        let stop = |_: &_| GapChoice::Stop;
        Resuming::new(self.address.clone(), request, stop, self.rng.clone())
            .map_err(|error| error.to_string())
    }

    fn take(&mut self, response: &v1::SubscribeResponse) -> Result<(), String> {
        match &response.notice {
            Some(Notice::Opened(_)) => self.record.opened(),
            Some(Notice::Gap(gap)) => return Err(format!("events were trimmed: {gap:?}")),
            _ => {}
        }
        let epoch = self.position.as_ref().map(|at| at.epoch.as_str());
        let epoch = epoch.ok_or("events before the epoch was told")?;
        let events = &response.events;
        let selective = self.judged.temper == Temper::Selective;
        self.record.take(epoch, events, !selective)?;
        if selective {
            let sequences = events.iter().map(|event| event.sequence);
            self.judged.sequences.extend(sequences);
        } else {
            self.judged.oracle.take(epoch, events);
        }
        if let Some(position) = &self.position {
            self.record.stands(self.judged.temper, position.sequence);
        }
        if self.judged.temper == Temper::Plain {
            self.record.reached(self.judged.oracle.highest_number());
        }
        Ok(())
    }
}

impl Judged {
    fn assert_complete(&self, all: &Finish, ledger: &[LedgerEntry]) {
        let temper = self.temper;
        if temper == Temper::Selective {
            let up_to = |of: &[u64]| -> Vec<u64> {
                let within = of.iter().take_while(|at| **at <= all.through);
                within.copied().collect()
            };
            let (got, expected) = (up_to(&self.sequences), up_to(&all.record.selected()));
            assert!(got == expected, "{}", first_difference(&got, &expected));
            println!("  {temper:?}: {} of {}", got.len(), all.through);
            return;
        }
        let verdict = self.oracle.judge(ledger);
        assert!(verdict.is_clean(), "{temper:?}: {verdict}");
        // The platform kept everything, so there is nothing that could not be had.
        assert_eq!(verdict.on_record, 0, "{temper:?}: {verdict}");
        assert_eq!(
            verdict.delivered,
            ledger.len() as u64,
            "{temper:?}: {verdict}"
        );
        println!(
            "  {temper:?}: {verdict}; {} interruptions, {} deaths",
            self.interruptions, self.deaths
        );
    }
}

/// Reads everything that is retained, once more; the first and the last sequence. Whatever differs
/// from what somebody saw before is a failure.
pub(crate) async fn read_again(address: &Address, record: &Record) -> (u64, u64) {
    let request = v1::SubscribeRequest {
        start: Some(Start::Preset(v1::StartPreset::Earliest.into())),
        end: Some(End::UntilCaughtUp(true)),
        ..Default::default()
    };
    let stop = |_: &_| GapChoice::Stop;
    let mut stream = Resuming::new(address.clone(), request, stop, Rng::from_entropy()).unwrap();
    let (mut first, mut last) = (None, 0);
    let all = async {
        while let Some(item) = stream.next().await {
            let Item::Response(response) = item.unwrap() else {
                continue;
            };
            let epoch = stream.position().unwrap().epoch.clone();
            record.take(&epoch, &response.events, true).unwrap();
            for event in response.events {
                assert!(
                    first.is_none() || event.sequence == last + 1,
                    "{last}, then {}",
                    event.sequence
                );
                first.get_or_insert(event.sequence);
                last = event.sequence;
            }
        }
    };
    timeout(BOUND, all).await.expect("it can be read");
    (first.expect("something is retained"), last)
}

fn first_difference(got: &[u64], expected: &[u64]) -> String {
    let at = got.iter().zip(expected).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| got.len().min(expected.len()));
    let around =
        |of: &[u64]| of[at.saturating_sub(2).min(of.len())..(at + 3).min(of.len())].to_vec();
    format!(
        "got {:?} where there was {:?}",
        around(got),
        around(expected)
    )
}
