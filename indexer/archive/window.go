package archive

import "context"

// readAhead is how many bytes of segments one compaction holds at once, roughly: in most cases all that a chunk is made of,
// so that each segment is one read.
const readAhead = 16 << 20

// window reads the blocks of a segment in few large pieces. A segment's blocks lie in the order in which compaction takes
// them, job by job, so what has been left behind is not asked for again, but for the last block: it may have two jobs.
// For one goroutine.
type window struct {
	get  ranger
	size int64 // bytes of a piece at least
	end  int64 // of the blocks, and of the filters where they are read
	from int64 // of the piece at hand
	data []byte
}

// newWindow reads blocks of a file of that directory, and its filters if there are large blocks.
func newWindow(d *directory, size int64, large func(*blockEntry) bool, get ranger) *window {
	w := &window{get: get, size: size}
	for i := range d.blocks {
		b := &d.blocks[i]
		if w.end = max(w.end, b.off+b.n); large(b) {
			w.end = max(w.end, d.filters.off+d.filters.size())
		}
	}
	return w
}

// read is a ranger. What it gives is not to be changed.
func (w *window) read(ctx context.Context, off, n int64) ([]byte, error) {
	if off < w.from || off+n > w.from+int64(len(w.data)) {
		data, err := w.get(ctx, off, max(n, min(w.size, w.end-off)))
		if err != nil {
			return nil, err
		}
		w.from, w.data = off, data
	}
	return w.data[off-w.from:][:n:n], nil
}
