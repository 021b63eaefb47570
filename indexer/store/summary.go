package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"lastnight"
)

// Tally is how many values there are of a kind, and a sum of the hashes of all of them: two
// stores with the same values have the same, in whatever order.
type Tally struct {
	Values int
	Hash   uint64
}

// Summary is what a store holds, by kind: "documents 2026-11-21", "templates", "items of labels" and so on.
type Summary map[string]Tally

// add notes a value; a kind that has none is left out.
func (s Summary) add(kind string, parts ...[]byte) {
	h := xxhash.New()
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p)))) // it never fails
		_, _ = h.Write(p)
	}
	t := s[kind]
	s[kind] = Tally{t.Values + 1, t.Hash + h.Sum64()}
}

func (s Summary) addJSON(kind string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode one of %s: %w", kind, err)
	}
	s.add(kind, b)
	return nil
}

// Differences says, by kind, where another store holds something else.
func (s Summary) Differences(other Summary) []error {
	var diff []error
	kinds := maps.Clone(s)
	maps.Copy(kinds, other)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		switch a, b := s[kind], other[kind]; {
		case a.Values != b.Values:
			diff = append(diff, fmt.Errorf("%s: %d, should be %d", kind, b.Values, a.Values))
		case a.Hash != b.Hash:
			diff = append(diff, fmt.Errorf("%s: %d, but not the same ones", kind, a.Values))
		}
	}
	return diff
}

// Summarize reads all that a store holds. Invalid UTF-8 counts as U+FFFD, as which it may come back.
func Summarize(ctx context.Context, s Store) (Summary, error) {
	sum := Summary{}
	for _, step := range []func(context.Context, Store) error{sum.items, sum.named, sum.counts, sum.documents} {
		if err := step(ctx, s); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

func (s Summary) items(ctx context.Context, of Store) error {
	buckets, err := copiedBuckets(ctx, of)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		for item, err := range of.List(ctx, b, "") {
			if err != nil {
				return fmt.Errorf("read items of %s: %w", b, err)
			}
			s.add("items of "+b, []byte(item.Key), item.Value)
		}
	}
	return nil
}

// named is what has a name and is one JSON document: templates, pods, jobs, incidents.
func (s Summary) named(ctx context.Context, of Store) error {
	for t, err := range of.AllTemplates(ctx) {
		if err == nil {
			err = s.addJSON("templates", &t)
		}
		if err != nil {
			return fmt.Errorf("read templates: %w", err)
		}
	}
	pods, err := of.Pods(ctx, PodsRequest{})
	if err != nil {
		return err
	}
	jobs, err := of.Jobs(ctx, lastnight.JobsRequest{})
	if err != nil {
		return err
	}
	incidents, err := of.Incidents(ctx, lastnight.IncidentsRequest{Planned: true})
	if err != nil {
		return err
	}
	for i := range pods {
		if err := s.addJSON("pods", &pods[i]); err != nil {
			return err
		}
	}
	for i := range jobs {
		if err := s.addJSON("jobs", &jobs[i]); err != nil {
			return err
		}
	}
	for i := range incidents {
		if err := s.addJSON("incidents", &incidents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s Summary) counts(ctx context.Context, of Store) error {
	for src, err := range of.Sources(ctx) {
		if err != nil {
			return fmt.Errorf("read counts: %w", err)
		}
		one := Summary{} // those of a source come in no order
		for i := range src.Counts {
			if err := one.addJSON("", &src.Counts[i]); err != nil {
				return err
			}
		}
		s.add("sources of counts", []byte(src.Name), binary.BigEndian.AppendUint64(nil, one[""].Hash))
	}
	return nil
}

func (s Summary) documents(ctx context.Context, of Store) error {
	for d, err := range of.Search(ctx, lastnight.SearchRequest{Oldest: true}) {
		if err != nil {
			return fmt.Errorf("read documents: %w", err)
		}
		at := d.Time.UTC()
		d.Time = time.Time{} // JSON has no years beyond 9999
		for _, f := range []*string{&d.ID, &d.Text, &d.Logger, &d.Thread, &d.Pod, &d.Job} {
			*f = strings.ToValidUTF8(*f, "\ufffd")
		}
		b, err := json.Marshal(&d)
		if err != nil {
			return fmt.Errorf("encode document %q: %w", d.ID, err)
		}
		s.add("documents "+at.Format("2006-01-02"), []byte(at.Format(time.RFC3339Nano)), b)
	}
	return nil
}
