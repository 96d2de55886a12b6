"""An EventService in this process that does as each test says."""

from __future__ import annotations

import logging
import pathlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from tieline import Batch, FileStore, Subscriber
from tieline.v1 import event_pb2
from tieline.v1 import event_service_pb2 as pb

# What is logged is of interest where a test asks for it.
logging.getLogger("tieline").addHandler(logging.NullHandler())

Act = Callable[[pb.SubscribeRequest, Any], Iterator[pb.SubscribeResponse]]


def opened(epoch: str, after: int, heartbeat: int = 10) -> pb.SubscribeResponse:
    response = pb.SubscribeResponse(through_sequence=after)
    response.opened.epoch = epoch
    response.opened.start.epoch = epoch
    response.opened.start.sequence = after
    response.opened.heartbeat_interval.seconds = heartbeat
    return response


def events(first: int, last: int) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(
        events=[event_pb2.Event(sequence=n, id=f"id-{n}") for n in range(first, last + 1)],
        through_sequence=last,
        latest_sequence=last + 5,
    )


def closing(
    through: int, reason: pb.Closing.Reason = pb.Closing.REASON_END_REACHED
) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(through_sequence=through, closing=pb.Closing(reason=reason))


def details(
    reason: str | None, retry: float | None = None, domain: str = "tieline", **metadata: str
) -> bytes:
    """The encoded google.rpc.Status of an error."""
    status = status_pb2.Status()
    if reason:
        info = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)
        _add(status, info)
    if retry is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromMilliseconds(int(retry * 1000))
        _add(status, info)
    encoded: bytes = status.SerializeToString()
    return encoded


def _add(status: status_pb2.Status, detail: Any) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def refuse(
    code: grpc.StatusCode, reason: str | None, retry: float | None = None, **metadata: str
) -> Act:
    """An act that ends the call with an error."""

    def act(request: pb.SubscribeRequest, context: Any) -> Iterator[pb.SubscribeResponse]:
        encoded = details(reason, retry, **metadata)
        context.set_trailing_metadata((("grpc-status-details-bin", encoded),))
        context.abort(code, "why")
        yield pb.SubscribeResponse()

    return act


def play(*responses: pb.SubscribeResponse, then: Act | None = None) -> Act:
    """An act that sends these, and ends with OK or as `then` does."""

    def act(request: pb.SubscribeRequest, context: Any) -> Iterator[pb.SubscribeResponse]:
        yield from responses
        if then:
            yield from then(request, context)

    return act


def hang(request: pb.SubscribeRequest, context: Any) -> Iterator[pb.SubscribeResponse]:
    """Says nothing until the call is gone."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(30)
    yield from ()


class Server:
    """Plays one act for each Subscribe, in order."""

    def __init__(
        self, *acts: Act, unix: bool = False, tls: tuple[bytes, bytes, bytes] | None = None
    ) -> None:
        self._acts = list(acts)
        self.requests: list[pb.SubscribeRequest] = []
        self.tokens: list[str | None] = []
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.store = FileStore(self.folder / "position")
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        handler = grpc.unary_stream_rpc_method_handler(
            self._subscribe,
            request_deserializer=pb.SubscribeRequest.FromString,
            response_serializer=pb.SubscribeResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler(
            "tieline.v1.EventService", {"Subscribe": handler}
        )
        self._server.add_generic_rpc_handlers((service,))
        if tls:
            key, certificate, authority = tls
            credentials = grpc.ssl_server_credentials([(key, certificate)], authority, True)
            self.target = f"127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', credentials)}"
        elif unix:
            self.target = f"unix:{self.folder}/s"
            self._server.add_insecure_port(self.target)
        else:
            self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _subscribe(
        self, request: pb.SubscribeRequest, context: Any
    ) -> Iterator[pb.SubscribeResponse]:
        self.requests.append(request)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        act = self._acts.pop(0) if self._acts else refuse(grpc.StatusCode.ABORTED, "NO_MORE_ACTS")
        yield from act(request, context)

    def subscriber(self, **options: Any) -> Subscriber:
        """A subscriber with the store of this server; what a test does not say is that of a stop."""
        defaults: dict[str, Any] = {"start": "earliest", "on_gap": lambda gap: "stop"}
        defaults |= {"target": self.target, "store": self.store}
        return Subscriber(**(defaults | options))

    def run(self, **options: Any) -> list[Batch]:
        """What the handler of a subscriber got, which runs until the requested end."""
        batches: list[Batch] = []
        self.subscriber(**options).run(batches.append)
        return batches

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        self._folder.cleanup()


def sequences(batches: list[Batch]) -> list[int]:
    return [event.sequence for batch in batches for event in batch.events]
