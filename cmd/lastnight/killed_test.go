package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
	"lastnight/internal/vfs"
	"lastnight/investigation"
)

const (
	killedBatches = 3 // of each namespace; a server is killed in the second
	killedPods    = 2
	killedLines   = 6                // of a pod in a batch, a minute from one to the next, so that no two become one document
	killedWait    = 90 * time.Second // longer than replaced files stay (graceLeases)
	calm          = "calm"           // the namespace in which nobody is killed
)

// killStep is a namespace and when servers are killed while its second batch arrives: the one that takes it, then
// whoever does what it left.
type killStep struct {
	name string
	at   []moment
	any  bool // who dies first may be any of them, too
}

// arrivalSteps are those of what arrives, in the order in which it goes through a server.
func arrivalSteps() []killStep {
	var steps []killStep
	for _, kind := range []string{"bulk templates", "put segment", "bulk jobs", "bulk documents", "item marks/new", "bulk counts", "put sources"} {
		for _, when := range []string{"before", "half", "after"} {
			steps = append(steps, killStep{name: kind + " " + when, at: []moment{{kind, when}}})
		}
	}
	return steps
}

// dutySteps are those of duties.
func dutySteps() []killStep {
	// Who takes over compacts at once what the one before it did not.
	steps := []killStep{{name: "duty chunk", at: []moment{{"put chunk", "before"}, {"put chunk", "half"}, {"put chunk", "after"}}, any: true}}
	for _, m := range []moment{
		{"item leases/archive", "before"},
		{"item leases/archive", "after"},
		{"item leases/incidents", "half"},
		{"item marks/pending", "before"},
		{"item marks/pending", "after"},
		{"delete item", "before"},
		{"delete item", "after"},
		{"bulk incidents", "before"},
		{"bulk incidents", "half"},
		{"bulk incidents", "after"},
		{stopped, "before"},
		{stopped, "half"},
		{stopped, "after"},
	} {
		steps = append(steps, killStep{name: "duty " + m.kind + " " + m.when, at: []moment{m}, any: true})
	}
	for _, m := range []moment{{"bulk documents", "half"}, {"bulk counts", "before"}, {"put sources", "before"}, {"put sources", "after"}} {
		// The segment is durable, nothing else; who has the lease indexes it, and dies in it.
		steps = append(steps, killStep{name: "adopted " + m.kind + " " + m.when, at: []moment{{"put segment", "after"}, m}})
	}
	return steps
}

// stopped is what a server writes when it is told to end.
const stopped = "item clusterer/"

// lastMoments come when replaced files have waited long enough.
var lastMoments = []moment{{"delete segment", "before"}, {"delete segment", "after"}}

// TestElasticsearchKilledAtEachStep kills (-9) server processes before, in and after each of their writes to a real
// Elasticsearch and a real object store. Another takes over: what was acknowledged is read from it at once, and in
// the end lines, documents, counts and incidents are those of the namespace in which nobody was killed.
func TestElasticsearchKilledAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch and an S3 server")
	}
	w := newKillWorld(t, "1s")
	began := time.Now()
	w.old(t, "old-indexed", true) // first of all: nothing arrives before what is there
	w.old(t, "old-left", false)
	w.batches(t, calm, killStep{})
	for _, s := range append(dutySteps(), arrivalSteps()...) {
		w.batches(t, strings.NewReplacer(" ", "-", "/", "-").Replace(s.name), s)
	}
	t.Logf("%d servers killed after %s", w.killed, time.Since(began).Round(time.Second))
	w.servers[0].kill() // it has just started, and would let what it sees wait for a whole while of its own
	w.dead = append(w.dead, w.servers[0])
	for _, m := range lastMoments {
		w.k.arm(m, nil)
		w.wait(t, m)
		t.Logf("%s %s after %s", m.when, m.kind, time.Since(began).Round(time.Second))
	}
	w.restart(t)
	t.Logf("%d in all, after %s; an acknowledged line was read from another server after %s at most; requests: %v",
		w.killed, time.Since(began).Round(time.Second), w.slowest.Round(time.Millisecond), w.k.kinds())
	w.compare(t)
	t.Logf("compared after %s", time.Since(began).Round(time.Second))
}

// killWorld is three servers and what they share.
type killWorld struct {
	tiers      tierFlags
	k          *killer
	servers    [3]*process
	urls       [3]string
	senders    [3]*send.Sender
	held       *checkpoint.Checkpoint
	root       string // a directory of pod logs for each namespace
	namespaces []string
	dead       []*process
	killed     int
	slowest    time.Duration
}

func newKillWorld(t *testing.T, lease string) *killWorld {
	t.Helper()
	node, s3server := elasticsearch.Start(t), s3.Start(t)
	w := &killWorld{tiers: tierFlags{store: node.URL, prefix: "killed", archive: s3server.Bucket(t, "killed")}, k: newKiller(), root: t.TempDir()}
	var err error
	if w.held, err = checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for i := range w.servers {
		addr := freeAddress(t)
		w.urls[i] = "http://" + addr
		es, s3 := w.k.before(t, &w.servers[i], node.URL), w.k.before(t, &w.servers[i], s3server.Endpoint)
		w.servers[i] = newProcess(t, "serve", "--store", es, "--store-prefix", w.tiers.prefix, "--listen", addr, "--lease", lease,
			"--archive", strings.Replace(w.tiers.archive, url.QueryEscape(s3server.Endpoint), url.QueryEscape(s3), 1))
		c, err := send.NewClient(send.ClientConfig{URL: w.urls[i], Agent: "test"})
		if err != nil {
			t.Fatal(err)
		}
		w.senders[i] = send.New(send.Config{Client: c, Checkpoint: w.held, Patience: 300 * time.Millisecond})
	}
	w.ready(t)
	return w
}

func (w *killWorld) ready(t *testing.T) {
	t.Helper()
	for _, u := range w.urls {
		waitFor(t, "a server to answer", time.Minute, func() bool { return alive(t.Context(), u) })
	}
}

// restart starts those that were killed.
func (w *killWorld) restart(t *testing.T) {
	t.Helper()
	w.k.arm(moment{}, nil)
	for _, p := range w.dead {
		p.start()
	}
	w.dead = nil
	w.ready(t)
}

// batches lets the files of a namespace grow and sends what is new, and kills in the second batch.
func (w *killWorld) batches(t *testing.T, namespace string, step killStep) {
	t.Helper()
	w.namespaces = append(w.namespaces, namespace)
	for n := range killedBatches {
		w.grow(t, namespace, n)
		var taker *process
		if !step.any {
			taker = w.servers[0]
		}
		if n == 1 && len(step.at) > 0 {
			w.k.arm(step.at[0], taker)
		}
		by := w.send(t, namespace)
		w.readElsewhere(t, namespace, by)
		if n != 1 || len(step.at) == 0 {
			continue
		}
		for i, m := range step.at {
			if m.kind == stopped {
				w.servers[by].signal(syscall.SIGTERM)
			}
			w.wait(t, m)
			if i+1 < len(step.at) {
				w.k.arm(step.at[i+1], nil)
			}
			w.readElsewhere(t, namespace, by)
		}
		w.restart(t)
	}
}

// wait waits for a kill.
func (w *killWorld) wait(t *testing.T, m moment) {
	t.Helper()
	select {
	case p := <-w.k.fired:
		w.killed++
		w.dead = append(w.dead, p)
	case <-time.After(killedWait):
		t.Fatalf("no server came to %s %s within %s: %v", m.when, m.kind, killedWait, w.k.kinds())
	}
}

// grow appends batch n to the files of a namespace.
func (w *killWorld) grow(t *testing.T, namespace string, n int) {
	t.Helper()
	for pod := range killedPods {
		dir := filepath.Join(w.root, namespace, fmt.Sprintf("%s_orders-%d_uid-%s-%d", namespace, pod, namespace, pod), "main")
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, "0.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for i := range killedLines {
			at := n*killedLines + i
			// Pods are half a minute apart: the order of their lines is one.
			when := time.Date(2026, 5, 1, 0, at, pod*30, 0, time.UTC)
			fmt.Fprintf(f, "%s stdout F %s %s\n", when.Format(time.RFC3339Nano), when.Format("2006-01-02 15:04:05,000"), killedText(w.words(namespace)[n], pod, i, at))
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// words gives a word for each batch of a namespace that no other has: a template that nobody knows yet.
func (w *killWorld) words(namespace string) [killedBatches]string {
	i := slices.Index(w.namespaces, namespace)
	name := string([]byte{'q' + byte(i/20), 'a' + byte(i%20)})
	return [killedBatches]string{name + "first", name + "second", name + "third"}
}

// killedText is a line of a job that fails over in each batch and recovers, with a template that is new in it.
func killedText(word string, pod, i, at int) string {
	const graph = "o.a.f.runtime.executiongraph.ExecutionGraph [] - Job orders (d41d8cd98f00b204e9800998ecf8427e) switched from state "
	switch {
	case i == 1:
		return fmt.Sprintf("WARN  o.a.f.runtime.checkpoint.CheckpointCoordinator [] - Checkpoint %d of the %s kind expired", at, word)
	case i == 2 && pod == 0:
		return "INFO  " + graph + "RUNNING to RESTARTING."
	case i == 4 && pod == 0:
		return "INFO  " + graph + "RESTARTING to RUNNING."
	default:
		return fmt.Sprintf("INFO  o.acme.Worker [] - worker %d has done %d of them", at, at*7)
	}
}

// send sends what is not acknowledged to the first server, and to the others if that dies. It tells who took it in the end.
func (w *killWorld) send(t *testing.T, namespace string) int {
	t.Helper()
	for try := 0; ; try++ {
		by := try % len(w.servers)
		_, err := collector.Import(t.Context(), collector.Config{Ingester: w.senders[by], Positions: w.senders[by], Workers: 1}, filepath.Join(w.root, namespace))
		if err == nil {
			return by
		}
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable || try > 100 {
			t.Fatal(err)
		}
	}
}

// readElsewhere asks all servers that live, but the one that acknowledged, for all that was acknowledged.
func (w *killWorld) readElsewhere(t *testing.T, namespace string, by int) {
	t.Helper()
	want := written(t, filepath.Join(w.root, namespace))
	for i, u := range w.urls {
		if i == by {
			continue
		}
		for c, lines := range want {
			asked := time.Now()
			q := url.Values{"namespace": {c.namespace}, "pod": {c.pod}, "container": {c.name}}
			b, err := getText(t.Context(), u+"/api/v1/logs/raw?"+q.Encode())
			if err != nil && slices.Contains(w.dead, w.servers[i]) || err != nil && !alive(t.Context(), u) {
				break
			}
			w.slowest = max(w.slowest, time.Since(asked))
			if err != nil || !bytes.Equal(b, lines) {
				t.Errorf("%s: server %d, right after server %d acknowledged: %v, %d bytes of %d", namespace, i, by, err, len(b), len(lines))
			}
		}
	}
}

// unindexed is a store that takes no documents: what its server takes is left behind.
type unindexed struct{ store.Store }

func (unindexed) Index(context.Context, []lastnight.Document) error {
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "away")
}

// old puts all batches of a namespace as a server did hours ago, which died before it had indexed them, unless
// indexed: they are old enough to be compacted.
func (w *killWorld) old(t *testing.T, namespace string, indexed bool) {
	t.Helper()
	w.namespaces = append(w.namespaces, namespace)
	b, err := blob.OpenBucket(t.Context(), w.tiers.archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	s, err := w.tiers.openStore(t.Context(), "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ago := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	a, err := archive.Open(t.Context(), archive.Config{Blobs: archive.NewBucket(b), Shared: true, Now: ago})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	catalogue, err := investigation.DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	cfg := indexer.Config{
		Archive: a, Store: s, Recognizer: investigation.NewRecognizer(catalogue), Logger: slog.New(slog.DiscardHandler), Shared: true,
		Sink: &board{exact: s, id: namespace},
	}
	for n := range killedBatches {
		// A new one each time: none tries again what it has left.
		if cfg.Store = s; !indexed {
			cfg.Store = unindexed{s}
		}
		x, err := indexer.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.grow(t, namespace, n)
		if _, err := collector.Import(t.Context(), collector.Config{Ingester: x, Positions: x, Workers: 1}, filepath.Join(w.root, namespace)); err != nil {
			t.Fatal(err)
		}
	}
}

// killedState is what there is of a namespace, without what differs from one to the next.
type killedState struct {
	Counts    map[string]int64 // by template, level and minute
	Documents []string
	Incidents []string
	Templates []string
}

// compare waits until all is settled and compares each namespace with the calm one.
func (w *killWorld) compare(t *testing.T) {
	t.Helper()
	n, err := openNode(t.Context(), nodeConfig{tiers: w.tiers, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer closeTest(t, n)
	waitFor(t, "segments of dead servers to be indexed and doubled ones to be counted anew", killedWait, func() bool { return settled(t, n) })
	compareIn(t, n, written(t, w.root))
	want := w.state(t, n, calm)
	if len(want.Incidents) == 0 || len(want.Documents) < killedBatches*killedPods || len(want.Templates) < 5 {
		t.Errorf("nothing is compared: %+v", want)
	}
	for _, namespace := range w.namespaces {
		var diff string
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Second) { // incidents are detected in the background
			if diff = cmp.Diff(want, w.state(t, n, namespace)); diff == "" || time.Now().After(end) {
				break
			}
		}
		if diff != "" {
			t.Errorf("%s (-calm +killed):\n%s", namespace, diff)
		}
	}
	for letter, err := range n.store.List(t.Context(), "dead-letters", "") {
		t.Errorf("a dead letter: %s %v", letter.Value, err)
	}
	if left := n.archive.Damaged(); left > 0 {
		t.Errorf("%d damaged places in the archive", left)
	}
}

func (w *killWorld) state(t *testing.T, n *node, namespace string) killedState {
	t.Helper()
	s := killedState{Counts: map[string]int64{}}
	word := w.words(namespace)
	same := strings.NewReplacer(word[0], "first", word[1], "second", word[2], "third")
	texts := map[string]string{}
	infos, err := n.indexer.Templates(t.Context(), lastnight.TemplatesRequest{Namespace: namespace, Job: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		texts[i.ID] = same.Replace(i.Text)
		s.Templates = append(s.Templates, fmt.Sprint(texts[i.ID], " ", i.Count, " ", i.Link))
	}
	for c, err := range n.store.Counts(t.Context(), store.CountsRequest{Namespace: namespace}) {
		if err != nil {
			t.Fatal(err)
		}
		s.Counts[fmt.Sprint(c.Job, " ", texts[c.Template], " ", c.Level, " ", c.Minute.Format(time.TimeOnly))] += c.Count
	}
	for d, err := range n.indexer.Search(t.Context(), lastnight.SearchRequest{Namespace: namespace, Important: true}) {
		if err != nil {
			t.Fatal(err)
		}
		s.Documents = append(s.Documents, fmt.Sprint(d.Time.Format(time.RFC3339), " ", d.Pod, " ", d.Alike, " ", texts[d.Template], " ", d.Signals, " ", same.Replace(d.Text)))
	}
	incidents, err := n.store.Incidents(t.Context(), lastnight.IncidentsRequest{Namespace: namespace, Planned: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range incidents {
		chain := []string{}
		for _, e := range in.Diagnosis.Chain {
			chain = append(chain, e.Role+" "+same.Replace(e.Text))
		}
		s.Incidents = append(s.Incidents, fmt.Sprint(in.Job, " ", in.Start.Format(time.RFC3339), " ", in.End.Format(time.RFC3339), " ",
			in.Failovers, " ", in.Recovered, " ", in.Diagnosis.Cause, " ", strings.Join(chain, "\n")))
	}
	slices.Sort(s.Documents)
	slices.Sort(s.Templates)
	return s
}
