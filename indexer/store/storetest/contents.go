package storetest

import (
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/indexer/store"
)

func contents(t *testing.T, s store.Store) {
	ctx := t.Context()
	if b, err := s.Buckets(ctx); err != nil || len(b) > 0 {
		t.Errorf("buckets of an empty store: %q %v", b, err)
	}
	if n := len(collect(t, s.AllTemplates(ctx))) + len(collect(t, s.Sources(ctx))); n > 0 {
		t.Errorf("an empty store has %d templates and sources", n)
	}
	var ts []lastnight.Template
	for i := range 1100 { // more than a page
		ts = append(ts, lastnight.Template{ID: fmt.Sprintf("t%04d", i), Text: "x", FirstSeen: at(i), LastSeen: at(i)})
	}
	must(t, s.PutTemplates(ctx, ts))
	got := collect(t, s.AllTemplates(ctx))
	slices.SortFunc(got, func(a, b lastnight.Template) int { return a.FirstSeen.Compare(b.FirstSeen) })
	if diff := gocmp.Diff(ts, got); diff != "" {
		t.Error(diff)
	}
	want := map[string]int64{"none": 0, "a": 0, "b": 0}
	must(t, s.PutCounts(ctx, "none", nil))
	for i := range 100 {
		want["a"] += int64(i)
		want["b"] += 2 * int64(i)
	}
	for source, factor := range map[string]int64{"a": 1, "b": 2} {
		var counts []lastnight.TemplateCount
		for i := range 100 {
			counts = append(counts, lastnight.TemplateCount{Namespace: "flink", Job: fmt.Sprintf("j%d", i%7), Template: fmt.Sprintf("t%d", i), Level: "WARN", Minute: at(60 * i), Count: factor * int64(i)})
		}
		must(t, s.PutCounts(ctx, source, counts))
	}
	sums := map[string]int64{}
	for _, src := range collect(t, s.Sources(ctx)) {
		sums[src.Name] += 0
		for i := range src.Counts {
			sums[src.Name] += src.Counts[i].Count
		}
	}
	if diff := gocmp.Diff(want, sums); diff != "" {
		t.Error(diff)
	}
	for _, b := range []string{"one", "two\x00\xff", "gone"} {
		if _, err := s.Put(ctx, b, "k", []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s.Delete(ctx, "gone", "k"))
	buckets, err := s.Buckets(ctx)
	must(t, err)
	slices.Sort(buckets)
	if diff := gocmp.Diff([]string{"one", "two\x00\xff"}, buckets); diff != "" {
		t.Error(diff)
	}
}
