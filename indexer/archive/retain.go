package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Policy says what Retain keeps. Zero values do not limit.
type Policy struct {
	// MaxAge is how long after its arrival a line may go. Arrival, not the line's time: an import
	// of old logs is not deleted at once.
	MaxAge time.Duration
	// MaxBytes is how large all files together may be; the oldest arrived go first.
	MaxBytes int64
	// Keep tells whether the lines of a job (a workload's name) between start and end, both
	// inclusive, are still needed. A file with any such lines stays. nil: none are.
	Keep func(job string, start, end time.Time) bool
}

// Retain deletes the files that the policy does not keep. Queries that read them go on:
// a file is deleted once the last of them is done.
func (a *Archive) Retain(ctx context.Context, p Policy) error {
	ctx = paced(ctx)
	a.sweep(ctx)
	err := a.retireAll(ctx, p)
	a.sweep(ctx)
	return err
}

// retireAll takes out of the archive what is not kept any more.
func (a *Archive) retireAll(ctx context.Context, p Policy) error {
	a.maint.Lock()
	defer a.maint.Unlock()
	if err := a.refresh(ctx, true); err != nil {
		return err
	}
	a.mu.Lock()
	all := make([]*file, 0, len(a.files))
	var total int64
	for _, f := range a.files {
		all = append(all, f)
		total += f.size
	}
	a.mu.Unlock()
	slices.SortFunc(all, (*file).compare)
	oldest := a.now().Add(-p.MaxAge).UnixNano()
	for _, f := range all {
		tooOld := p.MaxAge > 0 && f.newest < oldest
		tooMuch := p.MaxBytes > 0 && total > p.MaxBytes
		if !tooOld && !tooMuch {
			continue
		}
		gone, err := a.retire(ctx, f, p.Keep)
		if a.cfg.Shared && errors.Is(err, fs.ErrNotExist) {
			continue // somebody else has deleted it
		}
		if err != nil {
			return fmt.Errorf("retention of %s: %w", f.name, err)
		}
		if gone {
			total -= f.size
			a.log.InfoContext(ctx, "deleted a file of the archive", "file", f.name, "bytes", f.size, "too_old", tooOld)
		}
	}
	return nil
}

// retire takes a file out of the archive unless it is to be kept. A chunk stays as long as a
// segment that it replaces is still there, which would else come to life again.
func (a *Archive) retire(ctx context.Context, f *file, keep func(string, time.Time, time.Time) bool) (bool, error) {
	d, err := a.directory(ctx, f)
	if err != nil {
		return false, err
	}
	if keep != nil && d.keptBy(keep) {
		return false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.garbage {
		if g.by == f.name {
			return false, nil
		}
	}
	a.forget([]input{{f: f, d: d}}, "")
	return true, nil
}

// keptBy tells whether lines of any job in the file are still needed.
func (d *directory) keptBy(keep func(string, time.Time, time.Time) bool) bool {
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
	for job, in := range jobs {
		if keep(job, nsTime(in.first), nsTime(in.last)) {
			return true
		}
	}
	return false
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
