package apitest

import (
	"fmt"
	"time"

	"lastnight"
)

// Night is the moment that Sample is about: a task manager is killed for want of memory.
var Night = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// Sample is a small night with everything in it: two jobs, a pod that is gone with
// lines of any bytes, events, templates, an explained incident, an unexplained and a planned one.
func Sample() *Memory {
	s := lastnight.Stream{
		Cluster: "c1", Namespace: "flink", Pod: "orders-enrich-taskmanager-1-1", PodUID: "8c1f", Container: "flink-main-container", Restart: 1, Node: "node-a",
	}
	m := &Memory{
		JobList: []lastnight.Job{
			{
				Cluster: "c1", Namespace: "flink", Name: "orders-enrich", Kind: lastnight.JobFlink, Workload: "orders-enrich",
				FlinkIDs: []string{"5f2b0c1d5f2b0c1d5f2b0c1d5f2b0c1d"}, FirstSeen: Night.Add(-time.Hour), LastSeen: Night.Add(time.Hour), Incidents: 2,
			},
			{Namespace: "web", Name: "shop/front end", Kind: lastnight.JobDeployment, Workload: "shop/front end", FirstSeen: Night, LastSeen: Night},
		},
		StreamInfos: []lastnight.StreamInfo{{
			Stream: s, ID: s.ID(), Job: "orders-enrich", Component: "taskmanager", Kind: lastnight.JobFlink,
			First: Night, Last: Night.Add(9 * time.Second), Lines: 10, Bytes: 300,
		}},
		TemplateTexts: []lastnight.Template{
			{
				ID: "t1", Text: "Job <*> switched from state RUNNING to RESTARTING.", Level: "INFO", Link: "t0", Example: "Job 1 switched",
				Exception: []string{"java.lang.OutOfMemoryError"}, FirstSeen: Night, LastSeen: Night,
			},
			{ID: "t2", Text: "line <*>", FirstSeen: Night, LastSeen: Night},
		},
		Counts: []lastnight.TemplateCount{
			{Namespace: "flink", Job: "orders-enrich", Template: "t1", Level: "INFO", Minute: Night, Count: 2},
			{Namespace: "flink", Job: "orders-enrich", Template: "t2", Minute: Night.Add(time.Minute), Count: 8},
		},
		IncidentList: incidents(),
	}
	g := lastnight.Generation{Start: Night.UnixNano(), Sum: 0xfeed}
	texts := [][]byte{
		[]byte("line 0 <&> \u2028"),
		{},
		[]byte("line 2 \xff\xfe\x00 not text"), []byte(" \t line 3\r"), []byte("line 4 {\"a\":1}"),
		[]byte("line 5"), []byte("line 6"), []byte("line 7"), []byte("line 8"), []byte("line 9 the end"),
	}
	for i, text := range texts {
		at := Night.Add(time.Duration(i)*time.Second + 123456789)
		id := lastnight.NewLineID(s.ID(), g, int64(i*100))
		m.Lines = append(m.Lines, lastnight.RawLine{Stream: s, ID: id, Time: at, Stderr: i%2 == 1, Text: text})
		d := lastnight.Document{
			ID: string(id), Kind: lastnight.DocumentRecord, Time: at, Text: fmt.Sprintf("line %d <b>", i), Level: "INFO", Logger: "com.acme.Enrich", Thread: "main",
			MessageAt: 2, Cluster: s.Cluster, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID, Container: s.Container, Restart: s.Restart, Node: s.Node,
			Stderr: i%2 == 1, Job: "orders-enrich", Component: "taskmanager", FlinkJob: "Orders Enrichment", Template: "t2",
		}
		if i == 4 {
			d.Signals, d.Exception = []string{lastnight.SignalException}, []string{"java.lang.OutOfMemoryError"}
			d.Attrs, d.FlinkJobID, d.Alike = map[string]string{"a": "1"}, "5f2b0c1d5f2b0c1d5f2b0c1d5f2b0c1d", 3
		}
		m.Documents = append(m.Documents, d)
	}
	m.Documents = append(m.Documents, event(s))
	return m
}

func event(s lastnight.Stream) lastnight.Document {
	code := 137
	at := Night.Add(5 * time.Second)
	e := &lastnight.Event{
		ID: "ev/1", Time: at, Kind: lastnight.EventContainer, Type: "Warning", Reason: "OOMKilled",
		Object:  lastnight.ObjectRef{Kind: "Pod", Namespace: s.Namespace, Name: s.Pod, UID: s.PodUID},
		Message: "killed", Cluster: s.Cluster, Node: s.Node, Container: s.Container, Restart: 1, State: "terminated", ExitCode: &code, Signal: 9, Count: 1,
		Component: "kubelet", Workload: "orders-enrich",
	}
	return lastnight.Document{
		ID: e.ID, Kind: lastnight.DocumentEvent, Time: at, Text: e.Message, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID,
		Container: s.Container, Restart: 1, Node: s.Node, Job: "orders-enrich", Signals: []string{lastnight.SignalLifecycle}, Event: e,
	}
}

func incidents() []lastnight.Incident {
	code := 137
	explained := lastnight.Incident{
		ID: "in-1", Cluster: "c1", Namespace: "flink", Job: "orders-enrich", Workload: "orders-enrich",
		Start: Night, End: Night.Add(time.Minute), Failovers: 2, Recovered: true, Features: []string{"reason:OOMKilled"},
		Similar: []lastnight.Similar{{ID: "in-0", Namespace: "flink", Job: "orders-enrich", Start: Night.Add(-24 * time.Hour), Cause: "tm-oomkilled", Score: .8}},
		Diagnosis: lastnight.Diagnosis{
			Explained: true, Cause: "tm-oomkilled", Title: "A task manager was killed for want of memory", Confidence: .93, Layer: "job-config",
			Severity: "high", ActionNeeded: true, Advice: "raise taskmanager.memory.process.size", Verdict: "The kernel killed the task manager.",
			Label: &lastnight.LabelRef{ID: "l1", Author: "ann", State: "approved"},
			Chain: []lastnight.Evidence{{
				Time: Night, Kind: "event", What: "container killed: OOMKilled", Text: "killed", EventID: "ev/1", RecordID: "r1", Role: lastnight.RoleCause,
				Cause: "tm-oomkilled", Reason: "OOMKilled", Object: &lastnight.ObjectRef{Kind: "Pod", Name: "orders-enrich-taskmanager-1-1"},
				ExitCode: &code, Link: "/logs?line=1", Source: lastnight.Source{Node: "node-a", Namespace: "flink", Pod: "p", Container: "c"},
			}},
			Alternatives: []lastnight.Alternative{{Cause: "node-memory", Title: "The node ran out of memory", Confidence: .04}},
		},
	}
	return []lastnight.Incident{
		explained,
		{ID: "in-2", Namespace: "flink", Job: "orders-enrich", Start: Night.Add(2 * time.Hour), End: Night.Add(2 * time.Hour), Open: true, Failovers: 1},
		{ID: "in-3", Namespace: "flink", Job: "orders-enrich", Start: Night.Add(3 * time.Hour), End: Night.Add(3 * time.Hour), Planned: true, Recovered: true},
	}
}
