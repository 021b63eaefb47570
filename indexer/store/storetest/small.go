package storetest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
	"lastnight/indexer/store"
)

func templates(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := lastnight.Template{ID: "t1", Text: "Job <*> failed", Level: "WARN", Example: "Job a failed", FirstSeen: at(10), LastSeen: at(20), Exception: []string{"x.Y"}}
	must(t, s.PutTemplates(ctx, []lastnight.Template{first, {ID: "t2", Text: "two", FirstSeen: at(1), LastSeen: at(1)}}))
	must(t, s.PutTemplates(ctx, []lastnight.Template{{ID: "t1", FirstSeen: at(15), LastSeen: at(15)}}))
	must(t, s.PutTemplates(ctx, []lastnight.Template{{ID: "t1", Text: "Job <*> <*>", Link: "t2", FirstSeen: at(5), LastSeen: at(30)}}))
	must(t, s.PutTemplates(ctx, []lastnight.Template{{ID: "t1"}}))
	want := first
	want.Text, want.Link, want.FirstSeen, want.LastSeen = "Job <*> <*>", "t2", at(5), at(30)
	got, err := s.Templates(ctx, []string{"t1", "none", "t1", ""})
	must(t, err)
	if diff := gocmp.Diff([]lastnight.Template{want}, got); diff != "" {
		t.Error(diff)
	}
	got, err = s.Templates(ctx, []string{"t2", "t1"})
	must(t, err)
	if len(got) != 2 {
		t.Errorf("got %d templates, want 2", len(got))
	}
	wantCode(t, s.PutTemplates(ctx, []lastnight.Template{{Text: "no id"}}), lastnight.CodeInvalid)
	odd := lastnight.Template{ID: "odd\x00\xff", Text: "a\x00b\xff" + strings.Repeat("x", 40_000)}
	must(t, s.PutTemplates(ctx, []lastnight.Template{odd}))
	got, err = s.Templates(ctx, []string{odd.ID})
	must(t, err)
	if len(got) != 1 || valid(got[0].Text) != valid(odd.Text) {
		t.Errorf("a template of odd characters did not come back")
	}
}

func pods(t *testing.T, s store.Store) {
	ctx := t.Context()
	tm := lastnight.Pod{Namespace: "flink", Name: "orders-taskmanager-1-1", UID: "u1", Node: "node-a", IP: "10.0.0.1", Created: at(0)}
	shop := lastnight.Pod{Namespace: "shop", Name: "shop-7f9c6d5b44-x2x2x", UID: "u2", IP: "10.0.0.1", Owner: lastnight.ObjectRef{Kind: "ReplicaSet", Name: "shop-7f9c6d5b44"}}
	again := tm
	again.UID, again.IP = "u3", "10.0.0.3"
	must(t, s.PutPods(ctx, []lastnight.Pod{tm, shop, again}))
	must(t, s.PutPods(ctx, []lastnight.Pod{tm, shop, again}))
	must(t, s.PutPods(ctx, []lastnight.Pod{
		{Namespace: "flink", Name: tm.Name, UID: "u1", Node: "node-b", Labels: map[string]string{"app": "orders", "type": "flink-native-kubernetes", "component": "taskmanager"}, Deleted: at(9)},
	}))
	tm.Node, tm.Labels, tm.Deleted = "node-b", map[string]string{"app": "orders", "type": "flink-native-kubernetes", "component": "taskmanager"}, at(9)
	for i, test := range []struct {
		req  store.PodsRequest
		want []lastnight.Pod
	}{
		{store.PodsRequest{}, []lastnight.Pod{tm, again, shop}},
		{store.PodsRequest{Namespace: "flink"}, []lastnight.Pod{tm, again}},
		{store.PodsRequest{Namespace: "fli"}, nil},
		{store.PodsRequest{Namespace: "flink", Name: tm.Name}, []lastnight.Pod{tm, again}},
		{store.PodsRequest{Name: tm.Name}, []lastnight.Pod{tm, again}},
		{store.PodsRequest{UID: "u3"}, []lastnight.Pod{again}},
		{store.PodsRequest{IP: "10.0.0.1"}, []lastnight.Pod{tm, shop}},
		{store.PodsRequest{IP: "10.0.0.1", Namespace: "shop"}, []lastnight.Pod{shop}},
		{store.PodsRequest{Workload: "orders"}, []lastnight.Pod{tm, again}},
		{store.PodsRequest{Workload: "shop"}, []lastnight.Pod{shop}},
		{store.PodsRequest{Workload: "orders", Namespace: "shop"}, nil},
		{store.PodsRequest{UID: "none"}, nil},
	} {
		got, err := s.Pods(ctx, test.req)
		must(t, err)
		if diff := gocmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d %+v: %s", i, test.req, diff)
		}
	}
}

func jobs(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutJobs(ctx, []lastnight.Job{
		{Namespace: "flink", Name: "Orders", Kind: lastnight.JobDeployment, Workload: "orders", FlinkIDs: []string{"a"}, FirstSeen: at(100), LastSeen: at(200)},
		{Namespace: "web", Name: "shop", Kind: lastnight.JobDeployment, Workload: "shop", FirstSeen: at(0), LastSeen: at(10)},
	}))
	for range 2 {
		must(t, s.PutJobs(ctx, []lastnight.Job{{Namespace: "flink", Name: "Orders", Kind: lastnight.JobFlink, Workload: "orders-cluster", FlinkIDs: []string{"b", "a"}, FirstSeen: at(50), LastSeen: at(150)}}))
	}
	must(t, s.PutJobs(ctx, []lastnight.Job{{Namespace: "flink", Name: "Orders", Kind: lastnight.JobPod, Cluster: "prod", LastSeen: at(300)}}))
	must(t, s.PutIncidents(ctx, []lastnight.Incident{
		{ID: "i1", Namespace: "flink", Job: "Orders", Start: at(60)}, {ID: "i2", Namespace: "flink", Job: "Orders", Start: at(250)}, {ID: "i3", Namespace: "flink", Job: "Orders", Start: at(70), Planned: true},
	}))
	orders := lastnight.Job{Cluster: "prod", Namespace: "flink", Name: "Orders", Kind: lastnight.JobFlink, Workload: "orders-cluster", FlinkIDs: []string{"a", "b"}, FirstSeen: at(50), LastSeen: at(300), Incidents: 2}
	shop := lastnight.Job{Namespace: "web", Name: "shop", Kind: lastnight.JobDeployment, Workload: "shop", FirstSeen: at(0), LastSeen: at(10)}
	early := orders
	early.Incidents = 1
	for i, test := range []struct {
		req  lastnight.JobsRequest
		want []lastnight.Job
	}{
		{lastnight.JobsRequest{}, []lastnight.Job{orders, shop}},
		{lastnight.JobsRequest{Namespace: "web"}, []lastnight.Job{shop}},
		{lastnight.JobsRequest{Namespace: "we"}, nil},
		{lastnight.JobsRequest{Name: "Orders"}, []lastnight.Job{orders}},
		{lastnight.JobsRequest{Name: "orders-cluster"}, []lastnight.Job{orders}},
		{lastnight.JobsRequest{Name: "b"}, []lastnight.Job{orders}},
		{lastnight.JobsRequest{Name: "Order"}, nil},
		{lastnight.JobsRequest{Start: at(11)}, []lastnight.Job{orders}},
		{lastnight.JobsRequest{Start: at(10), End: at(50)}, []lastnight.Job{shop}},
		{lastnight.JobsRequest{Start: at(20), End: at(100)}, []lastnight.Job{early}},
	} {
		got, err := s.Jobs(ctx, test.req)
		must(t, err)
		for j := range got {
			slices.Sort(got[j].FlinkIDs)
		}
		if diff := gocmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d %+v: %s", i, test.req, diff)
		}
	}
}

func incidents(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := func(id, ns string, sec int) lastnight.Incident {
		return lastnight.Incident{ID: id, Namespace: ns, Job: "orders", Workload: "orders-w", Start: at(sec), End: at(sec + 10), Failovers: 1}
	}
	a, b, c, p := in("a", "flink", 0), in("b", "flink", 10), in("c", "web", 10), in("p", "flink", 20)
	p.Planned = true
	a.Diagnosis = lastnight.Diagnosis{Explained: true, Cause: "tm-oomkilled", Confidence: 0.9, Chain: []lastnight.Evidence{{Time: at(0), Kind: "record", Text: strings.Repeat("trace ", 5000), Role: lastnight.RoleCause}}}
	must(t, s.PutIncidents(ctx, []lastnight.Incident{a, b, c, p}))
	must(t, s.PutIncidents(ctx, []lastnight.Incident{a, b}))
	for i, test := range []struct {
		req  lastnight.IncidentsRequest
		want string
	}{
		{lastnight.IncidentsRequest{}, "c b a"},
		{lastnight.IncidentsRequest{Planned: true}, "p c b a"},
		{lastnight.IncidentsRequest{Namespace: "flink"}, "b a"},
		{lastnight.IncidentsRequest{Job: "orders", Limit: 2}, "c b"},
		{lastnight.IncidentsRequest{Job: "orders-w", Namespace: "web"}, "c"},
		{lastnight.IncidentsRequest{Job: "none"}, ""},
		{lastnight.IncidentsRequest{Start: at(0), End: at(10)}, "a"},
		{lastnight.IncidentsRequest{Start: at(1), End: at(11)}, "c b"},
	} {
		got, err := s.Incidents(ctx, test.req)
		must(t, err)
		var ids []string
		for _, g := range got {
			ids = append(ids, g.ID)
		}
		if strings.Join(ids, " ") != test.want {
			t.Errorf("%d %+v: got %q, want %s", i, test.req, ids, test.want)
		}
	}
	got, err := s.Incident(ctx, "a")
	must(t, err)
	if diff := gocmp.Diff(&a, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	_, err = s.Incident(ctx, "none")
	wantCode(t, err, lastnight.CodeNotFound)
	moved := b
	moved.Start, moved.Job = at(-500), "renamed"
	must(t, s.PutIncidents(ctx, []lastnight.Incident{moved}))
	must(t, s.DeleteIncidents(ctx, []string{"c", "none"}))
	list, err := s.Incidents(ctx, lastnight.IncidentsRequest{})
	must(t, err)
	if len(list) != 2 || list[0].ID != "a" || list[1].Job != "renamed" {
		t.Errorf("after a change and a removal: %+v", list)
	}
}

func counts(t *testing.T, s store.Store) {
	ctx := t.Context()
	row := func(ns, job, template, level string, minute int, n int64) lastnight.TemplateCount {
		return lastnight.TemplateCount{Namespace: ns, Job: job, Template: template, Level: level, Minute: at(60 * minute), Count: n}
	}
	one := []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 0, 3), row("flink", "orders", "t1", "WARN", 1, 4), row("flink", "orders", "t2", "", 1, 1), row("web", "shop", "t1", "INFO", 5, 7)}
	two := []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 1, 10), row("flink", "orders\x00\xff", "t\xff", "X", -3000, 2)}
	has := func(source string, want bool) {
		t.Helper()
		got, err := s.HasCounts(ctx, source)
		must(t, err)
		if got != want {
			t.Errorf("has counts of %s: %v", source, got)
		}
	}
	has("s1", false)
	must(t, s.PutCounts(ctx, "s1", []lastnight.TemplateCount{row("flink", "orders", "old", "", -100, 99)}))
	for range 2 {
		must(t, s.PutCounts(ctx, "s1", one))
		must(t, s.PutCounts(ctx, "s2", two))
		must(t, s.PutCounts(ctx, "empty", nil))
	}
	has("s1", true)
	has("empty", true)
	has("s", false)
	for i, test := range []struct {
		req  store.CountsRequest
		want []lastnight.TemplateCount
	}{
		{store.CountsRequest{Start: at(0)}, []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 0, 3), row("flink", "orders", "t1", "WARN", 1, 14), row("flink", "orders", "t2", "", 1, 1), row("web", "shop", "t1", "INFO", 5, 7)}},
		{store.CountsRequest{Namespace: "web"}, []lastnight.TemplateCount{row("web", "shop", "t1", "INFO", 5, 7)}},
		{store.CountsRequest{Job: "orders", Template: "t1"}, []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 0, 3), row("flink", "orders", "t1", "WARN", 1, 14)}},
		{store.CountsRequest{Template: "t1", Start: at(60), End: at(120)}, []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 1, 14)}},
		{store.CountsRequest{Template: "t1", Start: at(119), End: at(301)}, []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 1, 14), row("web", "shop", "t1", "INFO", 5, 7)}},
		{store.CountsRequest{Template: "t1", End: at(1)}, []lastnight.TemplateCount{row("flink", "orders", "t1", "WARN", 0, 3)}},
		{store.CountsRequest{End: at(-10_000)}, []lastnight.TemplateCount{row("flink", "orders\x00\xff", "t\xff", "X", -3000, 2)}},
		{store.CountsRequest{Template: "old"}, nil},
	} {
		if diff := gocmp.Diff(merged(test.want), merged(collect(t, s.Counts(ctx, test.req)))); diff != "" {
			t.Errorf("%d %+v: %s", i, test.req, diff)
		}
	}
	for _, err := range s.Counts(ctx, store.CountsRequest{}) {
		must(t, err)
		break
	}
	must(t, s.PutCounts(ctx, "s1", nil))
	if got := collect(t, s.Counts(ctx, store.CountsRequest{Namespace: "web"})); len(got) != 0 {
		t.Errorf("counts that were replaced by none: %v", got)
	}
}

// merged adds up the pieces of each count, and sorts.
func merged(cs []lastnight.TemplateCount) []lastnight.TemplateCount {
	sums := map[lastnight.TemplateCount]int64{}
	for _, c := range cs {
		n := c.Count
		c.Count, c.Job, c.Template, c.Minute = 0, valid(c.Job), valid(c.Template), c.Minute.UTC()
		sums[c] += n
	}
	out := []lastnight.TemplateCount{}
	for c, n := range sums {
		c.Count = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b lastnight.TemplateCount) int {
		return cmp.Or(a.Minute.Compare(b.Minute), cmp.Compare(a.Template, b.Template), cmp.Compare(a.Job, b.Job))
	})
	return out
}

func dropCounts(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(source string, minutes ...int) {
		t.Helper()
		var cs []lastnight.TemplateCount
		for _, m := range minutes {
			cs = append(cs, lastnight.TemplateCount{Namespace: "n", Job: "j", Template: source, Minute: at(60 * m), Count: 1})
		}
		must(t, s.PutCounts(ctx, source, cs))
	}
	put("early", 0, 1)
	put("long", 0, 100)
	put("late", 50, 51)
	must(t, s.DropCounts(ctx, at(0).Add(-time.Hour)))
	must(t, s.DropCounts(ctx, at(60*10)))
	var got []string
	for _, source := range []string{"early", "late", "long"} {
		has, err := s.HasCounts(ctx, source)
		must(t, err)
		if has {
			got = append(got, source)
		}
	}
	if strings.Join(got, " ") != "late long" || len(collect(t, s.Counts(ctx, store.CountsRequest{}))) != 4 {
		t.Errorf("left: %q", got)
	}
}
