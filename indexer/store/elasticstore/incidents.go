package elasticstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

// incidentFields are those by which lists ask, beside the body.
type incidentFields struct {
	Namespace string `json:"namespace"`
	Job       string `json:"job"`
}

func (s *Store) keptIncidents() kept[lastnight.Incident] {
	return kept[lastnight.Incident]{
		kind:  kindIncidents,
		merge: func(held, in *lastnight.Incident) { *held = *in },
		id:    func(in *lastnight.Incident) string { return hashID(in.ID) },
		fields: func(in *lastnight.Incident) object {
			return object{
				"id": field(in.ID), "start_ns": query.Nanos(in.Start), "@timestamp": timestamp(in.Start), "namespace": field(in.Namespace),
				"job": field(in.Job), "workload": field(in.Workload), "cause.id": field(in.Diagnosis.Cause), "planned": in.Planned,
			}
		},
	}
}

// PutIncidents adds or replaces incidents by id; it returns when they are durable. One that is there just so is not written again.
func (s *Store) PutIncidents(ctx context.Context, is []lastnight.Incident) error {
	if err := ctx.Err(); err != nil || len(is) == 0 {
		return err
	}
	for i := range is {
		if err := checkKey("id of an incident", is[i].ID); err != nil {
			return err
		}
	}
	if err := upsert(ctx, s, s.keptIncidents(), is); err != nil {
		return fmt.Errorf("put %d incidents: %w", len(is), err)
	}
	return nil
}

// bulkAll is bulk for operations of which none may be refused.
func (s *Store) bulkAll(ctx context.Context, ops []*op) error {
	if err := s.bulk(ctx, ops); err != nil {
		return err
	}
	return firstRefused(ops)
}

// DeleteIncidents removes by id; unknown ids are no error.
func (s *Store) DeleteIncidents(ctx context.Context, ids []string) error {
	if err := ctx.Err(); err != nil || len(ids) == 0 {
		return err
	}
	var ops []*op
	for _, id := range ids {
		ops = append(ops, &op{action: "delete", index: s.index(kindIncidents), id: hashID(id)})
	}
	if err := s.bulkAll(ctx, ops); err != nil {
		return fmt.Errorf("delete incidents: %w", err)
	}
	return nil
}

// Incidents lists those that begin in the interval, newest first. Job is a job's name or its workload.
func (s *Store) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	q := []object{within("start_ns", req.Start, req.End), isField("namespace", req.Namespace)}
	if j := field(req.Job); j != "" {
		q = append(q, anyOf(isTerm("job", j), isTerm("workload", j)))
	}
	if !req.Planned {
		q = append(q, object{"term": object{"planned": false}})
	}
	is := []lastnight.Incident{}
	f := find{query: allOf(q...), sort: []object{{"start_ns": "desc"}, {"id": "desc"}}, size: 50}
	for h, err := range s.find(ctx, []string{s.index(kindIncidents)}, f) {
		if err != nil {
			return nil, fmt.Errorf("list incidents: %w", err)
		}
		var in lastnight.Incident
		if err := unwrap(h.Source, &in); err != nil {
			return nil, fmt.Errorf("incident %s: %w", h.ID, err)
		}
		if req.Namespace != "" && req.Namespace != in.Namespace || req.Job != "" && req.Job != in.Job && req.Job != in.Workload {
			continue
		}
		if is = append(is, in); len(is) == req.Limit {
			break
		}
	}
	return is, nil
}

// Incident gives one, or an error of CodeNotFound.
func (s *Store) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	have, err := s.getMany(ctx, s.index(kindIncidents), []string{hashID(id)})
	if err != nil {
		return nil, fmt.Errorf("read incident %q: %w", id, err)
	}
	if !have[0].Found {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "list them with lastnight incidents", "there is no incident %.80q", id)
	}
	in := new(lastnight.Incident)
	if err := unwrap(have[0].Source, in); err != nil {
		return nil, fmt.Errorf("read incident %q: %w", id, err)
	}
	return in, nil
}

// countIncidents counts unplanned incidents that begin in the interval, by the key of their job.
func (s *Store) countIncidents(ctx context.Context, start, end time.Time) (map[string]int, error) {
	counts := map[string]int{}
	q := allOf(within("start_ns", start, end), object{"term": object{"planned": false}})
	for h, err := range s.find(ctx, []string{s.index(kindIncidents)}, find{query: q, sort: byDoc, fields: []string{"namespace", "job"}}) {
		if err != nil {
			return nil, err
		}
		var f incidentFields
		if err := json.Unmarshal(h.Source, &f); err != nil {
			return nil, fmt.Errorf("incident %s: %w", h.ID, err)
		}
		counts[store.Key(f.Namespace, f.Job)]++
	}
	return counts, nil
}
