// Package tail follows the log files of a node as they grow, are rotated and vanish.
//
// fsnotify only says where to look; a slow scan of the directory decides what there
// is, so a lost notification costs seconds and no line. A file is its device and
// inode, told from what was there before by its first bytes; its name may change
// while it is read. It is held open until it was read to its end, even after its
// removal.
//
// The checkpoint is what the archive holds: a file is read from where Positions says
// and, once begun, from behind the last span that Ingest took. The tailer keeps no
// text between reads: what was not handed on is read again from the file. A record
// that may go on is held back until the file has been quiet for a while.
//
// Limits: a file that is created, rotated away and removed between two looks (about a
// second with notifications, else Config.Scan) is never seen. While Ingest says
// unavailable nothing is read; a file removed meanwhile is kept by its open handle, but
// files that came and went in that time are lost.
package tail

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"lastnight"
	"lastnight/collector"
)

// Config says what to follow. Dir, Ingester and Positions must be set.
type Config struct {
	Dir       string // laid out as /var/log/pods
	Cluster   string
	Node      string
	Ingester  lastnight.Ingester
	Positions collector.Positions
	Log       *slog.Logger // nil: nothing is logged

	// Skip tells not to read a file now, since nobody would take it; atRisk: rotation has begun to take the file
	// away. It is found, opened and held all the same. nil: everything is read.
	Skip func(atRisk bool) bool
	// Lost is told of the bytes of a generation that were there and could not be read any more; may be nil.
	Lost func(s lastnight.Stream, gen lastnight.Generation, from, to int64, why string)
	// MaxHeld bounds the size of the files that are held open though they were removed; the
	// oldest are let go first. 0: 512 MiB.
	MaxHeld int64

	Interval time.Duration // between two looks at files that changed, and so between two batches; 0: 1 s
	Scan     time.Duration // between two scans of the directory; 0: 10 s
	Quiet    time.Duration // after which a record that may go on is complete; 0: 2 s
	Abandon  time.Duration // after which a line that is not whole comes out as Partial; 0: 30 s
}

// Stats counts what was done since the start.
type Stats struct {
	Files   int   // followed now
	Bytes   int64 // of log files handed on
	Lines   int64
	Batches int64
	Retries int64 // of Ingest, after it was unavailable
	Damaged int64 // lines and files that could not be read as they should
	Behind  int64 // bytes of files that are there and not yet taken
	Held    int64 // bytes of files that were removed and are held open
	Lost    int64 // bytes that were there and could not be read any more
}

const (
	maxHeld    = 512 << 20
	batchBytes = 4 << 20
	readBytes  = 1 << 20
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
	maxTold    = 10_000 // findings remembered, so that each is logged once
)

// Tailer follows one directory.
type Tailer struct {
	cfg     Config
	log     *slog.Logger
	parser  *collector.Parser
	watcher *fsnotify.Watcher // nil: scans only

	// The state of Run, which alone uses it.
	files   map[fileID]*follow
	byPath  map[string]*follow // as of the last scan
	watched map[string]bool
	read    map[fileID]bool                                       // compressed files that were read
	reached map[lastnight.StreamID]map[lastnight.Generation]int64 // what Ingest took in this run
	pending map[generation]int64                                  // what is in the batch
	batch   batch
	rescan  bool
	told    map[string]bool // damages that were logged

	mu    sync.Mutex
	stats Stats // under mu
}

// New makes a tailer; Run does the work.
func New(cfg Config) *Tailer {
	setDefault(&cfg.Interval, time.Second)
	setDefault(&cfg.Scan, 10*time.Second)
	setDefault(&cfg.Quiet, 2*time.Second)
	setDefault(&cfg.Abandon, 30*time.Second)
	if cfg.MaxHeld <= 0 {
		cfg.MaxHeld = maxHeld
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Tailer{
		cfg: cfg, log: log, parser: collector.NewParser(),
		files: map[fileID]*follow{}, watched: map[string]bool{}, read: map[fileID]bool{},
		reached: map[lastnight.StreamID]map[lastnight.Generation]int64{}, told: map[string]bool{}, pending: map[generation]int64{},
	}
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// Stats gives the counts so far; it may be called at any time.
func (t *Tailer) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// Run follows the directory until ctx is done, and then returns nil: what was not
// handed on by then is read again by the next run. It returns an error if the
// ingester refuses a batch for another reason than being unavailable. The directory
// may appear later. Call it once.
func (t *Tailer) Run(ctx context.Context) error {
	if w, err := fsnotify.NewWatcher(); err != nil {
		t.log.Warn("no file notifications, scanning only", "err", err)
	} else {
		t.watcher = w
		defer func() { _ = w.Close() }()
	}
	defer t.closeAll()
	tick := time.NewTicker(t.cfg.Interval)
	defer tick.Stop()
	t.rescan = true
	var scanned time.Time
	for {
		if t.rescan || time.Since(scanned) >= t.cfg.Scan {
			t.rescan, scanned = false, time.Now()
			t.scan()
		}
		if err := t.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if !t.wait(ctx, tick.C) {
			return nil
		}
	}
}

// wait takes notifications until the next tick; false if ctx is done.
func (t *Tailer) wait(ctx context.Context, tick <-chan time.Time) bool {
	var events chan fsnotify.Event
	var errs chan error
	if t.watcher != nil {
		events, errs = t.watcher.Events, t.watcher.Errors
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case e := <-events:
			t.notified(e)
		case err := <-errs:
			if err != nil {
				t.log.Warn("file notifications were lost, scanning", "err", err)
			}
			t.rescan = true
		}
	}
}

// notified marks the file that was written to, or has the directory scanned.
func (t *Tailer) notified(e fsnotify.Event) {
	if e.Op == fsnotify.Write {
		if f := t.byPath[e.Name]; f != nil {
			f.dirty = true
			return
		}
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		delete(t.watched, e.Name) // if it was a directory, its watch is gone
	}
	if e.Op != fsnotify.Chmod {
		t.rescan = true
	}
}

// ingest hands the batch on, waiting as long as the ingester is unavailable, and moves the files' positions.
func (t *Tailer) ingest(ctx context.Context) error {
	if len(t.batch.spans) == 0 {
		return nil
	}
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		err := t.cfg.Ingester.Ingest(ctx, lastnight.Batch{Spans: t.batch.spans})
		if err == nil {
			break
		}
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable {
			return fmt.Errorf("ingest %d spans of %s: %w", len(t.batch.spans), t.cfg.Dir, err)
		}
		if retry == firstRetry {
			t.log.Warn("ingest is unavailable, trying again", "err", err)
		}
		t.mu.Lock()
		t.stats.Retries++
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
	t.mu.Lock()
	t.stats.Batches++
	t.stats.Bytes += t.batch.bytes
	t.stats.Lines += t.batch.lines
	t.mu.Unlock()
	for i := range t.batch.spans {
		t.took(&t.batch.spans[i])
	}
	t.batch = batch{}
	clear(t.pending)
	return nil
}

// took remembers how far a generation is durable.
func (t *Tailer) took(s *lastnight.Span) {
	id := s.Stream.ID()
	if t.reached[id] == nil {
		t.reached[id] = map[lastnight.Generation]int64{}
	}
	t.reached[id][s.Generation] = max(t.reached[id][s.Generation], s.To)
}

// position tells where to read on in a generation.
func (t *Tailer) position(s lastnight.Stream, gen lastnight.Generation) int64 {
	id := s.ID()
	at := max(t.reached[id][gen], t.pending[generation{id, gen}])
	if t.cfg.Positions != nil {
		at = max(at, t.cfg.Positions.Position(s, gen))
	}
	return at
}

// damage counts and logs a finding, each file and reason once: a scan finds it again and again.
func (t *Tailer) damage(d collector.Damage) {
	if t.tell(d) {
		t.countDamage(d.Count)
	}
}

// lineDamage counts damaged lines, and logs each file and reason once.
func (t *Tailer) lineDamage(d collector.Damage) {
	t.tell(d)
	t.countDamage(d.Count)
}

func (t *Tailer) countDamage(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Damaged += n
}

// tell logs a finding unless it did before.
func (t *Tailer) tell(d collector.Damage) bool {
	key := d.File + "\x00" + d.Reason
	if t.told[key] {
		return false
	}
	if len(t.told) >= maxTold {
		clear(t.told)
	}
	t.told[key] = true
	t.log.Warn("log file damaged", "file", d.File, "offset", d.Offset, "reason", d.Reason, "lines", d.Count)
	return true
}

// generation is a file of a stream.
type generation struct {
	stream lastnight.StreamID
	gen    lastnight.Generation
}

// batch is what goes into the next Ingest.
type batch struct {
	spans []lastnight.Span
	bytes int64
	lines int64
}
