package investigation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lastnight"
)

// How far around what is new a workload is read again.
const (
	readBefore    = 2 * time.Hour       // failovers that belong together, and what led to them
	readAfter     = 2 * time.Hour       // what came later but arrived earlier
	detectEvery   = time.Second         // pause between two runs of Detect
	recheckAfter  = 30 * time.Second    // a workload with something that is not settled yet
	settling      = 5 * time.Minute     // an incident so young is looked at again
	maxReadBefore = 24 * time.Hour      // an incident that goes on is followed back so far
	maxWindow     = 6 * time.Hour       // longer stretches are read in pieces
	lateArrival   = time.Hour           // what is older when it arrives comes from an import …
	importedSpan  = 30 * 24 * time.Hour // … which may reach so much further back than the mark tells
)

// Detector finds incidents. Mark and Detect may be called at once.
type Detector struct {
	cfg   DetectorConfig
	run   sync.Mutex // one Detect at a time
	mu    sync.Mutex // guards dirty and due
	dirty map[workloadKey]stretch
	due   map[workloadKey]recheck
	read  map[workloadKey]bool // workloads that were read before; under run
	likes likes                // under run
}

// DetectorConfig is what a detector works with. Source, Keeper and Catalogue must be given.
type DetectorConfig struct {
	Source    Source
	Keeper    Keeper
	Catalogue *Catalogue
	Log       *slog.Logger     // nil: none
	Now       func() time.Time // nil: time.Now; decides only whether something still pending has lasted long
}

type workloadKey struct{ namespace, workload string }

// stretch is the time that has something new.
type stretch struct{ from, to time.Time }

type recheck struct {
	stretch
	at time.Time
}

// NewDetector makes a detector.
func NewDetector(cfg DetectorConfig) *Detector {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Detector{cfg: cfg, dirty: map[workloadKey]stretch{}, due: map[workloadKey]recheck{}, read: map[workloadKey]bool{}}
}

// Mark says that a signal of a workload happened at t; without a workload, that something of the
// cluster as a whole did, such as a node. It is quick.
func (d *Detector) Mark(namespace, workload string, t time.Time) {
	if workload == "" {
		namespace = "" // of the node's own namespace nothing follows
	}
	d.mark(workloadKey{namespace, workload}, stretch{t, t})
}

func (d *Detector) mark(k workloadKey, s stretch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.dirty[k]; ok {
		s = s.with(old)
	}
	d.dirty[k] = s
}

// Pending is a workload that Detect has still to look into, or to look at again. Namespace and Workload are empty if
// something of the cluster as a whole happened.
type Pending struct {
	Namespace, Workload string
	From, To            time.Time
}

// Pending gives all of it, in any order. Marks made from it in another process make that go on from here.
func (d *Detector) Pending() []Pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(d.dirty)
	for k, r := range d.due {
		s := r.stretch
		if old, ok := all[k]; ok {
			s = s.with(old)
		}
		all[k] = s
	}
	out := make([]Pending, 0, len(all))
	for k, s := range all {
		out = append(out, Pending{k.namespace, k.workload, s.from, s.to})
	}
	return out
}

// Forget drops what is pending: it is another process's now.
func (d *Detector) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.dirty)
	clear(d.due)
}

// Run detects every second until ctx is done. Failures are logged and tried again.
func (d *Detector) Run(ctx context.Context) error {
	t := time.NewTicker(detectEvery)
	defer t.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		err := d.Detect(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			failed = 0
		default:
			if failed++; failed == 1 || failed%60 == 0 {
				d.cfg.Log.Error("detecting incidents failed", "err", err, "times", failed)
			}
		}
	}
}

// Detect recomputes the incidents of every marked workload around what is new, and puts
// and deletes what changed. A workload that failed stays marked.
func (d *Detector) Detect(ctx context.Context) error {
	d.run.Lock()
	defer d.run.Unlock()
	work := d.take()
	if err := d.neighbours(ctx, work); err != nil {
		for k, s := range work {
			d.mark(k, s)
		}
		return err
	}
	keys := slices.SortedFunc(maps.Keys(work), func(a, b workloadKey) int {
		return strings.Compare(a.namespace+"\x00"+a.workload, b.namespace+"\x00"+b.workload)
	})
	var errs []error
	for i, k := range keys {
		if ctx.Err() != nil {
			for _, rest := range keys[i:] {
				d.mark(rest, work[rest])
			}
			return ctx.Err()
		}
		if err := d.workload(ctx, k, work[k]); err != nil {
			d.mark(k, work[k])
			errs = append(errs, fmt.Errorf("incidents of %s/%s: %w", k.namespace, k.workload, err))
		}
	}
	return errors.Join(errs...)
}

// neighbours adds the workloads whose incidents something new elsewhere may explain: what happened to a
// node explains any job's, what happened to another workload those of its namespace that are not explained from within.
func (d *Detector) neighbours(ctx context.Context, work map[workloadKey]stretch) error {
	for k, s := range maps.Clone(work) {
		near, err := d.cfg.Keeper.Incidents(ctx, lastnight.IncidentsRequest{Namespace: k.namespace, Start: s.from.Add(-cordonBefore), End: s.to.Add(cordonBefore)})
		if err != nil {
			return fmt.Errorf("list incidents nearby: %w", err)
		}
		for i := range near {
			in := &near[i]
			n := workloadKey{in.Namespace, in.Workload}
			outside := in.Diagnosis.Layer == "upstream-downstream" || in.Diagnosis.Layer == "network" || in.Diagnosis.Layer == "user-code" || !in.Diagnosis.Explained
			if in.Workload == "" || n == k || k.workload != "" && !outside {
				continue
			}
			old, ok := work[n]
			if !ok {
				old = stretch{in.Start, in.Start}
			}
			work[n] = old.with(stretch{in.Start, in.End})
		}
	}
	delete(work, workloadKey{})
	return nil
}

// with widens a stretch by another.
func (s stretch) with(o stretch) stretch {
	if o.from.Before(s.from) {
		s.from = o.from
	}
	if o.to.After(s.to) {
		s.to = o.to
	}
	return s
}

// take gives what is marked, and what is due to be looked at again.
func (d *Detector) take() map[workloadKey]stretch {
	d.mu.Lock()
	defer d.mu.Unlock()
	work := d.dirty
	d.dirty = map[workloadKey]stretch{}
	now := d.cfg.Now()
	for k, r := range d.due {
		if now.Before(r.at) {
			continue
		}
		delete(d.due, k)
		if _, ok := work[k]; !ok {
			work[k] = r.stretch
		}
	}
	return work
}

// workload recomputes one workload, a long stretch in windows, oldest first.
func (d *Detector) workload(ctx context.Context, k workloadKey, s stretch) error {
	if err := d.reachBack(ctx, k, &s); err != nil {
		return err
	}
	for from := s.from; ; from = from.Add(maxWindow) {
		w := stretch{from, from.Add(maxWindow)}
		if !w.to.Before(s.to) {
			return d.window(ctx, k, stretch{from, s.to})
		}
		if err := d.window(ctx, k, w); err != nil {
			return err
		}
	}
}

// reachBack widens the first stretch of old records to where the workload begins: a mark tells only the
// last trouble of a batch, and a batch of an import may span days.
func (d *Detector) reachBack(ctx context.Context, k workloadKey, s *stretch) error {
	if d.read[k] {
		return nil
	}
	if d.cfg.Now().Sub(s.from) > lateArrival {
		jobs, err := d.cfg.Keeper.Jobs(ctx, lastnight.JobsRequest{Namespace: k.namespace, Name: k.workload})
		if err != nil {
			return fmt.Errorf("find when it began: %w", err)
		}
		for i := range jobs {
			if first := jobs[i].FirstSeen; !first.IsZero() && first.Before(s.from) && s.from.Sub(first) < importedSpan {
				s.from = first
			}
		}
	}
	if len(d.read) >= maxRemembered {
		clear(d.read)
	}
	d.read[k] = true
	return nil
}

const maxRemembered = 100_000

// adopt leaves incidents the ids under which people know them already. An event has only seconds and may
// arrive after the records that it precedes; the incident then begins with another opener, but is the same one.
func adopt(found, old []lastnight.Incident) {
	taken := map[string]bool{}
	for i := range found {
		taken[found[i].ID] = true
	}
	for i := range found {
		f := &found[i]
		if slices.ContainsFunc(old, func(o lastnight.Incident) bool { return o.ID == f.ID }) {
			continue
		}
		var known *lastnight.Incident
		for j := range old {
			o := &old[j]
			overlap := !o.Start.After(f.End.Add(time.Second)) && !f.Start.After(o.End.Add(time.Second))
			if !taken[o.ID] && o.Job == f.Job && overlap && (known == nil || o.Start.Before(known.Start)) {
				known = o
			}
		}
		if known != nil {
			f.ID = known.ID
			taken[f.ID] = true
		}
	}
}

// window recomputes one window of a workload.
func (d *Detector) window(ctx context.Context, k workloadKey, s stretch) error {
	from, to, old, err := d.extent(ctx, k, s)
	if err != nil {
		return err
	}
	x := &investigator{source: d.cfg.Source, catalogue: d.cfg.Catalogue, now: d.cfg.Now()}
	found, unsettled, err := x.investigate(ctx, k, from, to)
	if err != nil {
		return err
	}
	for i := range found { // what explains it may still be on its way, such as what a node has to say
		unsettled = unsettled || d.cfg.Now().Sub(found[i].End) < settling
	}
	if unsettled {
		d.mu.Lock()
		d.due[k] = recheck{s, d.cfg.Now().Add(recheckAfter)}
		d.mu.Unlock()
	}
	return d.keep(ctx, k, found, old, from, to)
}

// extent widens the stretch so that no incident is cut: those that go on into it are read from their beginning.
func (d *Detector) extent(ctx context.Context, k workloadKey, s stretch) (from, to time.Time, old []lastnight.Incident, err error) {
	from, to = s.from.Add(-readBefore), s.to.Add(readAfter)
	earliest := s.from.Add(-maxReadBefore)
	all, err := d.cfg.Keeper.Incidents(ctx, lastnight.IncidentsRequest{Namespace: k.namespace, Job: k.workload, Start: earliest, End: to, Planned: true})
	if err != nil {
		return from, to, nil, fmt.Errorf("list incidents: %w", err)
	}
	slices.SortFunc(all, func(a, b lastnight.Incident) int { return b.Start.Compare(a.Start) })
	for i := range all { // newest first
		if !ownIncident(&all[i], k) {
			continue
		}
		if !all[i].Start.Before(from) || all[i].Open || all[i].End.Add(mergeWithin).After(from) {
			old = append(old, all[i])
			if lead := all[i].Start.Add(-lookback); lead.Before(from) {
				from = lead
			}
		}
	}
	return from, to, old, nil
}

func ownIncident(i *lastnight.Incident, k workloadKey) bool {
	return i.Namespace == k.namespace && (i.Workload == k.workload || i.Workload == "" && i.Job == k.workload)
}

// keep puts what was found, with its likes, and deletes what is no more.
func (d *Detector) keep(ctx context.Context, k workloadKey, found, old []lastnight.Incident, from, to time.Time) error {
	adopt(found, old)
	var gone []string
	for i := range old {
		inside := !old[i].Start.Before(from) && old[i].Start.Before(to)
		if inside && !slices.ContainsFunc(found, func(f lastnight.Incident) bool { return f.ID == old[i].ID }) {
			gone = append(gone, old[i].ID)
		}
	}
	if len(gone) > 0 {
		if err := d.cfg.Keeper.DeleteIncidents(ctx, gone); err != nil {
			return fmt.Errorf("delete incidents: %w", err)
		}
		for _, id := range gone {
			delete(d.likes.known, id)
		}
	}
	if len(found) == 0 {
		return nil
	}
	if err := d.findSimilar(ctx, found); err != nil {
		return err
	}
	if err := d.cfg.Keeper.PutIncidents(ctx, found); err != nil {
		return fmt.Errorf("put incidents: %w", err)
	}
	d.cfg.Log.Debug("incidents put", "namespace", k.namespace, "job", k.workload, "incidents", len(found))
	return nil
}
