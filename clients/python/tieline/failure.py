"""How an attempt ended, as values: read once from a status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

# The domain of every error that is ours.
DOMAIN = "tieline"
# Reasons that mean the position cannot be served: what follows is for `on_gap` to decide.
GAP_REASONS = ("POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED")


@dataclass(frozen=True)
class Ended:
    """The server ended the stream with OK."""

    def __str__(self) -> str:
        return "the stream ended before its end was reached"


@dataclass(frozen=True)
class Broken:
    """There is or was no connection: refused, reset, cut off before a status."""

    what: str

    def __str__(self) -> str:
        return f"no connection: {self.what}"


@dataclass(frozen=True)
class Silent:
    """Nothing came for longer than heartbeats allow."""

    seconds: float

    def __str__(self) -> str:
        return f"silent for {self.seconds:.1f} s"


@dataclass(frozen=True)
class Refused:
    """A status that the server sent."""

    code: grpc.StatusCode
    message: str
    # `ErrorInfo.reason`, where the error is ours.
    reason: str | None = None
    # Seconds of `RetryInfo`, where there is one.
    retry_after: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


@dataclass(frozen=True)
class Unavailable:
    """Why a position cannot be served: POSITION_TRIMMED, EPOCH_CHANGED or JOURNAL_CORRUPTED, with the
    numbers: `requested_sequence`, `earliest_sequence`, `latest_sequence` and the like."""

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


Failure = Ended | Broken | Silent | Refused | Unavailable


def from_call(call: Any) -> Failure:
    """Reads the error that a call ended with: whose word it is, and what it says. What grpc raises is a
    call too, which its types do not say."""
    trailers = dict(call.trailing_metadata() or ())
    details = trailers.get("grpc-status-details-bin", b"")
    return from_status(call.code(), call.details() or "", details)


def from_status(code: grpc.StatusCode, message: str, details: bytes) -> Failure:
    """The same, from its parts."""
    info, retry_after = _details(details)
    if info is None and _is_broken(code, message):
        return Broken(message)
    if info is not None and info.reason in GAP_REASONS:
        return Unavailable(info.reason, message, dict(info.metadata))
    if info is None:
        return Refused(code, message, retry_after=retry_after)
    return Refused(code, message, info.reason, retry_after, dict(info.metadata))


def _is_broken(code: grpc.StatusCode, message: str) -> bool:
    """A server of ours always says why. What has no reason and is UNKNOWN or CANCELLED was cut off on
    the way; so was a stream that was reset, which grpc reports as INTERNAL in words of its own."""
    cut = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
    return code in cut or "RST_STREAM" in message


def _details(encoded: bytes) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    found, retry_after = None, None
    try:
        for detail in status_pb2.Status.FromString(encoded).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                found = info
            elif detail.Unpack(retry) and retry.HasField("retry_delay"):
                delay: timedelta = retry.retry_delay.ToTimedelta()
                retry_after = max(0.0, delay.total_seconds())
    except DecodeError:
        # Not what it says it is: nobody's details.
        return found, retry_after
    return found, retry_after
