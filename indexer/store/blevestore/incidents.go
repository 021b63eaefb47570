package blevestore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/query"
)

// Names in exact.db: incidents by id, and by start and id what lists ask about.
var incidentsBucket, incidentStartsBucket = []byte("incidents"), []byte("incident_starts")

// incidentEntry is what a list needs to know of an incident before it is read.
type incidentEntry struct {
	namespace, job, workload string
	planned                  bool
}

func (e incidentEntry) encode() []byte {
	var w writer
	for _, s := range []string{e.namespace, e.job, e.workload} {
		w.str(s)
	}
	planned := uint64(0)
	if e.planned {
		planned = 1
	}
	w.uint(planned)
	return w.b
}

func decodeEntry(b []byte) (incidentEntry, error) {
	r := reader{b: b}
	e := incidentEntry{namespace: r.str(), job: r.str(), workload: r.str(), planned: r.uint() == 1}
	return e, r.err
}

// PutIncidents adds or replaces incidents by id; it returns when they are durable.
func (s *Store) PutIncidents(ctx context.Context, is []lastnight.Incident) error {
	if err := ctx.Err(); err != nil || len(is) == 0 {
		return err
	}
	sealed := make([][]byte, len(is))
	for i := range is {
		if err := checkKey("id of an incident", is[i].ID); err != nil {
			return err
		}
		var err error
		if sealed[i], err = s.codec.sealJSON(&is[i]); err != nil {
			return fmt.Errorf("encode incident %s: %w", is[i].ID, err)
		}
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, starts, err := incidentBuckets(tx)
		if err != nil {
			return err
		}
		for i := range is {
			in := &is[i]
			if err := s.removeIncident(b, starts, in.ID); err != nil {
				return err
			}
			if err := b.Put([]byte(in.ID), sealed[i]); err != nil {
				return err
			}
			e := incidentEntry{in.Namespace, in.Job, in.Workload, in.Planned}
			if err := starts.Put(keyOf(query.Nanos(in.Start), in.ID), e.encode()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d incidents: %w", len(is), err)
	}
	return nil
}

func incidentBuckets(tx *bolt.Tx) (incidents, starts *bolt.Bucket, err error) {
	if incidents, err = tx.CreateBucketIfNotExists(incidentsBucket); err != nil {
		return nil, nil, err
	}
	starts, err = tx.CreateBucketIfNotExists(incidentStartsBucket)
	return incidents, starts, err
}

func (s *Store) removeIncident(b, starts *bolt.Bucket, id string) error {
	v := b.Get([]byte(id))
	if v == nil {
		return nil
	}
	var old lastnight.Incident
	if err := s.codec.openJSON(v, &old); err != nil {
		return fmt.Errorf("incident %q: %w", id, err)
	}
	if err := starts.Delete(keyOf(query.Nanos(old.Start), id)); err != nil {
		return err
	}
	return b.Delete([]byte(id))
}

// DeleteIncidents removes by id; unknown ids are no error.
func (s *Store) DeleteIncidents(ctx context.Context, ids []string) error {
	if err := ctx.Err(); err != nil || len(ids) == 0 {
		return err
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, starts, err := incidentBuckets(tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.removeIncident(b, starts, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete incidents: %w", err)
	}
	return nil
}

// Incidents lists those that begin in the interval, newest first. Job is a job's name or its workload.
func (s *Store) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	is := []lastnight.Incident{}
	sp := span{newest: true}
	if !req.Start.IsZero() {
		sp.from = keyOf(query.Nanos(req.Start), "")
	}
	if !req.End.IsZero() {
		sp.to = keyOf(query.Nanos(req.End), "")
	}
	err := s.exact.View(func(tx *bolt.Tx) error {
		b, starts := tx.Bucket(incidentsBucket), tx.Bucket(incidentStartsBucket)
		if starts == nil {
			return nil
		}
		for k, v := range sp.walk(starts.Cursor()) {
			e, err := decodeEntry(v)
			if err != nil {
				return err
			}
			if e.planned && !req.Planned || req.Namespace != "" && req.Namespace != e.namespace || req.Job != "" && req.Job != e.job && req.Job != e.workload {
				continue
			}
			var in lastnight.Incident
			if err := s.codec.openJSON(b.Get(k[8:]), &in); err != nil {
				return fmt.Errorf("incident %q: %w", k[8:], err)
			}
			if is = append(is, in); len(is) == req.Limit {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	return is, nil
}

// Incident gives one, or an error of CodeNotFound.
func (s *Store) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var sealed []byte
	err := s.exact.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(incidentsBucket); b != nil {
			sealed = slices.Clone(b.Get([]byte(id)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read incident %q: %w", id, err)
	}
	if sealed == nil {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "list them with lastnight incidents", "there is no incident %.80q", id)
	}
	in := new(lastnight.Incident)
	if err := s.codec.openJSON(sealed, in); err != nil {
		return nil, fmt.Errorf("read incident %q: %w", id, err)
	}
	return in, nil
}

// countIncidents counts unplanned incidents that begin in the interval, by the key of their job.
func countIncidents(tx *bolt.Tx, start, end time.Time) map[string]int {
	counts := map[string]int{}
	b := tx.Bucket(incidentStartsBucket)
	if b == nil {
		return counts
	}
	var from, to []byte
	if !start.IsZero() {
		from = keyOf(query.Nanos(start), "")
	}
	if !end.IsZero() {
		to = keyOf(query.Nanos(end), "")
	}
	c := b.Cursor()
	for k, v := c.Seek(from); k != nil && (to == nil || bytes.Compare(k, to) < 0); k, v = c.Next() {
		if e, err := decodeEntry(v); err == nil && !e.planned {
			counts[string(key(e.namespace, e.job))]++
		}
	}
	return counts
}
