package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lastnight"
)

// Several processes may share a blob store (Config.Shared). None tells the others what it does: each
// lists what there is, and what it finds makes sense by itself, since files never change and a chunk
// says which segments it replaces. What must stay true:
//
//   - Segments are listed before chunks. So a segment that is gone from the first list has its chunk
//     in the second, and nothing is missed in between.
//   - What a chunk replaces is deleted only Config.Grace after this process saw the chunk. Others list
//     chunks three times in that time, so they know it too by then; a query that runs for longer
//     finds a file missing, lists again and goes on behind its last result.
//   - Two processes that compact the same segments (a lease was lost) make two chunks that hold the
//     same ranges: lines are read from the older one, as everywhere.

const (
	// defaultGrace is how long replaced files stay for those who may still read them.
	defaultGrace = 15 * time.Minute
	// readAtOnce is how many directories are read at the same time.
	readAtOnce = 8
	// maxRelists bounds how often files are listed again because some have vanished meanwhile.
	maxRelists = 8
)

// lister lets one listing at a time run, and those who wait for the same one share it.
type lister struct {
	turn   chan struct{} // holds a token while nobody lists
	mu     sync.Mutex
	ticket int64               // guarded by mu; grows with every wish and every listing
	done   [2]int64            // guarded by mu; ticket at which the last listing began: of segments, of all
	full   time.Time           // guarded by turn; when chunks were listed last
	bad    map[string]struct{} // guarded by turn; damaged files, not to be read again
}

func newLister() *lister {
	l := &lister{turn: make(chan struct{}, 1), bad: map[string]struct{}{}}
	l.turn <- struct{}{}
	return l
}

func (l *lister) next() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticket++
	return l.ticket
}

// since tells whether a listing began after a ticket was drawn.
func (l *lister) since(ticket int64, full bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done[1] > ticket || !full && l.done[0] > ticket
}

func (l *lister) finished(began int64, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[0] = began
	if full {
		l.done[1] = began
	}
}

// Refresh takes up what other processes have put, replaced or removed before it was called. It costs
// one list of the segments, and one of all files now and then; calls at the same time share them.
// An archive that is not shared has nothing to refresh. A file of an unknown version is an error.
func (a *Archive) Refresh(ctx context.Context) error { return a.refresh(ctx, false) }

func (a *Archive) refresh(ctx context.Context, full bool) error {
	if !a.cfg.Shared {
		return nil
	}
	ticket := a.lists.next()
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	if a.lists.since(ticket, full) {
		return nil
	}
	if err := a.relist(ctx, full); err != nil {
		return fmt.Errorf("refresh archive: %w", err)
	}
	return nil
}

// Meet is Refresh, if of any of the spans what is held by others is not known here: the generation
// was not seen yet, or the span does not follow what is held. Call it before Trim where a stream may have come
// from another process.
func (a *Archive) Meet(ctx context.Context, spans []lastnight.Span) error {
	if !a.cfg.Shared {
		return nil
	}
	known := func(s *lastnight.Span) bool {
		h := a.heldOf(streamNumber(s.Stream.ID()), s.Generation)
		if h == nil || len(h.all) == 0 {
			return false
		}
		return h.all[len(h.all)-1].to == s.From
	}
	for i := range spans {
		if !known(&spans[i]) {
			return a.Refresh(ctx)
		}
	}
	return nil
}

// newcomer is a file that was listed and not known, with its directory.
type newcomer struct {
	f *file
	d *directory
}

// relist lists files, reads the directories of new ones and takes note of all at once. Callers hold turn.
func (a *Archive) relist(ctx context.Context, full bool) error {
	for range maxRelists {
		began := a.lists.next()
		known := a.known()
		now := a.now()
		seen, all, err := a.list(ctx, known, full || now.Sub(a.lists.full) >= a.cfg.Grace/3)
		if err != nil {
			return err
		}
		news, vanished, err := a.readNew(ctx, seen)
		if err != nil {
			return err
		}
		if vanished {
			full = true
			continue
		}
		a.takeUp(news, seen, known, all)
		if all {
			a.lists.full = now
		}
		a.lists.finished(began, all)
		return nil
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "files of the archive vanish as soon as they are listed")
}

// known gives the names of all files that are in use or wait for being deleted.
func (a *Archive) known() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]bool, len(a.files)+len(a.garbage))
	for name := range a.files {
		out[name] = true
	}
	for name := range a.garbage {
		out[name] = false
	}
	return out
}

// list gives the sizes of the files there are: segments, and chunks too if that is wanted or a segment
// is gone, which then is in a chunk.
func (a *Archive) list(ctx context.Context, known map[string]bool, full bool) (map[string]int64, bool, error) {
	seen := map[string]int64{}
	for info, err := range a.blobs.List(ctx, segmentFolder) {
		if err != nil {
			return nil, false, err
		}
		seen[info.Name] = info.Size
	}
	for name, used := range known {
		if _, there := seen[name]; used && !there && strings.HasPrefix(name, segmentFolder) {
			full = true
		}
	}
	if !full {
		return seen, false, nil
	}
	for info, err := range a.blobs.List(ctx, chunkFolder) {
		if err != nil {
			return nil, false, err
		}
		seen[info.Name] = info.Size
	}
	return seen, true, nil
}

// readNew reads the directories of the files that are not known, those of chunks first, since what a
// chunk replaces need not be read. vanished tells that a file was gone by then.
func (a *Archive) readNew(ctx context.Context, seen map[string]int64) (news []newcomer, vanished bool, err error) {
	known := a.known()
	for _, folder := range []string{chunkFolder, segmentFolder} {
		var names []string
		for name := range seen {
			_, old := known[name]
			if _, bad := a.lists.bad[name]; !old && !bad && strings.HasPrefix(name, folder) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		some, gone, err := a.readDirectories(ctx, names, seen)
		if err != nil || gone {
			return nil, gone, err
		}
		for _, n := range some {
			for _, old := range n.f.replaces {
				known[old] = false
			}
		}
		news = append(news, some...)
	}
	return news, false, nil
}

// readDirectories reads several at once. A damaged file is left out; one of an unknown version is an error.
func (a *Archive) readDirectories(ctx context.Context, names []string, sizes map[string]int64) (out []newcomer, vanished bool, err error) {
	dirs := make([]*directory, len(names))
	errs := make([]error, len(names))
	var g errgroup.Group
	g.SetLimit(readAtOnce)
	for i, name := range names {
		g.Go(func() error {
			dirs[i], errs[i] = readDirectory(ctx, sizes[name], a.rangeOf(name))
			return nil
		})
	}
	_ = g.Wait() // errors are looked at one by one
	for i, name := range names {
		switch {
		case errs[i] == nil:
			out = append(out, newcomer{newFile(name, sizes[name], dirs[i]), dirs[i]})
		case errors.Is(errs[i], fs.ErrNotExist):
			vanished = true
		case errors.Is(errs[i], errCorrupt):
			a.lists.bad[name] = struct{}{}
			a.damage(name, errs[i])
		default:
			return nil, false, fmt.Errorf("read %s: %w", name, errs[i])
		}
	}
	return out, vanished, nil
}

// takeUp makes new files known and forgets vanished ones, all at once. known is from before the listing
// began: what has been added since is not in it and not missing.
func (a *Archive) takeUp(news []newcomer, seen map[string]int64, known map[string]bool, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := map[*file]bool{}
	for name, used := range known {
		_, there := seen[name]
		if there || !full && !strings.HasPrefix(name, segmentFolder) {
			continue
		}
		if f := a.files[name]; used && f != nil {
			gone[f] = true
		}
		if !used {
			delete(a.garbage, name) // somebody has deleted it
		}
	}
	now := a.now()
	for _, n := range news {
		for _, old := range n.f.replaces {
			_, there := seen[old]
			f := a.files[old]
			if f != nil {
				gone[f] = true
			}
			if _, waiting := a.garbage[old]; !waiting && (there || f != nil || a.cfg.Shared && a.opened) {
				a.garbage[old] = garbage{f: f, by: n.f.name, since: now}
			}
		}
	}
	for f := range gone {
		delete(a.files, f.name)
		a.cache.remove(f.name)
	}
	if len(gone) > 0 {
		a.index.removeFiles(gone)
	}
	slices.SortFunc(news, func(x, y newcomer) int { return x.f.compare(y.f) })
	for _, n := range news {
		a.add(n.f, n.d)
	}
}
