package kube_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector/kube"
)

const recorded = "../testdata/case"

// read gives a recorded file, decompressed.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(recorded, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// told writes an event as one line.
func told(e *lastnight.Event) string {
	s := fmt.Sprintf("%s %s %s %s/%s", e.Time.Format("15:04:05"), e.Kind, e.Reason, e.Object.Kind, e.Object.Name)
	if e.State != "" {
		s += fmt.Sprintf(" %s#%d %s", e.Container, e.Restart, e.State)
	}
	if e.ExitCode != nil {
		s += fmt.Sprintf(" exit %d", *e.ExitCode)
	}
	if e.Node != "" {
		s += " on " + e.Node
	}
	return s
}

func tell(events []lastnight.Event) []string {
	var lines []string
	for i := range events {
		lines = append(lines, told(&events[i]))
	}
	slices.Sort(lines)
	return lines
}

func decoder(t testing.TB) *kube.Decoder {
	d := kube.NewDecoder("c1")
	d.Report = func(at int64, what string) { t.Errorf("at %d: %s", at, what) }
	return d
}

func TestPodsWatch(t *testing.T) {
	d := decoder(t)
	raw := read(t, "pods-watch.jsonl.gz")
	d.DecodeLines(bytes.NewReader(raw), "Pod")
	const jm, tm = "Pod/ledger-rollup-549d5c599-9f2hg", "Pod/clickstream-sessions-taskmanager-1-"
	want := []string{
		"11:53:42 pod Scheduled " + tm + "2 on node-a",
		"11:53:43 container Running " + tm + "2 flink-main-container#0 running on node-a",
		"11:53:43 pod Running " + tm + "2 on node-a",
		"11:54:46 container OOMKilled " + tm + "2 flink-main-container#0 terminated exit 137 on node-a",
		"11:54:46 pod Deleted " + tm + "2 on node-a",
		"11:54:46 pod Failed " + tm + "2 on node-a",
		"11:54:46 pod Scheduled " + tm + "3 on node-b",
		"11:54:47 container Running " + tm + "3 flink-main-container#0 running on node-b",
		"11:54:47 pod Removed " + tm + "2 on node-a",
		"11:54:47 pod Running " + tm + "3 on node-b",
		"11:55:33 pod Deleted " + tm + "3 on node-b",
		"11:55:35 container Error " + tm + "3 flink-main-container#0 terminated exit 143 on node-b",
		"11:55:35 pod Failed " + tm + "3 on node-b",
		"11:55:35 pod Removed " + tm + "3 on node-b",
		"11:58:42 pod Scheduled " + jm + " on node-a",
		"11:58:43 container Running " + jm + " flink-main-container#0 running on node-a",
		"11:58:43 pod Running " + jm + " on node-a",
		"11:59:44 container Error " + jm + " flink-main-container#0 terminated exit 137 on node-a",
		"11:59:45 container Running " + jm + " flink-main-container#1 running on node-a",
		"12:00:48 pod Deleted " + jm + " on node-a",
		"12:00:53 container Error " + jm + " flink-main-container#1 terminated exit 239 on node-a",
		"12:00:53 pod Failed " + jm + " on node-a",
		"12:00:54 pod Removed " + jm + " on node-a",
	}
	if diff := cmp.Diff(want, tell(d.Events())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	d.DecodeLines(bytes.NewReader(raw), "Pod")
	if again := d.Events(); len(again) != 0 {
		t.Errorf("read again, these are new: %v", tell(again))
	}
	pods := d.Pods()
	if len(pods) != 3 {
		t.Fatalf("%d pods", len(pods))
	}
	p := pods[slices.IndexFunc(pods, func(p lastnight.Pod) bool { return "Pod/"+p.Name == jm })]
	if p.Cluster != "c1" || p.Owner.Kind != "ReplicaSet" || p.Node != "node-a" || p.IP == "" || p.Labels["app"] != "ledger-rollup" || len(p.Images) != 1 ||
		!p.Deleted.Equal(time.Date(2026, 11, 21, 12, 0, 48, 0, time.UTC)) || p.Created.IsZero() {
		t.Errorf("pod %+v", p)
	}
}

// TestLastVersionAlone holds that a list read at the end tells of the same occurrences, by the same ids, as the watch did.
func TestLastVersionAlone(t *testing.T) {
	raw := read(t, "pods-watch.jsonl.gz")
	watch := decoder(t)
	watch.DecodeLines(bytes.NewReader(raw), "Pod")
	known := map[string]string{}
	for _, e := range watch.Events() {
		known[e.ID] = told(&e)
	}
	for line := range bytes.Lines(raw) {
		d := decoder(t)
		d.DecodeLines(bytes.NewReader(line), "")
		for _, e := range d.Events() {
			if _, ok := known[e.ID]; !ok {
				t.Errorf("one version alone tells of %s, the watch does not", told(&e))
			}
		}
	}
}

func TestEventsListAndWatchAreOne(t *testing.T) {
	d := decoder(t)
	d.DecodeLines(bytes.NewReader(read(t, "events-watch.jsonl.gz")), "Event")
	events := d.Events()
	d.DecodeList(bytes.NewReader(read(t, "events.json")), "Event")
	if more := d.Events(); len(more) != 0 {
		t.Errorf("only in the list: %v", tell(more))
	}
	i := slices.IndexFunc(events, func(e lastnight.Event) bool { return e.Reason == "Started" })
	if i < 0 {
		t.Fatalf("no Started in %v", tell(events))
	}
	e := events[i]
	if e.Kind != lastnight.EventKubernetes || e.Type != "Normal" || e.Container != "flink-main-container" || e.Component != "kubelet" ||
		e.Node == "" || e.Count != 1 || e.Object.UID == "" || e.Cluster != "c1" || e.Message != "Started container flink-main-container" {
		t.Errorf("event %+v", e)
	}
}

func TestNodesBeforeAndAfter(t *testing.T) {
	d := decoder(t)
	d.DecodeList(bytes.NewReader(read(t, "nodes-before.json.gz")), "Node")
	if first := d.Events(); len(first) != 0 {
		t.Errorf("nodes in order tell of %v", tell(first))
	}
	d.DecodeList(bytes.NewReader(read(t, "nodes-after.json.gz")), "Node")
	if diff := cmp.Diff([]string{"12:03:02 node Cordoned Node/node-a on node-a"}, tell(d.Events())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

const node = `{"kind":"Node","metadata":{"name":"n1","uid":"u1","resourceVersion":"%d"},"spec":{%s},"status":{"conditions":[
 {"type":"Ready","status":"%s","reason":"R","message":"m","lastTransitionTime":"2026-11-21T12:%s:00Z"},
 {"type":"MemoryPressure","status":"%s","lastTransitionTime":"2026-11-21T12:%s:00Z"}]}}`

func TestNodeVersions(t *testing.T) {
	d := decoder(t)
	for _, n := range []string{
		fmt.Sprintf(node, 1, "", "True", "00", "False", "00"),
		fmt.Sprintf(node, 2, "", "True", "00", "True", "01"),
		fmt.Sprintf(node, 3, `"unschedulable":true`, "Unknown", "02", "True", "01"),
		fmt.Sprintf(node, 4, `"unschedulable":true,"taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoExecute","timeAdded":"2026-11-21T12:03:00Z"}]`, "Unknown", "02", "True", "01"),
		fmt.Sprintf(node, 1, "", "True", "00", "False", "00"), // an older version again
		fmt.Sprintf(node, 5, "", "True", "04", "False", "04"),
	} {
		d.DecodeList(strings.NewReader(n), "")
	}
	want := []string{
		"12:01:00 node MemoryPressure Node/n1 on n1", "12:02:00 node Cordoned Node/n1 on n1", "12:02:00 node NodeNotReady Node/n1 on n1",
		"12:03:00 node Tainted Node/n1 on n1", "12:04:00 node MemoryPressure Node/n1 on n1", "12:04:00 node NodeReady Node/n1 on n1", "12:04:00 node Uncordoned Node/n1 on n1",
	}
	if diff := cmp.Diff(want, tell(d.Events())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestStatesOfPods(t *testing.T) {
	for name, tc := range map[string]struct {
		status string
		want   []string
	}{
		"crash loop": {
			`"containerStatuses":[{"name":"c","restartCount":3,"containerID":"x://3","state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}},
			  "lastState":{"terminated":{"exitCode":1,"reason":"Error","containerID":"x://3","startedAt":"2026-11-21T12:00:01Z","finishedAt":"2026-11-21T12:00:02Z"}}}]`,
			[]string{"12:00:01 container Running Pod/p c#3 running on n", "12:00:02 container CrashLoopBackOff Pod/p c#3 waiting on n", "12:00:02 container Error Pod/p c#3 terminated exit 1 on n"},
		},
		"quick restart": {
			`"containerStatuses":[{"name":"c","restartCount":1,"containerID":"x://b","state":{"running":{"startedAt":"2026-11-21T12:00:03Z"}},
			  "lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","containerID":"x://a","startedAt":"2026-11-21T12:00:01Z","finishedAt":"2026-11-21T12:00:02Z"}}}]`,
			[]string{"12:00:01 container Running Pod/p c#0 running on n", "12:00:02 container OOMKilled Pod/p c#0 terminated exit 137 on n", "12:00:03 container Running Pod/p c#1 running on n"},
		},
		"on its way":    {`"containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ContainerCreating"}}}],"initContainerStatuses":[{"name":"i","state":{"waiting":{"reason":"PodInitializing"}}}]`, nil},
		"image":         {`"startTime":"2026-11-21T12:00:05Z","containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ImagePullBackOff","message":"no such tag"}}}]`, []string{"12:00:05 container ImagePullBackOff Pod/p c#0 waiting on n"}},
		"unschedulable": {`"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/2 nodes","lastTransitionTime":"2026-11-21T12:00:06Z"}]`, []string{"12:00:06 pod Unschedulable Pod/p on n"}},
		"evicted": {
			`"phase":"Failed","reason":"Evicted","message":"low on memory","conditions":[{"type":"DisruptionTarget","status":"True","reason":"TerminationByKubelet","lastTransitionTime":"2026-11-21T12:00:07Z"}]`,
			[]string{"12:00:07 pod Evicted Pod/p on n", "12:00:07 pod Failed Pod/p on n", "12:00:07 pod TerminationByKubelet Pod/p on n"},
		},
		"no container id": {
			`"containerStatuses":[{"name":"c","state":{"terminated":{"exitCode":0,"finishedAt":"2026-11-21T12:00:08Z"}}}]`,
			[]string{"12:00:08 container Completed Pod/p c#0 terminated exit 0 on n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := decoder(t)
			d.DecodeList(strings.NewReader(`{"kind":"Pod","metadata":{"name":"p","namespace":"ns","uid":"u","unknown":{"x":1}},"spec":{"nodeName":"n"},"status":{`+tc.status+`}}`), "")
			if diff := cmp.Diff(tc.want, tell(d.Events())); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewEventsAPI(t *testing.T) {
	core := `{"kind":"Event","metadata":{"name":"e","namespace":"ns","uid":"u"},"involvedObject":{"kind":"Pod","name":"p","namespace":"ns"},"reason":"FailedScheduling","message":"no","type":"Warning",
	  "eventTime":"2026-11-21T12:00:00.123456Z","series":{"count":3,"lastObservedTime":"2026-11-21T12:00:09.500000Z"},"reportingComponent":"default-scheduler","firstTimestamp":null,"lastTimestamp":null}`
	v1 := `{"kind":"Event","metadata":{"name":"e","namespace":"ns","uid":"u"},"regarding":{"kind":"Pod","name":"p","namespace":"ns"},"reason":"FailedScheduling","note":"no","type":"Warning",
	  "eventTime":"2026-11-21T12:00:00.123456Z","series":{"count":3,"lastObservedTime":"2026-11-21T12:00:09.500000Z"},"reportingController":"default-scheduler"}`
	d := decoder(t)
	d.DecodeList(strings.NewReader(core), "")
	events := d.Events()
	if len(events) != 1 || events[0].Count != 3 || events[0].Component != "default-scheduler" || !events[0].Time.Equal(time.Date(2026, 11, 21, 12, 0, 9, 500e6, time.UTC)) {
		t.Fatalf("events %+v", events)
	}
	d.DecodeList(strings.NewReader(v1), "")
	if more := d.Events(); len(more) != 0 {
		t.Errorf("the same event in events.k8s.io/v1 is another: %v", tell(more))
	}
}

func TestMalformed(t *testing.T) {
	good := `{"metadata":{"uid":"%d"},"involvedObject":{},"reason":"R","lastTimestamp":"2026-11-21T12:00:00Z"}`
	for name, tc := range map[string]struct {
		file   string
		lines  bool
		events int
		want   []string
	}{
		"line":        {fmt.Sprintf(good+"\n{broken\n\n"+good+"\n", 1, 2), true, 2, []string{"2: malformed JSON"}},
		"item":        {`{"items":[` + fmt.Sprintf(good, 1) + `,{"count":"three"},5,` + fmt.Sprintf(good, 2) + `]}`, false, 2, []string{"malformed object", "malformed object"}},
		"cut":         {`{"items":[` + fmt.Sprintf(good, 1) + `,` + fmt.Sprintf(good, 2)[:20], false, 1, []string{"not JSON from here on: unexpected EOF"}},
		"no time":     {`{"items":[{"reason":"R"}]}`, false, 0, []string{"event without any time"}},
		"other kind":  {`{"kind":"Secret"}`, false, 0, []string{`kind "Secret"`}},
		"not objects": {`[1,2]`, false, 0, []string{"want an object"}},
		"watch error": {`{"type":"ERROR","object":{"kind":"Status","code":410}}` + "\n" + `{"type":"BOOKMARK","object":{"kind":"Event"}}`, true, 0, []string{"1: the watch failed here"}},
		"null items":  {`{"items":null}`, false, 0, nil},
		"empty":       {"", false, 0, nil},
		"kind behind": {`{"items":[` + fmt.Sprintf(good, 1) + `],"kind":"EventList"}`, false, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := kube.NewDecoder("")
			var got []string
			d.Report = func(at int64, what string) { got = append(got, fmt.Sprintf("%d: %s", at, what)) }
			if tc.lines {
				d.DecodeLines(strings.NewReader(tc.file), "Event")
			} else {
				d.DecodeList(strings.NewReader(tc.file), "Event")
			}
			if n := len(d.Events()); n != tc.events {
				t.Errorf("%d events, want %d", n, tc.events)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("reports %q, want %q", got, tc.want)
			}
			for i := range got {
				if !strings.Contains(got[i], tc.want[i]) {
					t.Errorf("report %q, want %q", got[i], tc.want[i])
				}
			}
		})
	}
}

// FuzzKube holds that anything is taken, and that every event is whole and comes once.
func FuzzKube(f *testing.F) {
	for _, name := range []string{"pods-watch.jsonl.gz", "events-watch.jsonl.gz"} {
		for line := range bytes.Lines(read(f, name)) {
			f.Add(line)
		}
	}
	f.Add(fmt.Appendf(nil, node, 1, `"unschedulable":true`, "False", "00", "True", "00"))
	f.Add([]byte(`{"items":[{"metadata":{}},null,[]],"kind":"PodList"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		d := kube.NewDecoder("")
		seen := map[string]bool{}
		for _, kind := range []string{"Event", "Pod", "Node", ""} {
			d.DecodeLines(bytes.NewReader(file), kind)
			d.DecodeList(bytes.NewReader(file), kind)
			for _, e := range d.Events() {
				if e.ID == "" || e.Reason == "" || e.Time.IsZero() || e.Kind == "" || seen[e.ID] {
					t.Errorf("event %+v", e)
				}
				seen[e.ID] = true
			}
		}
		d.Pods()
	})
}
