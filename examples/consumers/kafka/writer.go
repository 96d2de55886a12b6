// The right to write under a name, and what is known when a write fails.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	tieline "github.com/tieline/tieline/clients/go"
)

const (
	// A broker ends a transaction that is left open for longer: a pipeline that died holds readers up
	// for so long at most, or until its successor comes.
	transactionTimeout = 30 * time.Second
	// How long a batch may take, a restart of the broker included. Below the timeout: a transaction
	// that was ended for us is never mistaken for one of ours.
	batchTimeout = 25 * time.Second
	// Events have at most 3 MiB.
	largestRecord = 4 << 20
)

// errFenced: a newer pipeline of the same name has taken over.
var errFenced = errors.New("another pipeline of this name has taken over")

// kafkaError is what another attempt may mend; its outcome may be unknown.
type kafkaError struct {
	doing string
	cause error
}

func (e *kafkaError) Error() string { return e.doing + ": " + e.cause.Error() }
func (e *kafkaError) Unwrap() error { return e.cause }

// writer holds the right to write under a name, until somebody else takes it.
type writer struct {
	client *kgo.Client
	topics *topics
}

// openWriter takes the name over: whoever wrote under it before is fenced off, and what they left
// open is ended, before the position is read. Under its new epoch it then says who writes. `mine` is
// that this process wrote under the name before: then it gives way to whoever has taken over since.
func openWriter(ctx context.Context, brokers []string, of *topics, id string, mine bool) (*writer, *tieline.Position, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ClientID("tieline-kafka"),
		kgo.TransactionalID("tieline-"+of.name),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordDeliveryTimeout(batchTimeout),
		kgo.RetryTimeout(batchTimeout),
		kgo.ProducerBatchMaxBytes(largestRecord),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("kafka: %w", err)
	}
	w := &writer{client: client, topics: of}
	stored, err := w.takeOver(ctx, brokers, id, mine)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return w, stored, nil
}

func (w *writer) takeOver(ctx context.Context, brokers []string, id string, mine bool) (*tieline.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	if err := w.topics.ensure(ctx, w.client); err != nil {
		return nil, err
	}
	if mine {
		// Not every error of a fenced producer says that it is fenced.
		if _, by, err := w.topics.committed(ctx, brokers); err != nil || by != id {
			if err == nil {
				err = fmt.Errorf("%w (%s)", errFenced, by)
			}
			return nil, err
		}
	}
	if _, _, err := w.client.ProducerID(ctx); err != nil {
		return nil, &kafkaError{"take over transactional id tieline-" + w.topics.name, err}
	}
	stored, _, err := w.topics.committed(ctx, brokers)
	if err != nil {
		return nil, err
	}
	said := &kgo.Record{Topic: w.topics.positions, Key: []byte(w.topics.writerKey()), Value: []byte(id)}
	if err := w.commit(ctx, nil, said); err != nil {
		// Nothing was written yet under this name: who fences whom is still open, so it is tried again.
		return nil, &kafkaError{"take over", err}
	}
	return stored, nil
}

// write commits records and position. After an error the outcome may be unknown: close this writer
// and open another, which finds out by reading the position.
func (w *writer) write(ctx context.Context, records []*kgo.Record, behind tieline.Position) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	return w.commit(ctx, records, &kgo.Record{
		Topic: w.topics.positions,
		Key:   []byte(w.topics.name),
		Value: []byte(behind.String()),
	})
}

func (w *writer) failed(what string, err error) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		return fmt.Errorf("%s a transaction: %w (%w)", what, errFenced, err)
	case errors.Is(err, kerr.MessageTooLarge):
		return fmt.Errorf("%s a transaction: %w: raise max.message.bytes of topic %s to %d",
			what, err, w.topics.events, largestRecord)
	}
	return &kafkaError{what + " a transaction", err}
}

// close leaves an open transaction to the successor, or to its timeout.
func (w *writer) close() {
	w.client.Close()
}

// partitioner places records by their key, as every Kafka client does; records without one stay where
// they were put.
type partitioner struct{ byKey kgo.Partitioner }

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

func (topicPartitioner) RequiresConsistency(*kgo.Record) bool { return true }

func (p topicPartitioner) Partition(record *kgo.Record, count int) int {
	if record.Key == nil {
		return int(record.Partition)
	}
	return p.byKey.Partition(record, count)
}
