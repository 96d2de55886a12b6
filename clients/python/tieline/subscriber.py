"""A subscription that survives restarts, drains and broken networks by resuming after the last batch
that was handled."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Literal

import grpc

from tieline.channel import Door, FilePath, Tls
from tieline.failure import Ended, Failure, Silent, Unavailable, from_call
from tieline.machine import AskAboutGap, Finished, GapChoice, Machine, Retry, Stop
from tieline.position import Position, Store
from tieline.traces import processing
from tieline.v1 import event_pb2
from tieline.v1 import event_service_pb2 as pb

LOG = logging.getLogger("tieline")
METHOD = "/tieline.v1.EventService/Subscribe"
DEFAULT_TARGET = "unix:/run/tieline/tieline.sock"
# How long what reads a call that was cancelled may take to notice.
PUMP_ENDS_WITHIN = 5.0

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


class Subscriber:
    """Reads a journal, from the stored position on or, where none is stored, from `start`.

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
        self._inbox: SimpleQueue[_Item] = SimpleQueue()

    def stop(self) -> None:
        """Ends `run` after the batch in hand is handled and saved. From any thread or signal handler."""
        # In this order: `run` looks at the one after it has made the other. SimpleQueue may be put to by a
        # signal handler that interrupts its get.
        self._stopping = True
        self._inbox.put(None)

    def run(self, handler: Callable[[Batch], object]) -> None:
        """Hands every batch to the handler, until `stop` or the requested end; what the handler raises
        ends it. Raises RefusedError, GapError or ViolationError where it cannot go on."""
        position = self._store.load() if self._store else None
        if position is None and isinstance(self._start, Position):
            position = self._start
        machine = Machine(self._template, position, self._door.renewable)
        while not self._stopping:
            failure = self._attempt(machine, handler)
            if failure is None:
                return
            decision = machine.ended(failure, random.random())
            if isinstance(decision, AskAboutGap):
                choice = self._on_gap(decision.gap)
                LOG.warning("position is gone: %s; going on at %s", decision.gap, choice)
                decision = machine.resolve_gap(decision.gap, choice, random.random())
            if isinstance(decision, Finished):
                return
            if isinstance(decision, Stop):
                raise decision.error
            assert isinstance(decision, Retry), "every gap is resolved"
            LOG.info("interrupted: %s; trying again in %.1f s", failure, decision.delay)
            self._wait(decision.delay)

    def _attempt(self, machine: Machine, handler: Callable[[Batch], object]) -> Failure | None:
        """One connection; how it ended, or None where it was asked to."""
        inbox = self._new_inbox()
        with self._door.open() as channel:
            subscribe = channel.unary_stream(
                METHOD,
                request_serializer=pb.SubscribeRequest.SerializeToString,
                response_deserializer=pb.SubscribeResponse.FromString,
            )
            call = subscribe(machine.request(), metadata=self._door.metadata())
            # A wait for the next response has no time limit in grpcio, so another thread waits.
            wanted = threading.Semaphore(1)
            pump = threading.Thread(target=_pump, args=(call, inbox, wanted), daemon=True)
            pump.start()
            try:
                while not self._stopping:
                    try:
                        item = inbox.get(timeout=machine.silence_limit)
                    except Empty:
                        return Silent(machine.silence_limit)
                    if isinstance(item, pb.SubscribeResponse):
                        self._deliver(machine, item, handler)
                        wanted.release()
                    elif isinstance(item, Exception):
                        raise item
                    else:
                        return item
                return None
            finally:
                call.cancel()
                wanted.release()
                pump.join(PUMP_ENDS_WITHIN)

    def _deliver(
        self, machine: Machine, response: pb.SubscribeResponse, handler: Callable[[Batch], object]
    ) -> None:
        moved = machine.accept(response)
        gap = response.gap if response.HasField("gap") else None
        if not moved and gap is None:
            return
        assert machine.position is not None, "a response was accepted"
        lag = max(0, response.latest_sequence - machine.position.sequence)
        with processing(self._template.journal, response.events):
            handler(Batch(response.events, machine.position, gap, lag))
        if self._store is not None:
            self._store.save(machine.position)

    def _new_inbox(self) -> SimpleQueue[_Item]:
        self._inbox = SimpleQueue()
        return self._inbox

    def _wait(self, delay: float) -> None:
        inbox = self._new_inbox()
        if not self._stopping:
            try:
                inbox.get(timeout=delay)
            except Empty:
                return


# A response, how the call ended, what broke in reading it, or None: stop.
_Item = pb.SubscribeResponse | Failure | Exception | None


def _pump(
    call: Iterator[pb.SubscribeResponse], inbox: SimpleQueue[_Item], wanted: threading.Semaphore
) -> None:
    """Takes one response after the other, each when it is wanted, so that nothing grows."""
    try:
        while wanted.acquire():
            inbox.put(next(call))
    except StopIteration:
        inbox.put(Ended())
    except grpc.RpcError as error:
        inbox.put(from_call(error))
    except Exception as error:  # it must not be lost with this thread
        inbox.put(error)


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
        raise ValueError(f"start: {start!r} is none of 'earliest', 'latest', a datetime, a Position")
    template.journal = journal
    if filter is not None:
        template.filter.CopyFrom(filter)
    return template
