"""What is subscribed to, and how it goes on when an attempt has ended: the part that needs no network."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tieline.channel import Door, FilePath, Tls
from tieline.failure import Failure, Unavailable
from tieline.machine import AskAboutGap, GapChoice, Machine, Retry, Stop
from tieline.position import Position, Store
from tieline.v1 import event_pb2
from tieline.v1 import event_service_pb2 as pb

LOG = logging.getLogger("tieline")
# More than these in a row are not a restart.
FEW_FAILURES = 5
DEFAULT_TARGET = "unix:/run/tieline/tieline.sock"

Start = Literal["earliest", "latest"] | datetime | Position


@dataclass(frozen=True)
class Batch:
    """What came at once. It may be without events: then the position has moved over a gap, or over
    events that the filter kept away."""

    events: Sequence[event_pb2.Event]
    # What to store together with the effect of this batch.
    position: Position
    # A run of events that will not come, if this is where it lies.
    gap: pb.Gap | None
    # Events in the journal behind this batch.
    lag: int


class Subscription:
    """A journal that is read from the stored position on or, where none is stored, from `start`.

    `on_gap` decides what follows when the position is gone (retention was faster than the reader, or the
    pod moved with an empty volume): "earliest", "latest" or "stop". With a `store`, the position is
    saved after the handler has returned; without, the handler stores `batch.position` in the
    transaction of its own effect, and `start` is the position that it stored last. `request` holds what
    else a Subscribe may ask for: view, shard, batching, heartbeats, an end.
    """

    def __init__(
        self,
        *,
        start: Start,
        on_gap: Callable[[Unavailable], GapChoice],
        store: Store | None = None,
        target: str = DEFAULT_TARGET,
        tls: Tls | None = None,
        token_file: FilePath | None = None,
        journal: str = "journals/default",
        filter: pb.EventFilter | None = None,
        request: pb.SubscribeRequest | None = None,
    ) -> None:
        self._door = Door(target, tls, token_file)
        self._template = _template(start, journal, filter, request)
        self._start, self._store, self._on_gap = start, store, on_gap
        self._stopping = False

    def _machine(self) -> Machine:
        position = self._store.load() if self._store else None
        if position is None and isinstance(self._start, Position):
            position = self._start
        return Machine(self._template, position, self._door.renewable)

    def _batch(self, machine: Machine, response: pb.SubscribeResponse) -> Batch | None:
        """What of a response is handed on."""
        moved = machine.accept(response)
        gap = response.gap if response.HasField("gap") else None
        if machine.position is None or not (moved or gap):
            return None
        lag = max(0, response.latest_sequence - machine.position.sequence)
        return Batch(response.events, machine.position, gap, lag)

    def _delay(self, machine: Machine, failure: Failure) -> float | None:
        """How long to wait for the next attempt; None where there is none. Raises what ends it."""
        decision = machine.ended(failure, random.random())
        if isinstance(decision, AskAboutGap):
            choice = self._on_gap(decision.gap)
            LOG.warning("the position is gone: %s; on_gap says %s", decision.gap, choice)
            decision = machine.resolve_gap(decision.gap, choice, random.random())
        if isinstance(decision, Stop):
            raise decision.error
        if not isinstance(decision, Retry):
            return None
        # What is refused while it is tried again, such as a credential, may want a person.
        level = logging.WARNING if machine.failures > FEW_FAILURES else logging.INFO
        LOG.log(level, "interrupted: %s; trying again in %.1f s", failure, decision.delay)
        return decision.delay


def _template(
    start: Start,
    journal: str,
    filter: pb.EventFilter | None,
    request: pb.SubscribeRequest | None,
) -> pb.SubscribeRequest:
    template = pb.SubscribeRequest()
    if request is not None:
        template.CopyFrom(request)
        if template.WhichOneof("start"):
            raise ValueError("request: its start is for `start` to say; leave it out")
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise ValueError(f"start: {start} has no time zone; datetime.now(timezone.utc) has")
        template.from_time.FromDatetime(start)
    elif start == "earliest":
        template.preset = pb.START_PRESET_EARLIEST
    elif start == "latest":
        template.preset = pb.START_PRESET_LATEST
    elif not isinstance(start, Position):
        raise ValueError(
            f"start: {start!r} is none of 'earliest', 'latest', a datetime, a Position"
        )
    template.journal = journal
    if filter is not None:
        template.filter.CopyFrom(filter)
    return template
