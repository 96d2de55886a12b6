"""From events of the journal to the rule: agents' states, and what sessions say of gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tieline import Batch
from tieline.v1 import event_pb2 as ev
from tieline.v1 import event_service_pb2 as pb

from adherence.rule import Fact, Notice, Rule

# What is subscribed to. Facts about sessions come along whatever the filter.
TYPES = ["ccaas.agent.state_changed.v1"]
AWAY = (ev.SessionEvent.KIND_DISCONNECTED, ev.SessionEvent.KIND_SUSPENDED)


def take(rule: Rule, batch: Batch) -> Iterator[Notice]:
    """Lets the rule live through a batch: before each event, the time until it was recorded."""
    epoch = batch.position.epoch
    if batch.gap is not None:
        yield from rule.doubt(f"{epoch}/{batch.position.sequence}", _gap(batch.gap))
    for event in batch.events:
        yield from rule.pass_time(event.record_time.ToNanoseconds() / 1e9)
        kind = event.WhichOneof("data")
        if kind == "agent_state_event":
            yield from _agent(rule, event)
        elif kind == "session_event":
            yield from _session(rule, epoch, event)


def _agent(rule: Rule, event: ev.Event) -> list[Notice]:
    said = event.agent_state_event
    named = ev.AgentStateEvent.Availability.Name(said.availability)
    began = next(
        time
        for time, there in (
            (said.start_time, said.HasField("start_time")),
            (event.time, event.HasField("time")),
            (event.record_time, True),
        )
        if there
    )
    fact = Fact(
        availability=named.removeprefix("AVAILABILITY_").lower(),
        word=said.provider_state,
        since=began.ToNanoseconds() / 1e9,
    )
    backfilled = event.origin == ev.Event.ORIGIN_BACKFILL
    return rule.tell(said.agent_id, _feed(event.provider_type), fact, backfilled)


def _session(rule: Rule, epoch: str, event: ev.Event) -> Iterator[Notice]:
    said = event.session_event
    kind = said.kind
    if kind in AWAY:
        yield from rule.lose(said.session, said.reason or "disconnected")
    elif kind == ev.SessionEvent.KIND_CONNECTED:
        yield from rule.regain(said.session)
    elif kind == ev.SessionEvent.KIND_GAP_SUSPECTED:
        why = f"{said.session} may have missed events"
        yield from rule.doubt(f"{epoch}/{event.sequence}", why, _concerned(said.topics))
    elif kind == ev.SessionEvent.KIND_GAP_CLOSED:
        yield from rule.settle(f"{epoch}/{said.gap_sequence}", complete=True)
    elif kind == ev.SessionEvent.KIND_GAP_CONFIRMED and said.reason == "SNAPSHOT":
        yield from rule.settle(f"{epoch}/{said.gap_sequence}", complete=False)


def _feed(provider_type: str) -> str:
    """What of an agent it tells: `v2.users.….presence` tells presence."""
    return provider_type.rpartition(".")[2]


def _concerned(topics: list[str]) -> set[str] | None:
    """The feeds of agents among topics, as `agent/feed`. None, all of them, where topics do not name
    agents."""
    feeds = set()
    for topic in topics:
        # `v2.users.{id}.presence`, or combined: `v2.users.{id}?presence&routingStatus`.
        place, _, parts = topic.partition("?")
        if not place.startswith("v2."):
            return None
        if not place.startswith("v2.users."):
            continue
        agent, _, leaf = place.removeprefix("v2.users.").partition(".")
        feeds.update(f"{agent}/{_feed(part)}" for part in (parts.split("&") if parts else [leaf]))
    return feeds if topics else None


def _gap(gap: pb.Gap) -> str:
    cause = pb.Gap.Cause.Name(gap.cause).removeprefix("CAUSE_").lower().replace("_", " ")
    if gap.cause == pb.Gap.CAUSE_EPOCH_CHANGED:
        return "the journal is another one"
    return f"events {gap.first_sequence} to {gap.last_sequence} of the journal are gone ({cause})"
