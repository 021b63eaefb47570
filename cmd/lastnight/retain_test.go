package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"lastnight"
	"lastnight/collector"
	"lastnight/internal/recorded"
)

// TestRetainKeepsOldImports: age counts from arrival, in the store too.
func TestRetainKeepsOldImports(t *testing.T) {
	pods := t.TempDir()
	log := filepath.Join(pods, "ns_old_u1", "main", "0.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("2020-01-01T03:00:00.5Z stdout F 2020-01-01 03:00:00 ERROR [main] a.B - no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	n, err := openNode(t.Context(), nodeConfig{dir: data, create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	if _, err := n.load(t.Context(), io.Discard, collector.Config{}, []string{pods}); err != nil {
		t.Fatal(err)
	}
	counted := func() (records int64) {
		buckets, err := n.indexer.Histogram(t.Context(), lastnight.HistogramRequest{Start: time.Date(2020, 1, 1, 3, 0, 0, 0, time.UTC), End: time.Date(2020, 1, 1, 4, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets {
			for _, c := range b.Levels {
				records += c
			}
		}
		return records
	}
	k := keep{archiveAge: 30 * 24 * time.Hour, archiveShare: 1, storeAge: 90 * 24 * time.Hour}
	for _, step := range []struct {
		now  time.Time
		want int64
	}{{time.Now(), 1}, {time.Now().Add(31 * 24 * time.Hour), 1}, {time.Now().Add(91 * 24 * time.Hour), 0}} {
		if err := n.retain(t.Context(), k, step.now); err != nil {
			t.Fatal(err)
		}
		if got := counted(); got != step.want {
			t.Errorf("at %s the store counts %d records, not %d", step.now, got, step.want)
		}
	}
}

// TestRetainKeepsEvidence: beyond every limit of age, namespace and size the chunks with an incident's lines stay, so that the
// lines that it shows can be read; all else goes.
func TestRetainKeepsEvidence(t *testing.T) {
	cases := t.TempDir()
	if err := recorded.Extract(t.Context(), "tm-oomkilled", cases); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	log := filepath.Join(other, "ns_quiet_u1", "main", "0.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("2020-01-01T03:00:00.5Z stdout F nothing happens\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := openNode(t.Context(), nodeConfig{dir: filepath.Join(t.TempDir(), "data"), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	for _, dir := range []string{cases, other} { // a compaction each: two chunks
		if _, err := n.load(t.Context(), io.Discard, collector.Config{}, []string{dir}); err != nil {
			t.Fatal(err)
		}
	}
	incidents, err := n.store.Incidents(t.Context(), lastnight.IncidentsRequest{})
	if err != nil || len(incidents) == 0 {
		t.Fatalf("%d incidents, %v", len(incidents), err)
	}
	lines := func(req lastnight.SearchRequest) (some int) {
		for _, err := range n.archive.RawLines(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			some++
		}
		return some
	}
	job := lastnight.SearchRequest{Namespace: incidents[0].Namespace, Job: incidents[0].Workload}
	before := lines(job)
	if before == 0 || lines(lastnight.SearchRequest{Namespace: "ns"}) != 1 {
		t.Fatalf("%d lines of the job", before)
	}
	k := keep{archiveAge: time.Hour, archiveShare: 1, archiveBytes: 1, storeAge: 90 * 24 * time.Hour, byNamespace: namespaceAges{incidents[0].Namespace: time.Minute}}
	if err := n.retain(t.Context(), k, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := lines(job); got != before {
		t.Errorf("%d of %d lines of the incident's job are there", got, before)
	}
	if got := lines(lastnight.SearchRequest{Namespace: "ns"}); got != 0 {
		t.Errorf("%d lines of what no incident refers to are there", got)
	}
}

// TestKeepFlags: what the flags of retention take, and what they say to what they do not take.
func TestKeepFlags(t *testing.T) {
	parse := func(args ...string) (keep, error) {
		var k keep
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		k.flags(f)
		if err := f.Parse(args); err != nil {
			return k, err
		}
		return k, k.check()
	}
	k, err := parse("--archive-namespace-age", "dev=72h,audit=0", "--archive-namespace-age=qa=1h", "--archive-max-bytes", "500GiB", "--upkeep-rate=1MiB")
	if err != nil || k.byNamespace.String() != "audit=0s,dev=72h0m0s,qa=1h0m0s" || k.archiveBytes != 500<<30 || k.upkeepRate != 1<<20 {
		t.Errorf("%+v %v", k, err)
	}
	if most, err := k.maxBytes(&openBlobs{}); err != nil || most != 500<<30 {
		t.Errorf("a bucket may have %d bytes, %v", most, err)
	}
	k.archiveBytes = 1 << 60
	if most, err := k.maxBytes(&openBlobs{dir: t.TempDir()}); err != nil || most <= 0 || most >= 1<<60 {
		t.Errorf("a volume may have %d bytes, %v", most, err)
	}
	if k, err = parse(); err != nil || k.upkeepRate != 16<<20 || k.archiveBytes != 0 || len(k.byNamespace) != 0 {
		t.Errorf("defaults: %+v %v", k, err)
	}
	for _, args := range [][]string{{"--archive-namespace-age=dev"}, {"--archive-namespace-age==1h"}, {"--archive-namespace-age=dev=-1h"}, {"--upkeep-rate=1KiB"}, {"--archive-max-share=0"}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
