package labels_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// nights has incidents of two jobs in two namespaces.
func nights(t testing.TB) *memory {
	t.Helper()
	m := newMemory()
	m.text("t1", "lease of shard <*> was lost")
	m.text("t2", "gateway refused the handshake of <*>")
	m.text("t3", "lease of shard <*> was stolen")
	add := func(id, ns, job string, ago time.Duration, failovers int, explained bool, features ...string) {
		in := incident(id, features...)
		in.Namespace, in.Job, in.Start, in.Failovers = ns, job, night.Add(-ago), failovers
		in.Diagnosis.Explained, in.Diagnosis.Verdict = explained, "it failed over"
		if explained {
			in.Diagnosis.Cause = "node-lost"
		}
		m.incidents = append(m.incidents, in)
	}
	add("a", "flink", "orders", time.Hour, 3, false, "template:t1", "exception:x.LeaseException")
	add("b", "shop", "cart", 2*time.Hour, 1, false, "template:t1", "exception:x.LeaseException")
	add("c", "flink", "orders", 10*24*time.Hour, 100, true, "template:t2")
	add("d", "flink", "orders", 40*24*time.Hour, 1000, false, "template:t3")
	planned := incident("p", "template:t1")
	planned.Planned = true
	m.incidents = append(m.incidents, planned)
	return m
}

func TestQueueAndCoverage(t *testing.T) {
	m := nights(t)
	l := open(t, m)
	type row struct {
		Kind, ID                   string
		Failovers, Jobs, Explained int
	}
	queue := func(req lastnight.QueueRequest, namespaces ...string) (rows []row, all []lastnight.QueueItem) {
		t.Helper()
		all, err := l.Queue(as(t, "ann", lastnight.RoleViewer, namespaces...), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			rows = append(rows, row{q.Kind, q.ID, q.Failovers, q.Jobs, q.Explained})
		}
		return rows, all
	}
	share := func(req lastnight.CoverageRequest, want string, namespaces ...string) {
		t.Helper()
		c, err := l.Coverage(as(t, "ann", lastnight.RoleViewer, namespaces...), req)
		if err != nil || c.Summary != want {
			t.Errorf("%+v %v", c, err)
		}
	}
	rows, all := queue(lastnight.QueueRequest{})
	want := []row{{"template", "t2", 100, 1, 100}, {"incident", "a", 4, 2, 0}, {"template", "t1", 4, 2, 0}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if all[1].Impact < 7.9 || all[1].Impact > 8 || all[1].Target.Signature.Exceptions[0] != "x.LeaseException" {
		t.Errorf("%+v", all[1])
	}
	// Who may see one namespace sees of the other nothing, not even in the sums.
	if rows, _ := queue(lastnight.QueueRequest{}, "shop"); cmp.Diff([]row{{"incident", "b", 1, 1, 0}, {"template", "t1", 1, 1, 0}}, rows) != "" {
		t.Errorf("shop sees %v", rows)
	}
	if rows, _ := queue(lastnight.QueueRequest{Kind: "template", Namespace: "flink", Start: night.Add(-50 * 24 * time.Hour), Limit: 2}); cmp.Diff([]row{{"template", "t2", 100, 1, 100}, {"template", "t3", 1000, 1, 0}}, rows) != "" {
		t.Errorf("50 days: %v", rows)
	}
	share(lastnight.CoverageRequest{}, "96 % of the 104 failovers of the last 30 days are explained.")
	share(lastnight.CoverageRequest{}, "0 % of the 1 failovers of the last 30 days are explained.", "shop")
	share(lastnight.CoverageRequest{}, "No failovers in 30 days.", "elsewhere")

	approved(t, l, lastnight.Label{ID: "lease", Title: "The lease was lost", Target: template("t1")})
	if rows, _ := queue(lastnight.QueueRequest{}); cmp.Diff([]row{{"template", "t2", 100, 1, 100}}, rows) != "" {
		t.Errorf("once labeled: %v", rows)
	}
	share(lastnight.CoverageRequest{Job: "orders"}, "100 % of the 103 failovers of the last 30 days are explained.")
	_, all = queue(lastnight.QueueRequest{Kind: "template", Start: night.Add(-50 * 24 * time.Hour)})
	if p := all[1].Proposals; all[1].ID != "t3" || len(p) != 1 || p[0].Label.ID != "lease" || p[0].Template != "t1" || p[0].Score != .6 {
		t.Errorf("proposals for what is similar: %+v", all[1])
	}
	// An incident that arrives while the server runs counts at once; one that goes does not any more.
	in := incident("e", "template:t9")
	m.text("t9", "x")
	l.IncidentsPut([]lastnight.Incident{in})
	if rows, _ := queue(lastnight.QueueRequest{Kind: "template", Limit: 5}); len(rows) != 2 {
		t.Errorf("after one arrived: %v", rows)
	}
	l.IncidentsGone([]string{"e"})
	if rows, _ := queue(lastnight.QueueRequest{Kind: "template", Limit: 5}); len(rows) != 1 {
		t.Errorf("after it went: %v", rows)
	}
	_, err := l.Queue(t.Context(), lastnight.QueueRequest{Kind: "words"})
	code(t, "another kind", err, lastnight.CodeInvalid)
}

// TestQueueLeavesOutEverydayTemplates: what is in most failovers whatever the cause explains none.
func TestQueueLeavesOutEverydayTemplates(t *testing.T) {
	m := newMemory()
	m.text("every", "switched from RUNNING to RESTARTING")
	for i := range 6 {
		in := incident(fmt.Sprint(i), "template:every", fmt.Sprintf("template:t%d", i))
		m.text(fmt.Sprintf("t%d", i), "x")
		in.Diagnosis.Explained, in.Diagnosis.Cause = true, fmt.Sprintf("cause-%d", i%3)
		m.incidents = append(m.incidents, in)
	}
	items, err := open(t, m).Queue(t.Context(), lastnight.QueueRequest{})
	if err != nil || len(items) != 6 {
		t.Fatalf("%+v %v", items, err)
	}
	for _, q := range items {
		if q.ID == "every" {
			t.Errorf("%+v", q)
		}
	}
}

// TestQueueBeginsWithCauses: what a failure did to the job comes after what may have been its cause, however often it was.
func TestQueueBeginsWithCauses(t *testing.T) {
	m := newMemory()
	evidence := func(kind, role, template string) lastnight.Evidence {
		return lastnight.Evidence{Kind: kind, Role: role, Template: template, Text: "x"}
	}
	for id, text := range map[string]string{"state": "Job <*> switched to FAILING", "task": "task <*> was cancelled", "why": "disk <*> is full", "seen": "disk <*> is slow"} {
		m.text(id, text)
	}
	known, unknown := incident("known"), incident("unknown")
	known.Failovers, unknown.Failovers = 10, 2
	known.Diagnosis.Chain = []lastnight.Evidence{
		evidence("record", lastnight.RoleCause, "why"), evidence("record", lastnight.RoleEffect, "task"), evidence("transition", lastnight.RoleEffect, "state"),
	}
	unknown.Diagnosis.Chain = []lastnight.Evidence{evidence("record", lastnight.RoleEffect, "seen"), evidence("transition", lastnight.RoleEffect, "state")}
	m.incidents = append(m.incidents, known, unknown)
	items, err := open(t, m).Queue(t.Context(), lastnight.QueueRequest{Kind: lastnight.QueueTemplate})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, q := range items {
		ids = append(ids, q.ID)
	}
	if d := cmp.Diff([]string{"why", "seen", "state", "task"}, ids); d != "" {
		t.Error(d)
	}
}

func TestPreviewMergeSplit(t *testing.T) {
	m := nights(t)
	for i := range m.incidents {
		if m.incidents[i].ID == "a" {
			m.incidents[i].Diagnosis.Chain = []lastnight.Evidence{{Kind: "record", Role: lastnight.RoleEffect, Template: "t1", Text: "12:00 WARN lease of shard 7 was lost"}}
		}
	}
	l := open(t, m)
	bob := as(t, "bob", lastnight.RoleReviewer)
	p, err := l.PreviewLabel(bob, lastnight.Label{Target: template("t1")})
	if err != nil || p.Matches != 2 || p.Failovers != 4 || p.Replaces != 0 || len(p.Incidents) != 2 {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := l.PreviewLabel(as(t, "eve", lastnight.RoleViewer, "shop"), lastnight.Label{Target: template("t1")}); err != nil || p.Matches != 1 {
		t.Errorf("shop: %+v %v", p, err)
	}
	if p, _ := l.PreviewLabel(bob, lastnight.Label{Target: template("t2")}); p.Replaces != 1 {
		t.Errorf("what the catalogue explains: %+v", p)
	}
	approved(t, l, lastnight.Label{ID: "lease", Title: "The lease was lost", Target: template("t1")})
	_, err = l.MergeTemplates(as(t, "ann", lastnight.RoleLabeler), lastnight.MergeRequest{From: []string{"t3"}, Into: "t1"})
	code(t, "a labeler merges", err, lastnight.CodeForbidden)
	_, err = l.MergeTemplates(bob, lastnight.MergeRequest{From: []string{"nothing"}, Into: "t1"})
	code(t, "unknown template", err, lastnight.CodeNotFound)
	_, err = l.MergeTemplates(bob, lastnight.MergeRequest{From: []string{"t1"}, Into: "t1"})
	code(t, "with itself", err, lastnight.CodeInvalid)
	n := len(m.items)
	mp, err := l.MergeTemplates(bob, lastnight.MergeRequest{From: []string{"t3"}, Into: "t1", Preview: true})
	if err != nil || mp.Touched != 3 || len(mp.Labels) != 1 || mp.Labels[0].Before != 2 || mp.Labels[0].After != 3 || len(m.items) != n || mp.Merge.ID != "" {
		t.Errorf("preview of a merge: %+v %v", mp, err)
	}
	_, err = l.SplitTemplate(bob, lastnight.SplitRequest{Template: "t1", Text: "gateway refused"})
	code(t, "no part of it", err, lastnight.CodeInvalid)
	_, err = l.SplitTemplate(bob, lastnight.SplitRequest{Template: "t1", Text: "lease of shard <*> was lost"})
	code(t, "all of it", err, lastnight.CodeInvalid)
	req := lastnight.SplitRequest{Template: "t1", Text: "lease of shard 7 was lost", Preview: true}
	mp, err = l.SplitTemplate(bob, req)
	if err != nil || mp.Labels[0].Before != 2 || mp.Labels[0].After != 1 || len(m.items) != n {
		t.Errorf("preview of a split: %+v %v", mp, err)
	}
	req.Preview = false
	if mp, err = l.SplitTemplate(bob, req); err != nil {
		t.Fatal(err)
	}
	part := mp.Merge.Into
	if len(m.splits) != 1 || m.splits[0].Into != part || m.templates[part].Text != req.Text {
		t.Errorf("the clusterers were told %+v", m.splits)
	}
	a, _ := m.Incident(bob, "a")
	if got := explained(t, l, *a); got != "" {
		t.Errorf("the part that was split off is explained by %q", got)
	}
	if got := explained(t, l, incident("x", "template:"+part)); got != "" {
		t.Errorf("a new record of the part is explained by %q", got)
	}
	if got := explained(t, l, incident("x", "template:t1")); got != "lease" {
		t.Errorf("the rest is explained by %q", got)
	}
	d, err := l.TemplateDetail(bob, "t1")
	if err != nil || d.Failovers != 1 || len(d.Labels) != 1 || len(d.Aliases) != 0 || len(d.Incidents) != 1 || d.Incidents[0].ID != "b" {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := l.UndoMerge(bob, mp.Merge.ID, "no"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := explained(t, l, *a); got != "lease" {
			t.Errorf("after the split was undone: %q", got)
		}
		if got := explained(t, l, incident("x", "template:"+part)); got != "lease" {
			t.Errorf("what was written in between, after the split was undone: %q", got)
		}
		l = open(t, m)
	}
	if len(m.splits) != 0 {
		t.Errorf("the clusterers still split: %+v", m.splits)
	}
	_, err = l.UndoMerge(bob, mp.Merge.ID, "")
	code(t, "undone twice", err, lastnight.CodeInvalid)
}

// big has n labels, half of them on templates and half on signatures, templates and incidents.
func big(b *testing.B, labelsN, templatesN, incidentsN int) *memory {
	b.Helper()
	m := newMemory()
	for i := range templatesN {
		t := lastnight.Template{ID: number(i), Text: fmt.Sprintf("component %d lost its lease on shard <*> of store %d", i%997, i)}
		if i%10 == 0 && i > 0 {
			t.Link = number(i - 1)
		}
		m.templates[t.ID] = t
	}
	for i := range labelsN {
		target := fmt.Sprintf(`{"template":{"id":"%s","text":"component %d lost its lease on shard <*> of store %d"}}`, number(i*7%templatesN), i%997, i*7%templatesN)
		if i%2 == 1 {
			target = fmt.Sprintf(`{"signature":{"exceptions":["com.acme.E%dException"],"reasons":["OOMKilled"],"exit_codes":[137]}}`, i%5000)
		}
		m.items[fmt.Sprintf("labels/l%d@00000001", i)] = fmt.Sprintf(
			`{"format":1,"action":"import","by":"x","at":"2026-11-01T00:00:00Z","label":{"id":"l%d","version":1,"state":"approved","title":"t","target":%s,"author":"x","approved_by":"y","approved_version":1,"created":"2026-11-01T00:00:00Z","updated":"2026-11-01T00:00:00Z"}}`, i, target)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range incidentsN {
		in := incident(fmt.Sprintf("i%d", i), "reason:OOMKilled", "exit:137", "layer:storage", fmt.Sprintf("exception:com.acme.E%dException", r.IntN(10_000)))
		in.Start, in.Job = night.Add(-time.Duration(i)*4*time.Minute), fmt.Sprintf("job-%d", i%300)
		for range 40 {
			in.Features = append(in.Features, "template:"+number(r.IntN(templatesN)))
		}
		m.incidents = append(m.incidents, in)
	}
	return m
}

// BenchmarkLookup is the label of one diagnosis among 100,000 labels and 1 M templates.
func BenchmarkLookup(b *testing.B) {
	m := big(b, 100_000, 1_000_000, 2000)
	l := open(b, m)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		one := []lastnight.Incident{m.incidents[i%len(m.incidents)]}
		began := time.Now()
		if err := l.Explain(b.Context(), one); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkQueue is the queue of 2,000 and of 10,000 incidents with 100,000 labels and 1 M templates; relabel
// is the first one after a label has changed.
func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{2_000, 10_000} {
		b.Run(fmt.Sprintf("incidents=%d", n), func(b *testing.B) { queueOf(b, n) })
	}
}

func queueOf(b *testing.B, incidents int) {
	l := open(b, big(b, 100_000, 1_000_000, incidents))
	ctx := as(b, "ann", lastnight.RoleAdmin)
	ask := func(b *testing.B) {
		b.Helper()
		if _, err := l.Queue(ctx, lastnight.QueueRequest{}); err != nil {
			b.Fatal(err)
		}
	}
	ask(b) // reads the incidents once
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			ask(b)
		}
	})
	b.Run("relabel", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if _, err := l.CreateLabel(ctx, lastnight.Label{Title: "x", Target: template(number(3))}, ""); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			ask(b)
		}
	})
}
