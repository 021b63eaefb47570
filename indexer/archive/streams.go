package archive

import (
	"cmp"
	"context"
	"slices"
	"time"

	"lastnight"
)

// Streams lists container instances with lines in the time asked for, by namespace, pod,
// container and restart. First, Last, Lines and Bytes are those of all of the stream's
// lines in files that overlap that time; Lines is an estimate where files overlap.
func (a *Archive) Streams(ctx context.Context, req lastnight.StreamsRequest) ([]lastnight.StreamInfo, error) {
	s, err := a.newScan(ctx, lastnight.SearchRequest{Namespace: req.Namespace, Job: req.Job, Pod: req.Pod, Start: req.Start, End: req.End})
	if err != nil {
		return nil, err
	}
	defer s.release(ctx)
	var byID map[uint64]*lastnight.StreamInfo
	err = s.again(ctx, func() error {
		byID = map[uint64]*lastnight.StreamInfo{}
		return s.eachDirectory(ctx, func(f *file, d *directory) {
			for i := range d.keys {
				k := &d.keys[i]
				if e := &d.streams[k.stream]; s.stream(e) {
					s.addStream(byID, f, e, k)
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]lastnight.StreamInfo, 0, len(byID))
	for _, info := range byID {
		if clampNano(info.Last) >= s.start && clampNano(info.First) < s.end {
			out = append(out, *info)
		}
	}
	slices.SortFunc(out, func(x, y lastnight.StreamInfo) int {
		return cmp.Or(
			cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Pod, y.Pod), cmp.Compare(x.PodUID, y.PodUID),
			cmp.Compare(x.Container, y.Container), cmp.Compare(x.Restart, y.Restart),
		)
	})
	return out, nil
}

// eachDirectory calls f with the directories of all files that can be read.
func (s *scan) eachDirectory(ctx context.Context, f func(*file, *directory)) error {
	return s.each(ctx, func(file *file) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := s.a.directory(ctx, file)
		if err != nil {
			return s.skip(ctx, file, err)
		}
		f(file, d)
		return nil
	})
}

func (s *scan) addStream(byID map[uint64]*lastnight.StreamInfo, f *file, e *streamEntry, k *keyEntry) {
	info := byID[e.id]
	if info == nil {
		info = &lastnight.StreamInfo{Stream: *e.stream, ID: streamID(e.id), Job: e.job, Component: e.component, Kind: e.kind}
	}
	add := func(first, last time.Time, lines, bytes int64) {
		if info.Lines == 0 || first.Before(info.First) {
			info.First = first
		}
		if info.Lines == 0 || last.After(info.Last) {
			info.Last = last
		}
		info.Lines += lines
		info.Bytes += bytes
	}
	h := s.special[genKey{e.id, k.gen}]
	for _, x := range k.extents {
		lines, bytes := x.lines, x.to-x.from
		if h != nil && bytes > 0 { // lines that an older file has are counted there, in proportion
			var mine int64
			for _, o := range h.owned(f) {
				mine += max(min(o.to, x.to)-max(o.from, x.from), 0)
			}
			lines, bytes = (lines*mine+bytes/2)/bytes, mine
		}
		if x.lines > 0 && bytes > 0 {
			add(nsTime(x.first), nsTime(x.last), lines, bytes)
		}
	}
	if info.Lines == 0 && len(k.partials) > 0 {
		add(nsTime(f.first), nsTime(f.last), 1, 0)
	}
	if info.Lines > 0 {
		byID[e.id] = info
	}
}
