//! Every call there is, and what it takes to make it. What does not stand here is served to nobody
//! where callers are known. Pure.

use super::config::Right;

/// What a caller must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: probes have no credentials, and learn no more than whether something serves.
    Nothing,
    /// Any permission at all.
    Credential,
    /// This right, with the journal that the call is about.
    Right(Right),
}

/// One call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method {
    /// As it stands in a request, which must match it to the letter.
    pub(super) path: &'static str,
    pub(super) need: Need,
    /// Whether it is in the audit log when it is served; a refused one always is.
    pub(super) told: bool,
}

const fn quiet(path: &'static str, right: Right) -> Method {
    Method {
        path,
        need: Need::Right(right),
        told: false,
    }
}

const fn told(path: &'static str, right: Right) -> Method {
    Method {
        path,
        need: Need::Right(right),
        told: true,
    }
}

const fn other(path: &'static str, need: Need) -> Method {
    Method {
        path,
        need,
        told: false,
    }
}

use Need::{Credential, Nothing};
use Right::{Admin, Commit, Read, Send};

/// All of them, those that are asked for most often first.
pub(super) const METHODS: [Method; 28] = [
    quiet("/tieline.v1.SubscriptionService/CommitSubscription", Commit),
    told("/tieline.v1.MessagingService/SendMessage", Send),
    told("/tieline.v1.EventService/Subscribe", Read),
    told("/tieline.v1.EventService/ReadEvents", Read),
    told("/tieline.v1.EventService/GetEvent", Read),
    quiet("/tieline.v1.EventService/GetJournal", Read),
    quiet("/tieline.v1.EventService/ListJournals", Read),
    quiet("/tieline.v1.SubscriptionService/GetSubscription", Read),
    quiet("/tieline.v1.SubscriptionService/ListSubscriptions", Read),
    quiet("/tieline.v1.SubscriptionService/CreateSubscription", Commit),
    told("/tieline.v1.SubscriptionService/SeekSubscription", Admin),
    told("/tieline.v1.SubscriptionService/DeleteSubscription", Admin),
    quiet("/tieline.v1.SessionService/GetSession", Read),
    quiet("/tieline.v1.SessionService/ListSessions", Read),
    quiet("/tieline.v1.SessionService/WatchSessions", Read),
    told("/tieline.v1.SessionService/CreateSession", Send),
    told("/tieline.v1.SessionService/CloseSession", Send),
    told("/tieline.v1.SessionService/ReconnectSession", Admin),
    quiet("/tieline.v1.MessagingService/GetOutboundMessage", Read),
    quiet("/tieline.v1.MessagingService/ListOutboundMessages", Read),
    told("/tieline.v1.MessagingService/CancelOutboundMessage", Send),
    quiet("/tieline.v1.AdminService/ListSubscribers", Admin),
    told("/tieline.v1.AdminService/DisconnectSubscriber", Admin),
    told("/tieline.v1.AdminService/EraseEvents", Admin),
    other("/grpc.health.v1.Health/Check", Nothing),
    other("/grpc.health.v1.Health/Watch", Nothing),
    other(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Credential,
    ),
    other(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Credential,
    ),
];

/// The call of a request.
pub(super) fn find(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use std::collections::BTreeSet;

    /// Every method of what is served or could be.
    fn described() -> BTreeSet<String> {
        let sets = [
            crate::proto::DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut paths = BTreeSet::new();
        for set in sets {
            let files = prost_types::FileDescriptorSet::decode(set).unwrap().file;
            for file in files {
                for service in &file.service {
                    paths.extend(service.method.iter().map(|method| {
                        let service = service.name();
                        format!("/{}.{service}/{}", file.package(), method.name())
                    }));
                }
            }
        }
        paths
    }

    #[test]
    fn every_method_of_every_service_stands_in_the_table_once_and_nothing_else_does() {
        let known: Vec<&str> = METHODS.iter().map(|method| method.path).collect();
        let once: BTreeSet<String> = known.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(once.len(), known.len(), "one stands there twice");
        assert_eq!(once, described());
    }

    #[test]
    fn what_changes_something_needs_more_than_to_read() {
        const READS: [&str; 5] = ["Get", "List", "Watch", "Subscribe", "Read"];
        for method in &METHODS {
            let (service, call) = method.path.rsplit_once('/').unwrap();
            if !service.starts_with("/tieline.v1.") || service.ends_with("AdminService") {
                continue;
            }
            let reads = READS.iter().any(|verb| call.starts_with(verb));
            let need = method.need == Need::Right(Right::Read);
            assert_eq!(reads, need, "{}", method.path);
        }
    }

    #[test]
    fn a_path_is_matched_to_the_letter() {
        for path in [
            "",
            "/",
            "tieline.v1.EventService/Subscribe",
            "//tieline.v1.EventService/Subscribe",
            "/tieline.v1.EventService/subscribe",
            "/tieline.v1.EventService/Subscribe/",
            "/tieline.v1.EventService/%53ubscribe",
            "/tieline.v1.EventService/../AdminService/EraseEvents",
        ] {
            assert_eq!(find(path), None, "{path}");
        }
        assert!(find("/tieline.v1.EventService/Subscribe").is_some());
    }
}
