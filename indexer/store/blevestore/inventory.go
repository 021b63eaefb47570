package blevestore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
)

// Names in exact.db: pods and jobs by their parts, joined with NUL; pod_index leads
// from "uid", "ip" and "workload" with a value to the keys of pods.
var podsBucket, podIndexBucket, jobsBucket = []byte("pods"), []byte("pod_index"), []byte("jobs")

// key joins parts, as bytes.
func key(parts ...string) []byte { return []byte(store.Key(parts...)) }

// PutPods adds or updates pods by (namespace, name, UID); it returns when they are durable.
func (s *Store) PutPods(ctx context.Context, pods []lastnight.Pod) error {
	if err := ctx.Err(); err != nil || len(pods) == 0 {
		return err
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(podsBucket)
		if err != nil {
			return err
		}
		index, err := tx.CreateBucketIfNotExists(podIndexBucket)
		if err != nil {
			return err
		}
		for i := range pods {
			if err := s.putPod(b, index, &pods[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d pods: %w", len(pods), err)
	}
	return nil
}

func (s *Store) putPod(b, index *bolt.Bucket, p *lastnight.Pod) error {
	k := key(p.Namespace, p.Name, p.UID)
	if err := checkKey("name of a pod", string(k)); err != nil {
		return err
	}
	if err := upsert(s.codec, b, k, p, store.MergePod); err != nil {
		return err
	}
	var whole lastnight.Pod // its workload follows from all that is known
	if err := s.codec.openJSON(b.Get(k), &whole); err != nil {
		return err
	}
	w := lastnight.WorkloadOf(&whole)
	for _, e := range [][]byte{key("uid", p.UID), key("ip", p.IP), key("workload", w.Name)} {
		if e = append(append(e, 0), k...); index.Get(e) == nil {
			if err := index.Put(e, []byte{1}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pods lists pods, by name.
func (s *Store) Pods(ctx context.Context, req store.PodsRequest) ([]lastnight.Pod, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pods := []lastnight.Pod{}
	err := s.exact.View(func(tx *bolt.Tx) error {
		b, index := tx.Bucket(podsBucket), tx.Bucket(podIndexBucket)
		if b == nil {
			return nil
		}
		for k := range podKeys(b, index, req) {
			var p lastnight.Pod
			v := b.Get(k)
			if v == nil {
				continue
			}
			if err := s.codec.openJSON(v, &p); err != nil {
				return fmt.Errorf("pod %q: %w", k, err)
			}
			if req.Matches(&p) {
				pods = append(pods, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	slices.SortFunc(pods, func(a, b lastnight.Pod) int {
		return bytes.Compare(key(a.Namespace, a.Name, a.UID), key(b.Namespace, b.Name, b.UID))
	})
	return pods, nil
}

// podKeys yields the keys of pods among which are all that the request asks for.
func podKeys(pods, index *bolt.Bucket, req store.PodsRequest) iter.Seq[[]byte] {
	switch {
	case req.UID != "":
		return suffixes(index, append(key("uid", req.UID), 0))
	case req.IP != "":
		return suffixes(index, append(key("ip", req.IP), 0))
	case req.Namespace != "" && req.Name != "":
		return withPrefix(pods, append(key(req.Namespace, req.Name), 0))
	case req.Workload != "":
		return suffixes(index, append(key("workload", req.Workload), 0))
	case req.Namespace != "":
		return withPrefix(pods, append(key(req.Namespace), 0))
	}
	return withPrefix(pods, nil)
}

func withPrefix(b *bolt.Bucket, prefix []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := b.Cursor()
		for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if !yield(k) {
				return
			}
		}
	}
}

// suffixes yields what follows the prefix in keys that have it.
func suffixes(b *bolt.Bucket, prefix []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for k := range withPrefix(b, prefix) {
			if !yield(k[len(prefix):]) {
				return
			}
		}
	}
}

// PutJobs adds or updates jobs by (namespace, name); it returns when they are durable.
func (s *Store) PutJobs(ctx context.Context, jobs []lastnight.Job) error {
	if err := ctx.Err(); err != nil || len(jobs) == 0 {
		return err
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(jobsBucket)
		if err != nil {
			return err
		}
		for i := range jobs {
			j := jobs[i]
			k := key(j.Namespace, j.Name)
			if err := checkKey("name of a job", string(k)); err != nil {
				return err
			}
			j.Incidents = 0 // counted when asked
			if err := upsert(s.codec.often(), b, k, &j, store.MergeJob); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d jobs: %w", len(jobs), err)
	}
	return nil
}

// Jobs lists jobs, by namespace and name, with the number of their unplanned
// incidents that begin in the interval.
func (s *Store) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	jobs := []lastnight.Job{}
	err := s.exact.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(jobsBucket)
		if b == nil {
			return nil
		}
		failed := countIncidents(tx, req.Start, req.End)
		var prefix []byte
		if req.Namespace != "" {
			prefix = append(key(req.Namespace), 0)
		}
		named := mentions(req.Name)
		for k := range withPrefix(b, prefix) {
			var j lastnight.Job
			v := b.Get(k)
			if !named(v) {
				continue
			}
			if err := s.codec.openJSON(v, &j); err != nil {
				return fmt.Errorf("job %q: %w", k, err)
			}
			if store.JobMatches(&j, req) {
				j.Incidents = failed[string(k)]
				jobs = append(jobs, j)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

// mentions tells of sealed values whether they may have a name as one of their strings: reading the JSON of thousands of
// jobs to find one takes milliseconds.
func mentions(name string) func(sealed []byte) bool {
	quoted, err := json.Marshal(name)
	if name == "" || err != nil {
		return func([]byte) bool { return true }
	}
	return func(sealed []byte) bool {
		return len(sealed) == 0 || sealed[0] != sealPlain || bytes.Contains(sealed, quoted)
	}
}
