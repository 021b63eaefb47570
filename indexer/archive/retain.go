package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"
)

// Policy says what Retain keeps. Zero values do not limit.
type Policy struct {
	// MaxAge is how long after its arrival a line may go. Arrival, not the line's time: an import
	// of old logs is not deleted at once.
	MaxAge time.Duration
	// NamespaceAge has other ages than MaxAge for the lines of some namespaces, longer or shorter; 0: no limit.
	NamespaceAge map[string]time.Duration
	// MaxBytes is how large all files together may be; the oldest arrived go first.
	MaxBytes int64
	// Keep tells whether the lines of a job (a workload's name) between start and end, both
	// inclusive, are still needed. A file with any such lines stays, but for what NamespaceAge lets go of other
	// jobs. nil: none are.
	Keep func(job string, start, end time.Time) bool
}

// age gives how long lines of a namespace are kept; 0: for ever.
func (p *Policy) age(namespace string) time.Duration {
	if age, own := p.NamespaceAge[namespace]; own {
		return age
	}
	return p.MaxAge
}

// shortest gives the shortest of all ages; 0: there is no limit.
func (p *Policy) shortest() time.Duration {
	least := p.MaxAge
	for _, age := range p.NamespaceAge {
		if age > 0 && (least == 0 || age < least) {
			least = age
		}
	}
	return least
}

// keptAgain is when a file that somebody needs beyond its age is looked at again.
const keptAgain = time.Hour

// Retain deletes the files that the policy does not keep. Queries that read them go on: a file is deleted once the last of them
// is done. A chunk of which some namespaces are not to be kept any more is written anew without them, and takes the
// place of the other as a chunk takes that of its segments: stopped anywhere, either is there as a whole. A segment goes
// when all of it may; it becomes a chunk before long. Retain reads and writes no faster than Config.UpkeepBytes allows.
func (a *Archive) Retain(ctx context.Context, p Policy) error {
	ctx = paced(ctx)
	a.sweep(ctx)
	err := a.retireAll(ctx, &p)
	a.sweep(ctx)
	return err
}

// retireAll takes out of the archive what is not kept any more.
func (a *Archive) retireAll(ctx context.Context, p *Policy) error {
	a.maint.Lock()
	defer a.maint.Unlock()
	if err := a.refresh(ctx, true); err != nil {
		return err
	}
	return a.whole(func() error { return a.retireOnce(ctx, p) })
}

// retireOnce goes over all files; a lost manifest ends it: errVanished.
func (a *Archive) retireOnce(ctx context.Context, p *Policy) error {
	now := a.now()
	total := a.resume(p, now)
	r := a.newRetirement(p, now)
	if err := a.oldestFirst(ctx, func(sh *shelf) bool {
		return (p.MaxBytes == 0 || total <= p.MaxBytes) && !r.shelves[sh] && !r.passes(sh.oldest, sh.newest)
	}, func(f *file) error {
		r.tooMuch = p.MaxBytes > 0 && total > p.MaxBytes
		if !r.tooMuch && !r.due(f) {
			return nil
		}
		saved, err := r.retire(ctx, f)
		if a.cfg.Shared && errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else has deleted it
		}
		if err != nil {
			return fmt.Errorf("retention of %s: %w", f.name, err)
		}
		total -= saved
		return nil
	}); err != nil {
		return err
	}
	a.retained.done(now, r.again)
	return nil
}

// retained is what Retain remembers from one time to the next: since a file is looked at when one of the ages passes, that is when it was
// looked for, and the few files to be looked at otherwise.
type retained struct {
	ages  Policy               // its ages
	until time.Time            // files one of whose ages has passed by then have been looked at; zero: none have
	again map[string]time.Time // files to be looked at all the same, and when, by name
}

// maxAgain bounds the files that are remembered: if there are more, all that are old are looked at the next time.
const maxAgain = 1 << 14

// older makes sure that a new file is looked at though its lines arrived so long ago that one of the ages has passed already.
func (r *retained) older(f *file) {
	least := r.ages.shortest()
	if least <= 0 || !nsTime(f.newest).Add(least).Before(r.until) {
		return
	}
	if r.again == nil {
		r.again = map[string]time.Time{}
	}
	r.again[f.name] = time.Time{}
}

// done takes down what has been looked at.
func (r *retained) done(until time.Time, again map[string]time.Time) {
	r.until, r.again = until, again
	if len(again) > maxAgain {
		r.until, r.again = time.Time{}, nil
	}
}

// resume gives the bytes of all files. What was found out of them under another policy, or before somebody else may have made files, is
// forgotten.
func (a *Archive) resume(p *Policy, now time.Time) (total int64) {
	if now.Sub(a.retained.until) > keptAgain || a.retained.ages.MaxAge != p.MaxAge || !maps.Equal(a.retained.ages.NamespaceAge, p.NamespaceAge) {
		a.retained = retained{ages: Policy{MaxAge: p.MaxAge, NamespaceAge: maps.Clone(p.NamespaceAge)}}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.files {
		total += f.size
	}
	for _, m := range a.manifests {
		total += m.sums.size
	}
	return total
}

// retirement decides about files.
type retirement struct {
	*Policy
	a       *Archive
	now     time.Time
	tooMuch bool                 // all files together are too large
	again   map[string]time.Time // files that Retain has to look at again, and when
	shelves map[*shelf]bool      // that may have some of them now
}

// newRetirement finds out on which shelves files are that are to be looked at again.
func (a *Archive) newRetirement(p *Policy, now time.Time) *retirement {
	r := &retirement{Policy: p, a: a, now: now, again: map[string]time.Time{}, shelves: map[*shelf]bool{}}
	a.mu.Lock()
	manifests := a.manifests
	a.mu.Unlock()
	for name, at := range a.retained.again {
		if at.After(now) {
			r.again[name] = at
			continue
		}
		for _, m := range manifests {
			if i := m.shelfFor(name); i >= 0 {
				r.shelves[&m.shelves[i]] = true
			}
		}
	}
	return r
}

// due tells whether lines of the file may be too old, as far as that is known without its directory.
func (r *retirement) due(f *file) bool {
	at, again := r.a.retained.again[f.name]
	return again && !at.After(r.now) || r.passes(f.newest, f.newest)
}

// passes tells whether any of the ages of lines that arrived in between has passed since Retain was called last.
func (r *retirement) passes(oldest, newest int64) bool {
	passes := func(age time.Duration) bool {
		return age > 0 && nsTime(oldest).Add(age).Before(r.now) && !nsTime(newest).Add(age).Before(r.a.retained.until)
	}
	if passes(r.MaxAge) {
		return true
	}
	for _, age := range r.NamespaceAge {
		if passes(age) {
			return true
		}
	}
	return false
}

// old tells whether lines of a namespace in the file are.
func (r *retirement) old(f *file, namespace string) bool {
	age := r.age(namespace)
	return age > 0 && nsTime(f.newest).Add(age).Before(r.now)
}

// retire takes a file, or what is not to be kept of it, out of the archive and tells how many bytes that saves. A chunk
// stays as long as a segment that it replaces is still there, which would else come to life again.
func (r *retirement) retire(ctx context.Context, f *file) (saved int64, err error) {
	a := r.a
	if r.due(f) {
		r.again[f.name] = r.now // as long as it has not been decided about
	}
	d, err := a.directory(ctx, f)
	if err != nil || a.waitedFor(f) {
		return 0, err
	}
	drop, all, some := r.drop(f, d)
	switch {
	case all:
		if err := a.forgetAll(ctx, input{f: f, d: d}); err != nil {
			return 0, err
		}
		delete(r.again, f.name)
		a.log.InfoContext(ctx, "deleted a file of the archive", "file", f.name, "bytes", f.size, "too_old", !r.tooMuch)
		return f.size, nil
	case !some || f.kind != kindChunk:
		return 0, nil
	}
	if ok, err := a.ready(ctx, f); err != nil || !ok {
		r.again[f.name] = r.now
		return 0, err
	}
	made, _, err := a.chunkOf(ctx, []*file{f}, drop)
	if errors.Is(err, errCorrupt) { // nothing of it is thrown away unread; it goes when all of it is old
		a.damage(f.name, err)
		r.again[f.name] = r.now.Add(keptAgain)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if at, ok := r.again[f.name]; ok {
		delete(r.again, f.name)
		r.again[made.name] = at
	}
	a.log.InfoContext(ctx, "wrote a chunk anew without namespaces that are not kept any longer", "file", f.name, "as", made.name, "bytes", f.size-made.size)
	return f.size - made.size, nil
}

// drop tells which keys of the file are to go, whether that is all of them, and whether it is some.
func (r *retirement) drop(f *file, d *directory) (drop []bool, all, some bool) {
	kept := map[string]bool{}
	if r.Keep != nil {
		kept = d.keptJobs(r.Keep)
	}
	if r.tooMuch {
		return nil, len(kept) == 0, false
	}
	delete(r.again, f.name)
	if len(kept) > 0 {
		r.again[f.name] = r.now.Add(keptAgain)
	}
	drop, all = make([]bool, len(d.keys)), true
	for i := range d.keys {
		e := &d.streams[d.keys[i].stream]
		_, own := r.NamespaceAge[e.stream.Namespace]
		drop[i] = r.old(f, e.stream.Namespace) && !kept[e.job] && (own || len(kept) == 0)
		all, some = all && drop[i], some || drop[i]
	}
	return drop, all, some
}

// waitedFor tells whether files that a chunk replaces are not deleted yet.
func (a *Archive) waitedFor(f *file) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.garbage {
		if g.by == f.name {
			return true
		}
	}
	return false
}

// keptJobs gives the jobs of which lines in the file are still needed.
func (d *directory) keptJobs(keep func(string, time.Time, time.Time) bool) map[string]bool {
	type interval struct{ first, last int64 }
	jobs := map[string]interval{}
	for _, k := range d.keys {
		job := d.streams[k.stream].job
		for _, x := range k.extents {
			if x.lines == 0 {
				continue
			}
			in, ok := jobs[job]
			if !ok {
				in = interval{x.first, x.last}
			}
			jobs[job] = interval{min(in.first, x.first), max(in.last, x.last)}
		}
	}
	kept := map[string]bool{}
	for job, in := range jobs {
		if keep(job, nsTime(in.first), nsTime(in.last)) {
			kept[job] = true
		}
	}
	return kept
}
