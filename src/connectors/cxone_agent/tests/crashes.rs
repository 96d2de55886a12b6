//! A crash between two answers changes nothing of what is told.

use proptest::prelude::*;

use super::*;

/// What the platform does next.
#[derive(Debug, Clone, Copy)]
enum Turn {
    News,
    Nothing,
    /// The present state, as after a stale id.
    Renewed,
    /// The present state, because it dropped events.
    Dropped,
    End,
    /// The id means nothing any more.
    Gone,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        4 => Just(Turn::News),
        3 => Just(Turn::Nothing),
        2 => Just(Turn::Renewed),
        1 => Just(Turn::Dropped),
        1 => Just(Turn::End),
        1 => Just(Turn::Gone),
    ];
    proptest::collection::vec(turn, 0..24)
}

/// A session as the engine drives it: what it kept, and a connection that may die.
struct Driven {
    connector: Arc<dyn Connector>,
    link: Box<dyn Link>,
    kept: Option<Opaque>,
    entered: usize,
}

impl Driven {
    fn new() -> Self {
        let connector = connector();
        let link = link(&*connector, None);
        Self {
            connector,
            link,
            kept: None,
            entered: 0,
        }
    }

    fn keep(&mut self) {
        match self.link.keep() {
            Keep::Unchanged => {}
            Keep::Nothing => self.kept = None,
            Keep::This(opaque) => self.kept = Some(opaque),
        }
    }

    fn reconnect(&mut self) {
        self.link = link(&*self.connector, self.kept.as_ref());
    }

    /// Enters a session where there is none; the id that the next poll asks with.
    fn ready(&mut self) -> String {
        if matches!(self.link.setup(&token()), Setup::Call(_)) {
            self.entered += 1;
            let first = format!("t{}", self.entered);
            self.link = link(&*self.connector, self.kept.as_ref());
            enter(&mut *self.link, &first);
        }
        self.keep();
        poll(&mut *self.link).url.path().to_owned()
    }

    /// What one answer tells.
    fn answered(&mut self, turn: Turn, place: usize) -> String {
        let asked = self.ready();
        let id = format!("s{place}");
        let news = |events: &[&str]| answer(200, &body(&id, events));
        let end = r#"{"Type":"AgentSessionEnd","Success":"True"}"#;
        let given = match turn {
            Turn::News => news(&[AVAILABLE]),
            Turn::Nothing => answer(304, ""),
            Turn::Renewed => news(&[START, AVAILABLE]),
            Turn::Dropped => branch("3", 200, &body(&id, &[AVAILABLE])),
            Turn::End => news(&[end]),
            Turn::Gone => {
                self.link.over(Some(StatusCode::NOT_FOUND));
                self.keep();
                self.reconnect();
                return asked;
            }
        };
        let batch = self.link.read_poll(&given).unwrap();
        if let Some(opaque) = batch.opaque {
            self.kept = Some(opaque);
        }
        self.keep();
        if matches!(turn, Turn::End) {
            self.reconnect();
        }
        let topics: Vec<_> = batch.events.iter().map(|e| &e.topic).collect();
        format!(
            "{asked} {topics:?} {:?} {:?}",
            batch.controls, batch.snapshot
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256 * crate::testing::scale(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_between_answers_tells_the_same(turns in turns(), crashes: u32) {
        let (mut whole, mut broken) = (Driven::new(), Driven::new());
        for (place, turn) in turns.into_iter().enumerate() {
            let expected = whole.answered(turn, place);
            prop_assert_eq!(broken.answered(turn, place), expected);
            if crashes.rotate_right(u32::try_from(place).unwrap()) & 1 == 1 {
                broken.reconnect();
            }
        }
    }

    #[test]
    fn each_session_that_replaces_another_tells_the_loss_once(turns in turns()) {
        let mut session = Driven::new();
        let mut told = 0;
        let mut read = std::collections::BTreeSet::new();
        for (place, turn) in turns.into_iter().enumerate() {
            told += session.answered(turn, place).matches("SESSION_REPLACED").count();
            // The loss before a session that was never read belongs to the next that is.
            if !matches!(turn, Turn::Gone) && session.entered > 1 {
                read.insert(session.entered);
            }
            prop_assert_eq!(told, read.len());
        }
    }
}
