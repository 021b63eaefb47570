package elasticstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/query"
)

// source is a document as it lies in Elasticsearch; documentFields are the same fields.
type source struct {
	Timestamp  string            `json:"@timestamp,omitempty"`
	TimeNS     int64             `json:"time_ns"`
	Time       string            `json:"time,omitempty"`
	ID         string            `json:"id"`
	Kind       string            `json:"kind,omitempty"`
	Message    string            `json:"message"`
	MessageAt  int               `json:"message_at,omitempty"`
	Level      string            `json:"log.level,omitempty"`
	Logger     string            `json:"log.logger,omitempty"`
	Stream     string            `json:"log.iostream,omitempty"`
	Thread     string            `json:"thread.name,omitempty"`
	Cluster    string            `json:"k8s.cluster.name,omitempty"`
	Namespace  string            `json:"k8s.namespace.name,omitempty"`
	Pod        string            `json:"k8s.pod.name,omitempty"`
	PodUID     string            `json:"k8s.pod.uid,omitempty"`
	Container  string            `json:"k8s.container.name,omitempty"`
	Restart    int               `json:"k8s.container.restart_count"`
	Node       string            `json:"k8s.node.name,omitempty"`
	Job        string            `json:"job,omitempty"`
	Component  string            `json:"flink.component,omitempty"`
	FlinkJob   string            `json:"flink.job.name,omitempty"`
	FlinkJobID string            `json:"flink.job.id,omitempty"`
	Template   string            `json:"template.id,omitempty"`
	Exception  []string          `json:"exception.type,omitempty"`
	Signals    []string          `json:"signals,omitempty"`
	Alike      int64             `json:"alike,omitempty"`
	Attrs      map[string]string `json:"attributes,omitempty"`
	OddAttrs   string            `json:"odd_attributes,omitempty"`
	Reason     string            `json:"k8s.event.reason,omitempty"`
	EventType  string            `json:"k8s.event.type,omitempty"`
	ObjectKind string            `json:"k8s.object.kind,omitempty"`
	ObjectName string            `json:"k8s.object.name,omitempty"`
	Event      string            `json:"event_body,omitempty"`
	Tokens     []string          `json:"tokens,omitempty"`
	Terms      []string          `json:"terms,omitempty"`
}

// maxAttrBytes bounds names and values that become attributes of their own.
const maxAttrBytes = 512

// encodeDocument makes what Elasticsearch gets.
func encodeDocument(d *lastnight.Document) ([]byte, error) {
	ns := query.Nanos(d.Time)
	s := source{
		TimeNS: ns, Timestamp: timestamp(d.Time), ID: d.ID, Kind: string(d.Kind), Message: clean(d.Text), MessageAt: d.MessageAt,
		Level: d.Level, Logger: clean(d.Logger), Thread: clean(d.Thread), Cluster: d.Cluster, Namespace: d.Namespace, Pod: clean(d.Pod), PodUID: d.PodUID,
		Container: d.Container, Restart: d.Restart, Node: d.Node, Job: clean(d.Job), Component: d.Component, FlinkJob: d.FlinkJob,
		FlinkJobID: d.FlinkJobID, Template: d.Template, Exception: d.Exception, Signals: d.Signals, Alike: d.Alike,
	}
	if !time.Unix(0, ns).Equal(d.Time) {
		s.Time = d.Time.UTC().Format(time.RFC3339Nano)
	}
	if d.Kind != lastnight.DocumentEvent || d.Stderr {
		s.Stream = "stdout"
	}
	if d.Stderr {
		s.Stream = "stderr"
	}
	if err := s.setAttrs(d.Attrs); err != nil {
		return nil, err
	}
	if e := d.Event; e != nil {
		b, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode event of document %q: %w", d.ID, err)
		}
		s.Event, s.Reason, s.EventType, s.ObjectKind, s.ObjectName = string(b), e.Reason, e.Type, e.Object.Kind, e.Object.Name
	}
	s.Tokens, s.Terms = termsOf(d)
	b, err := json.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("encode document %q: %w", d.ID, err)
	}
	return b, nil
}

// clean makes a run of invalid UTF-8 one U+FFFD, as everywhere; JSON would make one of each byte.
func clean(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// timestamp is a time for a field of type date_nanos, "" for those that it cannot hold.
func timestamp(t time.Time) string {
	if y := t.UTC().Year(); y < 1970 || y > 2261 {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// setAttrs keeps as attributes of their own those that Elasticsearch's flattened fields can hold.
func (s *source) setAttrs(attrs map[string]string) error {
	var odd [][2]string
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		v := attrs[name]
		if !plainName(name) || len(v) > maxAttrBytes {
			odd = append(odd, [2]string{name, v})
			continue
		}
		if s.Attrs == nil {
			s.Attrs = make(map[string]string, len(attrs))
		}
		s.Attrs[name] = v
	}
	if odd == nil {
		return nil
	}
	b, err := json.Marshal(odd)
	if err != nil {
		return fmt.Errorf("encode attributes: %w", err)
	}
	s.OddAttrs = string(b)
	return nil
}

func plainName(name string) bool {
	if name == "" || len(name) > maxAttrBytes {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// decodeDocument is the inverse of encodeDocument.
func decodeDocument(b []byte) (d lastnight.Document, err error) {
	var s source
	if err := json.Unmarshal(b, &s); err != nil {
		return d, fmt.Errorf("decode document: %w", err)
	}
	d = lastnight.Document{
		ID: s.ID, Kind: lastnight.DocumentKind(s.Kind), Time: time.Unix(0, s.TimeNS).UTC(), Text: s.Message, MessageAt: s.MessageAt,
		Level: s.Level, Logger: s.Logger, Thread: s.Thread, Cluster: s.Cluster, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID,
		Container: s.Container, Restart: s.Restart, Node: s.Node, Stderr: s.Stream == "stderr", Job: s.Job, Component: s.Component,
		FlinkJob: s.FlinkJob, FlinkJobID: s.FlinkJobID, Template: s.Template, Exception: s.Exception, Signals: s.Signals, Alike: s.Alike,
		Attrs: s.Attrs,
	}
	if s.Time != "" {
		if d.Time, err = time.Parse(time.RFC3339Nano, s.Time); err != nil {
			return d, fmt.Errorf("decode document %q: %w", s.ID, err)
		}
	}
	if s.Event != "" {
		d.Event = new(lastnight.Event)
		if err := json.Unmarshal([]byte(s.Event), d.Event); err != nil {
			return d, fmt.Errorf("decode event of document %q: %w", s.ID, err)
		}
	}
	if s.OddAttrs != "" {
		var odd [][2]string
		if err := json.Unmarshal([]byte(s.OddAttrs), &odd); err != nil {
			return d, fmt.Errorf("decode attributes of document %q: %w", s.ID, err)
		}
		if d.Attrs == nil {
			d.Attrs = make(map[string]string, len(odd))
		}
		for _, a := range odd {
			d.Attrs[a[0]] = a[1]
		}
	}
	return d, nil
}

// dayOf names the day of a time, in the order of time.
func dayOf(ns int64) string { return time.Unix(0, ns).UTC().Format("2006.01.02") }

// termsOf gives the words of a document's texts, each once, and the terms of its values.
func termsOf(d *lastnight.Document) (words, values []string) {
	seen := make(map[string]struct{}, min(len(d.Text)/10, 1000))
	terms.Each(d, func(token []byte) {
		if _, again := seen[string(token)]; !again {
			w := string(token)
			seen[w] = struct{}{}
			words = append(words, w)
		}
	}, func(value []byte) { values = append(values, string(value)) })
	return words, values
}
