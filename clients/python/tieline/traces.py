"""A `process` span for each batch, linked to the spans that its events were created in. Nothing where
OpenTelemetry's API is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    trace = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from tieline.v1 import event_pb2

# What a span takes by default.
MOST_LINKS = 128


@contextlib.contextmanager
def processing(journal: str, events: Sequence[event_pb2.Event]) -> Iterator[None]:
    """Around the handling of a batch. One `Subscribe` spans thousands of traces, so they are linked to
    rather than continued; a batch of which nothing is traced has no span."""
    traced = [event for event in events if event.trace_parent] if trace is not None else []
    if not traced:
        yield
        return
    tracer = trace.get_tracer("tieline")
    with tracer.start_as_current_span(
        f"process {journal}",
        kind=trace.SpanKind.CONSUMER,
        links=_links(traced[:MOST_LINKS]),
        attributes={
            "messaging.system": "tieline",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": journal,
            "messaging.batch.message_count": len(events),
            "tieline.first_sequence": events[0].sequence,
            "tieline.last_sequence": events[-1].sequence,
        },
    ):
        yield


def _links(events: Sequence[event_pb2.Event]) -> list[Any]:
    context, links = TraceContextTextMapPropagator(), []
    for event in events:
        carrier = {"traceparent": event.trace_parent, "tracestate": event.trace_state}
        created = trace.get_current_span(context.extract(carrier)).get_span_context()
        if created.is_valid:
            links.append(trace.Link(created))
    return links
