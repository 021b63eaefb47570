package ingest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/internal/otlp"
)

const (
	firstBody = 64 << 10 // bytes of memory that a body begins with
	keptBody  = 16 << 20 // larger buffers are not kept for the next request
	maxWindow = 8 << 20  // of zstd
)

// codecs keeps what is costly to make. The zero value is ready.
type codecs struct {
	buffers sync.Pool // of *[]byte
	zstds   sync.Pool // of *zstd.Decoder
}

// read gives the decompressed body, and what gives its memory back: that must be called once.
func (h *Handler) read(r *http.Request) (body []byte, release func(), err error) {
	in, done, err := h.decompress(r)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var taken int64
	buf, ok := h.codecs.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	release = func() {
		h.pending.Add(-taken)
		if cap(*buf) <= keptBody {
			h.codecs.buffers.Put(buf)
		}
	}
	b := (*buf)[:0]
	for want := firstBody; ; want = min(2*want, otlp.MaxRequest+1) {
		if !h.take(int64(want) - taken) {
			*buf = b
			release()
			return nil, nil, errFull
		}
		taken = int64(want)
		if cap(b) < want {
			b = append(make([]byte, 0, want), b...)
		}
		n, err := io.ReadFull(in, b[len(b):want])
		b = b[:len(b)+n]
		*buf = b
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return b, release, nil
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
func (h *Handler) decompress(r *http.Request) (in io.Reader, done func(), err error) {
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
		z, ok := h.codecs.zstds.Get().(*zstd.Decoder)
		if !ok {
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, nil, lastnight.Errorf(lastnight.CodeInternal, "", "make zstd decoder: %w", err)
			}
		}
		if err := z.Reset(r.Body); err != nil {
			return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "", "read zstd: %w", err)
		}
		return strict{z}, func() {
			if z.Reset(nil) == nil {
				h.codecs.zstds.Put(z)
			}
		}, nil
	}
	return nil, nil, lastnight.Errorf(lastnight.CodeInvalid, "send gzip, zstd or no compression", "unknown Content-Encoding")
}
