// Package spool keeps requests on disk that the server could not take, and that the node's own
// files will not keep (docs/formats/spool.md).
//
//	Put: frame appended to the newest segment, synced ─▶ durable      spool/0000000000000001.spool
//	Next, Done: oldest first; a segment whose frames are done is removed
//
// A segment is written by one process and never continued by another: the next one begins a new
// segment. A mark behind each frame says that it was synced. What is torn at a segment's end, without a mark, was never
// acknowledged to anybody and is left out; a frame that has a mark or another frame behind it and whose checksum does
// not match is left out, counted as Damage, and what follows it in the segment with it, since its length cannot
// be trusted.
//
// The size is capped: Put says ErrFull, and nothing is dropped to make room. After a failed write the segment is
// left as it is and the next Put begins another.
package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/internal/vfs"
)

const (
	folder       = "spool"
	suffix       = ".spool"
	magic        = "LNspool\x00"
	version      = 1
	headerBytes  = 16
	frameBytes   = 16 // before a frame's payload: length, 0, checksum
	segmentBytes = 16 << 20
	maxFrame     = 128 << 20
	markBytes    = frameBytes
	markLength   = 0xffffffff // in place of a frame's length
)

// ErrFull says that the frame does not fit below the cap.
var ErrFull = errors.New("the spool is full")

// Range is a part of a file generation.
type Range struct {
	Stream     lastnight.Stream     `json:"stream"`
	Generation lastnight.Generation `json:"generation"`
	From       int64                `json:"from"`
	To         int64                `json:"to"`
}

// Frame is one request.
type Frame struct {
	Ranges   []Range `json:"ranges,omitempty"` // what it has of files; none: events or pods
	Raw      int64   `json:"raw"`              // bytes of log files that it stands for
	Encoding string  `json:"encoding"`         // of Body, as Content-Encoding
	Body     []byte  `json:"-"`                // the request

	at place
}

// place is where a frame lies.
type place struct {
	segment uint64
	offset  int64
	length  uint32
}

// Config says where a spool is.
type Config struct {
	FS       vfs.FS
	MaxBytes int64 // of all its files together
	Logger   *slog.Logger

	segment int64 // bytes after which another segment is begun; 0: 16 MiB
}

// Damage is frames that could not be read.
type Damage struct {
	File  string
	Bytes int64 // of the file, compressed
}

// Spool is an open spool. All methods may be called at once; one process has a spool at a time.
type Spool struct {
	cfg Config

	mu      sync.Mutex
	frames  []place                                               // guarded by mu; not done, oldest first
	left    map[uint64]int                                        // guarded by mu; frames of a segment that are not done
	sizes   map[uint64]int64                                      // guarded by mu; of the segments' files
	bytes   int64                                                 // guarded by mu; of all files
	next    uint64                                                // guarded by mu; number of the next segment
	out     vfs.File                                              // guarded by mu; the segment being written; nil: none
	open    uint64                                                // guarded by mu; its number
	reached map[lastnight.StreamID]map[lastnight.Generation]int64 // guarded by mu; ends of the ranges in frames that are not done
	damages []Damage                                              // guarded by mu
}

// Open reads what is in the spool.
func Open(cfg Config) (*Spool, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.segment == 0 {
		cfg.segment = segmentBytes
	}
	s := &Spool{cfg: cfg, left: map[uint64]int{}, sizes: map[uint64]int64{}, next: 1, reached: map[lastnight.StreamID]map[lastnight.Generation]int64{}}
	files, err := cfg.FS.List(folder)
	if err != nil {
		return nil, fmt.Errorf("list spool: %w", err)
	}
	for _, f := range files { // by name, so by number
		var n uint64
		name, ok := strings.CutSuffix(path.Base(f.Name), suffix)
		if _, err := fmt.Sscanf(name, "%016x", &n); !ok || err != nil || fileName(n) != f.Name {
			continue
		}
		s.next = n + 1
		s.sizes[n] = f.Size
		s.bytes += f.Size
		if err := s.load(n, f.Size); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name, err)
		}
		if s.left[n] == 0 {
			if err := s.remove(n); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func fileName(n uint64) string { return fmt.Sprintf("%s/%016x%s", folder, n, suffix) }

// load finds the frames of a segment.
func (s *Spool) load(n uint64, size int64) error {
	f, err := s.cfg.FS.Open(fileName(n))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, headerBytes)
	if err := readAt(f, head, 0); err != nil || string(head[:8]) != magic {
		if size >= headerBytes {
			s.damage(n, size)
		}
		return nil // shorter: it was never used
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != version {
		return lastnight.Errorf(lastnight.CodeInvalid, "let the lastnight that wrote it send it, or name another --checkpoint DIR",
			"unknown version %d of a spool: this lastnight reads %d", v, version)
	}
	for at := int64(headerBytes); at < size; {
		if isMark(f, n, at, size) {
			at += markBytes
			continue
		}
		p, frame, err := readFrame(f, n, at, size)
		if errors.Is(err, errTorn) && !isMark(f, n, size-markBytes, size) {
			return nil
		}
		if err != nil {
			s.damage(n, size-at)
			return nil
		}
		s.add(p, frame)
		at += frameBytes + int64(p.length)
	}
	return nil
}

func (s *Spool) damage(n uint64, bytes int64) {
	s.cfg.Logger.Error("a part of the spool is damaged and lost", "file", fileName(n), "bytes", bytes)
	s.damages = append(s.damages, Damage{File: fileName(n), Bytes: bytes})
}

var (
	errTorn    = errors.New("the frame is not whole")
	errDamaged = errors.New("the frame is damaged")
)

func readAt(f vfs.File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// mark gives what says that everything before an offset of a segment was synced.
func mark(n uint64, at int64) []byte {
	b := make([]byte, markBytes)
	binary.LittleEndian.PutUint32(b, markLength)
	binary.LittleEndian.PutUint64(b[8:], xxhash.Sum64String(fmt.Sprintf("%016x %d", n, at)))
	return b
}

func isMark(f vfs.File, n uint64, at, size int64) bool {
	if at < headerBytes || size-at < markBytes {
		return false
	}
	b := make([]byte, markBytes)
	return readAt(f, b, at) == nil && bytes.Equal(b, mark(n, at))
}

// readFrame reads the frame at an offset of a segment of so many bytes.
func readFrame(f vfs.File, n uint64, at, size int64) (place, *Frame, error) {
	p := place{segment: n, offset: at}
	head := make([]byte, frameBytes)
	if size-at < frameBytes {
		return p, nil, errTorn
	}
	if err := readAt(f, head, at); err != nil {
		return p, nil, err
	}
	p.length = binary.LittleEndian.Uint32(head)
	if int64(p.length) > size-at-frameBytes {
		return p, nil, errTorn
	}
	if p.length > maxFrame || p.length == 0 || binary.LittleEndian.Uint32(head[4:]) != 0 {
		return p, nil, errDamaged
	}
	payload := make([]byte, p.length)
	if err := readAt(f, payload, at+frameBytes); err != nil {
		return p, nil, err
	}
	if xxhash.Sum64(payload) != binary.LittleEndian.Uint64(head[8:]) {
		if at+frameBytes+int64(p.length) == size {
			return p, nil, errTorn // the last one: written, but not yet synced
		}
		return p, nil, errDamaged
	}
	frame := &Frame{at: p}
	length, k := binary.Uvarint(payload)
	if k <= 0 || length > uint64(len(payload)-k) {
		return p, nil, errDamaged
	}
	if err := json.Unmarshal(payload[k:k+int(length)], frame); err != nil {
		return p, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	frame.Body = payload[k+int(length):]
	return p, frame, nil
}

// add takes up a frame. Callers hold mu, or are alone.
func (s *Spool) add(p place, f *Frame) {
	s.frames = append(s.frames, p)
	s.left[p.segment]++
	for i := range f.Ranges {
		r := &f.Ranges[i]
		id := r.Stream.ID()
		if s.reached[id] == nil {
			s.reached[id] = map[lastnight.Generation]int64{}
		}
		s.reached[id][r.Generation] = max(s.reached[id][r.Generation], r.To)
	}
}

// Put makes a frame durable. ErrFull: it does not fit.
func (s *Spool) Put(f *Frame) error {
	meta, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	buf := make([]byte, frameBytes, frameBytes+binary.MaxVarintLen64+len(meta)+len(f.Body))
	buf = binary.AppendUvarint(buf, uint64(len(meta)))
	buf = append(append(buf, meta...), f.Body...)
	payload := buf[frameBytes:]
	if len(payload) > maxFrame {
		return fmt.Errorf("a frame of %d bytes: %w", len(payload), ErrFull)
	}
	binary.LittleEndian.PutUint32(buf, uint32(len(payload)))
	binary.LittleEndian.PutUint64(buf[8:], xxhash.Sum64(payload))

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+int64(len(buf))+headerBytes+markBytes > s.cfg.MaxBytes {
		return ErrFull
	}
	if s.out != nil && s.sizes[s.open] >= s.cfg.segment {
		s.leave()
	}
	if s.out == nil {
		if err := s.begin(); err != nil {
			return fmt.Errorf("begin segment of the spool: %w", err)
		}
	}
	p := place{segment: s.open, offset: s.sizes[s.open], length: uint32(len(payload))}
	n, err := s.out.Write(buf)
	s.sizes[s.open] += int64(n)
	s.bytes += int64(n)
	if err == nil {
		err = s.out.Sync()
	}
	if err != nil {
		s.leave()
		return fmt.Errorf("write to the spool: %w", err)
	}
	s.add(p, f)
	s.mark()
	return nil
}

// mark says behind a frame that it was synced. The mark itself is synced with the next frame: without it damage to
// the frame passes for a torn one, which is all. Callers hold mu.
func (s *Spool) mark() {
	k, err := s.out.Write(mark(s.open, s.sizes[s.open]))
	s.sizes[s.open] += int64(k)
	s.bytes += int64(k)
	if err != nil {
		s.leave()
	}
}

// begin makes a segment whose name is durable. Callers hold mu.
func (s *Spool) begin() error {
	n := s.next
	s.next++
	out, err := s.cfg.FS.Create(fileName(n))
	if err != nil {
		return err
	}
	head := make([]byte, headerBytes)
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[8:], version)
	k, err := out.Write(head)
	if err == nil {
		err = s.cfg.FS.Sync(folder)
	}
	s.out, s.open, s.sizes[n] = out, n, int64(k)
	s.bytes += int64(k)
	if err != nil {
		s.leave()
	}
	return err
}

// leave ends the segment being written: nothing is added to it any more. Callers hold mu.
func (s *Spool) leave() {
	if s.out == nil {
		return
	}
	_ = s.out.Close() // what counts was synced
	s.out = nil
	if s.left[s.open] == 0 {
		if err := s.remove(s.open); err != nil {
			s.cfg.Logger.Warn("an empty segment of the spool cannot be removed", "err", err)
		}
	}
}

// remove deletes a segment. Callers hold mu, or are alone.
func (s *Spool) remove(n uint64) error {
	if err := s.cfg.FS.Remove(fileName(n)); err != nil {
		return fmt.Errorf("remove segment of the spool: %w", err)
	}
	s.bytes -= s.sizes[n]
	delete(s.sizes, n)
	delete(s.left, n)
	if err := s.cfg.FS.Sync(folder); err != nil {
		return fmt.Errorf("sync spool: %w", err)
	}
	return nil
}

// Next gives the oldest frame that is not done; nil if there is none. A frame that has
// become unreadable is dropped as Damage, and the one after it given.
func (s *Spool) Next() (*Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.frames) > 0 {
		p := s.frames[0]
		f, err := s.cfg.FS.Open(fileName(p.segment))
		if err != nil {
			return nil, fmt.Errorf("open segment of the spool: %w", err)
		}
		_, frame, err := readFrame(f, p.segment, p.offset, p.offset+frameBytes+int64(p.length))
		_ = f.Close()
		if err == nil {
			return frame, nil
		}
		s.damage(p.segment, int64(p.length))
		if err := s.done(p); err != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // no frame is no error
}

// Done says that the frame which Next gave is durable elsewhere.
func (s *Spool) Done(f *Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done(f.at)
}

func (s *Spool) done(p place) error {
	if len(s.frames) == 0 || s.frames[0] != p {
		return fmt.Errorf("frame %d of segment %d is not the oldest", p.offset, p.segment)
	}
	s.frames = s.frames[1:]
	s.left[p.segment]--
	if len(s.frames) == 0 {
		clear(s.reached)
		s.leave()
	}
	if _, there := s.sizes[p.segment]; there && s.left[p.segment] == 0 && (s.out == nil || s.open != p.segment) {
		return s.remove(p.segment)
	}
	return nil
}

// Position gives the end of what the spool has of a generation; 0 if it has nothing. It may still tell of
// frames that are done, as long as there are others.
func (s *Spool) Position(stream lastnight.Stream, gen lastnight.Generation) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.reached) == 0 {
		return 0
	}
	return s.reached[stream.ID()][gen]
}

// Damages gives what was damaged since the last call.
func (s *Spool) Damages() []Damage {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.damages
	s.damages = nil
	return d
}

// Bytes gives the size of all files.
func (s *Spool) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Frames gives the number of frames that are not done.
func (s *Spool) Frames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.frames)
}

// Room tells whether a usual frame would fit.
func (s *Spool) Room() bool {
	const usual = 1 << 20
	return s.Bytes()+min(usual, s.cfg.MaxBytes/8) <= s.cfg.MaxBytes
}

// Close lets go of the files.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
	return nil
}
