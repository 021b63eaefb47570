package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"time"

	"lastnight"
)

const (
	// blockRaw is how much text a block of a chunk has, roughly: enough for columns to be worth it,
	// little enough to decode for one hit.
	blockRaw = 4 << 20
	// batchRaw is how many bytes of raw logs compaction holds at once, roughly: the text of a block.
	batchRaw = 5 << 20
	// compactAge is when segments are compacted though they are few.
	compactAge = time.Hour
	// compactFiles is when segments are compacted though they are small.
	compactFiles = 2048
	// compactTurn is when CompactDue returns although there is more to do: retention has its turn, too, however fast lines arrive.
	compactTurn = time.Minute
)

// Compact turns all segments into chunks. It holds about batchRaw of logs at a time and one
// chunk file, whatever there is to do. Queries go on meanwhile. It may be stopped or
// killed anywhere: a chunk is there as a whole or not at all, and only once it is there
// are its segments ignored and deleted. Damaged segments stay as they are. Nobody is expected to follow what arrives
// then: fresh segments are deleted too.
func (a *Archive) Compact(ctx context.Context) error { return a.compact(ctx, true) }

// CompactDue is Compact for being called every few seconds: it leaves segments alone
// until a whole chunk can be made of them, or they are an hour old. Fresh segments stay for those who follow what arrives. It reads and writes
// no faster than Config.UpkeepBytes allows, and returns after a minute or so though there is more to do.
func (a *Archive) CompactDue(ctx context.Context) error { return a.compact(paced(ctx), false) }

// Ripe tells whether there are segments enough for a chunk, so that CompactDue is worth calling.
func (a *Archive) Ripe() bool { return a.enough(a.nextRun(nil)) }

// Uncompacted tells how many segments there are that no chunk has taken the place of yet, and how many bytes of logs these
// stand for.
func (a *Archive) Uncompacted() (segments int, raw int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.segments {
		raw += f.raw
	}
	return len(a.segments), raw
}

// enough tells whether a whole chunk can be made of segments.
func (a *Archive) enough(run []*file) bool {
	var raw int64
	for _, f := range run {
		raw += f.raw
	}
	return raw >= a.cfg.ChunkBytes || len(run) >= compactFiles
}

// compact compacts all that is ready, or as long as it is due.
func (a *Archive) compact(ctx context.Context, all bool) error {
	a.maint.Lock()
	defer a.maint.Unlock()
	if err := a.refresh(ctx, false); err != nil {
		return err
	}
	a.sweep(ctx)
	began := a.now()
	for vanished := 0; ; {
		var run []*file
		if all || a.now().Sub(began) < compactTurn {
			var err error
			if run, err = a.readyRun(ctx, all); err != nil {
				return err
			}
		}
		if len(run) == 0 {
			if all {
				a.stale()
				a.sweep(ctx)
			}
			if err := a.settle(ctx); err != nil && !errors.Is(err, errManifestLost) {
				return fmt.Errorf("list chunks in manifests: %w", err)
			}
			return nil
		}
		bad, err := a.compactRun(ctx, run)
		switch {
		case a.cfg.Shared && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, errForestalled)) && vanished < maxRelists:
			vanished++ // somebody else compacts
			if err := a.refresh(ctx, true); err != nil {
				return err
			}
		case errors.Is(err, errCorrupt) && bad != nil:
			a.damage(bad.name, err)
			a.mu.Lock()
			bad.skip = true
			a.mu.Unlock()
		case err != nil:
			return fmt.Errorf("compact %d segments from %s on: %w", len(run), run[0].name, err)
		}
	}
}

// readyRun gives the segments of the next chunk, of those that Config.Ready lets go into one; none if it is not due,
// though all are to be compacted.
func (a *Archive) readyRun(ctx context.Context, all bool) ([]*file, error) {
	unready := map[*file]bool{}
	for {
		run := a.nextRun(unready)
		if len(run) == 0 || !all && !a.enough(run) && a.now().Sub(nsTime(run[0].arrived)) < compactAge {
			return nil, nil
		}
		ready := true
		for _, f := range run {
			ok, err := a.ready(ctx, f)
			if err != nil {
				return nil, err
			}
			if !ok {
				unready[f], ready = true, false
			}
		}
		if ready {
			return run, nil
		}
	}
}

// ready tells whether Config.Ready lets a file go into a chunk.
func (a *Archive) ready(ctx context.Context, f *file) (bool, error) {
	if f.done || a.cfg.Ready == nil {
		return true, nil
	}
	ok, err := a.cfg.Ready(ctx, f.name)
	if err != nil {
		return false, fmt.Errorf("may %s be compacted: %w", f.name, err)
	}
	f.done = ok
	return ok, nil
}

// nextRun gives the oldest segments, as many as make a chunk, without some.
func (a *Archive) nextRun(without map[*file]bool) []*file {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*file
	for _, f := range a.segments {
		if !f.skip && !without[f] {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, (*file).compare)
	var raw int64
	for i, f := range all {
		if raw += f.raw; raw >= a.cfg.ChunkBytes || i+1 == compactFiles {
			return all[:i+1]
		}
	}
	return all
}

// compactRun makes one chunk of the files. If a file is damaged it is the first result.
func (a *Archive) compactRun(ctx context.Context, run []*file) (bad *file, err error) {
	f, bad, err := a.chunkOf(ctx, run, nil)
	if err != nil {
		return bad, err
	}
	a.log.InfoContext(ctx, "compacted segments into a chunk", "file", f.name, "segments", len(run), "raw_bytes", f.raw, "bytes", f.size)
	a.sweep(ctx)
	return nil, nil //nolint:nilnil // no damaged file and no error
}

// chunkOf makes one chunk of files, which takes their place: of all they have, or of a single one without the keys that are to be
// dropped. If a file is damaged it is bad.
func (a *Archive) chunkOf(ctx context.Context, run []*file, drop []bool) (made, bad *file, err error) {
	t, err := a.borrow()
	if err != nil {
		return nil, nil, err
	}
	defer a.giveBack(t)
	c := &compaction{a: a, b: newBuilder(t, kindChunk), drop: drop}
	if bad, err := c.open(ctx, run); err != nil {
		return nil, bad, err
	}
	c.jobs = numberJobs(c.b.dir)
	if bad, err := c.carry(ctx); err != nil {
		return nil, bad, err
	}
	for _, batch := range c.batches() {
		if bad, err := c.read(ctx, batch); err != nil {
			return nil, bad, err
		}
		c.write()
	}
	c.b.dir.first, c.b.dir.last = run[0].arrived, run[0].newest
	for _, f := range run {
		c.b.dir.first, c.b.dir.last = min(c.b.dir.first, f.arrived), max(c.b.dir.last, f.newest)
		c.b.dir.replaces = append(c.b.dir.replaces, f.name)
	}
	data, err := c.b.finish()
	if err != nil {
		return nil, nil, err
	}
	if err := a.stillThere(ctx, c.inputs); err != nil {
		return nil, nil, err
	}
	a.chunks++ // segments of several processes may have arrived at the same instants
	name := chunkName(c.b.dir.first, c.b.dir.last, a.nonce, a.chunks)
	if err := a.blobs.Put(ctx, name, data); err != nil {
		return nil, nil, writeError(err)
	}
	f := newFile(name, int64(len(data)), c.b.dir)
	if err := a.addFile(ctx, f, c.b.dir, c.inputs); err != nil {
		return nil, nil, err
	}
	a.cache.remove(name) // there are many while much arrives, of 10 MB with thousands of jobs; who asks for one reads it
	a.retained.older(f)
	return f, nil, nil
}

// errForestalled says that another process has compacted the same files.
var errForestalled = errors.New("another process has compacted these segments")

// stillThere makes sure, as far as one can, that nobody else has compacted the inputs meanwhile. Where
// it happens all the same two chunks hold the same, which costs space and nothing else.
func (a *Archive) stillThere(ctx context.Context, inputs []input) error {
	from, to := int64(math.MaxInt64), int64(0)
	for _, in := range inputs {
		if from, to = min(from, in.f.arrived), max(to, in.f.arrived); in.f.kind == kindChunk {
			from = 0 // nothing tells that it is gone but a list of all
		}
	}
	if err := a.refreshAround(ctx, from, to); err != nil {
		return err
	}
	for _, in := range inputs {
		f, err := a.find(ctx, in.f.name)
		if err != nil {
			return err
		}
		if f == nil {
			return errForestalled
		}
	}
	return nil
}

// findInputs makes sure that inputs are as the manifests are now: a chunk may have come into another one.
func (a *Archive) findInputs(ctx context.Context, inputs []input) error {
	for i, in := range inputs {
		if in.f.kind != kindChunk {
			continue
		}
		f, err := a.find(ctx, in.f.name)
		if err != nil {
			return err
		}
		if f != nil { // else it is gone, and there is nothing to drop
			inputs[i].f = f
		}
	}
	return nil
}

// chunkName names the nth chunk of a process, of lines that arrived between first and last; n is 0 if they never were
// in a segment (directSuffix).
func chunkName(first, last int64, nonce string, n int) string {
	return fmt.Sprintf("%s%016x-%016x-%s-%x.chk", chunkFolder, uint64(first), uint64(last), nonce, n)
}

// directSuffix ends the names of chunks whose lines never were in a segment.
const directSuffix = "-0.chk"

// input is a file that is compacted, or deleted.
type input struct {
	f    *file
	d    *directory
	keys []int // by key of d: the key in the chunk; -1: none
	get  ranger

	summed  bool   // its numbers are in the chunk
	carried []bool // blocks that are in the chunk
}

// forgetAll is forget for files that nothing takes the place of.
func (a *Archive) forgetAll(ctx context.Context, inputs ...input) error {
	for {
		a.mu.Lock()
		epoch := a.epoch
		a.mu.Unlock()
		if err := a.findInputs(ctx, inputs); err != nil {
			return err
		}
		a.mu.Lock()
		same := a.epoch == epoch
		if same {
			a.forget(inputs, nil)
		}
		a.mu.Unlock()
		if same {
			return nil
		}
	}
}

// forget takes files out of the index and leaves them to sweep. by is the chunk that
// has their lines now; nil: there is none. Callers hold mu.
func (a *Archive) forget(inputs []input, by *file) {
	files, keys := map[string]bool{}, map[genKey]bool{}
	for _, in := range inputs {
		files[in.f.name] = true
		for _, k := range in.d.keys {
			keys[genKey{in.d.streams[k.stream].id, k.gen}] = true
		}
		a.drop(in.f)
		a.cache.remove(in.f.name)
		a.discard(in.f.name, in.f, by)
	}
	a.index.remove(files, keys)
}

// compaction is one chunk in the making.
type compaction struct {
	a       *Archive
	b       *builder
	special map[genKey]*held // streams some of whose lines may be held twice
	drop    []bool           // of the only input: keys that are left out; nil: none
	inputs  []input
	rows    []row
	mem     rowSlabs // of rows
	jobs    []int32  // by key of b: which job it is, in order of their names
	order   []rowAt  // of rows, as write sorts them
	spare   []rowAt  // of arrange
	ends    []int    // of arrange
	out     []row    // of a block
}

// open reads the directories and says in the chunk's what it will hold.
func (c *compaction) open(ctx context.Context, run []*file) (bad *file, err error) {
	c.special = c.a.specials()
	for _, f := range run {
		d, err := c.a.directory(ctx, f)
		if err != nil {
			return f, err
		}
		in := input{
			f: f, d: d, keys: make([]int, len(d.keys)), carried: make([]bool, len(d.blocks)),
			get: newWindow(d, readAhead/int64(len(run)), c.a.large, c.a.rangeOf(f.name)).read,
		}
		for i, k := range d.keys {
			if c.drop != nil && c.drop[i] {
				in.keys[i] = -1
				continue
			}
			e := d.streams[k.stream]
			in.keys[i] = c.b.key(e, k.gen)
			for _, r := range ownedBy(f, c.special[genKey{e.id, k.gen}], k.extents) {
				c.b.hold(in.keys[i], r.from, r.to)
			}
		}
		c.inputs = append(c.inputs, in)
	}
	return nil, nil //nolint:nilnil // no damaged file and no error
}

// ownedBy gives the parts of a file's ranges that no older file has; h is nil if none has any.
func ownedBy(f *file, h *held, extents []extent) spans {
	if h != nil {
		return h.owned(f)
	}
	var out spans
	for _, x := range extents {
		out = out.add(x.from, x.to)
	}
	return out
}

// jobName names a job in the order in which segments have them.
type jobName struct{ namespace, job string }

func (j jobName) compare(k jobName) int {
	return cmp.Or(cmp.Compare(j.namespace, k.namespace), cmp.Compare(j.job, k.job))
}

func (e *streamEntry) jobName() jobName { return jobName{e.stream.Namespace, e.job} }

// batch is what is held in memory at once: some jobs of some inputs.
type batch struct {
	first, last jobName
	from, to    int // of inputs
}

// batches deals out the jobs so that each batch has about batchRaw bytes: several small jobs,
// or a part of the inputs of a large one.
func (c *compaction) batches() []batch {
	perJob := map[jobName][]int64{} // bytes by input
	for i, in := range c.inputs {
		left := in.left()
		for key, k := range in.d.keys {
			if !left[key] {
				continue
			}
			j := in.d.streams[k.stream].jobName()
			if perJob[j] == nil {
				perJob[j] = make([]int64, len(c.inputs))
			}
			for _, x := range k.extents {
				perJob[j][i] += x.to - x.from
			}
		}
	}
	jobs := make([]jobName, 0, len(perJob))
	for j := range perJob {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, jobName.compare)
	var out []batch
	var small int64 // bytes in the last batch, if small jobs may still join it
	for _, j := range jobs {
		var total int64
		for _, n := range perJob[j] {
			total += n
		}
		switch {
		case total > batchRaw:
			out = append(out, splitJob(j, perJob[j])...)
			small = 0
		case small > 0 && small+total <= batchRaw:
			out[len(out)-1].last = j
			small += total
		default:
			out = append(out, batch{j, j, 0, len(c.inputs)})
			small = total
		}
	}
	return out
}

func splitJob(j jobName, bytes []int64) []batch {
	var out []batch
	var n int64
	from := 0
	for i := range bytes {
		if n += bytes[i]; n >= batchRaw {
			out = append(out, batch{j, j, from, i + 1})
			from, n = i+1, 0
		}
	}
	if n > 0 {
		out = append(out, batch{j, j, from, len(bytes)})
	}
	return out
}

// read gets the rows of a batch.
func (c *compaction) read(ctx context.Context, b batch) (bad *file, err error) {
	clear(c.rows)
	c.rows = c.rows[:0]
	c.mem.reset()
	s := &scan{a: c.a, special: c.special}
	for _, in := range c.inputs[b.from:b.to] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		keys := make([]bool, len(in.d.keys))
		for i, k := range in.d.keys {
			j := in.d.streams[k.stream].jobName()
			keys[i] = in.keys[i] >= 0 && j.compare(b.first) >= 0 && j.compare(b.last) <= 0
		}
		for i := range in.d.blocks {
			if in.carried[i] || !slices.ContainsFunc(in.d.blocks[i].keys, func(k blockKey) bool { return keys[k.key] }) {
				continue
			}
			rows, err := c.a.rowsBy(ctx, in.get, in.d, i, &c.mem)
			if err != nil {
				return in.f, err
			}
			s.shown(candidate{f: in.f, d: in.d, keys: keys}, rows, func(key int, r *lastnight.Record) {
				if !in.summed {
					c.b.count(in.keys[key], r)
				}
				c.rows = append(c.rows, row{in.keys[key], r})
			})
		}
	}
	return nil, nil //nolint:nilnil // no damaged file and no error
}

// specials gives the streams some of whose lines may be held twice.
func (a *Archive) specials() map[genKey]*held {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.index.special) == 0 {
		return nil
	}
	return maps.Clone(a.index.special)
}
