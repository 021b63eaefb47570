package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/api/apitest"
)

// house is a Sample with a second namespace that has the same job, template and times, and an event of a node.
func house() *apitest.Memory {
	m := apitest.Sample()
	s := m.Lines[0].Stream
	s.Namespace, s.PodUID = "rival", "rival-uid"
	g := lastnight.Generation{Start: apitest.Night.UnixNano(), Sum: 1}
	for i := range 5 {
		at := apitest.Night.Add(time.Duration(i)*time.Second + 1)
		id := lastnight.NewLineID(s.ID(), g, int64(i))
		m.Lines = append(m.Lines, lastnight.RawLine{Stream: s, ID: id, Time: at, Text: []byte("rival secret")})
		m.Documents = append(m.Documents, lastnight.Document{
			ID: string(id), Kind: lastnight.DocumentRecord, Time: at, Text: "rival secret", Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID,
			Container: s.Container, Restart: s.Restart, Job: "orders-enrich", Template: "t2", Signals: []string{"exception"},
		})
	}
	node := &lastnight.Event{ID: "node/1", Kind: lastnight.EventNode, Reason: "NodeNotReady", Object: lastnight.ObjectRef{Kind: "Node", Name: "secret-node", Namespace: "default"}}
	m.Documents = append(m.Documents, lastnight.Document{ID: node.ID, Kind: lastnight.DocumentEvent, Time: apitest.Night, Text: "secret-node", Event: node})
	job := m.JobList[0]
	job.Namespace = "rival"
	m.JobList = append(m.JobList, job)
	info := m.StreamInfos[0]
	info.Stream = s
	m.StreamInfos = append(m.StreamInfos, info)
	m.Counts = append(m.Counts, lastnight.TemplateCount{Namespace: "rival", Job: "orders-enrich", Template: "t2", Level: "INFO", Minute: apitest.Night, Count: 1000})
	m.TemplateTexts[1].Example = "rival secret"
	rival := m.IncidentList[0]
	rival.ID, rival.Namespace = "rival-1", "rival"
	mixed := m.IncidentList[0]
	mixed.ID, mixed.Start = "mixed", mixed.Start.Add(time.Minute)
	mixed.Similar = []lastnight.Similar{{ID: "rival-1", Namespace: "rival"}, {ID: "in-1", Namespace: "flink"}, {ID: "nowhere"}}
	mixed.Diagnosis.Verdict = "rival secret"
	mixed.Diagnosis.Chain = []lastnight.Evidence{
		{Time: apitest.Night, Kind: "record", Text: "rival secret", What: "rival secret", RecordID: "rival-record", Role: lastnight.RoleCause, Cause: "c", Link: "/rival", Source: lastnight.Source{Namespace: "rival", Node: "secret-node"}},
		{Time: apitest.Night, Kind: "event", Text: "secret-node", Object: &lastnight.ObjectRef{Kind: "Node", Name: "secret-node"}, Role: lastnight.RoleCause},
		{Time: apitest.Night, Kind: "record", Text: "mine", Role: lastnight.RoleEffect, Source: lastnight.Source{Namespace: "flink"}},
	}
	m.IncidentList = append(m.IncidentList, rival, mixed)
	return m
}

func as(ctx context.Context, namespaces ...string) context.Context {
	return lastnight.WithActor(ctx, lastnight.Actor{Name: "a", Role: lastnight.RoleAdmin, Namespaces: namespaces})
}

// everything asks all that a Searcher and an Investigator answer and gives it as text.
func everything(ctx context.Context, t testing.TB, m *apitest.Memory, namespace string) string {
	t.Helper()
	s, i := scopedSearcher{scope{}, m}, scopedInvestigator{scope{}, m}
	var all strings.Builder
	say := func(v any, err error) { fmt.Fprintf(&all, "%+v %v\n", v, err) }
	for _, req := range []lastnight.SearchRequest{
		{Namespace: namespace},
		{Namespace: namespace, Job: "orders-enrich", Oldest: true, Important: true},
		{Namespace: namespace, PodUID: "rival-uid"},
		{Namespace: namespace, Limit: 3, Cursor: lastnight.CursorOf(apitest.Night.Add(time.Minute), "x")},
	} {
		for d, err := range s.Search(ctx, req) {
			say(d, err)
			say(d.Event, err)
		}
		for l, err := range s.RawLines(ctx, req) {
			say(string(l.Text), err)
		}
	}
	for _, d := range m.Documents {
		say(s.Context(ctx, lastnight.LineID(d.ID), 100, 100))
	}
	say(s.Histogram(ctx, lastnight.HistogramRequest{Namespace: namespace, Step: time.Hour}))
	say(s.Jobs(ctx, lastnight.JobsRequest{Namespace: namespace}))
	say(s.Streams(ctx, lastnight.StreamsRequest{Namespace: namespace}))
	say(s.Templates(ctx, lastnight.TemplatesRequest{Namespace: namespace}))
	is, err := i.Incidents(ctx, lastnight.IncidentsRequest{Namespace: namespace, Planned: true})
	for k := range is {
		fmt.Fprintf(&all, "%+v %v\n", is[k], err)
	}
	for _, in := range m.IncidentList {
		got, err := i.Incident(ctx, in.ID)
		if err == nil {
			fmt.Fprintf(&all, "%+v\n", *got)
		}
	}
	a, err := i.Why(ctx, lastnight.WhyRequest{Job: "orders-enrich", Namespace: namespace})
	if err == nil {
		fmt.Fprintf(&all, "%+v\n", *a)
	}
	return all.String()
}

// TestNothingOfOthers asks everything in every way and looks for words of another namespace.
func TestNothingOfOthers(t *testing.T) {
	t.Parallel()
	m := house()
	for _, c := range []struct {
		who       []string
		namespace string
		see       bool // anything at all
	}{
		{[]string{"flink"}, "", true},
		{[]string{"flink", "web"}, "", true},
		{[]string{"flink", "web", ""}, "", true},
		{[]string{"flink"}, "flink", true},
		{[]string{"flink"}, "rival", true}, // by id
		{[]string{"elsewhere"}, "", false},
		{[]string{""}, "", false},
		{nil, "", false},
		{nil, "rival", false},
	} {
		got := everything(as(t.Context(), c.who...), t, m, c.namespace)
		for _, word := range []string{"rival secret", "rival-record", "secret-node", "rival-uid", "Namespace:rival", "1000", "1002", "1008", "ID:rival-1", "nowhere"} {
			if strings.Contains(got, word) {
				t.Errorf("%q asking for %q sees %q in:\n%s", c.who, c.namespace, word, got)
			}
		}
		if see := strings.Contains(got, "line 3"); see != c.see {
			t.Errorf("%q asking for %q sees its own: %v", c.who, c.namespace, see)
		}
	}
	got := everything(t.Context(), t, m, "") // no actor at all
	if strings.Contains(got, "line 3") || strings.Contains(got, "rival secret") {
		t.Errorf("without an actor:\n%s", got)
	}
	got = everything(as(t.Context(), "*"), t, m, "")
	for _, word := range []string{"rival secret", "secret-node", "1002", "1008", "line 3"} {
		if !strings.Contains(got, word) {
			t.Errorf("who may see everything does not see %q", word)
		}
	}
}

func TestScopedCountsAndOrder(t *testing.T) {
	t.Parallel()
	m := house()
	s := scopedSearcher{scope{}, m}
	both := as(t.Context(), "flink", "rival", "flink")
	buckets, err := s.Histogram(both, lastnight.HistogramRequest{Step: time.Hour})
	if err != nil || len(buckets) != 1 || buckets[0].Levels["INFO"] != 1002 || buckets[0].Levels[""] != 8 {
		t.Errorf("%v %v", buckets, err)
	}
	infos, err := s.Templates(both, lastnight.TemplatesRequest{Limit: 1})
	if err != nil || len(infos) != 1 || infos[0].ID != "t2" || infos[0].Count != 1008 || infos[0].Example != "" {
		t.Errorf("%+v %v", infos, err)
	}
	var times []time.Time
	for d, err := range s.Search(both, lastnight.SearchRequest{Limit: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, d.Time)
	}
	if len(times) != 7 || !slices.IsSortedFunc(times, func(a, b time.Time) int { return b.Compare(a) }) {
		t.Errorf("%v", times)
	}
	// Node events are for everybody with a role where that is set.
	open := scopedSearcher{scope{cluster: true}, m}
	found := false
	for d, err := range open.Search(as(t.Context(), "flink"), lastnight.SearchRequest{}) {
		found = found || err == nil && d.ID == "node/1"
	}
	if !found {
		t.Error("--cluster-events shows no event of a node")
	}
}

// TestHiddenIsAsMissing holds that answers do not tell what exists elsewhere.
func TestHiddenIsAsMissing(t *testing.T) {
	t.Parallel()
	m := house()
	s, i := scopedSearcher{scope{}, m}, scopedInvestigator{scope{}, m}
	ctx := as(t.Context(), "flink")
	hidden := m.Lines[len(m.Lines)-1].ID
	missing := hidden[:len(hidden)-1] + "f"
	_, err1 := s.Context(ctx, hidden, 1, 1)
	_, err2 := s.Context(ctx, missing, 1, 1)
	if d := cmp.Diff(strings.ReplaceAll(fmt.Sprint(err1), string(hidden), "X"), strings.ReplaceAll(fmt.Sprint(err2), string(missing), "X")); d != "" || err1 == nil {
		t.Error(d, err1)
	}
	_, err1 = i.Incident(ctx, "rival-1")
	_, err2 = i.Incident(ctx, "rival-2")
	if d := cmp.Diff(strings.ReplaceAll(fmt.Sprint(err1), "rival-1", "X"), strings.ReplaceAll(fmt.Sprint(err2), "rival-2", "X")); d != "" || err1 == nil {
		t.Error(d, err1)
	}
	got, err := i.Incident(ctx, "mixed")
	if err != nil || len(got.Diagnosis.Chain) != 3 || got.Diagnosis.Chain[0].What != elsewhere || got.Diagnosis.Chain[2].Text != "mine" || len(got.Similar) != 1 {
		t.Errorf("%v %+v", err, got)
	}
	if kept := m.IncidentList[len(m.IncidentList)-1]; kept.Diagnosis.Chain[0].Text != "rival secret" || len(kept.Similar) != 3 {
		t.Error("blacking out changed what is kept")
	}
}
