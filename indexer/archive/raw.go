package archive

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"lastnight"
)

// rawBudget is about how many bytes of lines all containers together hold back.
const rawBudget = 16 << 20

// container is a container over its restarts: what has one order of lines.
type container struct {
	namespace, pod, podUID, name string
}

// RawLines streams lines just as they were written. Those of one container come in the
// order of its files (restart, generation, offset); those of several are merged by
// time, each keeping its own order. req.Start and End are about the lines' times; Query,
// Oldest and Cursor are not looked at.
func (a *Archive) RawLines(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		limit := req.Limit
		req.Limit, req.Oldest = 0, true
		s, err := a.newScan(ctx, req)
		if err != nil {
			yield(lastnight.RawLine{}, err)
			return
		}
		defer s.release(ctx)
		list, err := s.containers(ctx)
		if err != nil {
			yield(lastnight.RawLine{}, err)
			return
		}
		n := 0
		for line, err := range mergeLines(list, func(c container) iter.Seq2[lastnight.RawLine, error] { return s.lines(ctx, c, len(list)) }) {
			if !yield(line, err) || err != nil {
				return
			}
			if n++; limit > 0 && n >= limit {
				return
			}
		}
	}
}

// containers lists those that are asked for.
func (s *scan) containers(ctx context.Context) ([]container, error) {
	seen := map[container]bool{}
	var list []container
	err := s.again(ctx, func() error {
		return s.eachDirectory(ctx, func(_ *file, d *directory) {
			for i := range d.streams {
				if c := containerOf(d.streams[i].stream); !seen[c] && s.stream(&d.streams[i]) {
					seen[c] = true
					list = append(list, c)
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b container) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.pod, b.pod), cmp.Compare(a.podUID, b.podUID), cmp.Compare(a.name, b.name))
	})
	return list, nil
}

func containerOf(s *lastnight.Stream) container {
	return container{s.Namespace, s.Pod, s.PodUID, s.Container}
}

// lines streams the lines of one of n containers in the order of its files.
func (s *scan) lines(ctx context.Context, c container, n int) iter.Seq2[lastnight.RawLine, error] {
	one := *s
	one.byTime, one.sign, one.after = false, 1, nil
	one.budget = max(rawBudget/int64(n), 64<<10)
	one.stream = func(e *streamEntry) bool { return containerOf(e.stream) == c && s.stream(e) }
	return func(yield func(lastnight.RawLine, error) bool) {
		find := func(ctx context.Context, cand candidate, h *harvest[lastnight.RawLine]) error {
			return one.visit(ctx, cand, func(e *streamEntry, g lastnight.Generation, r *lastnight.Record) {
				for i := range r.Lines {
					l := &r.Lines[i]
					at := place{int64(e.stream.Restart), e.id, g, l.Offset}
					if l.Time < one.start || l.Time >= one.end || !h.accepts(at) {
						continue
					}
					line := rawLine(e, g, l)
					h.take(found[lastnight.RawLine]{at, int64(len(l.Text)) + 256, &line})
				}
			})
		}
		if err := ordered(ctx, &one, find, func(l *lastnight.RawLine) bool { return yield(*l, nil) }); err != nil {
			yield(lastnight.RawLine{}, err)
		}
	}
}

func rawLine(e *streamEntry, g lastnight.Generation, l *lastnight.Line) lastnight.RawLine {
	return lastnight.RawLine{
		Stream: *e.stream, ID: lastnight.NewLineID(streamID(e.id), g, l.Offset),
		Time: nsTime(l.Time), Stderr: l.Stderr, Text: slices.Clone(l.Text),
	}
}

// mergeLines merges the lines of several containers by time, each in its own order.
func mergeLines(list []container, lines func(container) iter.Seq2[lastnight.RawLine, error]) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		if len(list) == 1 {
			lines(list[0])(yield)
			return
		}
		type head struct {
			line lastnight.RawLine
			next func() (lastnight.RawLine, error, bool)
		}
		var heads []head
		for _, c := range list {
			next, stop := iter.Pull2(lines(c))
			defer stop()
			line, err, ok := next()
			if err != nil {
				yield(line, err)
				return
			}
			if ok {
				heads = append(heads, head{line, next})
			}
		}
		byTime := func(a, b head) int { return a.line.Time.Compare(b.line.Time) }
		slices.SortStableFunc(heads, byTime)
		for len(heads) > 0 {
			if !yield(heads[0].line, nil) {
				return
			}
			h := heads[0]
			line, err, ok := h.next()
			if err != nil {
				yield(line, err)
				return
			}
			heads = heads[1:]
			if ok {
				h.line = line
				i, _ := slices.BinarySearchFunc(heads, h, byTime)
				heads = slices.Insert(heads, i, h)
			}
		}
	}
}

// Context gives the record that has the line, with up to so many records before and after
// it in the same stream, in the order of the stream's files. An unknown line is an
// error of CodeNotFound.
func (a *Archive) Context(ctx context.Context, id lastnight.LineID, before, after int) ([]lastnight.Document, error) {
	stream, gen, off, err := id.Parse()
	if err != nil {
		return nil, err
	}
	number := streamNumber(stream)
	if err := a.refresh(ctx, false); err != nil {
		return nil, err
	}
	s := a.plan(lastnight.SearchRequest{})
	s.byTime = false
	s.choose = func(x *index) map[string]bool { return x.filesOf(number) }
	s.stream, s.narrow = func(e *streamEntry) bool { return e.id == number }, true
	if err := s.snapshot(ctx); err != nil {
		return nil, err
	}
	defer s.release(ctx)
	missing := lastnight.Errorf(lastnight.CodeNotFound, "", "no record %s in the archive", string(id))
	restart, ok, err := s.restart(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing
	}
	at := place{restart, number, gen, off}
	docs, err := s.documents(ctx, -1, place{restart, number, gen, off + 1}, max(before, 0)+1)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, missing
	}
	if _, g, _, err := lastnight.LineID(docs[0].ID).Parse(); err != nil || g != gen {
		return nil, missing
	}
	slices.Reverse(docs)
	if after > 0 {
		more, err := s.documents(ctx, 1, at, after)
		if err != nil {
			return nil, err
		}
		docs = append(docs, more...)
	}
	return docs, nil
}

// restart gives the restart count of the one stream asked for.
func (s *scan) restart(ctx context.Context) (restart int64, ok bool, err error) {
	err = s.again(ctx, func() error {
		return s.eachDirectory(ctx, func(_ *file, d *directory) {
			for i := range d.streams {
				if !ok && s.stream(&d.streams[i]) {
					restart, ok = int64(d.streams[i].stream.Restart), true
				}
			}
		})
	})
	return restart, ok, err
}

// documents gives up to n records after a place, in the direction of sign.
func (s *scan) documents(ctx context.Context, sign int, after place, n int) ([]lastnight.Document, error) {
	one := *s
	one.sign, one.after, one.limit = sign, &after, n
	var out []lastnight.Document
	l := look{s: &one}
	err := ordered(ctx, &one, l.find, func(d *lastnight.Document) bool {
		out = append(out, *d)
		return true
	})
	return out, err
}

// filesOf names the files, of those that no manifest lists, that hold anything of a stream. Callers hold Archive.mu.
func (x *index) filesOf(stream uint64) map[string]bool {
	seen := map[string]bool{}
	for k, h := range x.gens {
		if k.stream != stream {
			continue
		}
		for _, r := range h.ranges {
			seen[r.f.name] = true
		}
		for _, p := range h.partials {
			seen[p.f.name] = true
		}
	}
	return seen
}
