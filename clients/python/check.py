"""A reader that tests/clients/kills holds to account: one line for each event, written before its
position is stored.

    check.py --target 127.0.0.1:7443 --store FILE --out FILE
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable
from typing import Any

from tieline import AsyncSubscriber, Batch, FileStore, Subscriber, Tls


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--target", required=True, help="HOST:PORT or unix:PATH")
    parser.add_argument("--ca", help="authorities of the server, in PEM; TLS")
    parser.add_argument("--token-file")
    parser.add_argument("--journal", default="journals/default")
    parser.add_argument("--store", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--asyncio", action="store_true", help="with AsyncSubscriber")
    asked = parser.parse_args()
    with open(asked.out, "a") as out:

        def handle(batch: Batch) -> None:
            epoch = batch.position.epoch
            out.writelines(f"{epoch} {event.sequence} {event.id}\n" for event in batch.events)
            out.flush()

        options: dict[str, Any] = {
            "target": asked.target,
            "tls": Tls(ca_file=asked.ca) if asked.ca else None,
            "token_file": asked.token_file,
            "journal": asked.journal,
            "start": "earliest",
            "store": FileStore(asked.store),
            "on_gap": lambda gap: "stop",
        }
        if asked.asyncio:
            asyncio.run(read(AsyncSubscriber(**options), handle))
            return
        subscriber = Subscriber(**options)
        signal.signal(signal.SIGTERM, lambda *_: subscriber.stop())
        subscriber.run(handle)


async def read(subscriber: AsyncSubscriber, handle: Callable[[Batch], None]) -> None:
    async def handler(batch: Batch) -> None:
        handle(batch)

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, subscriber.stop)
    await subscriber.run(handler)


if __name__ == "__main__":
    main()
