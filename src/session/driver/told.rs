//! [`Told`]: what a driver is told from outside, now and then. Each is waited for among the tasks, which
//! are looked at when they have something to say: a session with a frame to read asks nobody else.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Driver, Ended};
use crate::net::HttpClient;
use crate::runtime::Drain;
use crate::session::machine::Input;

/// What a driver is told from outside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// There is no time left.
    Forced,
    Draining,
    ReconnectAsked,
    /// A letter may have come.
    MailCame,
    TokenChanged,
    ConnectorChanged,
}

impl<C: HttpClient + 'static> Driver<C> {
    /// Waits for everything that it may be told.
    pub(super) fn listen(&self, drain: &Drain) {
        let (forced, draining) = (drain.clone(), drain.clone());
        self.tell(Told::Forced, async move { forced.forced().await });
        self.tell(Told::Draining, async move { draining.draining().await });
        self.listen_for_reconnect();
        self.listen_for_mail();
        self.listen_for_change(Told::TokenChanged, &self.token_status);
        self.listen_for_change(Told::ConnectorChanged, &self.connector);
    }

    /// Does what it is told, and waits for the next time.
    pub(super) fn told(&mut self, told: Told) {
        match told {
            // Whoever runs the driver drops it.
            Told::Forced => {}
            Told::Draining => self.drain(),
            Told::ReconnectAsked => {
                self.listen_for_reconnect();
                self.feed(Input::ReconnectAsked);
            }
            Told::MailCame => {
                self.listen_for_mail();
                self.mail_came();
            }
            Told::TokenChanged => {
                self.token_changed();
                self.listen_for_change(told, &self.token_status);
            }
            Told::ConnectorChanged => {
                self.connector_changed();
                self.listen_for_change(told, &self.connector);
            }
        }
    }

    fn listen_for_reconnect(&self) {
        let reconnect = Arc::clone(&self.reconnect);
        self.tell(Told::ReconnectAsked, async move {
            reconnect.notified().await;
        });
    }

    fn listen_for_mail(&self) {
        if let Some(mail) = self.callers.mail() {
            let mail = Arc::clone(mail);
            self.tell(Told::MailCame, async move { mail.arrived().await });
        }
    }

    /// Waits for what has not been seen yet of `of`; for ever if nobody can change it any more.
    fn listen_for_change<T: Send + Sync + 'static>(&self, told: Told, of: &watch::Receiver<T>) {
        let mut of = of.clone();
        self.tell(told, async move {
            if of.changed().await.is_err() {
                pending::<()>().await;
            }
        });
    }

    /// Has it told when `when` has come.
    fn tell(&self, told: Told, when: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(Box::pin(async move {
            when.await;
            Ended::Told(told)
        }));
    }
}
