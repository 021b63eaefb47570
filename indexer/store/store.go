// Package store is the contract of the tier for what is looked up by meaning:
// important records, events, templates, counts, incidents, and what is small and
// must be exact. Backends: blevestore (embedded), elasticstore (production).
// storetest is the conformance suite that both pass.
//
// Every Put and Index is idempotent: the same call again changes nothing. All
// methods may be called at once. What a call wrote is durable when it returns and
// seen by calls that begin afterwards.
package store

import (
	"context"
	"io"
	"iter"
	"time"

	"lastnight"
)

// Store is all of it.
type Store interface {
	Documents
	Counts
	Templates
	Inventory
	Incidents
	Exact
	Contents
	io.Closer
}

// Documents holds important records and events.
type Documents interface {
	// Index adds documents. One whose id is there already stays as it is, unless the new one knows more (see Grow): what
	// arrives again, whole or in part, from anywhere and in any order, ends the same. The time belongs to the id: who
	// puts an id again gives it the same time, else both may be found. Ids have 1 to 512 bytes, else it
	// is an error of CodeInvalid. After an error some of the documents may be there: put all again.
	Index(ctx context.Context, docs []lastnight.Document) error
	// PutAlike says for how many records documents stand. One that stands for as many already stays as it is; one that is
	// not there is left out.
	PutAlike(ctx context.Context, alike []Alike) error
	// Search streams documents that match, in order of (time, id), newest first unless
	// req.Oldest. req.Important is ignored: all documents here are. What matches is what query.Filter
	// says. req.Cursor is what lastnight.CursorOf made of the time and id of the last document seen.
	// A query or cursor that does not parse is an error of CodeInvalid, yielded once.
	// The caller may call the store meanwhile. Invalid UTF-8 in strings may come back as U+FFFD.
	Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error]
	// DropDocuments removes those older than t and tells how many.
	DropDocuments(ctx context.Context, t time.Time) (int, error)
}

// Alike is for how many records a document stands.
type Alike struct {
	ID   string
	Time time.Time // the document's
	N    int64     // Document.Alike
}

// Counts holds how often each template occurred per job and minute.
type Counts interface {
	// PutCounts sets the counts that come from a source (a segment's name), replacing those it gave before.
	PutCounts(ctx context.Context, source string, counts []lastnight.TemplateCount) error
	// Counts streams counts, those of one template, job and minute possibly in several pieces, in no order.
	Counts(ctx context.Context, req CountsRequest) iter.Seq2[lastnight.TemplateCount, error]
	// HasCounts tells whether the source gave counts already.
	HasCounts(ctx context.Context, source string) (bool, error)
	// DropCounts removes the counts of sources that end before t.
	DropCounts(ctx context.Context, t time.Time) error
}

// CountsRequest says which counts. Empty fields do not restrict.
type CountsRequest struct {
	Start, End     time.Time // minutes that overlap [Start, End)
	Namespace, Job string    // Job is a workload's name
	Template       string
}

// Templates holds log patterns.
type Templates interface {
	// PutTemplates adds or updates by id: text, link, level, exception, example are replaced when not
	// empty, FirstSeen and LastSeen widened.
	PutTemplates(ctx context.Context, ts []lastnight.Template) error
	// Templates gives those of the ids that exist, in any order.
	Templates(ctx context.Context, ids []string) ([]lastnight.Template, error)
}

// Inventory holds pods and jobs, living and gone.
type Inventory interface {
	// PutPods adds or updates by (namespace, name, UID); known fields win over empty ones, newer over older.
	PutPods(ctx context.Context, pods []lastnight.Pod) error
	// Pods lists pods, by name.
	Pods(ctx context.Context, req PodsRequest) ([]lastnight.Pod, error)
	// PutJobs adds or updates by (namespace, name): Flink ids are united, FirstSeen and LastSeen widened,
	// a kind of FlinkJob wins over others.
	PutJobs(ctx context.Context, jobs []lastnight.Job) error
	// Jobs lists jobs, by namespace and name. Name matches a job's name, its workload or one of its Flink ids.
	// Their Incidents are counted from those held that are unplanned and begin in the interval.
	Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error)
}

// PodsRequest says which pods. Empty fields do not restrict.
type PodsRequest struct {
	Namespace string
	Name      string
	UID       string
	Workload  string
	IP        string
}

// Incidents holds incidents with their diagnoses.
type Incidents interface {
	// PutIncidents adds or replaces by id.
	PutIncidents(ctx context.Context, is []lastnight.Incident) error
	// DeleteIncidents removes by id; unknown ids are no error.
	DeleteIncidents(ctx context.Context, ids []string) error
	// Incidents lists those that begin in the interval, newest first. Job is a job's name or its workload.
	Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error)
	// Incident gives one, or an error of CodeNotFound.
	Incident(ctx context.Context, id string) (*lastnight.Incident, error)
}

// Item is one value of Exact.
type Item struct {
	Key     string
	Value   []byte
	Version int64 // grows with each change, over a removal too; 0 is "does not exist"
}

// Exact is a small key-value store with optimistic concurrency: labels and their
// history, leases, snapshots, marks of what has been indexed.
type Exact interface {
	// Get gives an item, or an error of CodeNotFound.
	Get(ctx context.Context, bucket, key string) (Item, error)
	// Put sets a value if its version still is ifVersion (0: must not exist; -1: whatever it is)
	// and gives the new version, or an error of CodeConflict.
	Put(ctx context.Context, bucket, key string, value []byte, ifVersion int64) (int64, error)
	// Delete removes an item; an unknown one is no error.
	Delete(ctx context.Context, bucket, key string) error
	// List streams the items whose key begins with prefix, by key.
	List(ctx context.Context, bucket, prefix string) iter.Seq2[Item, error]
}

// Contents streams what the other parts give by name only, in no order: for moving a store.
// What is put meanwhile may be left out.
type Contents interface {
	// AllTemplates streams the templates.
	AllTemplates(ctx context.Context) iter.Seq2[lastnight.Template, error]
	// Sources streams the sources that gave counts, and what they gave, if only none.
	Sources(ctx context.Context) iter.Seq2[Source, error]
	// Buckets gives the names of the buckets that have items.
	Buckets(ctx context.Context) ([]string, error)
}

// Source is the counts that one source gave.
type Source struct {
	Name   string
	Counts []lastnight.TemplateCount
}
