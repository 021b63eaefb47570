package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
//   - Replaced segments are there for long, and say nothing. So who knows of enough segments for a chunk lists, every few
//     seconds, the chunks that may have been made of them.
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
	// maxAround is how many lists tell of the chunks about a time at most; else all are listed.
	maxAround = 16
)

// lister lets one listing at a time run, and those who wait for the same one share it.
type lister struct {
	turn   chan struct{} // holds a token while nobody lists
	mu     sync.Mutex
	ticket int64               // guarded by mu; grows with every wish and every listing
	done   [2]int64            // guarded by mu; ticket at which the last listing began: of segments, of all
	full   time.Time           // guarded by turn; when chunks were listed last
	recent time.Time           // guarded by turn; when new ones were
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
	if err := a.relist(ctx, full, nil); err != nil {
		return fmt.Errorf("refresh archive: %w", err)
	}
	return nil
}

// refreshAround is refresh, which also finds chunks of lines that arrived in between: they are named after the arrival of the oldest.
func (a *Archive) refreshAround(ctx context.Context, from, to int64) error {
	around := namedFrom(max(uint64(from)>>recentBits, 1)-1, uint64(to)>>recentBits)
	if len(around) > maxAround || !a.cfg.Shared {
		return a.refresh(ctx, true)
	}
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	if err := a.relist(ctx, false, around); err != nil {
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
	for i := range spans {
		if ok, err := a.follows(ctx, &spans[i]); err != nil {
			return err
		} else if !ok {
			return a.Refresh(ctx)
		}
	}
	return nil
}

// newcomer is a file that was listed and not known, and that no manifest lists, with its directory.
type newcomer struct {
	f *file
	d *directory
}

// listing is what there is, and what was known before it was listed.
type listing struct {
	known    map[string]bool  // names: in use, or (false) waiting for being deleted; without chunks that manifests list
	seen     map[string]int64 // sizes by name; of chunks that manifests list, only those that are watched
	watched  map[string]bool  // if full: chunks of which seen and owned tell, whoever lists them
	owned    map[string]owned // if full: whose the chunks of seen are
	full     bool             // chunks and manifests were listed too
	recent   []string         // if not full: what names of chunks begin with that were listed
	stocks   []*inventory     // if full: manifests that can be read, the largest first
	news     []newcomer
	replaced map[string]*file // segments that fresh chunks of news replace, and that are still there
}

// relist lists files, reads the directories of new ones and takes note of all at once; if not full, of chunks those with names that begin
// as around says. Callers hold turn.
func (a *Archive) relist(ctx context.Context, full bool, around []string) error {
	ctx = hurried(ctx) // whoever asks a question waits for the turn
	a.noteDropped(true)
	defer a.noteDropped(false)
	for n := 0; n < maxRelists; full = true {
		began, now := a.lists.next(), a.now()
		a.noteDropped(true)
		l := &listing{full: full || now.Sub(a.lists.full) >= a.cfg.Grace/3, recent: around}
		l.known = a.known(l.full)
		if err := a.list(ctx, l); err != nil {
			return err
		}
		vanished, err := a.readNew(ctx, l)
		if err != nil {
			return err
		}
		if vanished {
			n++
			continue
		}
		bad, done, err := a.takeUp(ctx, l)
		switch {
		case err != nil:
			return err
		case bad: // and will not be looked at again
			continue
		case !done:
			n++
			continue
		}
		if l.full {
			a.lists.full = now
		}
		a.lists.finished(began, l.full)
		return nil
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "files of the archive vanish as soon as they are listed")
}

// noteDropped begins or ends to take note of chunks of manifests that are dropped.
func (a *Archive) noteDropped(begin bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropped = nil
	if begin {
		a.dropped = []*file{}
	}
}

// known gives the names of files that are in use or wait for being deleted: of all that no manifest lists, or of segments and what waits.
func (a *Archive) known(all bool) map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	files := a.segments
	if all {
		files = a.files
	}
	out := make(map[string]bool, len(files)+len(a.garbage))
	for name := range files {
		out[name] = true
	}
	for name := range a.garbage {
		out[name] = false
	}
	return out
}

// list lists segments, and chunks and manifests too if that is wanted or a segment is gone, which then is in a chunk.
func (a *Archive) list(ctx context.Context, l *listing) error {
	l.seen = map[string]int64{}
	folder := func(prefix string) error {
		for info, err := range a.blobs.List(ctx, prefix) {
			if err != nil {
				return err
			}
			l.seen[info.Name] = info.Size
		}
		return nil
	}
	if err := folder(segmentFolder); err != nil {
		return err
	}
	for name, used := range l.known {
		if _, there := l.seen[name]; used && !there && strings.HasPrefix(name, segmentFolder) {
			l.full = true
		}
	}
	if !l.full {
		l.recent = append(a.recentChunks(), l.recent...)
		for _, prefix := range l.recent {
			if err := folder(prefix); err != nil {
				return err
			}
		}
		return nil
	}
	for name, used := range a.known(true) { // chunks are listed later than segments, and so must be known later
		if _, old := l.known[name]; !old && !strings.HasPrefix(name, segmentFolder) {
			l.known[name] = used
		}
	}
	return folder(manifestFolder) // chunks are listed when it is known what these list
}

// readNew reads the manifests and directories that are not known, those of chunks before those of
// segments, since what a chunk replaces need not be read. vanished tells that a file was gone by then.
func (a *Archive) readNew(ctx context.Context, l *listing) (vanished bool, err error) {
	if l.full {
		if err := a.readManifests(ctx, l); err != nil {
			return false, err
		}
	}
	known := a.known(l.full || len(l.recent) > 0) // again: what has been put since the first time is known now
	if vanished, err := a.knowListed(ctx, l, known); vanished || err != nil {
		return vanished, err
	}
	for _, folder := range []string{chunkFolder, segmentFolder} {
		var names []string
		for name := range l.seen {
			_, old := known[name]
			if _, bad := a.lists.bad[name]; !old && !bad && strings.HasPrefix(name, folder) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		some, gone, err := a.readDirectories(ctx, names, l.seen)
		if err != nil || gone {
			return gone, err
		}
		for _, n := range some {
			for _, old := range n.f.replaces {
				known[old] = false
			}
		}
		l.news = append(l.news, some...)
	}
	if vanished, err = a.findReplaced(ctx, l); vanished || err != nil {
		return vanished, err
	}
	return a.readReplaced(ctx, l)
}

// knowListed adds to what is known the chunks of a listing that manifests list.
func (a *Archive) knowListed(ctx context.Context, l *listing, known map[string]bool) (vanished bool, err error) {
	var stocks []*inventory
	a.mu.Lock()
	for _, s := range a.stocks() {
		stocks = append(stocks, &inventory{stock: s})
	}
	a.mu.Unlock()
	for name := range l.seen {
		if _, old := known[name]; old || !strings.HasPrefix(name, chunkFolder) {
			continue
		}
		if l.full {
			if l.owned[name].v != nil {
				known[name] = true
			}
			continue
		}
		o, err := a.whose(ctx, stocks, name)
		switch {
		case errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist): // listing all tells which manifest it is
			return true, nil
		case err != nil:
			return false, fmt.Errorf("find %s: %w", name, err)
		case o.v != nil:
			known[name] = true
		}
	}
	return false, nil
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
			out = append(out, newcomer{f: newFile(name, sizes[name], dirs[i]), d: dirs[i]})
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

// findReplaced finds out which manifests list the chunks that new ones were written in the place of.
func (a *Archive) findReplaced(ctx context.Context, l *listing) (vanished bool, err error) {
	for _, n := range l.news {
		for _, old := range n.f.replaces {
			if _, there := l.seen[old]; there || !l.full || !strings.HasPrefix(old, chunkFolder) {
				continue
			}
			o, err := a.whose(ctx, l.stocks, old)
			switch {
			case errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist):
				return true, nil
			case err != nil:
				return false, fmt.Errorf("find %s: %w", old, err)
			case o.v != nil:
				l.seen[old], l.owned[old] = o.f.size, o
			}
		}
	}
	return false, nil
}

// takeUp makes new files known and forgets vanished ones, all at once; done is false if what manifests hold
// has changed meanwhile, or one of them cannot be read. What has been added since the listing began is not in known, and not missing.
func (a *Archive) takeUp(ctx context.Context, l *listing) (bad, done bool, err error) {
	a.mu.Lock()
	epoch, stocks := a.epoch, a.stocks()
	if l.full {
		stocks = nil
		for _, v := range l.stocks {
			stocks = append(stocks, v.stock)
		}
	}
	keys := a.keysOfNews(l)
	a.mu.Unlock()
	settled, m, err := a.lookUp(ctx, stocks, keys)
	if m != nil && (errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist)) {
		if a.cfg.Shared && errors.Is(err, fs.ErrNotExist) { // merged into another one since it was listed
			return false, false, nil
		}
		a.lists.bad[m.name] = struct{}{}
		a.damage(m.name, err)
		return true, false, nil
	}
	if err != nil {
		return false, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	late, known := a.late(l, epoch)
	if !known {
		return false, false, nil
	}
	gone := a.missing(l)
	maps.Copy(gone, late)
	a.replace(l, gone)
	if l.full {
		for name, o := range l.owned {
			if _, waiting := a.garbage[name]; waiting || gone[name] {
				o.disown()
			}
		}
		a.register(l)
	}
	for name := range gone {
		if f := a.files[name]; f != nil {
			a.drop(f)
		}
		a.cache.remove(name)
	}
	if len(gone) > 0 {
		a.index.removeFiles(gone)
		for k, h := range settled {
			settled[k] = h.without(gone)
		}
	}
	a.learnEnds(keys, settled)
	a.addNews(l, settled)
	return false, true, nil
}

// missing names the files that are known and were not listed, and those that a lost manifest has listed: their directories have been
// read. Callers hold mu.
func (a *Archive) missing(l *listing) map[string]bool {
	gone := map[string]bool{}
	for name, used := range l.known {
		_, there := l.seen[name]
		if there || !l.full && !strings.HasPrefix(name, segmentFolder) {
			continue
		}
		if used && a.files[name] != nil {
			gone[name] = true
		}
		if !used {
			delete(a.garbage, name) // somebody has deleted it
		}
	}
	for name := range l.watched {
		if _, there := l.seen[name]; !there && strings.HasPrefix(name, chunkFolder) {
			gone[name] = true
		}
	}
	for _, n := range l.news {
		if l.watched[n.f.name] && a.files[n.f.name] == nil {
			gone[n.f.name] = true
		}
	}
	return gone
}

// replace notes which files new chunks replace. Callers hold mu.
func (a *Archive) replace(l *listing, gone map[string]bool) {
	for _, n := range l.news {
		for _, old := range n.f.replaces {
			_, there := l.seen[old]
			f := a.files[old]
			switch {
			case f != nil:
				gone[old] = true
			case l.owned[old].v != nil:
				f = l.owned[old].f.alone()
				gone[old] = true
			default:
				f = l.replaced[old]
			}
			if _, waiting := a.garbage[old]; !waiting && (there || f != nil || a.cfg.Shared && a.opened) {
				a.discard(old, f, n.f)
			}
		}
	}
}

// late takes from the manifests of a listing the chunks that have been dropped since it began, and names them; false: it cannot be
// told whose they are. Callers hold mu.
func (a *Archive) late(l *listing, epoch int64) (late map[string]bool, known bool) {
	late = map[string]bool{}
	if !l.full {
		return late, a.epoch == epoch
	}
	for _, f := range a.dropped {
		o := l.owned[f.name]
		if i := slices.IndexFunc(l.stocks, func(v *inventory) bool { return v.m == f.man }); o.v == nil && i >= 0 && l.stocks[i].live.has(int(f.num)) {
			o = owned{l.stocks[i], f}
		}
		if o.v == nil {
			return nil, false
		}
		o.disown()
		late[f.name] = true
	}
	return late, true
}
