package lastnight

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Stream is one container instance on one node: what wrote a log file.
// It is comparable and immutable once made; pointers to it are shared freely.
type Stream struct {
	Cluster   string `json:"cluster,omitempty"` // k8s.cluster.name; not part of any id
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	PodUID    string `json:"pod_uid"` // as in the path of the log file
	Container string `json:"container"`
	Restart   int    `json:"restart"` // k8s.container.restart_count
	Node      string `json:"node,omitempty"`
}

// StreamID names a stream in ids: 16 hex digits of the SHA-256 of namespace, pod,
// pod UID, container and restart count. Cluster and node are left out, so that
// naming a cluster later changes no id (a pod UID is unique in the world).
type StreamID string

// ID computes the stream's id. It costs a hash: keep it where it is needed often.
func (s Stream) ID() StreamID {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.Namespace, s.Pod, s.PodUID, s.Container, strconv.Itoa(s.Restart)}, "\x00")))
	return StreamID(hex.EncodeToString(sum[:8]))
}

// Generation names one file of a stream whatever it is called now: it comes from
// the file's first whole line and so survives renaming and compressing.
// Generations of one stream order by Start.
type Generation struct {
	Start int64  `json:"start"` // container runtime's time of the first line, ns since 1970 UTC; 0 if that has none
	Sum   uint32 `json:"sum"`   // low 32 bits of xxhash64 of the first whole line, header included, newline not
}

// String gives the form used in ids: start and sum in hex, 16 and 8 digits.
func (g Generation) String() string { return string(g.appendTo(nil)) }

// appendTo appends what String gives.
func (g Generation) appendTo(dst []byte) []byte {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], uint64(g.Start))
	binary.BigEndian.PutUint32(b[8:], g.Sum)
	return hex.AppendEncode(append(hex.AppendEncode(dst, b[:8]), '-'), b[8:])
}

// ParseGeneration reads what String gave.
func ParseGeneration(s string) (Generation, error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok || len(a) != 16 || len(b) != 8 {
		return Generation{}, fmt.Errorf("generation %q: want 16 and 8 hex digits", s)
	}
	start, err := strconv.ParseUint(a, 16, 64)
	if err != nil {
		return Generation{}, fmt.Errorf("generation %q: %w", s, err)
	}
	sum, err := strconv.ParseUint(b, 16, 32)
	if err != nil {
		return Generation{}, fmt.Errorf("generation %q: %w", s, err)
	}
	return Generation{Start: int64(start), Sum: uint32(sum)}, nil
}

// Compare orders generations of one stream: by start, then sum.
func (g Generation) Compare(h Generation) int {
	switch {
	case g.Start != h.Start && g.Start < h.Start, g.Start == h.Start && g.Sum < h.Sum:
		return -1
	case g == h:
		return 0
	}
	return 1
}

// LineID is where a line stood: stream, generation and offset. It is the line's
// identity for ever, and a record's id is that of its first line.
// Form: STREAM.GENERATION.OFFSET, all hex.
type LineID string

// NewLineID makes the id of the line that begins at offset.
func NewLineID(s StreamID, g Generation, offset int64) LineID {
	var room [64]byte // most have 16 + 1 + 25 + 1 + 16 bytes at most
	id := append(append(room[:0], s...), '.')
	id = append(g.appendTo(id), '.')
	return LineID(strconv.AppendInt(id, offset, 16))
}

// Parse takes the id apart again.
func (id LineID) Parse() (StreamID, Generation, int64, error) {
	p := strings.Split(string(id), ".")
	if len(p) != 3 || len(p[0]) != 16 {
		return "", Generation{}, 0, Errorf(CodeInvalid, "ids look like 3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.1f40", "record id %q is malformed", string(id))
	}
	g, err := ParseGeneration(p[1])
	if err != nil {
		return "", Generation{}, 0, Errorf(CodeInvalid, "", "record id %q: %v", string(id), err)
	}
	off, err := strconv.ParseInt(p[2], 16, 64)
	if err != nil {
		return "", Generation{}, 0, Errorf(CodeInvalid, "", "record id %q: %v", string(id), err)
	}
	return StreamID(p[0]), g, off, nil
}
