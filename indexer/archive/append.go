package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"lastnight"
)

// Item is a span to append, with the workload that it belongs to.
type Item struct {
	Span      *lastnight.Span
	Job       string // name of the workload, unique in the stream's namespace
	Component string
	Kind      lastnight.JobKind
}

// SegmentInfo tells what Append has written.
type SegmentInfo struct {
	Name     string // "" if everything was held already
	Records  int64
	Lines    int64
	RawBytes int64 // bytes of log files it stands for
	Bytes    int64 // size of the segment
}

const (
	// segmentBlock is how much text a block of a segment has, roughly, in the plain layout. Small, because
	// compaction reads it job by job.
	segmentBlock = 128 << 10
	// segmentBlockMin is when a block ends with its job rather than take up another.
	segmentBlockMin = 32 << 10
)

// Trim removes from a span, in place, the lines that are held already, and the ends of
// its range. It tells whether anything is left.
func (a *Archive) Trim(ctx context.Context, s *lastnight.Span) (bool, error) {
	h, err := a.heldFrom(ctx, genKey{streamNumber(s.Stream.ID()), s.Generation}, firstOffset(s))
	if err != nil {
		return false, err
	}
	return trim(s, h), nil
}

func trim(s *lastnight.Span, h *held) bool {
	if h == nil || !h.touches(s) {
		return s.From < s.To || len(s.Records) > 0
	}
	if r, ok := h.all.at(s.From); ok {
		s.From = min(r.to, s.To)
	}
	if r, ok := h.all.at(s.To - 1); ok && s.From < s.To {
		s.To = max(r.from, s.From)
	}
	kept := s.Records[:0:0]
	for i := range s.Records {
		if r, ok := trimRecord(s.Records[i], func(l *lastnight.Line) bool { return !h.has(l) }); ok {
			kept = append(kept, r)
		}
	}
	s.Records = kept
	return s.From < s.To || len(s.Records) > 0
}

// touches tells whether anything of a span may be held: mostly nothing is, and nothing is copied.
func (h *held) touches(s *lastnight.Span) bool {
	if h.all.overlaps(s.From, s.To) {
		return true
	}
	for i := range s.Records {
		for j := range s.Records[i].Lines {
			if l := &s.Records[i].Lines[j]; l.Partial && h.has(l) {
				return true
			}
		}
	}
	return false
}

// trimRecord gives the record with the lines that are to be kept, if there are any.
// The lines of r are not changed.
func trimRecord(r lastnight.Record, keep func(*lastnight.Line) bool) (lastnight.Record, bool) {
	n := 0
	for i := range r.Lines {
		if keep(&r.Lines[i]) {
			n++
		}
	}
	if n == len(r.Lines) {
		return r, n > 0
	}
	if n > 0 && !keep(&r.Lines[0]) {
		r.MessageAt = 0 // it was about a line that is no longer the first
	}
	lines := make([]lastnight.Line, 0, n)
	for i := range r.Lines {
		if keep(&r.Lines[i]) {
			lines = append(lines, r.Lines[i])
		}
	}
	r.Lines = lines
	return r, n > 0
}

// Append writes the items into one new segment, or into a chunk if they are many. When it returns nil they are durable
// and found by every later call; lines that are held already are left out. When it
// fails, nothing of them is to be seen; CodeUnavailable says that trying again later may do.
// The items are not changed and not kept.
func (a *Archive) Append(ctx context.Context, items []Item) (SegmentInfo, error) {
	news, err := a.news(ctx, items)
	if err != nil || len(news) == 0 {
		return SegmentInfo{}, err
	}
	t, err := a.borrow()
	if err != nil {
		return SegmentInfo{}, err
	}
	defer a.giveBack(t)
	at := a.nextArrival()
	name := fmt.Sprintf("%s%016x-%s.seg", segmentFolder, uint64(at), a.nonce)
	b := newBuilder(t, kindSegment)
	if !a.cfg.Shared && rawBytes(news) >= a.cfg.DirectBytes { // other processes look for new segments only
		name = chunkName(at, at, a.nonce, 0)
		b = newBuilder(t, kindChunk)
		keys := b.holdItems(news)
		b.writeItems(news, keys, blockRaw, blockRaw/2)
	} else {
		b.writeSegment(news, a.cfg.ColumnBytes)
	}
	b.dir.first, b.dir.last = at, at
	data, err := b.finish()
	if err != nil {
		return SegmentInfo{}, err
	}
	if err := a.blobs.Put(ctx, name, data); err != nil {
		return SegmentInfo{}, writeError(err)
	}
	f := newFile(name, int64(len(data)), b.dir)
	if err := a.addFile(ctx, f, b.dir, nil); err != nil {
		return SegmentInfo{}, err
	}
	if f.kind == kindChunk {
		a.cache.remove(name) // an import writes many, and nobody asks for them meanwhile
	}
	return SegmentInfo{Name: name, Records: f.records, Lines: f.lines, RawBytes: f.raw, Bytes: f.size}, nil
}

// rawBytes gives how many bytes of log files the items stand for.
func rawBytes(items []newItem) (n int64) {
	for i := range items {
		n += items[i].span.To - items[i].span.From
	}
	return n
}

// writeError makes an error for people of a failed write.
func writeError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return lastnight.Errorf(lastnight.CodeUnavailable, "free space on the volume of the data directory, or keep less (retention)", "the archive's disk is full: %w", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "write to the archive: %w", err)
}

// newItem is an item without what is held already.
type newItem struct {
	streamEntry
	span     lastnight.Span
	partials []*lastnight.Line // of the span, as it came
}

// first gives the offset of the first line or of where the span begins.
func (n *newItem) first() int64 {
	from := n.span.From
	for _, l := range n.partials {
		from = min(from, l.Offset)
	}
	return from
}

// trim is trim for an item: mostly nothing of it is held, and no line is looked at.
func (n *newItem) trim(h *held) bool {
	if h == nil || !h.all.overlaps(n.span.From, n.span.To) && !slices.ContainsFunc(n.partials, h.has) {
		return n.span.From < n.span.To || len(n.span.Records) > 0
	}
	return trim(&n.span, h)
}

// news gives what is new of the items, by job, stream, generation and offset.
func (a *Archive) news(ctx context.Context, items []Item) ([]newItem, error) {
	out := make([]newItem, 0, len(items))
	for _, it := range items {
		partials, err := validate(it.Span)
		if err != nil {
			return nil, err
		}
		n := newItem{span: *it.Span, partials: partials}
		n.streamEntry = streamEntry{stream: it.Span.Stream, id: streamNumber(it.Span.Stream.ID()), job: it.Job, component: it.Component, kind: it.Kind}
		h, err := a.heldFrom(ctx, genKey{n.id, n.span.Generation}, n.first())
		if err != nil {
			return nil, err
		}
		if n.trim(h) {
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(x, y newItem) int {
		return cmp.Or(
			cmp.Compare(x.stream.Namespace, y.stream.Namespace), cmp.Compare(x.job, y.job), cmp.Compare(x.id, y.id),
			x.span.Generation.Compare(y.span.Generation), cmp.Compare(x.span.From, y.span.From),
		)
	})
	return dropRepeats(out), nil
}

// dropRepeats removes from each item what one before it in the same call has.
func dropRepeats(items []newItem) []newItem {
	var h *held
	var last genKey
	kept := items[:0]
	for _, n := range items {
		if k := (genKey{n.id, n.span.Generation}); k != last || h == nil {
			last, h = k, &held{}
		}
		if !n.trim(h) {
			continue
		}
		for _, r := range h.all.without(n.span.From, n.span.To) {
			h.all = h.all.add(r.from, r.to)
		}
		for _, l := range n.partials {
			h.partials = append(h.partials, heldPartial{partial: partial{l.Offset, int64(len(l.Text))}})
		}
		kept = append(kept, n)
	}
	return kept
}

// validate checks what readers rely on, and gives the partial lines.
func validate(s *lastnight.Span) (partials []*lastnight.Line, err error) {
	if s.From < 0 || s.To < s.From {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "span of %s/%s: range %d to %d", s.Stream.Namespace, s.Stream.Pod, s.From, s.To)
	}
	for i := range s.Records {
		r := &s.Records[i]
		if len(r.Lines) == 0 || len(r.Lines) > maxRecordLines || r.MessageAt < 0 || r.MessageAt > len(r.Lines[0].Text) || len(r.Attrs) > maxAttrs {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "span of %s/%s: record %d is malformed", s.Stream.Namespace, s.Stream.Pod, i)
		}
		for j := range r.Lines {
			l := &r.Lines[j]
			switch {
			case len(l.Text) > maxLine:
				return nil, lastnight.Errorf(lastnight.CodeTooLarge, "", "line of %d bytes at offset %d of %s/%s: the limit is %d", len(l.Text), l.Offset, s.Stream.Namespace, s.Stream.Pod, maxLine)
			case !l.Partial && (l.Offset < s.From || l.Offset >= s.To):
				return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "span of %s/%s: line at offset %d is outside of %d to %d", s.Stream.Namespace, s.Stream.Pod, l.Offset, s.From, s.To)
			case l.Partial:
				partials = append(partials, l)
			}
		}
	}
	return partials, nil
}

// writeSegment adds items: jobs that have enough text in columns, so that compaction need not do it, the others plain.
func (b *builder) writeSegment(items []newItem, enough int64) {
	keys := b.holdItems(items)
	var rest []newItem
	var restKeys []int
	for from := 0; from < len(items); {
		to, size := from, 0
		for to < len(items) && items[to].sameJob(&items[from]) {
			size += spanSize(&items[to].span)
			to++
		}
		if int64(size) >= enough {
			b.columns = true
			b.writeItems(items[from:to], keys[from:to], evenly(size), blockRaw)
		} else {
			rest, restKeys = append(rest, items[from:to]...), append(restKeys, keys[from:to]...)
		}
		from = to
	}
	b.columns = false
	b.writeItems(rest, restKeys, segmentBlock, segmentBlockMin)
}

// sameJob tells whether two items are of one job.
func (n *newItem) sameJob(o *newItem) bool {
	return n.job == o.job && n.stream.Namespace == o.stream.Namespace
}

// spanSize is what the records of a span count when blocks are cut.
func spanSize(s *lastnight.Span) (n int) {
	for i := range s.Records {
		n += rowSize(&s.Records[i])
	}
	return n
}

// evenly gives the size of blocks that are about as large as each other, so many bytes in all.
func evenly(bytes int) int { return bytes/(bytes/blockRaw+1) + 1 }

// holdItems adds the items' ranges and gives their keys.
func (b *builder) holdItems(items []newItem) []int {
	keys := make([]int, len(items))
	for i := range items {
		keys[i] = b.key(items[i].streamEntry, items[i].span.Generation)
		for _, r := range b.dir.keys[keys[i]].free(items[i].span.From, items[i].span.To) {
			b.hold(keys[i], r.from, r.to)
		}
	}
	return keys
}

// writeItems adds the items' records in blocks of about size bytes of text. A block that has enough already ends with its job.
func (b *builder) writeItems(items []newItem, keys []int, size, enough int) {
	rows, n := b.t.rows[:0], 0
	end := func() {
		b.block(rows)
		clear(rows)
		rows, n = rows[:0], 0
	}
	for i := range items {
		if i > 0 && n >= enough && !items[i].sameJob(&items[i-1]) {
			end()
		}
		records := items[i].span.Records
		for j := range records {
			b.count(keys[i], &records[j])
			rows = append(rows, row{key: keys[i], rec: &records[j]})
			if n += rowSize(&records[j]); n >= size {
				end()
			}
		}
	}
	end()
	b.t.rows = rows
}

// free gives the parts of [from, to) that no range of the key has yet.
func (k *keyEntry) free(from, to int64) spans {
	var have spans
	for _, x := range k.extents {
		have = have.add(x.from, x.to)
	}
	return have.without(from, to)
}

// nextArrival gives the time of now, later than any before it.
func (a *Archive) nextArrival() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrival = max(a.arrival+1, a.now().UnixNano())
	return a.arrival
}

// borrow gives a set of tools: an idle one, or a new one.
func (a *Archive) borrow() (*tools, error) {
	select {
	case t := <-a.tools:
		return t, nil
	default:
		return newTools()
	}
}

func (a *Archive) giveBack(t *tools) {
	select {
	case a.tools <- t:
	default:
	}
}

// nsTime gives the time of ns since 1970, in UTC.
func nsTime(ns int64) time.Time { return time.Unix(0, ns).UTC() }
