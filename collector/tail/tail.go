// Package tail follows the log files of a node as they grow, are rotated and vanish.
//
//	inotify ─▶ which directory ─┐
//	slow scan ─▶ all of them ───┴▶ list, open, hold ─▶ poll ─▶ read a block in turn ─▶ batch ─▶ Ingester
//
// Notifications only say which directory to list; a slow scan lists them all, so that a lost
// notification, a full queue or no inotify at all costs seconds and no line. Files are opened when they are first
// seen and held. What a directory lists is looked at while a batch is on its way, too: a slow server costs no file.
// Growth is found by asking the open files for their size, a few times a second: a notification for each line
// that a pod writes costs more than reading it (docs/adr/0012).
//
// A file is its device and inode, told from what was there before by its first bytes; its name may change while it
// is read. Once it has no name it is held open until it was read to its end, within MaxHeld for all such files.
// Of a container's files the oldest is read first; among containers those with little to read come first,
// and the others take turns of a batch, so that a flood delays nobody but itself.
//
// The checkpoint is what the archive holds: a file is read from where Positions says
// and, once begun, from behind what went into a batch. The tailer keeps no
// text between reads: what was not handed on is read again from the file. A record
// that may go on is held back until the file has been quiet for a while.
//
// Loss is measured: bytes of a file that was let go, truncated or is damaged are told to Config.Lost when no other
// file (a copy, a .gz) has brought them. What came and went between two looks at a directory (milliseconds with
// notifications, else Config.Scan), or while this process was not running, nobody saw: it is not measured.
package tail

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

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
	// Redact masks what must not leave the node; nil: nothing is masked.
	Redact collector.Redactor

	// Skip tells not to read a file now, since nobody would take it; atRisk: rotation has begun to take the file
	// away. It is found, opened and held all the same. nil: everything is read.
	Skip func(atRisk bool) bool
	// Lost is told of the bytes of a generation that were there and could not be read any more; may be nil.
	Lost func(s lastnight.Stream, gen lastnight.Generation, from, to int64, why string)
	// MaxHeld bounds the size of the files that are held open though they were removed; the
	// oldest are let go first. 0: 512 MiB.
	MaxHeld int64
	// MaxOpen bounds the files held open; beyond it those that were read to their end are closed, and opened again
	// when they grow. 0: the process's limit less 256, at most 16,384.
	MaxOpen int
	// RateLimit bounds the bytes read of one pod in a second; what is beyond it waits in its files. 0: no limit.
	RateLimit int64

	Interval time.Duration // between two looks at files, and so between two batches; 0: 1 s
	Scan     time.Duration // between two scans of the directory; 0: 10 s
	Quiet    time.Duration // after which a record that may go on is complete; 0: 2 s
	Abandon  time.Duration // after which a line that is not whole comes out as Partial; 0: 30 s
}

// Stats counts what was done since the start.
type Stats struct {
	Files     int           // followed now
	Open      int           // of these, with an open descriptor
	Unwatched int           // directories without notifications: they are scanned
	Scans     int64         // of all directories
	Bytes     int64         // of log files handed on
	Lines     int64         //
	Batches   int64         //
	Retries   int64         // of Ingest, after it was unavailable
	Damaged   int64         // lines and files that could not be read as they should
	Behind    int64         // bytes of files that are there and not yet taken
	AtRisk    int64         // of these, in files that rotation has renamed or removed: they will be lost next
	Lag       time.Duration // how long the file that waits the longest has had something to read
	Held      int64         // bytes of files that were removed and are held open, until what was read of them is safe
	Lost      int64         // bytes that were there and could not be read any more
	Limited   int64         // bytes that waited since their pod was above the rate limit, counted once each time it began to wait
	Redacted  int64         // places that were masked
}

const (
	defaultHeld = 512 << 20
	batchBytes  = 2 << 20
	batchSpans  = 1024
	blockBytes  = 512 << 10
	quickBytes  = 64 << 10 // a container with less to read goes before those with more
	firstRetry  = 100 * time.Millisecond
	lastRetry   = 30 * time.Second
	maxTold     = 10_000 // findings remembered, so that each is logged once
)

// Tailer follows one directory.
type Tailer struct {
	cfg    Config
	log    *slog.Logger
	parser *collector.Parser

	// The state of Run, which alone uses it.
	containers map[string]*container // by directory
	pods       map[string]*pod       // by directory
	finder     finder
	quick      []*container // to be read, those with little to read
	bulk       []*container // to be read in turns
	batch      batch        // being filled
	number     int64        // of the batch being filled
	taken      int64        // number of the last batch that was taken
	sent       chan sent    // answers of Ingest; one at most
	sending    bool
	blocks     blocks
	missing    []missing
	told       map[string]bool // damages that were logged
	warned     time.Time       // when a loss to come was last warned of

	mu    sync.Mutex
	stats Stats // under mu
}

// sent is what came of a batch.
type sent struct {
	batch batch
	err   error
}

// New makes a tailer; Run does the work.
func New(cfg Config) *Tailer {
	setDefault(&cfg.Interval, time.Second)
	setDefault(&cfg.Scan, 10*time.Second)
	setDefault(&cfg.Quiet, 2*time.Second)
	setDefault(&cfg.Abandon, 30*time.Second)
	if cfg.MaxHeld <= 0 {
		cfg.MaxHeld = defaultHeld
	}
	if cfg.MaxOpen <= 0 {
		cfg.MaxOpen = defaultOpen()
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Tailer{
		cfg: cfg, log: log, parser: collector.NewParser(),
		containers: map[string]*container{}, pods: map[string]*pod{},
		sent: make(chan sent, 1), told: map[string]bool{}, number: 1,
	}
	t.parser.Redact = cfg.Redact
	t.finder = finder{open: newNotifier}
	return t
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
	t.finder.start(t)
	defer t.closeAll()
	tick := time.NewTicker(t.cfg.Interval)
	defer tick.Stop()
	t.scanIfDue(time.Now())
	t.poll(time.Now())
	for {
		t.fill(ctx)
		select {
		case <-ctx.Done():
			if t.sending {
				<-t.sent // it ends with ctx
			}
			return nil
		case now := <-tick.C:
			t.scanIfDue(now)
			t.poll(now)
		case dirs := <-t.finder.changed():
			t.list(dirs)
		case s := <-t.sent:
			if err := t.done(ctx, s); err != nil {
				return err
			}
		}
	}
}

// fill reads into the batch until it is full or nothing is left to read, and sends it unless another is on its way.
func (t *Tailer) fill(ctx context.Context) {
	for !t.batch.full() && ctx.Err() == nil {
		c := t.next()
		if c == nil {
			break
		}
		if t.readNext(ctx, c) {
			c.queued = true
			if t.batch.full() {
				t.bulk = append(t.bulk, c)
			} else { // its turn lasts until then: much of one stream is cheaper to store than a little of many
				t.bulk = slices.Insert(t.bulk, 0, c)
			}
		}
		if !t.batch.full() {
			t.takeNotifications()
		}
	}
	if t.sending || len(t.batch.spans) == 0 {
		return
	}
	b := t.batch
	t.batch = batch{}
	t.number++
	t.sending = true
	go func() { t.sent <- sent{b, t.ingest(ctx, b.spans)} }()
}

// takeNotifications lists directories that changed while there is much to read.
func (t *Tailer) takeNotifications() {
	select {
	case dirs := <-t.finder.changed():
		t.list(dirs)
	default:
	}
}

// next takes the container whose turn it is; nil if none has anything to read.
func (t *Tailer) next() *container {
	queue := &t.quick
	if len(t.quick) == 0 {
		queue = &t.bulk
	}
	if len(*queue) == 0 {
		return nil
	}
	c := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	c.queued = false
	return c
}

// ingest hands spans on, waiting as long as the ingester is unavailable. It runs beside Run.
func (t *Tailer) ingest(ctx context.Context, spans []lastnight.Span) error {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		err := t.cfg.Ingester.Ingest(ctx, lastnight.Batch{Spans: spans})
		if err == nil {
			return nil
		}
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable {
			return fmt.Errorf("ingest %d spans of %s: %w", len(spans), t.cfg.Dir, err)
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
}

// done counts a batch that was taken, and takes its memory back.
func (t *Tailer) done(ctx context.Context, s sent) error {
	t.sending = false
	if s.err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return s.err
	}
	t.mu.Lock()
	t.stats.Batches++
	t.stats.Bytes += s.batch.bytes
	t.stats.Lines += s.batch.lines
	t.stats.Redacted += s.batch.redacted
	t.mu.Unlock()
	t.taken++
	t.blocks.put(s.batch.blocks)
	return nil
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

// batch is what goes into one Ingest.
type batch struct {
	spans    []lastnight.Span
	blocks   []*collector.Block // their memory
	bytes    int64
	lines    int64
	redacted int64
}

func (b *batch) full() bool { return b.bytes >= batchBytes || len(b.spans) >= batchSpans }

// blocks is memory for reading that is used again.
type blocks []*collector.Block

// maxFree is how many blocks are kept: those of a batch being filled and of one on its way.
const maxFree = 2*batchBytes/blockBytes + 2

// get gives a block with room for n bytes.
func (b *blocks) get(n int) *collector.Block {
	if last := len(*b) - 1; last >= 0 && n > blockBytes/8 {
		x := (*b)[last]
		if cap(x.Raw) >= n {
			*b = (*b)[:last]
			return x
		}
	}
	if n > blockBytes/8 && n < blockBytes {
		return &collector.Block{Raw: make([]byte, 0, blockBytes)}
	}
	return &collector.Block{Raw: make([]byte, 0, n)}
}

func (b *blocks) put(used []*collector.Block) {
	for _, x := range used {
		if len(*b) < maxFree && cap(x.Raw) >= blockBytes/8 && cap(x.Raw) <= 2*blockBytes {
			*b = append(*b, x)
		}
	}
}
