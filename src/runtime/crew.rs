//! [`Crew`]: a few threads for one kind of work that blocks.
//!
//! The runtime's own pool starts a thread whenever none is idle at that very moment. Under short
//! jobs that overlap it ends with dozens, each of which keeps memory back for itself.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// At most so many threads, started by the first job. They end when this is dropped.
pub struct Crew {
    name: &'static str,
    threads: usize,
    /// No more jobs wait in the queue than there are threads.
    turns: Semaphore,
    jobs: Mutex<Option<Sender<Job>>>,
}

/// The work panicked, or no thread could be started for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was lost")]
pub struct Lost;

impl Crew {
    /// A crew whose threads are called `name`.
    #[must_use]
    pub fn new(name: &'static str, threads: usize) -> Self {
        Self {
            name,
            threads,
            turns: Semaphore::new(threads),
            jobs: Mutex::new(None),
        }
    }

    /// Has one of them do it, once one is free. Where the runtime has but one thread, it is done in
    /// place: there nothing else would go on meanwhile, and the order of things stays the same in
    /// each run.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(work());
        }
        // The semaphore is never closed; if it were, more jobs would wait in the queue.
        let _turn = self.turns.acquire().await.ok();
        let (answer, answered) = oneshot::channel();
        // Whoever does not wait for the answer any more has dropped its end.
        let job: Job = Box::new(move || drop(answer.send(work())));
        self.hand_in(job)?;
        answered.await.map_err(|_| Lost)
    }

    fn hand_in(&self, job: Job) -> Result<(), Lost> {
        let mut jobs = self.jobs.lock();
        if jobs.is_none() {
            *jobs = Some(self.start()?);
        }
        let sent = jobs.as_ref().map(|jobs| jobs.send(job));
        sent.and_then(Result::ok).ok_or(Lost)
    }

    /// One thread is enough to go on with.
    fn start(&self) -> Result<Sender<Job>, Lost> {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let started = (0..self.threads).filter(|_| {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name(self.name.to_owned());
            thread.spawn(move || work_off(&waiting)).is_ok()
        });
        match started.count() {
            0 => Err(Lost),
            _ => Ok(jobs),
        }
    }
}

fn work_off(waiting: &Mutex<Receiver<Job>>) {
    loop {
        // Whoever holds the lock waits for a job, the others for the lock.
        let job = waiting.lock().recv();
        match job {
            // Who waits for the answer is told that there is none; the next job has its thread still.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("name", &self.name)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn any_number_of_jobs_is_done_by_so_many_threads() {
        let crew = Crew::new("crew", 3);
        let work = |_| crew.run(|| std::thread::current().id());
        let done = join_all((0..1_000).map(work)).await;
        let threads: HashSet<_> = done.into_iter().map(Result::unwrap).collect();
        assert!(threads.len() <= 3, "{threads:?}");
        assert!(!threads.contains(&std::thread::current().id()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_panics_is_lost_alone() {
        let crew = Crew::new("crew", 1);
        let lost = crew.run(|| panic!("on purpose")).await;
        assert_eq!(lost, Err::<(), _>(Lost));
        assert_eq!(crew.run(|| 7).await, Ok(7));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_job_that_nobody_waits_for_keeps_no_other_from_its_turn() {
        let crew = Crew::new("crew", 1);
        let (go, gate) = channel::<()>();
        let abandoned = crew.run(move || gate.recv());
        tokio::select! {
            biased;
            _ = abandoned => panic!("it waits at the gate"),
            () = tokio::task::yield_now() => {}
        }
        go.send(()).unwrap();
        assert_eq!(crew.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_works_in_place() {
        let crew = Crew::new("crew", 2);
        let here = std::thread::current().id();
        assert_eq!(crew.run(|| std::thread::current().id()).await, Ok(here));
    }
}
