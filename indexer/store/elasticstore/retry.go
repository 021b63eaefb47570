package elasticstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"lastnight"
)

// retryBatch is how many dead letters are put at once.
const retryBatch = 500

// RetryDeadLetters puts the documents of the dead-letter file again and keeps in it those
// that are refused still, with the new reasons. A document that is there by now is newer and
// stays. It tells how many were put and how many are left. Index waits meanwhile, if it has
// something to bury. After an error the file is as it was: put all again.
func (s *Store) RetryDeadLetters(ctx context.Context) (done, left int, err error) {
	if s.dead == nil {
		return 0, 0, nil
	}
	s.dead.mu.Lock()
	defer s.dead.mu.Unlock()
	name := s.dead.file.Name()
	in, err := os.Open(name)
	if err != nil {
		return 0, 0, fmt.Errorf("read dead-letter file: %w", err)
	}
	defer func() { _ = in.Close() }()
	next := &deadLetters{}
	if next.file, err = os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return 0, 0, fmt.Errorf("write dead-letter file: %w", err)
	}
	done, left, err = s.retry(ctx, bufio.NewReaderSize(in, 1<<20), next)
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		return done, left, errors.Join(fmt.Errorf("retry dead letters: %w", err), next.file.Close(), os.Remove(name+".tmp"))
	}
	old := s.dead.file
	s.dead.file, s.dead.size = next.file, next.size
	return done, left, old.Close()
}

// retry puts what in holds and appends to next what is refused.
func (s *Store) retry(ctx context.Context, in *bufio.Reader, next *deadLetters) (done, left int, err error) {
	for end := false; !end; {
		var ops []*op
		for len(ops) < retryBatch && !end {
			line, err := in.ReadBytes('\n') // the file is bounded, and so is a line
			if end = errors.Is(err, io.EOF); err != nil && !end {
				return done, left, err
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			var l DeadLetter
			if err := json.Unmarshal(line, &l); err != nil || !strings.HasPrefix(l.Index, s.index(kindDocuments)+"-") {
				return done, left, lastnight.Errorf(lastnight.CodeInvalid, "mend or remove the line", "a line of %s is no dead letter of this store: %.80q", next.file.Name(), line)
			}
			ops = append(ops, &op{action: "create", index: l.Index, id: l.ID, source: l.Document})
		}
		refused, err := s.putAgain(ctx, ops)
		if err != nil {
			return done, left, err
		}
		if len(refused) > 0 {
			if err := next.append(refused, time.Now()); err != nil {
				return done, left, err
			}
		}
		done, left = done+len(ops)-len(refused), left+len(refused)
	}
	return done, left, nil
}

// putAgain gives those that are refused still.
func (s *Store) putAgain(ctx context.Context, ops []*op) (refused []*op, err error) {
	for _, name := range indicesOf(ops) {
		if err := s.ensure(ctx, name); err != nil {
			return nil, err
		}
	}
	if err := s.bulk(ctx, ops); err != nil {
		return nil, err
	}
	for _, o := range ops {
		if o.err != nil && o.err.Status != http.StatusConflict {
			refused = append(refused, o)
		}
	}
	return refused, nil
}
