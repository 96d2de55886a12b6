//! [`SessionBoard`]: where sessions post their present state and others read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::SessionStats;
use crate::domain::{SessionName, TemplateName};
use crate::proto::v1;

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

/// A session's place on the board; the post is removed when this is dropped.
#[derive(Debug)]
pub struct BoardSlot {
    name: SessionName,
    board: SessionBoard,
    reconnect: Arc<tokio::sync::Notify>,
}

impl SessionBoard {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a session's place with its first state.
    #[must_use]
    pub fn open(&self, name: SessionName, state: v1::Session) -> BoardSlot {
        self.open_for(&Owner::default(), name, state)
    }

    /// The same for a session that counts.
    #[must_use]
    pub fn open_for(&self, owner: &Owner, name: SessionName, state: v1::Session) -> BoardSlot {
        let reconnect = Arc::new(tokio::sync::Notify::new());
        let post = Post {
            state: Arc::new(state),
            owner: owner.clone(),
            reconnect: Arc::clone(&reconnect),
        };
        self.posts.send_modify(|posts| {
            posts.insert(name.clone(), post);
        });
        BoardSlot {
            name,
            board: self.clone(),
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
    pub fn post(&self, state: v1::Session) {
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
