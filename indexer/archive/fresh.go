package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Segments become a chunk as soon as there are enough of them, since much can be asked of a chunk more cheaply. But a chunk
// does not know which of its lines arrived when, and whoever follows what arrives (SearchRequest.ArrivedSince) asks just
// that. So replaced segments stay, ignored by everybody else, as long as one may ask for them:
//
//   - All segments of a chunk stay until its newest is no longer fresh, also when the archive is opened again. So where
//     two of them have the same lines, both are there to tell which one's are read.
//   - A scan by arrival reads them in the place of their chunk. Of chunks it reads those whose lines arrived at one time,
//     and those all of whose lines arrived late enough and whose segments are gone.

// freshFor is how long after its arrival a segment stays at least for those who follow what arrives: they
// ask for what came in the last minute, at most.
const freshFor = 90 * time.Second

// discard leaves a file to sweep. by is the chunk that has its lines now; nil: there is none. Callers hold mu.
func (a *Archive) discard(name string, f, by *file) {
	g := a.newGarbage(f)
	if by != nil {
		g.by = by.name
	}
	if by != nil && strings.HasPrefix(name, segmentFolder) {
		if g.until = nsTime(by.newest).Add(freshFor); g.until.After(g.since.Add(freshFor)) {
			g.until = g.since.Add(freshFor) // the clock was turned back
		}
	}
	a.garbage[name] = g
}

// newGarbage is a file that waits for being deleted from now on. Callers hold mu.
func (a *Archive) newGarbage(f *file) garbage {
	a.discards++
	return garbage{f: f, nth: a.discards, since: a.now()}
}

const (
	// recentEvery is how often chunks of known segments are looked for.
	recentEvery = 5 * time.Second
	// recentBits is how many bits of a time of arrival, in ns, are left out of what the names of such chunks begin with: 18 minutes.
	recentBits = 40
	// recentLists is how many lists that takes at most.
	recentLists = 3
)

// recentChunks gives what the names begin with of chunks that another process may have made of the segments that are known here;
// none as long as these are few, or it has just been looked for them. Callers hold turn.
func (a *Archive) recentChunks() (prefixes []string) {
	now := a.now()
	if now.Sub(a.lists.recent) < recentEvery || !a.Ripe() {
		return nil
	}
	a.lists.recent = now
	a.mu.Lock()
	defer a.mu.Unlock()
	to := uint64(max(now.UnixNano(), a.arrival)) >> recentBits
	from := to
	for _, f := range a.segments {
		from = min(from, uint64(f.arrived)>>recentBits)
	}
	return namedFrom(max(from, to-recentLists+1), to)
}

// namedFrom gives what the names begin with of chunks whose oldest line arrived between two times, both without recentBits.
func namedFrom(from, to uint64) (prefixes []string) {
	for ; from <= to && len(prefixes) <= maxAround; from++ {
		prefixes = append(prefixes, fmt.Sprintf("%s%0*x", chunkFolder, (64-recentBits)/4, from))
	}
	return prefixes
}

// stale makes fresh garbage like any other.
func (a *Archive) stale() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, g := range a.garbage {
		g.until = time.Time{}
		a.garbage[name] = g
	}
}

// readReplaced reads the directories of those segments of a listing that fresh chunks replace.
func (a *Archive) readReplaced(ctx context.Context, l *listing) (vanished bool, err error) {
	var names []string
	for _, n := range l.news {
		if a.now().Sub(nsTime(n.f.newest)) >= freshFor {
			continue
		}
		for _, old := range n.f.replaces {
			if _, there := l.seen[old]; there && !l.known[old] {
				names = append(names, old)
			}
		}
	}
	slices.Sort(names)
	some, gone, err := a.readDirectories(ctx, slices.Compact(names), l.seen)
	if err != nil || gone {
		return gone, err
	}
	l.replaced = make(map[string]*file, len(some))
	for _, n := range some {
		l.replaced[n.f.name] = n.f
	}
	return false, nil
}

// replacedBy gives, for each chunk whose segments are still there, these. Callers hold mu.
func (a *Archive) replacedBy() map[string][]*file {
	out := map[string][]*file{}
	for _, g := range a.garbage {
		if g.by != "" && g.f != nil && g.f.kind == kindSegment {
			out[g.by] = append(out[g.by], g.f)
		}
	}
	return out
}

// arrivals gives the files of a scan by arrival that no manifest lists, and notes those of which two may have the same lines, and
// which chunks they are read in the place of. Callers hold mu.
func (s *scan) arrivals() (files []*file) {
	replaced := s.a.replacedBy()
	s.doubled, s.instead = nil, replaced
	for _, f := range s.a.files {
		if len(replaced[f.name]) == 0 {
			files = append(files, f)
		}
	}
	for chunk, segments := range replaced {
		files = append(files, segments...)
		var raw int64
		partial := false
		for _, f := range segments {
			raw += f.raw
			partial = partial || f.partial
		}
		if f := s.a.files[chunk]; f == nil || f.raw != raw || partial {
			s.doubled = append(s.doubled, segments)
		}
	}
	return slices.DeleteFunc(files, func(f *file) bool { return f.arrived < s.arrived })
}

// compareReplaced finds out from which files the lines of replaced segments are to be read that others have too: the
// index tells it no more, since it knows their chunk in their place.
func (s *scan) compareReplaced(ctx context.Context) error {
	s.among = nil
	for _, segments := range s.doubled {
		x := newIndex()
		for _, f := range segments {
			d, err := s.a.directory(ctx, f)
			if errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist) {
				continue // whoever reads it says so
			}
			if err != nil {
				return err
			}
			x.add(f, d, nil)
		}
		for k, h := range x.gens {
			others, err := s.a.heldOf(ctx, k)
			if err != nil {
				return err
			}
			x.gens[k] = h.with(others)
		}
		if s.among == nil {
			s.among = map[*file]map[genKey]*held{}
		}
		for _, f := range segments {
			s.among[f] = x.gens
		}
	}
	return nil
}

// twice tells what is held of a generation, if lines of it that f has may be in other files too; nil: none is.
func (s *scan) twice(f *file, k genKey) *held {
	if among := s.among[f]; among != nil {
		return among[k]
	}
	return s.special[k]
}
