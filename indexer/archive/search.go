package archive

import (
	"bytes"
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"lastnight"
)

// Search streams the records that match, newest first or, with req.Oldest, oldest first.
// Order is (time, id), ids compared by stream, generation and offset, a record's time being that
// of its first line. match, if not nil, has the last word on every document. words are words
// (see filter) that every match certainly has: they only make it faster.
//
// req.Query is not looked at. Memory is bounded whatever matches. Damaged parts are
// skipped and reported (see Damaged); other errors end the search and are yielded.
func (a *Archive) Search(ctx context.Context, req lastnight.SearchRequest, match func(*lastnight.Document) bool, words []string) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		if len(req.Kinds) > 0 && !slices.Contains(req.Kinds, lastnight.DocumentRecord) {
			return
		}
		s := a.newScan(req)
		defer s.release(ctx)
		if err := s.resume(req.Cursor); err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		w := newWordTest(words)
		s.hashes = w.hashes
		find := func(c candidate, wants func(place) bool, take func(found[lastnight.Document])) error {
			return s.visit(ctx, c, func(e *streamEntry, g lastnight.Generation, r *lastnight.Record) {
				at := placeOf(e, g, r)
				if at.major < s.start || at.major >= s.end || !wants(at) || !w.may(r) {
					return
				}
				d := document(e, g, r)
				if match == nil || match(&d) {
					take(found[lastnight.Document]{at, documentSize(&d), &d})
				}
			})
		}
		err := ordered(ctx, s, find, func(d *lastnight.Document) bool { return yield(*d, nil) })
		if err != nil {
			yield(lastnight.Document{}, err)
		}
	}
}

// resume makes the scan go on after the document of a cursor. A document that is no record of
// ours (an event) comes before the records of the same time.
func (s *scan) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	t, id, err := lastnight.ParseCursor(cursor)
	if err != nil {
		return err
	}
	p := edge(clampNano(t), s.sign)
	if stream, g, off, err := lastnight.LineID(id).Parse(); err == nil {
		p = place{major: clampNano(t), stream: streamNumber(stream), gen: g, off: off}
	}
	s.after = &p
	return nil
}

// clampNano gives t in ns since 1970, or the nearest time that has one.
func clampNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func placeOf(e *streamEntry, g lastnight.Generation, r *lastnight.Record) place {
	return place{major: r.Lines[0].Time, stream: e.id, gen: g, off: r.Lines[0].Offset}
}

// document makes a document of a record, which it does not share memory with.
func document(e *streamEntry, g lastnight.Generation, r *lastnight.Record) lastnight.Document {
	s := e.stream
	return lastnight.Document{
		ID: string(lastnight.NewLineID(streamID(e.id), g, r.Lines[0].Offset)), Kind: lastnight.DocumentRecord,
		Time: r.Time(), Text: r.Text(), Level: r.Level.String(), Logger: r.Logger, Thread: r.Thread, MessageAt: r.MessageAt,
		Cluster: s.Cluster, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID, Container: s.Container, Restart: s.Restart, Node: s.Node,
		Stderr: r.Lines[0].Stderr, Job: e.job, Component: e.component, Template: r.Template, Exception: r.Exception, Attrs: r.Attrs,
	}
}

// documentSize gives about how many bytes a document takes.
func documentSize(d *lastnight.Document) int64 {
	n := 512 + len(d.Text)
	for k, v := range d.Attrs {
		n += 64 + len(k) + len(v)
	}
	return int64(n)
}

// wordTest tells quickly of most records that they lack a word. Not safe for concurrent use.
type wordTest struct {
	hashes []uint64
	first  []byte // the longest ASCII word; nil if there is none
	buf    []byte
}

func newWordTest(words []string) *wordTest {
	w := &wordTest{}
	var set wordSet
	set.reset()
	for _, word := range words {
		addWords(&set, []byte(word))
		lower := bytes.ToLower([]byte(word))
		if len(lower) > len(w.first) && !slices.ContainsFunc(lower, func(c byte) bool { return wordBytes[c] == 0 || wordBytes[c] == 0xff }) {
			w.first = lower
		}
	}
	for _, h := range set.slots {
		if h != 0 {
			w.hashes = append(w.hashes, h)
		}
	}
	return w
}

// may tells whether a record may have the words.
func (w *wordTest) may(r *lastnight.Record) bool {
	if w.first == nil {
		return true
	}
	for i := range r.Lines {
		if w.mayLine(r.Lines[i].Text) {
			return true
		}
	}
	return false
}

func (w *wordTest) mayLine(text []byte) bool {
	w.buf = w.buf[:0]
	for _, c := range text {
		switch {
		case c >= 0x80: // there are other letters whose lower case is ASCII
			return true
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		w.buf = append(w.buf, c)
	}
	return bytes.Contains(w.buf, w.first)
}
