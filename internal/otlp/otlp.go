// Package otlp turns batches into OTLP log requests and back: the one place that
// knows both (docs/formats/otlp.md).
//
// What our own collectors send loses nothing on the way: Decode(Encode(batch)) is the
// batch. A span is a ScopeLogs whose scope is called "lastnight" and has the span's
// generation and byte range; a record is a LogRecord under OpenTelemetry's names, and
// one attribute of the scope says of all of them where their lines stood, and what else OTLP
// has no field for. Template is the indexer's and is not sent. A span of another
// version is CodeUnavailable: who sent it keeps it until this server knows that version.
//
// What others send (OpenTelemetry Collector, Fluent Bit, Vector) has no offsets. It comes
// out as Foreign spans, whose lines the receiver has to place: at least once, not exactly.
//
// Requests are written and read by hand on the wire format: generated types cost an allocation
// a field. JSON, which only others send, goes through them. A LogRecord whose fields come as our encoder writes them
// is read in one step; whatever is left of it, and any other, field by field.
//
// All input is hostile: lengths are checked before anything is allocated, and a request that
// would become many times its size in memory is refused (CodeTooLarge). What is malformed
// inside a request that can be read is counted in Rejected and left out; a request that cannot
// be read is CodeInvalid.
package otlp

import "lastnight"

// The scopes of what our collectors send.
const (
	scopeName     = "lastnight"       // records of one span
	eventScope    = "lastnight.event" // events
	podScope      = "lastnight.pod"   // pods
	scopeVersion  = "2"               // of the first of them: how a span is written
	attrPrefix    = "lastnight.attr." // an attribute of the application whose name has another meaning here
	keyGeneration = "lastnight.generation"
	keyFrom       = "lastnight.from"
	keyTo         = "lastnight.to"
	keyRaw        = "lastnight.raw_bytes"
	keyRecords    = "lastnight.records"
	keyNames      = "lastnight.names"
	keyLayout     = "lastnight.layout"
	keyExceptions = "lastnight.exceptions"
	keyEvent      = "lastnight.event"
	keyPod        = "lastnight.pod"
)

// OpenTelemetry's names.
const (
	keyCluster   = "k8s.cluster.name"
	keyNamespace = "k8s.namespace.name"
	keyPodName   = "k8s.pod.name"
	keyPodUID    = "k8s.pod.uid"
	keyContainer = "k8s.container.name"
	keyRestart   = "k8s.container.restart_count"
	keyNode      = "k8s.node.name"
	keyStream    = "log.iostream"
	keyLogger    = "log.logger"
	keyThread    = "thread.name"
	keyException = "exception.type"
)

// Limits of one request, after decompression.
const (
	MaxRequest = 64 << 20 // bytes
	MaxRecords = 1 << 18  // log records
	MaxLines   = 1 << 20  // lines of all records, and the parts they were cut into
	maxAllAttr = 1 << 19  // attributes of all records
	maxAttrs   = 64       // of a record
	maxName    = 4 << 10  // bytes of a name of a stream, a logger, a thread, an exception
	maxMeta    = 1 << 20  // bytes of an event or a pod
	maxDepth   = 16       // of nested values
	maxParts   = 1 << 16  // of a line
)

// Request is a decoded request.
type Request struct {
	Batch    lastnight.Batch  // what our collectors sent; shares the memory of what was decoded
	Foreign  []lastnight.Span // what others sent: no generation, offsets from 0 in each; see Place
	Records  int64            // log records that were taken, events and pods included
	Rejected int64            // log records that are malformed and were left out
	Reason   string           // why the first of them was
}

// Place gives a foreign span its generation, and moves it to begin at offset from.
func Place(s *lastnight.Span, gen lastnight.Generation, from int64) {
	by := from - s.From
	s.Generation, s.From, s.To = gen, s.From+by, s.To+by
	for i := range s.Records {
		for j := range s.Records[i].Lines {
			s.Records[i].Lines[j].Offset += by
		}
	}
}
