"""What a subscription asks for, accepts and does next. Pure: time passes elsewhere, and chance comes in
as a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import grpc

from tieline.errors import GapError, RefusedError, TielineError, ViolationError
from tieline.failure import Ended, Failure, Refused, Unavailable
from tieline.position import Position
from tieline.v1 import event_service_pb2 as pb

# The server's default, until `opened` names the real one.
DEFAULT_HEARTBEAT = 10.0
# Heartbeats are between these, so that a wrong value neither kills nor hangs the stream.
HEARTBEATS = (1.0, 60.0)
# Silence of this many heartbeats means that the connection is dead.
SILENT_HEARTBEATS = 2.5
BACKOFF_BASE = 0.1
BACKOFF_CAP = 10.0
# No server makes a reader wait for longer than this.
LONGEST_WAIT = 120.0

GapChoice = Literal["earliest", "latest", "stop"]
POLICIES: dict[str, pb.UnavailablePolicy] = {
    "earliest": pb.UNAVAILABLE_POLICY_RESUME_AT_EARLIEST,
    "latest": pb.UNAVAILABLE_POLICY_RESUME_AT_LATEST,
}


@dataclass(frozen=True)
class Retry:
    """Wait this long, then send `Machine.request` on a new connection."""

    delay: float


@dataclass(frozen=True)
class AskAboutGap:
    """Ask the caller, then call `Machine.resolve_gap`."""

    gap: Unavailable


@dataclass(frozen=True)
class Finished:
    """The requested end was reached."""


@dataclass(frozen=True)
class Stop:
    """It cannot go on."""

    error: TielineError


Decision = Retry | AskAboutGap | Finished | Stop


class Machine:
    """The decisions of the client loop. `template` is what to subscribe to; its start serves until there
    is a position. `renewable` says that credentials are read again at each attempt."""

    def __init__(
        self, template: pb.SubscribeRequest, position: Position | None, renewable: bool
    ) -> None:
        self._template = template
        self._renewable = renewable
        self._whole = not template.HasField("filter") and not template.HasField("shard")
        self._heartbeat = _heartbeat(template, DEFAULT_HEARTBEAT)
        self._opened = False
        self._closing: pb.Closing | None = None
        # Set by a gap choice, until something came that explains the gap or lies behind it.
        self._policy = pb.UNAVAILABLE_POLICY_FAIL
        # Through where this stream has come; the position follows it.
        self._reached = Position("", 0)
        # What lies behind the reader: store it once the last response has been handled.
        self.position = position
        # Attempts that failed since a response last made progress.
        self.failures = 0

    @property
    def silence_limit(self) -> float:
        """How long silence may last before the connection counts as dead."""
        return self._heartbeat * SILENT_HEARTBEATS

    def request(self) -> pb.SubscribeRequest:
        """Begins an attempt: the request to send."""
        self._opened, self._closing = False, None
        request = pb.SubscribeRequest()
        request.CopyFrom(self._template)
        if self.position is not None:
            request.after.epoch = self.position.epoch
            request.after.sequence = self.position.sequence
        request.unavailable_policy = self._policy
        return request

    def accept(self, response: pb.SubscribeResponse) -> bool:
        """Takes a response in before it is handed on; whether the position moved. Raises ViolationError
        where it breaks the contract; then it must not be handed on."""
        before, notice = self.position, response.WhichOneof("notice")
        if notice == "opened":
            self._accept_opened(response.opened)
        elif not self._opened:
            raise ViolationError("the first response is not 'opened'")
        elif notice == "closing":
            self._closing = response.closing
        self._accept_progress(response, notice)
        frame = notice in ("opened", "closing")
        if not frame:
            self.failures = 0
        # Behind a gap choice the start lies beyond what is lost: a stream that breaks before it said so is
        # asked for again from where the reader is.
        chosen = self._policy != pb.UNAVAILABLE_POLICY_FAIL
        if not (chosen and frame and not response.events):
            self.position, self._policy = self._reached, pb.UNAVAILABLE_POLICY_FAIL
        return self.position != before

    def _accept_opened(self, opened: pb.Opened) -> None:
        if self._opened:
            raise ViolationError("'opened' came a second time")
        start, asked = Position(opened.epoch, opened.start.sequence), self.position
        strict = self._policy == pb.UNAVAILABLE_POLICY_FAIL
        if asked is not None:
            # A resume that skips may still not go back.
            back = asked.epoch == start.epoch and start.sequence < asked.sequence
            if back or (strict and asked != start):
                raise ViolationError(f"asked to continue after {asked}, it starts after {start}")
        self._heartbeat = _heartbeat(opened, self._heartbeat)
        self._reached = start
        self._opened = True

    def _accept_progress(self, response: pb.SubscribeResponse, notice: str | None) -> None:
        behind = self._reached.sequence
        for event in response.events:
            if event.sequence <= behind:
                raise ViolationError(f"event {event.sequence} came after {behind}")
            if self._whole and event.sequence != behind + 1:
                raise _hole(behind + 1, event.sequence - 1)
            behind = event.sequence
        through = response.through_sequence
        # A bookmark before the start is true of the first response, and moves nothing back.
        if notice == "opened":
            through = max(through, behind)
        if through < behind:
            raise ViolationError(f"the bookmark {through} is before {behind}")
        if self._whole and through > behind and notice not in ("gap", "opened"):
            raise _hole(behind + 1, through)
        self._reached = Position(self._reached.epoch, through)

    def ended(self, failure: Failure, unit: float) -> Decision:
        """Decides what follows the end of an attempt; `unit` is a random number in [0, 1)."""
        if isinstance(failure, Unavailable):
            if self._policy == pb.UNAVAILABLE_POLICY_FAIL:
                return AskAboutGap(failure)
            # The server refuses what was chosen: asking again would go round in circles.
            return Stop(GapError(failure))
        if isinstance(failure, Ended) and self._end_was_announced():
            return Finished()
        if isinstance(failure, Refused):
            if not self._is_retried(failure):
                return Stop(RefusedError(failure))
            if failure.retry_after is not None:
                return Retry(self._delay(failure.retry_after, unit))
        return Retry(self._delay(self._closing_delay(), unit))

    def resolve_gap(self, gap: Unavailable, choice: GapChoice, unit: float) -> Decision:
        """Continues as the caller chose."""
        if choice == "stop":
            return Stop(GapError(gap))
        if choice not in POLICIES:
            raise ValueError(f"on_gap answered {choice!r}; it is 'earliest', 'latest' or 'stop'")
        self._policy = POLICIES[choice]
        # Jittered like any retry: after a restore every reader finds its epoch gone at once.
        return Retry(self._delay(None, unit))

    def _is_retried(self, refused: Refused) -> bool:
        """UNAVAILABLE always; RESOURCE_EXHAUSTED only where it is ours, because a message above the
        client's own limit is the same tomorrow."""
        if refused.reason == "CREDENTIALS_EXPIRED":
            return self._renewable
        if refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return refused.reason is not None
        return refused.code is grpc.StatusCode.UNAVAILABLE

    def _end_was_announced(self) -> bool:
        """OK without the announcement is a stream that something between cut off cleanly."""
        return self._closing is not None and self._closing.reason == pb.Closing.REASON_END_REACHED

    def _closing_delay(self) -> float | None:
        if self._closing is None or not self._closing.HasField("retry_delay"):
            return None
        return max(0.0, _seconds(self._closing.retry_delay))

    def _delay(self, asked: float | None, unit: float) -> float:
        """At least what the server asked for; what it asked for again and again is not enough alone."""
        first, longest = self.failures == 0, BACKOFF_BASE * 2.0 ** min(self.failures, 31)
        self.failures += 1
        backoff = min(BACKOFF_CAP, longest) * unit
        if asked is None:
            return backoff
        asked = min(asked, LONGEST_WAIT)
        return asked if first else max(asked, backoff)


def _hole(first: int, last: int) -> ViolationError:
    return ViolationError(f"events {first} to {last} are missing without a gap")


def _heartbeat(message: pb.SubscribeRequest | pb.Opened, otherwise: float) -> float:
    named = otherwise
    if message.HasField("heartbeat_interval"):
        named = _seconds(message.heartbeat_interval)
    return min(max(named, HEARTBEATS[0]), HEARTBEATS[1])


def _seconds(duration: object) -> float:
    return float(duration.seconds + duration.nanos / 1e9)  # type: ignore[attr-defined]
