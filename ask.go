package lastnight

import (
	"context"
	"iter"
	"time"
)

// DocumentKind is record or event.
type DocumentKind string

// The kinds of documents.
const (
	DocumentRecord DocumentKind = "record"
	DocumentEvent  DocumentKind = "event"
)

// Document is a record or an event as it is found again, in the archive or the store.
type Document struct {
	ID         string            `json:"id"` // a LineID, or an event's id
	Kind       DocumentKind      `json:"kind"`
	Time       time.Time         `json:"time"`
	Text       string            `json:"text"` // all lines of the record joined with newlines, as written; of an event its message
	Level      string            `json:"level,omitempty"`
	Logger     string            `json:"logger,omitempty"`
	Thread     string            `json:"thread,omitempty"`
	MessageAt  int               `json:"message_at,omitempty"` // where the message begins in Text
	Cluster    string            `json:"cluster,omitempty"`
	Namespace  string            `json:"namespace,omitempty"`
	Pod        string            `json:"pod,omitempty"`
	PodUID     string            `json:"pod_uid,omitempty"`
	Container  string            `json:"container,omitempty"`
	Restart    int               `json:"restart"`
	Node       string            `json:"node,omitempty"`
	Stderr     bool              `json:"stderr,omitempty"`
	Job        string            `json:"job,omitempty"`            // name of the workload
	Component  string            `json:"component,omitempty"`      // flink.component
	FlinkJob   string            `json:"flink_job_name,omitempty"` // Flink job that the record names
	FlinkJobID string            `json:"flink_job_id,omitempty"`
	Template   string            `json:"template_id,omitempty"`
	Exception  []string          `json:"exception,omitempty"`
	Signals    []string          `json:"signals,omitempty"`
	Attrs      map[string]string `json:"attrs,omitempty"`
	Alike      int64             `json:"alike,omitempty"` // important scope: how many like it there were in its stream and minute, itself included
	Event      *Event            `json:"event,omitempty"`
}

// SearchRequest says which documents. Empty fields do not restrict.
type SearchRequest struct {
	Query     string    // in the search language; "" is all
	Start     time.Time // inclusive; zero: no bound
	End       time.Time // exclusive; zero: no bound
	Important bool      // scope important (the store); false: everything (the archive, and events)
	Namespace string
	Job       string // workload or Flink job name
	Pod       string
	PodUID    string
	Container string
	Node      string
	Restart   *int
	Kinds     []DocumentKind // none: all
	Signals   []string       // documents with any of these
	Oldest    bool           // oldest first; else newest first
	Limit     int            // at most so many; 0: no limit
	Cursor    string         // continue after the document of this cursor (see CursorOf)

	// ArrivedSince is for those who wait for what arrives, whatever its time: only records that arrived at this time or
	// later; zero: no bound. Of those of more than a minute ago some may be missing. Events and the scope
	// important do not know when they arrived: there it says nothing.
	ArrivedSince time.Time
}

// Searcher finds records and events.
type Searcher interface {
	// Search streams documents in order of (time, id). It stops at the first error, which it yields.
	Search(ctx context.Context, req SearchRequest) iter.Seq2[Document, error]
	// RawLines gives the lines of a pod's containers just as they were written, in the order
	// of the files (restart, generation, offset) for one container; several containers are merged by time.
	RawLines(ctx context.Context, req SearchRequest) iter.Seq2[RawLine, error]
	// Context gives the n records before and after the record of the same stream, unfiltered, oldest first.
	Context(ctx context.Context, id LineID, before, after int) ([]Document, error)
	// Histogram counts records by level over steps, from the counts.
	Histogram(ctx context.Context, req HistogramRequest) ([]HistogramBucket, error)
	// Jobs lists what there is, by namespace and name.
	Jobs(ctx context.Context, req JobsRequest) ([]Job, error)
	// Streams lists container instances, living and gone, of a namespace, job or pod.
	Streams(ctx context.Context, req StreamsRequest) ([]StreamInfo, error)
	// Templates lists the templates of a job with their counts in an interval, most frequent first.
	Templates(ctx context.Context, req TemplatesRequest) ([]TemplateInfo, error)
}

// RawLine is one line as the container wrote it.
type RawLine struct {
	Stream Stream
	ID     LineID
	Time   time.Time
	Stderr bool
	Text   []byte
}

// HistogramRequest asks for counts over time.
type HistogramRequest struct {
	Start, End time.Time
	Step       time.Duration // whole minutes
	Namespace  string
	Job        string
	Template   string
}

// HistogramBucket is the counts of one step.
type HistogramBucket struct {
	Start  time.Time        `json:"start"`
	Levels map[string]int64 `json:"levels"` // by level; "" is unknown
}

// JobsRequest asks for jobs.
type JobsRequest struct {
	Namespace  string
	Name       string // this job only: a name, a Flink job id, or a workload
	Start, End time.Time
}

// StreamsRequest asks for streams.
type StreamsRequest struct {
	Namespace, Job, Pod string
	Start, End          time.Time // those with lines in it; zero: all
}

// StreamInfo is a stream and what is known of it.
type StreamInfo struct {
	Stream
	ID        StreamID  `json:"id"`
	Job       string    `json:"job"`
	Component string    `json:"component,omitempty"`
	Kind      JobKind   `json:"kind,omitempty"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Lines     int64     `json:"lines"`
	Bytes     int64     `json:"bytes"`
}

// TemplatesRequest asks for templates.
type TemplatesRequest struct {
	Namespace, Job string
	Start, End     time.Time
	Limit          int
}

// TemplateInfo is a template and how often it occurred in the interval asked about.
type TemplateInfo struct {
	Template
	Count int64 `json:"count"`
}

// IncidentsRequest asks for incidents that begin in [Start, End).
type IncidentsRequest struct {
	Namespace, Job string
	Start, End     time.Time
	Planned        bool // planned ones too
	Limit          int
}

// WhyRequest asks why a job failed. Job is a name, a Flink job id, or a link that
// contains one. Start zero: the newest incident of the last 24 hours before End (or now).
type WhyRequest struct {
	Job       string
	Namespace string
	Start     time.Time
	End       time.Time
	Zone      string
}

// Investigator explains failovers.
type Investigator interface {
	// Incidents lists incidents, newest first; those of one moment by id, greatest first.
	Incidents(ctx context.Context, req IncidentsRequest) ([]Incident, error)
	// Incident gives one by id, or an error of CodeNotFound.
	Incident(ctx context.Context, id string) (*Incident, error)
	// Why answers for one job, oldest incident first. An unknown job is an error of CodeNotFound
	// whose hint has near names; a known job without incidents is an answer without incidents.
	// Planned incidents are in it only if there is nothing else.
	Why(ctx context.Context, req WhyRequest) (*Answer, error)
}

// Ingester takes what arrives.
type Ingester interface {
	// Ingest returns nil once the batch is durable. Sending a batch again changes nothing.
	// It keeps nothing of b after it returned. CodeUnavailable: try again later.
	Ingest(ctx context.Context, b Batch) error
}
