// Package tieline reads a journal of a Tieline sidecar: a subscription that survives restarts, drains
// and broken networks by resuming after the last batch that was handled.
//
// gRPC's own retry never resumes a stream that has delivered a message, so every reader needs the loop
// that Subscribe is. Each event is handled at least once; a handler that stores [Batch.Position] in the
// transaction of its own effect handles it exactly once.
package tieline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/tieline/tieline/clients/go/tielinev1"
)

// Subscribe hands the events of a journal to handle, one batch after the other, until ctx is done, a
// requested end is reached (nil), or it cannot go on.
//
// What it ends with: the error of ctx; a [*GapError] where OnGap answered Stop; a [*RefusedError] for
// what repeating the request will not change; a [*ViolationError]; or what handle or the Store returned.
func Subscribe(ctx context.Context, options Options, handle Handler) error {
	if err := options.complete(); err != nil {
		return err
	}
	position := options.After
	if options.Store != nil {
		stored, err := options.Store.Load(ctx)
		if err != nil {
			return err
		}
		position = stored
	}
	s := &subscription{
		options: options,
		handle:  handle,
		machine: newMachine(options.template(), position, options.renewable()),
		handed:  position,
	}
	return s.run(ctx)
}

type subscription struct {
	options Options
	handle  Handler
	machine *machine
	// The position that the handler knows.
	handed *Position
	// Whether any attempt was answered: until then, an unusable file is a mistake of the options.
	proven bool
}

// run makes one attempt after the other.
func (s *subscription) run(ctx context.Context) error {
	for {
		cause, err := s.read(ctx)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next := s.machine.ended(cause, rand.Float64())
		if next.ask != nil {
			choice := s.options.OnGap(ctx, next.ask)
			next = s.machine.resolveGap(next.ask, choice, rand.Float64())
		}
		if next.finished || next.stop != nil {
			return next.stop
		}
		s.tell(ctx, cause, next.delay)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(next.delay):
		}
	}
}

// read makes one attempt and returns how it ended; err is what ends the whole subscription. A new
// connection for each: one that went silent may be dead without knowing it.
func (s *subscription) read(ctx context.Context) (cause, err error) {
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	call, connection, err := s.connect(call)
	if err != nil {
		if s.proven {
			// A certificate or token that is just being replaced.
			return &brokenError{what: err.Error()}, nil
		}
		return nil, err
	}
	defer connection.Close()

	limit := s.machine.silenceLimit()
	silence := time.AfterFunc(limit, func() { cancel(&silentError{limit: limit}) })
	defer silence.Stop()
	stream, err := tielinev1.NewEventServiceClient(connection).Subscribe(call, s.machine.request())
	if err != nil {
		return ending(call, err), nil
	}
	for {
		response, err := stream.Recv()
		// The time that the handler takes is not the server's silence.
		silence.Stop()
		if err != nil {
			return ending(call, err), nil
		}
		s.proven = true
		if err := s.machine.accept(response); err != nil {
			return nil, err
		}
		if err := s.hand(ctx, response); err != nil {
			return nil, err
		}
		limit = s.machine.silenceLimit()
		silence.Reset(limit)
	}
}

// connect returns a connection and the context of a call on it.
func (s *subscription) connect(ctx context.Context) (context.Context, *grpc.ClientConn, error) {
	if s.options.TokenFile != "" {
		token, err := readToken(s.options.TokenFile)
		if err != nil {
			return ctx, nil, err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	connection, err := dial(&s.options)
	return ctx, connection, err
}

// ending prefers why the call was cancelled to grpc-go's word for it.
func ending(call context.Context, err error) error {
	var silent *silentError
	if errors.As(context.Cause(call), &silent) {
		return silent
	}
	return readStatus(err)
}

// hand gives the handler what a response tells, then stores the position behind it. A heartbeat tells
// nothing; under a filter, it may tell that the position moved on.
func (s *subscription) hand(ctx context.Context, response *tielinev1.SubscribeResponse) error {
	position := s.machine.position
	moved := position != nil && (s.handed == nil || *s.handed != *position)
	caughtUp := response.GetCaughtUp() != nil
	if len(response.GetEvents()) == 0 && response.GetGap() == nil && !caughtUp && !moved {
		return nil
	}
	batch := &Batch{
		Events:         response.GetEvents(),
		LatestSequence: response.GetLatestSequence(),
		Gap:            response.GetGap(),
		CaughtUp:       caughtUp,
	}
	if position != nil {
		batch.Position = *position
	}
	if err := s.handle(ctx, batch); err != nil {
		return fmt.Errorf("tieline: handle what is before %s: %w", batch.Position, err)
	}
	if !moved {
		return nil
	}
	s.handed = position
	if s.options.Store == nil {
		return nil
	}
	// What was handled counts, also where ctx ended meanwhile.
	return s.options.Store.Save(context.WithoutCancel(ctx), *position)
}

// tell logs an interruption: for people, nothing is lost. Planned ends are everyday.
func (s *subscription) tell(ctx context.Context, cause error, delay time.Duration) {
	log := s.options.Logger.WarnContext
	if s.machine.attempt.closing != nil {
		log = s.options.Logger.InfoContext
	}
	log(ctx, "Subscription interrupted", "target", s.options.Target, "journal", s.options.Journal,
		"error", cause, "retry_after", delay, "failures", s.machine.failures)
}
