package elasticstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

func (s *Store) keptPods() kept[lastnight.Pod] {
	return kept[lastnight.Pod]{
		kind: kindPods, merge: store.MergePod,
		id: func(p *lastnight.Pod) string { return hashID(store.Key(p.Namespace, p.Name, p.UID)) },
		fields: func(p *lastnight.Pod) object {
			return object{
				"namespace": field(p.Namespace), "name": field(p.Name), "uid": field(p.UID), "ip": field(p.IP),
				"workload": field(lastnight.WorkloadOf(p).Name), "sort": field(store.Key(p.Namespace, p.Name, p.UID)),
			}
		},
	}
}

// PutPods adds or updates pods by (namespace, name, UID); it returns when they are durable.
func (s *Store) PutPods(ctx context.Context, pods []lastnight.Pod) error {
	if err := ctx.Err(); err != nil || len(pods) == 0 {
		return err
	}
	for i := range pods {
		if err := checkKey("name of a pod", store.Key(pods[i].Namespace, pods[i].Name, pods[i].UID)); err != nil {
			return err
		}
	}
	if err := upsert(ctx, s, s.keptPods(), pods); err != nil {
		return fmt.Errorf("put %d pods: %w", len(pods), err)
	}
	return nil
}

// Pods lists pods, by name.
func (s *Store) Pods(ctx context.Context, req store.PodsRequest) ([]lastnight.Pod, error) {
	if req.Namespace != "" && req.Name != "" && req.UID != "" {
		return s.pod(ctx, req)
	}
	q := allOf(isField("namespace", req.Namespace), isField("name", req.Name), isField("uid", req.UID), isField("ip", req.IP), isField("workload", req.Workload))
	pods, err := list(ctx, s, kindPods, q, req.Matches)
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	slices.SortFunc(pods, func(a, b lastnight.Pod) int {
		return cmp.Compare(store.Key(a.Namespace, a.Name, a.UID), store.Key(b.Namespace, b.Name, b.UID))
	})
	return pods, nil
}

// pod is Pods for one that is named whole: it is read by its id, which takes neither a refresh nor a search.
func (s *Store) pod(ctx context.Context, req store.PodsRequest) ([]lastnight.Pod, error) {
	have, err := s.getMany(ctx, s.index(kindPods), []string{hashID(store.Key(req.Namespace, req.Name, req.UID))})
	if err != nil {
		return nil, fmt.Errorf("read pod %s/%s: %w", req.Namespace, req.Name, err)
	}
	pods := []lastnight.Pod{}
	if !have[0].Found {
		return pods, nil
	}
	var p lastnight.Pod
	if err := unwrap(have[0].Source, &p); err != nil {
		return nil, fmt.Errorf("read pod %s/%s: %w", req.Namespace, req.Name, err)
	}
	if req.Matches(&p) {
		pods = append(pods, p)
	}
	return pods, nil
}

// list reads all values of a kind that a query finds and that match.
func list[T any](ctx context.Context, s *Store, kind string, q object, match func(*T) bool) ([]T, error) {
	found := []T{}
	for h, err := range s.find(ctx, []string{s.index(kind)}, find{query: q, sort: byDoc}) {
		if err != nil {
			return nil, err
		}
		var v T
		if err := unwrap(h.Source, &v); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, h.ID, err)
		}
		if match(&v) {
			found = append(found, v)
		}
	}
	return found, nil
}

func (s *Store) keptJobs() kept[lastnight.Job] {
	return kept[lastnight.Job]{
		kind: kindJobs, merge: store.MergeJob,
		id: func(j *lastnight.Job) string { return hashID(store.Key(j.Namespace, j.Name)) },
		fields: func(j *lastnight.Job) object {
			return object{"namespace": field(j.Namespace), "sort": field(store.Key(j.Namespace, j.Name))}
		},
	}
}

// PutJobs adds or updates jobs by (namespace, name); it returns when they are durable.
func (s *Store) PutJobs(ctx context.Context, jobs []lastnight.Job) error {
	if err := ctx.Err(); err != nil || len(jobs) == 0 {
		return err
	}
	jobs = slices.Clone(jobs)
	for i := range jobs {
		if err := checkKey("name of a job", store.Key(jobs[i].Namespace, jobs[i].Name)); err != nil {
			return err
		}
		jobs[i].Incidents = 0 // counted when asked
		jobs[i].FlinkIDs = slices.Clone(jobs[i].FlinkIDs)
	}
	if err := upsert(ctx, s, s.keptJobs(), jobs); err != nil {
		return fmt.Errorf("put %d jobs: %w", len(jobs), err)
	}
	return nil
}

// Jobs lists jobs, by namespace and name, with the number of their unplanned incidents
// that begin in the interval.
func (s *Store) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	jobs, err := list(ctx, s, kindJobs, isField("namespace", req.Namespace), func(j *lastnight.Job) bool { return store.JobMatches(j, req) })
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	failed, err := s.countIncidents(ctx, req.Start, req.End)
	if err != nil {
		return nil, fmt.Errorf("list jobs: count incidents: %w", err)
	}
	for i := range jobs {
		jobs[i].Incidents = failed[store.Key(jobs[i].Namespace, jobs[i].Name)]
	}
	slices.SortFunc(jobs, func(a, b lastnight.Job) int {
		return cmp.Compare(store.Key(a.Namespace, a.Name), store.Key(b.Namespace, b.Name))
	})
	return jobs, nil
}

// within narrows to times in [start, end); zero ones do not restrict.
func within(name string, start, end time.Time) object {
	bounds := object{}
	if !start.IsZero() {
		bounds["gte"] = query.Nanos(start)
	}
	if !end.IsZero() {
		bounds["lt"] = query.Nanos(end)
	}
	if len(bounds) == 0 {
		return nil
	}
	return object{"range": object{name: bounds}}
}
