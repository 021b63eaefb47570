package archive_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestFewOfMany: the first few of what matches in a time, in either order, from wherever a cursor says, are those of
// all documents put in order; clocks that go back or stand still make no difference.
func TestFewOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	a := open(t, vfs.NewMem())
	var items []archive.Item
	for i := range 5 {
		w := newWriter("pod-" + strconv.Itoa(i))
		texts := make([]string, 1000)
		for j := range texts {
			texts[j] = "took " + strconv.Itoa(r.IntN(50)) + " ms for part " + strconv.Itoa(j)
		}
		item := w.span(texts...)
		for j := range item.Span.Records {
			at := start + int64(j)*int64(time.Second)
			if i == 1 { // its clock is not to be trusted
				at += int64(r.IntN(40)-20) * int64(time.Second)
			}
			if i > 2 { // many at once
				at = at / int64(time.Minute) * int64(time.Minute)
			}
			item.Span.Records[j].Lines[0].Time = at
		}
		items = append(items, item)
	}
	add(t, a, items...)
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := collect(t, a.Search(t.Context(), lastnight.SearchRequest{}, nil, archive.Need{}))
	if len(all) != 5000 || !slices.IsSortedFunc(all, func(x, y lastnight.Document) int {
		return cmp.Or(y.Time.Compare(x.Time), strings.Compare(y.ID[:16], x.ID[:16]), cmp.Compare(offset(t, y.ID), offset(t, x.ID)))
	}) {
		t.Fatalf("%d documents, or not in order", len(all))
	}
	for range 300 {
		from := r.IntN(1000)
		req := lastnight.SearchRequest{
			Start: time.Unix(0, start).Add(time.Duration(from) * time.Second), Limit: 1 + r.IntN(200), Oldest: r.IntN(2) == 0,
		}
		req.End = req.Start.Add(time.Duration(r.IntN(600)) * time.Second)
		word := []string{"", "17", "ms"}[r.IntN(3)]
		match := func(d *lastnight.Document) bool { return word == "" || strings.Contains(d.Text, word) }
		var want []string
		for i := range all {
			d := &all[i]
			if req.Oldest {
				d = &all[len(all)-1-i]
			}
			if !d.Time.Before(req.Start) && d.Time.Before(req.End) && match(d) {
				want = append(want, d.ID)
			}
		}
		need := archive.Need{}
		if word == "ms" {
			need = archive.NeedWords(word)
		}
		if n := len(want); n > 0 && r.IntN(2) == 0 {
			i := r.IntN(n)
			for j := range all {
				if all[j].ID == want[i] {
					req.Cursor = lastnight.CursorOf(all[j].Time, all[j].ID)
				}
			}
			want = want[i+1:]
		}
		want = append([]string{}, want[:min(len(want), req.Limit)]...)
		got := []string{}
		for _, d := range collect(t, a.Search(t.Context(), req, match, need)) {
			got = append(got, d.ID)
		}
		equal(t, got, want)
	}
}

func offset(t *testing.T, id string) int64 {
	t.Helper()
	_, _, off, err := lastnight.LineID(id).Parse()
	if err != nil {
		t.Fatal(err)
	}
	return off
}
