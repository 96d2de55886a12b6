"""Reads Tieline's resumable stream of contact-centre events: see `Subscriber`."""

from tieline.aio import AsyncSubscriber
from tieline.channel import Tls
from tieline.errors import GapError, RefusedError, TielineError, ViolationError
from tieline.failure import Unavailable
from tieline.position import FileStore, Position, Store
from tieline.subscriber import Subscriber
from tieline.subscription import Batch

__all__ = [
    "AsyncSubscriber",
    "Batch",
    "FileStore",
    "GapError",
    "Position",
    "RefusedError",
    "Store",
    "Subscriber",
    "TielineError",
    "Tls",
    "Unavailable",
    "ViolationError",
]
