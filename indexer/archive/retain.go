package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
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
	all, total := a.oldestFirst(p)
	now := a.now()
	for _, f := range all {
		r := retirement{Policy: p, a: a, f: f, now: now, tooMuch: p.MaxBytes > 0 && total > p.MaxBytes}
		if !r.tooMuch && !r.due() {
			continue
		}
		saved, err := r.retire(ctx)
		if a.cfg.Shared && errors.Is(err, fs.ErrNotExist) {
			continue // somebody else has deleted it
		}
		if err != nil {
			return fmt.Errorf("retention of %s: %w", f.name, err)
		}
		total -= saved
	}
	return nil
}

// oldestFirst gives all files and their bytes. What was found out of them under another policy is forgotten.
func (a *Archive) oldestFirst(p *Policy) (all []*file, total int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	same := a.retained.MaxAge == p.MaxAge && maps.Equal(a.retained.NamespaceAge, p.NamespaceAge)
	a.retained = Policy{MaxAge: p.MaxAge, NamespaceAge: maps.Clone(p.NamespaceAge)}
	for _, f := range a.files {
		if !same {
			f.retainAt = 0
		}
		all = append(all, f)
		total += f.size
	}
	slices.SortFunc(all, (*file).compare)
	return all, total
}

// retirement decides about one file.
type retirement struct {
	*Policy
	a       *Archive
	f       *file
	now     time.Time
	tooMuch bool // all files together are too large
}

// due tells whether lines of the file may be too old, as far as that is known without its directory.
func (r *retirement) due() bool {
	least := r.shortest()
	return least > 0 && r.f.newest < r.now.Add(-least).UnixNano() && r.now.UnixNano() >= r.f.retainAt
}

// old tells whether lines of a namespace in the file are; if not yet it notes when they will be.
func (r *retirement) old(namespace string) bool {
	age := r.age(namespace)
	if age <= 0 {
		return false
	}
	at := nsTime(r.f.newest).Add(age)
	if at.Before(r.now) {
		return true
	}
	r.f.retainAt = min(r.f.retainAt, at.UnixNano()+1)
	return false
}

// retire takes a file, or what is not to be kept of it, out of the archive and tells how many bytes that saves. A chunk
// stays as long as a segment that it replaces is still there, which would else come to life again.
func (r *retirement) retire(ctx context.Context) (saved int64, err error) {
	a, f := r.a, r.f
	d, err := a.directory(ctx, f)
	if err != nil || a.waitedFor(f) {
		return 0, err
	}
	drop, all, some := r.drop(d)
	switch {
	case all:
		a.mu.Lock()
		a.forget([]input{{f: f, d: d}}, nil)
		a.mu.Unlock()
		a.log.InfoContext(ctx, "deleted a file of the archive", "file", f.name, "bytes", f.size, "too_old", !r.tooMuch)
		return f.size, nil
	case !some || f.kind != kindChunk:
		return 0, nil
	}
	if ok, err := a.ready(ctx, f); err != nil || !ok {
		return 0, err
	}
	made, _, err := a.chunkOf(ctx, []*file{f}, drop)
	if errors.Is(err, errCorrupt) { // nothing of it is thrown away unread; it goes when all of it is old
		a.damage(f.name, err)
		r.f.retainAt = r.now.Add(keptAgain).UnixNano()
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	made.retainAt = f.retainAt
	a.log.InfoContext(ctx, "wrote a chunk anew without namespaces that are not kept any longer", "file", f.name, "as", made.name, "bytes", f.size-made.size)
	return f.size - made.size, nil
}

// drop tells which keys of the file are to go, whether that is all of them, and whether it is some.
func (r *retirement) drop(d *directory) (drop []bool, all, some bool) {
	kept := map[string]bool{}
	if r.Keep != nil {
		kept = d.keptJobs(r.Keep)
	}
	if r.tooMuch {
		return nil, len(kept) == 0, false
	}
	r.f.retainAt = math.MaxInt64
	if len(kept) > 0 {
		r.f.retainAt = r.now.Add(keptAgain).UnixNano()
	}
	drop, all = make([]bool, len(d.keys)), true
	for i := range d.keys {
		e := &d.streams[d.keys[i].stream]
		_, own := r.NamespaceAge[e.stream.Namespace]
		drop[i] = r.old(e.stream.Namespace) && !kept[e.job] && (own || len(kept) == 0)
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

// Oldest gives the time of the oldest line of what arrived at or after a time, and whether
// anything did. What else is kept by the time of lines takes care with it not to drop an
// import of old logs at once.
func (a *Archive) Oldest(arrived time.Time) (time.Time, bool) {
	since := clampNano(arrived)
	a.mu.Lock()
	defer a.mu.Unlock()
	var oldest int64
	some := false
	for _, f := range a.files {
		if f.empty || f.newest < since || some && f.first >= oldest {
			continue
		}
		oldest, some = f.first, true
	}
	return nsTime(oldest), some
}
