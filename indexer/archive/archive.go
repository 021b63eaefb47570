// Package archive keeps every line, compressed, in immutable files of a blob store,
// and finds them again: by stream and range, by time, by words.
//
// # What
//
// Append writes what has just arrived into a segment, durable on return, much of a job in columns; a large part of an
// import becomes a chunk at once. Compact turns segments into chunks: the records of one job side by side, cut into columns. Both kinds
// have a directory (streams with their byte ranges, times, counts) and word filters,
// so that a search skips most of them. Manifests list many chunks, so that few files are read to open
// an archive of any size. See docs/formats/segment.md, chunk.md and manifest.md.
//
// # Once
//
// A line is named by stream, generation and offset. Every file says which byte ranges it
// holds; where several hold the same, the oldest file's is read, and a whole line
// before a partial one. So sending twice, or crashing anywhere, doubles nothing. A chunk
// lists the segments that it replaces; those are ignored from the moment it exists.
//
// # Failing
//
// A part whose checksum does not match is skipped, counted (Damaged) and logged with file
// and offset; everything else stays readable. A full disk makes Append fail with
// CodeUnavailable and leaves nothing half-visible.
//
// # Limits
//
// One process writes at a time, unless all who do say so (Config.Shared). In memory are what no manifest lists yet with its byte
// ranges, byte ranges of what is held twice, where what manifests list ends (of up to
// 131,072 files), and a cache of directories, filters and parts of manifests (Config.CacheBytes): about a byte of each chunk that
// manifests list.
package archive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lastnight"
)

const (
	segmentFolder = "segments/"
	chunkFolder   = "chunks/"

	defaultCacheBytes = 32 << 20
	defaultChunkBytes = 64 << 20

	defaultDirectBytes    = 4 << 20
	defaultColumnBytes    = 1 << 20
	defaultManifestChunks = 64
)

// Config says how to open an archive.
type Config struct {
	Blobs      Blobs        // required
	Logger     *slog.Logger // nil: silent
	CacheBytes int64        // for directories and filters; 0: 32 MiB
	ChunkBytes int64        // bytes of raw logs that one chunk file is made of at most, roughly; 0: 64 MiB
	// DirectBytes is from how many bytes of raw logs on what is appended at once becomes a chunk without having been a
	// segment; 0: 4 MiB. An import hands on whole files, which nothing that comes later would join.
	DirectBytes int64
	// ColumnBytes is from how many bytes of text on a job has blocks of columns in a segment, which a chunk takes over as
	// they are; 0: 1 MiB. Small blocks make large chunks.
	ColumnBytes int64
	// ManifestChunks is how many chunks that no manifest lists make a new one; 0: 64.
	ManifestChunks int
	Now            func() time.Time

	// Ready tells whether a segment may go into a chunk: whether all that is derived from it segment by segment has
	// been. nil: any may.
	Ready func(ctx context.Context, segment string) (bool, error)

	// Shared says that other processes put and remove files in Blobs too: see Refresh. Searches then begin
	// with a list of the segments, and replaced files are deleted only by Compact and Retain, after Grace.
	Shared bool
	Grace  time.Duration // 0: 15 min. The same for all who share; longer than queries run

	// UpkeepBytes is how many bytes a second CompactDue and Retain read and write at most, a request counting 64 KiB at
	// least; faster only as far as the segments that wait beyond a chunk's worth, read and written, would take more than a
	// second. 0: 16 MiB; below 0: no bound.
	UpkeepBytes int64
}

// Archive is an open archive. All methods may be called at once.
type Archive struct {
	cfg   Config
	blobs Blobs
	pace  *pace
	log   *slog.Logger
	now   func() time.Time
	nonce string // names of this process's files do not meet another's

	mu       sync.Mutex
	files    map[string]*file   // guarded by mu; those that no manifest lists: few
	segments map[string]*file   // guarded by mu; those of files that are no chunks
	index    *index             // guarded by mu
	garbage  map[string]garbage // guarded by mu; by name
	discards int64              // guarded by mu; how often a file became garbage
	pins     map[*pin]struct{}  // guarded by mu; queries that are running
	arrival  int64              // guarded by mu; of the last segment, ns

	manifests []*manifest    // guarded by mu; the slice is immutable
	epoch     int64          // guarded by mu; grows when it changes what manifests hold
	ends      map[genKey]end // guarded by mu; of this epoch
	dropped   []*file        // guarded by mu; chunks of manifests that were dropped since a listing began; nil: there is none

	opened bool // set once, at the end of Open
	lists  *lister

	tools    chan *tools // at most two idle sets; see borrow
	slabs    slabPool
	maint    sync.Mutex // held by Compact and Retain
	retained retained   // guarded by maint
	chunks   int        // guarded by maint; chunks made
	cache    *cache
	damaged  atomic.Int64
	told     sync.Map // damaged places already logged
}

// garbage is a blob that is to be deleted once nobody reads it.
type garbage struct {
	f     *file     // nil: it never was open
	nth   int64     // discards, with this one
	by    string    // the chunk that has its lines, which must outlive it; "" if it is to go for good
	since time.Time // when this process learnt that nobody needs it any more
	until time.Time // whoever follows what arrives may read it till then; zero: nobody does
}

// Open reads the directories of all files and removes what crashes have left.
func Open(ctx context.Context, cfg Config) (*Archive, error) {
	if cfg.Blobs == nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the archive needs a blob store")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = defaultCacheBytes
	}
	if cfg.ChunkBytes == 0 {
		cfg.ChunkBytes = defaultChunkBytes
	}
	if cfg.ManifestChunks == 0 {
		cfg.ManifestChunks = defaultManifestChunks
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.UpkeepBytes == 0 {
		cfg.UpkeepBytes = defaultUpkeepBytes
	}
	if cfg.DirectBytes == 0 {
		cfg.DirectBytes = defaultDirectBytes
	}
	if cfg.ColumnBytes == 0 {
		cfg.ColumnBytes = defaultColumnBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var nonce [4]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, fmt.Errorf("name the writer: %w", err)
	}
	a := &Archive{
		cfg: cfg, log: cfg.Logger, now: cfg.Now, nonce: hex.EncodeToString(nonce[:]),
		files: map[string]*file{}, segments: map[string]*file{}, index: newIndex(), garbage: map[string]garbage{}, pins: map[*pin]struct{}{},
		tools: make(chan *tools, 2), cache: newCache(cfg.CacheBytes), lists: newLister(),
	}
	a.pace = newPace(cfg.UpkeepBytes, a.waiting)
	a.blobs = pacedBlobs{cfg.Blobs, a.pace}
	<-a.lists.turn
	err := a.relist(ctx, true, nil)
	a.lists.turn <- struct{}{}
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	a.opened = true
	if !cfg.Shared {
		a.sweep(ctx)
	}
	return a, nil
}

// addFile takes up a file that has just been put, and forgets the inputs that it was made of. If it
// fails, the file is as one whose put was not answered: it is found when the archive is opened again.
func (a *Archive) addFile(ctx context.Context, f *file, d *directory, inputs []input) error {
	ctx = context.WithoutCancel(ctx)
	for {
		a.mu.Lock()
		epoch, keys := a.epoch, a.behind(d)
		a.mu.Unlock()
		if err := a.findInputs(ctx, inputs); err != nil {
			return err
		}
		settled, err := a.settled(ctx, keys)
		if err != nil {
			return err
		}
		a.mu.Lock()
		if a.epoch == epoch {
			a.learnEnds(keys, settled)
			a.forget(inputs, f)
			if len(inputs) > 0 && inputs[0].f.kind == kindChunk { // no manifest lists a segment
				withoutInputs(settled, inputs)
			}
			a.add(f, d, settled)
			a.mu.Unlock()
			return nil
		}
		a.mu.Unlock()
	}
}

// withoutInputs takes from what chunks of manifests hold what files hold that are gone.
func withoutInputs(settled map[genKey]*held, inputs []input) {
	gone := map[string]bool{}
	for _, in := range inputs {
		gone[in.f.name] = true
	}
	for k, h := range settled {
		settled[k] = h.without(gone)
	}
}

// add takes up a file that no manifest lists, unless a listing has found it already, or found it replaced.
// Callers hold mu.
func (a *Archive) add(f *file, d *directory, settled map[genKey]*held) {
	if _, replaced := a.garbage[f.name]; replaced || a.files[f.name] != nil {
		return
	}
	a.files[f.name] = f
	if f.kind == kindSegment {
		a.segments[f.name] = f
	}
	a.index.add(f, d, settled)
	a.arrival = max(a.arrival, f.newest)
	a.cache.put(f.name, d, d.size())
}

// drop takes a file out; it is as the manifests are now, see findInputs. Its ranges are still in the index. Callers hold mu.
func (a *Archive) drop(f *file) {
	delete(a.files, f.name)
	delete(a.segments, f.name)
	if f.man == nil || !f.man.live.has(int(f.num)) {
		return
	}
	f.man.live = f.man.live.without(int(f.num))
	f.man.sums.add(f, -1)
	a.changed()
	if a.dropped != nil {
		a.dropped = append(a.dropped, f)
	}
}

// sweep deletes what has been replaced and is read by nobody, as soon as it is no longer fresh; where others may read it, after Grace.
// What cannot be deleted now stays in garbage: it is ignored, and tried again.
func (a *Archive) sweep(ctx context.Context) {
	a.mu.Lock()
	var names []string
	now := a.now()
	for name, g := range a.garbage {
		if !a.pinned(&g) && !now.Before(g.until) && (!a.cfg.Shared || now.Sub(g.since) >= a.cfg.Grace) {
			names = append(names, name)
		}
	}
	a.mu.Unlock()
	slices.Sort(names)
	for _, name := range names {
		if a.pace.wait(ctx, 0) != nil {
			return
		}
		a.deleteGarbage(ctx, name)
	}
}

// deleteGarbage deletes one file. Others wait for the turn, questions too, so it is taken for each anew.
func (a *Archive) deleteGarbage(ctx context.Context, name string) {
	<-a.lists.turn // or what is being deleted would be found by a listing, and taken up as new
	defer func() { a.lists.turn <- struct{}{} }()
	if err := a.blobs.Delete(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.WarnContext(ctx, "delete of a file that is no longer needed failed; trying again later", "file", name, "err", err)
		return
	}
	a.mu.Lock()
	delete(a.garbage, name)
	a.mu.Unlock()
}

// damage counts and logs a damaged place, once.
func (a *Archive) damage(name string, err error) {
	a.damaged.Add(1)
	if _, again := a.told.LoadOrStore(name+err.Error(), true); !again {
		a.log.Error("damaged file in the archive; skipping that part", "file", name, "err", err)
	}
}

// Damaged tells how many parts were found damaged since Open, one found twice counting twice.
func (a *Archive) Damaged() int64 { return a.damaged.Load() }

func (a *Archive) rangeOf(name string) ranger {
	return func(ctx context.Context, off, n int64) ([]byte, error) { return a.blobs.Get(ctx, name, off, n) }
}

// directory gives a file's directory, from the cache or read anew.
func (a *Archive) directory(ctx context.Context, f *file) (*directory, error) {
	if d, ok := a.cache.get(f.name).(*directory); ok {
		return d, nil
	}
	d, err := readDirectory(ctx, f.size, a.rangeOf(f.name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	a.cache.put(f.name, d, d.size())
	return d, nil
}

// positionTime is how long Position may look for an answer, which no caller has a context for.
const positionTime = 10 * time.Second

// Position gives the offset up to which every line of a generation is held, from 0 on; 0 if none is, or
// that cannot be told now: then lines are sent that Trim removes. In a shared archive it is what is known
// here since the last Refresh.
func (a *Archive) Position(s lastnight.Stream, g lastnight.Generation) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), positionTime)
	defer cancel()
	h, err := a.heldOf(ctx, genKey{streamNumber(s.ID()), g})
	if err != nil {
		a.log.WarnContext(ctx, "look up how much of a file is held failed; it is sent again", "err", err)
	}
	if h == nil {
		return 0
	}
	r, _ := h.all.at(0)
	return r.to
}

// Close waits for nothing and frees what the archive holds in memory. Iterators must be done.
func (a *Archive) Close() error { return nil }
