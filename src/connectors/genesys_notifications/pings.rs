//! [`Pings`]: the platform's own pings, and which of them a pong answers. A pong names none, so they
//! are counted (2.7).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::net::Frame;

const PING: &str = r#"{"message":"ping"}"#;

/// Names that are remembered; more pings than that are not waited for.
const MOST_NAMED: usize = 64;

/// The pings of one connection.
#[derive(Debug, Default)]
pub(super) struct Pings {
    sent: u64,
    answered: u64,
    /// Those that have names, and which they were.
    named: VecDeque<(u64, Bytes)>,
}

impl Pings {
    /// A ping that nobody waits for by name.
    pub(super) fn unnamed(&mut self) -> Frame {
        self.sent += 1;
        Frame::Text(Bytes::from_static(PING.as_bytes()))
    }

    /// A ping whose answer somebody waits for.
    pub(super) fn named(&mut self, name: &Bytes) -> Frame {
        let frame = self.unnamed();
        self.named.push_back((self.sent, name.clone()));
        if self.named.len() > MOST_NAMED {
            self.named.pop_front();
        }
        frame
    }

    /// A pong came: the newest name that is surely answered. The n-th pong answers the n-th ping, or a
    /// later one where the platform left some unanswered; so it proves no less than that.
    pub(super) fn answered(&mut self) -> Option<Bytes> {
        self.answered = (self.answered + 1).min(self.sent);
        let mut newest = None;
        while let Some((_, name)) = self.named.pop_front_if(|(ping, _)| *ping <= self.answered) {
            newest = Some(name);
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Bytes = Bytes::from_static(b"a");
    const B: Bytes = Bytes::from_static(b"b");

    #[test]
    fn a_pong_answers_the_oldest_ping_that_has_no_answer() {
        let mut pings = Pings::default();
        assert_eq!(pings.answered(), None, "nobody asked");
        pings.unnamed();
        pings.named(&A);
        pings.unnamed();
        pings.named(&B);
        let answers: Vec<_> = std::iter::repeat_with(|| pings.answered())
            .take(5)
            .collect();
        assert_eq!(answers, [None, Some(A), None, Some(B), None]);
        pings.named(&A);
        assert_eq!(
            pings.answered(),
            Some(A),
            "an answer to nothing counts for nothing"
        );
    }

    #[test]
    fn a_ping_that_is_never_answered_makes_later_pongs_prove_less_and_never_more() {
        let mut pings = Pings::default();
        pings.named(&A);
        pings.named(&B);
        assert_eq!(pings.answered(), Some(A), "the pong of the second");
    }

    #[test]
    fn names_that_nobody_answers_are_forgotten_oldest_first() {
        let mut pings = Pings::default();
        for _ in 0..10 * MOST_NAMED {
            pings.named(&A);
        }
        assert_eq!(pings.named.len(), MOST_NAMED);
        assert_eq!(pings.answered(), None);
    }
}
