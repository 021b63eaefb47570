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
	for _, b := range [][]byte{body, encodeSource(&d), packed, c.seal(body), {}, {sealZstd, 0x28, 0xb5, 0x2f, 0xfd}} {
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
		if len(b) < 1<<12 {
			_, _ = c.open(b)
		}
	})
}

// TestPackBitFlips turns a bit of each byte of a pack: what is read is what was written, or nothing and damage.
func TestPackBitFlips(t *testing.T) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for i := range 40 {
		entries = append(entries, entry{fmt.Appendf(nil, "key-%04d", i), fmt.Appendf(nil, "value %d of something that is like the others", i*7919)})
	}
	pack := c.sealPack(entries, &packTools{})
	rnd := rand.New(rand.NewPCG(3, 4))
	for at := range pack {
		b := bytes.Clone(pack)
		b[at] ^= 1 << rnd.IntN(8)
		got, err := c.openPack(b)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d: %v", at, err)
			}
			continue
		}
		if !slices.EqualFunc(got, entries, func(x, y entry) bool { return bytes.Equal(x.key, y.key) && bytes.Equal(x.value, y.value) }) {
			t.Fatalf("byte %d: other documents are read", at)
		}
	}
}
