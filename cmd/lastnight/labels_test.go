package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/api/client"
	"lastnight/collector"
	"lastnight/internal/recorded"
	"lastnight/labels"
)

// somebody is a context in which a person asks who may do everything.
func somebody(ctx context.Context, name string) context.Context {
	return lastnight.WithActor(ctx, lastnight.Actor{Name: name, Role: lastnight.RoleAdmin, Namespaces: []string{lastnight.EveryNamespace}})
}

// freePort gives an address that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// startServer starts the real server as a process of its own, and waits until it answers.
func startServer(t *testing.T, data, addr string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self, "serve", "--data", data, "--listen", addr)
	cmd.Env = append(os.Environ(), "LASTNIGHT_TEST_MAIN=1")
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if alive(t.Context(), "http://"+addr) {
			return cmd
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	t.Fatalf("the server does not answer: %s", out.String())
	return nil
}

func kill9(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
}

// editors is 50 people who change 20 labels at the same time, each change made of the version that they read.
type editors struct {
	url   string
	done  atomic.Int64
	lost  atomic.Int64 // changes that came second, and were told so
	mu    sync.Mutex
	acked map[string][]string // what each label was told to say, by those who were told that it does
}

func (e *editors) edit(ctx context.Context, who string, r *rand.Rand) {
	c, err := client.New(e.url)
	if err != nil {
		return
	}
	ctx = somebody(ctx, who)
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("label-%d", r.IntN(20))
		l, err := c.Label(ctx, id)
		if err != nil {
			time.Sleep(10 * time.Millisecond) // the server is down
			continue
		}
		l.Title = fmt.Sprintf("%s number %d", who, n)
		made, err := c.EditLabel(ctx, *l, l.Version, l.Title)
		switch both := (*lastnight.LabelConflict)(nil); {
		case err == nil:
			e.mu.Lock()
			e.acked[id] = append(e.acked[id], strconv.Itoa(made.Version)+" "+made.Title)
			e.mu.Unlock()
			e.done.Add(1)
		case errors.As(err, &both):
			e.lost.Add(1)
			if both.Current.Version <= l.Version || both.Yours.Title != l.Title {
				e.mu.Lock()
				e.acked["conflicts"] = append(e.acked["conflicts"], fmt.Sprintf("%+v", both))
				e.mu.Unlock()
			}
		}
	}
}

// TestEditorsAndKills: 50 editors, 20 labels, the real server killed with SIGKILL in between. Every change
// that was acknowledged is in the history, at its version and by its author; the history has no hole and no change was lost.
func TestEditorsAndKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills servers")
	}
	data, addr := t.TempDir(), freePort(t)
	server := startServer(t, data, addr)
	c, err := client.New("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	ann := somebody(t.Context(), "ann")
	for i := range 20 {
		l := lastnight.Label{ID: fmt.Sprintf("label-%d", i), Title: "new", Target: lastnight.LabelTarget{Signature: &lastnight.Signature{Reasons: []string{"Evicted"}}}}
		if _, err := c.CreateLabel(ann, l, ""); err != nil {
			t.Fatal(err)
		}
	}
	e := &editors{url: "http://" + addr, acked: map[string][]string{}}
	ctx, stop := context.WithCancel(t.Context())
	var people sync.WaitGroup
	for i := range 50 {
		people.Go(func() { e.edit(ctx, fmt.Sprintf("editor-%d", i), rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	for range 4 {
		time.Sleep(700 * time.Millisecond)
		kill9(server)
		server = startServer(t, data, addr)
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	people.Wait()
	kill9(server)
	server = startServer(t, data, addr)
	t.Cleanup(func() { kill9(server) })

	kept := 0
	for i := range 20 {
		id := fmt.Sprintf("label-%d", i)
		history, err := c.LabelHistory(ann, id)
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]bool{}
		for k, h := range history {
			if h.Label.Version != k+1 || h.By != h.Label.Author || k > 0 && h.Why != h.Label.Title {
				t.Errorf("%s: entry %d is %+v", id, k, h)
			}
			said[strconv.Itoa(h.Label.Version)+" "+h.Label.Title] = true
		}
		for _, a := range e.acked[id] {
			if !said[a] {
				t.Errorf("%s: the change %q was acknowledged and is not in the history", id, a)
			}
		}
		kept += len(history) - 1
		if now, err := c.Label(ann, id); err != nil || cmp.Diff(history[len(history)-1].Label, *now) != "" {
			t.Errorf("%s is not as its history says: %v", id, err)
		}
	}
	done := int(e.done.Load())
	// A change whose answer the kill cut off may be kept or not: at most one for each editor and kill.
	if done < 100 || kept < done || kept > done+50*5 || e.lost.Load() == 0 || len(e.acked["conflicts"]) > 0 {
		t.Errorf("%d changes acknowledged, %d kept, %d refused, wrong conflicts %v", done, kept, e.lost.Load(), e.acked["conflicts"])
	}
	t.Logf("%d changes acknowledged, %d kept, %d refused as too late", done, kept, e.lost.Load())
}

// night imports a recorded case as if it had happened in the night before now, into an open node.
func (n *node) night(t testing.TB, now time.Time) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cases")
	if err := recorded.Replay(t.Context(), dir, recorded.Shift{Now: now, Zone: time.UTC}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.load(t.Context(), io.Discard, collector.Config{}, []string{filepath.Join(dir, "tm-oomkilled"), filepath.Join(dir, "bad-record")}); err != nil {
		t.Fatal(err)
	}
}

func openTest(t testing.TB, data string) *node {
	t.Helper()
	n, err := openNode(t.Context(), nodeConfig{dir: data, create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closeTest(t testing.TB, n *node) {
	t.Helper()
	if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// diagnoses gives each incident's job, start and diagnosis.
func diagnoses(t *testing.T, n *node) []lastnight.Incident {
	t.Helper()
	is, err := n.investigator.Incidents(t.Context(), lastnight.IncidentsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func byID(is []lastnight.Incident) map[string]lastnight.Diagnosis {
	m := map[string]lastnight.Diagnosis{}
	for i := range is {
		m[is[i].ID] = is[i].Diagnosis
	}
	return m
}

// TestLabelOnOneNightExplainsOthers labels a template of an incident. That explains the incident of a
// night that is imported afterwards though it was before, and of one that arrives later; also after
// templates were merged and the server restarted; and on an empty server that gets the exported labels first.
func TestLabelOnOneNightExplainsOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("imports recorded cases")
	}
	day := func(d int) time.Time { return time.Date(2026, 11, d, 9, 0, 0, 0, time.UTC) }
	data := t.TempDir()
	n := openTest(t, data)
	n.night(t, day(11))
	ann, bob := somebody(t.Context(), "ann"), somebody(t.Context(), "bob")
	first := diagnoses(t, n)
	at := slices.IndexFunc(first, func(i lastnight.Incident) bool { return i.Diagnosis.Cause == "bad-record" })
	if at < 0 {
		t.Fatalf("no incident to label: %+v", first)
	}
	template := ""
	for _, e := range first[at].Diagnosis.Chain {
		if e.Role == lastnight.RoleCause && e.Template != "" {
			template = e.Template
			break
		}
	}
	l, err := n.labels.CreateLabel(ann, lastnight.Label{
		Title: "Invoices with a decimal comma", Advice: "tell billing", State: lastnight.LabelProposed,
		Target: lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: template}},
	}, "seen last night")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.labels.ReviewLabel(bob, l.ID, l.Version, lastnight.ActionApprove, ""); err != nil {
		t.Fatal(err)
	}
	labeled := func(n *node) (k int) {
		for _, in := range diagnoses(t, n) {
			if ref := in.Diagnosis.Label; ref != nil && ref.ID == l.ID && ref.Author == "ann" && ref.State == "approved" && in.Job == first[at].Job {
				k++
			}
		}
		return k
	}
	if k := labeled(n); k != 1 {
		t.Errorf("%d incidents of the labeled night are explained by the label", k)
	}
	n.night(t, day(10)) // from before, imported afterwards
	n.night(t, day(12)) // later
	if k := labeled(n); k != 3 {
		t.Errorf("%d of 3 nights are explained by the label", k)
	}
	// What explains the other job is merged into the label's template: then the label explains it too.
	other := slices.IndexFunc(first, func(i lastnight.Incident) bool { return i.Job != first[at].Job && len(i.Features) > 0 })
	into := ""
	for _, e := range first[other].Diagnosis.Chain {
		if e.Template != "" && e.Role != lastnight.RoleRecovery && !slices.ContainsFunc(first[at].Diagnosis.Chain, func(x lastnight.Evidence) bool { return x.Template == e.Template }) {
			into = e.Template
		}
	}
	if into == "" {
		t.Fatalf("no template to merge with in %+v", first[other])
	}
	if _, err := n.labels.MergeTemplates(bob, lastnight.MergeRequest{From: []string{into}, Into: template, Why: "a test"}); err != nil {
		t.Fatal(err)
	}
	closeTest(t, n)
	n = openTest(t, data)
	n.night(t, day(13))
	if k := labeled(n); k != 4 {
		t.Errorf("after a merge, a restart and another night: %d of 4 nights are explained by the label", k)
	}
	// (One incident: the replayed nights have the same events, and the last one's replace the others'.)
	if !slices.ContainsFunc(diagnoses(t, n), func(in lastnight.Incident) bool { return in.Job == first[other].Job && in.Diagnosis.Label != nil }) {
		t.Errorf("the incident of %s is not explained by the label, though its template was merged", first[other].Job)
	}
	want := diagnoses(t, n)
	var file bytes.Buffer
	if err := n.labels.ExportLabels(ann, &file); err != nil {
		t.Fatal(err)
	}
	closeTest(t, n)

	empty := openTest(t, t.TempDir())
	defer closeTest(t, empty)
	if _, err := empty.labels.ImportLabels(ann, &file, lastnight.ImportRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []int{11, 10, 12, 13} {
		empty.night(t, day(d))
	}
	if d := cmp.Diff(byID(want), byID(diagnoses(t, empty))); d != "" {
		t.Errorf("an empty server with the same labels gives other diagnoses:\n%s", d)
	}
}

// BenchmarkLabelsStore looks labels up and asks for the queue on the embedded store with 100,000 labels and 1 M templates.
// It takes minutes to fill, so it runs only when asked for: LASTNIGHT_BENCH_LABELS=1.
func BenchmarkLabelsStore(b *testing.B) {
	if os.Getenv("LASTNIGHT_BENCH_LABELS") == "" {
		b.Skip("set LASTNIGHT_BENCH_LABELS=1")
	}
	ctx := b.Context()
	n, err := openNode(ctx, nodeConfig{dir: b.TempDir(), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = n.Close(context.WithoutCancel(ctx)) }()
	const templates, many, incidents = 1_000_000, 100_000, 5000
	id := func(i int) string { return fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15) }
	batch := make([]lastnight.Template, 0, 50_000)
	for i := range templates {
		batch = append(batch, lastnight.Template{ID: id(i), Text: fmt.Sprintf("component %d lost its lease on shard <*> of store %d", i%997, i)})
		if len(batch) == cap(batch) {
			if err := n.store.PutTemplates(ctx, batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	var file bytes.Buffer
	fmt.Fprintln(&file, "version: 1\nlabels:")
	for i := range many {
		fmt.Fprintf(&file, "- id: l%d\n  state: approved\n  title: Lease %d\n  template: {id: \"%s\"}\n", i, i, id(i*7))
	}
	began := time.Now()
	if _, err := n.labels.ImportLabels(somebody(ctx, "ann"), &file, lastnight.ImportRequest{}); err != nil {
		b.Fatal(err)
	}
	b.Logf("imported %d labels in %s", many, time.Since(began))
	began = time.Now()
	if _, err := labels.Open(ctx, labels.Config{Store: labelStore{exact: n.store}, Templates: n.store, Incidents: n.store}); err != nil {
		b.Fatal(err)
	}
	b.Logf("opened in %s", time.Since(began))
	r := rand.New(rand.NewPCG(1, 2))
	is := make([]lastnight.Incident, incidents)
	for i := range is {
		start := time.Now().Add(-time.Duration(i) * 8 * time.Minute)
		is[i] = lastnight.Incident{ID: fmt.Sprintf("i%d", i), Namespace: "flink", Job: fmt.Sprintf("job-%d", i%300), Start: start, End: start.Add(time.Minute), Failovers: 1 + i%3, Recovered: true}
		for range 40 {
			is[i].Features = append(is[i].Features, "template:"+id(r.IntN(templates)))
		}
	}
	if err := n.store.PutIncidents(ctx, is); err != nil {
		b.Fatal(err)
	}
	b.Run("lookup", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			one := []lastnight.Incident{is[i%incidents]}
			if err := n.labels.Explain(ctx, one); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("queue", func(b *testing.B) {
		if _, err := n.labels.Queue(ctx, lastnight.QueueRequest{}); err != nil { // reads the incidents once
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := n.labels.Queue(ctx, lastnight.QueueRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
