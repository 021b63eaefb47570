package ingest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/internal/otlp"
)

const (
	firstBody = 64 << 10 // bytes of memory that a body begins with
	keptBody  = 8 << 20  // larger buffers are not kept for the next request
	maxWindow = 8 << 20  // of zstd
)

// work is what a request is read with: its memory, which the next one uses again.
type work struct {
	body    []byte
	decoder otlp.Decoder
	zstd    *zstd.Decoder // nil until needed
}

// maxIdle is how many are kept for requests to come. They are kept whatever the garbage collector does, as a sync.Pool
// would not: made anew after each of its rounds they would be most of its work.
const maxIdle = 4

// works are those that are not in use.
type works chan *work

func (w works) get() *work {
	select {
	case x := <-w:
		return x
	default:
		return &work{}
	}
}

func (w works) put(x *work) {
	if cap(x.body) > keptBody {
		x.body = nil
	}
	select {
	case w <- x:
	default:
	}
}

// read gives what the request was read with, its body decompressed, and what gives its memory back: that must be called once,
// when nobody uses what was decoded from it any more.
func (h *Handler) read(r *http.Request) (x *work, release func(), err error) {
	x = h.works.get()
	in, done, err := x.decompress(r)
	if err != nil {
		h.works.put(x)
		return nil, nil, err
	}
	defer done()
	var taken int64
	release = func() {
		h.pending.Add(-taken)
		h.works.put(x)
	}
	b := x.body[:0]
	for want := firstBody; ; want = min(2*want, otlp.MaxRequest+1) {
		if !h.take(int64(want) - taken) {
			release()
			return nil, nil, errFull
		}
		taken = int64(want)
		if cap(b) < want {
			b = append(make([]byte, 0, want), b...)
		}
		n, err := io.ReadFull(in, b[len(b):want])
		b = b[:len(b)+n]
		x.body = b
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return x, release, nil
		case err != nil:
			release()
			return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "", "read request: %w", err)
		case len(b) > otlp.MaxRequest:
			release()
			return nil, nil, lastnight.Errorf(lastnight.CodeTooLarge, "send smaller requests", "the request is larger than %d bytes", otlp.MaxRequest)
		}
	}
}

// take takes n bytes of the budget, if they are there.
func (h *Handler) take(n int64) bool {
	if h.pending.Add(n) > h.cfg.MaxPending {
		h.pending.Add(-n)
		return false
	}
	return true
}

// strict tells a body that is cut off from one that ends.
type strict struct{ r io.Reader }

func (s strict) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCut
	}
	return n, err
}

var errCut = errors.New("the body ends too early")

// decompress gives the body as it was before it was compressed; done is to be called after reading.
func (x *work) decompress(r *http.Request) (in io.Reader, done func(), err error) {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return strict{r.Body}, func() {}, nil
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "", "read gzip: %w", err)
		}
		return strict{z}, func() { _ = z.Close() }, nil
	case "zstd":
		if x.zstd == nil {
			x.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, nil, lastnight.Errorf(lastnight.CodeInternal, "", "make zstd decoder: %w", err)
			}
		}
		if err := x.zstd.Reset(r.Body); err != nil {
			return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "", "read zstd: %w", err)
		}
		return strict{x.zstd}, func() {
			if x.zstd.Reset(nil) != nil { // it lets go of the body
				x.zstd = nil
			}
		}, nil
	}
	return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "send gzip, zstd or no compression", "unknown Content-Encoding")
}
