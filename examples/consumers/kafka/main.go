// Writes every event of a journal to a Kafka topic, exactly once, in the order of its key.
//
// The position is stored in the transaction that writes the events: after a crash of anything the
// pipeline reads what was committed and goes on behind it.

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	tieline "github.com/tieline/tieline/clients/go"
)

const (
	backoffBase = 200 * time.Millisecond
	backoffCap  = 10 * time.Second
	// How often it says how far it is.
	reportInterval = 500 * time.Millisecond
	// Status when another pipeline of the name took over; restarting would only take it back.
	exitFenced = 3
)

// settings are the flags.
type settings struct {
	options tieline.Options
	brokers []string
	topics  topics
	form    dataForm
	onGap   tieline.GapChoice
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(log)
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = run(ctx, s, log)
	switch {
	case err == nil:
		log.Info("Ended")
	case errors.Is(err, errFenced):
		log.Error("Ended: restart this one only if it is to take the name back", "error", err)
		os.Exit(exitFenced)
	default:
		log.Error("Ended", "error", err)
		os.Exit(1)
	}
}

// run keeps a pipeline going. Whatever fails at Kafka, its outcome may be unknown: the next attempt
// begins by asking what was committed.
func run(ctx context.Context, s settings, log *slog.Logger) error {
	host, _ := os.Hostname()
	id := fmt.Sprintf("%s-%d-%016x", host, os.Getpid(), rand.Uint64())
	for failures, mine := 0, false; ; failures++ {
		p := &pipeline{settings: s, log: log}
		err := p.run(ctx, id, mine)
		mine = mine || p.writer != nil
		if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return nil
		}
		var kafka *kafkaError
		if fenced := errors.Is(err, errFenced); fenced && mine || !fenced && !errors.As(err, &kafka) {
			return err
		}
		if p.written > 0 {
			failures = 0
		}
		// Full jitter: pipelines that lost the same broker do not come back at once.
		ceiling := min(backoffBase<<min(failures, 6), backoffCap)
		delay := time.Duration(rand.Float64() * float64(ceiling))
		log.Warn("Kafka failed; beginning again from what is committed", "error", err, "retry_after", delay)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// pipeline is one attempt: one writer, one subscription.
type pipeline struct {
	settings
	log     *slog.Logger
	writer  *writer
	written int
	told    atomic.Pointer[progress]
}

// progress is what was committed last.
type progress struct {
	position string
	records  int
	lag      uint64
}

func (p *pipeline) run(ctx context.Context, id string, mine bool) error {
	writer, stored, err := openWriter(ctx, p.brokers, &p.topics, id, mine)
	if err != nil {
		return err
	}
	defer writer.close()
	p.writer = writer
	p.log.Info("Writing", "topic", p.topics.events, "partitions", p.topics.partitions, "after", stored)
	reporting, stop := context.WithCancel(ctx)
	defer stop()
	go p.report(reporting)
	options := p.options
	options.After = stored
	options.OnGap = func(_ context.Context, gap *tieline.GapError) tieline.GapChoice {
		p.log.Warn("Events of the journal are gone", "error", gap)
		return p.onGap
	}
	return tieline.Subscribe(ctx, options, p.handle)
}

// handle writes a batch and the position behind it in one transaction.
func (p *pipeline) handle(ctx context.Context, batch *tieline.Batch) error {
	var records []*kgo.Record
	if batch.Gap != nil {
		told, err := gapRecords(p.topics.events, p.topics.partitions, p.options.Journal, batch.Position, batch.Gap, time.Now())
		if err != nil {
			return err
		}
		records = told
	}
	for _, event := range batch.Events {
		record, err := eventRecord(p.topics.events, batch.Position.Epoch, event, p.form)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	if len(records) == 0 {
		return nil
	}
	if err := p.writer.write(ctx, records, batch.Position); err != nil {
		return err
	}
	p.written += len(records)
	p.told.Store(&progress{
		position: batch.Position.String(),
		records:  p.written,
		lag:      batch.LatestSequence - batch.Position.Sequence,
	})
	return nil
}

// report says once in a while how far it is, where that has changed.
func (p *pipeline) report(ctx context.Context) {
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	var last *progress
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if at := p.told.Load(); at != last {
			p.log.Info("Committed", "position", at.position, "records", at.records, "lag", at.lag)
			last = at
		}
	}
}

func parse(arguments []string) (settings, error) {
	flags := flag.NewFlagSet("kafka", flag.ContinueOnError)
	var s settings
	var ca, brokers, start, onGap, form string
	var replication, partitions int
	flags.StringVar(&s.options.Target, "target", tieline.DefaultTarget, "the sidecar: `unix:/path or host:port`")
	flags.StringVar(&ca, "ca", "", "`file` of the authority that the sidecar's certificate is from; TLS if it is given")
	flags.StringVar(&s.options.TokenFile, "token-file", "", "`file` of the bearer token")
	flags.StringVar(&s.options.Journal, "journal", tieline.DefaultJournal, "the `journal`")
	flags.StringVar(&start, "start", "earliest", "where to begin while no position is stored: `earliest or latest`")
	flags.StringVar(&onGap, "on-gap", "earliest", "what follows when the position is gone: `earliest, latest or stop`")
	flags.StringVar(&brokers, "brokers", "127.0.0.1:9092", "`host:port` of some brokers, separated by commas")
	flags.StringVar(&s.topics.name, "name", "default", "`name` of this pipeline: of those with one name, one writes")
	flags.StringVar(&s.topics.events, "topic", "tieline.events", "`topic` of the events")
	flags.StringVar(&s.topics.positions, "positions", "tieline.positions", "compacted `topic` of the positions")
	flags.IntVar(&partitions, "partitions", 6, "partitions of the topic of events where it is made")
	flags.IntVar(&replication, "replication", -1, "replicas of topics that are made; -1 is what the broker does")
	flags.StringVar(&form, "data", string(dataRaw), "value of a record: `raw or normalized`")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if ca != "" {
		s.options.TLS = &tieline.TLS{CAFile: ca}
	}
	s.options.ClientID = "kafka-" + s.topics.name
	s.brokers = strings.Split(brokers, ",")
	s.topics.partitions, s.topics.replication = int32(partitions), int16(replication)
	s.form = dataForm(form)
	var known bool
	starts := map[string]tieline.Start{"earliest": tieline.Earliest, "latest": tieline.Latest}
	if s.options.Start, known = starts[start]; !known {
		return s, fmt.Errorf("-start %q: it is earliest or latest", start)
	}
	choices := map[string]tieline.GapChoice{
		"earliest": tieline.ResumeAtEarliest, "latest": tieline.ResumeAtLatest, "stop": tieline.Stop,
	}
	if s.onGap, known = choices[onGap]; !known {
		return s, fmt.Errorf("-on-gap %q: it is earliest, latest or stop", onGap)
	}
	switch {
	case s.form != dataRaw && s.form != dataNormalized:
		return s, fmt.Errorf("-data %q: it is raw or normalized", form)
	case s.topics.name == "":
		return s, errors.New("-name is empty: the position is stored under it")
	case partitions < 1 || partitions > 10_000:
		return s, fmt.Errorf("-partitions %d: between 1 and 10000", partitions)
	case s.topics.events == s.topics.positions:
		return s, fmt.Errorf("-topic and -positions are both %q: they are two topics", s.topics.events)
	}
	return s, nil
}
