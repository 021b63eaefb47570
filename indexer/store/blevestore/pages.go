package blevestore

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store/terms"
)

// fetch yields the documents of a span that are of the times.
func (s *Store) fetch(ctx context.Context, day string, sp span, times []uint64) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		for n := 16; len(times) > 0; n = min(2*n, pageDocuments) { // few at first: most want few
			docs, read, next, err := s.pageAt(day, sp, times[:min(n, len(times))])
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			for _, d := range docs {
				if !yield(d, nil) {
					return
				}
			}
			if times = times[read:]; next != nil {
				sp.goOn(next)
			}
		}
	}
}

// pageAt reads documents of the times: of how many all, and where in the next one to go on.
func (s *Store) pageAt(day string, sp span, times []uint64) (docs []lastnight.Document, read int, next []byte, err error) {
	err = s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			read = len(times)
			return nil
		}
		size := 0
		r := s.readDay(b)
		defer r.done()
		for _, t := range times {
			s.documents.touch(tx, lookupBytes)
			some, n, err := s.pageOf(b, r, sp.only(t), nil, nil)
			if err != nil {
				return err
			}
			docs = append(docs, some...)
			for i := range some {
				size += len(some[i].Text)
			}
			if next = n; next != nil {
				return nil
			}
			if read++; len(docs) >= pageDocuments || size > pageBytes {
				return nil
			}
		}
		return nil
	})
	return docs, read, next, err
}

// fetchKeys reads the documents of keys that exist.
func (s *Store) fetchKeys(day string, keys []string) ([]lastnight.Document, error) {
	docs := make([]lastnight.Document, 0, len(keys))
	err := s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			return nil
		}
		r := s.readDay(b)
		defer r.done()
		for _, k := range keys {
			v, err := r.get([]byte(k))
			if err != nil {
				return fmt.Errorf("read document %q: %w", k[8:], err)
			}
			if v == nil {
				continue // dropped since
			}
			d, err := s.decode(b, []byte(k), v)
			if err != nil {
				return fmt.Errorf("read document %q: %w", k[8:], err)
			}
			s.documents.touch(tx, lookupBytes)
			docs = append(docs, d)
		}
		return nil
	})
	return docs, err
}

// scan yields the documents of a span but those that the plan or keep leaves out.
func (s *Store) scan(ctx context.Context, day string, sp span, p terms.Plan, keep keeps) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		for more := true; more; {
			docs, next, err := s.page(day, sp, p, keep)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			for _, d := range docs {
				if !yield(d, nil) {
					return
				}
			}
			if more = next != nil; more {
				sp.goOn(next)
			}
		}
	}
}

// goOn leaves out of the span what lies before next, where a page ended.
func (sp *span) goOn(next []byte) {
	if sp.newest {
		sp.to = next
	} else {
		sp.from = next
	}
}

// keeps tells from a value in the bucket of a day whether its document is wanted.
type keeps func(b *bolt.Bucket, value []byte) bool

// page reads the next documents of a span that neither the plan nor keep leaves out, if there are any, and
// where the span goes on; nil at its end.
func (s *Store) page(day string, sp span, p terms.Plan, keep keeps) (docs []lastnight.Document, next []byte, err error) {
	err = s.documents.View(func(tx *bolt.Tx) (err error) {
		if b := tx.Bucket([]byte(day)); b != nil {
			r := s.readDay(b)
			defer r.done()
			docs, next, err = s.pageOf(b, r, sp, p, keep)
		}
		return err
	})
	return docs, next, err
}

func (s *Store) pageOf(b *bolt.Bucket, r *dayReader, sp span, p terms.Plan, keep keeps) (docs []lastnight.Document, next []byte, err error) {
	size := 0
	for e, err := range r.walk(sp, p) {
		if err != nil {
			return nil, nil, fmt.Errorf("read documents: %w", err)
		}
		k, v := e.key, e.value
		if len(docs) == pageDocuments || size > pageBytes {
			if next = bytes.Clone(k); sp.newest {
				next = append(next, 0)
			}
			return docs, next, nil
		}
		s.documents.touch(b.Tx(), len(k)+len(v))
		if keep != nil && !keep(b, v) {
			continue
		}
		d, err := s.decode(b, k, v)
		if err != nil {
			return nil, nil, fmt.Errorf("read document %q: %w", k, err)
		}
		docs = append(docs, d)
		size += len(d.Text)
	}
	return docs, nil, nil
}

// walk goes through the span.
func (sp span) walk(c *bolt.Cursor) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if !sp.newest {
			for k, v := c.Seek(sp.from); k != nil && (sp.to == nil || bytes.Compare(k, sp.to) < 0); k, v = c.Next() {
				if !yield(k, v) {
					return
				}
			}
			return
		}
		var k, v []byte
		if sp.to == nil {
			k, v = c.Last()
		} else if k, _ = c.Seek(sp.to); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.Compare(k, sp.from) >= 0; k, v = c.Prev() {
			if !yield(k, v) {
				return
			}
		}
	}
}
