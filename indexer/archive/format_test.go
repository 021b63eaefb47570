package archive_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

const formatV5 = "testdata/format/v5"

// sampleItems is what the kept files were made of, with everything that a record can have.
func sampleItems() [][]archive.Item {
	one, two := newWriter("orders-taskmanager-1-1"), newWriter("orders-taskmanager-1-2")
	first := one.span(
		"2026-03-01 02:00:00,001 INFO  org.example.Task [main] - Checkpoint 17 took 153 ms",
		"2026-03-01 02:00:00,004 ERROR org.example.Task [main] - failed\njava.io.IOException: reset\n\tat org.example.Client.call(Client.java:42)",
		"2026-03-01 02:00:00,009 INFO  org.example.Task [main] - Checkpoint 18 took 97 ms",
	)
	rs := first.Span.Records
	for i := range rs {
		rs[i].Logger, rs[i].MessageAt, rs[i].AppTime = "org.example.Task", 56, start
	}
	rs[1].Level, rs[1].Exception = lastnight.LevelError, []string{"java.io.IOException"}
	rs[2].Lines[0].Parts = []lastnight.Part{{Time: start, Offset: rs[2].Lines[0].Offset, Size: 40}, {Time: start + 1, Offset: rs[2].Lines[0].Offset + 81, Size: 38}}
	json := two.span(`{"level":"warn","msg":"slow","took":"3s"}`, "\xff\x00\x11 any bytes", "")
	json.Span.Records[0].Attrs = map[string]string{"took": "3s", "other": ""}
	json.Span.Records[1].Lines[0].Stderr = true
	part := archive.Item{Job: "orders", Component: "taskmanager", Kind: lastnight.JobFlink, Span: &lastnight.Span{
		Stream: two.stream, Generation: two.gen, From: two.at, To: two.at,
		Records: []lastnight.Record{{Lines: []lastnight.Line{{Time: two.time, Offset: two.at, Text: []byte("not yet who"), Partial: true}}}},
	}}
	return [][]archive.Item{{first, json}, {one.span("2026-03-01 02:00:01,000 INFO  last 1"), part}}
}

// TestFormats reads files of each version as they were written when they were kept. They stay
// readable for ever. With LASTNIGHT_UPDATE=1 those of the newest are made anew: only before the first release.
func TestFormats(t *testing.T) {
	if os.Getenv("LASTNIGHT_UPDATE") != "" {
		makeFormat(t)
	}
	for _, version := range []string{formatV5} {
		t.Run(filepath.Base(version), func(t *testing.T) { testFormat(t, version) })
	}
}

func testFormat(t *testing.T, version string) {
	want, err := os.ReadFile(filepath.Join(version, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folders := range [][]string{{"segments"}, {"chunks"}, {"chunks", "manifests"}} {
		fsys := vfs.NewMem()
		for _, name := range folders {
			putFolder(t, fsys, version, name)
		}
		a := open(t, fsys)
		equal(t, string(wantFormat(t, a)), string(want))
		st, err := a.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, []int{st.Manifests, st.Listed}, []int{len(folders) - 1, len(folders) - 1})
	}
}

func putFolder(t *testing.T, fsys vfs.FS, version, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(version, name, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !archive.IsFile(data[:64]) {
			t.Errorf("%s is not known", file)
		}
		put(t, fsys, name+"/"+filepath.Base(file), data)
	}
}

func put(t *testing.T, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Put(t.Context(), name, data); err != nil {
		t.Fatal(err)
	}
}

// wantFormat shows everything that an archive holds.
func wantFormat(t *testing.T, a *archive.Archive) []byte {
	t.Helper()
	streams, err := a.Streams(t.Context(), lastnight.StreamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(map[string]any{
		"documents": collect(t, a.Search(t.Context(), lastnight.SearchRequest{Oldest: true}, nil, archive.Need{})),
		"lines":     collect(t, a.RawLines(t.Context(), lastnight.SearchRequest{})),
		"streams":   streams,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func makeFormat(t *testing.T) {
	t.Helper()
	fsys := vfs.NewMem()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, start).Add(time.Hour)
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	keep := func() {
		for _, b := range collect(t, dir.List(t.Context(), "")) {
			data, err := dir.Get(t.Context(), b.Name, 0, b.Size)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(formatV5, filepath.FromSlash(b.Name))
			if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"segments", "chunks", "manifests"} {
		if err := os.RemoveAll(filepath.Join(formatV5, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, items := range sampleItems() {
		add(t, a, items...)
	}
	keep()
	if err := os.WriteFile(filepath.Join(formatV5, "want.json"), wantFormat(t, a), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	keep()
}

// TestUnknownVersion: a file of a later version is refused by its version, not called damaged.
func TestUnknownVersion(t *testing.T) {
	fsys := vfs.NewMem()
	add(t, open(t, fsys), newWriter("pod-1").span("one"))
	files, err := fsys.List("segments")
	if err != nil {
		t.Fatal(err)
	}
	err = fsys.Corrupt(files[0].Name, func(b []byte) []byte {
		b[8], b[len(b)-32+12] = 6, 6 // in the tail alone it would be damage
		return b
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	_, err = archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1})
	if err == nil || !strings.Contains(err.Error(), "unknown version 6 of a segment: this lastnight reads 5") || strings.Contains(err.Error(), "corrupt") {
		t.Fatalf("got %v", err)
	}
}

func TestDump(t *testing.T) {
	for _, pattern := range []string{"segments/*", "chunks/*", "manifests/*"} {
		files, err := filepath.Glob(filepath.Join(formatV5, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		f, err := os.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := archive.DumpFile(t.Context(), &out, f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Kind           string
			Blocks, Chunks []struct{ Lines int }
		}
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if all := slices.Concat(doc.Blocks, doc.Chunks); doc.Kind == "" || len(all) == 0 || all[0].Lines == 0 {
			t.Fatalf("%+v", doc)
		}
	}
}
