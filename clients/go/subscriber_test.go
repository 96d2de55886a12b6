package tieline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	tieline "github.com/tieline/tieline/clients/go"
	"github.com/tieline/tieline/clients/go/tielinev1"
)

var draining = failure(codes.Unavailable, "SERVER_DRAINING")

// is fails the test where two values differ.
func is[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, wanted %v", what, got, wanted)
	}
}

func readThrough(t *testing.T, r *collector, last uint64) {
	t.Helper()
	for i, sequence := range r.sequences {
		is(t, "sequence", sequence, uint64(i+1))
	}
	is(t, "events", uint64(len(r.sequences)), last)
}

func after(request *tielinev1.SubscribeRequest) string {
	if request.GetAfter() == nil {
		return ""
	}
	return tieline.Position{Epoch: request.GetAfter().GetEpoch(), Sequence: request.GetAfter().GetSequence()}.String()
}

func TestResumesAfterTheLastBatch(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{
		says(draining, opened("e", 0), events(1, 3)),
		says(nil, opened("e", 3), events(4, 4)), // OK without its announcement is a cut
		stays(opened("e", 4), events(5, 6)),
	}}
	reader := &collector{enough: upTo(6)}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	readThrough(t, reader, 6)
	asked := server.asked()
	is(t, "first", asked[0].GetPreset(), tielinev1.StartPreset_START_PRESET_EARLIEST)
	is(t, "journal", asked[0].GetJournal(), tieline.DefaultJournal)
	is(t, "policy", asked[0].GetUnavailablePolicy(), tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_FAIL)
	is(t, "second", after(asked[1]), "e/3")
	is(t, "third", after(asked[2]), "e/4")
}

func TestSurvivesAServerThatDiesAndComesBack(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	first := &server{answers: answers{stays(opened("e", 0), events(1, 2))}}
	second := &server{answers: answers{stays(opened("e", 2), events(3, 4))}}
	die := first.start(t, socket)
	reader := &collector{}
	reader.enough = func(r *collector) bool {
		if len(r.sequences) == 2 && die != nil {
			die()
			die = nil
			second.start(t, socket)
		}
		return len(r.sequences) == 4
	}
	if err := reader.read(t, socket); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	readThrough(t, reader, 4)
	is(t, "resumed", after(second.asked()[0]), "e/2")
}

func TestGoesOnWithTheStoredPosition(t *testing.T) {
	t.Parallel()
	store := tieline.FileStore(filepath.Join(t.TempDir(), "position"))
	if err := store.Save(t.Context(), tieline.Position{Epoch: "e", Sequence: 41}); err != nil {
		t.Fatal(err)
	}
	server := &server{answers: answers{stays(opened("e", 41), events(42, 43))}}
	reader := &collector{options: tieline.Options{Store: store}, enough: upTo(43)}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	is(t, "asked", after(server.asked()[0]), "e/41")
	stored, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	is(t, "stored", *stored, tieline.Position{Epoch: "e", Sequence: 43})
}

func TestAPositionOfTheHandlersOwnIsTheStart(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{stays(opened("e", 41), events(42, 42))}}
	reader := &collector{enough: upTo(42)}
	reader.options.After = &tieline.Position{Epoch: "e", Sequence: 41}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	is(t, "asked", after(server.asked()[0]), "e/41")
	is(t, "batches", len(reader.batches), 1)
	is(t, "position", reader.batches[0].Position, tieline.Position{Epoch: "e", Sequence: 42})
}

func TestAStartAtLatestIsPinnedBeforeAnyEvent(t *testing.T) {
	t.Parallel()
	store := tieline.FileStore(filepath.Join(t.TempDir(), "position"))
	server := &server{answers: answers{stays(opened("e", 41))}}
	reader := &collector{options: tieline.Options{Store: store, Start: tieline.Latest}}
	reader.enough = func(*collector) bool { return true }
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	stored, err := store.Load(t.Context())
	if err != nil || stored == nil {
		t.Fatal(stored, err)
	}
	is(t, "stored", *stored, tieline.Position{Epoch: "e", Sequence: 41})
}

func TestSilenceOfTwoAndAHalfHeartbeatsIsADeadConnection(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{
		stays(opened("e", 0), events(1, 1)),
		stays(opened("e", 1), events(2, 2)),
	}}
	reader := &collector{enough: upTo(2)}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	readThrough(t, reader, 2)
	waited := server.at[1].Sub(server.at[0])
	if waited < 2500*time.Millisecond || waited > 10*time.Second {
		t.Errorf("the second attempt came after %s", waited)
	}
}

func TestTheTimeOfTheHandlerIsNotTheServersSilence(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{stays(opened("e", 0), events(1, 1), events(2, 2))}}
	reader := &collector{}
	reader.enough = func(r *collector) bool {
		if len(r.sequences) == 1 {
			<-time.After(2600 * time.Millisecond) // the handler's work
		}
		return len(r.sequences) == 2
	}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	is(t, "attempts", len(server.asked()), 1)
}

func TestRetryInfoIsHonoured(t *testing.T) {
	t.Parallel()
	delay := &errdetails.RetryInfo{RetryDelay: durationpb.New(700 * time.Millisecond)}
	server := &server{answers: answers{
		says(failure(codes.ResourceExhausted, "SUBSCRIBER_QUOTA", delay)),
		stays(opened("e", 0), events(1, 1)),
	}}
	if err := read(t, server, &collector{enough: upTo(1)}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if waited := server.at[1].Sub(server.at[0]); waited < 700*time.Millisecond {
		t.Errorf("the second attempt came after %s", waited)
	}
}

func TestALostPositionIsTheReadersDecision(t *testing.T) {
	t.Parallel()
	type choice = tieline.GapChoice
	policies := map[choice]tielinev1.UnavailablePolicy{
		tieline.ResumeAtEarliest: tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_RESUME_AT_EARLIEST,
		tieline.ResumeAtLatest:   tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_RESUME_AT_LATEST,
		tieline.Stop:             0,
	}
	reasons := map[error]codes.Code{
		tieline.ErrEpochChanged:     codes.FailedPrecondition,
		tieline.ErrPositionTrimmed:  codes.OutOfRange,
		tieline.ErrJournalCorrupted: codes.DataLoss,
	}
	for reason, code := range reasons {
		for choice, policy := range policies {
			lost := failure(code, reason.Error())
			told := gap(tielinev1.Gap_CAUSE_EPOCH_CHANGED, 8)
			server := &server{answers: answers{says(lost), stays(opened("new", 8), told, events(9, 9))}}
			reader := &collector{enough: upTo(9)}
			reader.options.After = &tieline.Position{Epoch: "old", Sequence: 5}
			reader.options.OnGap = reader.choose(choice)
			err := read(t, server, reader)
			is(t, "decisions", len(reader.gaps), 1)
			is(t, "metadata", reader.gaps[0].Metadata["earliest_sequence"], "7")
			if choice == tieline.Stop {
				var stopped *tieline.GapError
				is(t, "a gap", errors.Is(err, reason) && errors.As(err, &stopped), true)
				is(t, "attempts", len(server.asked()), 1)
				continue
			}
			is(t, "ended as asked", errors.Is(err, context.Canceled), true)
			is(t, "policy", server.asked()[1].GetUnavailablePolicy(), policy)
			is(t, "asked", after(server.asked()[1]), "old/5")
			// The gap of the stream is the first thing that the handler is told.
			is(t, "cause", reader.batches[0].Gap.GetCause(), tielinev1.Gap_CAUSE_EPOCH_CHANGED)
			is(t, "position", reader.batches[0].Position, tieline.Position{Epoch: "new", Sequence: 8})
			is(t, "event", reader.sequences[0], 9)
		}
	}
}

func TestAnExpiredTokenIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	sent := func(stream stream) string {
		headers, _ := metadata.FromIncomingContext(stream.Context())
		return strings.Join(headers.Get("authorization"), " ")
	}
	var tokens []string
	server := &server{answers: answers{
		func(_ *tielinev1.SubscribeRequest, stream stream) error {
			tokens = append(tokens, sent(stream))
			write("fresh")
			return failure(codes.Unauthenticated, "CREDENTIALS_EXPIRED")
		},
		func(request *tielinev1.SubscribeRequest, stream stream) error {
			tokens = append(tokens, sent(stream))
			return stays(opened("e", 0), events(1, 1))(request, stream)
		},
	}}
	write("stale")
	reader := &collector{options: tieline.Options{TokenFile: file}, enough: upTo(1)}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if !slices.Equal(tokens, []string{"Bearer stale", "Bearer fresh"}) {
		t.Error(tokens)
	}
}

func TestWhatRepeatingDoesNotChangeSurfaces(t *testing.T) {
	t.Parallel()
	for _, end := range []error{
		failure(codes.OutOfRange, "POSITION_NOT_WRITTEN"),
		failure(codes.InvalidArgument, "FILTER_INVALID"),
		failure(codes.NotFound, "JOURNAL_NOT_FOUND"),
		failure(codes.PermissionDenied, "JOURNAL_FORBIDDEN"),
		failure(codes.Unauthenticated, "CREDENTIALS_EXPIRED"), // and there is no file to read again
		failure(codes.Unauthenticated, "CREDENTIALS_MISSING"),
		failure(codes.Aborted, "SUBSCRIPTION_TAKEN_OVER"),
		status.Error(codes.ResourceExhausted, "a message over the client's limit"),
		status.Error(codes.Internal, "a bug"),
		status.Error(codes.Unimplemented, "another service"),
	} {
		server := &server{answers: answers{says(end)}}
		err := read(t, server, &collector{})
		var refused *tieline.RefusedError
		if !errors.As(err, &refused) {
			t.Fatalf("%v gave %v", end, err)
		}
		is(t, "code", status.Code(err), status.Code(end))
		is(t, "attempts", len(server.asked()), 1)
	}
}

func TestARequestedEndIsNil(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{
		says(nil, opened("e", 0), events(1, 2), closing(tielinev1.Closing_REASON_END_REACHED, 2)),
	}}
	reader := &collector{}
	reader.options.Customize = func(request *tielinev1.SubscribeRequest) {
		request.End = &tielinev1.SubscribeRequest_UntilCaughtUp{UntilCaughtUp: true}
	}
	if err := read(t, server, reader); err != nil {
		t.Fatal(err)
	}
	readThrough(t, reader, 2)
	is(t, "asked", server.asked()[0].GetUntilCaughtUp(), true)
}

func TestWhatTheHandlerRefusesIsNotStored(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	(&server{answers: answers{stays(opened("e", 0), events(1, 1), events(2, 2))}}).start(t, socket)
	store := tieline.FileStore(filepath.Join(t.TempDir(), "position"))
	broken := errors.New("no room")
	err := tieline.Subscribe(t.Context(), tieline.Options{
		Target: "unix:" + socket,
		Start:  tieline.Earliest,
		Store:  store,
		OnGap:  func(context.Context, *tieline.GapError) tieline.GapChoice { return tieline.Stop },
	}, func(_ context.Context, batch *tieline.Batch) error {
		if batch.Position.Sequence == 2 {
			return broken
		}
		return nil
	})
	is(t, "the handler's own", errors.Is(err, broken), true)
	stored, _ := store.Load(t.Context())
	is(t, "stored", *stored, tieline.Position{Epoch: "e", Sequence: 1})
}

func TestAFilterMovesThePositionWithoutEvents(t *testing.T) {
	t.Parallel()
	server := &server{answers: answers{
		stays(opened("e", 0), &tielinev1.SubscribeResponse{ThroughSequence: 900}),
	}}
	reader := &collector{enough: func(r *collector) bool { return r.batches[len(r.batches)-1].Position.Sequence == 900 }}
	reader.options.Filter = &tielinev1.EventFilter{Types: []string{"ccaas.agent.*"}}
	if err := read(t, server, reader); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	is(t, "filter", server.asked()[0].GetFilter().GetTypes()[0], "ccaas.agent.*")
}
