package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/internal/bloom"
	"lastnight/internal/vfs"
)

// TestFilterSlices: whatever the filters' sizes, each finds its words in the slice that the word says, mostly no others, and a damaged slice
// is named and keeps nobody from the others.
func TestFilterSlices(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, sizes := range [][]int{{3}, {3, 900}, {200, 12_000, 11_000}, {40_000}, {12_000, 12_000, 12_000, 12_000, 700}} {
		var filters [][]byte
		var words [][]uint64
		for _, n := range sizes {
			set := wordSet{}
			set.reset()
			var list []uint64
			for range n {
				list = append(list, r.Uint64()|1)
				set.add(list[len(list)-1])
			}
			filters, words = append(filters, filterOf(&set)), append(words, list)
		}
		w := newFileWriter(kindChunk, nil)
		table := w.addFilters(filters)
		e := enc{}
		table.encode(&e)
		table = decodeFilterTable(&dec{b: e.b}, int64(len(w.b)))
		if table.off+table.size() != int64(len(w.b)) {
			t.Fatalf("%v: %+v does not end where the file does, at %d", sizes, table, len(w.b))
		}
		found := make([][]byte, table.slices)
		if err := table.readSlices(t.Context(), 0, table.slices-1, rangeOf(bytes.NewReader(w.b)), func(n int, data []byte) { found[n] = data }); err != nil {
			t.Fatal(err)
		}
		may := func(filter int, h uint64) bool {
			all := slices.Repeat([]bool{true}, len(filters))
			table.ask(found[bloom.PartOf(h, table.slices)], h, all)
			if all[filter] != mayHave(filters[filter], h) {
				t.Fatalf("%v: slices and the whole filter differ about %x", sizes, h)
			}
			return all[filter]
		}
		wrong := 0
		for i, list := range words {
			for _, h := range list {
				if !may(i, h) {
					t.Fatalf("%v: filter %d lacks %x", sizes, i, h)
				}
			}
			for range 1000 {
				if may(i, r.Uint64()) {
					wrong++
				}
			}
		}
		if wrong > 30*len(sizes) {
			t.Errorf("%v: %d of %d answers are wrongly yes", sizes, wrong, 1000*len(sizes))
		}
		bad := table.slices / 2
		w.b[table.off+int64(bad)*table.sliceSize()+3] ^= 1
		n := 0
		err := table.readSlices(t.Context(), 0, table.slices-1, rangeOf(bytes.NewReader(w.b)), func(int, []byte) { n++ })
		if where := fmt.Sprintf("offset %d:", table.off+int64(bad)*table.sliceSize()); !errors.Is(err, errCorrupt) || !strings.Contains(err.Error(), where) || n != table.slices-1 {
			t.Errorf("%v: %d slices and %v, want all but one and %s", sizes, n, err, where)
		}
	}
}

// wordArchive has some chunks that a manifest lists, each with a word of its own and one that all have.
func wordArchive(t *testing.T, fsys vfs.FS, chunks int) {
	t.Helper()
	dir, err := NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), Config{Blobs: dir, DirectBytes: 1, ManifestChunks: chunks})
	if err != nil {
		t.Fatal(err)
	}
	s := &lastnight.Stream{Namespace: "n", Pod: "p", PodUID: "u", Container: "c"}
	at, off := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano(), int64(0)
	for i := range chunks {
		text := fmt.Appendf(nil, "common words and chunk%d with another%d", i, i)
		line := lastnight.Line{Time: at + int64(i)*int64(time.Minute), Offset: off, Text: text}
		span := lastnight.Span{Stream: s, Generation: lastnight.Generation{Start: at}, From: off, To: off + 100, Records: []lastnight.Record{{Lines: []lastnight.Line{line}}}}
		if _, err := a.Append(t.Context(), []Item{{Span: &span, Job: "j"}}); err != nil {
			t.Fatal(err)
		}
		off += 100
	}
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// searchWords gives the texts with all words, and how many ranges were read for it.
func searchWords(t *testing.T, a *Archive, read *countedGets, words ...string) (texts []string, gets int64) {
	t.Helper()
	before := read.gets.Load()
	match := func(d *lastnight.Document) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(d.Text, w) })
	}
	for d, err := range a.Search(t.Context(), lastnight.SearchRequest{}, match, NeedWords(words...)) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, d.Text)
	}
	return texts, read.gets.Load() - before
}

// TestSkippedByManifest: of a chunk that lacks a word one slice of its filters is read, and nothing else.
func TestSkippedByManifest(t *testing.T) {
	fsys := vfs.NewMem()
	const chunks = 8
	wordArchive(t, fsys, chunks)
	read := &countedGets{Blobs: ReadDir(fsys)}
	a, err := Open(t.Context(), Config{Blobs: read})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		found int
		gets  int64
	}{
		{[]string{"absent"}, 0, chunks + 2}, // a slice each, which chunks there are, and where their filters are
		{[]string{"absent"}, 0, 0},
		{[]string{"chunk3"}, 1, 2}, // directory and block: filters this small are one slice
		{[]string{"common", "another3"}, 1, 1},
		{[]string{"chunk3", "another4"}, 0, 0},
		{[]string{"common"}, chunks, 2*chunks - 1},
	} {
		texts, gets := searchWords(t, a, read, c.words...)
		if len(texts) != c.found || gets != c.gets {
			t.Errorf("%v: %d found with %d reads, want %d with %d", c.words, len(texts), gets, c.found, c.gets)
		}
	}
}

// TestDamagedSlice: a slice that is damaged is told of, and hides nothing.
func TestDamagedSlice(t *testing.T) {
	fsys := vfs.NewMem()
	wordArchive(t, fsys, 3)
	files, err := fsys.List("chunks")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		get := func(ctx context.Context, off, n int64) ([]byte, error) { return ReadDir(fsys).Get(ctx, f.Name, off, n) }
		d, err := readDirectory(t.Context(), f.Size, get)
		if err != nil {
			t.Fatal(err)
		}
		if err := fsys.Corrupt(f.Name, func(b []byte) []byte { b[d.filters.off] ^= 1; return b }); err != nil {
			t.Fatal(err)
		}
	}
	read := &countedGets{Blobs: ReadDir(fsys)}
	a, err := Open(t.Context(), Config{Blobs: read})
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"chunk1"}, {"common", "another2"}} {
		if texts, _ := searchWords(t, a, read, words...); len(texts) != 1 {
			t.Errorf("%v: found %q", words, texts)
		}
	}
	if a.Damaged() == 0 {
		t.Error("the damage was not told of")
	}
	r, err := Verify(t.Context(), ReadDir(fsys))
	if err != nil || len(r.Findings) != len(files) || !strings.Contains(r.Findings[0].Error, "filters: checksum") {
		t.Errorf("%+v %v", r, err)
	}
}
