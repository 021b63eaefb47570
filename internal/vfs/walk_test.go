package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestNamesAfter reads a folder a few names at a time: each comes once and in order.
func TestNamesAfter(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 3 * walkBatch / 2 {
		name := fmt.Sprintf("%x", i*7919)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	slices.Sort(want)
	o, err := NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	for _, limit := range []int{1000, 500, 7} {
		var got []string
		last, more := "", true
		for more {
			var names []string
			if names, more, err = o.namesAfter(".", last, limit); err != nil {
				t.Fatal(err)
			}
			if len(names) > limit {
				t.Fatalf("%d names at once", len(names))
			}
			got = append(got, names...)
			last = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d at a time: %d names, want %d", limit, len(got), len(want))
		}
	}
}
