package investigation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	restFor       = 10                  // times as long as a round took, what is only evidence waits for the next …
	maxRest       = 5 * time.Second     // … but no longer: people ask why at once
)

// Detector finds incidents. Mark and Detect may be called at once.
type Detector struct {
	cfg      DetectorConfig
	run      sync.Mutex // one Detect at a time
	mu       sync.Mutex // guards dirty, due, rests and forgot
	dirty    map[workloadKey]news
	due      map[workloadKey]recheck
	rests    time.Time                // until then what is only evidence waits
	forgot   bool                     // somebody else has taken over since the last round
	read     map[workloadKey]bool     // workloads that were read before; under run
	outlooks map[workloadKey]*outlook // under run
	likes    likes                    // under run
}

// DetectorConfig is what a detector works with. Source, Keeper and Catalogue must be given.
type DetectorConfig struct {
	Source    Source
	Keeper    Keeper
	Catalogue *Catalogue
	Log       *slog.Logger     // nil: none
	Now       func() time.Time // nil: time.Now; decides only whether something still pending has lasted long
}

// NewDetector makes a detector.
func NewDetector(cfg DetectorConfig) *Detector {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Detector{cfg: cfg, dirty: map[workloadKey]news{}, due: map[workloadKey]recheck{}, read: map[workloadKey]bool{}, outlooks: map[workloadKey]*outlook{}}
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
		err := d.Round(ctx)
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
func (d *Detector) Detect(ctx context.Context) error { return d.detect(ctx, true) }

// Round is Detect for whoever calls it again and again: after a round that took long, what is only evidence stays
// marked for some seconds, since a failing job tells of its failure again and again.
func (d *Detector) Round(ctx context.Context) error {
	began := d.cfg.Now()
	err := d.detect(ctx, false)
	now := d.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if rests := now.Add(min(restFor*now.Sub(began), maxRest)); rests.After(d.rests) {
		d.rests = rests
	}
	return err
}

func (d *Detector) detect(ctx context.Context, all bool) error {
	d.run.Lock()
	defer d.run.Unlock()
	work := d.take(all)
	if err := d.prepare(ctx, work); err != nil {
		d.putBack(work)
		return err
	}
	var errs []error
	for _, k := range inOrder(work) {
		if ctx.Err() != nil {
			break
		}
		if err := d.workload(ctx, k, work[k].stretch); err != nil {
			errs = append(errs, fmt.Errorf("incidents of %s/%s: %w", k.namespace, k.workload, err))
			continue
		}
		delete(work, k)
	}
	d.putBack(work)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// prepare adds to a round what else is to be looked into, and learns what is not.
func (d *Detector) prepare(ctx context.Context, work map[workloadKey]news) error {
	if len(work) == 0 {
		return nil
	}
	if err := d.neighbours(ctx, work); err != nil {
		return err
	}
	if err := d.reachBack(ctx, work); err != nil {
		return err
	}
	return d.look(ctx, work)
}

// neighbours adds the workloads whose incidents something new elsewhere may explain: what happened to a
// node explains any job's, what happened to another workload those of its namespace that are not explained from within.
func (d *Detector) neighbours(ctx context.Context, work map[workloadKey]news) error {
	marked := maps.Clone(work)
	for namespace, keys := range byNamespace(marked) {
		all := marked[keys[0]].stretch
		for _, k := range keys {
			all = all.with(marked[k].stretch)
		}
		near, err := d.cfg.Keeper.Incidents(ctx, lastnight.IncidentsRequest{Namespace: namespace, Start: all.from.Add(-cordonBefore), End: all.to.Add(cordonBefore)})
		if err != nil {
			return fmt.Errorf("list incidents nearby: %w", err)
		}
		for i := range near {
			in := &near[i]
			n := workloadKey{in.Namespace, in.Workload}
			outside := in.Diagnosis.Layer == "upstream-downstream" || in.Diagnosis.Layer == "network" || in.Diagnosis.Layer == "user-code" || !in.Diagnosis.Explained
			for _, k := range keys {
				s := marked[k]
				if in.Start.Before(s.from.Add(-cordonBefore)) || !in.Start.Before(s.to.Add(cordonBefore)) || n.workload == "" || n == k || k.workload != "" && !outside {
					continue
				}
				old, ok := work[n]
				if !ok {
					old = news{stretch: stretch{in.Start, in.Start}}
				}
				work[n] = old.with(news{stretch: stretch{in.Start, in.End}})
			}
		}
	}
	delete(work, workloadKey{})
	return nil
}

// workload recomputes one workload, a long stretch in windows, oldest first.
func (d *Detector) workload(ctx context.Context, k workloadKey, s stretch) error {
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
func (d *Detector) reachBack(ctx context.Context, work map[workloadKey]news) error {
	first := map[workloadKey]news{}
	for k, n := range work {
		if !d.read[k] && d.cfg.Now().Sub(n.from) > lateArrival {
			first[k] = n
		}
	}
	for namespace, keys := range byNamespace(first) {
		req := lastnight.JobsRequest{Namespace: namespace}
		for i := range keys {
			if len(keys) <= lookAlone {
				req.Name = keys[i].workload
			} else if i > 0 {
				break // all are asked for at once
			}
			jobs, err := d.cfg.Keeper.Jobs(ctx, req)
			if err != nil {
				return fmt.Errorf("find when they began: %w", err)
			}
			reach(work, first, namespace, jobs)
		}
	}
	if len(d.read)+len(work) >= maxRemembered {
		clear(d.read)
	}
	for k := range work {
		d.read[k] = true
	}
	return nil
}

// reach widens what is read for the first time to when jobs of its name were first seen.
func reach(work, first map[workloadKey]news, namespace string, jobs []lastnight.Job) {
	for i := range jobs {
		j := &jobs[i]
		if j.FirstSeen.IsZero() {
			continue
		}
		for _, name := range append([]string{j.Name, j.Workload}, j.FlinkIDs...) {
			k := workloadKey{namespace, name}
			old, ok := first[k]
			if n := work[k]; ok && j.FirstSeen.Before(n.from) && old.from.Sub(j.FirstSeen) < importedSpan {
				n.from = j.FirstSeen
				work[k] = n
			}
		}
	}
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
	o, around := d.outlooks[k], news{stretch: s}.around()
	if !o.mayOpen(around.from, around.to) {
		return nil
	}
	from, to, old, err := d.extent(ctx, k, s)
	if err != nil {
		return err
	}
	if len(old) == 0 && !o.mayOpen(from, to) {
		return nil
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
