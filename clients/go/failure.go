// How an attempt ended, as values: read once from a status, by its code and details.

package tieline

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// domain is that of every error that is Tieline's own.
const domain = "tieline"

// Why a position cannot be served, for errors.Is with a *GapError.
var (
	// ErrPositionTrimmed: retention was faster than the reader.
	ErrPositionTrimmed = errors.New("POSITION_TRIMMED")
	// ErrEpochChanged: the journal is another incarnation, such as on an empty volume.
	ErrEpochChanged = errors.New("EPOCH_CHANGED")
	// ErrJournalCorrupted: events failed their checksum.
	ErrJournalCorrupted = errors.New("JOURNAL_CORRUPTED")
)

var gapReasons = map[string]error{
	ErrPositionTrimmed.Error():  ErrPositionTrimmed,
	ErrEpochChanged.Error():     ErrEpochChanged,
	ErrJournalCorrupted.Error(): ErrJournalCorrupted,
}

// GapError says that a position cannot be served in full: events are gone. It is handed to OnGap, and
// ends the subscription where that answers Stop.
type GapError struct {
	// Reason is POSITION_TRIMMED, EPOCH_CHANGED or JOURNAL_CORRUPTED.
	Reason string
	// Message is for people.
	Message string
	// Metadata has the numbers: requested_sequence, earliest_sequence, latest_sequence and the like.
	Metadata map[string]string
}

func (e *GapError) Error() string { return "tieline: " + e.Reason + ": " + e.Message }

// Is makes errors.Is(err, ErrEpochChanged) and the like work.
func (e *GapError) Is(target error) bool { return gapReasons[e.Reason] == target }

// RefusedError is a status that repeating the request will not change.
type RefusedError struct {
	Code codes.Code
	// Reason is that of Tieline's ErrorInfo; empty where the error is another's.
	Reason string
	// Message is for people.
	Message string
	// Metadata has every variable of the message.
	Metadata map[string]string

	retryAfter *time.Duration
}

func (e *RefusedError) Error() string {
	if e.Reason != "" {
		return "tieline: " + e.Reason + ": " + e.Message
	}
	return fmt.Sprintf("tieline: %s: %s", e.Code, e.Message)
}

// GRPCStatus makes status.Code work on it.
func (e *RefusedError) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// ViolationError says that the server broke the contract: a bug, or something else that answers there.
type ViolationError struct{ What string }

func (e *ViolationError) Error() string { return "tieline: the server broke the contract: " + e.What }

// brokenError is a connection that is or was not there: refused, reset, cut off before a status.
type brokenError struct{ what string }

func (e *brokenError) Error() string { return "no connection: " + e.what }

// silentError is a connection on which nothing came for longer than heartbeats allow.
type silentError struct{ limit time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("silent for %s", e.limit) }

// errEnded is a stream that ended with OK.
var errEnded = errors.New("the stream ended before its end was reached")

// readStatus tells whose word an error of a stream is, and what it says.
func readStatus(err error) error {
	if errors.Is(err, io.EOF) {
		return errEnded
	}
	got := status.Convert(err)
	refused := &RefusedError{Code: got.Code(), Message: got.Message()}
	for _, detail := range got.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				refused.Reason, refused.Metadata = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.RetryInfo:
			if delay := detail.GetRetryDelay(); isDuration(delay) {
				after := delay.AsDuration()
				refused.retryAfter = &after
			}
		}
	}
	switch {
	case refused.Reason == "" && isBroken(got):
		return &brokenError{what: got.Message()}
	case gapReasons[refused.Reason] != nil:
		return &GapError{Reason: refused.Reason, Message: refused.Message, Metadata: refused.Metadata}
	}
	return refused
}

// isBroken tells a stream that was cut off from one that was answered. A server of ours always says
// why, so a status without that is grpc-go's own word, or a proxy's. INTERNAL is a bug and no sign of a
// broken connection, except that grpc-go calls a stream so that ended without a status; a reset for a
// broken protocol would come again and again.
func isBroken(got *status.Status) bool {
	switch got.Code() {
	case codes.Unknown, codes.Canceled:
		return true
	case codes.Internal:
		text := got.Message()
		cut := strings.Contains(text, "RST_STREAM") || strings.Contains(text, "without sending trailers")
		return cut && !strings.Contains(text, "PROTOCOL_ERROR")
	}
	return false
}
