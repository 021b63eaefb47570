package send

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/collector/spool"
	"lastnight/internal/otlp"
)

// What goes into one request.
const (
	requestBytes = 4 << 20 // of text, roughly
	requestLines = 200_000
	requestItems = 5_000 // events or pods
	// zstdWindow is how far back a request's compression looks; a larger one costs memory at both ends for 1 % less.
	zstdWindow = 512 << 10
)

// split cuts a batch into pieces of the size of a request. A single span that is larger is cut where no record
// reaches across; one that cannot be cut is a piece of its own.
func split(b *lastnight.Batch) []lastnight.Batch {
	var out []lastnight.Batch
	for part := range slices.Chunk(b.Pods, requestItems) {
		out = append(out, lastnight.Batch{Pods: part})
	}
	for part := range slices.Chunk(b.Events, requestItems) {
		out = append(out, lastnight.Batch{Events: part})
	}
	var now lastnight.Batch
	bytes, lines := 0, 0
	for i := range b.Spans {
		for _, s := range cutSpan(b.Spans[i]) {
			n, l := weigh(s.Records)
			if len(now.Spans) > 0 && (bytes+n > requestBytes || lines+l > requestLines) {
				out = append(out, now)
				now, bytes, lines = lastnight.Batch{}, 0, 0
			}
			now.Spans = append(now.Spans, s)
			bytes += n
			lines += l
		}
	}
	if len(now.Spans) > 0 {
		out = append(out, now)
	}
	return out
}

func weigh(records []lastnight.Record) (bytes, lines int) {
	for i := range records {
		for j := range records[i].Lines {
			bytes += len(records[i].Lines[j].Text) + 32
		}
		lines += len(records[i].Lines)
	}
	return bytes, lines
}

// cutSpan cuts a span that is too large for a request.
func cutSpan(s lastnight.Span) []lastnight.Span {
	if b, l := weigh(s.Records); b <= requestBytes && l <= requestLines {
		return []lastnight.Span{s}
	}
	var out []lastnight.Span
	from, bytes, lines := 0, 0, 0
	for i := range s.Records {
		n, l := weigh(s.Records[i : i+1])
		if bytes > 0 && (bytes+n > requestBytes || lines+l > requestLines) {
			if at, ok := cutBefore(&s, i); ok {
				part := s
				part.Records, part.To = s.Records[from:i], at
				part.RawBytes = min(at-s.From, s.RawBytes)
				out = append(out, part)
				s.From, s.RawBytes = at, s.RawBytes-part.RawBytes
				from, bytes, lines = i, 0, 0
			}
		}
		bytes += n
		lines += l
	}
	s.Records = s.Records[from:]
	return append(out, s)
}

// cutBefore tells whether every line before record i begins before every line from it on, and where that is.
func cutBefore(s *lastnight.Span, i int) (at int64, ok bool) {
	at = s.To
	for _, r := range s.Records[i:] {
		if r.Lines[0].Partial {
			return 0, false
		}
		at = min(at, r.Lines[0].Offset)
	}
	for _, r := range s.Records[:i] {
		last := &r.Lines[len(r.Lines)-1]
		if last.Partial || last.Offset >= at {
			return 0, false
		}
	}
	return at, at > s.From
}

// packer encodes and compresses.
type packer struct {
	gzip  bool
	tools sync.Pool // of *tools
}

// tools is what one goroutine packs with.
type tools struct {
	encoder otlp.Encoder
	plain   []byte
	packed  []byte
	zstd    *zstd.Encoder
	gzip    *gzip.Writer
}

// frame is a request and what gives its memory back.
type frame struct {
	spool.Frame
	release func()
}

// pack makes a request of a piece.
func (p *packer) pack(b *lastnight.Batch) (*frame, error) {
	t, ok := p.tools.Get().(*tools)
	if !ok {
		t = &tools{}
	}
	f := &frame{release: func() { p.tools.Put(t) }}
	var err error
	if t.plain, err = t.encoder.Append(t.plain[:0], b); err != nil {
		return nil, err
	}
	if f.Encoding, err = p.compress(t); err != nil {
		return nil, fmt.Errorf("compress request: %w", err)
	}
	f.Body = t.packed
	for i := range b.Spans {
		s := &b.Spans[i]
		f.Raw += s.RawBytes
		f.Ranges = append(f.Ranges, spool.Range{Stream: *s.Stream, Generation: s.Generation, From: s.From, To: s.To})
	}
	return f, nil
}

// unpack gives the batch that a frame was made of.
func unpack(f *spool.Frame) (*lastnight.Batch, error) {
	var in io.Reader
	switch f.Encoding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(f.Body))
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		in = z
	default:
		z, err := zstd.NewReader(bytes.NewReader(f.Body), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		defer z.Close()
		in = z
	}
	plain, err := io.ReadAll(io.LimitReader(in, otlp.MaxRequest+1))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	r, err := otlp.Decode(plain, time.Time{})
	if err != nil {
		return nil, err
	}
	return &r.Batch, nil
}

func (p *packer) compress(t *tools) (string, error) {
	if p.gzip {
		var buf bytes.Buffer
		if t.gzip == nil {
			t.gzip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one that there is
		}
		t.gzip.Reset(&buf)
		if _, err := t.gzip.Write(t.plain); err != nil {
			return "", err
		}
		err := t.gzip.Close()
		t.packed = buf.Bytes()
		return "gzip", err
	}
	if t.zstd == nil {
		var err error
		// The window comes before the level, which would halve the size of blocks otherwise: 5 % more CPU.
		t.zstd, err = zstd.NewWriter(nil, zstd.WithWindowSize(zstdWindow), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			return "", err
		}
	}
	t.packed = t.zstd.EncodeAll(t.plain, t.packed[:0])
	return "zstd", nil
}
