package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lastnight"
)

// maxEntryBytes is more than a line can have: shorten bounds its fields.
const maxEntryBytes = 256 << 10

// cursorID stands in cursors, where other lists have an id: times are unique here.
const cursorID = "audit"

// CursorOf names the place after an entry.
func CursorOf(e *lastnight.AuditEntry) string { return lastnight.CursorOf(e.Time, cursorID) }

// Audits implements lastnight.AuditReader.
func (l *Log) Audits(ctx context.Context, req lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	return Read(ctx, l.cfg.Dir, req)
}

// Read gives entries of the log in dir, newest first, while it is written or not. Damaged lines are left out.
func Read(ctx context.Context, dir string, req lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	if err := endAtCursor(&req); err != nil {
		return nil, err
	}
	full, err := fullFiles(dir)
	if err != nil {
		return nil, err
	}
	var all []lastnight.AuditEntry
	for _, path := range slices.Backward(append(full, filepath.Join(dir, current))) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not written yet, or rotated away since it was listed
		}
		if err != nil {
			return nil, err
		}
		for e := range backwards(b) {
			if !req.Start.IsZero() && e.Time.Before(req.Start) {
				return all, nil // the files are in order, and so are their lines
			}
			if !wanted(&e, &req) {
				continue
			}
			if all = append(all, e); len(all) == req.Limit {
				return all, nil
			}
		}
	}
	return all, nil
}

// endAtCursor makes the request begin behind its cursor.
func endAtCursor(req *lastnight.AuditRequest) error {
	if req.Cursor == "" {
		return nil
	}
	at, _, err := lastnight.ParseCursor(req.Cursor)
	if err != nil {
		return err
	}
	if req.End.IsZero() || at.Before(req.End) {
		req.End = at
	}
	return nil
}

func wanted(e *lastnight.AuditEntry, req *lastnight.AuditRequest) bool {
	return (req.End.IsZero() || e.Time.Before(req.End)) && (req.Actor == "" || e.Actor == req.Actor) && strings.HasPrefix(e.Action, req.Action)
}

// fullFiles lists the files that are not written any more, oldest first.
func fullFiles(dir string) ([]string, error) {
	full, err := filepath.Glob(filepath.Join(dir, fullPattern))
	if err != nil {
		return nil, fmt.Errorf("list audit logs: %w", err)
	}
	slices.Sort(full)
	return full, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer func() { _ = f.Close() }()
	const most = 1 << 30 // nobody's configuration makes such files
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return b, nil
}

// backwards gives the entries of a file, last first. Lines that are none are left out.
func backwards(b []byte) iter.Seq[lastnight.AuditEntry] {
	return func(yield func(lastnight.AuditEntry) bool) {
		for len(b) > 0 {
			b = bytes.TrimSuffix(b, []byte("\n"))
			at := bytes.LastIndexByte(b, '\n') + 1
			line := b[at:]
			b = b[:at]
			var e lastnight.AuditEntry
			if len(line) > maxEntryBytes || json.Unmarshal(line, &e) != nil || e.Time.IsZero() {
				continue
			}
			if !yield(e) {
				return
			}
		}
	}
}
