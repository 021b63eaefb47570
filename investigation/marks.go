package investigation

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

type workloadKey struct{ namespace, workload string }

// stretch is a time, both ends included.
type stretch struct{ from, to time.Time }

// news is the time that has something new.
type news struct {
	stretch
	opens bool // it may open a failover; else it is only evidence
}

// recheck is what is to be looked at again, and when.
type recheck struct {
	stretch
	at time.Time
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

func (n news) with(o news) news { return news{n.stretch.with(o.stretch), n.opens || o.opens} }

// Mark says that a signal of a workload happened at t; without a workload, that something of the
// cluster as a whole did, such as a node. It is quick.
func (d *Detector) Mark(namespace, workload string, t time.Time) {
	d.MarkAll([]Pending{{Namespace: namespace, Workload: workload, From: t, To: t}})
}

// MarkAll marks workloads for what happened to them from one time to another. It is quick.
func (d *Detector) MarkAll(marks []Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range marks {
		k := workloadKey{m.Namespace, m.Workload}
		if k.workload == "" {
			k.namespace = "" // of the node's own namespace nothing follows
		}
		d.add(k, news{stretch{m.From, m.To}, !m.Evidence})
	}
}

// add marks a workload. The caller holds d.mu.
func (d *Detector) add(k workloadKey, n news) {
	if old, ok := d.dirty[k]; ok {
		n = n.with(old)
	}
	d.dirty[k] = n
}

// putBack marks what was not looked into.
func (d *Detector) putBack(work map[workloadKey]news) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, n := range work {
		d.add(k, n)
	}
}

// Pending is a workload that Detect has still to look into, or to look at again. Namespace and Workload are empty if
// something of the cluster as a whole happened.
type Pending struct {
	Namespace, Workload string
	From, To            time.Time
	Evidence            bool // only records without any of the signals transition, lifecycle, restore and planned: they open nothing
}

// Pending gives all of it, in any order. Marks made from it in another process make that go on from here.
func (d *Detector) Pending() []Pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(d.dirty)
	for k, r := range d.due {
		n := news{r.stretch, true}
		if old, ok := all[k]; ok {
			n = n.with(old)
		}
		all[k] = n
	}
	out := make([]Pending, 0, len(all))
	for k, n := range all {
		out = append(out, Pending{k.namespace, k.workload, n.from, n.to, !n.opens})
	}
	return out
}

// Forget drops what is pending: it is another process's now.
func (d *Detector) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.dirty)
	clear(d.due)
	d.forgot = true
}

// take gives what is marked, unless it is evidence that waits for a while, and what is due to be looked at again.
func (d *Detector) take(all bool) map[workloadKey]news {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgot {
		clear(d.outlooks) // others were told what is new
		d.forgot = false
	}
	work := map[workloadKey]news{}
	now := d.cfg.Now()
	for k, n := range d.dirty {
		if all || n.opens || !now.Before(d.rests) {
			work[k] = n
			delete(d.dirty, k)
		}
	}
	for k, r := range d.due {
		if now.Before(r.at) {
			continue
		}
		delete(d.due, k)
		if _, ok := work[k]; !ok {
			work[k] = news{r.stretch, true}
		}
	}
	return work
}

// inOrder gives the workloads of a round, by namespace and name.
func inOrder(work map[workloadKey]news) []workloadKey {
	return slices.SortedFunc(maps.Keys(work), func(a, b workloadKey) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.workload, b.workload))
	})
}

// byNamespace groups the workloads of a round, which are asked for together.
func byNamespace(work map[workloadKey]news) map[string][]workloadKey {
	groups := map[string][]workloadKey{}
	for k := range work {
		groups[k.namespace] = append(groups[k.namespace], k)
	}
	return groups
}
