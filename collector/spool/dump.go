package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lastnight"
	"lastnight/internal/vfs"
)

// IsFile tells from a file's first bytes whether it is a segment of a spool.
func IsFile(head []byte) bool { return len(head) >= 8 && string(head[:8]) == magic }

// dumped is a frame as Dump shows it.
type dumped struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`           // of the frame, with its head
	Synced bool   `json:"synced"`          // a mark says so
	State  string `json:"state,omitempty"` // torn or damaged; what follows cannot be read then
	*Frame
	Body int `json:"body_bytes"` // of the request, compressed
}

// Dump writes a segment of a spool as JSON: its header, and what is known of each frame. The requests
// themselves, which are OTLP, are left out.
func Dump(w io.Writer, r io.ReaderAt, size int64, number uint64) error {
	f := readOnly{r, size}
	head := make([]byte, headerBytes)
	if err := readAt(f, head, 0); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	v := binary.LittleEndian.Uint32(head[8:])
	if v != version {
		return lastnight.Errorf(lastnight.CodeInvalid, "use the lastnight that wrote it", "unknown version %d of a spool: this lastnight reads %d", v, version)
	}
	var frames []dumped
	for at := int64(headerBytes); at < size; {
		if isMark(f, number, at, size) {
			if len(frames) > 0 {
				frames[len(frames)-1].Synced = true
			}
			at += markBytes
			continue
		}
		p, frame, err := readFrame(f, number, at, size)
		d := dumped{Offset: at, Bytes: frameBytes + int64(p.length), Frame: frame}
		if err != nil {
			d.Bytes, d.State = size-at, "damaged"
			if errors.Is(err, errTorn) && !isMark(f, number, size-markBytes, size) {
				d.State = "torn"
			}
			frames = append(frames, d)
			break
		}
		d.Body = len(frame.Body)
		frames = append(frames, d)
		at += d.Bytes
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(map[string]any{"kind": "spool", "version": v, "bytes": size, "frames": frames}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// readOnly is a file that is only read.
type readOnly struct {
	io.ReaderAt
	size int64
}

var _ vfs.File = readOnly{}

func (readOnly) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (readOnly) Sync() error               { return nil }
func (readOnly) Close() error              { return nil }
func (r readOnly) Size() (int64, error)    { return r.size, nil }
