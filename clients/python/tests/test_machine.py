"""The decisions of the loop, without a network."""

from __future__ import annotations

import random
import unittest

import grpc
from server import closing, details, events, opened

from tieline.failure import Broken, Ended, Failure, Refused, Unavailable, from_status
from tieline.machine import AskAboutGap, Finished, GapChoice, Machine, Retry, Stop
from tieline.position import Position
from tieline.v1 import event_service_pb2 as pb

CODES = grpc.StatusCode


def machine(renewable: bool = False) -> Machine:
    return Machine(pb.SubscribeRequest(preset=pb.START_PRESET_EARLIEST), None, renewable)


def refused(code: grpc.StatusCode, reason: str | None, retry: float | None = None) -> Refused:
    return Refused(code, "why", reason, retry)


class Decisions(unittest.TestCase):
    def test_exactly_unavailable_and_our_own_exhaustion_are_retried(self) -> None:
        for code in CODES:
            for reason in (None, "SUBSCRIBER_QUOTA"):
                retried = isinstance(machine().ended(refused(code, reason), 0.5), Retry)
                ours = code is CODES.RESOURCE_EXHAUSTED and reason is not None
                self.assertEqual(retried, code is CODES.UNAVAILABLE or ours, (code, reason))
        expired = refused(CODES.UNAUTHENTICATED, "CREDENTIALS_EXPIRED")
        self.assertIsInstance(machine(renewable=True).ended(expired, 0.5), Retry)
        self.assertIsInstance(machine(renewable=False).ended(expired, 0.5), Stop)

    def test_delays_double_up_to_the_cap_and_begin_anew_after_progress(self) -> None:
        reader = machine()
        delays = [reader.ended(Broken("x"), 1.0) for _ in range(9)]
        wanted = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
        self.assertEqual(delays, [Retry(delay) for delay in wanted])
        reader.request()
        reader.accept(opened("e", 0))
        self.assertEqual(reader.ended(Broken("x"), 1.0), Retry(10))
        reader.request()
        reader.accept(opened("e", 0))
        reader.accept(events(1, 1))
        self.assertEqual(reader.ended(Broken("x"), 1.0), Retry(0.1))

    def test_the_server_sets_a_delay_within_bounds(self) -> None:
        reader = machine()
        self.assertEqual(reader.ended(refused(CODES.UNAVAILABLE, "X", 1.5), 0.5), Retry(1.5))
        for _ in range(9):
            last = reader.ended(refused(CODES.UNAVAILABLE, "X", 0.0), 0.5)
        self.assertEqual(last, Retry(5))
        self.assertEqual(machine().ended(refused(CODES.UNAVAILABLE, "X", 1e9), 0.5), Retry(120))
        reader = machine()
        reader.request()
        reader.accept(opened("e", 0))
        drain = closing(0, pb.Closing.REASON_DRAINING)
        drain.closing.retry_delay.FromMilliseconds(700)
        reader.accept(drain)
        self.assertEqual(reader.ended(refused(CODES.UNAVAILABLE, "X"), 0.5), Retry(0.7))

    def test_silence_is_two_and_a_half_heartbeats_of_what_the_server_named(self) -> None:
        reader = machine()
        self.assertEqual(reader.silence_limit, 25)
        reader.request()
        reader.accept(opened("e", 0, 4))
        self.assertEqual(reader.silence_limit, 10)
        for named, limit in ((0, 2.5), (10**6, 150)):
            reader.request()
            reader.accept(opened("e", 0, named))
            self.assertEqual(reader.silence_limit, limit)

    def test_ok_is_the_end_only_when_it_was_announced(self) -> None:
        reader = machine()
        reader.request()
        reader.accept(opened("e", 0))
        self.assertIsInstance(reader.ended(Ended(), 0.5), Retry)
        reader.request()
        reader.accept(opened("e", 0))
        reader.accept(closing(0))
        self.assertIsInstance(reader.ended(Ended(), 0.5), Finished)

    def test_a_start_at_latest_is_pinned_by_the_first_response(self) -> None:
        reader = Machine(pb.SubscribeRequest(preset=pb.START_PRESET_LATEST), None, False)
        self.assertFalse(reader.request().HasField("after"))
        self.assertTrue(reader.accept(opened("e", 41)))
        self.assertEqual(reader.request().after, pb.Position(epoch="e", sequence=41))

    def test_a_choice_holds_until_the_gap_was_told(self) -> None:
        reader = machine()
        reader.request()
        reader.accept(opened("old", 0))
        reader.accept(events(1, 9))
        reader.resolve_gap(Unavailable("EPOCH_CHANGED", "why"), "earliest", 0.5)
        reader.request()
        # Neither the start nor a goodbye says what was lost: both may be all that comes.
        self.assertFalse(reader.accept(opened("new", 4)))
        self.assertFalse(reader.accept(closing(4, pb.Closing.REASON_DRAINING)))
        reader.ended(Broken("reset"), 0.5)
        request = reader.request()
        self.assertEqual(request.after, pb.Position(epoch="old", sequence=9))
        self.assertEqual(request.unavailable_policy, pb.UNAVAILABLE_POLICY_RESUME_AT_EARLIEST)
        reader.accept(opened("new", 4))
        self.assertTrue(reader.accept(pb.SubscribeResponse(through_sequence=4, gap=pb.Gap())))
        request = reader.request()
        self.assertEqual(request.after, pb.Position(epoch="new", sequence=4))
        self.assertEqual(request.unavailable_policy, pb.UNAVAILABLE_POLICY_FAIL)

    def test_a_status_is_read_by_code_and_details(self) -> None:
        gone = details("EPOCH_CHANGED")
        self.assertIsInstance(from_status(CODES.FAILED_PRECONDITION, "", gone), Unavailable)
        foreign = details("EPOCH_CHANGED", domain="example")
        read = from_status(CODES.FAILED_PRECONDITION, "", foreign)
        self.assertEqual(
            read, refused(CODES.FAILED_PRECONDITION, None).__class__(CODES.FAILED_PRECONDITION, "")
        )
        reset = "Received RST_STREAM with error code 2"
        self.assertIsInstance(from_status(CODES.INTERNAL, reset, b""), Broken)
        self.assertIsInstance(from_status(CODES.UNKNOWN, "", b""), Broken)
        self.assertIsInstance(from_status(CODES.UNKNOWN, "", details("A_BUG")), Refused)
        self.assertIsInstance(from_status(CODES.INTERNAL, "a bug", b"\xff\xff"), Refused)

    def test_every_event_comes_once_whatever_breaks(self) -> None:
        for seed in range(500):
            self.survive(random.Random(seed), f"seed {seed}")

    def survive(self, chance: random.Random, seed: str) -> None:
        """A server that keeps the contract and fails at will."""
        reader, epoch, delivered, live = machine(), 0, 0, False
        # A server that was told what to do about a gap does not ask, and its next response moves the reader.
        chosen = False
        for _ in range(chance.randrange(1, 60)):
            if not live:
                request = reader.request()
                here = request.HasField("after") and request.after.epoch == str(epoch)
                self.assertEqual(request.after.sequence if here else 0, delivered, seed)
                reader.accept(opened(str(epoch), delivered))
                live = True
            act = chance.choice(["events"] * 4 + ["heartbeat", "break", "refuse", "ok", "lose"])
            if act == "events":
                last = delivered + chance.randrange(1, 20)
                reader.accept(events(delivered + 1, last))
                delivered, chosen = last, False
                continue
            if act == "heartbeat":
                moved = reader.accept(pb.SubscribeResponse(through_sequence=delivered))
                self.assertEqual(moved, chosen, seed)
                chosen = False
                continue
            failure: Failure = Broken("reset") if act == "break" else Ended()
            if act == "refuse":
                failure = refused(CODES.UNAVAILABLE, "SERVER_DRAINING")
            if act == "lose" and chosen:
                epoch, delivered = epoch + 1, 0
            if act == "lose" and not chosen:
                chosen = True
                gap = Unavailable("EPOCH_CHANGED", "why")
                self.assertEqual(reader.ended(gap, 0.5), AskAboutGap(gap))
                epoch, delivered = epoch + 1, 0
                choice: GapChoice = chance.choice(["earliest", "latest"])
                decision = reader.resolve_gap(gap, choice, chance.random())
            else:
                decision = reader.ended(failure, chance.random())
            assert isinstance(decision, Retry), decision
            self.assertLessEqual(decision.delay, 10)
            live = False
        if live and not chosen:
            self.assertEqual(reader.position, Position(str(epoch), delivered), seed)


if __name__ == "__main__":
    unittest.main()
