package archive

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
	"lastnight/query"
)

// fileOf makes a whole file.
func fileOf(f testing.TB, k kind, seed uint64) []byte {
	t, err := newTools()
	if err != nil {
		f.Fatal(err)
	}
	b := newBuilder(t, k)
	s := &lastnight.Stream{Namespace: "n", Pod: "p", PodUID: "u", Container: "c", Restart: 7}
	for i := range 3 {
		key := b.key(streamEntry{stream: s, id: streamNumber(s.ID()), job: "j"}, lastnight.Generation{Start: int64(i)})
		b.hold(key, 0, 1<<20)
	}
	addBlock(b, randomRows(rand.New(rand.NewPCG(seed, 3)), 20))
	data, err := b.finish()
	if err != nil {
		f.Fatal(err)
	}
	return bytes.Clone(data)
}

// readAll reads a file as far as it goes.
func readAll(t *testing.T, data []byte) {
	get := rangeOf(bytes.NewReader(data))
	d, err := readDirectory(t.Context(), int64(len(data)), get)
	if err != nil {
		return
	}
	for i := range d.blocks {
		b, err := get(t.Context(), d.blocks[i].off, d.blocks[i].n)
		if err != nil {
			continue
		}
		rows, err := decodeBlock(b, len(d.keys)) // whatever the checksum says
		if err != nil {
			continue
		}
		for j := range rows {
			_ = rows[j].rec.Message()
		}
	}
	if err := DumpFile(t.Context(), io.Discard, bytes.NewReader(data)); err != nil {
		t.Fatalf("a file with a good directory cannot be shown: %v", err)
	}
}

func FuzzSegment(f *testing.F) {
	f.Add(fileOf(f, kindSegment, 1))
	f.Fuzz(func(t *testing.T, data []byte) { readAll(t, data) })
}

func FuzzChunk(f *testing.F) {
	f.Add(fileOf(f, kindChunk, 1))
	f.Fuzz(func(t *testing.T, data []byte) { readAll(t, data) })
}

// FuzzDirectory gets past the checksum and the compression.
func FuzzDirectory(f *testing.F) {
	data := fileOf(f, kindChunk, 2)
	_, at, err := parseTail(data[len(data)-tailSize:], int64(len(data)))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := inflate(data[at.off:][:at.n], maxDirectory)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := decodeDirectory(raw, 1<<30)
		if err != nil {
			return
		}
		again, err := decodeDirectory(d.encode(), 1<<30)
		if err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if diff := cmp.Diff(d, again, cmp.AllowUnexported(directory{}, filterTable{}, streamEntry{}, keyEntry{}, extent{}, partial{}, blockEntry{}, part{}, blockKey{}, minuteCount{}, templateCount{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzManifest gets past the checksums and the compression: a page, a plan and a whole file.
func FuzzManifest(f *testing.F) {
	s := lastnight.Stream{Namespace: "n", Pod: "p"}
	e := streamEntry{stream: &s, id: streamNumber(s.ID()), job: "j"}
	c := &manifestContent{
		files: []*file{{name: "chunks/1", size: 100, blocks: 1}}, streams: []streamEntry{e}, of: [][]int{{0}},
		filters: []filterTable{{off: 16, slices: 2, each: []int{1}}},
		keys:    []listedKey{{genKey: genKey{e.id, lastnight.Generation{Start: 5}}, extents: []span{{0, 9}}, partials: []partial{{9, 3}}}},
	}
	listed := []file{*c.files[0]}
	t, err := newTools()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encodePage(c.keys))
	f.Add(encodePlan(c, 0, 1))
	f.Add(encodeFilterTables(c.filters))
	f.Add(encodeManifest(c, 1, t.z))
	f.Fuzz(func(t *testing.T, data []byte) {
		if keys, err := decodePage(data, 3); err == nil {
			again, err := decodePage(encodePage(keys), 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(keys, again, cmp.AllowUnexported(listedKey{}, genKey{}, span{}, partial{})); diff != "" {
				t.Fatal(diff)
			}
		}
		_, _ = decodePlan(data, 3)
		if tables, err := decodeFilterTables(data, listed); err == nil {
			again, err := decodeFilterTables(encodeFilterTables(tables), listed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tables, again, cmp.AllowUnexported(filterTable{})); diff != "" {
				t.Fatal(diff)
			}
		}
		get := rangeOf(bytes.NewReader(data))
		if _, err := readManifest(t.Context(), "m", int64(len(data)), get); err == nil {
			_ = DumpFile(t.Context(), io.Discard, bytes.NewReader(data)) // its parts may be damaged
		}
	})
}

// FuzzBlock reads sections that are not compressed, so that the fuzzer reaches the columns.
func FuzzBlock(f *testing.F) {
	t, err := newTools()
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(4) {
		rows := randomRows(rand.New(rand.NewPCG(seed, 4)), 5)
		f.Add(t.z.pack(nil, t.plain.encode(rows), codecNone))
		t.words.reset()
		t.cols.encode(rows, &t.words)
		f.Add(packedColumns(t, codecNone))
	}
	need := NeedOf(query.And{query.Text{Words: []query.Pattern{query.Exactly("1")}}, query.Keyword{Field: query.FieldLevel, Value: query.Exactly("INFO")}})
	f.Fuzz(func(t *testing.T, block []byte) {
		viewAll(block, &need)
		rows, err := decodeBlock(block, 3)
		if err != nil {
			return
		}
		for i := range rows {
			_ = rows[i].rec.Message()
		}
	})
}

// viewAll looks at everything that a view of the block can give.
func viewAll(block []byte, need *Need) {
	stored, err := sections(block)
	if err != nil {
		return
	}
	v, err := openView(stored, 3, &slabs{})
	if err != nil {
		return
	}
	_, _ = v.rowsWith(need.cond, rowSet{all: true}) // only panics are looked for
	if v.loadLines() != nil {
		return
	}
	for i := range v.rows() {
		if r, err := v.record(v.rows() - 1 - i); err == nil {
			_ = r.Message()
		}
		_, _ = v.offset(v.rowFirst[i]) // only panics are looked for
	}
}

// FuzzLine: any text at any time comes back from the column layout, and its words are in the filter.
func FuzzLine(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s), int64(1_772_323_200_000_000_000), 0)
	}
	tools, err := newTools()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, at int64, message int) {
		rec := lastnight.Record{Lines: []lastnight.Line{{Time: at, Text: text}}}
		if message >= 0 && message <= len(text) {
			rec.MessageAt = message
			rec.Thread = string(text[:message])
		}
		other := rec // mostly of the same shape, with other variables
		other.Lines = []lastnight.Line{{Time: at, Text: otherDigits(text)}}
		other.Thread = string(other.Lines[0].Text[:len(rec.Thread)])
		rows := []row{{0, &rec}, {0, &other}, {0, &rec}}
		tools.words.reset()
		tools.cols.encode(rows, &tools.words)
		got, err := decodeBlock(packedColumns(tools, codecZstd), 1)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(rows, got, cmp.AllowUnexported(row{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
		var all wordSet
		all.reset()
		addWords(&all, text)
		addWords(&all, other.Lines[0].Text)
		if !hasAll(filterOf(&tools.words), &all) {
			t.Fatal("the filter lacks a word")
		}
	})
}

// otherDigits gives text with each digit changed.
func otherDigits(text []byte) []byte {
	out := bytes.Clone(text)
	for i, c := range out {
		if isDigit(c) {
			out[i] = '0' + (c-'0'+3)%10
		}
	}
	return out
}

// addBlock adds a block of rows that are in no other.
func addBlock(b *builder, rows []row) {
	for i := range rows {
		b.count(rows[i].key, rows[i].rec)
	}
	b.block(rows)
}
