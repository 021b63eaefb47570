package investigation

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"lastnight"
	"lastnight/query"
)

// memory is a Source and a Keeper in memory.
type memory struct {
	mu         sync.Mutex
	recognizer *Recognizer
	firstSeen  time.Time // of every job
	merged     map[string]int
	docs       map[string]lastnight.Document
	important  map[string]bool
	sorted     []lastnight.Document
	pods       []lastnight.Pod
	incidents  map[string]lastnight.Incident
	jobs       map[string]*lastnight.Job
	detector   *Detector
	searches   int // how often it was searched
}

func newMemory(c *Catalogue) *memory {
	return &memory{recognizer: NewRecognizer(c), docs: map[string]lastnight.Document{}, important: map[string]bool{}, incidents: map[string]lastnight.Incident{}, jobs: map[string]*lastnight.Job{}, merged: map[string]int{}}
}

func (m *memory) putPod(p lastnight.Pod) {
	w := lastnight.WorkloadOf(&p)
	m.note(w, w.Name, "")
	for i := range m.pods {
		if q := &m.pods[i]; q.UID == p.UID {
			if p.IP != "" {
				q.IP = p.IP
			}
			if p.Node != "" {
				q.Node = p.Node
			}
			if !p.Deleted.IsZero() {
				q.Deleted = p.Deleted
			}
			return
		}
	}
	m.pods = append(m.pods, p)
}

func (m *memory) workload(ns, pod, uid string) lastnight.Workload {
	for i := range m.pods {
		if m.pods[i].UID == uid && uid != "" {
			return lastnight.WorkloadOf(&m.pods[i])
		}
	}
	return lastnight.WorkloadOf(&lastnight.Pod{Namespace: ns, Name: pod})
}

func (m *memory) addEvent(e lastnight.Event) {
	d := lastnight.Document{ID: e.ID, Kind: lastnight.DocumentEvent, Time: e.Time, Text: e.Message, Namespace: e.Object.Namespace, Node: e.Node, Container: e.Container, Restart: e.Restart, Event: &e}
	if e.Object.Kind == "Node" {
		d.Node = e.Object.Name
	}
	if e.Object.Kind == "Pod" {
		d.Pod, d.PodUID = e.Object.Name, e.Object.UID
		w := m.workload(d.Namespace, d.Pod, d.PodUID)
		d.Job, d.Component = w.Name, w.Component
	}
	if e.Object.Kind == "ReplicaSet" {
		d.Job = lastnight.WorkloadOf(&lastnight.Pod{Owner: e.Object}).Name
	}
	m.put(d, true)
}

func (m *memory) addRecord(s *lastnight.Stream, g lastnight.Generation, r lastnight.Record) {
	var rec lastnight.Recognition
	m.recognizer.Recognize(s, &r, &rec)
	w := m.workload(s.Namespace, s.Pod, s.PodUID)
	m.note(w, w.Name, "")
	if rec.JobName != "" {
		m.note(w, rec.JobName, rec.JobID)
	}
	m.put(lastnight.Document{
		ID: string(lastnight.NewLineID(s.ID(), g, r.Lines[0].Offset)), Kind: lastnight.DocumentRecord, Time: r.Time(), Text: r.Text(), Level: r.Level.String(),
		Logger: r.Logger, Thread: r.Thread, MessageAt: r.MessageAt, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID, Container: s.Container,
		Restart: s.Restart, Node: s.Node, Stderr: r.Lines[0].Stderr, Job: w.Name, Component: w.Component, Exception: slices.Clone(r.Exception),
		Signals: rec.Signals, FlinkJob: rec.JobName, FlinkJobID: rec.JobID, Alike: 1,
	}, (r.Level >= lastnight.LevelWarn || len(r.Exception) > 0 || len(rec.Signals) > 0) && m.keeps(s, &r, rec))
}

// keeps merges like items as the indexer does: of what is alike in a stream and minute the first three are kept, of landmarks all.
func (m *memory) keeps(s *lastnight.Stream, r *lastnight.Record, rec lastnight.Recognition) bool {
	for _, sig := range rec.Signals {
		switch sig {
		case lastnight.SignalTransition, lastnight.SignalLifecycle, lastnight.SignalRestore, lastnight.SignalPlanned:
			return true
		}
	}
	alike := string(s.ID()) + mask(string(r.Message())) + strings.Join(r.Exception, ",")
	key := alike + r.Time().Format("15:04")
	m.merged[key]++
	m.merged[alike]++
	if m.merged[alike] > 50 {
		return m.merged[alike]%500 == 0
	}
	return m.merged[key] <= 3
}

func (m *memory) note(w lastnight.Workload, name, id string) {
	k := w.Namespace + "/" + name
	j := m.jobs[k]
	if j == nil {
		j = &lastnight.Job{Namespace: w.Namespace, Name: name, Workload: w.Name, Kind: w.Kind, FirstSeen: m.firstSeen}
		m.jobs[k] = j
	}
	if id != "" && !slices.Contains(j.FlinkIDs, id) {
		j.FlinkIDs = append(j.FlinkIDs, id)
	}
}

func (m *memory) put(d lastnight.Document, important bool) {
	if _, ok := m.docs[d.ID]; ok {
		return
	}
	m.docs[d.ID] = d
	m.important[d.ID] = important
	m.sorted = nil
	if m.detector != nil && important {
		m.mark(m.detector, &d)
	}
}

// mark tells a detector of a document as the indexer does.
func (m *memory) mark(to *Detector, d *lastnight.Document) {
	landmark := d.Event != nil
	for _, s := range d.Signals {
		landmark = landmark || s == lastnight.SignalTransition || s == lastnight.SignalLifecycle || s == lastnight.SignalRestore || s == lastnight.SignalPlanned
	}
	to.MarkAll([]Pending{{Namespace: d.Namespace, Workload: d.Job, From: d.Time, To: d.Time, Evidence: !landmark}})
}

func (m *memory) Search(_ context.Context, q lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	if m.sorted == nil {
		for _, d := range m.docs {
			m.sorted = append(m.sorted, d)
		}
		sort.Slice(m.sorted, func(i, j int) bool {
			a, b := &m.sorted[i], &m.sorted[j]
			if !a.Time.Equal(b.Time) {
				return a.Time.Before(b.Time)
			}
			return a.ID < b.ID
		})
	}
	m.searches++
	asked, err := query.Parse(q.Query)
	if err != nil {
		return func(yield func(lastnight.Document, error) bool) { yield(lastnight.Document{}, err) }
	}
	var out []lastnight.Document
	for _, d := range m.sorted {
		switch {
		case q.Important && !m.important[d.ID], !q.Start.IsZero() && d.Time.Before(q.Start), !q.End.IsZero() && !d.Time.Before(q.End),
			q.Namespace != "" && d.Namespace != q.Namespace, q.Job != "" && d.Job != q.Job && d.FlinkJob != q.Job, q.Pod != "" && d.Pod != q.Pod,
			q.PodUID != "" && d.PodUID != q.PodUID, q.Container != "" && d.Container != q.Container, q.Node != "" && d.Node != q.Node,
			q.Restart != nil && d.Restart != *q.Restart, len(q.Kinds) > 0 && !slices.Contains(q.Kinds, d.Kind),
			!query.Match(asked, &d):
			continue
		}
		out = append(out, d)
	}
	if !q.Oldest {
		slices.Reverse(out)
	}
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return func(yield func(lastnight.Document, error) bool) {
		for _, d := range out {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (m *memory) Pods(_ context.Context, ns, workload string) ([]lastnight.Pod, error) {
	var out []lastnight.Pod
	for i := range m.pods {
		if m.pods[i].Namespace == ns && (workload == "" || lastnight.WorkloadOf(&m.pods[i]).Name == workload) {
			out = append(out, m.pods[i])
		}
	}
	return out, nil
}

func (m *memory) PodsByIP(_ context.Context, ip string) ([]lastnight.Pod, error) {
	var out []lastnight.Pod
	for i := range m.pods {
		if m.pods[i].IP == ip {
			out = append(out, m.pods[i])
		}
	}
	return out, nil
}

func (m *memory) PutIncidents(_ context.Context, is []lastnight.Incident) error {
	for _, i := range is {
		m.incidents[i.ID] = i
	}
	return nil
}

func (m *memory) DeleteIncidents(_ context.Context, ids []string) error {
	for _, id := range ids {
		delete(m.incidents, id)
	}
	return nil
}

func (m *memory) Incidents(_ context.Context, q lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	var out []lastnight.Incident
	for _, i := range m.incidents {
		if (q.Namespace == "" || i.Namespace == q.Namespace) && (q.Job == "" || i.Job == q.Job || i.Workload == q.Job) && !i.Start.Before(q.Start) && (q.End.IsZero() || i.Start.Before(q.End)) && (q.Planned || !i.Planned) {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b lastnight.Incident) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID)) })
	return out, nil
}

func (m *memory) Incident(_ context.Context, id string) (*lastnight.Incident, error) {
	if i, ok := m.incidents[id]; ok {
		return &i, nil
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "no incident %s", id)
}

func (m *memory) Jobs(_ context.Context, q lastnight.JobsRequest) ([]lastnight.Job, error) {
	var out []lastnight.Job
	for _, j := range m.jobs {
		if (q.Namespace == "" || j.Namespace == q.Namespace) && (q.Name == "" || j.Name == q.Name || j.Workload == q.Name || slices.Contains(j.FlinkIDs, q.Name)) {
			out = append(out, *j)
		}
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Name < out[b].Name })
	return out, nil
}
