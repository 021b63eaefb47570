package elasticstore

import (
	"context"
	"encoding/json"
	"fmt"

	"lastnight"
	"lastnight/indexer/store"
)

const (
	// letterBucket is the bucket of items with dead letters, by a hash of index and id.
	letterBucket = "dead-letters"
	// maxLetters bounds them: when there are so many, Index fails instead.
	maxLetters = 10_000
)

// itemLetters keeps dead letters among the store's own items, where servers have no disk of
// their own. Nothing in an item can be refused for what it is. A letter replaces the one
// of the same document.
type itemLetters struct{ s *Store }

var _ letterbox = itemLetters{}

func (l itemLetters) put(ctx context.Context, letters []DeadLetter) error {
	n, err := l.s.countFound(ctx, l.s.items(), isTerm("bucket", bucketTerm(letterBucket)))
	if err != nil {
		return fmt.Errorf("count dead letters: %w", err)
	}
	if n+len(letters) > maxLetters {
		return lastnight.Errorf(lastnight.CodeUnavailable, "see why, then lastnight dead-letters", "Elasticsearch refused %d documents, %d more than are kept aside", n+len(letters), n+len(letters)-maxLetters)
	}
	return l.keep(ctx, letters)
}

// keep is put for letters that replace others.
func (l itemLetters) keep(ctx context.Context, letters []DeadLetter) error {
	for i := range letters {
		b, err := json.Marshal(&letters[i])
		if err != nil {
			return fmt.Errorf("encode dead letter %q: %w", letters[i].ID, err)
		}
		if _, err := l.s.Put(ctx, letterBucket, hashID(letters[i].Index, letters[i].ID), b, -1); err != nil {
			return fmt.Errorf("keep dead letter: %w", err)
		}
	}
	return nil
}

func (l itemLetters) retry(ctx context.Context, again func([]DeadLetter) ([]DeadLetter, error)) (done, left int, err error) {
	var letters []DeadLetter
	flush := func() error {
		refused, err := again(letters)
		if err != nil {
			return err
		}
		still := make(map[string]bool, len(refused))
		for i := range refused {
			still[hashID(refused[i].Index, refused[i].ID)] = true
		}
		for i := range letters {
			key := hashID(letters[i].Index, letters[i].ID)
			if still[key] {
				continue
			}
			if err := l.s.Delete(ctx, letterBucket, key); err != nil {
				return err
			}
		}
		done, left = done+len(letters)-len(refused), left+len(refused)
		letters = letters[:0]
		return l.keep(ctx, refused)
	}
	for item, err := range l.s.List(ctx, letterBucket, "") {
		if err != nil {
			return done, left, err
		}
		letter, err := decodeLetter(&item)
		if err != nil {
			return done, left, err
		}
		if letters = append(letters, letter); len(letters) == retryBatch {
			if err := flush(); err != nil {
				return done, left, err
			}
		}
	}
	return done, left, flush()
}

func decodeLetter(item *store.Item) (l DeadLetter, err error) {
	if err := json.Unmarshal(item.Value, &l); err != nil {
		return l, fmt.Errorf("decode dead letter %s: %w", item.Key, err)
	}
	return l, nil
}

func (itemLetters) close() error { return nil }
