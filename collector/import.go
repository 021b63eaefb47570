package collector

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/collector/kube"
)

const (
	batchBytes  = 8 << 20 // of log files handed on at once: enough for a chunk of its own
	batchSpans  = 1024
	batchEvents = 2000
	freeBytes   = 10 << 20 // blocks kept for reuse, in bytes of log files and in number
	freeBlocks  = 128
)

// Import reads a directory once: a recorded case, a directory laid out as
// /var/log/pods, or one that has several of these below it. Pods are handed on
// first, then the lines of each stream oldest first, the streams of a workload one after the other
// (what is new to it must not depend on which was quicker), several workloads at once, then
// events. It returns when everything is durable; an error means that the ingester
// refused something, ctx was done, or dir is none of these. An empty directory is no
// error, only Damage. Importing again changes nothing.
func Import(ctx context.Context, cfg Config, dir string) (Stats, error) {
	im := &importer{cfg: cfg}
	if err := statRoot(dir); err != nil {
		return Stats{}, err
	}
	t := &tree{damage: im.damage, seen: map[string]bool{}}
	t.search(dir, cfg.Node, maxSearchDepth)
	switch empty := len(t.files) == 0 && len(t.cases) == 0; {
	case !empty || im.result().Damaged > 0:
	case !t.strange:
		im.damage(Damage{File: dir, Reason: "has no pod logs and no recorded objects", Count: 1})
	default:
		return im.result(), lastnight.Errorf(lastnight.CodeInvalid,
			"it should have nodes/NODE/var/log/pods, or NAMESPACE_POD_UID directories as in /var/log/pods",
			"%s has no pod logs and no recorded objects", dir)
	}
	err := im.run(ctx, t)
	return im.result(), err
}

// importer is one run of Import.
type importer struct {
	cfg Config

	files, held, bytes, lines, records, pods, events atomic.Int64

	mu      sync.Mutex
	damaged int64    // under mu
	damages []Damage // under mu
}

func (im *importer) run(ctx context.Context, t *tree) error {
	d := kube.NewDecoder(im.cfg.Cluster)
	for _, dir := range t.cases {
		im.objects(ctx, d, dir)
	}
	pods, events := d.Pods(), d.Events()
	if err := ingest(ctx, im.cfg.Ingester, lastnight.Batch{Pods: pods}); err != nil {
		return err
	}
	im.pods.Add(int64(len(pods)))
	if err := im.streams(ctx, byWorkload(byStream(t.files), pods)); err != nil {
		return err
	}
	for len(events) > 0 {
		n := min(len(events), batchEvents)
		if err := ingest(ctx, im.cfg.Ingester, lastnight.Batch{Events: events[:n]}); err != nil {
			return err
		}
		im.events.Add(int64(n))
		events = events[n:]
	}
	return ctx.Err()
}

// streams reads the streams, those of each workload by one worker: a generation that has
// two names is in one stream, so it is never read twice at once.
func (im *importer) streams(ctx context.Context, workloads [][][]File) error {
	workers := im.cfg.Workers
	if workers <= 0 {
		workers = min(runtime.GOMAXPROCS(0), 8)
	}
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan [][]File)
	g.Go(func() error {
		defer close(next)
		for _, streams := range workloads {
			select {
			case next <- streams:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() (err error) {
			w := &worker{im: im, ahead: len(workloads) < workers}
			defer func() { err = errors.Join(err, w.settle()) }()
			for streams := range next {
				for _, files := range streams {
					if err := w.stream(ctx, files); err != nil {
						return err
					}
				}
			}
			return w.flush(ctx)
		})
	}
	return g.Wait()
}

// byWorkload groups streams by what their pods belong to, in the order of the first of each.
func byWorkload(streams [][]File, pods []lastnight.Pod) [][][]File {
	type name struct{ namespace, name, uid string }
	known := make(map[name]*lastnight.Pod, len(pods))
	for i := range pods {
		p := &pods[i]
		known[name{p.Namespace, p.Name, p.UID}] = p
	}
	var groups [][][]File
	at := map[[2]string]int{}
	for _, files := range streams {
		s := &files[0].Stream
		p := known[name{s.Namespace, s.Pod, s.PodUID}]
		if p == nil {
			p = &lastnight.Pod{Namespace: s.Namespace, Name: s.Pod, UID: s.PodUID}
		}
		key := [2]string{s.Namespace, lastnight.WorkloadOf(p).Name}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], files)
	}
	return groups
}

// damage counts a finding and tells of it.
func (im *importer) damage(d Damage) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.damaged += d.Count
	if len(im.damages) < maxDamages {
		im.damages = append(im.damages, d)
	}
	if im.cfg.OnDamage != nil {
		im.cfg.OnDamage(d)
	}
}

func (im *importer) result() Stats {
	im.mu.Lock()
	defer im.mu.Unlock()
	return Stats{
		Files: im.files.Load(), Held: im.held.Load(), Bytes: im.bytes.Load(), Lines: im.lines.Load(),
		Records: im.records.Load(), Pods: im.pods.Load(), Events: im.events.Load(),
		Damaged: im.damaged, Damages: im.damages,
	}
}

// worker reads streams one after another and collects their spans in batches.
type worker struct {
	im     *importer
	reader Reader
	spans  []lastnight.Span
	blocks []*Block
	bytes  int64
	free   []*Block
	room   int // bytes of free

	ahead bool // a batch is read while the one before is handed on: for workers that would be idle
	lent  []*Block
	taken chan error // of the batch that is handed on, with the lent blocks; nil: none
}

// stream reads the files of one stream.
func (w *worker) stream(ctx context.Context, files []File) error {
	stream := files[0].Stream
	stream.Cluster = w.im.cfg.Cluster
	reached := map[lastnight.Generation]int64{} // how far generations were read in this run
	w.reader.Damage = w.im.damage
	w.reader.NewBlock = w.block
	w.reader.Position = func(gen lastnight.Generation) int64 {
		at := reached[gen]
		if w.im.cfg.Positions != nil {
			at = max(at, w.im.cfg.Positions.Position(stream, gen))
		}
		return at
	}
	emitted := false
	w.reader.Emit = func(gen lastnight.Generation, b *Block) error {
		emitted = true
		reached[gen] = max(reached[gen], b.To)
		return w.add(ctx, b, b.Span(&stream, gen))
	}
	for _, f := range files {
		emitted = false
		if err := w.reader.Read(ctx, f.Path); err != nil {
			return err
		}
		if emitted {
			w.im.files.Add(1)
		} else {
			w.im.held.Add(1)
		}
	}
	return nil
}

// block gives a block with room for n bytes: a used one of about that size, else a new one of just that size.
func (w *worker) block(n int) *Block {
	for i, b := range slices.Backward(w.free) {
		if cap(b.Raw) >= n && cap(b.Raw)/4 <= n {
			w.free = slices.Delete(w.free, i, i+1)
			w.room -= cap(b.Raw)
			return b
		}
	}
	return &Block{Raw: make([]byte, 0, n)}
}

func (w *worker) add(ctx context.Context, b *Block, span lastnight.Span) error {
	w.spans = append(w.spans, span)
	w.blocks = append(w.blocks, b)
	w.bytes += int64(len(b.Raw))
	w.im.bytes.Add(span.RawBytes)
	w.im.lines.Add(b.Lines)
	w.im.records.Add(int64(len(b.Records)))
	if w.bytes < batchBytes && len(w.spans) < batchSpans {
		return nil
	}
	return w.flush(ctx)
}

// flush hands the batch on and takes its blocks back, or those of the batch before.
func (w *worker) flush(ctx context.Context) error {
	if err := w.settle(); err != nil || len(w.spans) == 0 {
		return err
	}
	spans, taken := w.spans, make(chan error, 1)
	w.lent, w.taken = w.blocks, taken
	w.spans, w.blocks, w.bytes = nil, nil, 0
	if w.ahead {
		go func() { taken <- ingest(ctx, w.im.cfg.Ingester, lastnight.Batch{Spans: spans}) }()
		return nil
	}
	taken <- ingest(ctx, w.im.cfg.Ingester, lastnight.Batch{Spans: spans})
	return w.settle()
}

// settle waits for the batch that is handed on and takes its blocks back.
func (w *worker) settle() error {
	if w.taken == nil {
		return nil
	}
	err := <-w.taken
	w.taken = nil
	for _, b := range w.lent {
		if cap(b.Raw) <= 2*blockBytes {
			w.free = append(w.free, b)
			w.room += cap(b.Raw)
		}
		for w.room > freeBytes || len(w.free) > freeBlocks { // those of a size that is no longer asked for go
			w.room -= cap(w.free[0].Raw)
			w.free = slices.Delete(w.free, 0, 1)
		}
	}
	w.lent = nil
	return err
}
