//! Puts the admin listener together: what it shows, what it serves over gRPC, where.

use std::sync::Arc;

use super::doors::is_local;
use super::{Doors, Host, StartError, bind};
use crate::admin::{
    AdminServer, Console, ConsoleParts, Distribution, Door, Latencies, LogControl, Overview,
    OverviewParts,
};
use crate::config::Config;
use crate::domain::JournalName;
use crate::feed::Feed;
use crate::grpc::{self, Access, AdminParts, Callers, Listener};
use crate::journal::{FileJournal, Journal as _};
use crate::runtime::{Clock, Drain, Readiness, ReloadStatus, Tally};
use crate::session::SessionBoard;
use crate::telemetry::LogLevel;

/// What operators are shown.
pub(super) struct Parts<'a> {
    pub(super) journals: &'a [FileJournal],
    pub(super) feeds: &'a [Feed],
    pub(super) board: &'a SessionBoard,
    pub(super) readiness: &'a Readiness,
    pub(super) announce: &'a Drain,
    pub(super) health: &'a grpc::Health,
    pub(super) clock: &'a Clock,
    pub(super) reload: &'a ReloadStatus,
    pub(super) doors: &'a Doors,
}

/// Binds the addresses of `listen.admin`; the server, and where it is.
pub(super) async fn open<H: Host>(
    host: &H,
    config: &Config,
    parts: &Parts<'_>,
) -> Result<(AdminServer, Vec<String>), StartError> {
    let listen = &config.listen;
    let listeners = bind(host, &listen.admin).await;
    let listeners = listeners.map_err(StartError::Admin)?;
    let overview = Overview::new(OverviewParts {
        feeds: parts.feeds.to_vec(),
        sessions: parts.board.clone(),
        latencies: Some(Box::new(Measured {
            journals: parts.journals.to_vec(),
            feeds: parts.feeds.to_vec(),
        })),
        readiness: parts.readiness.clone(),
        announce: parts.announce.clone(),
        reload: parts.reload.clone(),
        tail_payloads: listen.admin_payloads,
        clock: parts.clock.clone(),
    });
    let console = Console::new(ConsoleParts {
        overview,
        hosts: listen.admin_hosts.clone(),
        tail_payloads: listen.admin_payloads,
        log: LogLevel::of_process().map(|level| Arc::new(level) as Arc<dyn LogControl>),
    });
    let services = |callers: Callers| AdminParts {
        feeds: parts.feeds.to_vec(),
        health: parts.health.clone(),
        clock: parts.clock.clone(),
        callers,
    };
    let addresses: Vec<String> = listeners.iter().map(Listener::address).collect();
    let doors = listeners.into_iter().map(|listener| {
        let known = parts.doors.callers();
        // The mode of the socket's file says who comes in there.
        let (access, callers) = match listener.tcp_address() {
            None => (Access::Change, Callers::anyone()),
            Some(_) if known.are_known() => (Access::Change, known.clone()),
            Some(_) => (Access::Read, Callers::anyone()),
        };
        let door = Door {
            is_socket: listener.tcp_address().is_none(),
            is_local: is_local(&listener),
            callers: callers.clone(),
        };
        let grpc = grpc::admin_routes(&services(callers), access)?;
        let listener = parts.doors.of_admin(listener);
        Ok((listener, console.routes(grpc, door)))
    });
    let doors = doors.collect::<Result<Vec<_>, StartError>>()?;
    Ok((AdminServer::new(doors), addresses))
}

/// How long things take, by what journals and feeds measure.
#[derive(Debug)]
struct Measured {
    journals: Vec<FileJournal>,
    feeds: Vec<Feed>,
}

impl Latencies for Measured {
    fn of(&self, journal: &JournalName) -> Vec<Distribution> {
        let mut all = Vec::new();
        if let Some(own) = self.journals.iter().find(|j| j.info().name == *journal) {
            let stats = own.stats().counted;
            all.push(distribution("append", &stats.append));
            all.push(distribution("sync", &stats.sync));
        }
        if let Some(feed) = self.feeds.iter().find(|feed| feed.name() == journal) {
            all.push(distribution("delivery", &feed.stats().counted.delay));
        }
        all
    }
}

fn distribution(name: &str, tally: &Tally) -> Distribution {
    // Above the last bound no figure is known.
    let within = |share| tally.quantile(share).filter(|seconds| seconds.is_finite());
    Distribution {
        name: name.to_owned(),
        count: tally.count(),
        p50_seconds: within(0.5),
        p99_seconds: within(0.99),
        bounds_seconds: tally.bounds().collect(),
        counts: tally.counts().to_vec(),
    }
}

impl LogControl for LogLevel {
    fn set(&self, filter: &str) -> Result<(), String> {
        let before = Self::set(self, filter).map_err(|error| error.to_string())?;
        tracing::info!(before, after = filter, "Log filter changed");
        Ok(())
    }

    fn get(&self) -> String {
        self.directives()
    }
}
