package archive

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"
	"sync"

	"lastnight"
)

// holding is the files that a scan and its copies keep from being deleted.
type holding struct {
	mu    sync.Mutex
	files []*file // guarded by mu; once for each time they were taken hold of
}

// snapshot takes hold of the files that there are now, and leaves out those that manifests know to have
// no stream that is asked for. If it fails, nothing need be released.
func (s *scan) snapshot(ctx context.Context) error {
	s.hold()
	err := s.compareReplaced(ctx)
	if err == nil && s.narrow {
		err = s.narrowDown(ctx)
	}
	if err != nil {
		s.release(ctx)
	}
	return err
}

// hold takes hold of all files in the time asked for.
func (s *scan) hold() {
	a := s.a
	s.files, s.special = nil, nil
	a.mu.Lock()
	defer a.mu.Unlock()
	var chosen map[*file]bool
	if s.choose != nil {
		chosen = s.choose(a.index)
	}
	take := func(f *file) {
		if !f.empty && f.last >= s.start && f.first < s.end && (s.choose == nil || f.man != nil || chosen[f]) {
			f.refs++
			s.files = append(s.files, f)
		}
	}
	if s.arrived == math.MinInt64 {
		for _, f := range a.unlisted {
			take(f)
		}
		for _, m := range a.manifests {
			if m.last < s.start || m.first >= s.end {
				continue
			}
			for _, f := range m.files {
				if f != nil {
					take(f)
				}
			}
		}
	} else {
		for _, f := range s.arrivals() {
			take(f)
		}
	}
	if len(a.index.special) > 0 {
		s.special = maps.Clone(a.index.special)
	}
	slices.SortFunc(s.files, (*file).compare)
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	s.held.files = append(s.held.files, s.files...) // a copy: narrowDown reuses s.files
}

// errVanished says that a file is gone that others may delete: list again, and go on.
var errVanished = errors.New("a file of the archive is gone")

// again calls f until no file vanishes under it, each time with the files that there are then.
func (s *scan) again(ctx context.Context, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		if !errors.Is(err, errVanished) {
			return err
		}
		if n == maxRelists {
			return lastnight.Errorf(lastnight.CodeUnavailable, "", "files of the archive vanish while they are read: %w", err)
		}
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
}

// renew lists all files and takes hold of those that there are now.
func (s *scan) renew(ctx context.Context) error {
	if err := s.a.refresh(ctx, true); err != nil {
		return err
	}
	return s.snapshot(ctx)
}

// narrowDown leaves out files by the plans of their manifests.
func (s *scan) narrowDown(ctx context.Context) error {
	type listed struct {
		m   *manifest
		num int32
	}
	of := make([]listed, len(s.files))
	s.a.mu.Lock()
	for i, f := range s.files {
		of[i] = listed{f.man, f.num}
	}
	s.a.mu.Unlock()
	type choice struct {
		plan *plan // nil: not known
		want []bool
	}
	choices := map[*manifest]choice{}
	kept := s.files[:0]
	for i, f := range s.files {
		m := of[i].m
		if m == nil {
			kept = append(kept, f)
			continue
		}
		c, ok := choices[m]
		if !ok {
			p, err := s.a.streamsOf(ctx, m)
			switch {
			case err == nil:
				c.plan, c.want = p, make([]bool, len(p.streams))
				for j := range p.streams {
					c.want[j] = s.stream(&p.streams[j])
				}
			case errors.Is(err, errCorrupt):
				if err := s.a.dissolve(ctx, m, err); err != nil { // the chunks themselves know
					return err
				}
			case errors.Is(err, fs.ErrNotExist): // merged into another one meanwhile
			default:
				return lastnight.Errorf(lastnight.CodeUnavailable, "", "read %s: %w", m.name, err)
			}
			choices[m] = c
		}
		if c.plan == nil || slices.ContainsFunc(c.plan.of[of[i].num], func(j int32) bool { return c.want[j] }) {
			kept = append(kept, f)
		}
	}
	s.files = kept
	return nil
}

// release lets go of the files, also of those that copies of the scan hold.
func (s *scan) release(ctx context.Context) {
	s.held.mu.Lock()
	files := s.held.files
	s.held.files = nil
	s.held.mu.Unlock()
	s.a.mu.Lock()
	sweep := false
	for _, f := range files {
		f.refs--
		sweep = sweep || f.refs == 0 && s.a.files[f.name] != f
	}
	s.a.mu.Unlock()
	if sweep && !s.a.cfg.Shared {
		s.a.sweep(context.WithoutCancel(ctx))
	}
}
