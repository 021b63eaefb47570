package archive

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"

	"lastnight"
)

// pin keeps the files of a scan and its copies from being deleted: those that were in use when it began. It is immutable.
type pin struct {
	after               int64  // Archive.discards by then
	start, end, arrived int64  // as scan has them
	name                string // it is about one file only; "": about all
}

// keeps tells whether a file that waits for being deleted is to stay.
func (p *pin) keeps(g *garbage) bool {
	switch {
	case g.nth <= p.after && (p.arrived == math.MinInt64 || g.by == ""): // those who ask by arrival read replaced segments
		return false
	case p.name != "":
		return g.f != nil && g.f.name == p.name
	}
	return g.f == nil || g.f.last >= p.start && g.f.first < p.end && g.f.arrived >= p.arrived
}

// pinned tells whether anybody keeps a file. Callers hold mu.
func (a *Archive) pinned(g *garbage) bool {
	for p := range a.pins {
		if p.keeps(g) {
			return true
		}
	}
	return false
}

// shelfOf is a shelf of a manifest.
type shelfOf struct {
	m *manifest
	i int
}

// snapshot takes hold of the files that there are now. If it fails, nothing need be released.
func (s *scan) snapshot(ctx context.Context) error {
	s.hold()
	err := s.compareReplaced(ctx)
	if err != nil {
		s.release(ctx)
	}
	return err
}

// hold takes hold of all files in the time asked for: of those that manifests list, of the manifests. A scan that is renewed keeps what
// it had.
func (s *scan) hold() {
	a := s.a
	s.files, s.stocks, s.special = nil, nil, nil
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.pin == nil {
		s.pin = &pin{after: a.discards, start: s.start, end: s.end, arrived: s.arrived}
	}
	a.pins[s.pin] = struct{}{}
	var chosen map[string]bool
	if s.choose != nil {
		chosen = s.choose(a.index)
	}
	take := func(f *file) {
		if s.asksFile(f) && (s.choose == nil || chosen[f.name]) {
			s.files = append(s.files, f)
		}
	}
	if s.arrived == math.MinInt64 {
		for _, f := range a.files {
			take(f)
		}
	} else {
		for _, f := range s.arrivals() {
			take(f)
		}
	}
	for _, m := range a.manifests {
		if m.last >= s.start && m.first < s.end {
			s.stocks = append(s.stocks, stock{m, m.live})
		}
	}
	if len(a.index.special) > 0 {
		s.special = maps.Clone(a.index.special)
	}
	slices.SortFunc(s.files, (*file).compare)
}

// asksFile tells whether a file may have lines in the time asked for.
func (s *scan) asksFile(f *file) bool {
	return !f.empty && f.last >= s.start && f.first < s.end && f.arrived >= s.arrived
}

// reaches tells whether a chunk of a shelf may have lines in the time asked for.
func (s *scan) reaches(sh *shelf) bool {
	return sh.last >= s.start && sh.first < s.end && sh.newest >= s.arrived
}

// each calls do with all files of the scan.
func (s *scan) each(ctx context.Context, do func(*file) error) error {
	for _, f := range s.files {
		if err := do(f); err != nil {
			return err
		}
	}
	for i := range s.stocks {
		for j := range s.stocks[i].m.shelves {
			if s.reaches(&s.stocks[i].m.shelves[j]) {
				if err := s.take(ctx, &s.stocks[i], j, do); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// take calls do with the files of a shelf that may have something. If it cannot be read, its manifest is done without: errVanished.
func (s *scan) take(ctx context.Context, st *stock, i int, do func(*file) error) error {
	sh, err := s.a.shelf(ctx, st.m, i)
	if errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist) {
		if err := s.a.dissolve(ctx, st.m, err); err != nil {
			return err
		}
		return errVanished
	}
	if err != nil {
		return s.unread(ctx, st.m, err)
	}
	p, want, err := s.wantedOn(ctx, st.m, i)
	if err != nil {
		return err
	}
	for j := range sh.files {
		f := &sh.files[j]
		if !st.live.has(int(f.num)) || !s.asksFile(f) || len(s.instead[f.name]) > 0 ||
			p != nil && !slices.ContainsFunc(p.of[j], func(n int32) bool { return want[n] }) {
			continue
		}
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

// wantedOn gives the plan of a shelf, and which of its streams are asked for; nil: that leaves none of its files out.
func (s *scan) wantedOn(ctx context.Context, m *manifest, i int) (*plan, []bool, error) {
	if !s.narrow {
		return nil, nil, nil
	}
	p, err := s.a.streamsOf(ctx, m, i)
	switch {
	case errors.Is(err, errCorrupt):
		return nil, nil, s.a.dissolve(ctx, m, err) // the chunks themselves know
	case errors.Is(err, fs.ErrNotExist): // merged into another one meanwhile
		return nil, nil, nil
	case err != nil:
		return nil, nil, s.unread(ctx, m, err)
	}
	want := make([]bool, len(p.streams))
	for j := range p.streams {
		want[j] = s.stream(&p.streams[j])
	}
	return p, want, nil
}

// unread says that a manifest cannot be read now.
func (s *scan) unread(ctx context.Context, m *manifest, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "read %s: %w", m.name, err)
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
		if n >= s.a.maxRelists() {
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

// release lets go of the files, also of those that copies of the scan hold.
func (s *scan) release(ctx context.Context) {
	a := s.a
	a.mu.Lock()
	delete(a.pins, s.pin)
	sweep := s.pin.after < a.discards || s.pin.arrived != math.MinInt64
	a.mu.Unlock()
	if sweep && !a.cfg.Shared {
		a.sweep(context.WithoutCancel(ctx))
	}
}
