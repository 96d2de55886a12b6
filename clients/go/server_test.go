// A real grpc-go server that does as a test says, attempt by attempt.

package tieline_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	tieline "github.com/tieline/tieline/clients/go"
	"github.com/tieline/tieline/clients/go/tielinev1"
)

// stream is one attempt, as the server sees it.
type stream = grpc.ServerStreamingServer[tielinev1.SubscribeResponse]

// server answers the attempts in turn, one function each; the last one answers all that follow.
type server struct {
	tielinev1.UnimplementedEventServiceServer
	answers []func(request *tielinev1.SubscribeRequest, stream stream) error

	mutex    sync.Mutex
	requests []*tielinev1.SubscribeRequest
	at       []time.Time
}

func (s *server) Subscribe(request *tielinev1.SubscribeRequest, stream stream) error {
	s.mutex.Lock()
	answer := s.answers[min(len(s.requests), len(s.answers)-1)]
	s.requests = append(s.requests, request)
	s.at = append(s.at, time.Now())
	s.mutex.Unlock()
	return answer(request, stream)
}

// asked returns the requests so far.
func (s *server) asked() []*tielinev1.SubscribeRequest {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.requests)
}

// start serves on a Unix socket until the test ends, or until what it returns is called.
func (s *server) start(t *testing.T, socket string, options ...grpc.ServerOption) (stop func()) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	tielinev1.RegisterEventServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	stop = func() { server.Stop(); <-done }
	t.Cleanup(stop)
	return stop
}

// collector gathers what a subscription hands on, and ends it once it has read enough.
type collector struct {
	options tieline.Options
	enough  func(r *collector) bool

	sequences []uint64
	batches   []*tieline.Batch
	gaps      []*tieline.GapError
}

// read subscribes with a deadline, at a server that does as told.
func read(t *testing.T, server *server, reader *collector) error {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	server.start(t, socket)
	return reader.read(t, socket)
}

func (r *collector) read(t *testing.T, socket string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r.options.Target = "unix:" + socket
	if r.options.Start == (tieline.Start{}) && r.options.After == nil {
		r.options.Start = tieline.Earliest
	}
	if r.options.OnGap == nil {
		r.options.OnGap = r.choose(tieline.Stop)
	}
	return tieline.Subscribe(ctx, r.options, func(_ context.Context, batch *tieline.Batch) error {
		r.batches = append(r.batches, batch)
		for _, event := range batch.Events {
			r.sequences = append(r.sequences, event.GetSequence())
		}
		if r.enough != nil && r.enough(r) {
			cancel()
		}
		return nil
	})
}

func (r *collector) choose(choice tieline.GapChoice) tieline.OnGap {
	return func(_ context.Context, gap *tieline.GapError) tieline.GapChoice {
		r.gaps = append(r.gaps, gap)
		return choice
	}
}

// upTo ends a subscription that has read so far.
func upTo(sequence uint64) func(*collector) bool {
	return func(r *collector) bool { return slices.Contains(r.sequences, sequence) }
}

func opened(epoch string, after uint64) *tielinev1.SubscribeResponse {
	return &tielinev1.SubscribeResponse{
		ThroughSequence: after,
		Notice: &tielinev1.SubscribeResponse_Opened{Opened: &tielinev1.Opened{
			Epoch:             epoch,
			Start:             &tielinev1.Position{Epoch: epoch, Sequence: after},
			HeartbeatInterval: durationpb.New(time.Second),
		}},
	}
}

func events(first, last uint64) *tielinev1.SubscribeResponse {
	response := &tielinev1.SubscribeResponse{ThroughSequence: last, LatestSequence: last}
	for sequence := first; sequence <= last; sequence++ {
		response.Events = append(response.Events, &tielinev1.Event{Sequence: sequence})
	}
	return response
}

func gap(cause tielinev1.Gap_Cause, through uint64) *tielinev1.SubscribeResponse {
	return &tielinev1.SubscribeResponse{
		ThroughSequence: through,
		Notice:          &tielinev1.SubscribeResponse_Gap{Gap: &tielinev1.Gap{Cause: cause}},
	}
}

func closing(reason tielinev1.Closing_Reason, through uint64) *tielinev1.SubscribeResponse {
	return &tielinev1.SubscribeResponse{
		ThroughSequence: through,
		Notice:          &tielinev1.SubscribeResponse_Closing{Closing: &tielinev1.Closing{Reason: reason}},
	}
}

// failure is an error as the sidecar sends it.
func failure(code codes.Code, reason string, details ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{
		Domain: "tieline", Reason: reason, Metadata: map[string]string{"earliest_sequence": "7"},
	}
	made, err := status.New(code, "why").WithDetails(append(details, info)...)
	if err != nil {
		return err
	}
	return made.Err()
}

// says answers with these responses, and then so.
func says(end error, responses ...*tielinev1.SubscribeResponse) func(*tielinev1.SubscribeRequest, stream) error {
	return func(_ *tielinev1.SubscribeRequest, stream stream) error {
		for _, response := range responses {
			if err := stream.Send(response); err != nil {
				return err
			}
		}
		return end
	}
}

// stays answers with these responses and then falls silent.
func stays(responses ...*tielinev1.SubscribeResponse) func(*tielinev1.SubscribeRequest, stream) error {
	return func(request *tielinev1.SubscribeRequest, stream stream) error {
		if err := says(nil, responses...)(request, stream); err != nil {
			return err
		}
		<-stream.Context().Done()
		return nil
	}
}

type answers = []func(*tielinev1.SubscribeRequest, stream) error
