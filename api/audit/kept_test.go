package audit

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
)

// shelf is a Keeper in memory.
type shelf struct {
	mu    sync.Mutex
	items map[string][]byte
	full  bool
}

func (s *shelf) Add(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.items[key]; there || s.full {
		return lastnight.Errorf(lastnight.CodeConflict, "", "%s is there", key)
	}
	s.items[key] = value
	return nil
}

func (s *shelf) Keys(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s.mu.Lock()
		keys := slices.Sorted(maps.Keys(s.items))
		s.mu.Unlock()
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && !yield(k, nil) {
				return
			}
		}
	}
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, error) { return s.items[key], nil }

func (s *shelf) Delete(_ context.Context, key string) error {
	delete(s.items, key)
	return nil
}

// TestKept: two servers write one log, pages go through all of it, filters count, what is old is forgotten.
func TestKept(t *testing.T) {
	t.Parallel()
	s := &shelf{items: map[string][]byte{}}
	var logs []*Kept
	for range 2 {
		k, err := NewKept(s, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, k)
	}
	ctx := lastnight.WithActor(t.Context(), lastnight.Actor{Name: "ann", Role: lastnight.RoleAdmin, Via: "token"})
	for k := range 40 {
		logs[k%2].Audit(ctx, lastnight.AuditEntry{Action: []string{"label.edit", "sign-in"}[k/20], Target: fmt.Sprint(k)})
	}
	seen, cursor := map[string]bool{}, ""
	for {
		page, err := logs[1].Audits(t.Context(), lastnight.AuditRequest{Limit: 7, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			if seen[page[i].Target] || page[i].Actor != "ann" {
				t.Errorf("%+v", page[i])
			}
			seen[page[i].Target] = true
		}
		if len(page) < 7 {
			break
		}
		cursor = CursorOf(&page[6])
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 entries", len(seen))
	}
	some, err := logs[0].Audits(t.Context(), lastnight.AuditRequest{Action: "label.", Start: time.Now().Add(-time.Hour)})
	if err != nil || len(some) != 20 {
		t.Errorf("%d of 20 entries, %v", len(some), err)
	}
	s.items["20200101T000000.000000000Z-x"] = []byte("{}")
	if err := logs[0].Forget(t.Context()); err != nil || len(s.items) != 40 {
		t.Errorf("%d items are left, %v", len(s.items), err)
	}
	s.full = true
	logs[0].Audit(ctx, lastnight.AuditEntry{Action: "late"}) // is logged and counted, and does not fail
}
