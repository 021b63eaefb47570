package blevestore

import (
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
