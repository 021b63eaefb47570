package blevestore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/query"
)

// maxValueBytes bounds what a value may become when it is decompressed.
const maxValueBytes = 256 << 20

// minSealed is how long a value is before it is compressed; minSealedOften how long one of those that
// are looked through again and again.
const minSealed, minSealedOften = 128, 512

// The first byte of a sealed value says how the rest is to be read.
const (
	sealPlain = 0
	sealZstd  = 1
	sealS2    = 2
)

var errDamaged = errors.New("damaged value")

// codec compresses values. Its methods may be called at once.
type codec struct {
	enc   *zstd.Encoder
	packs *zstd.Encoder // for what is packed once and kept
	dec   *zstd.Decoder
	from  int // bytes from which on a value is compressed
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	packs, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxValueBytes))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return &codec{enc: enc, packs: packs, dec: dec, from: minSealed}, nil
}

// often gives the codec for values that are looked through often.
func (c *codec) often() *codec {
	o := *c
	o.from = minSealedOften
	return &o
}

// seal gives value with how it is to be read, compressed where that helps.
func (c *codec) seal(value []byte) []byte {
	if len(value) >= c.from {
		if sealed := c.enc.EncodeAll(value, []byte{sealZstd}); len(sealed) <= len(value) {
			return sealed
		}
	}
	return append([]byte{sealPlain}, value...)
}

// sealShort is seal for values that are packed soon: at a fraction of the cost, and less tightly.
func (c *codec) sealShort(value []byte) []byte {
	sealed := make([]byte, 1+max(len(value), s2.MaxEncodedLen(len(value))))
	if len(value) >= c.from && s2.MaxEncodedLen(len(value)) > 0 {
		if packed := s2.Encode(sealed[1:], value); len(packed) < len(value) {
			sealed[0] = sealS2
			return sealed[:1+len(packed)]
		}
	}
	sealed[0] = sealPlain
	return sealed[:1+copy(sealed[1:], value)]
}

// open gives the value that seal was given. It may share sealed's memory.
func (c *codec) open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errDamaged
	}
	switch sealed[0] {
	case sealPlain:
		return sealed[1:], nil
	case sealZstd:
		value, err := c.dec.DecodeAll(sealed[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return value, nil
	case sealS2:
		n, err := s2.DecodedLen(sealed[1:])
		if err != nil || n > maxValueBytes {
			return nil, fmt.Errorf("%w: of %d bytes", errDamaged, n)
		}
		value, err := s2.Decode(nil, sealed[1:])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return value, nil
	}
	return nil, fmt.Errorf("%w: sealed in a way %d that is not known", errDamaged, sealed[0])
}

// sealJSON seals v as JSON.
func (c *codec) sealJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return c.seal(b), nil
}

func (c *codec) openJSON(sealed []byte, v any) error {
	b, err := c.open(sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

// source is what all documents of a stream have in common: kept once a day.
func encodeSource(d *lastnight.Document) []byte {
	var w writer
	for _, s := range []string{d.Cluster, d.Namespace, d.Pod, d.PodUID, d.Container, d.Node, d.Job, d.Component} {
		w.str(s)
	}
	w.int(int64(d.Restart))
	return w.b
}

func decodeSource(b []byte, d *lastnight.Document) error {
	r := reader{b: b}
	for _, s := range []*string{&d.Cluster, &d.Namespace, &d.Pod, &d.PodUID, &d.Container, &d.Node, &d.Job, &d.Component} {
		*s = r.str()
	}
	d.Restart = int(r.int())
	return r.err
}

// Flags of a document.
const (
	flagStderr    = 1 << iota
	flagEvent     // Kind is event
	flagOtherKind // Kind is written out
	flagHasEvent
	flagTime // the time does not fit into the key
)

// encodeBody writes what the key and the source do not say.
func encodeBody(d *lastnight.Document) ([]byte, error) {
	flags := byte(0)
	set := func(bit byte, on bool) {
		if on {
			flags |= bit
		}
	}
	ns := query.Nanos(d.Time)
	set(flagStderr, d.Stderr)
	set(flagEvent, d.Kind == lastnight.DocumentEvent)
	set(flagOtherKind, d.Kind != lastnight.DocumentEvent && d.Kind != lastnight.DocumentRecord)
	set(flagHasEvent, d.Event != nil)
	set(flagTime, !time.Unix(0, ns).Equal(d.Time))
	w := writer{b: []byte{flags}}
	if flags&flagOtherKind != 0 {
		w.str(string(d.Kind))
	}
	if flags&flagTime != 0 {
		w.int(d.Time.Unix())
		w.int(int64(d.Time.Nanosecond()))
	}
	if flags&flagHasEvent != 0 {
		b, err := json.Marshal(d.Event)
		if err != nil {
			return nil, fmt.Errorf("encode event of document %q: %w", d.ID, err)
		}
		w.str(string(b))
	}
	for _, s := range []string{d.Level, d.Template, d.FlinkJob, d.FlinkJobID, d.Logger, d.Thread} {
		w.str(s)
	}
	w.int(int64(d.MessageAt))
	w.int(d.Alike)
	w.strs(d.Exception)
	w.strs(d.Signals)
	w.uint(uint64(len(d.Attrs)))
	for _, name := range slices.Sorted(maps.Keys(d.Attrs)) {
		w.str(name)
		w.str(d.Attrs[name])
	}
	w.str(d.Text)
	return w.b, nil
}

func decodeBody(b []byte, d *lastnight.Document) error {
	r := reader{b: b}
	flags := r.byte()
	d.Stderr = flags&flagStderr != 0
	d.Kind = lastnight.DocumentRecord
	switch {
	case flags&flagEvent != 0:
		d.Kind = lastnight.DocumentEvent
	case flags&flagOtherKind != 0:
		d.Kind = lastnight.DocumentKind(r.str())
	}
	if flags&flagTime != 0 {
		sec, nsec := r.int(), r.int()
		d.Time = time.Unix(sec, nsec).UTC()
	}
	if flags&flagHasEvent != 0 {
		d.Event = new(lastnight.Event)
		if s := r.str(); r.err == nil {
			if err := json.Unmarshal([]byte(s), d.Event); err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
		}
	}
	for _, s := range []*string{&d.Level, &d.Template, &d.FlinkJob, &d.FlinkJobID, &d.Logger, &d.Thread} {
		*s = r.str()
	}
	d.MessageAt = int(r.int())
	d.Alike = r.int()
	d.Exception = r.strs()
	d.Signals = r.strs()
	if n := r.count(2); n > 0 {
		d.Attrs = make(map[string]string, n)
		for range n {
			name := r.str()
			d.Attrs[name] = r.str()
		}
	}
	d.Text = r.str()
	return r.err
}

// document makes the document of a key and its sealed body; source has what its source says, and nothing else.
func (c *codec) document(source *lastnight.Document, key, sealed []byte) (lastnight.Document, error) {
	d := *source
	ns, id, err := splitKey(key)
	if err != nil {
		return d, err
	}
	d.ID, d.Time = id, time.Unix(0, ns).UTC()
	body, err := c.open(sealed)
	if err != nil {
		return d, err
	}
	return d, decodeBody(body, &d)
}

// writer appends values; strings with their length before them.
type writer struct{ b []byte }

func (w *writer) uint(v uint64)  { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)    { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) str(s string)   { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) bytes(p []byte) { w.uint(uint64(len(p))); w.b = append(w.b, p...) }
func (w *writer) strs(ss []string) {
	w.uint(uint64(len(ss)))
	for _, s := range ss {
		w.str(s)
	}
}

// reader reads what writer wrote. After its first error it gives zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() { r.b, r.err = nil, errDamaged }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// skip leaves out n numbers.
func (r *reader) skip(n int) {
	at := 0
	for ; n > 0 && at < len(r.b); at++ {
		if r.b[at] < 0x80 { // it ends a number
			n--
		}
	}
	if n > 0 {
		r.fail()
		return
	}
	r.b = r.b[at:]
}

// count reads how many things follow, each of which takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) str() string { return string(r.bytes()) }

// bytes is str, sharing memory.
func (r *reader) bytes() []byte {
	n := r.count(1)
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) strs() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	ss := make([]string, n)
	for i := range ss {
		ss[i] = r.str()
	}
	return ss
}
