package investigation

import (
	"context"
	"iter"

	"lastnight"
)

// Source is what an investigation reads.
type Source interface {
	// Search streams documents. req.Important searches the store (important records and all events),
	// else the archive (every record).
	Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error]
	// Pods lists the pods of a workload, living and gone; with an empty workload those of the namespace.
	Pods(ctx context.Context, namespace, workload string) ([]lastnight.Pod, error)
	// PodsByIP lists the pods that had an address, living and gone.
	PodsByIP(ctx context.Context, ip string) ([]lastnight.Pod, error)
}

// Keeper keeps incidents, and knows which jobs there are.
type Keeper interface {
	// PutIncidents adds or replaces by id.
	PutIncidents(ctx context.Context, is []lastnight.Incident) error
	// DeleteIncidents removes by id; unknown ids are no error.
	DeleteIncidents(ctx context.Context, ids []string) error
	// Incidents lists those that begin in the interval, newest first.
	Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error)
	// Incident gives one, or an error of CodeNotFound.
	Incident(ctx context.Context, id string) (*lastnight.Incident, error)
	// Jobs lists jobs; the request's name matches a job's name, its workload or a Flink id.
	Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error)
}
