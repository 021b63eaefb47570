package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/internal/recorded"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
	"lastnight/internal/vfs"
)

const (
	feeds     = 3 // nodes, each with a collector
	feedSteps = 40
	feedPause = 200 * time.Millisecond
	testLease = 3 * time.Second
)

// endState is what is left of a run, as anybody may ask for it.
type endState struct {
	Counts    map[string]int64 // by job and template, links followed
	Documents map[string]bool  // important records that are never merged with others: exceptions and transitions
	Jobs      []string
	Why       map[string]string // by job
}

// TestElasticsearchReplicasKilled: two servers over one store and one bucket, three collectors, and one server killed
// -9 under load, later started again: every line is there once, what was acknowledged by one is read from the other
// at once, and the end is the same as without the kill.
func TestElasticsearchReplicasKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch and an S3 server")
	}
	store, bucket := elasticsearch.Start(t), s3.Start(t)
	pods := preparedPods(t)
	var ends []endState
	for _, kill := range []bool{false, true} {
		name := map[bool]string{false: "calm", true: "killed"}[kill]
		t.Run(name, func(t *testing.T) {
			r := startReplicas(t, tierFlags{store: store.URL, prefix: "replicas." + name, archive: bucket.Bucket(t, name)})
			want := r.feedAll(t, pods, kill)
			ends = append(ends, r.end(t, want))
		})
	}
	if t.Failed() || len(ends) < 2 {
		return
	}
	same, all := int64(0), int64(0)
	for k, n := range ends[0].Counts {
		all += n
		same += min(n, ends[1].Counts[k])
	}
	t.Logf("%d of %d records have the same template in both runs; %d and %d templates", same, all, len(ends[0].Counts), len(ends[1].Counts))
	if same < all*97/100 {
		t.Errorf("only %d of %d records have the same template in both runs", same, all)
	}
	ends[0].Counts, ends[1].Counts = nil, nil
	if d := cmp.Diff(ends[0], ends[1]); d != "" {
		t.Errorf("the end (-without +with the kill):\n%s", d)
	}
}

// preparedPods makes a directory of pod logs: a recorded failure, and others beside it.
func preparedPods(t *testing.T) string {
	t.Helper()
	dir := smallCorpus(t, 4)
	src := filepath.Join(t.TempDir(), "case")
	if err := recorded.Extract(t.Context(), "tm-oomkilled", src); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(findPods(t, src))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// findPods finds the directory that has pods' directories.
func findPods(t *testing.T, root string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Count(d.Name(), "_") == 2 && found == "" {
			found = filepath.Dir(path)
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no pods in %s: %v", root, err)
	}
	return found
}

// replicaSet is two servers and the collectors that send to them.
type replicaSet struct {
	tiers   tierFlags
	servers [2]*process
	urls    [2]string
	roots   [feeds]string
	checks  [feeds]string // directories of the collectors' checkpoints
}

func startReplicas(t *testing.T, tiers tierFlags) *replicaSet {
	t.Helper()
	r := &replicaSet{tiers: tiers}
	nowhere := filepath.Join(t.TempDir(), "data")
	for i := range r.servers {
		addr := freeAddress(t)
		r.urls[i] = "http://" + addr
		r.servers[i] = newProcess(t, "serve", "--store", tiers.store, "--store-prefix", tiers.prefix, "--archive", tiers.archive,
			"--data", nowhere, "--listen", addr, "--lease", testLease.String())
	}
	for _, u := range r.urls {
		waitFor(t, "a server to answer", 30*time.Second, func() bool { return alive(t.Context(), u) })
	}
	for i := range r.roots {
		r.roots[i] = t.TempDir()
		r.checks[i] = filepath.Join(t.TempDir(), "checkpoint")
		newProcess(t, "collect", "--pods-dir", r.roots[i], "--checkpoint", r.checks[i], "--node", fmt.Sprint("node-", i),
			"--server", r.urls[0]+","+r.urls[1], "--kube", "off", "--patience", "2s")
	}
	t.Cleanup(func() {
		if _, err := os.Stat(nowhere); err == nil {
			t.Error("a server of several has made a data directory")
		}
	})
	return r
}

// feedAll lets the files grow step by step, kills a server in the middle and starts it again, and probes all the while. It
// gives what was written.
func (r *replicaSet) feedAll(t *testing.T, pods string, kill bool) map[container][]byte {
	t.Helper()
	want := written(t, pods)
	files := podFiles(t, pods)
	stop := make(chan struct{})
	var probing sync.WaitGroup
	p := newProber(t, r)
	tail := followTail(t, r.urls[1]+"/api/v1/tail?namespace=probe&start=now-1m")
	probing.Go(func() { p.run(stop) })
	for step := 1; step <= feedSteps; step++ {
		for i, f := range files {
			if f == nil {
				continue
			}
			if err := f.grow(filepath.Join(r.roots[i%feeds], f.name), step); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case kill && step == feedSteps/3-1:
			waitFor(t, "each collector to have something acknowledged", time.Minute, func() bool {
				return !slices.ContainsFunc(r.checks[:], func(dir string) bool {
					st, err := os.Stat(filepath.Join(dir, "checkpoint"))
					return err != nil || st.Size() < 100
				})
			})
			continue // with more on its way
		case kill && step == feedSteps/3:
			p.pause(func() {
				r.servers[0].kill()
				r.readAcked(t)
			})
		case kill && step == feedSteps*2/3:
			r.servers[0].start()
			waitFor(t, "the killed server to answer again", 30*time.Second, func() bool { return alive(t.Context(), r.urls[0]) })
			p.pause(nil)
		}
		time.Sleep(feedPause)
	}
	waitFor(t, "ten probes", time.Minute, func() bool { return p.asked.Load() >= 10 })
	close(stop)
	probing.Wait()
	for _, w := range p.want {
		waitFor(t, "the live tail of one server to have what both acknowledged", 30*time.Second, func() bool {
			return tail() >= bytes.Count(w, []byte("\n"))
		})
	}
	maps.Copy(want, p.want)
	t.Logf("%d times an acknowledged line was asked for at the other server", p.asked.Load())
	return want
}

// followTail reads a live tail until the test ends, and tells how many different documents it has given.
func followTail(t *testing.T, u string) func() int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", u, resp, err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		_ = resp.Body.Close()
		<-done
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
}

// growing is a file that grows.
type growing struct {
	name string // below a pods directory
	data []byte
	done int
}

func podFiles(t *testing.T, dir string) []*growing {
	t.Helper()
	byPod := map[string][]*growing{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".log") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		byPod[strings.Split(rel, "/")[0]] = append(byPod[strings.Split(rel, "/")[0]], &growing{name: rel, data: b})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// All files of a pod go to one node: every feeds-th in the list is one of the same.
	var out []*growing
	var nodes [feeds][]*growing
	for i, pod := range slices.Sorted(maps.Keys(byPod)) {
		nodes[i%feeds] = append(nodes[i%feeds], byPod[pod]...)
	}
	for i := 0; ; i++ {
		some := false
		for n := range nodes {
			if i < len(nodes[n]) {
				out, some = append(out, nodes[n][i]), true
			} else {
				out = append(out, nil)
			}
		}
		if !some {
			return out
		}
	}
}

func (f *growing) grow(to string, step int) error {
	end := len(f.data) * step / feedSteps
	if strings.HasSuffix(f.name, ".gz") {
		end = len(f.data) // compressed files do not grow
	}
	if end == f.done {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := w.Write(f.data[f.done:end]); err != nil {
		return err
	}
	f.done = end
	return w.Close()
}

// prober sends lines to one server and asks the other for them as soon as they are acknowledged.
type prober struct {
	t     *testing.T
	r     *replicaSet
	want  map[container][]byte
	asked atomic.Int64
	turn  sync.Mutex // held while it probes
	down  bool       // server 0 is; guarded by turn
}

func newProber(t *testing.T, r *replicaSet) *prober {
	return &prober{t: t, r: r, want: map[container][]byte{}}
}

// pause calls f between two probes, after which server 0 is down; nil: it is up again.
func (p *prober) pause(f func()) {
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.down = f != nil; p.down {
		f()
	}
}

func (p *prober) run(stop chan struct{}) {
	clients := [2]*send.Sender{}
	for i := range clients {
		c, err := send.NewClient(send.ClientConfig{URL: p.r.urls[i], Agent: "probe"})
		if err != nil {
			p.t.Error(err)
			return
		}
		check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
		if err != nil {
			p.t.Error(err)
			return
		}
		clients[i] = send.New(send.Config{Client: c, Checkpoint: check})
	}
	at := int64(0)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(150 * time.Millisecond):
		}
		p.turn.Lock()
		to := n % 2
		if !p.down {
			at = p.probe(clients[to], p.r.urls[1-to], at, n)
		}
		p.turn.Unlock()
	}
}

// probe sends one line and reads it from the other server.
func (p *prober) probe(s *send.Sender, other string, at int64, n int) int64 {
	c := container{"probe", "probe-0", "probe-uid", "main"}
	text := fmt.Sprintf("%s WARN  org.acme.Probe - probe number%d", time.Now().UTC().Format("2006-01-02 15:04:05,000"), n)
	stream := lastnight.Stream{Namespace: c.namespace, Pod: c.pod, PodUID: c.uid, Container: c.name}
	span := lastnight.Span{Stream: &stream, Generation: lastnight.Generation{Start: 1, Sum: 2}, From: at, To: at + int64(len(text)) + 1}
	span.RawBytes = span.To - span.From
	span.Records = []lastnight.Record{{Lines: []lastnight.Line{{Time: time.Now().UnixNano(), Offset: at, Text: []byte(text)}}, Level: lastnight.LevelWarn}}
	if err := s.Ingest(p.t.Context(), lastnight.Batch{Spans: []lastnight.Span{span}}); err != nil {
		p.t.Errorf("probe %d: %v", n, err)
		return at
	}
	p.want[c] = append(append(p.want[c], text...), '\n')
	q := url.Values{"namespace": {c.namespace}, "pod": {c.pod}, "container": {c.name}}
	b, err := getText(p.t.Context(), other+"/api/v1/logs/raw?"+q.Encode())
	if err != nil || !bytes.Equal(b, p.want[c]) {
		p.t.Errorf("%s, right after probe %d was acknowledged: %v, %d bytes of %d", other, n, err, len(b), len(p.want[c]))
	}
	p.asked.Add(1)
	return span.To
}

// end waits until everything has arrived and settled, and gives what there is.
func (r *replicaSet) end(t *testing.T, want map[container][]byte) endState {
	t.Helper()
	waitFor(t, "all lines to arrive", 2*time.Minute, func() bool {
		for c, w := range want {
			q := url.Values{"namespace": {c.namespace}, "pod": {c.pod}, "container": {c.name}}
			b, err := getText(t.Context(), r.urls[1]+"/api/v1/logs/raw?"+q.Encode())
			if err != nil || len(b) < len(w) {
				return false
			}
		}
		return true
	})
	n, err := openNode(t.Context(), nodeConfig{tiers: r.tiers, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	waitFor(t, "segments of dead servers to be indexed, doubled ones to be counted anew, incidents to be detected", 2*time.Minute, func() bool {
		return settled(t, n)
	})
	compareIn(t, n, want)
	return stateOf(t, n)
}

// settled tells whether the counts add up and nothing waits for being investigated.
func settled(t *testing.T, n *node) bool {
	t.Helper()
	records, counted := tallied(t, n)
	for item, err := range n.store.List(t.Context(), boardBucket, "") {
		if err != nil {
			t.Fatal(err)
		}
		marks, err := decodeMarks(item)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks { // those of the probe are of today and looked at for minutes
			if m.Workload != "probe" && m.Namespace != "probe" {
				return false
			}
		}
	}
	return records == counted
}

func stateOf(t *testing.T, n *node) endState {
	t.Helper()
	e := endState{Counts: map[string]int64{}, Documents: map[string]bool{}, Why: map[string]string{}}
	jobs, err := n.indexer.Jobs(t.Context(), lastnight.JobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Namespace == "probe" {
			continue // its lines are of this run
		}
		e.Jobs = append(e.Jobs, j.Namespace+"/"+j.Name)
		a, err := n.investigator.Why(t.Context(), lastnight.WhyRequest{Job: j.Name, Start: time.Unix(0, 0), End: time.Unix(4e9, 0)})
		if err != nil && lastnight.CodeOf(err) != lastnight.CodeNotFound {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(a, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		e.Why[j.Name] = string(b)
		infos, err := n.indexer.Templates(t.Context(), lastnight.TemplatesRequest{Namespace: j.Namespace, Job: j.Name})
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			id := info.ID
			if info.Link != "" {
				id = info.Link
			}
			e.Counts[j.Name+" "+id] += info.Count
		}
	}
	for d, err := range n.indexer.Search(t.Context(), lastnight.SearchRequest{Important: true, Signals: []string{lastnight.SignalTransition}}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Documents[d.ID] {
			t.Errorf("%s is there twice", d.ID)
		}
		e.Documents[d.ID] = true
	}
	return e
}

func waitFor(t *testing.T, what string, most time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", most, what)
		}
	}
}
