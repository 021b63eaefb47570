package elasticstore

import (
	"context"
	"encoding/json"
	"time"
)

// DeadLetter is a document that Elasticsearch refused for what it is, ready to be put again
// when the reason is gone.
type DeadLetter struct {
	Time     time.Time       `json:"time"` // of the refusal
	Status   int             `json:"status"`
	Type     string          `json:"type"`
	Reason   string          `json:"reason"`
	Index    string          `json:"index"`
	ID       string          `json:"id"`
	Document json.RawMessage `json:"document"` // what Elasticsearch was given
}

// letterbox keeps dead letters: a file (fileLetters), or the store itself (itemLetters).
type letterbox interface {
	// put returns when the letters are durable. One of the same index and id may replace another.
	put(ctx context.Context, letters []DeadLetter) error
	// retry hands over the letters, some at a time, and keeps those that again gives back. After an
	// error all are there that were not put.
	retry(ctx context.Context, again func([]DeadLetter) (refused []DeadLetter, err error)) (done, left int, err error)
	close() error
}

func letterOf(o *op, now time.Time) DeadLetter {
	return DeadLetter{Time: now.UTC(), Status: o.err.Status, Type: o.err.Type, Reason: o.err.Reason, Index: o.index, ID: o.id, Document: o.source}
}
