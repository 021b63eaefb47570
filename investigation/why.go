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
	keeper Keeper
	now    func() time.Time
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
		return v.keeper.Incidents(ctx, req)
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
	return is, nil
}

// Incident implements lastnight.Investigator.
func (v *Investigator) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	return v.keeper.Incident(ctx, id)
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
		if p == "jobs" && i+2 < len(parts) {
			return parts[i+1], append(list, parts[i+2])
		}
	}
	for _, p := range slices.Backward(parts) {
		list = append(list, p)
	}
	return "", list
}

// job finds the job that is meant. If several namespaces have it, the most recently seen one.
func (v *Investigator) job(ctx context.Context, namespace, name string) (*lastnight.Job, error) {
	if strings.TrimSpace(name) == "" {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "name a job, a Flink job id or a link to one", "no job was named")
	}
	inLink, list := names(name)
	if namespace == "" {
		namespace = inLink
	}
	for _, n := range list {
		jobs, err := v.keeper.Jobs(ctx, lastnight.JobsRequest{Namespace: namespace, Name: n})
		if err != nil {
			return nil, fmt.Errorf("find job %s: %w", n, err)
		}
		if j := pick(jobs, n); j != nil {
			return j, nil
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
	if near := nearNames(list[len(list)-1], jobs); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return lastnight.Errorf(lastnight.CodeNotFound, hint, "no job %q is known", name)
}

// nearNames gives at most three names of jobs that are close to name, nearest first.
func nearNames(name string, jobs []lastnight.Job) []string {
	type near struct {
		name string
		d    int
	}
	var found []near
	lower := strings.ToLower(name)
	for i := range jobs {
		n := strings.ToLower(jobs[i].Name)
		d := distance(lower, n)
		if len(lower) >= 3 && (strings.Contains(n, lower) || strings.Contains(lower, n)) {
			d = min(d, 1)
		}
		if d <= max(2, len(lower)/3) && !slices.ContainsFunc(found, func(f near) bool { return f.name == jobs[i].Name }) {
			found = append(found, near{jobs[i].Name, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return cmpString(a.name, b.name)
	})
	out := make([]string, 0, 3)
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.name)
	}
	return out
}

// distance is Levenshtein's, in bytes. Long names are cut: they are not near anyway.
func distance(a, b string) int {
	const longest = 128
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
