package storetest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/indexer/store"
)

func exact(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Get(ctx, "b", "k")
	wantCode(t, err, lastnight.CodeNotFound)
	v1, err := s.Put(ctx, "b", "k", []byte("one"), 0)
	must(t, err)
	if v1 <= 0 {
		t.Errorf("first version is %d", v1)
	}
	_, err = s.Put(ctx, "b", "k", []byte("two"), 0)
	wantCode(t, err, lastnight.CodeConflict)
	_, err = s.Put(ctx, "b", "k", []byte("two"), v1+1)
	wantCode(t, err, lastnight.CodeConflict)
	v2, err := s.Put(ctx, "b", "k", []byte("two"), v1)
	must(t, err)
	v3, err := s.Put(ctx, "b", "k", []byte("three"), -1)
	must(t, err)
	if v1 >= v2 || v2 >= v3 {
		t.Errorf("versions do not grow: %d %d %d", v1, v2, v3)
	}
	got, err := s.Get(ctx, "b", "k")
	must(t, err)
	if diff := cmp.Diff(store.Item{Key: "k", Value: []byte("three"), Version: v3}, got); diff != "" {
		t.Error(diff)
	}
	must(t, s.Delete(ctx, "b", "k"))
	must(t, s.Delete(ctx, "b", "k"))
	must(t, s.Delete(ctx, "none", "k"))
	_, err = s.Get(ctx, "b", "k")
	wantCode(t, err, lastnight.CodeNotFound)
	v4, err := s.Put(ctx, "b", "k", []byte("again"), 0)
	must(t, err)
	if _, err = s.Put(ctx, "b", "k", nil, v1); lastnight.CodeOf(err) != lastnight.CodeConflict || v4 == v1 {
		t.Errorf("an item that was deleted and made again has its old version %d: %v", v1, err)
	}
	_, err = s.Put(ctx, "b", "", nil, -1)
	wantCode(t, err, lastnight.CodeInvalid)
	_, err = s.Put(ctx, "", "k", nil, -1)
	wantCode(t, err, lastnight.CodeInvalid)
	exactList(t, s)
}

// manyKeys is more than a page of any backend should be.
const manyKeys = 300

func exactList(t *testing.T, s store.Store) {
	ctx := t.Context()
	keys := []string{"l/a", "l/a\x00b", "l/b", "l/\xff", "l/" + strings.Repeat("k", 2000), "m/a", "l", "L/a"}
	for i := range manyKeys {
		keys = append(keys, fmt.Sprintf("n/%04d", i))
	}
	for _, k := range keys {
		_, err := s.Put(ctx, "list", k, []byte("v"+k), -1)
		must(t, err)
	}
	big := []byte(strings.Repeat("\x00\xff", 1<<20))
	_, err := s.Put(ctx, "list", "p/big", big, -1)
	must(t, err)
	list := func(prefix string) (got []string) {
		t.Helper()
		for _, item := range collect(t, s.List(ctx, "list", prefix)) {
			if item.Version <= 0 || item.Key != "p/big" && string(item.Value) != "v"+item.Key {
				t.Errorf("%q has version %d and value %.20q", item.Key, item.Version, item.Value)
			}
			got = append(got, item.Key)
		}
		return got
	}
	want := []string{"l/a", "l/a\x00b", "l/b", "l/" + strings.Repeat("k", 2000), "l/\xff"}
	if diff := cmp.Diff(want, list("l/")); diff != "" {
		t.Error(diff)
	}
	if got := list("n/"); len(got) != manyKeys || got[0] != "n/0000" || got[manyKeys-1] != fmt.Sprintf("n/%04d", manyKeys-1) {
		t.Errorf("listed %d of %d", len(got), manyKeys)
	}
	if got := list(""); len(got) != len(keys)+1 {
		t.Errorf("listed %d of %d", len(got), len(keys)+1)
	}
	if got := list("none"); got != nil {
		t.Errorf("listed %q", got)
	}
	deleted := 0
	for item, err := range s.List(ctx, "list", "n/") { // a caller may change what it lists
		must(t, err)
		if deleted++; deleted <= 10 {
			must(t, s.Delete(ctx, "list", item.Key))
		}
	}
	if got := list("n/"); len(got) != manyKeys-10 {
		t.Errorf("left %d", len(got))
	}
	item, err := s.Get(ctx, "list", "p/big")
	must(t, err)
	if string(item.Value) != string(big) {
		t.Error("a value of 2 MiB did not come back")
	}
}

// exactConcurrent counts up one item from several writers: no count may be lost.
func exactConcurrent(t *testing.T, s store.Store) {
	ctx := t.Context()
	const writers, rounds = 6, 15
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				for done := false; !done && ctx.Err() == nil; {
					done = increment(t, s)
				}
			}
		})
	}
	wg.Wait()
	item, err := s.Get(ctx, "counter", "n")
	must(t, err)
	if string(item.Value) != strconv.Itoa(writers*rounds) {
		t.Errorf("counted to %s, want %d", item.Value, writers*rounds)
	}
}

// increment tells whether nobody came between reading and writing.
func increment(t *testing.T, s store.Store) bool {
	n := 0
	item, err := s.Get(t.Context(), "counter", "n")
	if lastnight.CodeOf(err) != lastnight.CodeNotFound {
		if err != nil {
			t.Error(err)
			return true
		}
		n, _ = strconv.Atoi(string(item.Value))
	}
	_, err = s.Put(t.Context(), "counter", "n", []byte(strconv.Itoa(n+1)), item.Version)
	if lastnight.CodeOf(err) == lastnight.CodeConflict {
		return false
	}
	if err != nil {
		t.Error(err)
	}
	return true
}
