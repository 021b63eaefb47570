package elasticstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/elasticstore"
)

// recordedPrefix is that of the stores whose making lies in testdata/format.
const recordedPrefix = "recorded"

// made is a request that made a store of a format, one a line of testdata/format/vN.ndjson.
type made struct {
	Method string `json:"method"`
	Path   string `json:"path"` // with the query
	Body   string `json:"body,omitempty"`
}

// sample fills a store with some of everything.
func sample(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	docs := documents(40)
	for i := range docs {
		docs[i].Time = night.Add(time.Duration(i) * time.Hour) // of three days
		docs[i].Text += fmt.Sprintf("\njava.lang.IllegalStateException: number %d", i)
		docs[i].Attrs = map[string]string{"thread.id": fmt.Sprint(i), "odd\x00name": "x"}
	}
	docs[7].Kind, docs[7].Event = lastnight.DocumentEvent, &lastnight.Event{ID: "e", Time: docs[7].Time, Reason: "OOMKilled", Object: lastnight.ObjectRef{Kind: "Pod", Name: "orders-1"}}
	must(t, s.Index(ctx, docs))
	for i := range 3 {
		at := night.Add(time.Duration(i) * 24 * time.Hour)
		must(t, errors.Join(
			s.PutCounts(ctx, fmt.Sprintf("segments/%d", i), []lastnight.TemplateCount{{Namespace: "flink", Job: "orders", Template: "t1", Level: "WARN", Minute: at, Count: int64(i)}}),
			s.PutTemplates(ctx, []lastnight.Template{{ID: fmt.Sprintf("t%d", i), Text: "record <*> of many", FirstSeen: at, LastSeen: at}}),
			s.PutPods(ctx, []lastnight.Pod{{Namespace: "flink", Name: fmt.Sprintf("orders-%d", i), UID: "u", IP: "10.0.0.1", Created: at}}),
			s.PutJobs(ctx, []lastnight.Job{{Namespace: "flink", Name: fmt.Sprintf("job%d", i), Workload: "orders", FirstSeen: at, LastSeen: at}}),
			s.PutIncidents(ctx, []lastnight.Incident{{ID: fmt.Sprintf("i%d", i), Namespace: "flink", Job: "job1", Start: at, End: at}}),
		))
		if _, err := s.Put(ctx, "labels", fmt.Sprintf("no-memory@%d", i), []byte{byte(i), 0, 0xff}, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordFormat writes down how a store of today's format is made: RECORD_FORMAT names the file. It is
// run before the format changes.
func TestRecordFormat(t *testing.T) {
	file := os.Getenv("RECORD_FORMAT")
	if file == "" {
		t.Skip("RECORD_FORMAT names no file")
	}
	cfg := config(t)
	cfg.Prefix, cfg.Workers = recordedPrefix, 1
	var mu sync.Mutex
	var out bytes.Buffer
	p := &proxy{fault: func(_ http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		must(t, err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method == http.MethodPut || strings.HasSuffix(r.URL.Path, "/_bulk") {
			line, err := json.Marshal(made{r.Method, r.URL.RequestURI(), string(body)})
			must(t, err)
			mu.Lock()
			defer mu.Unlock()
			out.Write(append(line, '\n'))
		}
		return false
	}}
	cfg.Addresses = []string{p.before(t, cfg.Addresses[0])}
	sample(t, open(t, cfg))
	must(t, os.WriteFile(file, out.Bytes(), 0o600))
}

// madeAs makes the store of a format under the prefix of cfg, by the requests that once made it.
func madeAs(t *testing.T, cfg elasticstore.Config, format int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("testdata/format/v%d.ndjson", format))
	must(t, err)
	for line := range bytes.Lines(b) {
		var m made
		must(t, json.Unmarshal(bytes.ReplaceAll(line, []byte(recordedPrefix+"-"), []byte(cfg.Prefix+"-")), &m))
		do(t.Context(), t, m.Method, cfg.Addresses[0]+m.Path, m.Body)
	}
}

// aliased gives the indices behind the alias of a kind.
func aliased(t *testing.T, cfg elasticstore.Config, kind string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(do(t.Context(), t, "GET", cfg.Addresses[0]+"/_cat/aliases/"+cfg.Prefix+"-"+kind+"?h=index&s=index", "")) {
		names = append(names, strings.TrimPrefix(strings.TrimSpace(line), cfg.Prefix+"-"))
	}
	return names
}

// A store of an older format is opened by two servers at once, one of which finds what a crashed one had begun:
// nothing is lost or doubled, days are made anew only when something is written to them.
func TestOlderFormatIsUpgraded(t *testing.T) {
	want := open(t, config(t))
	sample(t, want)
	whole, err := store.Summarize(t.Context(), want)
	must(t, err)
	cfg := config(t)
	madeAs(t, cfg, 1)
	must(t, beginFilling(t, cfg, "incidents-v2"))
	var g errgroup.Group
	for range 2 {
		g.Go(func() error {
			_, err := elasticstore.Open(t.Context(), cfg)
			return err
		})
	}
	must(t, g.Wait())
	s := open(t, cfg)
	same := func(when string) {
		t.Helper()
		have, err := store.Summarize(t.Context(), s)
		must(t, err)
		for _, e := range whole.Differences(have) {
			t.Errorf("%s: %v", when, e)
		}
	}
	if diff := cmp.Diff([]string{"documents-v1-2026.11.21", "documents-v1-2026.11.22"}, aliased(t, cfg, "documents")); diff != "" {
		t.Errorf("opened: %s", diff)
	}
	same("opened")
	if diff := cmp.Diff([]string{"items-v2"}, aliased(t, cfg, "items")); diff != "" {
		t.Errorf("opened: %s", diff)
	}
	must(t, beginFilling(t, cfg, "documents-v2-2026.11.21"))
	for range 2 { // again, by two at once
		g.Go(func() error {
			other, err := elasticstore.Open(t.Context(), cfg)
			if err != nil {
				return err
			}
			sample(t, whatever{other})
			return nil
		})
	}
	must(t, g.Wait())
	same("written again")
	if diff := cmp.Diff([]string{"documents-v2-2026.11.21", "documents-v2-2026.11.22"}, aliased(t, cfg, "documents")); diff != "" {
		t.Errorf("written again: %s", diff)
	}
	if resp := status(t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-items-v1/_doc/x", `{}`); resp != http.StatusForbidden {
		t.Errorf("a server of the older version may write still: %d", resp)
	}
	_, err = s.DropDocuments(t.Context(), night.Add(24*time.Hour).Truncate(24*time.Hour))
	must(t, err)
	if resp := status(t, "GET", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents-v1-2026.11.21", ""); resp != http.StatusNotFound {
		t.Errorf("retention leaves the index of the older format: %d", resp)
	}
}

// whatever puts items whatever is there: the sample is.
type whatever struct{ store.Store }

func (f whatever) Put(ctx context.Context, bucket, key string, value []byte, _ int64) (int64, error) {
	return f.Store.Put(ctx, bucket, key, value, -1)
}

// beginFilling leaves behind what a server does that is killed while it makes an index anew.
func beginFilling(t *testing.T, cfg elasticstore.Config, name string) error {
	t.Helper()
	kind, _, _ := strings.Cut(name, "-v2")
	s := cfg
	s.Prefix += ".other" // only its templates are wanted
	open(t, s)
	old := strings.Replace(name, "-v2", "-v1", 1)
	do(t.Context(), t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-"+old+"/_block/write", "")
	template := strings.ReplaceAll(do(t.Context(), t, "GET", cfg.Addresses[0]+"/_index_template/"+s.Prefix+"-"+kind+"-v2", ""), s.Prefix+"-", cfg.Prefix+"-")
	var said struct {
		Templates []struct {
			Body json.RawMessage `json:"index_template"`
		} `json:"index_templates"`
	}
	if err := json.Unmarshal([]byte(template), &said); err != nil {
		return err
	}
	do(t.Context(), t, "PUT", cfg.Addresses[0]+"/_index_template/"+cfg.Prefix+"-"+kind+"-v2", string(said.Templates[0].Body))
	do(t.Context(), t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-"+name, `{"aliases":{"`+cfg.Prefix+"-"+name+`-filling":{}}}`)
	return nil
}
