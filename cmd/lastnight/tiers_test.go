package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/internal/recorded"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
)

// TestElasticsearchTellsTheSame: of every recorded case, why says of each job the same on
// both stores, byte for byte.
func TestElasticsearchTellsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch")
	}
	node := elasticsearch.Start(t)
	for _, name := range recorded.Names() {
		t.Run(name, func(t *testing.T) {
			sameAnswers(t, name, "--store", node.URL, "--store-prefix", "case."+strings.ReplaceAll(name, "-", "."))
		})
	}
}

// TestS3TellsTheSame is the same with the archive in a bucket.
func TestS3TellsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("starts an S3 server")
	}
	server := s3.Start(t)
	for _, name := range recorded.Names()[:3] {
		t.Run(name, func(t *testing.T) {
			sameAnswers(t, name, "--archive", server.Bucket(t, name))
		})
	}
}

// sameAnswers imports a case into a data directory of its own, and into one with flags, and compares.
func sameAnswers(t *testing.T, name string, flags ...string) {
	t.Helper()
	dir := t.TempDir()
	files := filepath.Join(dir, "case")
	if err := recorded.Extract(t.Context(), name, files); err != nil {
		t.Fatal(err)
	}
	own := func(args ...string) []string {
		return append(args, "--data", filepath.Join(dir, "own"), "--zone", "UTC")
	}
	other := func(args ...string) []string {
		return append(append(args, "--data", filepath.Join(dir, "other"), "--zone", "UTC"), flags...)
	}
	tell(t, own("import", files)...)
	tell(t, other("import", files)...)
	list := tell(t, own("jobs", "-o", "json")...)
	var jobs struct {
		Items []lastnight.Job `json:"items"`
	}
	if err := json.Unmarshal([]byte(list), &jobs); err != nil || len(jobs.Items) == 0 {
		t.Fatalf("no jobs: %v", err)
	}
	incidents := 0
	for _, j := range jobs.Items {
		args := []string{"why", j.Name, "--since", "2020-01-01", "--until", "2040-01-01", "-o", "json"}
		want := tell(t, own(args...)...)
		if diff := cmp.Diff(want, tell(t, other(args...)...)); diff != "" {
			t.Errorf("why %s (-bleve in a directory +other):\n%s", j.Name, diff)
		}
		incidents += strings.Count(want, `"diagnosis"`)
	}
	t.Logf("%d jobs, %d incidents", len(jobs.Items), incidents)
	search := []string{"search", "level:error or kind:event", "--since", "2020-01-01", "-o", "json"}
	if diff := cmp.Diff(tell(t, own(search...)...), tell(t, other(search...)...)); diff != "" {
		t.Errorf("search (-bleve in a directory +other):\n%s", diff)
	}
}

// tell runs a command and gives what it printed; finding nothing is no failure.
func tell(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	if code := run(t.Context(), args, bytes.NewReader(nil), &out, &talk); code != 0 && code != 3 {
		t.Fatalf("%s: exit %d: %s", strings.Join(args, " "), code, talk.String())
	}
	return out.String()
}
