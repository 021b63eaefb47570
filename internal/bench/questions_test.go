//go:build unix

package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// question is a request to the API. Answers are read to their end.
type question struct {
	name  string
	path  string
	query url.Values
	lines bool // ask for NDJSON, so that the first line comes as soon as it is found
}

// facts is what the questions need to know of a corpus: it comes from its truth.json, or from TRUTH.
type facts struct {
	From, To       time.Time
	Needle, Phrase string
	PodLines       map[string]int
	Pods           int
}

// BenchmarkQuestions asks a server, freshly started on an imported corpus, over HTTP. Reported
// are medians, in ms: of the whole answer, and of its first byte; and the server's CPU time for one answer. With PLAIN=1 answers are not compressed.
func BenchmarkQuestions(b *testing.B) {
	bin := binary(b)
	tree := os.Getenv("CORPUS")
	if tree == "" {
		b.Skip("CORPUS names no tree of pod logs with a truth.json")
	}
	f := readFacts(b, tree)
	base := serve(b, bin, imported(b, bin, tree))
	for _, q := range questions(b, base, f) {
		b.Run(q.name, func(b *testing.B) { ask(b, base, q) })
	}
}

// imported gives a data directory that has the corpus: DATA, or a new one.
func imported(b *testing.B, bin, tree string) string {
	b.Helper()
	if data := os.Getenv("DATA"); data != "" {
		return data
	}
	data := filepath.Join(b.TempDir(), "data")
	cmd := exec.CommandContext(b.Context(), bin, "import", "--data", data, tree)
	cmd.Env = append(os.Environ(), "LASTNIGHT_SERVER=")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("import: %v\n%s", err, out)
	}
	return data
}

func readFacts(b *testing.B, tree string) facts {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(tree, "truth.json"))
	if err != nil {
		b.Fatal(err)
	}
	var f facts
	if err := json.Unmarshal(raw, &f); err != nil {
		b.Fatalf("read %s/truth.json: %v", tree, err)
	}
	return f
}

// serve starts a server and waits until it is ready.
func serve(b *testing.B, bin, data string) (base string) {
	b.Helper()
	addr := freeAddress(b)
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), bin, "serve", "--data", data, "--listen", addr)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // the benchmark is over; what the server says of its end is on stderr
	})
	base = "http://" + addr
	for time.Since(began) < time.Minute {
		if n, _, _, err := get(b.Context(), base, question{path: "/readyz"}); err == nil && n > 0 {
			b.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
			return base
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatal("the server did not get ready within a minute")
	return ""
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return l.Addr().String()
}

// questions makes those of the archive's targets (docs/benchmarks.md).
func questions(b *testing.B, base string, f facts) []question {
	b.Helper()
	pods := make([]string, 0, len(f.PodLines))
	for pod := range f.PodLines {
		pods = append(pods, pod)
	}
	slices.SortFunc(pods, func(x, y string) int { return f.PodLines[y] - f.PodLines[x] })
	pod := pods[0]
	all := func(kv ...string) url.Values {
		v := url.Values{"start": {f.From.Format(time.RFC3339)}, "end": {f.To.Format(time.RFC3339)}}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	middle := f.From.Add(f.To.Sub(f.From) / 2).Truncate(time.Minute)
	ten := func(kv ...string) url.Values {
		v := all(kv...)
		v.Set("start", middle.Format(time.RFC3339))
		v.Set("end", middle.Add(10*time.Minute).Format(time.RFC3339))
		return v
	}
	const search = "/api/v1/search"
	list := []question{
		{"needle", search, all("q", `"`+f.Needle+`"`), false},
		{"phrase", search, all("q", `"`+f.Phrase+`"`, "limit", "1000"), false},
		{"phrase-all", search, all("q", `"`+f.Phrase+`"`), true},
		{"substring-pod-10m", search, ten("q", `*11*`, "pod", pod, "limit", "1000"), false},
		{"substring-regexp-pod-10m", search, ten("q", `/11/`, "pod", pod, "limit", "1000"), false},
		{"regexp-literal", search, all("q", `/req-[0-9a-f]{8}-0dd5-4bad/`), true},
		{"regexp-shape", search, all("q", `/Transitioned from [A-Z]+ to FAILED/`), true},
		{"regexp-variable", search, all("q", `/blk_-?16089[0-9]+ .*size/`), true},
		{"regexp-bare", search, all("q", `/[0-9]{3}77[0-9]{2}99[0-9]/`), true},
		{"regexp-common-100", search, all("q", `/(WARN|ERROR).*[0-9]+/`, "limit", "100"), false},
		{"word-common-100", search, all("q", "WARN", "limit", "100"), false},
		{"all-100", search, all("limit", "100"), false},
		{"level-100", search, all("q", "level:FATAL", "limit", "100"), false},
		{"level-all", search, all("q", "level:FATAL"), true},
		{"nothing", search, all("q", "nosuchwordanywhere"), false},
		{"level-minutes", "/api/v1/histogram", all("step", "1m"), false},
		{"last-1000-pod", search, all("pod", pod, "limit", "1000"), false},
		{"raw-pod-10m", "/api/v1/logs/raw", ten("pod", pod), false},
	}
	if id, template := sampleRecord(b, base, all("pod", pod, "limit", "1", "end", middle.Format(time.RFC3339))); id != "" {
		list = append(list,
			question{"context-50", "/api/v1/records/" + url.PathEscape(id) + "/context", url.Values{"before": {"25"}, "after": {"25"}}, false},
			question{"template-minutes", "/api/v1/histogram", all("step", "1m", "template_id", template), false},
		)
	}
	return list
}

// sampleRecord gives the id of a record and its template's.
func sampleRecord(b *testing.B, base string, query url.Values) (id, template string) {
	b.Helper()
	var page struct {
		Items []struct {
			ID       string `json:"id"`
			Template string `json:"template_id"`
		} `json:"items"`
	}
	resp, err := request(b.Context(), base, question{path: "/api/v1/search", query: query})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		b.Fatal(err)
	}
	if len(page.Items) == 0 {
		return "", ""
	}
	return page.Items[0].ID, page.Items[0].Template
}

func request(ctx context.Context, base string, q question) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+q.path+"?"+q.query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if q.lines {
		req.Header.Set("Accept", "application/x-ndjson")
	}
	if os.Getenv("PLAIN") != "" { // as curl asks; else as browsers and Go's client do, who accept gzip
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // for the message only
		return nil, fmt.Errorf("%s?%s: %s: %s", q.path, q.query.Encode(), resp.Status, body)
	}
	return resp, nil
}

// get asks and reads everything: its lines or records, and when the first byte and the last came.
func get(ctx context.Context, base string, q question) (n int, first, whole time.Duration, err error) {
	began := time.Now()
	resp, err := request(ctx, base, q)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	r := bufio.NewReaderSize(resp.Body, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		if first == 0 {
			first = time.Since(began)
		}
		if q.lines || q.path == "/api/v1/logs/raw" {
			n += strings.Count(string(line), "\n")
		} else {
			n += strings.Count(string(line), `"kind":"record"`) + strings.Count(string(line), `"levels":`) + len(line)/(1<<30)
			if n == 0 && len(line) > 0 && q.path == "/readyz" {
				n = 1
			}
		}
		switch {
		case err == io.EOF:
			return n, first, time.Since(began), nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return n, first, 0, err
		}
	}
}

// ask asks often enough for a median. The first answer, which finds caches cold, is told apart.
func ask(b *testing.B, base string, q question) {
	b.Helper()
	n, _, cold, err := get(b.Context(), base, q)
	if err != nil {
		b.Fatal(err)
	}
	var firsts, wholes []time.Duration
	before := serverCPU(b, base)
	for b.Loop() {
		_, first, whole, err := get(b.Context(), base, q)
		if err != nil {
			b.Fatal(err)
		}
		firsts, wholes = append(firsts, first), append(wholes, whole)
	}
	b.ReportMetric(1000*(serverCPU(b, base)-before)/float64(len(wholes)), "cpu-ms")
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(cold), "cold-ms")
	b.ReportMetric(ms(median(firsts)), "first-ms")
	b.ReportMetric(ms(median(wholes)), "median-ms")
	b.ReportMetric(float64(n), "found")
	b.ReportMetric(0, "ns/op")
}

// serverCPU gives the seconds of CPU that the server has used, from its metrics: they tell more than
// time does where others use the machine. They are counted in hundredths, so ask often.
func serverCPU(b *testing.B, base string) float64 {
	b.Helper()
	return metric(b, base, "process_cpu_seconds_total")
}

// metric gives what a process tells of itself; 0 if it does not.
func metric(b *testing.B, base, name string) float64 {
	b.Helper()
	resp, err := request(b.Context(), base, question{path: "/metrics"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	return 0
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
