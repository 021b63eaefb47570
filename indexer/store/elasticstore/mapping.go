package elasticstore

// format is the version of the indices that are made, oldestFormat the first that is read. It is in
// their names and in _meta of their mappings. testdata/format has requests that made a store of
// each older one; TestRecordFormat writes them down before the format changes.
//
//	2  what is in a kind's alias counts: an index of an older format can be made anew beside it
//	1  the first
const (
	format       = 2
	oldestFormat = 1
)

// Kinds of indices.
const (
	kindDocuments = "documents"
	kindCounts    = "counts"
	kindSources   = "sources"
	kindTemplates = "templates"
	kindPods      = "pods"
	kindJobs      = "jobs"
	kindIncidents = "incidents"
	kindItems     = "items"
)

// fixedKinds have one index each; the other two have one a day.
var fixedKinds = []string{kindSources, kindTemplates, kindPods, kindJobs, kindIncidents, kindItems}

// object is a JSON object.
type object = map[string]any

// maxKeyword is how long a value may be and still be found in its own field, in UTF-16 units:
// the longest of which no encoding exceeds Lucene's 32,766 bytes. A longer one is stored.
const maxKeyword = 8191

func keyword() object { return object{"type": "keyword", "ignore_above": maxKeyword} }

// lookup is a keyword that is only searched: no columns, no scores.
func lookup() object {
	return object{"type": "keyword", "doc_values": false, "norms": false, "ignore_above": maxKeyword}
}

// stored is text that only comes back.
func stored() object { return object{"type": "text", "index": false} }

func long() object { return object{"type": "long"} }

func alias(path string) object { return object{"type": "alias", "path": path} }

// documentFields are those of documents: OpenTelemetry's names, ours, and ECS's as aliases.
func documentFields() object {
	f := object{
		"@timestamp":     object{"type": "date_nanos"},
		"time_ns":        long(),   // order: nanoseconds since 1970, for all times
		"time":           stored(), // of times that time_ns cannot tell
		"id":             object{"type": "keyword", "index": false, "ignore_above": maxKeyword},
		"message":        stored(),
		"message_at":     object{"type": "long", "index": false, "doc_values": false},
		"attributes":     object{"type": "flattened", "ignore_above": 1024, "depth_limit": 2},
		"odd_attributes": stored(), // JSON: names or values that attributes cannot hold
		"event_body":     stored(), // JSON: the whole event
		"tokens":         lookup(),
		"terms":          lookup(),
	}
	for _, name := range []string{
		"k8s.cluster.name", "k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.container.name", "k8s.node.name",
		"log.level", "log.logger", "log.iostream", "thread.name", "flink.job.name", "flink.job.id", "flink.component",
		"exception.type", "template.id", "kind", "job", "signals", "k8s.event.reason", "k8s.event.type", "k8s.object.kind", "k8s.object.name",
	} {
		f[name] = keyword()
	}
	f["k8s.container.restart_count"], f["alike"] = long(), long()
	f["thread.name"] = lookup() // nearly as many as documents: columns of them would be 3 % of the disk, for sums that nobody asks for
	for ecs, ours := range map[string]string{
		"kubernetes.namespace": "k8s.namespace.name", "kubernetes.pod.name": "k8s.pod.name", "kubernetes.pod.uid": "k8s.pod.uid",
		"kubernetes.container.name": "k8s.container.name", "kubernetes.node.name": "k8s.node.name", "orchestrator.cluster.name": "k8s.cluster.name",
		"error.type": "exception.type", "process.thread.name": "thread.name", "event.reason": "k8s.event.reason",
	} {
		f[ecs] = alias(ours)
	}
	return f
}

// fieldsOf gives the fields of a kind of index.
func fieldsOf(kind string) object {
	switch kind {
	case kindDocuments:
		return documentFields()
	case kindCounts:
		return object{"source": lookup(), "first": long(), "last": long(), "jobs": lookup(), "templates": lookup(), "body": stored()}
	case kindSources:
		return object{"source": stored(), "day": lookup(), "parts": object{"type": "long", "index": false}, "first": long(), "last": long(), "done": object{"type": "boolean"}}
	case kindTemplates:
		return object{"body": stored()}
	case kindPods:
		return object{"body": stored(), "namespace": lookup(), "name": lookup(), "uid": lookup(), "ip": lookup(), "workload": lookup(), "sort": keyword()}
	case kindJobs:
		return object{"body": stored(), "namespace": lookup(), "sort": keyword()}
	case kindIncidents:
		return object{"body": stored(), "id": keyword(), "start_ns": long(), "@timestamp": object{"type": "date_nanos"}, "namespace": keyword(), "job": keyword(), "workload": keyword(), "cause.id": keyword(), "planned": object{"type": "boolean"}}
	case kindItems:
		return object{"bucket": lookup(), "key": object{"type": "keyword", "ignore_above": 2 * maxKeyBytes}, "bytes": object{"type": "long", "index": false}, "value": object{"type": "binary"}, "put": stored()}
	}
	return object{}
}

// template is the index template of a kind.
func (s *Store) template(kind string) object {
	settings := object{
		"index.number_of_shards": 1, "index.auto_expand_replicas": s.cfg.Replicas, "index.refresh_interval": "30s",
		"index.codec": "best_compression", "index.mapping.total_fields.limit": 500,
	}
	if kind == kindDocuments { // like ones side by side take 7 to 8 % less disk: docs/benchmarks.md
		settings["index.sort.field"], settings["index.sort.order"] = []string{"job", "template.id", "time_ns"}, []string{"asc", "asc", "desc"}
	}
	if kind == kindDocuments && s.cfg.IndexMode != "" {
		settings["index.mode"] = s.cfg.IndexMode
		settings["index.mapping.source.mode"] = "stored" // one that is put together again cannot leave out tokens and terms
	}
	mappings := object{
		"dynamic": "strict", "_meta": object{"lastnight": object{"kind": kind, "format": format}},
		"properties": fieldsOf(kind),
	}
	if kind == kindDocuments { // made from the rest; what comes back does not need them
		mappings["_source"] = object{"excludes": []string{"tokens", "terms"}}
	}
	custom := s.cfg.Prefix + "-" + kind + "@custom" // where administrators put theirs, as with Elastic's own templates
	t := object{
		"composed_of": []string{custom}, "ignore_missing_component_templates": []string{custom},
		"index_patterns": []string{s.index(kind) + "*"}, "priority": 300,
		"template": object{"settings": settings, "mappings": mappings},
		"_meta":    object{"description": "lastnight: " + kind + ", made by itself"},
	}
	return t
}
