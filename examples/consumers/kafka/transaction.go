// The transaction: the records of a batch and the position behind them become visible together, or
// neither does.

package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

func (w *writer) commit(ctx context.Context, records []*kgo.Record, at *kgo.Record) error {
	if err := w.client.BeginTransaction(); err != nil {
		return w.failed("begin", err)
	}
	if err := w.client.ProduceSync(ctx, append(records, at)...).FirstErr(); err != nil {
		return w.failed("write", err)
	}
	if err := w.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return w.failed("commit", err)
	}
	return nil
}
