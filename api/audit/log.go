// Package audit keeps who did what: sign-ins, denied attempts, changes of labels, exports,
// administrative acts. One JSON object a line, in files that are only ever appended to:
//
//	audit.jsonl                              written now
//	audit-20261121T030000.000000000Z.jsonl   full; named by the time of its last entry
//
// An entry is on disk (synced) when Audit returns. A line that a crash tore is ended at the next
// start and skipped by readers. What reads or changes the files from outside
// is not noticed: ship them elsewhere if administrators of the machine are not trusted.
//
// How it fails: an entry that can't be written is logged and counted, and the act goes on. A log
// that is not allowed to grow must not keep people from finding out why their job failed.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

const (
	current      = "audit.jsonl"
	fullPattern  = "audit-*.jsonl"
	stamp        = "20060102T150405.000000000Z"
	maxFileBytes = 10 << 20 // of one file, after which the next begins
	maxFiles     = 100      // full files that are kept: 1 GB
	maxText      = 1 << 10  // bytes of one field of an entry
	maxDetails   = 20
)

// Config says where the log is.
type Config struct {
	Dir      string
	MaxBytes int64        // of a file; 0: 10 MiB
	MaxFiles int          // full ones kept; 0: 100
	Log      *slog.Logger // nil: none
	Now      func() time.Time
	Metrics  prometheus.Registerer // nil: none
}

// Log appends entries. It may be used by any number of goroutines.
type Log struct {
	cfg Config
	// lastnight_audit_entries_total: entries written.
	entries prometheus.Counter
	// lastnight_audit_failed_total: entries that could not be written, which are in the server's log alone. More than 0 is a full disk.
	failed prometheus.Counter

	mu   sync.Mutex // all below
	f    *os.File   // nil after Close
	size int64
	last time.Time
}

var (
	_ lastnight.Auditor     = (*Log)(nil)
	_ lastnight.AuditReader = (*Log)(nil)
)

// Open opens or makes the log.
func Open(c Config) (*Log, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = maxFileBytes
	}
	if c.MaxFiles == 0 {
		c.MaxFiles = maxFiles
	}
	l := &Log{
		cfg: c,
	}
	l.entries, l.failed = newCounters()
	if c.Metrics != nil {
		if err := errors.Join(c.Metrics.Register(l.entries), c.Metrics.Register(l.failed)); err != nil {
			return nil, fmt.Errorf("open audit log: %w", err)
		}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.open()
}

// open opens the current file, ends a torn line and finds the time of the last entry. l.mu is held.
func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.cfg.Dir, current), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, l.cfg.MaxBytes+maxEntryBytes))
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("open audit log: %w", err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		if _, err := f.Write([]byte("\n")); err != nil {
			_ = f.Close()
			return fmt.Errorf("end the torn line of the audit log: %w", err)
		}
		b = append(b, '\n')
	}
	l.f, l.size = f, int64(len(b))
	for e := range backwards(b) {
		if e.Time.After(l.last) {
			l.last = e.Time
		}
		break
	}
	return nil
}

func newCounters() (entries, failed prometheus.Counter) {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "lastnight_audit_entries_total", Help: "Entries written to the audit log."}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "lastnight_audit_failed_total", Help: "Entries that could not be written to the audit log."})
}

// Close closes the log; entries after it are not written.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	if err != nil {
		return fmt.Errorf("close audit log: %w", err)
	}
	return nil
}

// Audit implements lastnight.Auditor.
func (l *Log) Audit(ctx context.Context, e lastnight.AuditEntry) {
	complete(ctx, &e)
	if err := l.append(e); err != nil {
		l.failed.Inc()
		l.cfg.Log.Error("the audit log cannot be written", "err", err, "action", e.Action, "actor", e.Actor, "target", e.Target)
		return
	}
	l.entries.Inc()
}

// complete adds who it was, and bounds what comes from outside.
func complete(ctx context.Context, e *lastnight.AuditEntry) {
	if a, ok := lastnight.ActorOf(ctx); ok && e.Actor == "" {
		e.Actor, e.Role, e.Via = a.Name, a.Role, a.Via
	}
	if e.Outcome == "" {
		e.Outcome = lastnight.AuditDone
	}
	shorten(e)
}

// shorten bounds what comes from outside.
func shorten(e *lastnight.AuditEntry) {
	for _, s := range []*string{&e.Actor, &e.Via, &e.Action, &e.Target, &e.Remote} {
		*s = clip(*s)
	}
	if len(e.Detail) == 0 {
		return
	}
	short := map[string]string{}
	for k, v := range e.Detail {
		if len(short) < maxDetails {
			short[clip(k)] = clip(v)
		}
	}
	e.Detail = short
}

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

func (l *Log) append(e lastnight.AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return errors.New("append to audit log: it is closed")
	}
	e.Time = l.cfg.Now().UTC()
	if !e.Time.After(l.last) { // So that times are a place in the log.
		e.Time = l.last.Add(1)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	if l.size > 0 && l.size+int64(b.Len()) > l.cfg.MaxBytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.f.Write(b.Bytes())
	l.size += int64(n)
	if err != nil {
		if n > 0 { // Half a line: what follows must begin its own.
			_, _ = l.f.Write([]byte("\n"))
		}
		return fmt.Errorf("append to audit log: %w", err)
	}
	l.last = e.Time
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("sync audit log: %w", err)
	}
	return nil
}

// rotate gives the current file its name for good and begins another. l.mu is held.
func (l *Log) rotate() error {
	name := filepath.Join(l.cfg.Dir, "audit-"+l.last.UTC().Format(stamp)+".jsonl")
	if err := os.Rename(filepath.Join(l.cfg.Dir, current), name); err != nil {
		return fmt.Errorf("rotate audit log: %w", err)
	}
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("rotate audit log: %w", err)
	}
	l.f = nil
	last := l.last
	if err := l.open(); err != nil {
		return err
	}
	l.last = last
	if err := syncDir(l.cfg.Dir); err != nil {
		return err
	}
	full, err := fullFiles(l.cfg.Dir)
	if err != nil {
		return err
	}
	for ; len(full) > l.cfg.MaxFiles; full = full[1:] {
		if err := os.Remove(full[0]); err != nil {
			return fmt.Errorf("drop an old audit log: %w", err)
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync audit log: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync audit log: %w", err)
	}
	return nil
}
