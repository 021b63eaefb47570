package otlp

import (
	"bytes"
	"strings"

	"lastnight"
)

// What others send has the stream in the resource (OpenTelemetry Collector), in the record, or in
// a map of the body (Fluent Bit, Vector). The first name that is there counts.
var (
	clusterNames   = []string{keyCluster}
	namespaceNames = []string{keyNamespace, "kubernetes.namespace_name", "kubernetes.pod_namespace", "kubernetes.namespace", "service.namespace"}
	podNames       = []string{keyPodName, "kubernetes.pod_name", "kubernetes.pod.name", "service.instance.id", "host.name", "service.name"}
	uidNames       = []string{keyPodUID, "kubernetes.pod_id", "kubernetes.pod_uid", "kubernetes.pod.uid"}
	containerNames = []string{keyContainer, "kubernetes.container_name", "kubernetes.container.name", "container.name", "service.name"}
	restartNames   = []string{keyRestart}
	nodeNames      = []string{keyNode, "kubernetes.host", "kubernetes.pod_node_name", "kubernetes.node.name", "host.name"}
	textNames      = []string{"log", "message", "msg", "MESSAGE"}
	streamNames    = []string{keyStream, "stream"}
)

const (
	unnamed         = "unknown" // pod of records that say nothing of where they come from
	maxForeignAttrs = 256       // looked at of one record, resource and body included
	maxForeignValue = 4 << 10   // bytes of an attribute that is kept
)

// foreign reads a ScopeLogs that is not ours.
func (r *resource) foreign(b []byte) error {
	if r.attrs == nil {
		r.attrs = map[string]string{}
		c := cursor{r.raw}
		var f field
		for {
			ok, err := c.next(&f)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if f.isMessage(1) {
				if err := r.d.flatten(r.attrs, f.bytes); err != nil {
					return err
				}
			}
		}
	}
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return err
		}
		if f.isMessage(2) {
			if err := r.foreignRecord(f.bytes); err != nil {
				return err
			}
		}
	}
}

// flatten takes a KeyValue; maps inside it get names with dots.
func (d *Decoder) flatten(to map[string]string, kv []byte) error {
	key, v, err := keyValue(kv)
	if err != nil {
		return err
	}
	return d.put(to, string(key), v, maxDepth)
}

func (d *Decoder) put(to map[string]string, key string, v value, depth int) error {
	if len(to) >= maxForeignAttrs || len(key) > maxName {
		return nil
	}
	if v.kind == kindMap && depth > 0 {
		var inner error
		err := v.entries(func(k []byte, x value) bool {
			if len(k) > maxName {
				return true
			}
			inner = d.put(to, key+"."+string(k), x, depth-1)
			return inner == nil && len(to) < maxForeignAttrs
		})
		if inner != nil {
			return inner
		}
		return err
	}
	if d.attrs++; d.attrs > maxAllAttr {
		return tooLarge("more than %d attributes", maxAllAttr)
	}
	to[key] = v.show()
	return nil
}

// foreignRecord reads a LogRecord that is not ours.
func (r *resource) foreignRecord(b []byte) error {
	raw := &r.d.own
	if err := raw.read(b); err != nil {
		return err
	}
	own := map[string]string{}
	for _, a := range raw.attrs {
		if err := r.d.flatten(own, a); err != nil {
			return err
		}
	}
	text, err := r.foreignText(raw, own)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		r.d.reject(1, "a log record without a body")
		return nil
	}
	if err := r.d.taken(); err != nil {
		return err
	}
	rec := lastnight.Record{Level: level(raw.severity)}
	if rec.Level == lastnight.LevelUnknown {
		rec.Level = levelOf(string(clip(raw.severityText, 16)))
	}
	find := func(names []string) string {
		for _, n := range names {
			if v := own[n]; v != "" {
				return clipName(v)
			}
			if v := r.attrs[n]; v != "" {
				return clipName(v)
			}
		}
		return ""
	}
	at := int64(raw.time)
	if at <= 0 {
		at = int64(raw.observed)
	}
	if at <= 0 {
		at = r.d.now
	}
	stream := r.foreignStream(find)
	rec.Logger, rec.Thread = find([]string{keyLogger}), find([]string{keyThread})
	if x := find([]string{keyException}); x != "" {
		rec.Exception = []string{x}
	}
	span := r.d.foreignSpan(stream)
	stderr := find(streamNames) == "stderr"
	from := span.To
	for line := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if r.d.lines++; r.d.lines > MaxLines {
			return tooLarge("more than %d lines", MaxLines)
		}
		rec.Lines = append(rec.Lines, lastnight.Line{Time: at, Offset: span.To, Text: line, Stderr: stderr})
		span.To += headBytes + int64(len(line)) + 1
	}
	span.RawBytes += span.To - from
	rec.Attrs = rest(own)
	span.Records = append(span.Records, rec)
	return nil
}

// foreignText finds the text of a record: its body, or in a body that is a map the field that
// senders use. The other fields of that go to own.
func (r *resource) foreignText(raw *record, own map[string]string) ([]byte, error) {
	body := raw.body
	if body.kind != kindMap {
		if t := body.text(); t != nil {
			return t, nil
		}
		return []byte(body.show()), nil
	}
	var text []byte
	rank := len(textNames)
	var inner error
	err := body.entries(func(key []byte, v value) bool {
		for i, n := range textNames {
			if string(key) == n && i < rank && v.text() != nil {
				text, rank = v.text(), i
				return true
			}
		}
		inner = r.d.put(own, string(clip(key, maxName)), v, maxDepth)
		return inner == nil
	})
	if err == nil {
		err = inner
	}
	if err == nil && text == nil {
		text = []byte(body.show())
	}
	return text, err
}

func (r *resource) foreignStream(find func([]string) string) lastnight.Stream {
	s := lastnight.Stream{
		Cluster: find(clusterNames), Namespace: find(namespaceNames), Pod: find(podNames), PodUID: find(uidNames),
		Container: find(containerNames), Node: find(nodeNames),
	}
	if v := find(restartNames); v != "" {
		s.Restart = int(max(0, value{kind: kindString, bytes: []byte(v)}.int()))
	}
	if s.Pod == "" {
		s.Pod = unnamed
	}
	return s
}

// foreignSpan gives the span of a stream: the last one, since records of one stream mostly follow each other.
func (d *Decoder) foreignSpan(s lastnight.Stream) *lastnight.Span {
	if n := len(d.req.Foreign); n > 0 && *d.req.Foreign[n-1].Stream == s {
		return &d.req.Foreign[n-1]
	}
	d.req.Foreign = append(d.req.Foreign, lastnight.Span{Stream: &s})
	return &d.req.Foreign[len(d.req.Foreign)-1]
}

// rest gives the attributes that have no place of their own, as many as a record may have.
func rest(own map[string]string) map[string]string {
	var out map[string]string
	for k, v := range own {
		if named(k) || len(out) >= maxAttrs {
			continue
		}
		if out == nil {
			out = make(map[string]string, min(len(own), maxAttrs))
		}
		if len(v) > maxForeignValue {
			v = strings.ToValidUTF8(v[:maxForeignValue], "")
		}
		out[k] = v
	}
	return out
}

// named tells the attributes that a stream or a record keeps in a field of its own.
func named(key string) bool {
	switch key {
	case keyStream, keyLogger, keyThread, keyException, "stream":
		return true
	}
	return strings.HasPrefix(key, "k8s.") || strings.HasPrefix(key, "kubernetes.")
}

// levelOf reads the level that a sender names.
func levelOf(s string) lastnight.Level {
	switch strings.ToLower(s) {
	case "trace":
		return lastnight.LevelTrace
	case "debug":
		return lastnight.LevelDebug
	case "info", "information", "notice":
		return lastnight.LevelInfo
	case "warn", "warning":
		return lastnight.LevelWarn
	case "error", "err", "severe":
		return lastnight.LevelError
	case "fatal", "critical", "crit", "alert", "emergency", "panic":
		return lastnight.LevelFatal
	}
	return lastnight.LevelUnknown
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }

func clipName(s string) string {
	if len(s) > maxName {
		return s[:maxName]
	}
	return s
}
