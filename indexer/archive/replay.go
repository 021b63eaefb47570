package archive

import (
	"context"
	"fmt"
	"iter"

	"lastnight"
)

// Replay gives the items of a segment as they were appended, one for each range, so that
// what is derived from them can be derived again. A damaged block is reported and its lines are missing; an
// unknown name is an error of CodeNotFound.
func (a *Archive) Replay(ctx context.Context, name string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s := &scan{a: a, pin: &pin{name: name}}
		a.mu.Lock()
		s.pin.after = a.discards
		a.pins[s.pin] = struct{}{}
		a.mu.Unlock()
		defer s.release(ctx)
		f, err := a.find(ctx, name)
		if err == nil && f == nil {
			err = lastnight.Errorf(lastnight.CodeNotFound, "", "no segment %q in the archive", name)
		}
		if err != nil {
			yield(Item{}, err)
			return
		}
		d, err := a.directory(ctx, f)
		if err != nil {
			yield(Item{}, fmt.Errorf("replay %s: %w", name, err))
			return
		}
		records, err := s.recordsByKey(ctx, f, d)
		if err != nil {
			yield(Item{}, fmt.Errorf("replay %s: %w", name, err))
			return
		}
		for i := range d.keys {
			for _, it := range replayKey(d, &d.keys[i], records[i]) {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

func (s *scan) recordsByKey(ctx context.Context, f *file, d *directory) ([][]lastnight.Record, error) {
	records := make([][]lastnight.Record, len(d.keys))
	for i := range d.blocks {
		rows, err := s.a.rows(ctx, f, d, i)
		if err != nil {
			if err := s.skip(ctx, f, err); err != nil {
				return nil, err
			}
			continue
		}
		for _, r := range rows {
			records[r.key] = append(records[r.key], *r.rec)
		}
	}
	return records, nil
}

// replayKey makes an item of each range of a key. Partial lines go with the last range.
func replayKey(d *directory, k *keyEntry, records []lastnight.Record) []Item {
	e := &d.streams[k.stream]
	item := func(x extent) Item {
		return Item{
			Span: &lastnight.Span{Stream: e.stream, Generation: k.gen, From: x.from, To: x.to, RawBytes: x.to - x.from},
			Job:  e.job, Component: e.component, Kind: e.kind,
		}
	}
	if len(k.extents) == 0 {
		if len(records) == 0 {
			return nil
		}
		at := records[0].Lines[0].Offset
		it := item(extent{from: at, to: at})
		it.Span.Records = records
		return []Item{it}
	}
	out := make([]Item, len(k.extents))
	for i, x := range k.extents {
		out[i] = item(x)
	}
	for _, r := range records {
		i := len(out) - 1
		for i > 0 && (r.Lines[0].Offset < out[i].Span.From) {
			i--
		}
		out[i].Span.Records = append(out[i].Span.Records, r)
	}
	return out
}
