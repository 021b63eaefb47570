package storetest

import (
	order "cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

// Documents are what the table of queries is about: records and events of two jobs over
// three days. A backend's own tests may use them too.
func Documents() []lastnight.Document {
	two := 2
	day := 24 * 3600
	rec := func(id string, sec int, level, message string) lastnight.Document {
		head := "2026-11-21 03:00:00,000 " + level + " org.apache.flink.runtime.Foo [] - "
		return lastnight.Document{
			ID: id, Kind: lastnight.DocumentRecord, Time: at(sec), Text: head + message, MessageAt: len(head), Level: level, Logger: "org.apache.flink.runtime.Foo",
			Thread: "flink-akka.actor.default-dispatcher-4", Cluster: "prod", Namespace: "flink", Pod: "orders-taskmanager-1-1", PodUID: "u1", Container: "flink-main-container",
			Node: "node-a", Job: "orders", Component: "taskmanager", FlinkJob: "Orders Enrich", FlinkJobID: "00000000000000000000000000000abc", Template: "T-" + level,
		}
	}
	docs := []lastnight.Document{
		rec("r01", 0, "INFO", "Job Orders Enrich (abc) switched from state RUNNING to RESTARTING."),
		rec("r02", 1, "WARN", "Slow disk /var/lib/flink: took 1500 ms"),
		rec("r03", 1, "ERROR", "Exception in sink\njava.lang.OutOfMemoryError: Java heap space\n\tat com.acme.Sink.invoke(Sink.java:17)"),
		rec("r04", 2, "WARN", "Straße ΣΊΣΥΦΟΣ 日本語 über_größe"),
		rec("r05", -day, "FATAL", "the day before: running out"),
		rec("r06", day, "WARN", "the day after: OutOfMemoryError again"),
		rec("r07", 3, "", "+ exec java -Xmx512m -Dlog.file=/opt/flink/log"),
	}
	docs[1].Attrs = map[string]string{"took": "1500", "User": "Ann", "path": "/var/lib/flink"}
	docs[2].Exception = []string{"java.lang.OutOfMemoryError", "com.acme.Sink$Broken"}
	docs[2].Signals = []string{lastnight.SignalException, lastnight.SignalCause}
	docs[2].Restart, docs[2].Alike = 2, 17
	docs[0].Signals = []string{lastnight.SignalTransition}
	docs[3].Pod, docs[3].PodUID, docs[3].Node, docs[3].Job, docs[3].FlinkJob, docs[3].FlinkJobID = "shop-0", "u2", "node-b", "shop", "", ""
	docs[3].Container, docs[3].Stderr, docs[3].Restart = "sidecar", true, 1
	docs[5].Namespace, docs[5].Job, docs[5].Logger = "other", "billing", "com.acme.Billing"
	return append(docs, lastnight.Document{
		ID: "e01", Kind: lastnight.DocumentEvent, Time: at(1), Text: "Back-off restarting failed container", Level: "WARN", Namespace: "flink", Pod: "orders-taskmanager-1-1", Node: "node-a", Job: "orders",
		Event: &lastnight.Event{
			ID: "e01", Time: at(1), Kind: lastnight.EventKubernetes, Type: "Warning", Reason: "BackOff", Message: "Back-off restarting failed container", Count: 3,
			Object: lastnight.ObjectRef{Kind: "Pod", Namespace: "flink", Name: "orders-taskmanager-1-1", UID: "u1"}, Component: "kubelet",
		},
	}, lastnight.Document{
		ID: "e02", Kind: lastnight.DocumentEvent, Time: at(4), Text: "container was killed", Namespace: "flink", Pod: "shop-0", Container: "sidecar", Node: "node-b", Job: "shop",
		Event: &lastnight.Event{
			ID: "e02", Time: at(4), Kind: lastnight.EventContainer, Reason: "OOMKilled", State: "terminated", ExitCode: &two, Object: lastnight.ObjectRef{Kind: "Pod", Name: "shop-0"},
		},
	})
}

// Queries gives, for queries over Documents, the ids that every backend finds, oldest first.
func Queries() map[string]string {
	return map[string]string{
		"":                                     "r05 r01 e01 r02 r03 r04 r07 e02 r06",
		"running":                              "r05 r01",
		"RUNNING to":                           "r01",
		`"running to"`:                         "r01",
		`"to running"`:                         "",
		"runnin":                               "",
		"runn*":                                "r05 r01",
		"*unning":                              "r05 r01",
		"out*error":                            "r03 r06",
		"outofmemoryerror":                     "r03 r06",
		"java.lang.*":                          "r03",
		"com.acme.Sink":                        "r03",
		"com.*.invoke":                         "",
		"/var/":                                "r02",
		`"/var/lib/flink"`:                     "r02",
		"/took [0-9]{4,} ms/":                  "r02",
		"/^java/":                              "r03",
		"strasse":                              "",
		"STRAßE":                               "r04",
		"σίσυφος":                              "r04",
		"日本語":                                  "r04",
		"über_*":                               "r04",
		"größe":                                "",
		"backoff":                              "e01",
		`"back off"`:                           "e01",
		"orders-taskmanager-1-1":               "e01",
		"failed or again":                      "e01 r06",
		"(sink or disk) -slow":                 "r03",
		"not level:*":                          "r07 e02",
		"level>=ERROR":                         "r05 r03",
		"level:warn":                           "e01 r02 r04 r06",
		"level:warning":                        "e01 r02 r04 r06",
		"level<warn":                           "r01",
		"restart>0":                            "r03 r04",
		"restart:2":                            "r03",
		"job:orders":                           "r05 r01 e01 r02 r03 r07",
		"job:ORDERS":                           "r05 r01 e01 r02 r03 r07",
		`job:"orders enrich" -level:*`:         "r07",
		"job:order":                            "",
		"job:*op":                              "r04 e02",
		"job:(shop or billing)":                "r04 e02 r06",
		"ns:other":                             "r06",
		"pod:orders-*-1-1 level:error":         "r03",
		"k8s.pod.uid:u2":                       "r04",
		"node:node-b":                          "r04 e02",
		"container:sidecar":                    "r04 e02",
		"comp:taskmanager r":                   "",
		"logger:foo -ns:flink":                 "",
		"logger:billing":                       "r06",
		"logger:com.*":                         "r06",
		"thread:flink-akka* exec":              "r07",
		"template:t-error":                     "r03",
		"exception:outofmemoryerror":           "r03",
		"exception:java.lang.OutOfMemoryError": "r03",
		"exception:broken":                     "r03",
		"exception:*":                          "r03",
		"exception:memory":                     "",
		"signal:transition":                    "r01",
		"signal:*":                             "r01 r03",
		"reason:oomkilled":                     "e02",
		"reason:*":                             "e01 e02",
		"kind:event":                           "e01 e02",
		"kind:container":                       "e02",
		"kind:record ns:other":                 "r06",
		"type:warning":                         "e01",
		"object:shop-0":                        "e02",
		"attr.took>1000":                       "r02",
		"attr.took<=1000":                      "",
		"attr.User:ANN":                        "r02",
		"attr.user:ann":                        "",
		"attr.path:/var/*":                     "r02",
		"attr.path:*":                          "r02",
		"message:org":                          "",
		"message:exec":                         "r07",
		"flink.job.name:orders* -running -level:*": "r07",
		"flink.job.id:*ABC exec":                   "r07",
		"log.iostream:stderr":                      "r04",
		"k8s.cluster.name:prod disk":               "r02",
		"-kind:record -reason:backoff":             "e02",
		`incident:"" disk`:                         "r02",
		"incident:x":                               "",
	}
}

func queries(t *testing.T, s store.Store) {
	docs := Documents()
	must(t, s.Index(t.Context(), docs))
	for q, want := range Queries() {
		req := lastnight.SearchRequest{Query: q, Oldest: true}
		if got := strings.Join(search(t, s, req), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", q, got, want)
		}
		if got := strings.Join(truth(t, docs, req), " "); got != want {
			t.Errorf("%s: query.Match finds %s, want %s", q, got, want)
		}
	}
	got := collect(t, s.Search(t.Context(), lastnight.SearchRequest{Oldest: true}))
	slices.SortFunc(docs, func(a, b lastnight.Document) int { return query.ComparePositions(a.Time, a.ID, b.Time, b.ID) })
	if diff := cmp.Diff(docs, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what comes back is not what was put (-put +got):\n%s", diff)
	}
}

// truth gives what a request finds by the book.
func truth(t *testing.T, docs []lastnight.Document, req lastnight.SearchRequest) []string {
	t.Helper()
	f, err := query.NewFilter(&req)
	must(t, err)
	docs = slices.Clone(docs)
	slices.SortFunc(docs, func(a, b lastnight.Document) int { return query.ComparePositions(a.Time, a.ID, b.Time, b.ID) })
	if !req.Oldest {
		slices.Reverse(docs)
	}
	ids := []string{}
	for i := range docs {
		if f.Match(&docs[i]) && (req.Limit == 0 || len(ids) < req.Limit) {
			ids = append(ids, docs[i].ID)
		}
	}
	return ids
}

func requests(t *testing.T, s store.Store) {
	docs := Documents()
	must(t, s.Index(t.Context(), docs))
	zero, two := 0, 2
	for i, test := range []struct {
		req  lastnight.SearchRequest
		want string
	}{
		{lastnight.SearchRequest{}, "r06 e02 r07 r04 r03 r02 e01 r01 r05"},
		{lastnight.SearchRequest{Limit: 3}, "r06 e02 r07"},
		{lastnight.SearchRequest{Limit: 1, Oldest: true}, "r05"},
		{lastnight.SearchRequest{Start: at(1), End: at(3)}, "r04 r03 r02 e01"},
		{lastnight.SearchRequest{Start: at(1), End: at(3), Oldest: true}, "e01 r02 r03 r04"},
		{lastnight.SearchRequest{Start: at(1).Add(time.Nanosecond), End: at(3).Add(time.Nanosecond)}, "r07 r04"},
		{lastnight.SearchRequest{Start: at(3), End: at(3)}, ""},
		{lastnight.SearchRequest{Start: at(1), End: at(-1)}, ""},
		{lastnight.SearchRequest{End: at(0)}, "r05"},
		{lastnight.SearchRequest{Start: at(5)}, "r06"},
		{lastnight.SearchRequest{Start: at(5).In(time.FixedZone("x", 3600))}, "r06"},
		{lastnight.SearchRequest{Namespace: "other"}, "r06"},
		{lastnight.SearchRequest{Namespace: "oth"}, ""},
		{lastnight.SearchRequest{Namespace: "Other"}, ""},
		{lastnight.SearchRequest{Job: "shop"}, "e02 r04"},
		{lastnight.SearchRequest{Job: "Orders Enrich", Query: "running"}, "r01 r05"},
		{lastnight.SearchRequest{Job: "00000000000000000000000000000abc"}, ""},
		{lastnight.SearchRequest{Pod: "shop-0"}, "e02 r04"},
		{lastnight.SearchRequest{PodUID: "u2"}, "r04"},
		{lastnight.SearchRequest{Container: "sidecar", Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}}, "r04"},
		{lastnight.SearchRequest{Node: "node-b"}, "e02 r04"},
		{lastnight.SearchRequest{Restart: &two}, "r03"},
		{lastnight.SearchRequest{Restart: &zero, Namespace: "flink", Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}}, "r07 r02 r01 r05"},
		{lastnight.SearchRequest{Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent}}, "e02 e01"},
		{lastnight.SearchRequest{Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent, lastnight.DocumentRecord}, Limit: 2}, "r06 e02"},
		{lastnight.SearchRequest{Signals: []string{"transition", "cause"}}, "r03 r01"},
		{lastnight.SearchRequest{Signals: []string{"none"}}, ""},
		{lastnight.SearchRequest{Query: "level:warn", Job: "orders", Start: at(0), End: at(100)}, "r02 e01"},
		{lastnight.SearchRequest{Important: true, Limit: 1}, "r06"},
	} {
		if got := strings.Join(search(t, s, test.req), " "); got != test.want {
			t.Errorf("%d %+v:\n got %s\nwant %s", i, test.req, got, test.want)
		}
		if got := strings.Join(truth(t, docs, test.req), " "); got != test.want {
			t.Errorf("%d %+v: by the book it is %s, want %s", i, test.req, got, test.want)
		}
	}
}

// many gives n documents, many at the same time, over two days.
func many(n int) []lastnight.Document {
	docs := make([]lastnight.Document, n)
	for i := range docs {
		docs[i] = lastnight.Document{
			ID: fmt.Sprintf("m%05d", (i*7919)%n), Kind: lastnight.DocumentRecord, Time: at((i / 7) * 86400 / n), Level: []string{"WARN", "ERROR"}[i%2],
			Text: fmt.Sprintf("record number %d of group g%d", i, i%10), Namespace: "flink", Job: "many",
		}
	}
	return docs
}

func cursors(t *testing.T, s store.Store) {
	docs := many(500)
	must(t, s.Index(t.Context(), docs))
	for _, req := range []lastnight.SearchRequest{
		{},
		{Oldest: true},
		{Query: "g3"},
		{Query: "level:error -g1", Oldest: true, Start: at(100), End: at(9000)},
	} {
		want := truth(t, docs, req)
		req.Limit = 7
		var got []string
		for page := collect(t, s.Search(t.Context(), req)); len(page) > 0; page = collect(t, s.Search(t.Context(), req)) {
			for _, d := range page {
				got = append(got, d.ID)
			}
			last := page[len(page)-1]
			req.Cursor = lastnight.CursorOf(last.Time, last.ID)
			if len(got) > len(docs) {
				t.Fatalf("%+v: pages have no end", req)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: pages are not the whole (-whole +pages):\n%s", req, diff)
		}
	}
}

// again holds that what arrives again, and in any order, changes nothing, but where it knows more.
func again(t *testing.T, s store.Store) {
	docs := Documents()
	for range 3 {
		must(t, s.Index(t.Context(), docs))
	}
	if got := search(t, s, lastnight.SearchRequest{}); len(got) != len(docs) {
		t.Errorf("put three times: %q", got)
	}
	grown, short, other := docs[1], docs[1], docs[1]
	grown.Text, grown.Alike = grown.Text+", then 1700", 5
	short.Text, short.Alike = "quick disk", 3
	other.Text = strings.ReplaceAll(other.Text, "Slow", "Mild")
	for _, order := range [][]lastnight.Document{{other, grown, short}, {short}, {docs[1]}, {other}} {
		must(t, s.Index(t.Context(), order))
		for q, want := range map[string]string{"slow": "r02", "1700": "r02", "mild": "", "quick": ""} {
			if got := strings.Join(search(t, s, lastnight.SearchRequest{Query: q}), " "); got != want {
				t.Errorf("%s: got %s, want %s", q, got, want)
			}
		}
	}
	got := collect(t, s.Search(t.Context(), lastnight.SearchRequest{Query: "slow"}))
	if diff := cmp.Diff([]lastnight.Document{grown}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	must(t, s.Index(t.Context(), nil))
}

func alike(t *testing.T, s store.Store) {
	docs := many(600)
	must(t, s.Index(t.Context(), docs))
	of := func(i int, n int64) store.Alike { return store.Alike{ID: docs[i].ID, Time: docs[i].Time, N: n} }
	must(t, s.PutAlike(t.Context(), []store.Alike{of(3, 7), of(5, 2), of(3, 9), of(599, 4)}))
	must(t, s.PutAlike(t.Context(), []store.Alike{
		of(3, 8), of(5, 2), {ID: "unknown", Time: docs[0].Time, N: 3}, {ID: docs[0].ID, Time: docs[0].Time.AddDate(1, 0, 0), N: 3},
	}))
	must(t, s.PutAlike(t.Context(), nil))
	must(t, s.Index(t.Context(), docs)) // once more, by somebody who knows nothing of it
	docs[3].Alike, docs[5].Alike, docs[599].Alike = 9, 2, 4
	want5 := docs[5].ID
	slices.SortFunc(docs, func(a, b lastnight.Document) int { return order.Or(a.Time.Compare(b.Time), order.Compare(a.ID, b.ID)) })
	got := collect(t, s.Search(t.Context(), lastnight.SearchRequest{Oldest: true}))
	if diff := cmp.Diff(docs, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if got := search(t, s, lastnight.SearchRequest{Query: "number -absent 5"}); !slices.Contains(got, want5) {
		t.Errorf("by its words: %q", got)
	}
}

func hostile(t *testing.T, s store.Store) {
	long := strings.Repeat("x", 1<<20)
	var big strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&big, "w%d ", i)
	}
	texts := []string{
		"nul \x00 inside", "bad \xff\xfe utf8 caf\xc3", long + " tail", big.String() + "theend", "", "\n\n\n", strings.Repeat("\u0301", 1000), "emoji 😀 done",
		`"quotes" \ back`, "<b>&amp;</b>", "\u2028 line", strings.Repeat("{[", 10_000),
	}
	var docs []lastnight.Document
	for i, text := range texts {
		d := lastnight.Document{
			ID: fmt.Sprintf("h%02d", i), Kind: lastnight.DocumentRecord, Time: at(i), Text: text, Level: "WEIRD", Logger: text[:min(len(text), 50_000)], Job: "h\x00\xff", Namespace: "ns",
			Pod: text[:min(len(text), 10)], Attrs: map[string]string{"a.b\x00\xff:*\"": "v\xff", "": "empty name", "long": long[:40_000], strings.Repeat("n", 5000): "1"},
			Exception: []string{"", "a$", ".", text[:min(len(text), 300)]}, Signals: []string{""}, MessageAt: 1 << 40, Restart: -3,
		}
		docs = append(docs, d)
	}
	docs = append(
		docs, lastnight.Document{ID: strings.Repeat("i", 512), Time: at(50), Text: "long id"}, lastnight.Document{ID: "a\x00b", Time: at(51), Text: "nul id"},
		lastnight.Document{ID: "no-time", Text: "no time"}, lastnight.Document{ID: "late", Time: time.Date(9999, 1, 1, 0, 0, 0, 5, time.UTC), Text: "too late"},
		lastnight.Document{ID: "early", Time: time.Date(1700, 1, 1, 0, 0, 0, 5, time.UTC), Text: "early"}, lastnight.Document{ID: "no-event", Kind: lastnight.DocumentEvent, Time: at(52)},
	)
	must(t, s.Index(t.Context(), docs))
	for _, q := range []string{
		"", "nul", "inside", "utf8", "caf", "cafe", "tail", "theend", "w19999", "w1999*", "emoji", "done", "back", "amp", "attr.long:x*", "attr.long:*", "job:*", "exception:*", "level:*",
		"logger:x*", `"too late"`, "time", "restart<0", "signal:*", "/x{100} tail$/", "early", "pod:nul*", `attr.a.b\:x:v`, "kind:event",
	} {
		req := lastnight.SearchRequest{Query: q, Oldest: true}
		if diff := cmp.Diff(truth(t, docs, req), search(t, s, req)); diff != "" {
			t.Errorf("%s (-by the book +got):\n%s", q, diff)
		}
	}
	got := collect(t, s.Search(t.Context(), lastnight.SearchRequest{Oldest: true}))
	byID := map[string]lastnight.Document{}
	for _, d := range docs {
		byID[d.ID] = d
	}
	for _, d := range got {
		put := byID[d.ID]
		if valid(put.Text) != valid(d.Text) || !put.Time.Equal(d.Time) || valid(put.Logger) != valid(d.Logger) || len(put.Attrs) != len(d.Attrs) || put.Restart != d.Restart || put.MessageAt != d.MessageAt {
			t.Errorf("%.20q did not come back as it was put", d.ID)
		}
	}
	for _, id := range []string{"", strings.Repeat("i", 513)} {
		wantCode(t, s.Index(t.Context(), []lastnight.Document{{ID: id, Time: at(0)}}), lastnight.CodeInvalid)
	}
}

func dropDocuments(t *testing.T, s store.Store) {
	must(t, s.Index(t.Context(), Documents()))
	drop := func(to time.Time, want int, left string) {
		t.Helper()
		n, err := s.DropDocuments(t.Context(), to)
		must(t, err)
		if n != want {
			t.Errorf("dropped %d before %s, want %d", n, to, want)
		}
		if got := strings.Join(search(t, s, lastnight.SearchRequest{Oldest: true}), " "); got != left {
			t.Errorf("left before %s: %s, want %s", to, got, left)
		}
	}
	drop(at(-90_000), 0, "r05 r01 e01 r02 r03 r04 r07 e02 r06")
	drop(at(0), 1, "r01 e01 r02 r03 r04 r07 e02 r06")
	drop(at(2), 4, "r04 r07 e02 r06")
	drop(at(2), 0, "r04 r07 e02 r06")
	must(t, s.Index(t.Context(), Documents()[:1]))
	drop(at(2), 1, "r04 r07 e02 r06")
	drop(at(1_000_000), 4, "")
	must(t, s.Index(t.Context(), Documents()[:1]))
	drop(at(0), 0, "r01")
}

func badSearch(t *testing.T, s store.Store) {
	must(t, s.Index(t.Context(), Documents()))
	for _, req := range []lastnight.SearchRequest{{Query: "jbo:x"}, {Query: "("}, {Cursor: "no cursor"}} {
		n := 0
		for _, err := range s.Search(t.Context(), req) {
			wantCode(t, err, lastnight.CodeInvalid)
			n++
		}
		if n != 1 {
			t.Errorf("%+v: %d answers, want one error", req, n)
		}
	}
	for _, err := range s.Search(t.Context(), lastnight.SearchRequest{}) {
		must(t, err)
		break // a caller that has enough holds nothing
	}
	must(t, s.Index(t.Context(), Documents()))
}

// concurrentIndex writes, reads and writes within reads, all at once.
func concurrentIndex(t *testing.T, s store.Store) {
	docs := many(400)
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part * 100; i < part*100+100; i += 20 {
				if err := s.Index(t.Context(), docs[i:i+20]); err != nil {
					t.Error(err)
				}
				for d, err := range s.Search(t.Context(), lastnight.SearchRequest{Query: fmt.Sprintf("number -absent %d", i), Oldest: true}) {
					if err != nil || s.Index(t.Context(), []lastnight.Document{d}) != nil {
						t.Error("write while reading failed", err)
					}
				}
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(truth(t, docs, lastnight.SearchRequest{Query: "g4"}), search(t, s, lastnight.SearchRequest{Query: "g4"})); diff != "" {
		t.Error(diff)
	}
}
