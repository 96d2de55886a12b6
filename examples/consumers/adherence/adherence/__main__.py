"""Alerts when somebody has been out of adherence for longer than the schedule tolerates.

    python -m adherence --schedule schedule.yaml --state state.json [--target unix:/path]

Begun again, it goes on from the state file: with what it knew, behind the last event it took in.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import pathlib
import signal
import sys
import threading
import time
from collections import deque

import grpc
from google.protobuf import duration_pb2
from tieline import Batch, Subscriber, TielineError, Tls
from tieline.channel import Door
from tieline.v1 import event_service_pb2 as pb
from tieline.v1 import event_service_pb2_grpc as rpc

from adherence import schedule
from adherence.feed import TYPES, take
from adherence.rule import Notice, Rule
from adherence.state import StateFile
from adherence.voice import Voice

# How often time is passed while nothing happens, and how long an answer about the journal may take.
TICK = 1.0
ASKING = 2.0
# How long the end of the journal may be out of reach before that is said.
SILENCE = 5.0
# The position moves over filtered events as often as this, so that the end is seen to be reached.
HEARTBEAT_SECONDS = 1


class Adherence:
    """The shell: the subscription in one thread, the clock in another, one rule between them."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._rule = Rule(schedule.read(asked.schedule.read_text()))
        self._store = StateFile(asked.state, self._rule)
        self._voice = Voice(as_json=True if asked.json else None)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._behind: tuple[str, int] | None = None
        # Ends of the journal, and when they were: up to there everything will be known once they are
        # behind us.
        self._ends: deque[tuple[float, str, int]] = deque(maxlen=int(SILENCE / TICK) + 1)
        self._known = 0.0
        self._began = time.time()
        self._silent = False
        # A batch was taken in and its position is not saved yet: saved now, it would come again.
        self._midway = False
        self._failure: OSError | None = None
        self._journal = asked.journal
        tls = Tls(ca_file=asked.ca) if asked.ca else None
        self._door = Door(asked.target, tls, asked.token_file)
        self._subscriber = Subscriber(
            target=asked.target,
            tls=tls,
            token_file=asked.token_file,
            journal=asked.journal,
            filter=pb.EventFilter(types=TYPES),
            request=pb.SubscribeRequest(
                client_id="adherence",
                heartbeat_interval=duration_pb2.Duration(seconds=HEARTBEAT_SECONDS),
            ),
            start="earliest",
            # What is known stays, marked as uncertain; the gap itself comes with the stream.
            on_gap=lambda gap: "earliest",
            store=self,
        )

    # --- the store: rule and position are saved under one lock ---

    def load(self):
        position = self._store.load()
        if position is not None:
            self._behind = (position.epoch, position.sequence)
        return position

    def save(self, position) -> None:
        with self._lock:
            self._store.save(position)
            self._midway = False
            self._behind = (position.epoch, position.sequence)

    def run(self) -> None:
        clock = threading.Thread(target=self._pass_time, name="clock")
        clock.start()
        try:
            self._subscriber.run(self._take)
        finally:
            self._ended.set()
            clock.join()
        if self._failure is not None:
            raise self._failure

    def stop(self, *_: object) -> None:
        self._subscriber.stop()

    def _take(self, batch: Batch) -> None:
        with self._lock:
            self._midway = True
            notices = list(take(self._rule, batch))
            self._voice.say(notices)

    def _pass_time(self) -> None:
        """Time alone makes alerts too, but only time of which everything that happened is known."""
        try:
            with self._door.open() as channel:
                journals = rpc.EventServiceStub(channel)
                while not self._ended.wait(TICK):
                    self._ask(journals)
                    with self._lock:
                        self._tick()
        except OSError as error:
            self._failure = error
            self._subscriber.stop()

    def _tick(self) -> None:
        if self._midway:
            return
        self._reach()
        notices = self._say_silence()
        if self._known > self._rule.now:
            notices += self._rule.pass_time(self._known)
        self._voice.say(notices)
        self._voice.status(self._rule.now, self._rule.counts())
        if notices:
            self._store.save_again()

    def _ask(self, journals: rpc.EventServiceStub) -> None:
        request, asked_at = pb.GetJournalRequest(name=self._journal), time.time()
        with contextlib.suppress(grpc.RpcError, OSError, ValueError):
            answer = journals.GetJournal(request, timeout=ASKING, metadata=self._door.metadata())
            self._ends.append((asked_at, answer.journal.epoch, answer.journal.latest_sequence))

    def _reach(self) -> None:
        """Finds the newest of the ends that lie behind us."""
        for at, epoch, sequence in self._ends:
            if self._behind is not None and self._behind[0] == epoch and self._behind[1] >= sequence:
                self._known = max(self._known, at)

    def _say_silence(self) -> list[Notice]:
        late = time.time() - max(self._known, self._began)
        was_silent, self._silent = self._silent, late > SILENCE
        if self._silent and not was_silent:
            return [Notice("away", time.time(), f"nothing is known of the last {late:.0f} s: no alerts", False)]
        if was_silent and not self._silent:
            return [Notice("connected", time.time(), "the journal is read to its end again")]
        return []


def main() -> int:
    parser = argparse.ArgumentParser(prog="adherence", description=__doc__.splitlines()[0])
    parser.add_argument("--schedule", required=True, type=pathlib.Path, help="YAML or JSON")
    parser.add_argument("--state", required=True, type=pathlib.Path, help="file of state and position")
    parser.add_argument("--target", default="unix:/run/tieline/tieline.sock")
    parser.add_argument("--ca", help="file of the authority that the sidecar's certificate is from")
    parser.add_argument("--token-file", help="file of the bearer token")
    parser.add_argument("--journal", default="journals/default")
    parser.add_argument("--json", action="store_true", help="lines of JSON, also on a terminal")
    asked = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    try:
        adherence = Adherence(asked)
        signal.signal(signal.SIGTERM, adherence.stop)
        signal.signal(signal.SIGINT, adherence.stop)
        adherence.run()
    except (schedule.ScheduleError, OSError, ValueError, TielineError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
