"""The same subscription for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from tieline.failure import Ended, Failure, Silent, from_call
from tieline.machine import Machine
from tieline.subscriber import METHOD
from tieline.subscription import Batch, Subscription
from tieline.traces import processing
from tieline.v1 import event_service_pb2 as pb


class AsyncSubscriber(Subscription):
    """`Subscriber` for asyncio. A task that is cancelled in the handler leaves its batch unstored."""

    _stopped: asyncio.Event | None = None

    def stop(self) -> None:
        """Ends `run` after the batch in hand is handled and saved. In the loop of `run`, as a handler of
        `loop.add_signal_handler` is."""
        self._stopping = True
        if self._stopped is not None:
            self._stopped.set()

    async def run(self, handler: Callable[[Batch], Awaitable[object]]) -> None:
        """Hands every batch to the handler, until `stop` or the requested end; what the handler raises
        ends it. Raises RefusedError, GapError or ViolationError where it cannot go on."""
        self._stopped = asyncio.Event()
        machine = await asyncio.to_thread(self._machine)
        while not self._stopping:
            failure = await self._attempt(machine, handler)
            if failure is None:
                return
            delay = self._delay(machine, failure)
            if delay is None:
                return
            await self._unless_stopped(asyncio.sleep(delay), None)

    async def _attempt(
        self, machine: Machine, handler: Callable[[Batch], Awaitable[object]]
    ) -> Failure | None:
        """One connection; how it ended, or None where it was asked to."""
        async with self._door.open_async() as channel:
            subscribe = channel.unary_stream(
                METHOD,
                request_serializer=pb.SubscribeRequest.SerializeToString,
                response_deserializer=pb.SubscribeResponse.FromString,
            )
            call = subscribe(machine.request(), metadata=self._door.metadata())
            try:
                while not self._stopping:
                    limit = machine.silence_limit
                    try:
                        response = await self._unless_stopped(call.read(), limit)
                    except asyncio.TimeoutError:
                        return Silent(limit)
                    except grpc.aio.AioRpcError as error:
                        return from_call(error)
                    if response is None:
                        return None
                    if response is grpc.aio.EOF:
                        return Ended()
                    batch = self._batch(machine, response)
                    if batch is None:
                        continue
                    with processing(self._template.journal, batch.events):
                        await handler(batch)
                    if self._store is not None:
                        await asyncio.to_thread(self._store.save, batch.position)
                return None
            finally:
                call.cancel()

    async def _unless_stopped(self, work: Awaitable[Any], limit: float | None) -> Any:
        """What `work` gives, or None where it was stopped before."""
        assert self._stopped is not None, "it runs"
        doing = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopped.wait())
        first = asyncio.FIRST_COMPLETED
        try:
            done, _ = await asyncio.wait({doing, stopped}, timeout=limit, return_when=first)
            if not done:
                raise asyncio.TimeoutError
            return doing.result() if doing in done else None
        finally:
            stopped.cancel()
            doing.cancel()
