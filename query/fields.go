package query

import (
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// Field is a field of documents by its short name, or by its OpenTelemetry name where
// it has no short one. An attribute is "attr." and its name.
type Field string

// The fields.
const (
	FieldJob       Field = "job"       // workload, Flink job name or Flink job id
	FieldNamespace Field = "ns"        // k8s.namespace.name
	FieldPod       Field = "pod"       // k8s.pod.name
	FieldContainer Field = "container" // k8s.container.name
	FieldNode      Field = "node"      // k8s.node.name
	FieldRestart   Field = "restart"   // k8s.container.restart_count
	FieldComponent Field = "comp"      // flink.component
	FieldLevel     Field = "level"     // log.level
	FieldLogger    Field = "logger"    // log.logger; a class also by its name without the package
	FieldThread    Field = "thread"    // thread.name
	FieldTemplate  Field = "template"  // template.id
	FieldCause     Field = "cause"     // cause.id
	FieldLabel     Field = "label"     // label.id
	FieldIncident  Field = "incident"  // incident.id
	FieldReason    Field = "reason"    // of an event
	FieldKind      Field = "kind"      // record or event; of an event also its own kind and that of its object
	FieldException Field = "exception" // exception.type; also by its name without the package
	FieldSignal    Field = "signal"    // what says trouble
	FieldMessage   Field = "message"   // text, without the header of a record
	FieldType      Field = "type"      // of an event: Normal or Warning
	FieldObject    Field = "object"    // name of the object of an event

	FieldCluster    Field = "k8s.cluster.name"
	FieldPodUID     Field = "k8s.pod.uid"
	FieldFlinkJob   Field = "flink.job.name"
	FieldFlinkJobID Field = "flink.job.id"
	FieldStream     Field = "log.iostream" // stdout or stderr
)

const attrPrefix = "attr."

// longNames gives the field of each name that is not the field itself.
var longNames = map[string]Field{
	"k8s.namespace.name":          FieldNamespace,
	"namespace":                   FieldNamespace,
	"k8s.pod.name":                FieldPod,
	"k8s.container.name":          FieldContainer,
	"k8s.node.name":               FieldNode,
	"k8s.container.restart_count": FieldRestart,
	"flink.component":             FieldComponent,
	"component":                   FieldComponent,
	"log.level":                   FieldLevel,
	"log.logger":                  FieldLogger,
	"thread.name":                 FieldThread,
	"template.id":                 FieldTemplate,
	"cause.id":                    FieldCause,
	"label.id":                    FieldLabel,
	"incident.id":                 FieldIncident,
	"exception.type":              FieldException,
	"cluster":                     FieldCluster,
	"stream":                      FieldStream,
}

var ownNames = []Field{
	FieldJob, FieldNamespace, FieldPod, FieldContainer, FieldNode, FieldRestart, FieldComponent, FieldLevel, FieldLogger,
	FieldThread, FieldTemplate, FieldCause, FieldLabel, FieldIncident, FieldReason, FieldKind, FieldException, FieldSignal,
	FieldMessage, FieldType, FieldObject, FieldCluster, FieldPodUID, FieldFlinkJob, FieldFlinkJobID, FieldStream,
}

// Names lists every field name that a query may use, sorted; attributes are "attr.NAME".
func Names() []string {
	names := make([]string, 0, len(longNames)+len(ownNames)+1)
	for _, f := range ownNames {
		names = append(names, string(f))
	}
	for n := range longNames {
		names = append(names, n)
	}
	names = append(names, "attr.NAME")
	slices.Sort(names)
	return names
}

// fieldOf finds the field of a name; case does not count, but in the name of an attribute it does.
func fieldOf(name string) (Field, bool) {
	if len(name) > len(attrPrefix) && strings.EqualFold(name[:len(attrPrefix)], attrPrefix) {
		return Field(attrPrefix + name[len(attrPrefix):]), true
	}
	lower := strings.ToLower(name)
	if f, ok := longNames[lower]; ok {
		return f, true
	}
	return Field(lower), slices.Contains(ownNames, Field(lower))
}

// Attr gives the name of the attribute that f is, if it is one.
func (f Field) Attr() (string, bool) { return strings.CutPrefix(string(f), attrPrefix) }

// String gives the field as it is written in a query.
func (f Field) String() string {
	if name, ok := f.Attr(); ok {
		return attrPrefix + escape(name)
	}
	return string(f)
}

// Values appends the values that d has in f to buf; empty ones are left out. Those of
// a class name (logger, exception) are the full name and the one without the package.
func (f Field) Values(d *lastnight.Document, buf []string) []string {
	if v, ok := f.single(d); ok {
		return appendValues(buf, v)
	}
	switch f {
	case FieldJob:
		return appendValues(buf, d.Job, d.FlinkJob, d.FlinkJobID)
	case FieldLogger:
		return appendClass(buf, d.Logger)
	case FieldException:
		for _, e := range d.Exception {
			buf = appendClass(buf, e)
		}
		return buf
	case FieldSignal:
		return appendValues(buf, d.Signals...)
	case FieldKind:
		buf = appendValues(buf, string(d.Kind))
		if d.Event != nil {
			buf = appendValues(buf, string(d.Event.Kind), d.Event.Object.Kind)
		}
		return buf
	case FieldReason, FieldType, FieldObject:
		if d.Event == nil {
			return buf
		}
		return appendValues(buf, map[Field]string{FieldReason: d.Event.Reason, FieldType: d.Event.Type, FieldObject: d.Event.Object.Name}[f])
	default:
	}
	if name, ok := f.Attr(); ok {
		return appendValues(buf, d.Attrs[name])
	}
	return buf
}

// single gives the value of a field that has one.
func (f Field) single(d *lastnight.Document) (string, bool) {
	switch f {
	case FieldNamespace:
		return d.Namespace, true
	case FieldPod:
		return d.Pod, true
	case FieldPodUID:
		return d.PodUID, true
	case FieldContainer:
		return d.Container, true
	case FieldNode:
		return d.Node, true
	case FieldCluster:
		return d.Cluster, true
	case FieldRestart:
		return strconv.Itoa(d.Restart), true
	case FieldComponent:
		return d.Component, true
	case FieldLevel:
		return d.Level, true
	case FieldThread:
		return d.Thread, true
	case FieldTemplate:
		return d.Template, true
	case FieldFlinkJob:
		return d.FlinkJob, true
	case FieldFlinkJobID:
		return d.FlinkJobID, true
	case FieldCause, FieldLabel, FieldIncident:
		return d.Attrs[string(f)+".id"], true // documents that know theirs carry it as an attribute
	case FieldStream:
		return iostream(d), true
	default:
		return "", false
	}
}

func iostream(d *lastnight.Document) string {
	switch {
	case d.Kind == lastnight.DocumentEvent:
		return ""
	case d.Stderr:
		return "stderr"
	}
	return "stdout"
}

func appendValues(buf []string, values ...string) []string {
	for _, v := range values {
		if v != "" {
			buf = append(buf, v)
		}
	}
	return buf
}

// appendClass appends a class name, and the part after its last dot or dollar.
func appendClass(buf []string, class string) []string {
	buf = appendValues(buf, class)
	if i := strings.LastIndexAny(class, ".$"); i >= 0 && i < len(class)-1 {
		buf = append(buf, class[i+1:])
	}
	return buf
}

// levelAliases are other ways to say a level.
var levelAliases = map[string]lastnight.Level{
	"trace": lastnight.LevelTrace, "finest": lastnight.LevelTrace, "finer": lastnight.LevelTrace,
	"debug": lastnight.LevelDebug, "fine": lastnight.LevelDebug,
	"info": lastnight.LevelInfo, "information": lastnight.LevelInfo,
	"warn": lastnight.LevelWarn, "warning": lastnight.LevelWarn,
	"error": lastnight.LevelError, "err": lastnight.LevelError, "severe": lastnight.LevelError,
	"fatal": lastnight.LevelFatal, "critical": lastnight.LevelFatal, "panic": lastnight.LevelFatal,
}

// levelOf reads a level's name, in any case.
func levelOf(s string) (lastnight.Level, bool) {
	l, ok := levelAliases[strings.ToLower(s)]
	return l, ok
}
