"""A consumer whose handling of events is traced: one `process` span for each, joined by a link to the
span that the event was created in. Configured by the standard OTEL_ variables.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_SERVICE_NAME=consumer \\
      process.py --stubs DIR --target 127.0.0.1:7443 --events 20

DIR holds what `python -m grpc_tools.protoc` generated from `proto/`. Prints a line once it is live, and
the sequences that it got.
"""

import argparse
import sys

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROVIDER = TracerProvider()
PROVIDER.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
TRACER = PROVIDER.get_tracer("consumer")
CONTEXT = TraceContextTextMapPropagator()
DESTINATION = "journals/default"


def links(event):
    """The span that the event was created in, where that is recorded."""
    carrier = {"traceparent": event.trace_parent, "tracestate": event.trace_state}
    created = trace.get_current_span(CONTEXT.extract(carrier)).get_span_context()
    return [trace.Link(created)] if created.is_valid else []


def process(event):
    """What a consumer does with an event goes in here."""
    with TRACER.start_as_current_span(
        f"process {DESTINATION}",
        kind=trace.SpanKind.CONSUMER,
        links=links(event),
        attributes={
            "messaging.system": "tieline",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": DESTINATION,
            "messaging.message.id": event.id,
            "cloudevents.event_type": event.type,
            "tieline.sequence": event.sequence,
        },
    ):
        print(event.sequence, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stubs", required=True, help="directory of the generated code")
    parser.add_argument("--target", required=True, help="HOST:PORT")
    parser.add_argument("--events", type=int, required=True, help="how many to process")
    asked = parser.parse_args()
    sys.path.insert(0, asked.stubs)
    from tieline.v1 import event_service_pb2 as api, event_service_pb2_grpc as rpc

    options = [("grpc.enable_http_proxy", 0)]
    left = asked.events
    with grpc.insecure_channel(asked.target, options=options) as channel:
        request = api.SubscribeRequest(preset=api.START_PRESET_LATEST)
        for response in rpc.EventServiceStub(channel).Subscribe(request, timeout=60):
            if response.HasField("caught_up"):
                print("live", flush=True)
            for event in response.events[:left]:
                process(event)
            left -= len(response.events)
            if left <= 0:
                break
    PROVIDER.shutdown()


if __name__ == "__main__":
    main()
