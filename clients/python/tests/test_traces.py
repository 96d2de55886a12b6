"""The span around a batch."""

from __future__ import annotations

import unittest

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from server import Server, closing, events, opened, play


class Spans(unittest.TestCase):
    def test_a_batch_is_one_span_linked_to_those_that_its_events_were_created_in(self) -> None:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        traced = events(1, 200)
        for event in traced.events[10:]:
            event.trace_parent = f"00-{event.sequence:032x}-{event.sequence:016x}-01"
        with Server(play(opened("e", 0), traced, events(201, 202), closing(202))) as server:
            server.run(journal="journals/default")
        (span,) = exporter.get_finished_spans()
        self.assertEqual(span.name, "process journals/default")
        self.assertEqual(span.kind, trace.SpanKind.CONSUMER)
        self.assertIsNone(span.parent)
        self.assertEqual([link.context.trace_id for link in span.links], list(range(11, 139)))
        self.assertEqual((span.attributes or {})["messaging.batch.message_count"], 200)


if __name__ == "__main__":
    unittest.main()
