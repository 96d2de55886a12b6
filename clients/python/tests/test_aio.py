"""The subscriber for asyncio against a server in this process."""

from __future__ import annotations

import asyncio
import time
import unittest
from collections.abc import Iterator
from typing import Any

import grpc
from server import Act, Server, closing, events, hang, opened, play, refuse, sequences

from tieline import AsyncSubscriber, Batch, GapError, Position, RefusedError
from tieline.v1 import event_service_pb2 as pb

DRAINING = refuse(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", 0.05)
REST = play(opened("e", 3), events(4, 5), closing(5))


class Resuming(unittest.IsolatedAsyncioTestCase):
    async def read(self, *acts: Act, unix: bool = False, on_gap: str = "stop") -> list[int]:
        batches: list[Batch] = []

        async def handle(batch: Batch) -> None:
            await asyncio.sleep(0)
            batches.append(batch)

        with Server(*acts, unix=unix) as server:
            subscriber = AsyncSubscriber(
                target=server.target,
                start="earliest",
                store=server.store,
                on_gap=lambda gap: on_gap,  # type: ignore[return-value, arg-type]
            )
            await subscriber.run(handle)
            self.assertEqual(server.store.load(), batches[-1].position)
            self.assertFalse(server.requests[0].HasField("after"))
        return sequences(batches)

    async def test_resumes_after_the_last_batch_that_was_handled(self) -> None:
        for unix in (False, True):
            got = await self.read(
                play(opened("e", 0), events(1, 3), then=DRAINING), REST, unix=unix
            )
            self.assertEqual(got, [1, 2, 3, 4, 5])
        got = await self.read(play(opened("e", 0), events(1, 3)), REST)
        self.assertEqual(got, [1, 2, 3, 4, 5])

    async def test_silence_ends_an_attempt(self) -> None:
        began = time.monotonic()
        got = await self.read(play(opened("e", 0, 1), events(1, 3), then=hang), REST)
        self.assertEqual(got, [1, 2, 3, 4, 5])
        self.assertTrue(2.5 <= time.monotonic() - began < 10)

    async def test_what_ends_it_surfaces(self) -> None:
        with self.assertRaises(RefusedError):
            await self.read(refuse(grpc.StatusCode.PERMISSION_DENIED, "JOURNAL_FORBIDDEN"))
        lost = refuse(grpc.StatusCode.OUT_OF_RANGE, "POSITION_TRIMMED")
        with self.assertRaises(GapError):
            await self.read(lost)
        found = play(opened("new", 7), events(8, 9), closing(9))
        self.assertEqual(await self.read(lost, found, on_gap="earliest"), [8, 9])

    async def test_stop_ends_it_after_the_batch_in_hand_is_stored(self) -> None:
        loop = asyncio.get_running_loop()

        def stop(request: pb.SubscribeRequest, context: Any) -> Iterator[pb.SubscribeResponse]:
            loop.call_soon_threadsafe(subscriber.stop)
            yield from hang(request, context)

        endless = play(opened("e", 0), events(1, 3), events(4, 5), then=hang)
        with Server(endless, play(opened("e", 3), then=stop)) as server:
            for _ in range(2):
                subscriber = AsyncSubscriber(
                    target=server.target,
                    start="earliest",
                    store=server.store,
                    on_gap=lambda gap: "stop",
                )

                async def handle(batch: Batch, subscriber: AsyncSubscriber = subscriber) -> None:
                    if batch.events:
                        subscriber.stop()

                await asyncio.wait_for(subscriber.run(handle), 10)
                self.assertEqual(server.store.load(), Position("e", 3))
            self.assertEqual(server.requests[1].after, pb.Position(epoch="e", sequence=3))


if __name__ == "__main__":
    unittest.main()
