package investigation

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/collector/cri"
	"lastnight/collector/multiline"
)

func readAll(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".zst") {
		d, err := zstd.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if data, err = io.ReadAll(d); err != nil {
			t.Fatal(err)
		}
		path = strings.TrimSuffix(path, ".zst")
	}
	if strings.HasSuffix(path, ".gz") {
		g, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(g); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

// loadCase reads a case directory into m, in a simplified way of the collector's.
func loadCase(t testing.TB, m *memory, dir string) {
	t.Helper()
	loadPods(t, m, dir)
	for _, name := range []string{"events.json.gz", "events-watch.jsonl.gz"} {
		p := filepath.Join(dir, name)
		if _, err := os.Stat(p); err != nil {
			continue
		}
		eachObject(readAll(t, p), func(raw json.RawMessage, _ string) { m.addEvent(eventOf(raw)) })
	}
	_ = filepath.WalkDir(filepath.Join(dir, "nodes"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(filepath.Base(path), ".log") {
			loadLog(t, m, dir, path)
		}
		return nil
	})
}

func eachObject(data []byte, fn func(raw json.RawMessage, change string)) {
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 64<<20)
	var list struct{ Items []json.RawMessage }
	if json.Unmarshal(data, &list) == nil && list.Items != nil {
		for _, i := range list.Items {
			fn(i, "")
		}
		return
	}
	for sc.Scan() {
		var w struct {
			Type   string
			Object json.RawMessage
		}
		if json.Unmarshal(sc.Bytes(), &w) == nil {
			fn(w.Object, w.Type)
		}
	}
}

func parseTimes(ss ...string) time.Time {
	for _, s := range ss {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func eventOf(raw json.RawMessage) lastnight.Event {
	var e struct {
		Metadata struct {
			UID               string
			CreationTimestamp string
		}
		InvolvedObject                           lastnight.ObjectRef
		Reason, Message, Type                    string
		FirstTimestamp, LastTimestamp, EventTime string
		Count                                    int
		Source                                   struct{ Component, Host string }
		ReportingComponent                       string
		Series                                   *struct {
			LastObservedTime string
			Count            int
		}
	}
	_ = json.Unmarshal(raw, &e)
	at := parseTimes(e.LastTimestamp, e.EventTime, e.FirstTimestamp, e.Metadata.CreationTimestamp)
	n := max(e.Count, 1)
	if e.Series != nil {
		at, n = parseTimes(e.Series.LastObservedTime), e.Series.Count
	}
	return lastnight.Event{
		ID: fmt.Sprintf("%s-%d", e.Metadata.UID, n), Time: at, Kind: lastnight.EventKubernetes, Type: e.Type, Reason: e.Reason,
		Object: e.InvolvedObject, Message: e.Message, Node: e.Source.Host, Count: n, Component: e.Source.Component,
	}
}

type podState struct {
	State map[string]struct {
		ExitCode              int
		Reason, Message       string
		StartedAt, FinishedAt string
		Signal                int
	}
}

func loadPods(t testing.TB, m *memory, dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "pods-*"))
	sort.Slice(names, func(i, j int) bool {
		return strings.Contains(names[i], "watch") && !strings.Contains(names[j], "watch")
	})
	known := map[string]string{}
	for _, n := range names {
		eachObject(readAll(t, n), func(raw json.RawMessage, change string) { m.addPod(raw, change, known) })
	}
}

func (m *memory) addPod(raw json.RawMessage, change string, known map[string]string) {
	var p struct {
		Metadata struct {
			Name, Namespace, UID       string
			Labels                     map[string]string
			CreationTimestamp          string
			DeletionTimestamp          string
			DeletionGracePeriodSeconds int
			OwnerReferences            []struct {
				Kind, Name, UID string
				Controller      bool
			}
		}
		Spec   struct{ NodeName string }
		Status struct {
			Phase, Reason, Message, PodIP string
			Conditions                    []struct{ Type, Status, Reason, Message, LastTransitionTime string }
			ContainerStatuses             []struct {
				Name         string
				RestartCount int
				State        map[string]podStateBody
				LastState    map[string]podStateBody
			}
		}
	}
	if json.Unmarshal(raw, &p) != nil {
		return
	}
	pod := lastnight.Pod{Namespace: p.Metadata.Namespace, Name: p.Metadata.Name, UID: p.Metadata.UID, Node: p.Spec.NodeName, IP: p.Status.PodIP, Labels: p.Metadata.Labels, Created: parseTimes(p.Metadata.CreationTimestamp)}
	for _, o := range p.Metadata.OwnerReferences {
		if o.Controller {
			pod.Owner = lastnight.ObjectRef{Kind: o.Kind, Name: o.Name}
		}
	}
	if p.Metadata.DeletionTimestamp != "" {
		pod.Deleted = parseTimes(p.Metadata.DeletionTimestamp).Add(-time.Duration(p.Metadata.DeletionGracePeriodSeconds) * time.Second)
	}
	m.putPod(pod)
	ref := lastnight.ObjectRef{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
	base := lastnight.Event{Object: ref, Node: pod.Node}
	put := func(e lastnight.Event, key string) {
		if known[key] != "" {
			return
		}
		known[key] = "x"
		e.ID = key
		if e.Time.IsZero() {
			e.Time = m.lastPodTime
		}
		if e.Time.After(m.lastPodTime) {
			m.lastPodTime = e.Time
		}
		m.addEvent(e)
	}
	if pod.Deleted.After(time.Time{}) {
		e := base
		e.Kind, e.Reason, e.Time = lastnight.EventPod, "Deleted", pod.Deleted
		put(e, pod.UID+"/deleted")
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "DisruptionTarget" && c.Status == "True" || c.Type == "PodScheduled" && c.Status == "False" {
			e := base
			e.Kind, e.Reason, e.Message, e.Time = lastnight.EventPod, c.Reason, c.Message, parseTimes(c.LastTransitionTime)
			put(e, pod.UID+"/"+c.Reason)
		}
	}
	if p.Status.Reason != "" {
		e := base
		e.Kind, e.Reason, e.Message = lastnight.EventPod, p.Status.Reason, p.Status.Message
		put(e, pod.UID+"/status/"+p.Status.Reason)
	}
	for _, c := range p.Status.ContainerStatuses {
		for which, states := range []map[string]podStateBody{c.State, c.LastState} {
			for state, b := range states {
				e := base
				e.Kind, e.State, e.Container, e.Restart, e.Reason, e.Message = lastnight.EventContainer, state, c.Name, c.RestartCount-which, b.Reason, b.Message
				switch state {
				case "running":
					e.Reason, e.Time = "Running", parseTimes(b.StartedAt)
				case "terminated":
					code := b.ExitCode
					e.ExitCode, e.Signal, e.Time = &code, b.Signal, parseTimes(b.FinishedAt)
				}
				if b.Reason == "ContainerCreating" || b.Reason == "PodInitializing" {
					continue
				}
				put(e, fmt.Sprintf("%s/%s/%d/%s/%s", pod.UID, c.Name, e.Restart, state, b.Reason))
			}
		}
	}
	_ = change
}

type podStateBody struct {
	ExitCode              int
	Reason, Message       string
	StartedAt, FinishedAt string
	Signal                int
}

func loadLog(t testing.TB, m *memory, dir, path string) {
	rel, _ := filepath.Rel(dir, path)
	parts := strings.Split(filepath.ToSlash(rel), "/")
	if len(parts) < 5 {
		return
	}
	file, container, podDir := parts[len(parts)-1], parts[len(parts)-2], parts[len(parts)-3]
	id := strings.Split(podDir, "_")
	if len(id) != 3 {
		return
	}
	restart, _ := strconv.Atoi(file[:strings.Index(file, ".")])
	s := &lastnight.Stream{Namespace: id[0], Pod: id[1], PodUID: id[2], Container: container, Restart: restart, Node: parts[1]}
	var joiner cri.Joiner
	var ml multiline.Joiner
	var off int64
	var gen lastnight.Generation
	emit := func(r lastnight.Record) { m.addRecord(s, gen, r) }
	line := func(l lastnight.Line) { ml.Add(l, emit) }
	for raw := range bytes.Lines(readAll(t, path)) {
		e, ok := cri.Parse(bytes.TrimSuffix(raw, []byte("\n")))
		if ok {
			if gen.Start == 0 {
				gen.Start = e.Time
			}
			joiner.Add(e, off, line)
		}
		off += int64(len(raw))
	}
	joiner.Flush(line)
	ml.Flush(emit)
}
