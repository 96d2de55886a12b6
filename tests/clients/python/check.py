"""A generated grpcio client against a running Tieline: one address, every check, status 0 or 1.

    check.py --stubs DIR --target 127.0.0.1:7443 --session queue-stats
    check.py --stubs DIR --target unix:/run/tieline/tieline.sock --session queue-stats

DIR holds what `python -m grpc_tools.protoc` generated from `proto/`.
"""

import argparse
import sys

import grpc
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

from expect import Wrong, contiguous, equal, expect, run

# No call waits longer than this for its end.
DEADLINE = 30


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stubs", required=True, help="directory of the generated code")
    parser.add_argument("--target", required=True, help="HOST:PORT or unix:PATH")
    parser.add_argument("--journal", default="default")
    parser.add_argument("--session", required=True)
    parser.add_argument("--events", type=int, default=100, help="wait for as many first")
    return parser.parse_args()


ARGUMENTS = arguments()
sys.path.insert(0, ARGUMENTS.stubs)

from tieline.v1 import (  # noqa: E402  (generated into the directory just named)
    event_pb2,
    event_service_pb2 as api,
    event_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)

JOURNAL = f"journals/{ARGUMENTS.journal}"
SESSION = f"sessions/{ARGUMENTS.session}"
# Over a Unix socket grpcio sends the path as `:authority`, escaped, which is no authority to HTTP/2 and
# is refused before any service sees it (hyperium/h2#487). And it asks the proxy of the environment
# even for loopback.
CHANNEL = grpc.insecure_channel(
    ARGUMENTS.target,
    options=[("grpc.default_authority", "localhost"), ("grpc.enable_http_proxy", 0)],
)
EVENTS = event_service_pb2_grpc.EventServiceStub(CHANNEL)
SESSIONS = session_service_pb2_grpc.SessionServiceStub(CHANNEL)
HEALTH = health_pb2_grpc.HealthStub(CHANNEL)


class History:
    """The journal from its start to its end of a moment, read by one Subscribe."""

    def __init__(self):
        request = api.SubscribeRequest(
            journal=JOURNAL, preset=api.START_PRESET_EARLIEST, until_caught_up=True
        )
        self.responses, self.code = subscribe(request)
        self.opened = self.responses[0].opened
        self.events = [event for response in self.responses for event in response.events]

    def position(self, sequence):
        return api.Position(epoch=self.opened.epoch, sequence=sequence)


def subscribe(request):
    """Every response of a stream, and the code that it ended with."""
    call = EVENTS.Subscribe(request, timeout=DEADLINE)
    responses = list(call)
    return responses, call.code()


def failure(call):
    """Code, ErrorInfo and the other details of a call that has to fail."""
    try:
        call()
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        expect(status is not None, f"{error.code()} without details: {error.details()}")
        info, others = None, []
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
            else:
                others.append(detail.TypeName())
        expect(info is not None, f"{error.code()} without ErrorInfo: {error.details()}")
        equal(info.domain, "tieline", "domain of ErrorInfo")
        return error.code(), info, others
    raise Wrong("the call succeeded")


def refused(request, code, reason, detail=None, metadata=()):
    """Subscribe is refused with this code and reason, before any response."""
    got, info, others = failure(lambda: next(EVENTS.Subscribe(request, timeout=DEADLINE)))
    equal((got, info.reason), (code, reason), "refusal")
    for key in metadata:
        expect(info.metadata.get(key), f"{reason} without '{key}': {dict(info.metadata)}")
    if detail:
        expect(f"google.rpc.{detail}" in others, f"{reason} without {detail}: {others}")
    return info


def events_arrive():
    """Live events come in, as many as the other checks need."""
    request = api.SubscribeRequest(journal=JOURNAL, preset=api.START_PRESET_EARLIEST)
    call, through = EVENTS.Subscribe(request, timeout=2 * DEADLINE), 0
    for response in call:
        expect(response.through_sequence >= through, "through_sequence went back")
        through = response.through_sequence
        if through >= ARGUMENTS.events:
            call.cancel()
            return f"{through} events"
    raise Wrong(f"the stream ended at {through}")


def lists_journals():
    found = {j.name: j for j in EVENTS.ListJournals(api.ListJournalsRequest()).journals}
    expect(JOURNAL in found, f"{JOURNAL} is not among {sorted(found)}")
    listed = found[JOURNAL]
    got = EVENTS.GetJournal(api.GetJournalRequest(name=JOURNAL)).journal
    equal((got.name, got.epoch), (listed.name, listed.epoch), "GetJournal")
    expect(got.latest_sequence >= listed.latest_sequence >= ARGUMENTS.events, "its end")
    return f"{JOURNAL}, epoch {got.epoch}, up to {got.latest_sequence}"


def lists_sessions():
    listed = SESSIONS.ListSessions(session_service_pb2.ListSessionsRequest()).sessions
    found = {s.name: s for s in listed}
    expect(SESSION in found, f"{SESSION} is not among {sorted(found)}")
    session = found[SESSION]
    equal(session.journal, JOURNAL, "journal of the session")
    state = session_service_pb2.Session.State.Name(session.state)
    expect(session.state not in (0, session_service_pb2.Session.STATE_SUSPENDED), state)
    return f"{SESSION}, {state}"


def watches_sessions():
    call = SESSIONS.WatchSessions(session_service_pb2.WatchSessionsRequest(), timeout=DEADLINE)
    seen = set()
    for response in call:
        seen.update(session.name for session in response.sessions)
        if response.initial_complete:
            call.cancel()
            expect(SESSION in seen, f"{SESSION} is not among {sorted(seen)}")
            return
    raise Wrong("the stream ended before its initial state was complete")


def answers_health_checks():
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "tieline.v1.EventService", JOURNAL, SESSION):
        got = HEALTH.Check(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE)
        known = (serving, health_pb2.HealthCheckResponse.NOT_SERVING)
        # What the platform does decides about its session alone.
        wanted = known if name == SESSION else (serving,)
        expect(got.status in wanted, f"'{name}' is {got.status}")
    try:
        HEALTH.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=DEADLINE)
    except grpc.RpcError as error:
        equal(error.code(), grpc.StatusCode.NOT_FOUND, "unknown name")
    else:
        raise Wrong("an unknown name has a health")


def reflection_lists_what_is_served():
    database = ProtoReflectionDescriptorDatabase(CHANNEL)
    pool = descriptor_pool.DescriptorPool(database)
    listed = set(database.get_services())
    wanted = {"tieline.v1.EventService", "tieline.v1.SessionService", "grpc.health.v1.Health"}
    expect(wanted <= listed, f"{sorted(wanted - listed)} not among {sorted(listed)}")
    for name in sorted(n for n in listed if n.startswith("tieline.v1.")):
        service = pool.FindServiceByName(name)
        for method in service.methods:
            if method.name.startswith(("Get", "List")):
                is_implemented(f"/{name}/{method.name}")
    return f"{len(listed)} services"


def is_implemented(path):
    """A method that reflection names is there, whatever it thinks of an empty request."""
    raw = CHANNEL.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    try:
        raw(b"", timeout=DEADLINE)
    except grpc.RpcError as error:
        bad = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
        expect(error.code() not in bad, f"{path}: {error.code()}")


def reads_history_to_its_end_and_gets_ok():
    history = History()
    equal(history.code, grpc.StatusCode.OK, "status")
    opened, responses = history.opened, history.responses
    expect(responses[0].HasField("opened"), "the first response has no Opened")
    expect(not any(r.HasField("opened") for r in responses[1:]), "Opened came twice")
    equal(opened.journal, JOURNAL, "journal of Opened")
    equal(opened.start, history.position(opened.earliest_sequence - 1), "start")
    contiguous([e.sequence for e in history.events], opened.earliest_sequence, "history")
    expect(len(history.events) >= ARGUMENTS.events, f"only {len(history.events)} events")
    through = 0
    for response in responses:
        expect(through <= response.through_sequence <= response.latest_sequence, "bookmark")
        through = response.through_sequence
        expect(all(e.sequence <= through for e in response.events), "an event past its bookmark")
    equal(through, history.events[-1].sequence, "last through_sequence")
    equal(responses[-1].closing.reason, api.Closing.REASON_END_REACHED, "last notice")
    times = [(e.record_time.seconds, e.record_time.nanos) for e in history.events]
    expect(times == sorted(times), "record_time decreases")
    equal(len({(e.source, e.id) for e in history.events}), len(history.events), "unique ids")
    return f"{len(history.events)} events in {len(responses)} responses"


def resumes_in_the_middle_with_the_exact_suffix():
    history = History()
    last = history.events[-1].sequence
    for resume_at in (history.opened.earliest_sequence, (last * 2) // 3, last - 1):
        request = api.SubscribeRequest(
            journal=JOURNAL, after=history.position(resume_at), until=history.position(last)
        )
        responses, code = subscribe(request)
        equal(code, grpc.StatusCode.OK, "status")
        got = [event for response in responses for event in response.events]
        wanted = [event for event in history.events if event.sequence > resume_at]
        expect(got == wanted, f"after {resume_at}: another suffix")
    return f"of {last} events"


def goes_on_with_live_events():
    request = api.SubscribeRequest(journal=JOURNAL, preset=api.START_PRESET_LATEST)
    call, caught_up, start = EVENTS.Subscribe(request, timeout=DEADLINE), False, None
    for response in call:
        start = response.opened.start.sequence if start is None else start
        caught_up |= response.HasField("caught_up")
        if response.events and caught_up:
            contiguous([e.sequence for e in response.events][:1], start + 1, "first live event")
            call.cancel()
            return
    raise Wrong("the stream ended")


def shows_each_view():
    wanted = {
        api.EVENT_VIEW_NORMALIZED: (True, False),
        api.EVENT_VIEW_RAW: (False, True),
        api.EVENT_VIEW_ATTRIBUTES: (False, False),
    }
    for view, (data, raw) in wanted.items():
        request = api.SubscribeRequest(
            journal=JOURNAL, preset=api.START_PRESET_EARLIEST, until_caught_up=True, view=view
        )
        events = [event for response in subscribe(request)[0] for event in response.events]
        name = api.EventView.Name(view)
        expect(events and all(event.id for event in events), f"{name} has no attributes")
        equal(any(event.WhichOneof("data") for event in events), data, f"{name} data")
        equal(any(event.raw_data for event in events), raw, f"{name} raw_data")


def pages_the_same_events():
    history, place, read = History(), None, []
    while len(read) < len(history.events):
        start = {"after": place} if place else {"preset": api.START_PRESET_EARLIEST}
        page = EVENTS.ReadEvents(
            api.ReadEventsRequest(journal=JOURNAL, max_events=37, **start), timeout=DEADLINE
        )
        expect(0 < len(page.events) <= 37, f"a page of {len(page.events)} events")
        equal(page.through.sequence, page.events[-1].sequence, "through")
        read.extend(page.events)
        place = page.through
    expect(read[: len(history.events)] == history.events, "other events than Subscribe gave")
    one = history.events[len(history.events) // 2]
    name = f"{JOURNAL}/events/{one.sequence}"
    equal(EVENTS.GetEvent(api.GetEventRequest(name=name)).event, one, "GetEvent")


def explains_a_position_past_the_end():
    history = History()
    request = api.SubscribeRequest(
        journal=JOURNAL, after=history.position(history.opened.latest_sequence + 10**9)
    )
    keys = ("epoch", "requested_sequence", "earliest_sequence", "latest_sequence")
    code = grpc.StatusCode.OUT_OF_RANGE
    info = refused(request, code, "POSITION_NOT_WRITTEN", metadata=keys)
    equal(info.metadata["epoch"], history.opened.epoch, "epoch in metadata")
    if history.opened.earliest_sequence > 1:
        request = api.SubscribeRequest(journal=JOURNAL, after=history.position(0))
        refused(request, code, "POSITION_TRIMMED", metadata=keys)


def explains_another_epoch():
    request = api.SubscribeRequest(
        journal=JOURNAL, after=api.Position(epoch="another", sequence=1)
    )
    code = grpc.StatusCode.FAILED_PRECONDITION
    refused(request, code, "EPOCH_CHANGED", detail="PreconditionFailure")


def explains_a_request_that_cannot_be_served():
    invalid, missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    earliest = {"preset": api.START_PRESET_EARLIEST}
    refused(api.SubscribeRequest(journal=JOURNAL), invalid, "START_REQUIRED", "BadRequest")
    request = api.SubscribeRequest(journal="journals/nobodys", **earliest)
    refused(request, missing, "JOURNAL_NOT_FOUND", "ResourceInfo")
    request = api.SubscribeRequest(journal=JOURNAL, subscription="subscriptions/nobodys")
    refused(request, missing, "SUBSCRIPTION_NOT_FOUND", "ResourceInfo")
    request = api.SubscribeRequest(journal=JOURNAL, shard=api.Shard(index=2, count=2), **earliest)
    refused(request, invalid, "SHARD_INVALID", "BadRequest")
    event_filter = api.EventFilter(expression="type ==")
    request = api.SubscribeRequest(journal=JOURNAL, filter=event_filter, **earliest)
    refused(request, invalid, "FILTER_INVALID", "BadRequest")


def filters_by_type():
    history = History()
    kinds = {e.type for e in history.events if e.origin != event_pb2.Event.ORIGIN_SIDECAR}
    expect(kinds, "no event of the platform")
    wanted = sorted(kinds)[0]
    request = api.SubscribeRequest(
        journal=JOURNAL,
        preset=api.START_PRESET_EARLIEST,
        until=history.position(history.events[-1].sequence),
        filter=api.EventFilter(types=[wanted], filter_sidecar_events=True),
    )
    responses, code = subscribe(request)
    equal(code, grpc.StatusCode.OK, "status")
    got = [event for response in responses for event in response.events]
    expect(got == [e for e in history.events if e.type == wanted], f"events of {wanted}")
    equal(responses[-1].through_sequence, history.events[-1].sequence, "bookmark")
    return f"{len(got)} of {wanted}"


CHECKS = (
    events_arrive,
    lists_journals,
    lists_sessions,
    watches_sessions,
    answers_health_checks,
    reflection_lists_what_is_served,
    reads_history_to_its_end_and_gets_ok,
    resumes_in_the_middle_with_the_exact_suffix,
    goes_on_with_live_events,
    shows_each_view,
    pages_the_same_events,
    filters_by_type,
    explains_a_position_past_the_end,
    explains_another_epoch,
    explains_a_request_that_cannot_be_served,
)

if __name__ == "__main__":
    sys.exit(1 if run(f"grpcio over {ARGUMENTS.target.split(':')[0]}", CHECKS) else 0)
