"""The vendor's Python SDK against `tieline sandbox --platform genesys-notifications`.

    check.py --sandbox JSON

JSON is the line that the sandbox prints first with --json. Every answer is read into the SDK's own
models, and so is the body of every event: a value that a model does not know, or a field that it does
not have, is a failure. Prints one line for each check and ends non-zero if any failed.
"""

import argparse
import datetime
import json
import sys
import urllib.request

import PureCloudPlatformClientV2 as sdk
import websocket
from PureCloudPlatformClientV2.rest import ApiException

PATIENCE = 20
# What the SDK puts in the place of a value that its model does not allow.
UNKNOWN = "outdated_sdk_version"
ADHERENCE = "WfmUserScheduleAdherenceUpdatedTopicUserScheduleAdherenceUpdate"
CALLS = "QueueConversationCallEventTopicCallConversation"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sandbox", required=True, type=json.loads)
    return parser.parse_args()


def known(value, where="answer"):
    """Fails for a value anywhere below that the SDK did not understand."""
    if isinstance(value, str) and value == UNKNOWN:
        raise AssertionError(f"{where} has a value that the SDK does not know")
    if isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            known(item, f"{where}[{place}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            known(item, f"{where}.{key}")
    elif hasattr(value, "attribute_map"):
        for name in value.attribute_map:
            known(getattr(value, name), f"{where}.{name}")
    return value


def covered(model, body, where="body"):
    """Fails for a field of a JSON body that the SDK's model does not have."""
    if isinstance(body, list):
        for item, part in zip(model or [], body):
            covered(item, part, where + "[]")
    elif isinstance(body, dict) and hasattr(model, "attribute_map"):
        names = {field: name for name, field in model.attribute_map.items()}
        for field, part in body.items():
            if field not in names:
                raise AssertionError(f"{where}.{field} is no field of {type(model).__name__}")
            covered(getattr(model, names[field]), part, f"{where}.{field}")


def topic(identifier):
    body = sdk.ChannelTopic()
    body.id = identifier
    return body


class Body:
    """A text that the SDK's client deserialises as if it had come in an answer."""

    def __init__(self, text):
        self.data = text

    def getheader(self, _name):
        return "application/json"


class Visit:
    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.endpoint = sandbox["endpoint"].rstrip("/")
        sdk.configuration.host = self.endpoint
        self.client = sdk.api_client.ApiClient().get_client_credentials_token(
            sandbox["client_id"], sandbox["client_secret"]
        )
        self.users, self.queues = [], []

    def change(self, **change):
        request = urllib.request.Request(
            self.sandbox["control"] + "/changes",
            data=json.dumps(change).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def tokens_and_organization(self):
        me = known(sdk.TokensApi(self.client).get_tokens_me())
        assert me.o_auth_client.id == self.sandbox["client_id"], me
        organization = known(sdk.OrganizationApi(self.client).get_organizations_me())
        assert organization.state == "active"

    def users_and_presence(self):
        api = sdk.UsersApi(self.client)
        page = 1
        while True:
            listing = known(
                api.get_users(page_size=10, page_number=page, expand=["presence", "routingStatus"])
            )
            self.users += listing.entities
            if page >= listing.page_count:
                break
            page += 1
        assert len(self.users) == listing.total > 10, listing.total
        first = self.users[0]
        assert isinstance(first.presence.modified_date, datetime.datetime)
        assert first.routing_status.status in ("IDLE", "INTERACTING", "OFF_QUEUE", "NOT_RESPONDING")
        ids = [user.id for user in self.users[:3]]
        assert len(api.get_users(id=ids).entities) == 3
        presence = sdk.PresenceApi(self.client)
        one = known(presence.get_user_presences_purecloud(first.id))
        assert one.presence_definition.system_presence, one
        many = known(presence.get_users_presences_purecloud_bulk(id=ids))
        assert [each.user_id for each in many] == ids
        assert known(api.get_user_routingstatus(first.id)).user_id == first.id
        assert known(api.get_user_state(first.id)).state == "active"

    def queues_and_members(self):
        api = sdk.RoutingApi(self.client)
        self.queues = known(api.get_routing_queues(page_size=100)).entities
        assert known(api.get_routing_queues(name="support")).entities[0].name == "Support"
        queue = self.queues[0].id
        members = known(api.get_routing_queue_members(queue, expand=["routingStatus"]))
        assert members.entities and members.entities[0].routing_status.status

    def workforce(self):
        api = sdk.WorkforceManagementApi(self.client)
        units = known(api.get_workforcemanagement_managementunits()).entities
        listing = known(api.get_workforcemanagement_managementunit_adherence(units[0].id))
        assert listing.entities[0].adherence_state
        ids = [user.id for user in self.users[:2]]
        records = known(api.get_workforcemanagement_adherence(ids))
        assert isinstance(records[0].time_of_adherence_change, datetime.datetime)

    def analytics(self):
        api = sdk.AnalyticsApi(self.client)
        queue = self.queues[0].id
        query = sdk.QueueObservationQuery()
        query.filter = sdk.QueueObservationQueryFilter()
        query.filter.type = "or"
        predicate = sdk.QueueObservationQueryPredicate()
        predicate.type, predicate.dimension, predicate.operator = "dimension", "queueId", "matches"
        predicate.value = queue
        query.filter.predicates = [predicate]
        query.metrics = ["oOnQueueUsers", "oWaiting", "oInteracting", "oUserRoutingStatuses"]
        query.detail_metrics = ["oWaiting"]
        observed = known(api.post_analytics_queues_observations_query(query))
        metrics = {data.metric for result in observed.results for data in result.data}
        assert {"oOnQueueUsers", "oWaiting"} <= metrics, metrics

        now = datetime.datetime.now(datetime.timezone.utc)
        interval = "/".join(
            (now + datetime.timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            for hours in (-1, 1)
        )
        users = sdk.UserDetailsQuery()
        users.interval = interval
        told = known(api.post_analytics_users_details_query(users))
        assert told.user_details[0].primary_presence[0].system_presence
        conversations = sdk.ConversationQuery()
        conversations.interval = interval
        conversations.paging = sdk.PagingSpec()
        conversations.paging.page_size, conversations.paging.page_number = 10, 1
        found = known(api.post_analytics_conversations_details_query(conversations))
        assert found.total_hits > 0
        identifier = found.conversations[0].conversation_id
        one = known(sdk.ConversationsApi(self.client).get_conversation(identifier))
        assert one.id == identifier and one.participants

    def refusals(self):
        for ask, status in (
            (lambda: sdk.UsersApi(self.client).get_user_routingstatus("nobody"), 404),
            (lambda: sdk.UsersApi(self.client).get_users_me(), 400),
        ):
            try:
                ask()
            except ApiException as refusal:
                assert refusal.status == status, refusal
                assert json.loads(refusal.body)["contextId"], refusal.body
            else:
                raise AssertionError(f"no {status}")

    def channels_and_topics(self):
        api = sdk.NotificationsApi(self.client)
        topics = known(api.get_notifications_availabletopics(expand=["requiresPermissions"]))
        assert any(topic.id == "v2.users.{id}.presence" for topic in topics.entities)
        channel = known(api.post_notifications_channels())
        assert channel.connect_uri.endswith(channel.id) and channel.expires
        user = self.users[0].id
        wanted = f"v2.users.{user}?presence&routingStatus"
        put = known(api.put_notifications_channel_subscriptions(channel.id, [topic(wanted)]))
        assert [each.state for each in put.entities] == ["Permitted"]
        refused = known(
            api.post_notifications_channel_subscriptions(
                channel.id, [topic(f"v2.users.{user}.tokens")], ignore_errors=True
            )
        )
        assert refused.entities[0].state == "Rejected"
        listed = known(api.get_notifications_channel_subscriptions(channel.id))
        assert [each.id for each in listed.entities] == [wanted]
        assert channel.id in [each.id for each in api.get_notifications_channels().entities]
        api.delete_notifications_channel_subscriptions(channel.id)
        assert api.get_notifications_channel_subscriptions(channel.id).entities == []

    def events_of_users_and_queues(self):
        user, queue = self.users[0].id, self.queues[0].id
        socket = self.subscribe(
            f"v2.users.{user}?presence&routingStatus&activity",
            f"v2.users.{user}.workforcemanagement.adherence",
            f"v2.routing.queues.{queue}?conversations&users",
            f"v2.routing.queues.{queue}.conversations.calls",
            f"v2.analytics.queues.{queue}.observations",
        )
        for presence in ("MEAL", "ON_QUEUE"):
            self.change(change="presence", user=user, presence=presence)
        for joined in (False, True):
            self.change(change="membership", queue=queue, user=user, joined=joined)
        conversation = self.change(change="start_conversation", queue=queue)["conversation"]
        for _ in range(4):
            self.change(change="advance_conversation", conversation=conversation)
        self.receive(
            socket,
            {
                f"v2.users.{user}.presence": "PresenceEventUserPresence",
                f"v2.users.{user}.routingStatus": "UserRoutingStatusUserRoutingStatus",
                f"v2.users.{user}.activity": "AgentActivityChangedTopicAgentActivity",
                f"v2.users.{user}.workforcemanagement.adherence": ADHERENCE,
                f"v2.routing.queues.{queue}.conversations": "QueueConversationEventTopicConversation",
                f"v2.routing.queues.{queue}.conversations.calls": CALLS,
                f"v2.routing.queues.{queue}.users": "QueueUserEventTopicQueueMember",
                f"v2.analytics.queues.{queue}.observations": "StatEventQueueTopicStatsNotification",
            },
        )

    def events_of_one_conversation(self):
        queue = self.queues[0].id
        conversation = self.change(change="start_conversation", queue=queue)["conversation"]
        prefix = f"v2.detail.events.conversation.{conversation}."
        models = {
            prefix + "user.start": "UserStartDetailEventTopicUserStartEvent",
            prefix + "user.end": "UserEndDetailEventTopicUserEndEvent",
            prefix + "acd.end": "AcdEndDetailEventTopicAcdEndEvent",
            prefix + "acw": "AcwDetailEventTopicAfterCallWorkEvent",
            prefix + "customer.end": "CustomerEndDetailEventTopicCustomerEndEvent",
            f"v2.conversations.{conversation}.transcription": "TranscriptionTopicTranscriptionMessage",
        }
        socket = self.subscribe(*models)
        self.change(change="utterance", conversation=conversation, text="Good morning.")
        for _ in range(4):
            self.change(change="advance_conversation", conversation=conversation)
        self.receive(socket, models)

    def subscribe(self, *topics):
        """Opens a socket that has these topics, and waits until it is there."""
        api = sdk.NotificationsApi(self.client)
        channel = api.post_notifications_channels()
        asked = [topic(identifier) for identifier in topics]
        api.put_notifications_channel_subscriptions(channel.id, asked)
        socket = websocket.create_connection(channel.connect_uri, timeout=PATIENCE)
        socket.send(json.dumps({"message": "ping"}))
        while json.loads(socket.recv())["eventBody"].get("message") != "pong":
            pass
        return socket

    def receive(self, socket, models):
        """Reads events into their models until each topic had one."""
        missing = set(models)
        while missing:
            frame = json.loads(socket.recv())
            name, body = frame["topicName"], frame["eventBody"]
            if name == "channel.metadata":
                continue
            assert frame["version"] == "2" and frame["metadata"]["CorrelationId"], frame
            read = known(self.client.deserialize(Body(json.dumps(body)), models[name]), name)
            covered(read, body, name)
            missing.discard(name)
        socket.close()


def main():
    visit = Visit(arguments().sandbox)
    failed = 0
    for check in (
        visit.tokens_and_organization,
        visit.users_and_presence,
        visit.queues_and_members,
        visit.workforce,
        visit.channels_and_topics,
        visit.events_of_users_and_queues,
        visit.events_of_one_conversation,
        visit.analytics,
        visit.refusals,
    ):
        try:
            check()
        except Exception as error:  # each check reports for itself
            failed += 1
            print(f"FAILED  {check.__name__}: {type(error).__name__}: {error}")
        else:
            print(f"passed  {check.__name__}")
    sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
