package clusterer

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// RestoreUnchecked restores a snapshot whose checksum need not be right, so that a fuzzer gets behind it.
func (c *Clusterer) RestoreUnchecked(b []byte) error {
	if i := bytes.IndexByte(b, '\n'); i >= 0 && bytes.HasPrefix(b, []byte(snapshotMagic+" 2 ")) {
		body := b[i+1:]
		b = append(fmt.Appendf(nil, "%s 2 %016x %d\n", snapshotMagic, xxhash.Sum64(body), len(body)), body...)
	}
	return c.Restore(bytes.NewReader(b))
}

// AppendJSON is appendJSON.
func AppendJSON(dst, x []byte) []byte { return appendJSON(dst, x) }

// ForgetLines forgets which lines are remembered.
func (c *Clusterer) ForgetLines() { c.memo = memo{} }
