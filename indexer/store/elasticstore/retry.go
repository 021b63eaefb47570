package elasticstore

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"lastnight"
)

// retryBatch is how many dead letters are put at once.
const retryBatch = 500

// RetryDeadLetters puts the documents among the dead letters again and keeps those that are
// refused still, with the new reasons. A document that is there by now is newer and stays.
// It tells how many were put and how many are left. After an error nothing is lost: retry again.
func (s *Store) RetryDeadLetters(ctx context.Context) (done, left int, err error) {
	done, left, err = s.letters.retry(ctx, func(letters []DeadLetter) ([]DeadLetter, error) { return s.putAgain(ctx, letters) })
	if err != nil {
		return done, left, fmt.Errorf("retry dead letters: %w", err)
	}
	return done, left, nil
}

// putAgain gives those that are refused still.
func (s *Store) putAgain(ctx context.Context, letters []DeadLetter) (refused []DeadLetter, err error) {
	ops := make([]*op, len(letters))
	for i := range letters {
		l := &letters[i]
		kind, _, day, ok := s.partsOfName(l.Index)
		if !ok || kind != kindDocuments {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "mend or remove it", "the dead letter %q is of another store: index %.80q", l.ID, l.Index)
		}
		source, err := modern(kind, l.Document) // it may be of an older format
		if err != nil {
			return nil, fmt.Errorf("dead letter %q: %w", l.ID, err)
		}
		ops[i] = &op{action: "create", index: s.index(kind) + "-" + day, id: l.ID, source: source}
	}
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
			refused = append(refused, letterOf(o, time.Now()))
		}
	}
	return refused, nil
}
