// What a subscription is made of: where to, what, from where, and who decides about gaps.

package tieline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tieline/tieline/clients/go/tielinev1"
)

const (
	// DefaultTarget is where the sidecar of a pod listens.
	DefaultTarget = "unix:/run/tieline/tieline.sock"
	// DefaultJournal is the only journal where none is named in the sidecar's configuration.
	DefaultJournal = "journals/default"
)

// Options say where to subscribe, to what, and from where. Start (or After) and OnGap have no default.
type Options struct {
	// Target is "unix:/path" or "host:port"; empty is DefaultTarget.
	Target string
	// TLS is nil for a plain connection, which the sidecar offers on loopback and its socket alone.
	TLS *TLS
	// TokenFile holds the bearer token. It is read again at each call, so a rotated one takes effect.
	TokenFile string
	// Journal is "journals/NAME" or NAME; empty is DefaultJournal.
	Journal string
	// Filter is nil for every event.
	Filter *tielinev1.EventFilter
	// ClientID names this reader in the sidecar's logs, metrics and console.
	ClientID string
	// Customize sets what else a request may hold: view, shard, batching, heartbeat, an end. Optional.
	Customize func(*tielinev1.SubscribeRequest)

	// Start is where to begin while nothing is stored: Earliest, Latest or FromTime.
	Start Start
	// After is the position that the handler stored with its own effect; nil the first time. For
	// handlers that store it themselves: leave Store out then.
	After *Position
	// Store keeps the position of the last batch that was handled, such as a FileStore. Optional.
	Store Store
	// OnGap decides what follows when the position cannot be served any more. A pod that moves with an
	// empty volume meets that on an ordinary day, so somebody must have decided what it means.
	OnGap OnGap

	// Logger is told of interruptions; nil is slog.Default().
	Logger *slog.Logger
	// DialOptions are added to those of the channel, such as interceptors. Optional.
	DialOptions []grpc.DialOption
}

// TLS names the files of a secured connection; they are read again at each connection.
type TLS struct {
	// CAFile holds the authorities to trust; empty is those of the system.
	CAFile string
	// CertFile and KeyFile are the client's certificate, for mTLS; both or neither.
	CertFile, KeyFile string
	// ServerName is the name in the server's certificate; empty is the host of the target.
	ServerName string
}

// Handler does the work. The position of a batch counts as done once it returns nil; an error ends the
// subscription with it, and the batch comes again with the next.
type Handler func(ctx context.Context, batch *Batch) error

// Batch is what a handler gets: events in sequence order, and the position that stands behind them.
type Batch struct {
	// Events may be empty: then only the position moved on, or one of the facts below is told.
	Events []*tielinev1.Event
	// Position is what to store with the effect of these events.
	Position Position
	// LatestSequence is the end of the journal; less Position.Sequence, it is the lag in events.
	LatestSequence uint64
	// Gap is set where a run of events will not come, and why. There are no events beside it.
	Gap *tielinev1.Gap
	// CaughtUp says that from here on events are delivered as they happen.
	CaughtUp bool
}

// GapChoice is the answer of OnGap.
type GapChoice int

const (
	// Stop ends the subscription with the *GapError.
	Stop GapChoice = iota
	// ResumeAtEarliest goes on with the earliest event there is, after a batch with the Gap.
	ResumeAtEarliest
	// ResumeAtLatest goes on with events recorded from now on, after a batch with the Gap.
	ResumeAtLatest
)

// OnGap decides what follows when a position cannot be served in full.
type OnGap func(ctx context.Context, gap *GapError) GapChoice

// Start is where to begin while there is no position.
type Start struct {
	preset tielinev1.StartPreset
	time   time.Time
}

var (
	// Earliest begins with the oldest event that is kept.
	Earliest = Start{preset: tielinev1.StartPreset_START_PRESET_EARLIEST}
	// Latest begins with the next event that is recorded.
	Latest = Start{preset: tielinev1.StartPreset_START_PRESET_LATEST}
)

// FromTime begins with the first event that was recorded at or after a time.
func FromTime(t time.Time) Start {
	return Start{time: t}
}

// template makes the request that every attempt starts from, without policy and position.
func (o *Options) template() *tielinev1.SubscribeRequest {
	request := &tielinev1.SubscribeRequest{ClientId: o.ClientID}
	if o.Filter != nil {
		request.Filter = proto.CloneOf(o.Filter)
	}
	if o.Customize != nil {
		o.Customize(request)
	}
	request.Journal = o.Journal
	if o.Start.time.IsZero() {
		request.Start = &tielinev1.SubscribeRequest_Preset{Preset: o.Start.preset}
	} else {
		request.Start = &tielinev1.SubscribeRequest_FromTime{FromTime: timestamppb.New(o.Start.time)}
	}
	return request
}

// complete fills in the defaults, and reports every mistake at once.
func (o *Options) complete() error {
	if o.Target == "" {
		o.Target = DefaultTarget
	}
	if o.Journal == "" {
		o.Journal = DefaultJournal
	}
	if !strings.HasPrefix(o.Journal, "journals/") {
		o.Journal = "journals/" + o.Journal
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	var mistakes []error
	mistake := func(format string, values ...any) {
		mistakes = append(mistakes, fmt.Errorf("tieline: "+format, values...))
	}
	if err := checkTarget(o.Target); err != nil {
		mistake("Target %q %w; write it as unix:/path or host:port", o.Target, err)
	} else if o.TokenFile != "" && o.TLS == nil && !isLocal(o.Target) {
		mistake("TokenFile %q: a token is not sent to %q in the clear; set TLS", o.TokenFile, o.Target)
	}
	if o.TLS != nil && (o.TLS.CertFile == "") != (o.TLS.KeyFile == "") {
		mistake("TLS: CertFile %q and KeyFile %q go together; set both or neither", o.TLS.CertFile, o.TLS.KeyFile)
	}
	if o.Start == (Start{}) && o.After == nil {
		mistake("Start is not set; choose Earliest, Latest or FromTime for when nothing is stored")
	}
	if o.After != nil && o.Store != nil {
		mistake("After %q and Store are both set; leave After out where the Store keeps the position", o.After)
	}
	if o.OnGap == nil {
		mistake("OnGap is not set; decide what follows when the position is gone")
	}
	return errors.Join(mistakes...)
}

// renewable says whether an expired credential is another at the next attempt.
func (o *Options) renewable() bool {
	return o.TokenFile != "" || o.TLS != nil && o.TLS.CertFile != ""
}

func checkTarget(target string) error {
	if path, ok := socketPath(target); ok {
		if !strings.HasPrefix(path, "/") {
			return errors.New("names a socket by a relative path")
		}
		return nil
	}
	if strings.Contains(target, "/") {
		return errors.New("is neither of the forms there are")
	}
	if _, port, err := net.SplitHostPort(target); err != nil || port == "" {
		return errors.New("lacks its port")
	}
	return nil
}

// socketPath returns the path of a target that is a Unix socket.
func socketPath(target string) (string, bool) {
	path, ok := strings.CutPrefix(target, "unix:")
	return strings.TrimPrefix(path, "//"), ok
}

// isLocal says whether nobody else can listen on the way to the target.
func isLocal(target string) bool {
	if _, ok := socketPath(target); ok {
		return true
	}
	host, _, _ := net.SplitHostPort(target)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
