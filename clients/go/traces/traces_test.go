package traces_test

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/tieline/tieline/clients/go/tielinev1"
	"github.com/tieline/tieline/clients/go/traces"
)

func TestASpanLinksToTheEventsTraceAndIsNoPartOfIt(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(recorder)).Tracer("consumer")
	created := "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, parent := range []string{"00-" + created + "-00f067aa0ba902b7-01", ""} {
		event := &tielinev1.Event{Sequence: 7, TraceParent: parent}
		_, span := traces.Process(t.Context(), tracer, "journals/default", event)
		span.End()
	}
	linked, alone := recorder.Ended()[0], recorder.Ended()[1]
	if len(linked.Links()) != 1 || linked.Links()[0].SpanContext.TraceID().String() != created {
		t.Error(linked.Links())
	}
	if linked.SpanKind() != api.SpanKindConsumer || linked.Name() != "process journals/default" {
		t.Error(linked)
	}
	if linked.SpanContext().TraceID().String() == created || len(alone.Links()) != 0 {
		t.Error("continued, or linked to nothing")
	}
}
