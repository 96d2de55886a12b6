// Package traces joins what a consumer does with an event to the trace in which it was created.
package traces

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tieline/tieline/clients/go/tielinev1"
)

// Process begins a span "process journals/NAME" for an event. It links to the event's trace and does
// not continue it, because one subscription spans thousands of traces. End the span when the event is
// done with.
func Process(
	ctx context.Context, tracer trace.Tracer, journal string, event *tielinev1.Event,
) (context.Context, trace.Span) {
	return tracer.Start(ctx, "process "+journal,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(links(event)...),
		trace.WithAttributes(
			attribute.String("messaging.system", "tieline"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", journal),
			attribute.String("messaging.message.id", event.GetId()),
			attribute.String("cloudevents.event_type", event.GetType()),
			attribute.Int64("tieline.sequence", int64(event.GetSequence())),
		))
}

// links names the span that the event was created in, where that is recorded.
func links(event *tielinev1.Event) []trace.Link {
	carrier := propagation.MapCarrier{
		"traceparent": event.GetTraceParent(), "tracestate": event.GetTraceState(),
	}
	remote := propagation.TraceContext{}.Extract(context.Background(), carrier)
	created := trace.SpanContextFromContext(remote)
	if !created.IsValid() {
		return nil
	}
	return []trace.Link{{SpanContext: created}}
}
