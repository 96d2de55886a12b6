//! [`Outcomes`]: where each signal goes and how that went last, in words for operators; never a
//! credential.

use parking_lot::Mutex;
use url::Url;

use super::Protocol;
use crate::domain::WallTime;
use crate::runtime::Label as _;
use crate::telemetry::Signal;

/// What of a problem is kept and shown, in characters.
const MOST_SHOWN: usize = 200;

/// What became of signals.
#[derive(Debug, Default)]
pub struct Outcomes([Mutex<Outcome>; Signal::ALL.len()]);

#[derive(Debug, Default)]
struct Outcome {
    /// None where it is off.
    to: Option<Destination>,
    /// Whether the last request was taken; none before the first has ended.
    taken: Option<bool>,
    problem: Option<(WallTime, String)>,
}

#[derive(Debug)]
struct Destination {
    shown: String,
    /// What stands in the address and is for nobody to see.
    secrets: Vec<String>,
}

impl Destination {
    fn new(url: &Url, protocol: Protocol) -> Self {
        let mut bare = url.clone();
        // Fails for addresses without a host, which there are none of here.
        let _always = bare.set_username("").is_ok() && bare.set_password(None).is_ok();
        bare.set_query(None);
        bare.set_fragment(None);
        let user = [url.username(), url.password().unwrap_or_default()].join(":");
        let user = user.trim_end_matches(':');
        let secrets = [
            format!("{user}@"),
            format!("?{}", url.query().unwrap_or_default()),
        ];
        Self {
            shown: format!(
                "{} ({})",
                bare.as_str().trim_end_matches('/'),
                protocol.word()
            ),
            secrets: secrets
                .into_iter()
                .filter(|secret| secret.len() > 1)
                .collect(),
        }
    }
}

impl Outcomes {
    fn of(&self, signal: Signal) -> Option<&Mutex<Outcome>> {
        self.0.get(signal.index())
    }

    /// A signal is sent there from now on.
    pub(in crate::telemetry) fn goes_to(&self, signal: Signal, url: &Url, protocol: Protocol) {
        if let Some(outcome) = self.of(signal) {
            outcome.lock().to = Some(Destination::new(url, protocol));
        }
    }

    /// A signal is sent nowhere, for it could not be begun.
    pub(in crate::telemetry) fn is_off(&self, signal: Signal, problem: &str, at: WallTime) {
        self.refused(signal, problem, at);
        if let Some(outcome) = self.of(signal) {
            outcome.lock().to = None;
        }
    }

    pub(in crate::telemetry) fn taken(&self, signal: Signal) {
        if let Some(outcome) = self.of(signal) {
            outcome.lock().taken = Some(true);
        }
    }

    /// A request was not taken; why, as it may be shown.
    pub(in crate::telemetry) fn refused(
        &self,
        signal: Signal,
        problem: &str,
        at: WallTime,
    ) -> String {
        let Some(outcome) = self.of(signal) else {
            return String::new();
        };
        let mut outcome = outcome.lock();
        let secrets = outcome.to.iter().flat_map(|to| &to.secrets);
        let shown = secrets.fold(problem.to_owned(), |text, secret| text.replace(secret, ""));
        let shown: String = shown.chars().take(MOST_SHOWN).collect();
        outcome.taken = Some(false);
        outcome.problem = Some((at, shown.clone()));
        shown
    }

    /// All of it in a line; none where every signal is off and nobody wanted otherwise.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let each = Signal::ALL.iter().filter_map(|signal| {
            let outcome = self.of(*signal)?.lock();
            Some((outcome.is_silent(), outcome.told(signal.word())))
        });
        let each: Vec<_> = each.collect();
        let all_silent = each.iter().all(|(silent, _)| *silent);
        let words: Vec<_> = each.into_iter().map(|(_, words)| words).collect();
        (!all_silent).then(|| words.join("; "))
    }
}

impl Outcome {
    fn is_silent(&self) -> bool {
        self.to.is_none() && self.problem.is_none()
    }

    fn told(&self, what: &str) -> String {
        let problem = self.problem.as_ref();
        let Some(to) = &self.to else {
            let why = problem.map(|(_, problem)| format!(": {problem}"));
            return format!("{what} off{}", why.unwrap_or_default());
        };
        let how = match self.taken {
            None => "nothing sent yet",
            Some(true) => "arriving",
            Some(false) => "failing",
        };
        let last = problem.map(|(at, problem)| format!(", last failure at {at}: {problem}"));
        format!("{what} to {} {how}{}", to.shown, last.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn what_is_off_is_told_as_off_and_all_off_is_nothing_to_tell() {
        let outcomes = Outcomes::default();
        assert_eq!(outcomes.told(), None);
        outcomes.is_off(
            Signal::Traces,
            "read /ca.pem: no such file",
            WallTime::default(),
        );
        let told = outcomes.told().unwrap();
        assert_eq!(told, "traces off: read /ca.pem: no such file; metrics off");
    }

    #[test]
    fn the_last_failure_stays_known_when_it_goes_on() {
        let outcomes = Outcomes::default();
        outcomes.goes_to(Signal::Metrics, &url("http://c:4317"), Protocol::Grpc);
        let told = |words: &str| {
            let expected = format!("traces off; metrics to http://c:4317 (grpc) {words}");
            assert_eq!(outcomes.told(), Some(expected));
        };
        told("nothing sent yet");
        outcomes.taken(Signal::Metrics);
        told("arriving");
        let at = WallTime::from_millis(0);
        outcomes.refused(Signal::Metrics, "refused", at);
        told("failing, last failure at 1970-01-01T00:00:00Z: refused");
        outcomes.taken(Signal::Metrics);
        told("arriving, last failure at 1970-01-01T00:00:00Z: refused");
    }

    #[test]
    fn no_credential_is_shown_wherever_it_stands() {
        let outcomes = Outcomes::default();
        let to = "https://me:hidden@c:4318/v1/traces?key=hidden";
        outcomes.goes_to(Signal::Traces, &url(to), Protocol::Http);
        let problem = format!("error sending request for url ({to})");
        let logged = outcomes.refused(Signal::Traces, &problem, WallTime::default());
        let told = outcomes.told().unwrap();
        for text in [&logged, &told] {
            assert!(!text.contains("hidden"), "{text}");
            assert!(text.contains("https://c:4318/v1/traces"), "{text}");
        }
        let long = "x".repeat(10_000);
        let shown = outcomes.refused(Signal::Traces, &long, WallTime::default());
        assert_eq!(shown.len(), MOST_SHOWN);
    }
}
