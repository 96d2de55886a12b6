//! [`SessionBoard`]: where sessions post their present state and others read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::SessionStats;
use super::vitals::{Story, Transition, Vitals};
use crate::auth::TokenStatus;
use crate::domain::{SessionName, TemplateName, WallTime};
use crate::proto::v1;
use crate::runtime::Clock;

/// The present state of every session. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SessionBoard {
    posts: watch::Sender<BTreeMap<SessionName, Post>>,
}

/// What one session posts.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its state, as the API shows it.
    pub state: Arc<v1::Session>,
    /// Where it counts, and whose it is.
    pub owner: Owner,
    /// What only operators are shown.
    pub detail: Arc<Detail>,
    /// Wakes the session to reconnect.
    reconnect: Arc<tokio::sync::Notify>,
}

/// Where a session counts, and whose it is.
#[derive(Debug, Clone, Default)]
pub struct Owner {
    /// Its counters; all sessions of a template share them.
    pub stats: Arc<SessionStats>,
    /// What it was made of, where it is a guest's.
    pub template: Option<TemplateName>,
}

/// What else operators are told of a session by.
#[derive(Debug)]
pub struct Sources {
    /// Its credential.
    pub token: Option<watch::Receiver<TokenStatus>>,
    /// Time, for its transitions.
    pub clock: Clock,
}

/// What operators are shown of one session.
#[derive(Debug)]
pub struct Detail {
    sources: Sources,
    told: Mutex<(Story, Vitals)>,
}

impl Detail {
    /// When its token expires, where it has one.
    #[must_use]
    pub fn token_expires(&self) -> Option<WallTime> {
        self.sources.token.as_ref()?.borrow().expires_at
    }

    /// What it posted last, and since when it shows the state that it shows.
    #[must_use]
    pub fn vitals(&self) -> (Vitals, WallTime) {
        let told = self.told.lock();
        (told.1.clone(), told.0.since())
    }

    /// Its latest transitions, oldest first, at most `most`.
    #[must_use]
    pub fn transitions(&self, most: usize) -> Vec<Transition> {
        let told = self.told.lock();
        let all = told.0.transitions();
        all.iter()
            .skip(all.len().saturating_sub(most))
            .cloned()
            .collect()
    }
}

/// A session's place on the board; the post is removed when this is dropped.
#[derive(Debug)]
pub struct BoardSlot {
    name: SessionName,
    board: SessionBoard,
    detail: Arc<Detail>,
    reconnect: Arc<tokio::sync::Notify>,
}

impl SessionBoard {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the place of a session of which nothing else is known.
    #[must_use]
    pub fn open(&self, name: SessionName, state: v1::Session) -> BoardSlot {
        let sources = Sources {
            token: None,
            clock: Clock::system(),
        };
        self.open_for(&Owner::default(), name, state, sources)
    }

    /// Opens a session's place with its first state.
    #[must_use]
    pub fn open_for(
        &self,
        owner: &Owner,
        name: SessionName,
        state: v1::Session,
        sources: Sources,
    ) -> BoardSlot {
        let reconnect = Arc::new(tokio::sync::Notify::new());
        let story = Story::new(sources.clock.wall(), &state);
        let detail = Arc::new(Detail {
            sources,
            told: Mutex::new((story, Vitals::default())),
        });
        let post = Post {
            state: Arc::new(state),
            owner: owner.clone(),
            detail: Arc::clone(&detail),
            reconnect: Arc::clone(&reconnect),
        };
        self.posts.send_modify(|posts| {
            posts.insert(name.clone(), post);
        });
        BoardSlot {
            name,
            board: self.clone(),
            detail,
            reconnect,
        }
    }

    /// Every session's post, by name.
    #[must_use]
    pub fn posts(&self) -> BTreeMap<SessionName, Post> {
        self.posts.borrow().clone()
    }

    /// What one session posts; `None` where there is no such session.
    #[must_use]
    pub fn state(&self, name: &SessionName) -> Option<v1::Session> {
        let posts = self.posts.borrow();
        Some(posts.get(name)?.state.as_ref().clone())
    }

    /// Watches the posts.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<SessionName, Post>> {
        self.posts.subscribe()
    }

    /// Asks a session to reconnect; its state, or `None` if there is no such session.
    #[must_use]
    pub fn reconnect(&self, name: &SessionName) -> Option<Arc<v1::Session>> {
        let post = self.posts.borrow().get(name).cloned()?;
        post.reconnect.notify_one();
        Some(post.state)
    }
}

impl BoardSlot {
    /// Posts a new state; watchers wake only when it differs.
    pub fn post(&self, state: v1::Session, vitals: Vitals) {
        {
            let mut told = self.detail.told.lock();
            told.0.goes_on(self.detail.sources.clock.wall(), &state);
            told.1 = vitals;
        }
        self.board
            .posts
            .send_if_modified(|posts| match posts.get_mut(&self.name) {
                Some(post) if *post.state != state => {
                    post.state = Arc::new(state);
                    true
                }
                _ => false,
            });
    }

    /// Completes when an operator asks for a reconnect. Cancel-safe.
    pub async fn reconnect_asked(&self) {
        self.reconnect.notified().await;
    }
}

impl Drop for BoardSlot {
    fn drop(&mut self) {
        self.board.posts.send_modify(|posts| {
            posts.remove(&self.name);
        });
    }
}
