package recorded

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"
)

// Replay writes every case into dir/<case>, moved in time as Plan says: the
// container runtime's times, those that Flink wrote into its lines, those in the
// names of rotated files, and those of events, pods and nodes. What the recorder
// did to clear up after a case is left out, and so are the files that lastnight
// does not read. All times move by whole seconds, so nothing changes its length.
// The same Shift gives the same bytes.
func Replay(ctx context.Context, dir string, s Shift) error {
	ends := map[string]time.Time{}
	for _, p := range program() {
		ends[p.name] = p.end
	}
	for _, p := range Plan(s) {
		if err := replay(ctx, path.Join(dir, p.Case), p, ends[p.Case]); err != nil {
			return fmt.Errorf("replay %s: %w", p.Case, err)
		}
	}
	return nil
}

func replay(ctx context.Context, dir string, p Played, end time.Time) error {
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a handle on a folder: nothing to lose
	m := newMover(p.By)
	return Files(ctx, p.Case, func(file string, data []byte) error {
		base := path.Base(file)
		if base == "truth.json" || base == "files-timeline.jsonl" { // for tests and people
			return nil
		}
		moved, err := throughGzip(file, data, func(b []byte) ([]byte, error) {
			b, err := before(base, b, end)
			m.text(b)
			return b, err
		})
		if err != nil {
			return fmt.Errorf("move %s in time: %w", file, err)
		}
		return write(root, m.name(file), moved)
	})
}

// before keeps of a file's content what happened before end.
func before(base string, b []byte, end time.Time) ([]byte, error) {
	switch {
	case strings.Contains(base, ".log"):
		return linesBefore(b, end), nil
	case strings.Contains(base, "-watch."):
		return watchBefore(b, end)
	case strings.HasPrefix(base, "events."):
		return listBefore(b, end)
	}
	return b, nil // pods and nodes: listed before the clearing up
}

// throughGzip applies edit to the content of a file that is gzipped if its name says so.
// It may change data.
func throughGzip(file string, data []byte, edit func([]byte) ([]byte, error)) ([]byte, error) {
	if !strings.HasSuffix(file, ".gz") {
		return edit(data)
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := readCapped(zr)
	if err != nil {
		return nil, err
	}
	if plain, err = edit(plain); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	if _, err := zw.Write(plain); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// linesBefore keeps the lines of a log file before the first that is not before end.
func linesBefore(b []byte, end time.Time) []byte {
	// CRI times are UTC with a whole number of digits down to the second, so they compare as text.
	limit := []byte(end.Format("2006-01-02T15:04:05"))
	for pos := 0; pos < len(b); {
		line := b[pos:]
		next := len(b)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], pos+i+1
		}
		if len(line) >= len(limit) && bytes.Compare(line[:len(limit)], limit) >= 0 {
			return b[:pos]
		}
		pos = next
	}
	return b
}

// object is what is looked at of an event or pod.
type object struct {
	Metadata struct {
		UID          string     `json:"uid"`
		Deleted      *time.Time `json:"deletionTimestamp"` // when asked for, plus the grace period
		GraceSeconds int64      `json:"deletionGracePeriodSeconds"`
	} `json:"metadata"`
	Last *time.Time `json:"lastTimestamp"`
}

// from is when what the object tells happened, as far as it matters here.
func (o object) from() time.Time {
	switch {
	case o.Last != nil:
		return *o.Last
	case o.Metadata.Deleted != nil:
		return o.Metadata.Deleted.Add(-time.Duration(o.Metadata.GraceSeconds) * time.Second)
	}
	return time.Time{}
}

// watchBefore keeps the lines of a watch before end; of an object that reached end none that follow.
func watchBefore(b []byte, end time.Time) ([]byte, error) {
	out := make([]byte, 0, len(b))
	over := map[string]bool{}
	for line := range bytes.Lines(b) {
		var change struct{ Object object }
		if err := json.Unmarshal(line, &change); err != nil {
			return nil, err
		}
		o := change.Object
		if over[o.Metadata.UID] || !o.from().Before(end) {
			over[o.Metadata.UID] = true
			continue
		}
		out = append(out, line...)
	}
	return out, nil
}

// listBefore keeps the items of a list before end.
func listBefore(b []byte, end time.Time) ([]byte, error) {
	var list map[string]json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	var items, kept []json.RawMessage
	if err := json.Unmarshal(list["items"], &items); err != nil {
		return nil, err
	}
	for _, item := range items {
		var o object
		if err := json.Unmarshal(item, &o); err != nil {
			return nil, err
		}
		if o.from().Before(end) {
			kept = append(kept, item)
		}
	}
	var err error
	if list["items"], err = json.Marshal(kept); err != nil {
		return nil, err
	}
	return json.Marshal(list)
}
