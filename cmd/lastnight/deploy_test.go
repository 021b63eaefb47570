package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"

	"lastnight/collector/kube/watch"
)

const deployDir = "../../deploy"

func deployed(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(deployDir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	texts := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[f] = string(b)
	}
	return texts
}

// The arguments in manifests and chart are flags that the commands have.
func TestDeployedFlags(t *testing.T) {
	args := regexp.MustCompile(`(?m)^ *- (collect|serve)$|^ *- --([a-z-]+)=`)
	flags := 0
	for _, pattern := range []string{"base/*.yaml", "chart/lastnight/templates/*.yaml"} {
		for file, text := range deployed(t, pattern) {
			command := ""
			for _, m := range args.FindAllStringSubmatch(text, -1) {
				if m[1] != "" {
					command = m[1]
					continue
				}
				cmd, _, err := newRoot().Find([]string{command})
				if err != nil || command == "" {
					t.Errorf("%s: no command %q: %v", file, command, err)
					continue
				}
				if cmd.Flag(m[2]) == nil && cmd.InheritedFlags().Lookup(m[2]) == nil {
					t.Errorf("%s: lastnight %s has no flag --%s", file, command, m[2])
				}
				flags++
			}
		}
	}
	if flags < 20 {
		t.Errorf("only %d arguments found: the manifests have changed their form", flags)
	}
}

// The metrics that dashboard and alerts ask for are told by a real server or collector.
func TestDeployedMetrics(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	n, err := openNode(t.Context(), nodeConfig{dir: t.TempDir(), create: true, log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-some-length-for-this-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n.ingest, err = (&ingestFlags{token: token}).open(n, nil); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	registerMetrics(reg, n)
	c := collecting{podsDir: t.TempDir(), checkpoint: t.TempDir(), node: "node-a", patience: time.Second}
	p, err := c.open("http://127.0.0.1:1", log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.close() }()
	p.kube = watching{cfg: watch.Config{REST: &rest.Config{Host: "http://127.0.0.1:1"}, Log: log}, metrics: &watchMetrics{}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.kube.run(ctx, n.indexer); err != nil {
		t.Fatal(err)
	}
	told := scrape(t, promhttp.HandlerFor(reg, promhttp.HandlerOpts{})) + scrape(t, p.metrics())
	have := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ([a-z_]+) `).FindAllStringSubmatch(told, -1) {
		have[m[1]] = true
	}
	asked := 0
	for file, text := range deployed(t, "chart/lastnight/files/*") {
		for _, name := range regexp.MustCompile(`\b(?:lastnight|process)_[a-z_]+`).FindAllString(text, -1) {
			asked++
			if !have[name] {
				t.Errorf("%s asks for %s, which nobody tells", file, name)
			}
		}
	}
	if asked < 15 {
		t.Errorf("only %d metrics are asked for: the files have changed their form", asked)
	}
}

func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d", w.Code)
	}
	return w.Body.String()
}
