//! [`Places`]: who is connected, what they hold, and who has to make room. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use super::bucket::Bucket;
use super::stats::Refused;
use super::{PeerLimits, ServerLimits};
use crate::runtime::MonoTime;

/// Peers that are remembered although they hold nothing, because they connected much of late.
const REMEMBERED: usize = 4096;

/// Whom a bound on peers is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::grpc) enum Whence {
    /// An address; of IPv6 the network of one customer, /64.
    Address(IpAddr),
    /// A user of this machine, over a Unix socket.
    User(u32),
    /// Nobody knows.
    Unknown,
}

impl Whence {
    pub(in crate::grpc) fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            other => other,
        })
    }
}

/// Every connection and every call.
#[derive(Debug)]
pub(super) struct Places {
    limits: ServerLimits,
    last_id: u64,
    connections: BTreeMap<u64, Connection>,
    /// Connections that count: those that were told to make room do not.
    counted: usize,
    peers: HashMap<Whence, Peer>,
}

#[derive(Debug)]
struct Connection {
    whence: Whence,
    calls: usize,
    idle_since: MonoTime,
    leaves: bool,
}

#[derive(Debug)]
struct Peer {
    connections: usize,
    calls: usize,
    rate: Bucket,
}

/// A connection that was given a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) id: u64,
    /// The one that has to go for it.
    pub(super) instead_of: Option<u64>,
}

impl Places {
    pub(super) fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            last_id: 0,
            connections: BTreeMap::new(),
            counted: 0,
            peers: HashMap::new(),
        }
    }

    fn peer(&mut self, whence: Whence, now: MonoTime) -> &mut Peer {
        let PeerLimits {
            connections,
            connections_per_second,
            ..
        } = self.limits.per_peer;
        let burst = u32::try_from(connections).unwrap_or(u32::MAX);
        self.peers.entry(whence).or_insert_with(|| Peer {
            connections: 0,
            calls: 0,
            rate: Bucket::new(connections_per_second, burst, now),
        })
    }

    /// A connection came. One that `stands_for_many` is a proxy's: the bounds on peers are for those
    /// behind it.
    pub(super) fn enter(
        &mut self,
        whence: Whence,
        stands_for_many: bool,
        now: MonoTime,
    ) -> Result<Entered, Refused> {
        let most = REMEMBERED.max(2 * self.limits.connections);
        if self.peers.len() > most {
            self.peers
                .retain(|_, peer| peer.holds() || !peer.rate.is_whole(now));
        }
        if self.peers.len() > most {
            self.peers.retain(|_, peer| peer.holds());
        }
        let most = self.limits.per_peer.connections;
        let peer = self.peer(whence, now);
        let mut instead_of = None;
        if !stands_for_many {
            if !peer.rate.take(now) {
                return Err(Refused::PeerRate);
            }
            if peer.connections >= most {
                let idle = self.longest_idle(Some(whence));
                instead_of = Some(idle.ok_or(Refused::PeerConnections)?);
            }
        }
        if instead_of.is_none() && self.counted >= self.limits.connections {
            instead_of = Some(self.longest_idle(None).ok_or(Refused::Connections)?);
        }
        if let Some(idle) = instead_of {
            self.sends_away(idle);
        }
        self.last_id += 1;
        let connection = Connection {
            whence,
            calls: 0,
            idle_since: now,
            leaves: false,
        };
        self.connections.insert(self.last_id, connection);
        self.counted += 1;
        self.peer(whence, now).connections += 1;
        Ok(Entered {
            id: self.last_id,
            instead_of,
        })
    }

    /// Who has had no call for longest, of all or of one peer; it is on its way out from now on.
    pub(super) fn make_room(&mut self) -> Option<u64> {
        let idle = self.longest_idle(None)?;
        self.sends_away(idle);
        Some(idle)
    }

    fn longest_idle(&self, of: Option<Whence>) -> Option<u64> {
        let idle = self.connections.iter().filter(|(_, connection)| {
            let asked = of.is_none_or(|whence| whence == connection.whence);
            asked && connection.calls == 0 && !connection.leaves
        });
        let longest = idle.min_by_key(|(id, connection)| (connection.idle_since, **id));
        longest.map(|(id, _)| *id)
    }

    fn sends_away(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.leaves
        {
            connection.leaves = true;
            self.counted -= 1;
            let whence = connection.whence;
            if let Some(peer) = self.peers.get_mut(&whence) {
                peer.connections = peer.connections.saturating_sub(1);
            }
        }
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, id: u64, now: MonoTime) {
        self.sends_away(id);
        if let Some(connection) = self.connections.remove(&id) {
            self.forget(connection.whence, now);
        }
    }

    /// A call came, of this peer; whether it may stay.
    pub(super) fn call(&mut self, id: u64, whence: Whence, now: MonoTime) -> Result<(), usize> {
        let most = self.limits.per_peer.streams;
        let peer = self.peer(whence, now);
        if peer.calls >= most {
            return Err(most);
        }
        peer.calls += 1;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.calls += 1;
        }
        Ok(())
    }

    /// It is over.
    pub(super) fn called(&mut self, id: u64, whence: Whence, now: MonoTime) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.calls = connection.calls.saturating_sub(1);
            connection.idle_since = now;
        }
        if let Some(peer) = self.peers.get_mut(&whence) {
            peer.calls = peer.calls.saturating_sub(1);
        }
        self.forget(whence, now);
    }

    /// Since when a connection has had no call; `None` where it has one.
    pub(super) fn idle_since(&self, id: u64) -> Option<MonoTime> {
        let connection = self.connections.get(&id)?;
        (connection.calls == 0).then_some(connection.idle_since)
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.connections.len()
    }

    fn forget(&mut self, whence: Whence, now: MonoTime) {
        let holds = self.peers.get(&whence);
        if holds.is_some_and(|peer| !peer.holds() && peer.rate.is_whole(now)) {
            self.peers.remove(&whence);
        }
    }
}

impl Peer {
    fn holds(&self) -> bool {
        self.connections > 0 || self.calls > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn places(connections: usize, of_one: usize, rate: u32) -> Places {
        Places::new(ServerLimits {
            connections,
            per_peer: PeerLimits {
                connections: of_one,
                streams: 3,
                connections_per_second: rate,
            },
            ..ServerLimits::default()
        })
    }

    fn from(last: u8) -> Whence {
        Whence::address([192, 0, 2, last].into())
    }

    #[test]
    fn addresses_of_one_customer_are_one_peer() {
        let whence = |text: &str| Whence::address(text.parse().unwrap());
        assert_eq!(whence("2001:db8::1"), whence("2001:db8::ffff:2"));
        assert_ne!(whence("2001:db8::1"), whence("2001:db8:0:1::1"));
        assert_eq!(whence("::ffff:192.0.2.1"), whence("192.0.2.1"));
        assert_ne!(whence("192.0.2.2"), whence("192.0.2.1"));
        assert_eq!(whence("::1"), Whence::Address("::1".parse().unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_call_makes_room_and_who_has_one_does_not() {
        let now = MonoTime::now();
        let later = now + Duration::from_secs(1);
        let mut places = places(2, 2, 1_000);
        let first = places.enter(from(1), false, now).unwrap().id;
        let second = places.enter(from(2), false, now).unwrap().id;
        places.call(first, from(1), now).unwrap();
        let third = places.enter(from(3), false, later).unwrap();
        assert_eq!(third.instead_of, Some(second));
        places.call(third.id, from(3), later).unwrap();
        assert_eq!(
            places.enter(from(4), false, later),
            Err(Refused::Connections)
        );
        // The one that was sent away does not count twice.
        places.leave(second, later);
        assert_eq!(
            places.enter(from(4), false, later),
            Err(Refused::Connections)
        );
        // It may try again once it has tried so often.
        let later = later + Duration::from_secs(1);
        places.called(first, from(1), later);
        let fourth = places.enter(from(4), false, later).unwrap();
        assert_eq!(fourth.instead_of, Some(first));
        assert_eq!(places.open(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_takes_the_place_of_its_own_connections_alone() {
        let now = MonoTime::now();
        let mut places = places(10, 2, 1_000);
        let other = places.enter(from(9), false, now).unwrap().id;
        let first = places.enter(from(1), false, now).unwrap().id;
        let second = places.enter(from(1), false, now).unwrap().id;
        places.call(second, from(1), now).unwrap();
        let now = now + Duration::from_secs(1);
        let third = places.enter(from(1), false, now).unwrap();
        assert_eq!(third.instead_of, Some(first));
        places.call(third.id, from(1), now).unwrap();
        let refused = places.enter(from(1), false, now);
        assert_eq!(refused, Err(Refused::PeerConnections));
        assert!(places.enter(from(1), true, now).is_ok(), "a proxy's");
        assert!(places.idle_since(other).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_connects_too_fast_waits_and_others_do_not() {
        let start = MonoTime::now();
        let mut places = places(1_000, 5, 10);
        let storm = |places: &mut Places, now| {
            let came = (0..100).filter_map(|_| places.enter(from(1), false, now).ok());
            let came: Vec<_> = came.collect();
            came.iter()
                .for_each(|entered| places.leave(entered.id, now));
            came.len()
        };
        assert_eq!(storm(&mut places, start), 5);
        assert_eq!(storm(&mut places, start + Duration::from_millis(300)), 3);
        assert!(places.enter(from(2), false, start).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_a_peer_are_counted_over_all_of_its_connections() {
        let now = MonoTime::now();
        let mut places = places(10, 5, 1_000);
        let ids = [1, 2].map(|_| places.enter(from(1), false, now).unwrap().id);
        for id in [ids[0], ids[1], ids[1]] {
            places.call(id, from(1), now).unwrap();
        }
        assert_eq!(places.call(ids[0], from(1), now), Err(3));
        places.call(ids[0], from(2), now).unwrap();
        places.called(ids[1], from(1), now);
        places.call(ids[0], from(1), now).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_of_peers_is_bounded_and_goes_with_them() {
        let now = MonoTime::now();
        let mut places = places(10, 5, 1);
        for peer in 0..100_000_u32 {
            let whence = Whence::address(peer.to_be_bytes().into());
            let entered = places.enter(whence, false, now).unwrap();
            places.leave(entered.id, now);
        }
        assert!(places.peers.len() <= 2 * REMEMBERED + 1);
        let later = now + Duration::from_secs(10);
        let last = places.enter(from(1), false, later).unwrap();
        places.leave(last.id, later + Duration::from_secs(10));
        assert!(!places.peers.contains_key(&from(1)));
        assert_eq!((places.counted, places.open()), (0, 0));
    }
}
