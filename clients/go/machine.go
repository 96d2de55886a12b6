// The decisions of the client loop. Time passes elsewhere, and chance comes in as a number.

package tieline

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tieline/tieline/clients/go/tielinev1"
)

const (
	// The server's default, until Opened names the real one.
	defaultHeartbeat = 10 * time.Second
	// Heartbeats are between these, so a wrong value neither kills nor hangs the stream.
	shortestHeartbeat = time.Second
	longestHeartbeat  = 60 * time.Second
	backoffBase       = 100 * time.Millisecond
	backoffCap        = 10 * time.Second
	// No server makes a reader wait for longer than this.
	longestWait = 2 * time.Minute
)

const (
	fail             = tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_FAIL
	resumeAtEarliest = tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_RESUME_AT_EARLIEST
	resumeAtLatest   = tielinev1.UnavailablePolicy_UNAVAILABLE_POLICY_RESUME_AT_LATEST
)

// machine knows what to ask for, what to accept, and what follows the end of an attempt.
type machine struct {
	template *tielinev1.SubscribeRequest
	// What lies behind the reader; nil before the first response.
	position *Position
	// Set by a gap choice, until a response between Opened and Closing came under it.
	policy tielinev1.UnavailablePolicy
	// Whether an expired credential can be replaced: it is in files that are read again.
	renews    bool
	attempt   attempt
	heartbeat time.Duration
	failures  int
}

// attempt is what is known of the present one.
type attempt struct {
	opened bool
	// What its responses reached. The reader's position follows it, except that a chosen skip counts
	// only once the gap was told: were it lost on the way, it would never be.
	reached Position
	closing *tielinev1.Closing
}

// decision is what follows the end of an attempt: with nothing set, another after the delay.
type decision struct {
	delay    time.Duration
	ask      *GapError
	finished bool
	stop     error
}

func newMachine(template *tielinev1.SubscribeRequest, position *Position, renews bool) *machine {
	wanted := defaultHeartbeat
	if interval := template.GetHeartbeatInterval(); interval != nil {
		wanted = interval.AsDuration()
	}
	return &machine{
		template: template, position: position, policy: fail, renews: renews, heartbeat: clamp(wanted),
	}
}

// silenceLimit is how long silence may last before the connection counts as dead.
func (m *machine) silenceLimit() time.Duration {
	return m.heartbeat * 5 / 2
}

// request begins an attempt.
func (m *machine) request() *tielinev1.SubscribeRequest {
	m.attempt = attempt{}
	request := proto.CloneOf(m.template)
	if m.position != nil {
		after := &tielinev1.Position{Epoch: m.position.Epoch, Sequence: m.position.Sequence}
		request.Start = &tielinev1.SubscribeRequest_After{After: after}
	}
	request.UnavailablePolicy = m.policy
	return request
}

// accept takes a response in, before it is handed to the reader; what breaks the contract is not.
func (m *machine) accept(response *tielinev1.SubscribeResponse) error {
	opened := response.GetOpened()
	switch {
	case opened != nil:
		if err := m.open(opened); err != nil {
			return err
		}
	case !m.attempt.opened:
		return &ViolationError{"the first response is not 'opened'"}
	case response.GetClosing() != nil:
		m.attempt.closing = response.GetClosing()
	}
	if err := m.advance(response); err != nil {
		return err
	}
	frame := opened != nil || response.GetClosing() != nil
	if m.policy != fail && frame && len(response.GetEvents()) == 0 {
		return nil
	}
	reached := m.attempt.reached
	m.position, m.policy = &reached, fail
	if !frame {
		m.failures = 0
	}
	return nil
}

func (m *machine) open(opened *tielinev1.Opened) error {
	if m.attempt.opened {
		return &ViolationError{"'opened' came a second time"}
	}
	start := Position{Epoch: opened.GetEpoch(), Sequence: opened.GetStart().GetSequence()}
	if asked := m.position; asked != nil {
		moved := m.policy == fail && start != *asked
		// A resume that skips may still not go back.
		back := start.Epoch == asked.Epoch && start.Sequence < asked.Sequence
		if moved || back {
			return violation("asked to continue after %s, it starts after %s", asked, start)
		}
	}
	if interval := opened.GetHeartbeatInterval(); interval != nil {
		m.heartbeat = clamp(interval.AsDuration())
	}
	m.attempt.opened, m.attempt.reached = true, start
	return nil
}

// advance checks order, contiguity and bookmark.
func (m *machine) advance(response *tielinev1.SubscribeResponse) error {
	whole := m.template.GetFilter() == nil && m.template.GetShard() == nil
	behind := m.attempt.reached.Sequence
	for _, event := range response.GetEvents() {
		sequence := event.GetSequence()
		if sequence <= behind {
			return violation("event %d came after %d", sequence, behind)
		}
		if whole && sequence != behind+1 {
			return violation("events %d to %d are missing without a gap", behind+1, sequence-1)
		}
		behind = sequence
	}
	through := response.GetThroughSequence()
	// A bookmark before the start is true of the first response, and moves nothing back.
	first := response.GetOpened() != nil
	if first {
		through = max(through, behind)
	}
	if through < behind {
		return violation("the bookmark %d is before %d", through, behind)
	}
	if whole && through > behind && !first && response.GetGap() == nil {
		return violation("events %d to %d are missing without a gap", behind+1, through)
	}
	m.attempt.reached.Sequence = through
	return nil
}

// ended decides what follows the end of an attempt; chance is a random number in [0, 1).
func (m *machine) ended(cause error, chance float64) decision {
	asked := m.closingDelay()
	switch cause := cause.(type) {
	case *GapError:
		// Where the server refuses what was chosen, asking again would go round in circles.
		if m.policy != fail {
			return decision{stop: cause}
		}
		return decision{ask: cause}
	case *RefusedError:
		if !m.isRetried(cause) {
			return decision{stop: cause}
		}
		if cause.retryAfter != nil {
			asked = cause.retryAfter
		}
	}
	if cause == errEnded && m.endWasAnnounced() {
		return decision{finished: true}
	}
	return decision{delay: m.delay(asked, chance)}
}

// resolveGap continues as the reader chose.
func (m *machine) resolveGap(gap *GapError, choice GapChoice, chance float64) decision {
	switch choice {
	case ResumeAtEarliest:
		m.policy = resumeAtEarliest
	case ResumeAtLatest:
		m.policy = resumeAtLatest
	default:
		return decision{stop: gap}
	}
	// Jittered like any retry: after a restore every reader finds its epoch gone at once.
	return decision{delay: m.delay(nil, chance)}
}

// isRetried: UNAVAILABLE always; RESOURCE_EXHAUSTED only when it is Tieline's, because a message above
// the client's own limit is the same tomorrow; an expired credential where it can be read again.
func (m *machine) isRetried(refused *RefusedError) bool {
	switch refused.Code {
	case codes.Unavailable:
		return true
	case codes.ResourceExhausted:
		return refused.Reason != ""
	case codes.Unauthenticated:
		return m.renews && refused.Reason == "CREDENTIALS_EXPIRED"
	}
	return false
}

// endWasAnnounced: OK without that is a stream that something between cut off cleanly.
func (m *machine) endWasAnnounced() bool {
	return m.attempt.closing.GetReason() == tielinev1.Closing_REASON_END_REACHED
}

func (m *machine) closingDelay() *time.Duration {
	delay := m.attempt.closing.GetRetryDelay()
	if delay == nil || !isDuration(delay) {
		return nil
	}
	after := delay.AsDuration()
	return &after
}

// delay is at least what the server asked for; asked for again and again, that is not enough alone.
func (m *machine) delay(asked *time.Duration, chance float64) time.Duration {
	ceiling := min(backoffBase<<min(m.failures, 10), backoffCap)
	backoff := time.Duration(chance * float64(ceiling))
	m.failures++
	switch {
	case asked == nil:
		return backoff
	case m.failures == 1:
		return min(*asked, longestWait)
	}
	return max(min(*asked, longestWait), backoff)
}

func isDuration(delay *durationpb.Duration) bool {
	return delay.CheckValid() == nil && delay.AsDuration() >= 0
}

func clamp(heartbeat time.Duration) time.Duration {
	return min(max(heartbeat, shortestHeartbeat), longestHeartbeat)
}

func violation(format string, values ...any) error {
	return &ViolationError{What: fmt.Sprintf(format, values...)}
}
