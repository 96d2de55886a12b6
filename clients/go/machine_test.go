package tieline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tieline/tieline/clients/go/tielinev1"
)

type response = tielinev1.SubscribeResponse

func reading(t *testing.T, after uint64) *machine {
	t.Helper()
	m := newMachine(&tielinev1.SubscribeRequest{}, nil, false)
	m.request()
	accepts(t, m, openedAt("e", after))
	return m
}

func accepts(t *testing.T, m *machine, responses ...*response) {
	t.Helper()
	for _, response := range responses {
		if err := m.accept(response); err != nil {
			t.Fatal(err)
		}
	}
}

func openedAt(epoch string, after uint64) *response {
	opened := &tielinev1.Opened{Epoch: epoch, Start: &tielinev1.Position{Epoch: epoch, Sequence: after}}
	return &response{ThroughSequence: after, Notice: &tielinev1.SubscribeResponse_Opened{Opened: opened}}
}

func run(first, last uint64) *response {
	made := &response{ThroughSequence: last}
	for sequence := first; sequence <= last; sequence++ {
		made.Events = append(made.Events, &tielinev1.Event{Sequence: sequence})
	}
	return made
}

func gapThrough(last uint64) *response {
	return &response{ThroughSequence: last, Notice: &tielinev1.SubscribeResponse_Gap{Gap: &tielinev1.Gap{}}}
}

func closingIn(delay time.Duration) *response {
	closing := &tielinev1.Closing{RetryDelay: durationpb.New(delay)}
	return &response{Notice: &tielinev1.SubscribeResponse_Closing{Closing: closing}}
}

func unavailable(after time.Duration) error {
	return &RefusedError{Code: codes.Unavailable, retryAfter: &after}
}

func equal[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, wanted %v", what, got, wanted)
	}
}

func TestBrokenPromisesAreNamed(t *testing.T) {
	fresh := newMachine(&tielinev1.SubscribeRequest{}, nil, false)
	fresh.request()
	resumed := reading(t, 10)
	resumed.request()
	for wanted, got := range map[string]error{
		"the first response is not 'opened'":                 fresh.accept(run(1, 1)),
		"'opened' came a second time":                        reading(t, 10).accept(openedAt("e", 10)),
		"event 10 came after 10":                             reading(t, 10).accept(run(10, 11)),
		"events 11 to 12 are missing without a gap":          reading(t, 10).accept(run(13, 14)),
		"events 11 to 20 are missing without a gap":          reading(t, 10).accept(&response{ThroughSequence: 20}),
		"the bookmark 9 is before 10":                        reading(t, 10).accept(&response{ThroughSequence: 9}),
		"asked to continue after e/10, it starts after e/12": resumed.accept(openedAt("e", 12)),
	} {
		var violation *ViolationError
		if !errors.As(got, &violation) || violation.What != wanted {
			t.Errorf("got %v, wanted %s", got, wanted)
		}
	}
}

func TestAGapOrAFilterExplainsAHole(t *testing.T) {
	m := reading(t, 0)
	accepts(t, m, gapThrough(7), run(8, 9))
	filter := &tielinev1.SubscribeRequest{Filter: &tielinev1.EventFilter{}}
	m = newMachine(filter, nil, false)
	m.request()
	accepts(t, m, openedAt("e", 0), run(8, 9), &response{ThroughSequence: 40})
	equal(t, "position", *m.position, Position{"e", 40})
}

func TestDelaysAreJitteredCappedAndAtLeastWhatWasAsked(t *testing.T) {
	m := reading(t, 0)
	for _, wanted := range []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		equal(t, "backoff", m.ended(&brokenError{}, 0.5).delay, wanted*time.Millisecond)
	}
	accepts(t, m, run(1, 1))
	equal(t, "after progress", m.ended(&brokenError{}, 0.5).delay, 50*time.Millisecond)
	m = reading(t, 0)
	equal(t, "asked", m.ended(unavailable(1500*time.Millisecond), 0.5).delay, 1500*time.Millisecond)
	for range 9 {
		m.ended(unavailable(0), 0.5)
	}
	equal(t, "asked for 0 again", m.ended(unavailable(0), 0.5).delay, 5*time.Second)
	equal(t, "for ever", reading(t, 0).ended(unavailable(1<<62), 0.5).delay, longestWait)
	m = reading(t, 0)
	accepts(t, m, closingIn(700*time.Millisecond))
	equal(t, "closing", m.ended(&RefusedError{Code: codes.Unavailable}, 0.5).delay, 700*time.Millisecond)
}

func TestSilenceIsMeasuredInTheServersHeartbeats(t *testing.T) {
	m := newMachine(&tielinev1.SubscribeRequest{}, nil, false)
	equal(t, "before", m.silenceLimit(), 25*time.Second)
	m.request()
	named := openedAt("e", 0)
	named.GetOpened().HeartbeatInterval = durationpb.New(4 * time.Second)
	accepts(t, m, named)
	equal(t, "named", m.silenceLimit(), 10*time.Second)
	m.request()
	named.GetOpened().HeartbeatInterval = durationpb.New(0)
	accepts(t, m, named)
	equal(t, "clamped", m.silenceLimit(), 2500*time.Millisecond)
}

func TestAGapIsToldAlsoWhereTheConnectionBreaksBeforeIt(t *testing.T) {
	m := newMachine(&tielinev1.SubscribeRequest{}, &Position{"old", 5}, false)
	gap := &GapError{Reason: "EPOCH_CHANGED"}
	m.request()
	equal(t, "asks", m.ended(gap, 0.5).ask, gap)
	m.resolveGap(gap, ResumeAtEarliest, 0.5)
	for _, cut := range [][]*response{{}, {openedAt("new", 4)}, {openedAt("new", 4), closingAt(4)}} {
		request := m.request()
		equal(t, "policy", request.GetUnavailablePolicy(), resumeAtEarliest)
		equal(t, "epoch", request.GetAfter().GetEpoch(), "old")
		accepts(t, m, cut...)
		m.ended(&brokenError{}, 0.5)
	}
	m.request()
	accepts(t, m, openedAt("new", 4), gapThrough(4))
	equal(t, "position", *m.position, Position{"new", 4})
	equal(t, "policy after it", m.request().GetUnavailablePolicy(), fail)
}

func closingAt(through uint64) *response {
	made := closingIn(0)
	made.ThroughSequence = through
	return made
}

func TestAGapIsNotAskedAboutInCircles(t *testing.T) {
	m := newMachine(&tielinev1.SubscribeRequest{}, &Position{"old", 5}, false)
	gap := &GapError{Reason: "POSITION_TRIMMED"}
	m.request()
	m.ended(gap, 0.5)
	m.resolveGap(gap, ResumeAtLatest, 0.5)
	m.request()
	equal(t, "stops", m.ended(gap, 0.5).stop, error(gap))
}

func TestAStatusIsReadByCodeAndDetails(t *testing.T) {
	for message, broken := range map[string]bool{
		"stream terminated by RST_STREAM with error code: NO_ERROR":       true,
		"stream terminated by RST_STREAM with error code: PROTOCOL_ERROR": false,
		"server closed the stream without sending trailers":               true,
		"a bug": false,
	} {
		_, got := readStatus(status.Error(codes.Internal, message)).(*brokenError)
		equal(t, message, got, broken)
	}
	_, cut := readStatus(status.Error(codes.Unknown, "cut")).(*brokenError)
	equal(t, "cut off", cut, true)
}

// Against a server that keeps the contract and fails at will: no event of an epoch comes twice, none is
// left out, and a lost epoch is asked about.
func TestEveryEventOnceWhateverBreaks(t *testing.T) {
	for seed := range uint64(2000) {
		chance := rand.New(rand.NewPCG(seed, 0))
		m := newMachine(&tielinev1.SubscribeRequest{}, nil, false)
		epoch, delivered, lost := 0, uint64(0), false
		for range 40 {
			request := m.request()
			name := fmt.Sprint("e", epoch)
			if after := request.GetAfter(); after != nil && after.GetEpoch() != name &&
				request.GetUnavailablePolicy() == fail {
				gap := &GapError{Reason: "EPOCH_CHANGED"}
				equal(t, "asks", m.ended(gap, chance.Float64()).ask, gap)
				m.resolveGap(gap, ResumeAtEarliest, chance.Float64())
				continue
			} else if after != nil && after.GetEpoch() == name {
				equal(t, "resumes", after.GetSequence(), delivered)
			}
			if chance.IntN(4) > 0 {
				accepts(t, m, openedAt(name, delivered))
				if lost && chance.IntN(4) > 0 {
					accepts(t, m, gapThrough(delivered))
					lost = false
				}
				for !lost && chance.IntN(3) > 0 {
					count := chance.Uint64N(20)
					accepts(t, m, run(delivered+1, delivered+count))
					delivered += count
				}
			}
			if m.position != nil && chance.IntN(8) == 0 {
				epoch, delivered, lost = epoch+1, 0, true
			}
			next := m.ended(&brokenError{}, chance.Float64())
			if next.stop != nil || next.delay > backoffCap {
				t.Fatalf("seed %d: %+v", seed, next)
			}
		}
	}
}

func TestWhatIsReadFromFilesAgainIsWorthAnotherAttempt(t *testing.T) {
	t.Parallel()
	for _, known := range []struct {
		by        Options
		renewable bool
	}{
		{Options{}, false},
		{Options{TLS: &TLS{CAFile: "ca.pem"}}, false},
		{Options{TokenFile: "token"}, true},
		{Options{TLS: &TLS{CertFile: "cert.pem", KeyFile: "key.pem"}}, true},
	} {
		if known.by.renewable() != known.renewable {
			t.Errorf("%+v", known)
		}
	}
}
