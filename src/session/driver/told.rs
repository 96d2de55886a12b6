//! [`Told`]: what a driver is told from outside, now and then. Each is waited for among the tasks, which
//! are looked at when they have something to say: a session with a frame to read asks nobody else.

use std::sync::Arc;

use futures_util::future::BoxFuture;
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
        self.tasks.push(Box::pin(async move {
            forced.forced().await;
            Ended::Told(Told::Forced)
        }));
        self.tasks.push(Box::pin(async move {
            draining.draining().await;
            Ended::Told(Told::Draining)
        }));
        self.listen_for_reconnect();
        self.listen_for_mail();
        self.tasks
            .push(changed(&self.token_status, Told::TokenChanged));
        self.tasks
            .push(changed(&self.connector, Told::ConnectorChanged));
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
                self.tasks.push(changed(&self.token_status, told));
            }
            Told::ConnectorChanged => {
                self.connector_changed();
                self.tasks.push(changed(&self.connector, told));
            }
        }
    }

    fn listen_for_reconnect(&self) {
        let reconnect = Arc::clone(&self.reconnect);
        self.tasks.push(Box::pin(async move {
            reconnect.notified().await;
            Ended::Told(Told::ReconnectAsked)
        }));
    }

    fn listen_for_mail(&self) {
        if let Some(mail) = self.callers.mail() {
            let mail = Arc::clone(mail);
            self.tasks.push(Box::pin(async move {
                mail.arrived().await;
                Ended::Told(Told::MailCame)
            }));
        }
    }
}

/// Waits for what has not been seen yet of `of`.
fn changed<T: Send + Sync + 'static, S: 'static>(
    of: &watch::Receiver<T>,
    told: Told,
) -> BoxFuture<'static, Ended<S>> {
    let mut of = of.clone();
    Box::pin(async move {
        match of.changed().await {
            Ok(()) => Ended::Told(told),
            Err(_) => Ended::Nothing,
        }
    })
}
