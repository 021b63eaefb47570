package elasticstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"lastnight"
)

// maxDeadBytes bounds the dead-letter file: when it is full, Index fails instead.
const maxDeadBytes = 256 << 20

// DeadLetter is a line of the dead-letter file: a document that Elasticsearch refused for
// what it is, ready to be put again when the reason is gone.
type DeadLetter struct {
	Time     time.Time       `json:"time"` // of the refusal
	Status   int             `json:"status"`
	Type     string          `json:"type"`
	Reason   string          `json:"reason"`
	Index    string          `json:"index"`
	ID       string          `json:"id"`
	Document json.RawMessage `json:"document"` // what Elasticsearch was given
}

// deadLetters appends to the file. A nil one has none.
type deadLetters struct {
	mu   sync.Mutex
	file *os.File
	size int64
}

func openDeadLetters(name string) (*deadLetters, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open dead-letter file: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open dead-letter file: %w", err), f.Close())
	}
	return &deadLetters{file: f, size: st.Size()}, nil
}

// append returns when the refused operations are durable.
func (l *deadLetters) append(ops []*op, now time.Time) error {
	var b []byte
	for _, o := range ops {
		line, err := json.Marshal(DeadLetter{Time: now.UTC(), Status: o.err.Status, Type: o.err.Type, Reason: o.err.Reason, Index: o.index, ID: o.id, Document: o.source})
		if err != nil {
			return fmt.Errorf("encode dead letter %q: %w", o.id, err)
		}
		b = append(append(b, line...), '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(b)) > maxDeadBytes {
		return lastnight.Errorf(lastnight.CodeUnavailable, "look at the reasons in it, then put them again or remove it", "the dead-letter file %s is full", l.file.Name())
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	if err := errors.Join(err, l.file.Sync()); err != nil {
		return fmt.Errorf("write dead-letter file: %w", err)
	}
	return nil
}

func (l *deadLetters) close() error {
	if l == nil {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close dead-letter file: %w", err)
	}
	return nil
}
