package investigation

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// withoutWhen is how far back the newest incident is looked for when no time was given.
const withoutWhen = 24 * time.Hour

// Investigator answers from the kept incidents. It implements lastnight.Investigator.
type Investigator struct {
	keeper    Keeper
	now       func() time.Time
	explainer Explainer // nil: only the catalogue explains
}

// Explainer puts what people know of failures into the diagnoses of incidents when they are read.
type Explainer interface {
	Explain(ctx context.Context, is []lastnight.Incident) error
}

// ExplainWith makes e explain too, over the catalogue. Call it before the first question.
func (v *Investigator) ExplainWith(e Explainer) { v.explainer = e }

// explained gives incidents as they are explained now.
func (v *Investigator) explained(ctx context.Context, is []lastnight.Incident, err error) ([]lastnight.Incident, error) {
	if err != nil || v.explainer == nil || len(is) == 0 {
		return is, err
	}
	if err := v.explainer.Explain(ctx, is); err != nil {
		return nil, fmt.Errorf("apply labels: %w", err)
	}
	return is, nil
}

var _ lastnight.Investigator = (*Investigator)(nil)

// NewInvestigator makes one. now may be nil: time.Now.
func NewInvestigator(k Keeper, now func() time.Time) *Investigator {
	if now == nil {
		now = time.Now
	}
	return &Investigator{keeper: k, now: now}
}

// Incidents implements lastnight.Investigator.
func (v *Investigator) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	if req.Job == "" {
		is, err := v.keeper.Incidents(ctx, req)
		return v.explained(ctx, is, err)
	}
	job, err := v.job(ctx, req.Namespace, req.Job)
	if err != nil {
		return nil, err
	}
	limit := req.Limit
	req.Namespace, req.Job, req.Limit = job.Namespace, "", 0
	is, err := v.keeper.Incidents(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	is = slices.DeleteFunc(is, func(i lastnight.Incident) bool { return !ofJob(&i, job) })
	if limit > 0 && len(is) > limit {
		is = is[:limit]
	}
	return v.explained(ctx, is, nil)
}

// Incident implements lastnight.Investigator.
func (v *Investigator) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	in, err := v.keeper.Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := v.withSiblings(ctx, in); err != nil {
		return nil, err
	}
	is, err := v.explained(ctx, []lastnight.Incident{*in}, nil)
	if err != nil {
		return nil, err
	}
	return &is[0], nil
}

// Why implements lastnight.Investigator.
func (v *Investigator) Why(ctx context.Context, req lastnight.WhyRequest) (*lastnight.Answer, error) {
	job, err := v.job(ctx, req.Namespace, req.Job)
	if err != nil {
		return nil, err
	}
	newest := req.Start.IsZero()
	start, end := req.Start, req.End
	if end.IsZero() {
		end = v.now().UTC()
	}
	if newest {
		start = end.Add(-withoutWhen)
	}
	if !start.Before(end) {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "give a --since before --until", "the interval %s to %s is empty", start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	is, err := v.keeper.Incidents(ctx, lastnight.IncidentsRequest{Namespace: job.Namespace, Start: start, End: end, Planned: true})
	if err != nil {
		return nil, fmt.Errorf("list incidents of %s: %w", job.Name, err)
	}
	is = slices.DeleteFunc(is, func(i lastnight.Incident) bool { return !ofJob(&i, job) })
	if slices.ContainsFunc(is, func(i lastnight.Incident) bool { return !i.Planned }) {
		is = slices.DeleteFunc(is, func(i lastnight.Incident) bool { return i.Planned })
	}
	slices.SortStableFunc(is, func(a, b lastnight.Incident) int { return a.Start.Compare(b.Start) })
	if newest && len(is) > 1 {
		is = is[len(is)-1:]
	}
	for i := range is {
		if err := v.withSiblings(ctx, &is[i]); err != nil {
			return nil, err
		}
	}
	if is, err = v.explained(ctx, is, nil); err != nil {
		return nil, err
	}
	if is == nil {
		is = []lastnight.Incident{}
	}
	return &lastnight.Answer{
		Job: job.Name, Cluster: job.Cluster, Namespace: job.Namespace,
		Interval: lastnight.Interval{Start: start, End: end, Zone: req.Zone}, Incidents: is,
	}, nil
}

// ofJob tells whether an incident is one of the job's: by its name, or by its workload when that is what was asked for.
func ofJob(i *lastnight.Incident, j *lastnight.Job) bool {
	if i.Namespace != j.Namespace {
		return false
	}
	if i.Job == j.Name || i.Workload != "" && i.Workload == j.Name {
		return true
	}
	// A Flink job in a cluster of its own: its incidents go by the workload's name.
	return i.Job == j.Workload && i.Workload == j.Workload
}

var flinkID = regexp.MustCompile(`(?:^|[^0-9a-f])([0-9a-f]{32})(?:$|[^0-9a-f])`)

// names gives what a job may be called, from a name, an id or a link that contains one; most certain first.
func names(job string) (namespace string, list []string) {
	job = strings.TrimSpace(job)
	list = append(list, job)
	if m := flinkID.FindStringSubmatch(job); m != nil && m[1] != job {
		list = append(list, m[1])
	}
	if !strings.Contains(job, "/") {
		return "", list
	}
	path := job
	if u, err := url.Parse(job); err == nil {
		path = u.Path + "/" + u.Fragment
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '#' || r == '?' })
	for i, p := range parts {
		if p == "jobs" && i+2 < len(parts) { // our own links: /jobs/NAMESPACE/NAME
			namespace, list = parts[i+1], append(list, parts[i+2])
		}
	}
	for _, p := range slices.Backward(parts) {
		list = append(list, p)
	}
	return namespace, list
}

// job finds the job that is meant. If several namespaces have it, the most recently seen one.
func (v *Investigator) job(ctx context.Context, namespace, name string) (*lastnight.Job, error) {
	if strings.TrimSpace(name) == "" {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "name a job, a Flink job id or a link to one", "no job was named")
	}
	inLink, list := names(name)
	spaces := []string{namespace}
	if namespace == "" && inLink != "" { // it looks like one of our links, but may be somebody else's
		spaces = []string{inLink, ""}
	}
	for _, space := range spaces {
		for _, n := range list {
			jobs, err := v.keeper.Jobs(ctx, lastnight.JobsRequest{Namespace: space, Name: n})
			if err != nil {
				return nil, fmt.Errorf("find job %s: %w", n, err)
			}
			if j := pick(jobs, n); j != nil {
				return j, nil
			}
		}
	}
	return nil, v.unknown(ctx, namespace, name, list)
}

// pick prefers a job of just that name, then one of that Flink id, then one of that workload; and the latest of them.
func pick(jobs []lastnight.Job, name string) *lastnight.Job {
	rank := func(j *lastnight.Job) int {
		switch {
		case j.Name == name:
			return 2
		case slices.Contains(j.FlinkIDs, name):
			return 1
		}
		return 0
	}
	var best *lastnight.Job
	for i := range jobs {
		j := &jobs[i]
		if best == nil || rank(j) > rank(best) || rank(j) == rank(best) && j.LastSeen.After(best.LastSeen) {
			best = j
		}
	}
	return best
}

func (v *Investigator) unknown(ctx context.Context, namespace, name string, list []string) error {
	jobs, err := v.keeper.Jobs(ctx, lastnight.JobsRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	hint := "lastnight jobs lists what there is"
	known := make([]string, len(jobs))
	for i := range jobs {
		known[i] = jobs[i].Name
	}
	slices.Sort(known)
	if near := lastnight.Nearest(list[len(list)-1], slices.Compact(known), 3); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return lastnight.Errorf(lastnight.CodeNotFound, hint, "no job %q is known", name)
}
