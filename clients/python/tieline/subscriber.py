"""A subscription that survives restarts, drains and broken networks by resuming after the last batch
that was handled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

import grpc

from tieline.failure import Ended, Failure, Silent, from_call
from tieline.machine import Machine
from tieline.subscription import Batch, Subscription
from tieline.traces import processing
from tieline.v1 import event_service_pb2 as pb

METHOD = "/tieline.v1.EventService/Subscribe"
# How long what reads a call that was cancelled may take to notice.
PUMP_ENDS_WITHIN = 5.0


class Subscriber(Subscription):
    """Reads a journal, from the stored position on or, where none is stored, from `start`. For asyncio
    there is `AsyncSubscriber`."""

    # Where `run` waits; a new one for each attempt.
    _inbox: SimpleQueue[_Item] | None = None

    def stop(self) -> None:
        """Ends `run` after the batch in hand is handled and saved. From any thread or signal handler."""
        # In this order: `run` looks at the one after it has made the other. SimpleQueue may be put to by a
        # signal handler that interrupts its get.
        self._stopping = True
        if self._inbox is not None:
            self._inbox.put(None)

    def run(self, handler: Callable[[Batch], object]) -> None:
        """Hands every batch to the handler, until `stop` or the requested end; what the handler raises
        ends it. Raises RefusedError, GapError or ViolationError where it cannot go on."""
        machine = self._machine()
        while not self._stopping:
            failure = self._attempt(machine, handler)
            if failure is None:
                return
            delay = self._delay(machine, failure)
            if delay is None:
                return
            self._wait(delay)

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
                    if isinstance(item, Exception):
                        raise item
                    if not isinstance(item, pb.SubscribeResponse):
                        return item
                    batch = self._batch(machine, item)
                    if batch is not None:
                        with processing(self._template.journal, batch.events):
                            handler(batch)
                        if self._store is not None:
                            self._store.save(batch.position)
                    wanted.release()
                return None
            finally:
                call.cancel()
                wanted.release()
                pump.join(PUMP_ENDS_WITHIN)

    def _new_inbox(self) -> SimpleQueue[_Item]:
        self._inbox = inbox = SimpleQueue[_Item]()
        return inbox

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
