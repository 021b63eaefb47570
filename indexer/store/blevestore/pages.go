package blevestore

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"lastnight"
)

// fetch yields the documents of a span that are of the times.
func (s *Store) fetch(ctx context.Context, day string, sp span, times []uint64, may func(filter []byte) bool) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		packs := s.openPacks()
		defer packs.done()
		for n := 16; len(times) > 0; n = min(2*n, pageDocuments) { // few at first: most want few
			docs, read, next, err := s.pageAt(day, reading{sp, may, nil, packs}, times[:min(n, len(times))])
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
func (s *Store) pageAt(day string, what reading, times []uint64) (docs []lastnight.Document, read int, next []byte, err error) {
	err = s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			read = len(times)
			return nil
		}
		size := 0
		r, err := s.readDay(b, what.packs)
		if err != nil {
			return err
		}
		at := what
		for _, t := range times {
			s.documents.touch(tx, lookupBytes)
			at.span = what.span.only(t)
			some, n, err := s.pageOf(b, r, at)
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
	packs := s.openPacks()
	defer packs.done()
	err := s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			return nil
		}
		r, err := s.readDay(b, packs)
		if err != nil {
			return err
		}
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

// reading is what is read of a day.
type reading struct {
	span span
	may  func(filter []byte) bool // leaves out packs by their filters; nil: none
	keep keeps                    // leaves out documents; nil: none

	packs *openPacks
}

// scan yields the documents of a span but those that may or keep leaves out.
func (s *Store) scan(ctx context.Context, day string, what reading) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		what := what
		what.packs = s.openPacks()
		defer what.packs.done()
		for more := true; more; {
			docs, next, err := s.page(day, what)
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
				what.span.goOn(next)
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

// page reads the next documents that are wanted, if there are any, and where the span goes on; nil at its end.
func (s *Store) page(day string, what reading) (docs []lastnight.Document, next []byte, err error) {
	err = s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			return nil
		}
		r, err := s.readDay(b, what.packs)
		if err == nil {
			docs, next, err = s.pageOf(b, r, what)
		}
		return err
	})
	return docs, next, err
}

func (s *Store) pageOf(b *bolt.Bucket, r *dayReader, what reading) (docs []lastnight.Document, next []byte, err error) {
	size := 0
	for e, err := range r.walk(what.span, what.may) {
		if err != nil {
			return nil, nil, fmt.Errorf("read documents: %w", err)
		}
		k, v := e.key, e.value
		if len(docs) == pageDocuments || size > pageBytes {
			if next = bytes.Clone(k); what.span.newest {
				next = append(next, 0)
			}
			return docs, next, nil
		}
		s.documents.touch(b.Tx(), len(k)+len(v))
		if what.keep != nil && !what.keep(b, v) {
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
		for k, v := sp.step(c, false); k != nil; k, v = sp.step(c, true) {
			if !yield(k, v) {
				return
			}
		}
	}
}

// step moves a cursor to the next key of the span, or to the first one; nil is the end.
func (sp span) step(c *bolt.Cursor, begun bool) (k, v []byte) {
	if !sp.newest {
		if begun {
			k, v = c.Next()
		} else {
			k, v = c.Seek(sp.from)
		}
		if k == nil || sp.to != nil && bytes.Compare(k, sp.to) >= 0 {
			return nil, nil
		}
		return k, v
	}
	switch {
	case begun:
		k, v = c.Prev()
	case sp.to == nil:
		k, v = c.Last()
	default:
		if k, _ = c.Seek(sp.to); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
	}
	if k == nil || bytes.Compare(k, sp.from) < 0 {
		return nil, nil
	}
	return k, v
}
