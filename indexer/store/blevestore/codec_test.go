package blevestore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/internal/bloom"
)

// FuzzDecode: whatever lies in a file, decoding gives a value or an error.
func FuzzDecode(f *testing.F) {
	c, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	d := lastnight.Document{ID: "x", Text: "some text", Attrs: map[string]string{"a": "b"}, Exception: []string{"E"}, Event: &lastnight.Event{Reason: "r"}}
	body, err := encodeBody(&d)
	if err != nil {
		f.Fatal(err)
	}
	packed, _, _ := packCounts([]lastnight.TemplateCount{{Namespace: "n", Job: "j", Template: "t", Count: 3}, {Template: "u", Count: -1}})
	w := partWriter{codec: c, source: func([]byte) (*lastnight.Document, error) { return &d, nil }}
	if _, err := w.add(entry{keyOf(1, "x"), append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, sealPlain}, body...)}); err != nil {
		f.Fatal(err)
	}
	part, err := w.finish()
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{part, body, encodeSource(&d), packed, c.seal(body), c.sealShort(bytes.Repeat(body, 20)), {}, {sealZstd, 0x28, 0xb5, 0x2f, 0xfd}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d lastnight.Document
		_ = decodeBody(b, &d)
		_ = decodeSource(b, &d)
		_, _ = decodeEntry(b)
		_, _ = decodeItem(nil, b)
		n := 0
		_, _ = unpackCounts(b, store.CountsRequest{}, -1<<62, 1<<62, func(lastnight.TemplateCount) bool { n++; return n < 1000 })
		if p, err := openPart(b); err == nil {
			for i := range p.len() {
				_ = p.mayHaveKey(uint64(p.documents(i)))
				_ = bloom.MayHave(p.filter(i), p.last(i))
				if len(b) < 1<<12 {
					_ = c.openPack(p.pack(i), &packMemory{})
				}
			}
		}
		if len(b) < 1<<12 {
			_, _ = c.open(b)
		}
	})
}

// TestPartBitFlips turns a bit of each byte of a part: what is read is what was written, or nothing and damage.
func TestPartBitFlips(t *testing.T) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	w := partWriter{codec: c, source: func([]byte) (*lastnight.Document, error) { return &lastnight.Document{}, nil }}
	var entries []entry
	for i := range 40 {
		body, err := encodeBody(&lastnight.Document{Text: fmt.Sprintf("value %d of something that is like the others", i*7919)})
		if err != nil {
			t.Fatal(err)
		}
		e := entry{fmt.Appendf(nil, "the-key-%04d", i), append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, sealPlain}, body...)}
		if _, err := w.add(e); err != nil {
			t.Fatal(err)
		}
		if i%15 == 14 {
			if err := w.flush(); err != nil {
				t.Fatal(err)
			}
		}
		entries = append(entries, e)
	}
	whole, err := w.finish()
	if err != nil {
		t.Fatal(err)
	}
	read := func(value []byte) (got []entry, err error) {
		p, err := openPart(value)
		if err != nil {
			return nil, err
		}
		for i := range p.len() {
			var mem packMemory
			if err := c.openPack(p.pack(i), &mem); err != nil {
				return nil, err
			}
			if len(mem.entries) != p.documents(i) {
				t.Fatalf("%d documents, %d are told of", len(mem.entries), p.documents(i))
			}
			got = append(got, mem.entries...)
		}
		return got, nil
	}
	same := func(x, y entry) bool { return bytes.Equal(x.key, y.key) && bytes.Equal(x.value, y.value) }
	if got, err := read(whole); err != nil || !slices.EqualFunc(got, entries, same) {
		t.Fatalf("read %d documents, %v", len(got), err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << rnd.IntN(8)
		got, err := read(b)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d: %v", at, err)
			}
			continue
		}
		if !slices.EqualFunc(got, entries, same) {
			t.Fatalf("byte %d: other documents are read", at)
		}
	}
	for n := range whole {
		if _, err := read(whole[:n]); !errors.Is(err, errDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}
