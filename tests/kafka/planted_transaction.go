// A mistake, planted by tests/kafka/run in place of the file of the pipeline: the position is stored in a
// transaction of its own, so that a death between the two doubles the records.

package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

func (w *writer) commit(ctx context.Context, records []*kgo.Record, at *kgo.Record) error {
	for _, apart := range [][]*kgo.Record{records, {at}} {
		if err := w.client.BeginTransaction(); err != nil {
			return w.failed("begin", err)
		}
		if err := w.client.ProduceSync(ctx, apart...).FirstErr(); err != nil {
			return w.failed("write", err)
		}
		if err := w.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return w.failed("commit", err)
		}
	}
	return nil
}
