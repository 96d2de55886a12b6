"""The subscriber against a server in this process."""

from __future__ import annotations

import logging
import os
import threading
import time
import unittest
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import grpc
from server import Server, closing, events, hang, opened, play, refuse, sequences

from tieline import GapError, Position, RefusedError, Subscriber, Tls, ViolationError
from tieline.machine import GapChoice
from tieline.v1 import event_service_pb2 as pb

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
DRAINING = refuse(UNAVAILABLE, "SERVER_DRAINING", 0.05)
REST = play(opened("e", 3), events(4, 5), closing(5))
GAPS = {
    "EPOCH_CHANGED": grpc.StatusCode.FAILED_PRECONDITION,
    "POSITION_TRIMMED": grpc.StatusCode.OUT_OF_RANGE,
    "JOURNAL_CORRUPTED": grpc.StatusCode.DATA_LOSS,
}


def run_until_logged(subscriber: Subscriber, lines: int) -> None:
    """Runs one that gets nothing until so much is logged, or for 20 s. Within `assertLogs`, which takes
    away the handler."""

    class Stopping(logging.Handler):
        left = lines

        def emit(self, record: logging.LogRecord) -> None:
            self.left -= 1
            if self.left == 0:
                subscriber.stop()

    def handle(batch: Any) -> None:
        raise AssertionError(f"got {batch}")

    logging.getLogger("tieline").addHandler(Stopping())
    bound = threading.Timer(20, subscriber.stop)
    bound.start()
    try:
        subscriber.run(handle)
    finally:
        bound.cancel()


class Resuming(unittest.TestCase):
    def test_resumes_after_the_last_batch_that_was_handled(self) -> None:
        for unix in (False, True):
            with Server(
                play(opened("e", 0), events(1, 3), then=DRAINING), REST, unix=unix
            ) as server:
                batches = server.run()
                self.assertEqual(sequences(batches), [1, 2, 3, 4, 5])
                self.assertEqual(server.requests[0].preset, pb.START_PRESET_EARLIEST)
                self.assertEqual(server.requests[1].after, pb.Position(epoch="e", sequence=3))
                policies = {request.unavailable_policy for request in server.requests}
                self.assertEqual(policies, {pb.UNAVAILABLE_POLICY_FAIL})
                self.assertEqual(server.store.load(), Position("e", 5))
                self.assertEqual(batches[1].lag, 5)

    def test_a_new_process_goes_on_at_the_stored_position(self) -> None:
        with Server(REST) as server:
            server.store.save(Position("e", 3))
            self.assertEqual(sequences(server.run(start="latest")), [4, 5])
            self.assertEqual(server.requests[0].after, pb.Position(epoch="e", sequence=3))

    def test_a_handler_that_stores_by_itself_names_the_position_to_start_at(self) -> None:
        with Server(REST) as server:
            batches = server.run(start=Position("e", 3), store=None)
            self.assertEqual(batches[-1].position, Position("e", 5))

    def test_a_stream_that_was_cut_off_or_ended_without_its_end_is_resumed(self) -> None:
        for cut in (
            refuse(grpc.StatusCode.UNKNOWN, None),
            refuse(grpc.StatusCode.CANCELLED, None),
            None,
        ):
            with Server(play(opened("e", 0), events(1, 3), then=cut), REST) as server:
                self.assertEqual(sequences(server.run()), [1, 2, 3, 4, 5])

    def test_a_server_that_is_not_there_is_tried_again(self) -> None:
        with Server() as gone:
            target = gone.target
        subscriber = gone.subscriber(target=target)
        with self.assertLogs("tieline", "INFO") as logs:
            run_until_logged(subscriber, 2)
        self.assertGreaterEqual(len(logs.output), 2)

    def test_silence_ends_an_attempt(self) -> None:
        with Server(play(opened("e", 0, 1), events(1, 3), then=hang), REST) as server:
            began = time.monotonic()
            self.assertEqual(sequences(server.run()), [1, 2, 3, 4, 5])
            self.assertGreaterEqual(time.monotonic() - began, 2.5)
            self.assertLess(time.monotonic() - began, 10)

    def test_what_the_server_asks_to_wait_is_waited(self) -> None:
        busy = refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SUBSCRIBER_QUOTA", 0.7)
        for refusal in (busy, refuse(UNAVAILABLE, "SERVER_DRAINING", 0.7)):
            with Server(refusal, play(opened("e", 0), closing(0))) as server:
                began = time.monotonic()
                server.run()
                self.assertGreaterEqual(time.monotonic() - began, 0.7)

    def test_a_handler_that_fails_ends_it_and_its_batch_is_not_stored(self) -> None:
        with Server(play(opened("e", 0), events(1, 3), events(4, 5), then=hang)) as server:

            def handle(batch: Any) -> None:
                if batch.events and batch.events[0].sequence == 4:
                    raise KeyError("mine")

            with self.assertRaises(KeyError):
                server.subscriber().run(handle)
            self.assertEqual(server.store.load(), Position("e", 3))

    def test_stop_ends_it_after_the_batch_in_hand_is_stored(self) -> None:
        with Server(play(opened("e", 0), events(1, 3), events(4, 5), then=hang)) as server:
            subscriber = server.subscriber()
            subscriber.run(lambda batch: subscriber.stop() if batch.events else None)
            self.assertEqual(server.store.load(), Position("e", 3))
        with Server(play(opened("e", 0), then=hang)) as server:
            subscriber = server.subscriber()
            threading.Timer(0.3, subscriber.stop).start()
            subscriber.run(lambda batch: None)

    def test_the_proxy_of_the_environment_is_not_asked(self) -> None:
        nobody = dict.fromkeys(("http_proxy", "grpc_proxy"), "http://proxy.invalid:1")
        with mock.patch.dict(os.environ, nobody), Server(REST) as server:
            self.assertEqual(sequences(server.run(start=Position("e", 3))), [4, 5])


class Gaps(unittest.TestCase):
    def test_what_follows_a_lost_position_is_asked(self) -> None:
        policies: dict[GapChoice, pb.UnavailablePolicy] = {
            "earliest": pb.UNAVAILABLE_POLICY_RESUME_AT_EARLIEST,
            "latest": pb.UNAVAILABLE_POLICY_RESUME_AT_LATEST,
        }
        for reason, code in GAPS.items():
            for choice, policy in policies.items():
                lost = refuse(code, reason, earliest_sequence="8")
                on_gap = mock.Mock(return_value=choice)
                with Server(lost, play(opened("new", 7), events(8, 9), closing(9))) as server:
                    server.store.save(Position("old", 3))
                    self.assertEqual(sequences(server.run(on_gap=on_gap)), [8, 9])
                    self.assertEqual(server.requests[1].unavailable_policy, policy)
                    self.assertEqual(server.store.load(), Position("new", 9))
                on_gap.assert_called_once()
                (gap,) = on_gap.call_args.args
                self.assertEqual((gap.reason, gap.metadata["earliest_sequence"]), (reason, "8"))

    def test_stop_surfaces_it(self) -> None:
        for reason, code in GAPS.items():
            with Server(refuse(code, reason)) as server, self.assertRaises(GapError) as raised:
                server.run(start=Position("old", 3))
            self.assertEqual(raised.exception.gap.reason, reason)

    def test_what_was_chosen_and_is_refused_surfaces(self) -> None:
        lost = refuse(GAPS["EPOCH_CHANGED"], "EPOCH_CHANGED")
        with Server(lost, lost) as server, self.assertRaises(GapError):
            server.run(start=Position("old", 3), on_gap=lambda gap: "earliest")

    def test_a_gap_in_the_stream_is_handed_on(self) -> None:
        gap = pb.Gap(cause=pb.Gap.CAUSE_ERASED, first_sequence=1, last_sequence=7)
        told = pb.SubscribeResponse(through_sequence=7, gap=gap)
        with Server(play(opened("e", 0), told, events(8, 9), closing(9))) as server:
            batches = server.run()
            self.assertEqual([batch.gap for batch in batches if batch.gap], [gap])
            self.assertEqual(sequences(batches), [8, 9])

    def test_progress_over_filtered_events_is_stored(self) -> None:
        far = pb.SubscribeResponse(through_sequence=40)
        with Server(play(opened("e", 0), far, closing(40))) as server:
            server.run(filter=pb.EventFilter(types=["a"]))
            self.assertEqual(server.store.load(), Position("e", 40))


class Refusals(unittest.TestCase):
    def test_what_repeating_does_not_change_surfaces(self) -> None:
        codes = grpc.StatusCode
        for code, reason in (
            (codes.PERMISSION_DENIED, "JOURNAL_FORBIDDEN"),
            (codes.UNAUTHENTICATED, "CREDENTIALS_MISSING"),
            (codes.UNAUTHENTICATED, "CREDENTIALS_EXPIRED"),  # without a credential to renew
            (codes.OUT_OF_RANGE, "POSITION_NOT_WRITTEN"),
            (codes.INVALID_ARGUMENT, "FILTER_INVALID"),
            (codes.ABORTED, "DISCONNECTED_BY_OPERATOR"),
            (codes.RESOURCE_EXHAUSTED, None),
            (codes.INTERNAL, None),
            (codes.UNIMPLEMENTED, None),
        ):
            with Server(refuse(code, reason)) as server, self.assertRaises(RefusedError) as raised:
                server.run()
            self.assertEqual((raised.exception.code, raised.exception.reason), (code, reason))

    def test_an_expired_credential_is_read_again(self) -> None:
        expired = refuse(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_EXPIRED")
        with Server() as server:
            token = server.folder / "token"
            token.write_text("first\n")

            def rotate(request: pb.SubscribeRequest, context: Any) -> Any:
                token.write_text("second\n")
                yield from expired(request, context)

            server._acts += [play(opened("e", 0), events(1, 3), then=rotate), REST]
            self.assertEqual(sequences(server.run(token_file=token)), [1, 2, 3, 4, 5])
            self.assertEqual(server.tokens, ["Bearer first", "Bearer second"])

    def test_a_broken_promise_surfaces(self) -> None:
        for wrong in (
            play(events(1, 3)),
            play(opened("e", 0), events(2, 3)),
            play(opened("e", 0), events(1, 3), events(3, 4)),
            play(opened("e", 0), opened("e", 0)),
            play(opened("e", 0), events(1, 3), pb.SubscribeResponse(through_sequence=2)),
        ):
            with Server(wrong) as server, self.assertRaises(ViolationError):
                server.run()

    def test_a_mistake_in_the_options_is_named(self) -> None:
        def made(**options: Any) -> Subscriber:
            defaults: dict[str, Any] = {"start": "earliest", "on_gap": lambda gap: "stop"}
            return Subscriber(**(defaults | options))

        for options, words in (
            ({"start": "newest"}, "newest"),
            ({"start": datetime(2026, 3, 1)}, "no time zone"),
            ({"target": "localhost"}, "host:port"),
            ({"target": "unix:run/s"}, "absolute"),
            ({"target": "unix:/s", "tls": Tls()}, "leave it out"),
            ({"target": "10.0.0.1:1", "token_file": "t"}, "set tls"),
            ({"target": "10.0.0.1:1", "tls": Tls(cert_file="c")}, "belong together"),
            ({"request": pb.SubscribeRequest(last_events=3)}, "leave it out"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                made(**options)
        made(start=datetime.now(timezone.utc), target="[::1]:1", token_file="t")


if __name__ == "__main__":
    unittest.main()
