package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
)

func open(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestRotates writes from several goroutines over many files, reopens now and then, and reads all back in order.
func TestRotates(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), MaxBytes: 2000}
	ctx := lastnight.WithActor(t.Context(), lastnight.Actor{Name: "ann", Role: lastnight.RoleAdmin, Via: "token"})
	for round := range 4 {
		l := open(t, c)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for k := range 25 {
					l.Audit(ctx, lastnight.AuditEntry{Action: "label.edit", Target: fmt.Sprintf("%d-%d-%d", round, w, k)})
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, c)
	seen, cursor := map[string]bool{}, ""
	var last time.Time
	for {
		page, err := l.Audits(t.Context(), lastnight.AuditRequest{Limit: 7, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			e := &page[i]
			if seen[e.Target] || e.Actor != "ann" || e.Role != lastnight.RoleAdmin || e.Outcome != lastnight.AuditDone || !last.IsZero() && !e.Time.Before(last) {
				t.Fatalf("%+v after %v", e, last)
			}
			seen[e.Target], last = true, e.Time
		}
		if len(page) < 7 {
			break
		}
		cursor = CursorOf(&page[6])
	}
	if len(seen) != 400 {
		t.Errorf("%d of 400 entries", len(seen))
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, "*"))
	if err != nil || len(files) < 10 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() > 2000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info, err)
		}
	}
}

func TestKeepsSoManyFiles(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), MaxBytes: 300, MaxFiles: 3}
	l := open(t, c)
	for k := range 50 {
		l.Audit(t.Context(), lastnight.AuditEntry{Action: "sign-in", Actor: fmt.Sprint(k)})
	}
	full, err := fullFiles(c.Dir)
	if err != nil || len(full) != 3 {
		t.Errorf("%q %v", full, err)
	}
	newest, err := l.Audits(t.Context(), lastnight.AuditRequest{Limit: 1})
	if err != nil || newest[0].Actor != "49" {
		t.Errorf("%v %v", newest, err)
	}
}

// TestTorn cuts the file at every byte: what was whole before is read, and what comes after too.
func TestTorn(t *testing.T) {
	t.Parallel()
	first := Config{Dir: t.TempDir()}
	l := open(t, first)
	l.Audit(t.Context(), lastnight.AuditEntry{Action: "a", Actor: "one\nline\u2028"})
	l.Audit(t.Context(), lastnight.AuditEntry{Action: "b"})
	b, err := os.ReadFile(filepath.Join(first.Dir, current))
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Index(string(b), "\n") + 1
	for cut := range len(b) {
		c := Config{Dir: t.TempDir()}
		if err := os.WriteFile(filepath.Join(c.Dir, current), b[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, c)
		l.Audit(t.Context(), lastnight.AuditEntry{Action: "after"})
		got, err := l.Audits(t.Context(), lastnight.AuditRequest{})
		want := 1
		if cut >= whole-1 { // without its newline it is whole as well
			want = 2
		}
		if cut == len(b)-1 {
			want = 3
		}
		if err != nil || len(got) != want || got[0].Action != "after" {
			t.Fatalf("cut at %d of %d: %v, %v", cut, len(b), got, err)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	l := open(t, Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	ctx := context.Background()
	for k, a := range []string{"sign-in", "label.edit", "label.approve", "sign-out"} {
		now = now.Add(time.Hour)
		l.Audit(ctx, lastnight.AuditEntry{Action: a, Actor: []string{"ann", "bob"}[k%2], Detail: map[string]string{"long": strings.Repeat("x", 10_000)}})
	}
	start := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		req  lastnight.AuditRequest
		want string
	}{
		{lastnight.AuditRequest{}, "sign-out label.approve label.edit sign-in"},
		{lastnight.AuditRequest{Action: "label."}, "label.approve label.edit"},
		{lastnight.AuditRequest{Actor: "ann"}, "label.approve sign-in"},
		{lastnight.AuditRequest{Start: start.Add(5 * time.Hour), End: start.Add(7 * time.Hour)}, "label.approve label.edit"},
		{lastnight.AuditRequest{Limit: 2}, "sign-out label.approve"},
		{lastnight.AuditRequest{Start: start.AddDate(1, 0, 0)}, ""},
	} {
		got, err := l.Audits(ctx, c.req)
		var actions []string
		for i := range got {
			actions = append(actions, got[i].Action)
			if len(got[i].Detail["long"]) > 2000 {
				t.Error("a long detail is kept whole")
			}
		}
		if s := strings.Join(actions, " "); err != nil || s != c.want {
			t.Errorf("%+v: %q, %v", c.req, s, err)
		}
	}
	if _, err := l.Audits(ctx, lastnight.AuditRequest{Cursor: "x"}); lastnight.CodeOf(err) != lastnight.CodeInvalid {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Audit(ctx, lastnight.AuditEntry{Action: "late"}) // is logged and counted, and does not fail
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"time\":\"2026-11-21T03:00:00Z\",\"action\":\"a\"}\n{\n\n"))
	f.Add([]byte("\n\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for e := range backwards(b) {
			if n++; e.Time.IsZero() {
				t.Error("an entry without a time")
			}
		}
		if n > len(b)/2+1 {
			t.Errorf("%d entries in %d bytes", n, len(b))
		}
	})
}
