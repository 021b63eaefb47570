//go:build unix

package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"lastnight/api"
	"lastnight/ui"
)

// BenchmarkQuestionsInside asks a data directory through the API's handler, without a network and in this process, so that profiles tell
// where the time of an answer goes: DATA is the directory, CORPUS the tree it was imported from (see internal/bench).
func BenchmarkQuestionsInside(b *testing.B) {
	data, tree := os.Getenv("DATA"), os.Getenv("CORPUS")
	if data == "" || tree == "" {
		b.Skip("DATA names no data directory, or CORPUS not where it comes from")
	}
	raw, err := os.ReadFile(filepath.Join(tree, "truth.json"))
	if err != nil {
		b.Fatal(err)
	}
	var truth struct {
		From, To time.Time
		PodLines map[string]int
		Phrase   string
		Needle   string
	}
	if err := json.Unmarshal(raw, &truth); err != nil {
		b.Fatal(err)
	}
	n, err := openNode(b.Context(), nodeConfig{dir: data, log: slog.New(slog.DiscardHandler), serves: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := n.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	h, err := api.New(api.Config{Searcher: n.indexer, Investigator: n.investigator, UI: ui.Handler()})
	if err != nil {
		b.Fatal(err)
	}
	pod := ""
	for name, lines := range truth.PodLines {
		if pod == "" || lines > truth.PodLines[pod] {
			pod = name
		}
	}
	middle := truth.From.Add(truth.To.Sub(truth.From) / 2).Truncate(time.Minute)
	on := func(path, name string, from, to time.Time, kv ...string) {
		q := url.Values{"start": {from.Format(time.RFC3339)}, "end": {to.Format(time.RFC3339)}}
		for i := 0; i < len(kv); i += 2 {
			q.Set(kv[i], kv[i+1])
		}
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://127.0.0.1/api/v1/"+path+"?"+q.Encode(), nil)
		r.Header.Set("Accept-Encoding", "gzip") // as most clients ask
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := ownCPU(b)
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					body, _ := io.ReadAll(w.Body)
					b.Fatalf("%d: %s", w.Code, body)
				}
			}
			b.ReportMetric(float64((ownCPU(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
	f := func(name string, from, to time.Time, kv ...string) { on("search", name, from, to, kv...) }
	f("substring", middle, middle.Add(10*time.Minute), "q", "*11*", "pod", pod, "limit", "1000")
	f("regexp", middle, middle.Add(10*time.Minute), "q", "/11/", "pod", pod, "limit", "1000")
	f("last-1000", truth.From, truth.To, "pod", pod, "limit", "1000")
	for _, to := range []struct {
		name string
		end  time.Time
	}{{"end", truth.To}, {"middle", middle}} {
		f("newest-100-regexp/"+to.name, truth.From, to.end, "q", "/(WARN|ERROR).*[0-9]+/")
		f("newest-100-word/"+to.name, truth.From, to.end, "q", "WARN")
		f("newest-100/"+to.name, truth.From, to.end)
	}
	f("phrase", truth.From, truth.To, "q", `"`+truth.Phrase+`"`, "limit", "1000")
	f("needle", truth.From, truth.To, "q", `"`+truth.Needle+`"`)
	f("nothing", truth.From, truth.To, "q", "nosuchwordanywhere")
	f("level", truth.From, truth.To, "q", "level:FATAL", "limit", "1000")
	f("regexp-shape", truth.From, truth.To, "q", "/Transitioned from [A-Z]+ to FAILED/", "limit", "1000")
	f("regexp-variable", truth.From, truth.To, "q", "/blk_-?16089[0-9]+ .*size/")
	on("histogram", "level-minutes", truth.From, truth.To, "step", "1m")
}

// ownCPU gives the time that this process has used of all cores.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
