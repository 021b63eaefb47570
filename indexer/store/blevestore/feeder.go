package blevestore

import (
	"context"
	"encoding/binary"
	"fmt"

	index "github.com/blevesearch/bleve_index_api"

	"lastnight"
)

// feeder collects documents into batches for an index.
type feeder struct {
	idx   index.Index
	batch *index.Batch
	bytes int
}

func (f *feeder) add(ctx context.Context, doc *lastnight.Document) error {
	f.batch.Update(indexed(doc))
	if f.bytes += len(doc.Text); len(f.batch.IndexOps) < batchDocuments && f.bytes < batchBytes {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.flush()
}

func (f *feeder) finish(generation uint64) error {
	f.batch.SetInternal(generationInIndex, binary.BigEndian.AppendUint64(nil, generation))
	return f.flush()
}

func (f *feeder) flush() error {
	if err := f.idx.Batch(f.batch); err != nil {
		return fmt.Errorf("write search index: %w", err)
	}
	f.batch, f.bytes = index.NewBatch(), 0
	return nil
}
