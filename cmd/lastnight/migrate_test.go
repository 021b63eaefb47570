package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
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

// migrateMoments are those at which a migration is killed, in the order in which it comes to them.
func migrateMoments() []moment {
	all := []moment{{"item migration/", "before"}, {"item migration/", "after"}}
	for _, kind := range []string{"put chunk", "item clusterer/", "bulk templates", "bulk pods", "bulk jobs", "bulk incidents", "bulk counts", "put sources", "bulk documents"} {
		for _, when := range []string{"before", "half", "after"} {
			all = append(all, moment{kind, when})
		}
	}
	return append(all, moment{"item migration/", "half"}, moment{"item migration/", "after"})
}

// killMigration runs a migration and kills it at a moment; false: it came to its end before.
func killMigration(t *testing.T, k *killer, p *process, m moment) bool {
	t.Helper()
	k.arm(m, nil)
	defer k.arm(moment{}, nil)
	r, held, err := os.Pipe() // which the process holds until it ends
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	p.cmd = lastnightCommand(t.Context(), t, p.args...)
	p.cmd.ExtraFiles = []*os.File{held}
	if err := errors.Join(p.cmd.Start(), held.Close()); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r)
	select {
	case <-k.fired:
		return true
	case <-time.After(time.Second): // it ended by itself
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("a migration that was not killed: %v", err)
	}
	return false
}

// TestElasticsearchMigrate moves a data directory with labels to Elasticsearch and S3, killed (-9) before, in and after its
// writes, and back; all three answer alike, why byte for byte.
func TestElasticsearchMigrate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch")
	}
	es, server := elasticsearch.Start(t), s3.Start(t)
	bucket := server.Bucket(t, "logs")
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

	k := newKiller()
	migrating := &process{t: t}
	front := k.before(t, &migrating, es.URL)
	through := strings.Replace(bucket, url.QueryEscape(server.Endpoint), url.QueryEscape(k.before(t, &migrating, server.Endpoint)), 1)
	there := []string{"migrate", "--from", own, "--to", front, "--archive", through, "--store-prefix", "killed"}
	migrating.args = there
	killed := []moment{}
	for _, m := range migrateMoments() {
		if killMigration(t, k, migrating, m) {
			killed = append(killed, m)
		}
	}
	t.Logf("killed %d times: %v", len(killed), killed)
	if len(killed) < len(migrateMoments()) {
		t.Errorf("killed %d times of %d; requests: %v", len(killed), len(migrateMoments()), k.kinds())
	}
	tell(t, there...)
	if got := talk(t, 0, there...); !strings.Contains(got, "nothing to do") {
		t.Errorf("once more: %s", got)
	}
	remote := []string{"--store", es.URL, "--store-prefix", "killed", "--archive", bucket, "--server", ""}
	tell(t, "migrate", "--from", es.URL, "--store-prefix", "killed", "--archive", bucket, "--to", back)
	var jobs struct {
		Items []lastnight.Job `json:"items"`
	}
	if err := json.Unmarshal([]byte(tell(t, "jobs", "-o", "json", "--data", own)), &jobs); err != nil {
		t.Fatal(err)
	}
	asks := [][]string{
		{"jobs", "-o", "json"},
		{"incidents", "--since", "2020-01-01", "--planned", "-o", "json"},
		{"labels", "list", "-o", "json"},
		{"audit", "-o", "json"},
		{"search", "level:error or kind:event", "--since", "2020-01-01", "-o", "json"},
		{"search", "checkpoint", "--scope", "important", "--since", "2020-01-01", "-o", "json"},
	}
	for _, j := range jobs.Items {
		asks = append(asks, []string{"why", j.Name, "--since", "2020-01-01", "--until", "2040-01-01", "-o", "json"})
	}
	for _, ask := range asks {
		ask = append(ask, "--zone", "UTC")
		want := tell(t, append(slices.Clip(ask), "--data", own)...)
		if want == "" && ask[0] != "why" { // of a job that nothing happened to why says nothing
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
		"holds a copy of another store": {"migrate", "--from", other, "--to", es.URL, "--store-prefix", "killed"},
		"holds items already":           {"migrate", "--from", es.URL, "--store-prefix", "killed", "--to", other},
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
