package clusterer

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

// The first line of a snapshot is "lastnight-clusterer VERSION SUM BYTES\n"; SUM is the
// xxhash64, in hex, of the body of BYTES bytes (see packer) that follows and ends the file.
const (
	snapshotMagic   = "lastnight-clusterer"
	snapshotVersion = 2
	maxSnapshot     = 256 << 20 // bytes of the body
)

// ErrVersion is in the errors of Restore for snapshots of a version this program does not know.
var ErrVersion = errors.New("unknown snapshot version")

// ErrCorrupt is in the errors of Restore for bytes that no Snapshot wrote, or that changed since.
var ErrCorrupt = errors.New("corrupt snapshot")

// Snapshot writes everything that Restore needs to go on just as this Clusterer would.
func (c *Clusterer) Snapshot(w io.Writer) error {
	var p packer
	body := p.pack(c)
	if len(body) > maxSnapshot {
		return fmt.Errorf("write clusterer snapshot: %d bytes are more than the %d that Restore takes", len(body), maxSnapshot)
	}
	head := fmt.Appendf(nil, "%s %d %016x %d\n", snapshotMagic, snapshotVersion, xxhash.Sum64(body), len(body))
	for _, b := range [][]byte{head, body} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write clusterer snapshot: %w", err)
		}
	}
	return nil
}

// Restore replaces everything but the Config by what a Snapshot holds. After an error
// (ErrVersion, ErrCorrupt, or reading) the Clusterer is as it was.
func (c *Clusterer) Restore(r io.Reader) error {
	body, err := readSnapshot(r)
	if err != nil {
		return fmt.Errorf("restore clusterer: %w", err)
	}
	n := &Clusterer{config: c.config}
	n.reset()
	if err := n.unpack(body); err != nil {
		return fmt.Errorf("restore clusterer: %w: %w", ErrCorrupt, err)
	}
	n.enlistAll()
	*c = *n
	return nil
}

func readSnapshot(r io.Reader) ([]byte, error) {
	// The head is read byte by byte: nothing behind it may be lost, nor a long line kept.
	var head []byte
	for len(head) < 128 && (len(head) == 0 || head[len(head)-1] != '\n') {
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return nil, fmt.Errorf("%w: no head: %w", ErrCorrupt, err)
		}
		head = append(head, one[0])
	}
	var magic string
	var version, size int
	var sum uint64
	if _, err := fmt.Sscanf(string(head), "%s %d", &magic, &version); err != nil || magic != snapshotMagic {
		return nil, fmt.Errorf("%w: not a clusterer's snapshot", ErrCorrupt)
	}
	if version != snapshotVersion {
		return nil, fmt.Errorf("%w: found %d, known %d", ErrVersion, version, snapshotVersion)
	}
	if _, err := fmt.Sscanf(string(head), "%s %d %x %d\n", &magic, &version, &sum, &size); err != nil || size < 0 || size > maxSnapshot {
		return nil, fmt.Errorf("%w: bad head", ErrCorrupt)
	}
	var buf bytes.Buffer
	if known, ok := r.(interface{ Len() int }); ok { // else the head's word is not enough to take that much memory
		buf.Grow(min(size, known.Len()) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, int64(size))); err != nil {
		return nil, err
	}
	if body := buf.Bytes(); len(body) == size && xxhash.Sum64(body) == sum {
		return body, nil
	}
	return nil, fmt.Errorf("%w: checksum or length differs", ErrCorrupt)
}

// IsSnapshot tells whether a file that begins with head is a snapshot, of whatever version.
func IsSnapshot(head []byte) bool { return bytes.HasPrefix(head, []byte(snapshotMagic+" ")) }
