//! [`Operation`]: what a request asks for, and which permission it takes. Pure.

use serde::Serialize;

macro_rules! operations {
    ($( $(#[$doc:meta])* $variant:ident $method:literal $pattern:literal [$($permission:literal),*]; )*) => {
        /// What a request asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Operation {
            $( $(#[$doc])* $variant, )*
            /// Anything else: 404.
            Other,
        }

        /// Method, path with `*` for ids, and what it is.
        const ROUTES: &[(&str, &str, Operation)] = &[
            $( ($method, $pattern, Operation::$variant), )*
        ];

        impl Operation {
            /// Any one of these is enough; none is needed where there are none.
            pub(crate) const fn permissions(self) -> &'static [&'static str] {
                match self {
                    $( Self::$variant => &[$($permission),*], )*
                    Self::Other => &[],
                }
            }
        }
    };
}

operations! {
    /// An access token.
    Token "POST" "/oauth/token" [];
    /// The handshake of a notification socket.
    Socket "GET" "/channels/*" [];
    /// What a token is.
    TokenInfo "GET" "/api/v2/tokens/me" [];
    /// Whether a token is good.
    TokenCheck "HEAD" "/api/v2/tokens/me" [];
    /// A token is given back.
    TokenRevocation "DELETE" "/api/v2/tokens/me" [];
    /// A channel is made.
    MakeChannel "POST" "/api/v2/notifications/channels" [];
    /// Channels are listed.
    ListChannels "GET" "/api/v2/notifications/channels" [];
    /// Whether a channel is still there.
    CheckChannel "HEAD" "/api/v2/notifications/channels/*" [];
    /// Topics of a channel.
    ListTopics "GET" "/api/v2/notifications/channels/*/subscriptions" [];
    /// Topics are added.
    AddTopics "POST" "/api/v2/notifications/channels/*/subscriptions" [];
    /// Topics are replaced.
    ReplaceTopics "PUT" "/api/v2/notifications/channels/*/subscriptions" [];
    /// All topics are removed.
    RemoveTopics "DELETE" "/api/v2/notifications/channels/*/subscriptions" [];
    /// The catalogue of topics.
    AvailableTopics "GET" "/api/v2/notifications/availabletopics" [];
    /// Users, page by page or by id.
    Users "GET" "/api/v2/users" ["directory:user:view"];
    /// Presences of many users.
    PresenceBulk "GET" "/api/v2/users/presences/purecloud/bulk" [];
    /// One user.
    User "GET" "/api/v2/users/*" ["directory:user:view"];
    /// Presence of one user.
    Presence "GET" "/api/v2/users/*/presences/purecloud" [];
    /// Routing status of one user.
    RoutingStatus "GET" "/api/v2/users/*/routingstatus" [];
    /// State of one user's account.
    UserState "GET" "/api/v2/users/*/state" ["directory:userStateChange:view"];
    /// Queues, page by page or by name.
    Queues "GET" "/api/v2/routing/queues" ["routing:queue:view"];
    /// One queue.
    Queue "GET" "/api/v2/routing/queues/*" ["routing:queue:view"];
    /// Members of a queue.
    QueueMembers "GET" "/api/v2/routing/queues/*/members" ["routing:queue:view", "routing:queueMember:view"];
    /// Observations of queues.
    QueueObservations "POST" "/api/v2/analytics/queues/observations/query" ["analytics:queueObservation:view"];
    /// Timelines of users.
    UserDetails "POST" "/api/v2/analytics/users/details/query" ["analytics:userDetail:view"];
    /// Conversations by interval.
    ConversationDetails "POST" "/api/v2/analytics/conversations/details/query" ["analytics:conversationDetail:view"];
    /// Details of conversations by id.
    ConversationsById "GET" "/api/v2/analytics/conversations/details" ["analytics:conversationDetail:view"];
    /// Details of one conversation.
    OneConversationDetails "GET" "/api/v2/analytics/conversations/*/details" ["analytics:conversationDetail:view"];
    /// Conversations of the user who asks: an organization token has none.
    OwnConversations "GET" "/api/v2/conversations" [];
    /// One conversation.
    Conversation "GET" "/api/v2/conversations/*" ["conversation:communication:view"];
    /// Adherence of users.
    Adherence "GET" "/api/v2/workforcemanagement/adherence" ["wfm:realtimeAdherence:view"];
    /// Management units.
    ManagementUnits "GET" "/api/v2/workforcemanagement/managementunits" ["wfm:managementUnit:view", "wfm:realtimeAdherence:view", "wfm:agentSchedule:view"];
    /// Adherence of everybody in a management unit.
    UnitAdherence "GET" "/api/v2/workforcemanagement/managementunits/*/adherence" ["wfm:realtimeAdherence:view"];
    /// The organization.
    Organization "GET" "/api/v2/organizations/me" [];
    /// The user who asks: an organization token has none.
    Me "GET" "/api/v2/users/me" [];
}

/// Finds what a request asks for, and the ids in its path. Where several fit, the one that names
/// more of the path.
pub(crate) fn route(method: &str, path: &str) -> (Operation, Vec<String>) {
    let fitting = ROUTES.iter().filter(|(of, _, _)| *of == method);
    let found = fitting.filter_map(|(_, pattern, operation)| {
        let ids = captures(pattern, path)?;
        Some((*operation, ids))
    });
    found
        .min_by_key(|(_, ids)| ids.len())
        .unwrap_or((Operation::Other, Vec::new()))
}

fn captures(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut parts = path.trim_end_matches('/').split('/');
    let mut ids = Vec::new();
    for expected in pattern.split('/') {
        match (expected, parts.next()?) {
            ("*", id) if !id.is_empty() => ids.push(id.to_owned()),
            (expected, part) if expected == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_method_and_path() {
        let cases = [
            ("POST", "/oauth/token", Operation::Token, ""),
            ("GET", "/channels/c-1", Operation::Socket, "c-1"),
            ("GET", "/api/v2/users/me", Operation::Me, ""),
            ("GET", "/api/v2/users/u-1", Operation::User, "u-1"),
            (
                "GET",
                "/api/v2/users/presences/purecloud/bulk",
                Operation::PresenceBulk,
                "",
            ),
            (
                "PUT",
                "/api/v2/notifications/channels/c/subscriptions",
                Operation::ReplaceTopics,
                "c",
            ),
            ("DELETE", "/api/v2/users/u-1", Operation::Other, ""),
            ("GET", "/api/v2/users/u-1/presences", Operation::Other, ""),
            ("GET", "/api/v2/notifications/stream", Operation::Other, ""),
        ];
        for (method, path, operation, ids) in cases {
            let (found, captured) = route(method, path);
            assert_eq!(
                (found, captured.join(",").as_str()),
                (operation, ids),
                "{path}"
            );
        }
    }
}
