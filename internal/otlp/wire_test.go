package otlp

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The cursor takes short cuts; it reads what package protowire reads.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{1<<3 | 2, 3, 'a', 'b', 'c', 2<<3 | 2, 0x80, 0, 3 << 3, 7, 4<<3 | 1, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(protowire.AppendBytes([]byte{1<<3 | 2}, make([]byte, 20_000)))
	f.Add([]byte{2, 0})             // field 0
	f.Add([]byte{1<<3 | 2, 0xff})   // cut off
	f.Add([]byte{0x82, 1, 1, 'x'})  // a tag of two bytes
	f.Add([]byte{1<<3 | 2, 9, 'x'}) // longer than there is
	f.Fuzz(func(t *testing.T, b []byte) {
		c := cursor{b}
		var got field
		for len(b) > 0 {
			num, typ, n := protowire.ConsumeTag(b)
			var content []byte
			m := -1
			if n > 0 {
				if m = protowire.ConsumeFieldValue(num, typ, b[n:]); typ == protowire.BytesType && m > 0 {
					content, _ = protowire.ConsumeBytes(b[n:])
				}
			}
			ok, err := c.next(&got)
			if n < 0 || m < 0 {
				if ok || err == nil {
					t.Fatalf("% x is malformed, and read as %+v", b, got)
				}
				return
			}
			if !ok || err != nil || got.num != num || got.typ != typ || !bytes.Equal(got.bytes, content) {
				t.Fatalf("% x is read as %+v, %v: want field %d of type %d, % x", b, got, err, num, typ, content)
			}
			b = b[n+m:]
		}
		if ok, err := c.next(&got); ok || err != nil {
			t.Fatalf("after the end: %v, %v", ok, err)
		}
	})
}
