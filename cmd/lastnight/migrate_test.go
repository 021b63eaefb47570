package main

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/api/audit"
	"lastnight/internal/recorded"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
)

// TestMigrate moves a data directory with labels to Elasticsearch and S3, killed again and again,
// and back; all three answer alike.
func TestMigrate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch")
	}
	es, bucket := elasticsearch.Start(t), s3.Start(t).Bucket(t, "logs")
	dir := t.TempDir()
	own, back := filepath.Join(dir, "own"), filepath.Join(dir, "back")
	for _, name := range []string{"tm-oomkilled", recorded.Names()[0]} {
		files := filepath.Join(dir, name)
		if err := recorded.Extract(t.Context(), name, files); err != nil {
			t.Fatal(err)
		}
		tell(t, "import", files, "--data", own)
	}
	tell(t, "import", smallCorpus(t, 4), "--data", own)
	tell(t, "labels", "add", "--data", own, "--as", "ann", "--with-reason", "OOMKilled", "--cause", "tm-oomkilled", "--title", "No memory", "--advice", "more of it", "--propose")

	log, err := audit.Open(audit.Config{Dir: filepath.Join(own, "audit")})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		log.Audit(t.Context(), lastnight.AuditEntry{Actor: "ann", Action: "label.put", Target: "no-memory"})
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}

	there := []string{"migrate", "--from", own, "--to", es.URL, "--archive", bucket}
	rnd := rand.New(rand.NewPCG(3, 4))
	killed := 0
	for range 8 {
		cmd := lastnightCommand(t.Context(), t, there...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(200+rnd.IntN(1500))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			killed++
		}
		timer.Stop()
	}
	t.Logf("killed %d times of 8", killed)
	tell(t, there...)
	if got := talk(t, 0, there...); !strings.Contains(got, "nothing to do") {
		t.Errorf("once more: %s", got)
	}
	remote := []string{"--store", es.URL, "--archive", bucket, "--server", ""}
	tell(t, "migrate", "--from", es.URL, "--archive", bucket, "--to", back)
	for _, ask := range [][]string{
		{"jobs", "-o", "json"},
		{"incidents", "--since", "2020-01-01", "--planned", "-o", "json"},
		{"labels", "list", "-o", "json"},
		{"audit", "-o", "json"},
		{"search", "level:error or kind:event", "--since", "2020-01-01", "-o", "json"},
		{"search", "checkpoint", "--scope", "important", "--since", "2020-01-01", "-o", "json"},
	} {
		ask = append(ask, "--zone", "UTC")
		want := tell(t, append(slices.Clip(ask), "--data", own)...)
		if want == "" {
			t.Errorf("%q finds nothing: nothing is compared", ask)
		}
		if diff := cmp.Diff(want, tell(t, append(slices.Clip(ask), remote...)...)); diff != "" {
			t.Errorf("%q (-in the directory +in Elasticsearch and S3):\n%s", ask, diff)
		}
		if ask[0] == "audit" {
			continue // does not come back as files
		}
		if diff := cmp.Diff(want, tell(t, append(slices.Clip(ask), "--data", back)...)); diff != "" {
			t.Errorf("%q (-in the directory +there and back):\n%s", ask, diff)
		}
	}
	other := filepath.Join(dir, "other")
	tell(t, "import", filepath.Join(dir, "tm-oomkilled"), "--data", other)
	for name, args := range map[string][]string{
		"holds a copy of another store": {"migrate", "--from", other, "--to", es.URL},
		"holds items already":           {"migrate", "--from", es.URL, "--to", other},
		"target holds ":                 {"migrate", "--from", other, "--to", es.URL, "--store-prefix", "second", "--archive", bucket},
		"one of --from and --to":        {"migrate", "--from", other, "--to", own},
	} {
		if got := talk(t, -1, args...); !strings.Contains(got, name) {
			t.Errorf("%q says %s, want %q", args, got, name)
		}
	}
	half := []string{"jobs", "--store", es.URL, "--store-prefix", "second", "--data", own}
	if got := talk(t, 1, half...); !strings.Contains(got, "has not finished") {
		t.Errorf("a half-filled store: %s", got)
	}
}

// talk runs a command and gives what it said on stderr; code -1 is any failure.
func talk(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, said bytes.Buffer
	if got := run(t.Context(), args, bytes.NewReader(nil), &out, &said); got != code && (code >= 0 || got == 0) {
		t.Errorf("%q: exit code %d, want %d: %s", args, got, code, said.String())
	}
	return said.String()
}
