package indexer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/internal/tally"
)

// pass is what one batch of spans turns into. It lives as long as one call of Ingest.
type pass struct {
	x      *Indexer
	items  []archive.Item
	docs   map[string]*lastnight.Document // by id
	order  []string                       // ids in the order of arrival
	tmpl   map[string]lastnight.Template
	counts *tally.Tally[countKey]
	jobs   map[jobKey]*lastnight.Job
	counted
	marks map[mark]stretch
	// what is to be taken back if it does not reach the store
	streams map[lastnight.StreamID]bool
	grown   map[*growth]int64
	// what went through, for the metrics
	records, lines, bytes int64
	match                 clusterer.Match // for reuse
	until                 time.Time       // when it is too late to put counts; zero: never
}

// countKey is what is counted. It is short, since it is hashed for nearly each record of many small streams.
type countKey struct {
	template string
	minute   int64
	job      int32 // in counted
	level    lastnight.Level
}

// counted are the jobs whose records a pass counts, each with a number.
type counted struct {
	byNumber []jobKey
	numbers  map[jobKey]int32
}

// number gives the number of a workload.
func (c *counted) number(namespace, workload string) int32 {
	k := jobKey{namespace, workload}
	n, ok := c.numbers[k]
	if !ok {
		if c.numbers == nil {
			c.numbers = map[jobKey]int32{}
		}
		n = int32(len(c.byNumber))
		c.numbers[k], c.byNumber = n, append(c.byNumber, k)
	}
	return n
}

type (
	jobKey struct{ namespace, name string }
	mark   struct{ namespace, workload string }
	// stretch is the time from the first to the last signal, and whether all of them are mere evidence.
	stretch struct {
		from, to time.Time
		evidence bool
	}
)

func newPass(x *Indexer) *pass {
	return &pass{
		x: x, docs: map[string]*lastnight.Document{}, tmpl: map[string]lastnight.Template{},
		jobs: map[jobKey]*lastnight.Job{}, marks: map[mark]stretch{},
		streams: map[lastnight.StreamID]bool{}, grown: map[*growth]int64{}, counts: x.tallies.take(),
	}
}

// done lets go of what other passes may use again.
func (p *pass) done() { p.x.tallies.give(p.counts) }

// tallies are those that no pass uses now: a pass counts some thousand keys, so it costs less to keep than to make them.
type tallies struct{ pool sync.Pool }

func (t *tallies) take() *tally.Tally[countKey] {
	if counts, ok := t.pool.Get().(*tally.Tally[countKey]); ok {
		return counts
	}
	return &tally.Tally[countKey]{}
}

func (t *tallies) give(counts *tally.Tally[countKey]) {
	counts.Reset()
	t.pool.Put(counts)
}

// span trims, clusters and recognises one span and makes it an item for the archive.
func (p *pass) span(ctx context.Context, s *lastnight.Span) error {
	w := p.x.workloads.ofPod(ctx, s.Stream.Namespace, s.Stream.Pod, s.Stream.PodUID)
	left, err := p.x.cfg.Archive.Trim(ctx, s)
	if err != nil {
		return fmt.Errorf("trim %s/%s: %w", s.Stream.Namespace, s.Stream.Pod, err)
	}
	if !left {
		return nil
	}
	p.items = append(p.items, archive.Item{Span: s, Job: w.Name, Component: w.Component, Kind: w.Kind})
	p.bytes += s.RawBytes
	err = p.x.shards.with(ctx, w, func(c *clusterer.Clusterer) {
		p.cluster(c, s, w, true)
	})
	if err != nil {
		return fmt.Errorf("cluster %s/%s: %w", s.Stream.Namespace, s.Stream.Pod, err)
	}
	return nil
}

// replay is span for what the archive already holds: templates are as they were.
func (p *pass) replay(ctx context.Context, it archive.Item) error {
	w := lastnight.Workload{Namespace: it.Span.Stream.Namespace, Name: it.Job, Kind: it.Kind, Component: it.Component}
	return p.x.shards.with(ctx, w, func(c *clusterer.Clusterer) { p.cluster(c, it.Span, w, false) })
}

func (p *pass) cluster(c *clusterer.Clusterer, s *lastnight.Span, w lastnight.Workload, assign bool) {
	if len(s.Records) == 0 {
		return
	}
	sp := &spanPass{pass: p, span: s, workload: w, stream: s.Stream.ID()}
	settled := c.Stats().Lines >= settledLines
	job := p.job(s, w)
	key := countKey{job: p.number(w.Namespace, w.Name)}
	m, rec := &p.match, &lastnight.Recognition{}
	for i := range s.Records {
		r := &s.Records[i]
		c.AddTo(m, r.Message(), r.Exception)
		if assign || r.Template == "" {
			r.Template = p.x.followed.part(m.ID, r.Message())
		}
		p.lines += int64(len(r.Lines))
		t := r.Lines[0].Time
		if !r.Lines[0].Partial { // it is counted when it comes whole, or it would count twice
			if key.template, key.level = r.Template, r.Level; uint64(t-key.minute) >= uint64(time.Minute) {
				key.minute = floorMinute(t)
			}
			p.counts.Add(&key, tally.SlotOf(r.Template))
		}
		p.x.cfg.Recognizer.Recognize(s.Stream, r, rec)
		if rec.JobName != "" {
			p.flinkJob(s, w, *rec, t)
		}
		if m.New && settled {
			rec.Signals = append(slices.Clip(rec.Signals), lastnight.SignalNew)
		}
		if r.Level >= lastnight.LevelWarn || len(r.Exception) > 0 || len(rec.Signals) > 0 {
			sp.important(r, rec)
		}
		if rec.Signals != nil || rec.JobName != "" || rec.JobID != "" {
			*rec = lastnight.Recognition{}
		}
	}
	p.records += int64(len(s.Records))
	sp.done()
	last := time.Unix(0, s.Records[len(s.Records)-1].Lines[0].Time).UTC()
	if last.After(job.LastSeen) {
		job.LastSeen = last
	}
	for _, t := range c.Changed() {
		p.x.followed.appeared(c, t.ID)
		t.FirstSeen, t.LastSeen = s.Records[0].Time(), last
		if before, ok := p.tmpl[t.ID]; ok { // of another stream or workload
			store.MergeTemplate(&before, &t)
			t = before
		}
		p.tmpl[t.ID] = t
	}
}

// job notes that the workload was seen.
func (p *pass) job(s *lastnight.Span, w lastnight.Workload) *lastnight.Job {
	first := s.Records[0].Time()
	return p.noteJob(jobOf(w, s.Stream.Cluster, first, first))
}

func (p *pass) noteJob(j lastnight.Job) *lastnight.Job {
	k := jobKey{j.Namespace, j.Name}
	known := p.jobs[k]
	if known == nil {
		p.jobs[k] = &j
		return &j
	}
	store.MergeJob(known, &j)
	return known
}

// flinkJob notes a Flink job that a record names: the workload itself in application
// mode, one of several in a session cluster.
func (p *pass) flinkJob(s *lastnight.Span, w lastnight.Workload, rec lastnight.Recognition, t int64) {
	j := jobOf(w, s.Stream.Cluster, time.Unix(0, t).UTC(), time.Unix(0, t).UTC())
	j.Name, j.Kind = rec.JobName, lastnight.JobFlink
	if rec.JobID != "" {
		j.FlinkIDs = []string{rec.JobID}
	}
	p.noteJob(j)
}

// failed takes back what did not reach the store. The same records again become documents again.
func (p *pass) failed() {
	p.x.merger.reset(p.streams)
	p.x.merger.undo(p.grown)
}

func (p *pass) put(d *lastnight.Document) {
	if _, ok := p.docs[d.ID]; !ok {
		p.order = append(p.order, d.ID)
	}
	p.docs[d.ID] = d
}

// maxStoredText bounds the text that the store keeps of a record, in bytes; the archive has all of it.
const maxStoredText = 16 << 10

func document(s *lastnight.Span, stream lastnight.StreamID, r *lastnight.Record, w lastnight.Workload) lastnight.Document {
	text := r.Text()
	if len(text) > maxStoredText {
		text = text[:maxStoredText]
	}
	return lastnight.Document{
		ID: string(lastnight.NewLineID(stream, s.Generation, r.Lines[0].Offset)), Kind: lastnight.DocumentRecord,
		Time: r.Time(), Text: text, Level: r.Level.String(), Logger: r.Logger, Thread: r.Thread, MessageAt: r.MessageAt,
		Cluster: s.Stream.Cluster, Namespace: s.Stream.Namespace, Pod: s.Stream.Pod, PodUID: s.Stream.PodUID,
		Container: s.Stream.Container, Restart: s.Stream.Restart, Node: s.Stream.Node, Stderr: r.Lines[0].Stderr,
		Job: w.Name, Component: w.Component, Template: r.Template, Exception: r.Exception, Attrs: r.Attrs,
	}
}

// floorMinute gives the start of t's minute, both in ns since 1970.
func floorMinute(t int64) int64 {
	return t - ((t%int64(time.Minute))+int64(time.Minute))%int64(time.Minute)
}

func (p *pass) templates() []lastnight.Template {
	ts := make([]lastnight.Template, 0, len(p.tmpl))
	for _, t := range p.tmpl {
		ts = append(ts, t)
	}
	return ts
}

func (p *pass) documents() []lastnight.Document {
	docs := make([]lastnight.Document, len(p.order))
	for i, id := range p.order {
		docs[i] = *p.docs[id]
	}
	return docs
}

func (p *pass) countList() []lastnight.TemplateCount {
	list := make([]lastnight.TemplateCount, 0, p.counts.Len())
	for k, n := range p.counts.All {
		job := p.byNumber[k.job]
		list = append(list, lastnight.TemplateCount{
			Namespace: job.namespace, Job: job.name, Template: k.template, Level: k.level.String(),
			Minute: time.Unix(0, k.minute).UTC(), Count: n,
		})
	}
	return list
}

func (p *pass) jobList() []lastnight.Job {
	list := make([]lastnight.Job, 0, len(p.jobs))
	for _, j := range p.jobs {
		list = append(list, *j)
	}
	return list
}

// mark notes that a workload has signals.
func (p *pass) mark(w lastnight.Workload, s stretch) {
	k := mark{w.Namespace, w.Name}
	if old, ok := p.marks[k]; ok {
		if old.from.Before(s.from) {
			s.from = old.from
		}
		if old.to.After(s.to) {
			s.to = old.to
		}
		s.evidence = s.evidence && old.evidence
	}
	p.marks[k] = s
}

// markSignals tells whoever investigates. It comes before the counts: a segment that has counts is not looked at
// again after a crash.
func (p *pass) markSignals(ctx context.Context) error {
	if p.x.cfg.Sink == nil || len(p.marks) == 0 {
		return nil
	}
	marks := make([]Mark, 0, len(p.marks))
	for m, s := range p.marks {
		marks = append(marks, Mark{m.namespace, m.workload, s.from, s.to, s.evidence})
	}
	if err := p.x.cfg.Sink.Mark(ctx, marks); err != nil {
		return fmt.Errorf("tell of signals: %w", err)
	}
	return nil
}
