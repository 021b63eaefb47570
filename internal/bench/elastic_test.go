//go:build unix

package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lastnight/internal/corpus"
	"lastnight/internal/testenv/elasticsearch"
)

// object is a JSON object.
type object = map[string]any

// logs gives a tree of pod logs: that of CORPUS, or one of CORPUS_MB (64) made for it.
func logs(b *testing.B) (string, corpus.Stats) {
	b.Helper()
	if tree := os.Getenv("CORPUS"); tree != "" {
		return tree, countTree(b, tree)
	}
	mb := 64
	if s := os.Getenv("CORPUS_MB"); s != "" {
		var err error
		if mb, err = strconv.Atoi(s); err != nil || mb <= 0 {
			b.Fatalf("CORPUS_MB=%s is no size in MiB, such as 64", s)
		}
	}
	c, err := corpus.New(b.Context(), corpus.Options{Bytes: int64(mb) << 20, Pods: 40})
	if err != nil {
		b.Fatal(err)
	}
	tree := b.TempDir()
	stats, err := c.Write(b.Context(), tree)
	if err != nil {
		b.Fatal(err)
	}
	return tree, stats
}

// importInto imports a tree with the store in Elasticsearch and the rest in a new data directory.
func importInto(b *testing.B, bin, es, prefix, tree string) (data string) {
	b.Helper()
	data = filepath.Join(b.TempDir(), "data")
	cmd := exec.CommandContext(b.Context(), bin, "import", "--data", data, "--store", es, "--store-prefix", prefix, tree)
	cmd.Env = append(os.Environ(), "LASTNIGHT_SERVER=")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("import: %v\n%s", err, out)
	}
	return data
}

// elastic asks the node and decodes the answer, which must be 2xx.
func elastic(b *testing.B, method, address string, body io.Reader, into any) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, address, body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		b.Fatalf("%s %s: %s %v %.1000s", method, address, resp.Status, err, said)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(said, into); err != nil {
		b.Fatal(err)
	}
}

func encoded(b *testing.B, v any) io.Reader {
	b.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return bytes.NewReader(body)
}

// leaseSync is after how long Elasticsearch lets go, with the next merge, of what it keeps beside the source where that is put together or
// left out in part: until then a copy might have to be brought up to date by it.
const leaseSync = 40 * time.Second

// settled gives the bytes and documents of indices once they are merged into one segment each.
func settled(b *testing.B, es, pattern string) (bytes, docs int64) {
	b.Helper()
	elastic(b, http.MethodPost, es+"/"+pattern+"/_flush?force=true", nil, nil)
	time.Sleep(leaseSync)
	elastic(b, http.MethodPost, es+"/"+pattern+"/_forcemerge?max_num_segments=1", nil, nil)
	elastic(b, http.MethodPost, es+"/"+pattern+"/_flush?force=true", nil, nil)
	var said struct {
		All struct {
			Primaries struct {
				Store struct {
					Bytes int64 `json:"size_in_bytes"`
				} `json:"store"`
				Docs struct {
					Count int64 `json:"count"`
				} `json:"docs"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	elastic(b, http.MethodGet, es+"/"+pattern+"/_stats/store,docs", nil, &said)
	return said.All.Primaries.Store.Bytes, said.All.Primaries.Docs.Count
}

// BenchmarkElasticDisk compares what a million lines take on disk: in the two tiers, and with every line a
// document of Elasticsearch. "shipper" is what a log shipper puts there by default: the fields that it
// knows of pod, container, file, node and itself, and words without positions. "bare" is as small as it gets without losing
// the search for words: time, message and five names of the pod, which is less than the archive tells. "logsdb" is that
// again, sorted by pod and time, with no stored source. All have best_compression and ids that Elasticsearch gives.
// The size is taken when an index is merged into one segment.
func BenchmarkElasticDisk(b *testing.B) {
	bin, node := binary(b), elasticsearch.StartLarge(b)
	tree, stats := logs(b)
	million := float64(stats.Lines) / 1e6
	for b.Loop() {
		data := importInto(b, bin, node.URL, "two", tree)
		archive := float64(size(b, filepath.Join(data, "archive"))) / million
		bytes, docs := settled(b, node.URL, "two-*")
		tiers := archive + float64(bytes)/million
		b.ReportMetric(archive/1e6, "archive-MB/Mline")
		b.ReportMetric(float64(bytes)/million/1e6, "store-MB/Mline")
		b.ReportMetric(float64(docs)/million, "documents/Mline")
		for _, mode := range []string{"shipper", "bare", "logsdb"} {
			everyLine(b, node.URL, "lines-"+mode, mode, tree)
			all, n := settled(b, node.URL, "lines-"+mode)
			if n != stats.Lines {
				b.Fatalf("%d lines are there, want %d", n, stats.Lines)
			}
			b.ReportMetric(float64(all)/million/1e6, mode+"-MB/Mline")
			b.ReportMetric(tiers/(float64(all)/million), "tiers/"+mode)
			elastic(b, http.MethodDelete, node.URL+"/lines-"+mode, nil, nil)
		}
	}
}

// everyLine puts each line of a tree into an index of its own.
func everyLine(b *testing.B, es, index, mode, tree string) {
	b.Helper()
	word := object{"type": "keyword"}
	settings := object{"index.number_of_shards": 1, "index.number_of_replicas": 0, "index.codec": "best_compression", "index.refresh_interval": "30s"}
	if mode == "logsdb" {
		settings["index.mode"] = mode
		settings["index.sort.field"], settings["index.sort.order"] = []string{"k8s.pod.name", "@timestamp"}, []string{"asc", "desc"}
	}
	elastic(b, http.MethodPut, es+"/"+index, encoded(b, object{"settings": settings, "mappings": object{"dynamic": "strict", "dynamic_templates": []object{{"words": object{"path_match": "shipper.*", "mapping": word}}}, "properties": object{
		"@timestamp": object{"type": "date_nanos"}, "message": object{"type": "text", "norms": false, "index_options": "docs"},
		"log.iostream": word, "k8s.namespace.name": word, "k8s.pod.name": word, "k8s.pod.uid": word, "k8s.container.name": word,
		"shipper": object{"type": "object", "subobjects": false, "dynamic": true}, "log.offset": object{"type": "long"}, "log.file.path": word,
	}}}), nil)
	var batch bytes.Buffer
	offset := 0
	flush := func() {
		var said struct {
			Errors bool `json:"errors"`
		}
		elastic(b, http.MethodPost, es+"/"+index+"/_bulk?filter_path=errors", &batch, &said)
		if said.Errors {
			b.Fatal("lines were refused")
		}
		batch.Reset()
	}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".log") {
			return err
		}
		pod := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(path))), "_")
		text, err := os.ReadFile(path)
		if err != nil || len(pod) != 3 {
			return err
		}
		var parts []byte
		for row := range bytes.Lines(text) {
			f := bytes.SplitN(bytes.TrimSuffix(row, []byte("\n")), []byte(" "), 4)
			if len(f) < 4 {
				continue
			}
			if parts = append(parts, f[3]...); string(f[2]) != "F" {
				continue
			}
			doc := object{
				"@timestamp": string(f[0]), "message": string(parts), "log.iostream": string(f[1]),
				"k8s.namespace.name": pod[0], "k8s.pod.name": pod[1], "k8s.pod.uid": pod[2], "k8s.container.name": filepath.Base(filepath.Dir(path)),
			}
			offset += len(row)
			if mode == "shipper" {
				doc["log.offset"], doc["log.file.path"], doc["shipper"] = offset, path, shipped(pod)
			}
			line, err := json.Marshal(doc)
			if err != nil {
				return err
			}
			parts = parts[:0]
			batch.WriteString("{\"create\":{}}\n")
			batch.Write(append(line, '\n'))
			if batch.Len() > 5<<20 {
				flush()
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if batch.Len() > 0 {
		flush()
	}
}

// shipped is what a shipper adds of the pod, its container, its node and itself.
func shipped(pod []string) object {
	app, _, _ := strings.Cut(pod[1], "-taskmanager")
	return object{
		"agent.ephemeral_id": "0f3c9a52-7d1e-4b7f-8a53-0c6a1d2e3f40", "agent.id": "5b1c7e34-2a90-4c8d-9e6f-7a8b9c0d1e2f", "agent.name": "shipper-x7k2p", "agent.type": "filebeat", "agent.version": "8.17.0",
		"container.id": "9f" + strings.ReplaceAll(pod[2], "-", ""), "container.image.name": "registry.example/flink:1.17.1", "container.runtime": "containerd",
		"ecs.version": "8.0.0", "host.name": "node-a", "input.type": "container", "kubernetes.node.name": "node-a", "kubernetes.node.uid": "6b1f8f0e-1111-4222-8333-944455556666",
		"kubernetes.labels.app": app, "kubernetes.labels.component": "taskmanager", "kubernetes.labels.type": "flink-native-kubernetes", "kubernetes.namespace_uid": "8c2d9f1e-aaaa-4bbb-8ccc-9ddd0eee1fff",
	}
}

// BenchmarkElasticSettings imports the same logs under several settings of the index of documents, and
// reports its bytes for a document, the node's CPU for the import, and the time of a search by words and one by level.
func BenchmarkElasticSettings(b *testing.B) {
	bin, node := binary(b), elasticsearch.StartLarge(b)
	tree, _ := logs(b)
	importInto(b, bin, node.URL, "first", tree) // the node is warm, and its template is there to be changed
	sorted := func(fields ...string) object {
		order := make([]string, len(fields))
		for i, f := range fields {
			if order[i] = "asc"; f == "time_ns" {
				order[i] = "desc"
			}
		}
		return object{"index.sort.field": fields, "index.sort.order": order}
	}
	for i, v := range []struct {
		name     string
		settings object
	}{
		{"as-is", nil},
		{"codec=default", object{"index.codec": "default"}},
		{"codec=best_compression", object{"index.codec": "best_compression"}},
		{"sort=none", object{"index.sort.field": nil, "index.sort.order": nil}},
		{"sort=time", sorted("time_ns")},
		{"sort=template,time", sorted("template.id", "time_ns")},
		{"sort=job,template,time", sorted("job", "template.id", "time_ns")},
		{"mode=logsdb", object{"index.mode": "logsdb", "index.mapping.source.mode": "stored", "index.sort.field": nil, "index.sort.order": nil}},
	} {
		b.Run(v.name, func(b *testing.B) {
			prefix := fmt.Sprintf("v%d", i)
			changedTemplate(b, node.URL, prefix, v.settings)
			before := node.CPU()
			for b.Loop() {
				importInto(b, bin, node.URL, prefix, tree)
			}
			b.ReportMetric((node.CPU()-before).Seconds()/float64(b.N), "node-cpu-s")
			bytes, docs := settled(b, node.URL, prefix+"-documents-*")
			b.ReportMetric(float64(bytes)/float64(docs), "B/document")
			b.ReportMetric(float64(docs), "documents")
			for name, field := range map[string]string{"words-ms": "tokens", "level-ms": "terms"} {
				term := map[string]string{"tokens": "checkpoint", "terms": "level\x00error"}[field]
				b.ReportMetric(searched(b, node.URL+"/"+prefix+"-documents-*/_search", field, term), name)
			}
		})
	}
}

// changedTemplate makes the documents of a prefix have other settings.
func changedTemplate(b *testing.B, es, prefix string, settings object) {
	b.Helper()
	var said struct {
		Templates []struct {
			Name string `json:"name"`
			Body object `json:"index_template"`
		} `json:"index_templates"`
	}
	elastic(b, http.MethodGet, es+"/_index_template/first-documents-*", nil, &said)
	body := said.Templates[0].Body
	inner := body["template"].(object)
	set := inner["settings"].(object)["index"].(object)
	for k := range settings {
		delete(set, strings.TrimPrefix(k, "index."))
		if k == "index.sort.field" {
			delete(set, "sort")
		}
	}
	flat := object{"index": set}
	for k, v := range settings {
		if v != nil {
			flat[k] = v
		}
	}
	inner["settings"] = flat
	delete(inner, "aliases")
	body["index_patterns"], body["priority"] = []string{prefix + "-documents-*"}, 400
	elastic(b, http.MethodPut, es+"/_index_template/"+prefix+"-changed", encoded(b, body), nil)
}

// searched gives the median of a search for the newest 100 with a term, in ms.
func searched(b *testing.B, address, field, term string) float64 {
	b.Helper()
	var took []time.Duration
	for range 30 {
		began := time.Now()
		elastic(b, http.MethodPost, address+"?request_cache=false", encoded(b, object{
			"size": 100, "track_total_hits": false, "query": object{"bool": object{"filter": []object{{"term": object{field: term}}}}},
			"sort": []object{{"time_ns": "desc"}, {"id": "desc"}},
		}), nil)
		took = append(took, time.Since(began))
	}
	return float64(median(took).Microseconds()) / 1000
}

// BenchmarkElasticQuestions asks a server with its store in Elasticsearch what the pages of the UI ask
// of the store, and reports p50 and p95 of the whole answer.
func BenchmarkElasticQuestions(b *testing.B) {
	bin, node := binary(b), elasticsearch.StartLarge(b)
	tree, _ := logs(b)
	data := importInto(b, bin, node.URL, "ask", tree)
	b.Setenv("LASTNIGHT_STORE", node.URL)
	b.Setenv("LASTNIGHT_STORE_PREFIX", "ask")
	base := serve(b, bin, data)
	var newest struct {
		Items []struct {
			Time      time.Time `json:"time"`
			Namespace string    `json:"namespace"`
			Job       string    `json:"job"`
		} `json:"items"`
	}
	page := func(path string, kv ...string) question {
		q := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			q.Set(kv[i], kv[i+1])
		}
		return question{path: path, query: q}
	}
	decode(b, base, page("/api/v1/search", "scope", "important", "start", "2000-01-01T00:00:00Z", "limit", "1"), &newest)
	if len(newest.Items) == 0 {
		b.Fatal("the corpus has nothing important")
	}
	last := newest.Items[0]
	span := []string{"start", last.Time.Add(-24 * time.Hour).Format(time.RFC3339), "end", last.Time.Add(time.Minute).Format(time.RFC3339)}
	with := func(path string, kv ...string) question { return page(path, append(slices.Clone(span), kv...)...) }
	for name, q := range map[string]question{
		"incidents":        with("/api/v1/incidents"),
		"jobs":             with("/api/v1/jobs"),
		"job-incidents":    with("/api/v1/incidents", "job", last.Job),
		"important-newest": with("/api/v1/search", "scope", "important", "limit", "100"),
		"important-errors": with("/api/v1/search", "scope", "important", "q", "level:error", "limit", "100"),
		"important-words":  with("/api/v1/search", "scope", "important", "q", "checkpoint failed", "limit", "100"),
		"events":           with("/api/v1/search", "scope", "important", "q", "kind:event", "limit", "100"),
		"levels-an-hour":   with("/api/v1/histogram", "step", "1h"),
		"templates-of-job": with("/api/v1/templates", "job", last.Job, "namespace", last.Namespace),
		"labels":           page("/api/v1/labels"),
		"label-queue":      with("/api/v1/queue"),
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			before, spent := serverCPU(b, base), node.CPU()
			for b.Loop() {
				_, _, whole, err := get(b.Context(), base, q)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, whole)
			}
			n := float64(len(took))
			b.ReportMetric(1000*(serverCPU(b, base)-before)/n, "server-cpu-ms")
			b.ReportMetric(1000*(node.CPU()-spent).Seconds()/n, "node-cpu-ms")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func decode(b *testing.B, base string, q question, into any) {
	b.Helper()
	resp, err := request(context.WithoutCancel(b.Context()), base, q)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		b.Fatal(err)
	}
}
